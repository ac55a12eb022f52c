"""What a cell tries beyond a plain handshake: one class per feature, with what it asks of either side.

A feature shapes the peer's order and our config, may change the conversation, and says at the end what must
have happened. Which peer can do what is in the peers' modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glasslock.registry import NamedGroup, ProtocolVersion, Side
from glasslock.tls import MemoryReplayGuard
from glasslock.tls.session import MemorySessionStore

from .credentials import Authority
from .ends import End
from .order import Order, make_reply, make_request
from .peer import Abilities
from .verifiers import Pinned

END_OF_REQUEST = b"\r\n\r\n"
RightReply = Callable[[bytes], bool]


class CellFailed(Exception):
    """Something that a cell demands did not happen."""


def expect(condition: object, demand: str) -> None:
    if not condition:
        raise CellFailed(f"not so: {demand}")


class Feature:
    """The plain conversation: request, reply, close. Features override what they change."""

    name = ""
    title = ""
    tls12 = True
    tls13 = True

    def sentence(self) -> str:
        """What it is about, as its docstring begins."""
        return " ".join((type(self).__doc__ or "").split("\n\n")[0].split())

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        """Changes what the peer is asked to do."""

    def server_options(self, order: Order) -> dict[str, Any]:
        """For our ServerConfig, when the peer is the client."""
        return {}

    def client_options(self, order: Order) -> dict[str, Any]:
        """For our ClientConfig, when the peer is the server."""
        return {}

    def answer(self, end: End, order: Order) -> None:
        """Our server's part of the conversation."""
        end.handshake()
        end.pump_until(lambda: end.data.endswith(END_OF_REQUEST))
        if end.closed is None:
            end.send(order.reply)
        end.finish(order.client_ends_first)

    def visit(self, end: End, order: Order, right: RightReply) -> None:
        """Our client's part."""
        end.handshake()
        end.send(order.request)
        end.pump_until(lambda: right(bytes(end.data)))
        end.finish()

    def check_server(self, ends: Sequence[End], order: Order) -> None:
        """What must have happened at our server; the data are checked for every feature."""
        self.check(ends, order)

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        """What must have happened at our client."""
        self.check(ends, order)

    def check(self, ends: Sequence[End], order: Order) -> None:
        """What must have happened in both roles."""

    def works_in(self, version: ProtocolVersion) -> bool:
        return self.tls13 if version is ProtocolVersion.TLS_1_3 else self.tls12


class Bulk(Feature):
    """A few megabytes each way: many records under one key."""

    name = "bulk"
    title = "4 MiB"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["reply"] = make_reply(4 << 20)
        if abilities.echoes:
            order["request"] = make_request(4 << 20)


class HelloRetry(Feature):
    """The client sends a share for a group that the server has not; both have another."""

    name = "hrr"
    title = "HelloRetryRequest"
    tls12 = False
    _OFFERED = (NamedGroup.X25519, NamedGroup.SECP384R1)

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["groups"] = self._OFFERED if role is Side.CLIENT or not abilities.chooses_groups else self._OFFERED[-1:]

    def server_options(self, order: Order) -> dict[str, Any]:
        return {"groups": self._OFFERED[-1:]}

    def client_options(self, order: Order) -> dict[str, Any]:
        # A server that takes any group is made to ask by sending no share at all.
        shares = self._OFFERED[:1] if len(order.groups) == 1 else ()
        return {"groups": self._OFFERED, "key_shares": shares}

    def check(self, ends: Sequence[End], order: Order) -> None:
        agreed = ends[0].connection.agreed
        expect(agreed.retried, "the server asked for another key share")


class Alpn(Feature):
    """We know h2 and http/1.1, the peer http/1.1 alone: that is agreed."""

    name = "alpn"
    title = "ALPN"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["alpn"] = ("http/1.1",)

    def server_options(self, order: Order) -> dict[str, Any]:
        return {"alpn_protocols": ("h2", "http/1.1")}

    client_options = server_options

    def check(self, ends: Sequence[End], order: Order) -> None:
        expect(ends[0].connection.agreed.alpn == "http/1.1", "http/1.1 is agreed")


class ServerName(Feature):
    """Two certificates on one port; the client asks for the one that is not the default."""

    name = "sni"
    title = "SNI"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["other_identity"] = authority.other
        order["server_name"] = "other.test"

    def check(self, ends: Sequence[End], order: Order) -> None:
        expect(ends[0].connection.agreed.server_name == "other.test", "the client asked for other.test")

    def check_server(self, ends: Sequence[End], order: Order) -> None:
        super().check_server(ends, order)
        expect(order.other_identity, "there is another identity")
        own = ends[0].connection.agreed.own_chain[0]
        expect(order.other_identity and own == order.other_identity.der, "we showed the certificate of other.test")


class ClientCertificate(Feature):
    """The server insists on a certificate of the client's, and checks it."""

    name = "client-certificate"
    title = "client certificate"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["client_identity"] = authority.client

    def server_options(self, order: Order) -> dict[str, Any]:
        expect(order.client_identity, "there is a client identity")
        der = order.client_identity.der if order.client_identity else b""
        return {"client_verifier": Pinned(der), "require_client_certificate": True}

    def client_options(self, order: Order) -> dict[str, Any]:
        return {"credentials": (order.client_identity.credential,) if order.client_identity else ()}

    def check_server(self, ends: Sequence[End], order: Order) -> None:
        chain = ends[0].connection.agreed.peer_chain
        expect(order.client_identity and chain[:1] == (order.client_identity.der,), "the client showed its certificate")

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        chain = ends[0].connection.agreed.own_chain
        expect(order.client_identity and chain[:1] == (order.client_identity.der,), "we showed our certificate")


class Resumption(Feature):
    """The second connection goes on from the first."""

    name = "resumption"
    title = "resumption"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["connections"] = 2

    def server_options(self, order: Order) -> dict[str, Any]:
        return {"session_store": MemorySessionStore()}  # for clients of TLS 1.2 that want no tickets

    def visit(self, end: End, order: Order, right: RightReply) -> None:
        super().visit(end, order, right)
        expect(end.sessions or end.connection.agreed.resumed, "the server gave us a session")

    def check(self, ends: Sequence[End], order: Order) -> None:
        resumed = [end.connection.agreed.resumed for end in ends]
        expect(resumed == [False, True], f"the second connection alone is resumed (it was: {resumed})")


class EarlyData(Resumption):
    """The request of the second connection goes with the ClientHello."""

    name = "0-rtt"
    title = "0-RTT"
    tls12 = False

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        super().order(order, authority, role, abilities)
        order["early_data"] = True
        order["request"] = make_request(8_000)  # within everybody's max_early_data_size

    def server_options(self, order: Order) -> dict[str, Any]:
        return super().server_options(order) | {"max_early_data": 16384, "replay_guard": MemoryReplayGuard()}

    def visit(self, end: End, order: Order, right: RightReply) -> None:
        if not end.early_sent:
            super().visit(end, order, right)
            return
        end.handshake()
        expect(end.connection.agreed.early_data_accepted, "the server took our 0-RTT data")
        if order.early_data_unanswered:
            end.send(order.request)
        end.pump_until(lambda: right(bytes(end.data)))
        end.finish()

    def check_server(self, ends: Sequence[End], order: Order) -> None:
        super().check_server(ends, order)
        early = [end.early for end in ends]
        expect(early == [0, len(order.request)], f"the second request came whole as 0-RTT data (it was: {early})")

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        super().check_client(ends, order)
        expect(ends[1].early_sent == len(order.request), "we sent the second request as 0-RTT data")


class OurKeyUpdate(Feature):
    """Half-way we change our keys and ask the peer to change its own."""

    name = "key-update"
    title = "KeyUpdate by us"
    tls12 = False

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["rounds"] = 2 if abilities.takes_turns else 1

    def answer(self, end: End, order: Order) -> None:
        end.handshake()
        wanted = 0
        for request, reply in order.turns:
            wanted += len(request)
            end.read(wanted)
            self._between(end)
            end.send(reply)
        end.finish(order.client_ends_first)

    def visit(self, end: End, order: Order, right: RightReply) -> None:
        end.handshake()
        if order.rounds == 1:
            half = len(order.request) // 2
            end.send(order.request[:half])
            self._between(end)
            end.send(order.request[half:])
        wanted = 0
        for request, reply in order.turns if order.rounds > 1 else ():
            end.send(request)
            wanted += len(reply)
            self._between(end)
            end.read(wanted)
        end.pump_until(lambda: right(bytes(end.data)))
        end.finish()

    def _between(self, end: End) -> None:
        if not end.updated_keys:
            end.update_keys()

    def check(self, ends: Sequence[End], order: Order) -> None:
        expect(ends[0].key_updates_received == 1, "the peer answered our KeyUpdate with its own")


class PeersKeyUpdate(OurKeyUpdate):
    """Half-way the peer changes its keys and asks us to change ours."""

    name = "peer-key-update"
    title = "KeyUpdate by the peer"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["rounds"] = 2
        order["update_keys"] = True
        if abilities.updates_after and role is Side.CLIENT:
            order["request"] = make_request(2 * abilities.updates_after)
        elif abilities.updates_after:
            order["reply"] = make_reply(2 * abilities.updates_after)

    def _between(self, end: End) -> None:
        """Nothing: it is the peer's turn to do something."""

    def check(self, ends: Sequence[End], order: Order) -> None:
        received, sent = ends[0].key_updates_received, ends[0].key_updates_sent
        expect(received >= 1, "the peer changed its keys")
        expect(1 <= sent <= received, f"we answered with ours, once for all that came together ({received}, {sent})")


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(),
        Bulk(),
        HelloRetry(),
        Alpn(),
        ServerName(),
        ClientCertificate(),
        Resumption(),
        EarlyData(),
        OurKeyUpdate(),
        PeersKeyUpdate(),
    )
}

"""What lasts longer than a handshake: resumption, 0-RTT data, new keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glasslock.registry import HandshakeType, Side
from glasslock.tls import MemoryReplayGuard
from glasslock.tls.session import MemorySessionStore

from ..credentials import Authority
from ..ends import End
from ..order import Order, make_reply, make_request
from ..peer import Abilities
from .base import Feature, RightReply, expect


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
        expect(ends[0].count_received(HandshakeType.KEY_UPDATE) == 1, "the peer answered our KeyUpdate with its own")


class PeersKeyUpdate(OurKeyUpdate):
    """Half-way the peer changes its keys and asks us to change ours."""

    name = "peer-key-update"
    title = "KeyUpdate by the peer"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["rounds"] = 3 if abilities.updates_after else 2  # by volume it comes after a round, not within
        order["update_keys"] = True
        if abilities.updates_after and role is Side.CLIENT:
            order["request"] = make_request(4 * abilities.updates_after)
        elif abilities.updates_after:
            order["reply"] = make_reply(4 * abilities.updates_after)

    def _between(self, end: End) -> None:
        """Nothing: it is the peer's turn to do something."""

    def check(self, ends: Sequence[End], order: Order) -> None:
        received, sent = (count(HandshakeType.KEY_UPDATE) for count in (ends[0].count_received, ends[0].count_sent))
        expect(received >= 1, "the peer changed its keys")
        expect(1 <= sent <= received, f"we answered with ours, once for all that came together ({received}, {sent})")

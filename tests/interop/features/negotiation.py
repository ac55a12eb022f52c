"""What the two sides agree on: groups, protocols, names, sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glasslock.registry import NamedGroup, ProtocolVersion, Side
from glasslock.tls.config import DEFAULT_GROUPS, DEFAULT_SUITES_12, DEFAULT_SUITES_13

from ..credentials import Authority
from ..ends import End
from ..order import Order, make_reply, make_request
from ..peer import Abilities
from .base import Feature, expect


class Bulk(Feature):
    """A few megabytes each way: many records under one key."""

    name = "bulk"
    title = "3 MiB"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["reply"] = make_reply(3 << 20)
        if abilities.echoes:
            order["request"] = make_request(3 << 20)


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


class Defaults(Feature):
    """Our side as it is without any settings; only the peer is held to one version, suite and group."""

    name = "defaults"
    title = "our defaults"

    def server_options(self, order: Order) -> dict[str, Any]:
        return {
            "versions": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2),
            "cipher_suites": DEFAULT_SUITES_13 + DEFAULT_SUITES_12,
            "groups": DEFAULT_GROUPS,
        }

    client_options = server_options


class RecordSizeLimit(Feature):
    """We take records of at most 1024 bytes, the peer keeps to it (RFC 8449)."""

    name = "record-size-limit"
    title = "record size limit"
    _LIMIT = 1024

    def server_options(self, order: Order) -> dict[str, Any]:
        return {"record_size_limit": self._LIMIT}

    client_options = server_options

    def check(self, ends: Sequence[End], order: Order) -> None:
        expect(ends[0].connection.agreed.peer_record_size_limit, "the peer has a limit too")
        overhead = 5 + 8 + 16  # header, explicit nonce of TLS 1.2, tag
        longest = ends[0].longest_record
        expect(longest <= self._LIMIT + overhead, f"no record is longer than our limit (one had {longest} bytes)")

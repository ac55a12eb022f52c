"""What a cell tries: the base of all features.

A feature shapes the peer's order and our config, may change the conversation, and says at the end what must
have happened. Which peer can do what is in the peers' modules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from glasslock.registry import ProtocolVersion, Side

from ..credentials import Authority
from ..ends import End
from ..order import Order
from ..peer import Abilities

END_OF_REQUEST = b"\r\n\r\n"
RightReply = Callable[[bytes], bool]


class CellFailed(Exception):
    """Something that a cell demands did not happen."""


def expect(condition: object, demand: str) -> None:
    """Raises CellFailed unless the condition holds."""
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

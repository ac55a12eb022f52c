"""A client and a server that know one another well enough for early data."""

from __future__ import annotations

from typing import Any

from glasslock.registry import Side
from glasslock.tls import ClientConfig, Data, EarlyDataRefused, MemoryReplayGuard, ServerConfig, Session, TicketKeys

from .pair import Clock, Pair, client_config, pair, server_config


class World:
    """A client and a server with one clock, and a ticket that allows early data."""

    def __init__(self, max_early_data: int = 1000, **settings: Any) -> None:
        self.clock = Clock()
        self.guard = MemoryReplayGuard(clock=self.clock)
        self.settings: dict[str, Any] = {
            "clock": self.clock,
            "ticket_keys": TicketKeys(bytes(32), clock=self.clock),
            "max_early_data": max_early_data,
            "replay_guard": self.guard,
        } | settings
        self.session = self.first_session()

    def client(self, **changes: Any) -> ClientConfig:
        return client_config(**{"clock": self.clock} | changes)

    def server(self, **changes: Any) -> ServerConfig:
        return server_config(**self.settings | changes)

    def first_session(self, **changes: Any) -> Session:
        return pair(self.client(**changes), self.server()).done().tickets()[0]

    def again(self, client: ClientConfig | None = None, server: ServerConfig | None = None) -> Pair:
        """A resumption with early data, not yet run."""
        return pair(client or self.client(), server or self.server(), session=self.session, early_data=True)


def early(connected: Pair) -> bytes:
    return b"".join(e.data for e in connected.events[Side.SERVER] if isinstance(e, Data) and e.early)


def assert_taken(connected: Pair, data: bytes) -> None:
    assert early(connected) == data
    assert connected.client.agreed.early_data_accepted
    assert connected.server.agreed.early_data_accepted
    assert EarlyDataRefused() not in connected.events[Side.CLIENT]
    connected.talk()


def assert_not_taken(connected: Pair) -> None:
    """Refused, and the connection goes on without it."""
    assert early(connected) == b""
    assert not connected.client.agreed.early_data_accepted
    assert not connected.server.agreed.early_data_accepted
    assert connected.events[Side.CLIENT].count(EarlyDataRefused()) == 1
    assert connected.client.early_data_room == 0
    connected.talk()

"""A client and a server in memory: what one sends the other receives, nothing in between."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from glasslock.errors import PeerAlert, TLSError
from glasslock.registry import AlertDescription, Side
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    Connection,
    DangerousAcceptAnyCertificate,
    Data,
    Event,
    HandshakeDone,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
)

from .minted import credential

TLS_1_3 = 0x0304
X25519 = 0x001D  # quick to generate, so the group of every test that is not about groups
CURVES = (0x0017, 0x0018, 0x0019)  # that the certificates' keys are on, which TLS 1.2 has to hear (RFC 8422)


class Clock:
    """Time that stands still until it is moved; seconds."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def seeded(seed: int) -> Callable[[int], bytes]:
    """`random` for a config: the same bytes in every run."""
    return random.Random(seed).randbytes


def client_config(**changes: Any) -> ClientConfig:
    settings: dict[str, Any] = {
        "versions": (TLS_1_3,),
        "verifier": DangerousAcceptAnyCertificate(),
        "clock": Clock(),
        "random": seeded(1),
        "compress_certificates_above": 0,
    } | changes
    settings.setdefault("groups", (X25519,) if settings["versions"] == (TLS_1_3,) else (X25519, *CURVES))
    return ClientConfig(**settings)


def server_config(**changes: Any) -> ServerConfig:
    settings: dict[str, Any] = {
        "versions": (TLS_1_3,),
        "groups": (X25519,),
        "clock": Clock(),
        "random": seeded(2),
        "compress_certificates_above": 0,
    }
    if "choose_credential" not in changes:
        settings["credentials"] = (credential(),)
    return ServerConfig(**settings | changes)


class Pair:
    """Both ends of one connection, with the events and the errors of each."""

    def __init__(self, client: ClientConnection, server: ServerConnection) -> None:
        self.client = client
        self.server = server
        self.events: dict[Side, list[Event]] = {Side.CLIENT: [], Side.SERVER: []}
        self.errors: dict[Side, TLSError] = {}
        self.wire: dict[Side, list[bytes]] = {Side.CLIENT: [], Side.SERVER: []}  # what each side sent

    def side(self, side: Side) -> Connection:
        return self.client if side is Side.CLIENT else self.server

    def deliver(self, to: Side, data: bytes) -> None:
        """Gives bytes to one side; what it raises is kept in `errors`."""
        connection = self.side(to)
        if to in self.errors:
            return
        try:
            self.events[to] += connection.receive_data(data)
        except TLSError as error:
            self.events[to] += connection.take_events()
            self.errors[to] = error

    def carry(self, sender: Side) -> bool:
        """Carries what one side has to say to the other; whether there was anything."""
        data = self.side(sender).data_to_send()
        if data:
            self.wire[sender].append(data)
            self.deliver(sender.peer, data)
        return bool(data)

    def run(self) -> Pair:
        """Carries bytes both ways until both sides are silent."""
        for _ in range(100):
            moved = [self.carry(Side.CLIENT), self.carry(Side.SERVER)]
            if not any(moved):
                return self
        raise AssertionError("the two sides never stop talking")

    def done(self) -> Pair:
        """Runs a handshake that must succeed."""
        self.run()
        assert self.errors == {}
        assert self.client.handshake_done
        assert self.server.handshake_done
        for side in Side:
            assert self.events[side].count(HandshakeDone()) == 1
        return self

    def received(self, side: Side) -> bytes:
        """All application data that a side has received."""
        return b"".join(event.data for event in self.events[side] if isinstance(event, Data))

    def tickets(self) -> list[Session]:
        return [event.session for event in self.events[Side.CLIENT] if isinstance(event, TicketReceived)]

    def talk(self) -> Pair:
        """Data in both directions, which shows that both sides have the same keys."""
        before = {side: self.received(side) for side in Side}
        self.client.send_data(b"a question")
        self.server.send_data(b"an answer")
        self.run()
        assert self.errors == {}
        assert self.received(Side.SERVER) == before[Side.SERVER] + b"a question"
        assert self.received(Side.CLIENT) == before[Side.CLIENT] + b"an answer"
        return self


def pair(
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    *,
    name: str | None = "localhost",
    session: Session | None = None,
    early_data: bool = False,
    ech_configs: bytes = b"",
) -> Pair:
    """A fresh pair that has not spoken yet."""
    return Pair(
        ClientConnection(
            client or client_config(), name, session=session, early_data=early_data, ech_configs=ech_configs
        ),
        ServerConnection(server or server_config()),
    )


def assert_refused(
    pair: Pair, by: Side, alert: AlertDescription | None, code: str | None = None, *, told: bool = True
) -> TLSError:
    """One side refused, with this alert, and (if `told`) the other side heard of it."""
    error = pair.errors.get(by)
    assert error is not None, f"{by.name} refused nothing; errors: {pair.errors}"
    assert not isinstance(error, PeerAlert), f"it was the other side that refused: {pair.errors}"
    assert error.alert == alert, f"{error.alert!r} {error.code}: {error}"
    if code is not None:
        assert error.code == code, f"{error.code}: {error}"
    assert error.message
    if told:
        heard = pair.errors.get(by.peer)
        assert isinstance(heard, PeerAlert), f"the other side did not hear of it: {heard!r}"
        assert heard.description == alert
    assert pair.side(by).failure is error
    return error

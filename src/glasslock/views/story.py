"""One connection's trace, ready to be asked questions: what every view needs to know before it can draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from glasslock.registry import AlertDescription, Side
from glasslock.trace import (
    AlertReceived,
    BodyReceived,
    CertificatesReceived,
    ConnectAttempted,
    ConnectionClosed,
    Decided,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    KeyExchanged,
    MessageReceived,
    MessageSent,
    NameResolved,
    Outcome,
    PathTried,
    TcpConnected,
    TraceRecord,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

R = TypeVar("R", bound=TraceRecord)

# Alerts that end a connection in good order.
_PEACEFUL = frozenset({AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED})


@dataclass(frozen=True, slots=True)
class Timing:
    """How many seconds one part of the connection took; None if it did not happen."""

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Story:
    """The records of one connection, as one side saw it."""

    records: tuple[TraceRecord, ...]

    def all(self, kind: type[R]) -> list[R]:
        return [record for record in self.records if isinstance(record, kind)]

    def first(self, kind: type[R]) -> R | None:
        return next(iter(self.all(kind)), None)

    def last(self, kind: type[R]) -> R | None:
        found = self.all(kind)
        return found[-1] if found else None

    @property
    def side(self) -> Side:
        return self.records[0].side if self.records else Side.CLIENT

    @property
    def started(self) -> float:
        """When the first thing happened, in seconds since the Unix epoch."""
        return self.records[0].time if self.records else 0.0

    @property
    def host(self) -> str:
        """The name that was asked for, as far as the trace tells."""
        resolved, done = self.first(NameResolved), self.first(HandshakeCompleted)
        attempt = self.first(ConnectAttempted)
        if done is not None and done.server_name:
            return done.server_name
        if resolved is not None:
            return resolved.host
        return attempt.address if attempt is not None else "the server"

    @property
    def url(self) -> str:
        """What was visited: the URL if there was a request, else host and port."""
        request = self.first(HttpRequest)
        if request is not None:
            return request.url
        port = self.port
        return self.host if port in (None, 443) else f"{self.host}:{port}"

    @property
    def port(self) -> int | None:
        connected, attempt = self.first(TcpConnected), self.first(ConnectAttempted)
        if connected is not None:
            return (connected.remote if self.side is Side.CLIENT else connected.local)[1]
        return attempt.port if attempt is not None else None

    @property
    def chain(self) -> tuple[bytes, ...]:
        """The path that was accepted, else the longest tried, else what was received; leaf first, DER."""
        paths = self.all(PathTried)
        accepted = [path.path for path in paths if not path.problem]
        received = self.last(CertificatesReceived)
        if accepted:
            return accepted[-1]
        if paths:
            return max((path.path for path in paths), key=len)
        return received.chain if received is not None else ()

    def decision(self, what: str) -> Decided | None:
        """The last decision about `what`."""
        return next((d for d in reversed(self.all(Decided)) if d.what == what), None)

    @property
    def key_exchange(self) -> KeyExchanged | None:
        return self.last(KeyExchanged)

    @property
    def fatal_alert(self) -> AlertReceived | None:
        return next((a for a in self.all(AlertReceived) if a.description not in _PEACEFUL), None)

    @property
    def messages(self) -> list[MessageSent | MessageReceived]:
        return [r for r in self.records if isinstance(r, MessageSent | MessageReceived)]

    @property
    def client_hello(self) -> bytes | None:
        """The last ClientHello, raw: after a retry, the second."""
        hellos = [m.raw for m in self.messages if m.raw[:1] == b"\x01"]
        return hellos[-1] if hellos else None

    @property
    def is_unreached(self) -> bool:
        """Whether step 1 was tried and failed."""
        attempts = self.all(ConnectAttempted)
        resolved = self.last(NameResolved)
        failed = bool(attempts) and all(a.outcome is not Outcome.PASSED for a in attempts)
        return self.first(TcpConnected) is None and (failed or (resolved is not None and bool(resolved.error)))

    @property
    def closed_badly(self) -> ConnectionClosed | None:
        closed = self.last(ConnectionClosed)
        return closed if closed is not None and not closed.clean else None

    def timings(self) -> tuple[Timing, ...]:
        """The parts of a visit, in order: resolve, TCP, TLS, server, transfer."""
        resolved, connected = self.last(NameResolved), self.last(TcpConnected)
        response, body = self.first(HttpResponse), self.first(BodyReceived)
        return (
            Timing("resolve", resolved.seconds if resolved is not None else None),
            Timing("TCP", connected.seconds if connected is not None else None),
            Timing("TLS", self._handshake_seconds()),
            Timing("server", response.seconds if response is not None else None),
            Timing("transfer", body.seconds if body is not None else None),
        )

    def _handshake_seconds(self) -> float | None:
        done = self.first(HandshakeCompleted)
        begun = next(iter(self.messages), None)
        if done is None or begun is None:
            return None
        return max(0.0, done.time - begun.time)


def stories(records: Sequence[TraceRecord]) -> list[Story]:
    """Cut a trace into its connections, each as one side saw it, the client's first.

    A new connection begins where a name is resolved or a TCP connection comes up and there was one already.
    """
    found: list[Story] = []
    for side in Side:
        current: list[TraceRecord] = []
        for record in records:
            if record.side != side:
                continue
            if _begins_anew(current, record):
                found.append(Story(tuple(current)))
                current = []
            current.append(record)
        if current:
            found.append(Story(tuple(current)))
    return found


def _begins_anew(current: Sequence[TraceRecord], record: TraceRecord) -> bool:
    if isinstance(record, NameResolved):
        return any(isinstance(r, NameResolved | TcpConnected) for r in current)
    return isinstance(record, TcpConnected) and any(isinstance(r, TcpConnected) for r in current)

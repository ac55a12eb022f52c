"""What a connection reports to its user: few, small, in order."""

from __future__ import annotations

from dataclasses import dataclass, field

from .session import Session


@dataclass(slots=True)  # none is frozen: that would double what a small record costs beside its decryption
class Event:
    """Anything that `receive_data` returns."""


class HandshakeDone(Event):
    """Keys are agreed and the peer is who it should be: application data may flow both ways."""

    __slots__ = ()


@dataclass(slots=True)
class Data(Event):
    """Application bytes from the peer. `early` is 0-RTT data, which may be a replay (RFC 9846 section 8)."""

    data: bytes
    early: bool = False


@dataclass(slots=True)
class TicketReceived(Event):
    """The server gave us what a later connection needs to resume; keep it to offer it."""

    session: Session = field(repr=False)


class EarlyDataRefused(Event):
    """The server did not take our 0-RTT data: what was sent so has to be sent again, if that is wanted."""

    __slots__ = ()


class ClientAuthenticated(Event):
    """A client answered a request for its certificate after the handshake."""

    __slots__ = ()


class CertificateDeclined(Event):
    """A client answered a request for its certificate after the handshake with none."""

    __slots__ = ()


class PeerClosed(Event):
    """The peer sent close_notify: no more data will come, and none is missing."""

    __slots__ = ()


@dataclass(slots=True)
class Undecided(Event):
    """The connection waits for an answer to `question`; give it with `Connection.answer`."""

    question: object

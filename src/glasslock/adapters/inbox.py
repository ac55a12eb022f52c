"""What a connection reports, sorted: data to be read, the newest session."""

from __future__ import annotations

from collections import deque

from ..errors import ConfigurationError, NegotiationFailed
from ..registry import AlertDescription
from ..tls import CertificateDeclined, Connection, Data, Event, Session, TicketReceived, Undecided


class Inbox:
    """Decrypted bytes in order, in pieces as they came.

    `require_certificate`: a client that is asked after the handshake must show one.
    """

    def __init__(self, connection: Connection, *, require_certificate: bool = False) -> None:
        self.session: Session | None = None  # the newest ticket
        self._connection = connection
        self._require_certificate = require_certificate
        self._chunks: deque[memoryview] = deque()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be read."""
        return not self._chunks

    @property
    def pending(self) -> int:
        """Bytes that can be read at once."""
        return sum(len(chunk) for chunk in self._chunks)

    def add(self, data: bytes) -> None:
        """Decrypted bytes, to be read after those that are there."""
        if data:
            self._chunks.append(memoryview(data))

    def take(self, limit: int) -> list[memoryview]:
        """What is there, at most `limit` bytes."""
        chunks = []
        while self._chunks and limit:
            chunk = self._chunks.popleft()
            if len(chunk) > limit:
                self._chunks.appendleft(chunk[limit:])
                chunk = chunk[:limit]
            limit -= len(chunk)
            chunks.append(chunk)
        return chunks

    def sort(self, events: list[Event]) -> None:
        """Takes in what the connection reported."""
        for event in events:
            if isinstance(event, Data):
                self.add(event.data)
            elif isinstance(event, TicketReceived):
                self.session = event.session
            elif isinstance(event, CertificateDeclined) and self._require_certificate:
                self._connection.abort(
                    NegotiationFailed(
                        AlertDescription.CERTIFICATE_REQUIRED,
                        "certificate-required",
                        "the client sent no certificate, and this server requires one",
                        "RFC 9846 section 4.7.2",
                    )
                )
            elif isinstance(event, Undecided):
                raise ConfigurationError("this adapter has nobody to put a deferred question to")

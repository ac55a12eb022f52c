"""Our side of a cell: the engine on a blocking socket, with the smallest pump that can be written."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from glasslock.errors import ConnectionTruncated
from glasslock.registry import HandshakeType
from glasslock.tls import (
    ClientAuthenticated,
    Connection,
    Data,
    EarlyDataRefused,
    PeerClosed,
    ServerConnection,
    Session,
    TicketReceived,
)
from glasslock.trace import MessageReceived, MessageSent, RecordReceived, TraceRecord

from .order import PATIENCE


class End:
    """One connection of ours: says what it received, and how it ended.

    `trace` is the list into which the connection's config observes.
    """

    def __init__(self, connection: Connection, sock: socket.socket, trace: list[TraceRecord]) -> None:
        self.connection = connection
        self._trace = trace
        self._trace_start = len(trace)
        self.data = bytearray()
        self.early = 0  # bytes of `data` that came as 0-RTT data
        self.early_sent = 0  # bytes of ours that went as 0-RTT data
        self.early_refused = False
        self.sessions: list[Session] = []
        self.client_authenticated = False
        self.updated_keys = False
        self.closed: str | None = None  # how the peer ended: "close_notify" or "cut"
        self._sock = sock
        self._deadline = time.monotonic() + PATIENCE

    def __enter__(self) -> End:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def handshake(self) -> None:
        self.pump_until(lambda: self.connection.handshake_done)

    def send(self, data: bytes) -> None:
        self.connection.send_data(data)
        self.flush()

    def update_keys(self) -> None:
        """New keys for us, and the peer's answer asked for."""
        self.connection.update_keys(request_peer=True)
        self.updated_keys = True
        self.flush()

    def request_client_certificate(self) -> None:
        """Asks the client who it is, after the handshake."""
        if not isinstance(self.connection, ServerConnection):
            raise TypeError("only a server asks")
        self.connection.request_client_certificate()
        self.flush()

    def count_received(self, kind: HandshakeType) -> int:
        """How many messages of a kind the peer has sent."""
        return self._count(MessageReceived, kind)

    def count_sent(self, kind: HandshakeType) -> int:
        """How many messages of a kind we have sent."""
        return self._count(MessageSent, kind)

    def _count(self, record: type[MessageReceived | MessageSent], kind: HandshakeType) -> int:
        return sum(isinstance(r, record) and r.raw[0] == kind for r in self._trace[self._trace_start :])

    @property
    def longest_record(self) -> int:
        """The size in bytes, header included, of the longest protected record that the peer has sent."""
        records = (r for r in self._trace[self._trace_start :] if isinstance(r, RecordReceived) and r.protected)
        return max((len(record.raw) for record in records), default=0)

    def pump_until(self, condition: Callable[[], object]) -> None:
        """Takes bytes from the peer until the condition holds or the peer has ended the connection."""
        self.flush()
        while not condition() and self.closed is None:
            self._step()

    def read(self, size: int) -> None:
        """Takes bytes until so much data has come in all."""
        self.pump_until(lambda: len(self.data) >= size)

    def read_to_end(self) -> None:
        """Takes bytes until the peer has ended the connection."""
        self.pump_until(lambda: False)

    def finish(self, peer_first: bool = False) -> None:
        """Says close_notify, before or after the peer does, and waits for how the peer ends."""
        if peer_first:
            self.read_to_end()
        self.connection.close()
        self.flush()
        self.read_to_end()

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            self._sock.settimeout(self._remaining())
            # A peer that is gone may have said more before: reading tells.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._sock.sendall(data)

    def _remaining(self) -> float:
        remaining: float = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"nothing more from the peer within {PATIENCE:g} seconds")
        return remaining

    def _step(self) -> None:
        self._sock.settimeout(self._remaining())
        try:
            received = self._sock.recv(65536)
        except ConnectionResetError:
            received = b""
        if not received:
            try:
                self.connection.receive_eof()
            except ConnectionTruncated:
                if not self.connection.handshake_done:
                    raise
            self.closed = "cut"
            return
        try:
            for event in self.connection.receive_data(received):
                self._take(event)
        finally:
            self.flush()  # what is to be answered, or the alert that says why not

    def _take(self, event: object) -> None:
        match event:
            case Data(data=data, early=early):
                self.data += data
                self.early += len(data) if early else 0
            case TicketReceived(session=session):
                self.sessions.append(session)
            case PeerClosed():
                self.closed = "close_notify"
            case EarlyDataRefused():
                self.early_refused = True
            case ClientAuthenticated():
                self.client_authenticated = True

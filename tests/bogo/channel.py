"""A glasslock connection over the runner's TCP connection, in the manner of a blocking socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

from glasslock.errors import ConnectionTruncated, TLSError
from glasslock.tls import (
    ClientConnection,
    Data,
    EarlyDataRefused,
    Event,
    PeerClosed,
    ServerConnection,
    Session,
    TicketReceived,
    Undecided,
)

_HEADER = 5  # bytes of a record's type, version and length
_TIMEOUT = 60.0  # seconds without a byte; the runner itself gives up earlier


class EarlyDataRejected(Exception):
    """The server did not take our 0-RTT data: the exchange has to start again, on the same connection."""


def connect(port: int, ipv6: bool, shim_id: int) -> socket.socket:
    """A TCP connection to the runner, which knows us by the 8 bytes that come first."""
    sock = socket.create_connection(("::1" if ipv6 else "127.0.0.1", port), _TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(shim_id.to_bytes(8, "little"))
    return sock


class Channel:
    """Reads and writes one connection.

    The engine is fed one record at a time, or with `bytewise` one byte: what a record brings is dealt with before
    the next one is looked at, and no record boundary is taken for granted.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: ClientConnection | ServerConnection,
        answer: Callable[[Undecided], object],
        *,
        bytewise: bool,
    ) -> None:
        self.connection = connection
        self.session: Session | None = None  # the newest ticket
        self.ended = False  # nothing more will come
        self.closed_cleanly = False
        self._answer = answer
        self._sock = sock
        self._bytewise = bytewise
        self._received = b""  # from the wire, not yet fed
        self._wanted = 0  # bytes to the end of the record that is being fed
        self._header = b""
        self._data = bytearray()  # decrypted, not yet read
        self._held_back: bytes | None = None  # what `flush` must not send yet

    # --- what the shim does with it

    @property
    def in_early_data(self) -> bool:
        """Before the handshake is done, but with keys for application data."""
        connection = self.connection
        if connection.handshake_done:
            return False
        if isinstance(connection, ServerConnection):
            return connection.agreed.early_data_accepted and connection.can_send
        return connection.early_data_room > 0

    def handshake(self) -> None:
        """Until data can be sent: 0-RTT data, if there is an offer of it, else once the handshake is done."""
        self.flush()
        while not self.connection.handshake_done and not self.in_early_data:
            self.advance()

    def finish_handshake(self) -> None:
        while not self.connection.handshake_done:
            self.advance()

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes of application data; none at the end, clean or not."""
        while not self._data and not self.ended:
            self.advance()
        data = bytes(self._data[:limit])
        del self._data[:limit]
        return data

    def write(self, data: bytes) -> None:
        connection = self.connection
        if isinstance(connection, ClientConnection) and not connection.handshake_done:
            data = data[connection.send_early_data(data) :]
            self.flush()
            if not data:
                return
            self.finish_handshake()
        connection.send_data(data)
        self.flush()

    def shut_down(self) -> None:
        """close_notify from us, if not said yet."""
        self.connection.close()
        self.flush()

    def wait_for_close(self) -> bool:
        """Reads to the end, which must be the peer's close_notify; False for data instead or no close_notify."""
        while not self.ended:
            self.advance()
            if self._data:
                return False
        return self.closed_cleanly

    # --- the wire

    def advance(self) -> None:
        """Takes the next piece from the wire and acts on what it means."""
        chunk = self._next_chunk()
        try:
            events = self.connection.receive_data(chunk) if chunk else self._end()
        except TLSError:
            with suppress(EarlyDataRejected):  # what made the connection fail matters more
                self._take(self.connection.take_events())
            raise
        self._take(events)
        self.flush()

    def _take(self, events: list[Event]) -> None:
        rejected = False
        for event in events:
            if isinstance(event, Data):
                self._data += event.data
            elif isinstance(event, TicketReceived):
                self.session = event.session
            elif isinstance(event, PeerClosed):
                self.ended = self.closed_cleanly = True
            elif isinstance(event, EarlyDataRefused):
                rejected = True
            elif isinstance(event, Undecided):
                self.flush()
                self._take(self.connection.answer(self._answer(event)))
        if rejected:
            raise EarlyDataRejected

    def _end(self) -> list[Event]:
        """The runner closed the TCP connection: the end of the data, but of the handshake it is a failure."""
        self.ended = True
        try:
            self.connection.receive_eof()
        except ConnectionTruncated:
            if not self.connection.handshake_done:
                raise
        return []

    def _next_chunk(self) -> bytes:
        if not self._received:
            self._received = self._sock.recv(1 << 17)
        if self._bytewise:
            chunk, self._received = self._received[:1], self._received[1:]
            return chunk
        if not self._wanted and len(self._header) < _HEADER:
            taken = self._received[: _HEADER - len(self._header)]
            self._header += taken
            self._received = self._received[len(taken) :]
            if len(self._header) == _HEADER:
                self._wanted = int.from_bytes(self._header[3:], "big")
                self._header = b""
            return taken
        chunk, self._received = self._received[: self._wanted], self._received[self._wanted :]
        self._wanted -= len(chunk)
        return chunk

    def hold_back(self, data: bytes) -> None:
        """Starts to send `data`: one byte of it goes out, the rest has to wait for `release`."""
        if isinstance(self.connection, ClientConnection) and not self.connection.handshake_done:
            self.connection.send_early_data(data)
        else:
            self.connection.send_data(data)
        waiting = self.connection.data_to_send()
        self._sock.sendall(waiting[:1])
        self._held_back = waiting[1:]

    def release(self) -> None:
        if self._held_back is not None:
            waiting, self._held_back = self._held_back, None
            self._sock.sendall(waiting)

    def flush(self) -> None:
        """Sends what is due; what the protocol has to say itself does not wait for an unfinished write."""
        waiting = self.connection.data_to_send()
        if waiting:
            held_back, self._held_back = self._held_back or b"", None
            self._sock.sendall(held_back + waiting)

    def hang_up(self) -> None:
        """Half-closes and drains: a reset would take the alert away from the runner before it is read."""
        try:
            self.release()
            self.flush()
            self._sock.shutdown(socket.SHUT_WR)
            while self._sock.recv(1 << 16):
                pass
        except OSError:
            pass  # the runner was faster
        self._sock.close()

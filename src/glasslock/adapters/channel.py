"""One TLS connection over something that carries bytes: what all doors of this package share.

The engine is sans-IO; a `Channel` moves its bytes over a `Transport` and keeps order when threads meet:

    reader  one thread at a time takes bytes off the wire; it may block there
    writer  one thread at a time has data to send, and sees it through
    wire    one thread at a time puts bytes on the wire, in the order in which the engine made them
    state   the engine itself; never held while anything blocks

So one thread can read while another writes. What the engine has to say on its own account (alerts, key
updates) goes out with whoever comes by: a reader never waits for a writer.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Protocol

from ..errors import ConfigurationError, TLSError
from ..tls import Connection, ServerConnection
from ..tls.protection import HEADER_LENGTH, OVERHEAD_13
from .buffers import Buffers
from .failures import forget_frames
from .inbox import Inbox
from .transports import AT_ONCE, BorrowedSocket, SocketTransport, time_is_up

RECORD = 1 << 14  # bytes of data that one record holds at most
WRITE_CHUNK = 8 * RECORD  # bytes that one write on a socket encrypts at most
WIRE_CHUNK = WRITE_CHUNK + 8 * OVERHEAD_13  # bytes of the records that they make
SMALL = 1 << 13  # bytes of a write up to which memory of its own costs less
_PATIENCE = 0.2  # seconds to look for what a peer said before it hung up
# Bytes taken off the wire at once, where reading ahead is allowed. They come as new memory, which is mapped page by
# page if it is more than 128 KiB.
READ_AHEAD = 7 * RECORD
_MAX_RECORD = (1 << 14) + 2048  # bytes of the longest body that either version allows
WIRE = Buffers(WIRE_CHUNK)  # for records, in either direction


class WantRead(BlockingIOError):
    """Nothing more can happen before bytes arrive."""


class WantWrite(BlockingIOError):
    """Nothing more can happen before the transport takes bytes."""


class Transport(Protocol):
    """What carries the bytes. `deadline` is a reading of `time.monotonic`, None if there is none."""

    def recv(self, limit: int, deadline: float | None) -> bytes:
        """At most `limit` bytes; b"" at the end of the stream. BlockingIOError if there is nothing now."""
        ...

    def send(self, data: memoryview, deadline: float | None) -> int:
        """How many of the bytes were taken, and copied: their memory is used again. BlockingIOError if none can be."""
        ...

    def timeout(self) -> float | None:
        """Seconds that one operation may take; None: as long as it needs, 0: it must not wait."""
        ...


class Channel:
    """A connection on its way over a transport. Errors are the engine's `TLSError` and the transport's own OSError.

    `record_by_record`: never take more off the wire than the record that is wanted, for users who ask the
    transport itself whether there is something to read. `whole_writes`: a write takes everything.
    `require_certificate`: a client that is asked after the handshake must show one.
    """

    def __init__(
        self,
        connection: Connection,
        transport: Transport,
        *,
        record_by_record: bool = False,
        whole_writes: bool = False,
        require_certificate: bool = False,
    ) -> None:
        self.connection = connection
        self.inbox = Inbox(connection, require_certificate=require_certificate)
        self._transport = transport
        self._record_by_record = record_by_record
        self._whole_writes = whole_writes
        self._reader = threading.Lock()
        self._writer = threading.Lock()
        self._wire = threading.Lock()
        self._state = threading.RLock()
        self._wire_out: bytearray | None = None  # records of a write, while it lasts
        self._partial = b""  # a record of which the rest is still under way
        self._unsent: deque[memoryview] = deque()
        self._closed = False
        self._committed = 0  # bytes of a write that is encrypted but not all on the wire

    @property
    def closed(self) -> bool:
        """Whether close_notify was said on our side."""
        return self._closed

    def handshake(self) -> None:
        """Agrees on keys, if that is not done yet."""
        deadline = self._deadline()
        with self._reader:
            self._handshake(deadline)

    def read(self, limit: int) -> bytes:
        """At least one byte and at most `limit`; b"" once the peer has said close_notify."""
        if limit <= 0:
            return b""
        deadline = self._deadline()
        with self._reader:
            data = self._next_data(deadline)
            if 0 < len(data) <= limit:
                return data
            self.inbox.add(data)
            return b"".join(self.inbox.take(limit))

    def read_into(self, buffer: memoryview) -> int:
        """The same into a writable buffer of bytes; returns how many. Much data is best read with 256 KiB of room."""
        if not buffer:
            return 0
        if len(buffer) > 2 * RECORD and isinstance(self._transport, SocketTransport):
            count = self._decrypt_into(buffer, self._transport)
            if count or self.inbox.empty:
                return count
        elif len(buffer) > 2 * RECORD and isinstance(self._transport, BorrowedSocket):
            count = self._decrypt_record_into(buffer, self._transport)
            if count or self.inbox.empty:
                return count
        deadline, count = self._deadline(), 0
        with self._reader:
            self.inbox.add(self._next_data(deadline))
            for chunk in self.inbox.take(len(buffer)):
                buffer[count : count + len(chunk)] = chunk
                count += len(chunk)
        return count

    def write(self, data: memoryview) -> int:
        """Sends bytes and returns how many; it may be fewer than given, unless writes are whole.

        If the transport does not take all of it (WantWrite, TimeoutError), what was encrypted stays committed:
        the next call must be for the same data, sends the rest and returns the length of the first try.
        """
        deadline = self._deadline()
        if not self.connection.handshake_done:
            with self._reader:
                self._handshake(deadline)
        with self._writer:
            if self._closed:
                raise TLSError(None, "protocol-is-shutdown", "nothing can be sent after close_notify")
            if not self._committed:
                self._committed = self._encrypt(data if self._whole_writes else data[:WRITE_CHUNK])
            elif self._committed > len(data):
                raise ConfigurationError("a write that was cut short must be repeated with the same data")
            self._send_unsent(deadline)
            taken, self._committed = self._committed, 0
            if taken == len(data) and self._wire_out is not None:
                WIRE.give_back(self._wire_out)
                self._wire_out = None
            return taken

    def shutdown(self) -> None:
        """Says close_notify, and waits for the peer's."""
        deadline = self._deadline()
        self.close()
        with self._reader:
            while self.connection.handshake_done and not self.connection.peer_closed:
                if self.inbox.pending:
                    raise TLSError(
                        None,
                        "application-data-after-close-notify",
                        "the peer still sends data: read until its close_notify before closing",
                        "RFC 9846 section 6.1",
                    )
                self._raise_failure()
                self._pull(deadline)
                self._flush_in_passing()

    def close(self) -> None:
        """Says close_notify, and does not wait."""
        self._closed = True
        with self._state:
            self.connection.close()
        self._flush(self._deadline())

    def abort(self, error: TLSError) -> None:
        """Ends the connection for a reason of the user's; whatever there is to say is said if it can be."""
        with self._state:
            self.connection.abort(error)
        self._say_why()

    def request_client_certificate(self) -> None:
        """Asks a client who it is, after the handshake."""
        if not isinstance(self.connection, ServerConnection):
            raise ConfigurationError("only a server asks for a client's certificate")
        with self._state:
            self.connection.request_client_certificate()
        self._flush(self._deadline())

    # --- in

    def _next_data(self, deadline: float | None) -> bytes:
        """Data that just came; none if there is some in the inbox, or after close_notify."""
        connection, inbox, data = self.connection, self.inbox, b""
        if not connection.handshake_done:
            self._handshake(deadline)
        while inbox.empty and not data and not connection.peer_closed:
            self._raise_failure()
            data = self._pull_data(deadline)
            self._flush_in_passing()
        return data

    def _decrypt_into(self, buffer: memoryview, transport: SocketTransport) -> int:
        """Decrypts what comes off the wire right into the user's buffer; 0 at the end, or if data came before."""
        deadline = self._deadline()
        with self._reader:
            self._handshake(deadline)
            while self.inbox.empty and not self.connection.peer_closed:
                self._raise_failure()
                if self._unsent:
                    self._flush_while_waiting(deadline)
                if transport.dry:
                    transport.wait_to_read(deadline)
                wire = WIRE.borrow()
                try:
                    received = transport.recv_into(memoryview(wire)[: len(buffer) - RECORD])
                except BlockingIOError:
                    WIRE.give_back(wire)
                    continue
                except OSError as problem:
                    self._tell_end(problem)
                    raise
                count = self._take_into(memoryview(wire)[:received], buffer)
                WIRE.give_back(wire)
                self._flush_in_passing()
                if count:
                    return count
        return 0

    def _decrypt_record_into(self, buffer: memoryview, transport: BorrowedSocket) -> int:
        """The same for one record, no more of which is taken off the wire than there is."""
        deadline, count = self._deadline(), 0
        with self._reader:
            self._handshake(deadline)
            while not count and self.inbox.empty and not self.connection.peer_closed:
                self._raise_failure()
                if self._receive_header(deadline):
                    count = self._take_record_into(buffer, transport, deadline)
                else:
                    self._take_into(memoryview(b""), buffer)
                self._flush_in_passing()
        return count

    def _take_record_into(self, buffer: memoryview, transport: BorrowedSocket, deadline: float | None) -> int:
        """The record whose header has come. Its memory is borrowed once more than the header is there."""
        wire = WIRE.borrow()
        record, have, end = memoryview(wire), len(self._partial), _end_of_record(self._partial)
        record[:have] = self._partial
        try:
            while have < end:
                received = self._receive_into(record[have:end], transport, deadline)
                if not received:
                    have = 0  # inside a record: it is the end
                    break
                have += received
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError
        except OSError:
            self._partial = bytes(record[:have])
            WIRE.give_back(wire)
            raise
        self._partial = b""
        count = self._take_into(record[:have], buffer)
        WIRE.give_back(wire)
        return count

    def _handshake(self, deadline: float | None) -> None:
        connection = self.connection
        if connection.handshake_done:
            return
        self._raise_failure()
        if self._closed:
            raise TLSError(None, "protocol-is-shutdown", "the connection was closed before its handshake was done")
        self._flush(deadline)
        while not connection.handshake_done:
            self._pull(deadline)
            self._raise_failure()
            self._flush(deadline)

    def _raise_failure(self) -> None:
        failure = self.connection.failure
        if failure is not None:
            raise failure

    def _pull(self, deadline: float | None) -> None:
        """Takes from the wire once; data goes to the inbox."""
        self.inbox.add(self._pull_data(deadline))

    def _pull_data(self, deadline: float | None) -> bytes:
        """Takes from the wire once, and hands it to the engine, which remembers what was wrong with it."""
        received = self._receive_record(deadline) if self._record_by_record else self._receive(READ_AHEAD, deadline)
        connection, data = self.connection, b""
        with self._state:
            try:
                if received:
                    data = connection.decrypt(received)
                else:
                    connection.receive_eof()
            except TLSError as error:  # it stays in `failure`
                forget_frames(error)
            self._sort_events()
            if data and not self.inbox.empty:  # early data, which came before it
                self.inbox.add(data)
                data = b""
        if connection.failure is not None:
            self._say_why()
        return data

    def _take_into(self, received: memoryview, buffer: memoryview) -> int:
        """The same for what was received already; data goes to `buffer`, and this is how much it was."""
        connection, count = self.connection, 0
        with self._state:
            try:
                if received:
                    count = connection.decrypt_into(received, buffer)
                else:
                    connection.receive_eof()
            except TLSError as error:
                forget_frames(error)
            self._sort_events()
        if connection.failure is not None:
            self._say_why()
        return count

    def _sort_events(self) -> None:
        events = self.connection.take_events()
        if events:
            self.inbox.sort(events)

    def hear_why(self) -> None:
        """A peer that takes no more may have said why before: looks at what is there."""
        deadline = time.monotonic() + _PATIENCE
        with self._reader, contextlib.suppress(OSError):
            while self.connection.failure is None and not self.connection.peer_closed:
                self._pull(deadline)

    def _receive(self, limit: int, deadline: float | None) -> bytes:
        try:
            if self._unsent:
                self._flush_while_waiting(deadline)
            return self._transport.recv(limit, deadline)
        except BlockingIOError:
            raise WantRead from None
        except OSError as problem:
            self._tell_end(problem)
            raise

    def _tell_end(self, problem: OSError) -> None:
        """If the transport broke, and not just our patience, the engine keeps that as the end of its story."""
        if not time_is_up(problem):
            with self._state, contextlib.suppress(TLSError):
                self.connection.receive_eof(f"{problem.strerror or problem}")

    def _receive_into(self, buffer: memoryview, transport: BorrowedSocket, deadline: float | None) -> int:
        try:
            if self._unsent:
                self._flush_while_waiting(deadline)
            return transport.recv_into(buffer)
        except BlockingIOError:
            raise WantRead from None
        except OSError as problem:
            self._tell_end(problem)
            raise

    def _receive_record(self, deadline: float | None) -> bytes:
        """One record: header, then body. What arrived before the transport ran dry is kept for the next time."""
        if not self._receive_header(deadline) or not self._receive_up_to(_end_of_record(self._partial), deadline):
            return b""  # inside a record or between two: it is the end
        record, self._partial = self._partial, b""
        return record

    def _receive_header(self, deadline: float | None) -> bool:
        return self._receive_up_to(HEADER_LENGTH, deadline)

    def _receive_up_to(self, length: int, deadline: float | None) -> bool:
        """Until so much of a record is there; False at the end."""
        partial = self._partial
        while len(partial) < length:
            data = self._receive(length - len(partial), deadline)
            if not data:
                return False
            partial = self._partial = partial + data if partial else data
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError
        return True

    # --- out

    def _encrypt(self, data: memoryview) -> int:
        """Makes records of the data and queues them; how many bytes of data that was."""
        with self._state:
            if SMALL < len(data) <= WRITE_CHUNK:
                self._wire_out = self._wire_out or WIRE.borrow()
                self._unsent.append(self.connection.encrypt_into(data, memoryview(self._wire_out)))
            else:
                self._unsent.append(memoryview(self.connection.encrypt(bytes(data))))
        return len(data)

    def _deadline(self) -> float | None:
        timeout = self._transport.timeout()
        return time.monotonic() + timeout if timeout else None

    def _flush(self, deadline: float | None, *, wait: bool = True) -> None:
        """Puts on the wire what the engine has made.

        With `wait=False` it is left to whoever is at it already, and no more is sent than there is room for.
        """
        with self._state:
            data = self.connection.data_to_send()
            if data:
                self._unsent.append(memoryview(data))
        self._send_unsent(deadline, wait=wait)

    def _send_unsent(self, deadline: float | None, *, wait: bool = True) -> None:
        while self._unsent:  # again after a send: another thread may have left something to us meanwhile
            if not self._wire.acquire(blocking=False) and not (wait and self._wait_for_wire(deadline)):
                return
            try:
                self._send(deadline if wait else AT_ONCE)
            finally:
                self._wire.release()

    def _wait_for_wire(self, deadline: float | None) -> bool:
        if not self._wire.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
            raise TimeoutError
        return True

    def _send(self, deadline: float | None) -> None:
        unsent = self._unsent
        while unsent:
            try:
                sent = self._transport.send(unsent[0], deadline)
            except BlockingIOError:
                raise WantWrite from None
            if sent == len(unsent[0]):
                unsent.popleft()
            else:
                unsent[0] = unsent[0][sent:]

    def _flush_in_passing(self) -> None:
        """A reader sends what it can, and waits neither for a writer nor for the peer, who may wait for us to read."""
        if self.connection.failure is not None:
            return  # why has been said
        if not (self._unsent or self.connection.has_data_to_send):
            return
        try:
            self._flush(AT_ONCE, wait=False)
        except OSError:
            return  # what could not be sent is still queued, for the next writer to learn

    def _flush_while_waiting(self, deadline: float | None) -> None:
        """A reader that left something unsent, and to nobody, sends it while there is nothing to read."""
        transport = self._transport
        while self._unsent and isinstance(transport, SocketTransport) and not self._wire.locked():
            if not transport.wait_to_write(deadline):
                return
            self._flush_in_passing()

    def _say_why(self) -> None:
        """The alert goes out if it can; that it cannot is not what went wrong."""
        with contextlib.suppress(OSError):
            self._flush(self._deadline(), wait=False)


def _end_of_record(data: bytes) -> int:
    """How long the record is that begins so, as far as can be said: its header, until that is there.

    Whatever cannot be TLS has no body to wait for: it goes to the engine at once, which says what it is. The version
    does not make it one or the other: it "MUST be ignored for all purposes" (RFC 9846 section 5.1).
    """
    if len(data) < HEADER_LENGTH or not 20 <= data[0] <= 23:
        return HEADER_LENGTH
    length = data[3] << 8 | data[4]
    return HEADER_LENGTH + length if length <= _MAX_RECORD else HEADER_LENGTH

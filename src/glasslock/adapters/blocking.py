"""The plain door: one TLS connection over one socket, without the shapes of `ssl`.

    with connect("example.org", 443) as stream:
        stream.send(b"GET / HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n")
        while data := stream.recv():
            ...

What goes wrong is an exception of glasslock's own family, with everything that was seen still on it.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NoReturn

from ..errors import ConnectionTruncated, TLSError
from ..tcp import dial
from ..tls import ClientConfig, ClientConnection, Connection, Credential, ServerConfig, ServerConnection, Session
from ..tls.handshake.agreed import Agreed
from ..trace import Observer, TraceRecord
from ..trust import ServerCertificateVerifier, TrustStore
from .channel import Channel
from .recorder import TraceRecorder
from .transports import SocketTransport, send_without_delay, time_is_up

DEFAULT_TIMEOUT = 30.0  # seconds that a single operation may take
LINGER = 0.2  # seconds that a refused peer has to read why
MOST_DISCARDED = 64  # reads
DISCARDED = 1 << 16  # bytes of one of them
_MORE_FOLLOWS = getattr(socket, "MSG_MORE", 0)  # Linux: what is sent may wait for what comes next


class Stream:
    """Encrypted bytes both ways. One thread may send while another receives.

    `timeout`, in seconds, is for each operation as a whole; None waits for ever. Errors: `TLSError`
    (`PeerMisbehaved`, `CertificateRefused`, `PeerAlert`, `ConnectionTruncated`; code `timeout` when time is up).
    After an error the stream is of no more use than to be closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        recorder: TraceRecorder | None = None,
    ) -> None:
        self.connection = connection
        self._transport = SocketTransport(sock, timeout)
        self._channel = Channel(connection, self._transport)
        self._recorder = recorder

    @property
    def agreed(self) -> Agreed:
        """Version, suite, group, names, the peer's chain."""
        return self.connection.agreed

    @property
    def trace(self) -> Sequence[TraceRecord]:
        """What happened so far, if it was to be kept."""
        return tuple(self._recorder.records) if self._recorder is not None else ()

    @property
    def session(self) -> Session | None:
        """What a later connection needs to resume this one; with TLS 1.3 it comes with the first data."""
        return self._channel.inbox.session

    @property
    def socket(self) -> socket.socket:
        """The socket below: for its addresses and options, not for data."""
        return self._transport.socket

    @property
    def timeout(self) -> float | None:
        """Seconds that a single operation may take."""
        return self._transport.seconds

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._transport.seconds = seconds

    def handshake(self) -> None:
        """Agrees on keys; the other operations do it by themselves if it was not done."""
        try:
            self._channel.handshake()
        except OSError as problem:
            self._fail("the handshake was not finished", problem)

    def recv(self, limit: int = 1 << 16) -> bytes:
        """At least one byte and at most `limit`; b"" once the peer has closed in due form.

        ConnectionTruncated if it ended otherwise: then data may be missing.
        """
        try:
            return self._channel.read(limit)
        except OSError as problem:
            self._fail("nothing came from the peer", problem)

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """The same into a writable buffer; how many bytes. The fastest way to much data, with 256 KiB of room."""
        try:
            return self._channel.read_into(memoryview(buffer).cast("B"))
        except OSError as problem:
            self._fail("nothing came from the peer", problem)

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of it."""
        rest = memoryview(data).cast("B")
        try:
            while rest:
                rest = rest[self._channel.write(rest) :]
        except OSError as problem:
            self._fail("the peer did not take what was sent to it", problem)

    def close(self) -> None:
        """Says close_notify if that can still be said within a second, and closes the socket.

        Does not wait for the peer's; but a client that has only sent waits for the tickets, or they would reset it.
        """
        connection, transport = self.connection, self._transport
        seconds = transport.seconds = min(1.0, transport.seconds or 1.0)
        with transport.socket as sock, contextlib.suppress(TLSError, OSError):
            tickets_expected = connection.tickets_expected
            transport.flags = _MORE_FOLLOWS  # the FIN does, in the same packet
            self._channel.close()
            sock.shutdown(socket.SHUT_WR)
            failure = connection.failure
            if failure is not None and failure.alert is not None:
                self._discard(until_end=True, seconds=LINGER)
            elif not connection.peer_closed:  # which has nothing more to send that could be left unread
                self._discard(seconds=seconds if tickets_expected else 0)

    def _discard(self, *, until_end: bool = False, seconds: float) -> None:
        """Takes what nobody will read, and waits so long for the first of it or for the end.

        A socket that is closed with bytes unread, or to which bytes come later, resets the connection; what was sent
        last, data or an alert, may be lost then.
        """
        deadline = time.monotonic() + seconds
        for _ in range(MOST_DISCARDED):
            data = self._transport.recv(DISCARDED, deadline)
            if not data or (len(data) < DISCARDED and not until_end):
                break
            if not until_end:
                deadline = 0.0

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _fail(self, what: str, problem: OSError) -> NoReturn:
        """Turns what the socket says into an error of ours, and into the end of the trace."""
        if time_is_up(problem):
            late = TLSError(None, "timeout", f"{what} within {self.timeout:g} seconds")
            self._channel.abort(late)
            raise late from None
        self._channel.hear_why()
        failure = self.connection.failure
        if failure is not None:
            raise failure from problem
        lost = ConnectionTruncated(f"{what}: {problem.strerror or problem}")
        self._channel.abort(lost)
        raise lost from problem


def connect(
    host: str,
    port: int = 443,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,
    session: Session | None = None,
    keep_trace: bool = False,
) -> Stream:
    """Dials, shakes hands, and returns the stream.

    Without a `config` the operating system's trust store decides. `server_name` is whom to expect if not `host`.
    With `keep_trace` the stream's `trace` has the whole story, from name resolution on; a `config.observer` is
    told the same. Raises ConnectFailed if there is nobody, and TLSError as `Stream` does.
    """
    if config is None:
        config = ClientConfig(verifier=ServerCertificateVerifier(TrustStore.system()))
    recorder = TraceRecorder() if keep_trace else None
    if recorder is not None:
        config = config.observed_by(both(config.observer, recorder))
    sock = dial(host, port, observer=config.observer, timeout=timeout or DEFAULT_TIMEOUT)
    return _shake_hands(sock, ClientConnection(config, server_name or host, session=session), timeout, recorder)


def accept(
    sock: socket.socket,
    config: ServerConfig | Credential,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    keep_trace: bool = False,
) -> Stream:
    """The server's side of a TCP connection that was just accepted: shakes hands, and returns the stream."""
    if isinstance(config, Credential):
        config = ServerConfig(credentials=(config,))
    recorder = TraceRecorder() if keep_trace else None
    if recorder is not None:
        config = config.observed_by(both(config.observer, recorder))
    send_without_delay(sock)
    return _shake_hands(sock, ServerConnection(config), timeout, recorder)


def _shake_hands(
    sock: socket.socket, connection: Connection, timeout: float | None, recorder: TraceRecorder | None
) -> Stream:
    stream = Stream(sock, connection, timeout=timeout, recorder=recorder)
    try:
        stream.handshake()
    except BaseException:
        stream.close()
        raise
    return stream


def both(one: Observer | None, other: Observer | None) -> Observer | None:
    """One observer that tells two; None if there is nobody."""
    if one is None or other is None:
        return one or other

    def tell(record: TraceRecord) -> None:
        one(record)
        other(record)

    return tell

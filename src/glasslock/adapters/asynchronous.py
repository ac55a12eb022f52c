"""The plain door for asyncio: as `blocking`, with `await`.

async with await open_stream("example.org", 443) as stream:
    await stream.send(b"GET / HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n")
    while data := await stream.recv():
        ...
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from types import TracebackType

from ..errors import ConnectionTruncated, TLSError
from ..tcp import dial_async
from ..tls import ClientConfig, ClientConnection, Connection, Credential, ServerConfig, ServerConnection, Session
from ..tls.handshake.agreed import Agreed
from ..trace import TraceRecord
from ..trust import ServerCertificateVerifier, TrustStore
from .blocking import DEFAULT_TIMEOUT, LINGER, MOST_DISCARDED, both
from .channel import READ_AHEAD, SMALL, WIRE, WRITE_CHUNK
from .inbox import Inbox
from .recorder import TraceRecorder
from .transports import send_without_delay, time_is_up


class AsyncStream:
    """Encrypted bytes both ways. One task may send while another receives.

    `timeout` and errors are as in `Stream`. A task that is cancelled in the middle of an operation leaves the
    stream of no more use than to be closed.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
        recorder: TraceRecorder | None = None,
    ) -> None:
        sock.setblocking(False)
        self.connection = connection
        self.socket = sock
        self.timeout = timeout
        self._inbox = Inbox(connection)
        self._recorder = recorder
        self._reader = asyncio.Lock()
        self._wire = asyncio.Lock()

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
        """What a later connection needs to resume this one."""
        return self._inbox.session

    async def handshake(self) -> None:
        """Agrees on keys; the other operations do it by themselves if it was not done."""
        async with self._limited("the handshake was not finished"), self._reader:
            await self._handshake()

    async def recv(self, limit: int = 1 << 16) -> bytes:
        """At least one byte and at most `limit`; b"" once the peer has closed in due form."""
        async with self._limited("nothing came from the peer"), self._reader:
            await self._handshake()
            while not self._inbox.pending:
                if self.connection.peer_closed:
                    return b""
                await self._pull()
            return b"".join(self._inbox.take(limit))

    async def send(self, data: bytes | bytearray | memoryview) -> None:
        """Sends all of it."""
        rest = memoryview(data).cast("B")
        if not self.connection.handshake_done:
            await self.handshake()
        async with self._limited("the peer did not take what was sent to it"):
            wire = WIRE.borrow() if len(rest) > SMALL else None
            while rest:
                await self._send(rest[:WRITE_CHUNK], wire)
                rest = rest[WRITE_CHUNK:]
            if wire is not None:  # after an error the loop may still look at it
                WIRE.give_back(wire)

    async def _send(self, data: memoryview, wire: bytearray | None) -> None:
        """One task at a time, and nobody else's bytes between: what is encrypted goes out in that order."""
        async with self._wire:
            if wire is not None:
                sealed: bytes | memoryview = self.connection.encrypt_into(data, memoryview(wire))
            else:
                sealed = self.connection.encrypt(bytes(data))
            await asyncio.get_running_loop().sock_sendall(self.socket, sealed)
            await self._send_queued()  # what a reader left to us meanwhile

    async def close(self) -> None:
        """Says close_notify if that can still be said within a second, and closes the socket."""
        self.timeout = min(1.0, self.timeout or 1.0)
        with self.socket, contextlib.suppress(TLSError, OSError):
            tickets_expected = self.connection.tickets_expected
            self.connection.close()
            async with self._limited("the peer did not take the end"):
                await self._flush()
            self.socket.shutdown(socket.SHUT_WR)
            failure = self.connection.failure
            if failure is not None and failure.alert is not None:
                await self._discard(until_end=True, seconds=LINGER)
            else:
                await self._discard(seconds=self.timeout if tickets_expected else 0)

    async def _discard(self, *, until_end: bool = False, seconds: float) -> None:
        """As `Stream` does it, and for the same reason."""
        async with asyncio.timeout(seconds) as limit:
            for _ in range(MOST_DISCARDED):
                if not await asyncio.get_running_loop().sock_recv(self.socket, 1 << 16):
                    break
                if not until_end:
                    limit.reschedule(0.0)

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _handshake(self) -> None:
        if self.connection.handshake_done:
            return
        await self._flush()
        while not self.connection.handshake_done:
            await self._pull()
        await self._flush()

    async def _pull(self) -> None:
        """Takes from the wire once; whatever was wrong with it is told to the peer, and raised when data is read."""
        if self.connection.failure is not None:
            raise self.connection.failure
        received = await asyncio.get_running_loop().sock_recv(self.socket, READ_AHEAD)
        try:
            data = b""
            if received:
                data = self.connection.decrypt(received)
            else:
                self.connection.receive_eof()
            self._inbox.sort(self.connection.take_events())
            self._inbox.add(data)
        except TLSError:
            self._inbox.sort(self.connection.take_events())
            with contextlib.suppress(OSError):
                await self._flush(wait=False)
            if not self._inbox.pending:
                raise
        else:
            await self._flush(wait=False)

    async def _flush(self, *, wait: bool = True) -> None:
        """Puts on the wire what the engine has made. A reader leaves it to the writer who is at it already."""
        if self._wire.locked() and not wait:
            return
        async with self._wire:
            await self._send_queued()

    async def _send_queued(self) -> None:
        while data := self.connection.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    @contextlib.asynccontextmanager
    async def _limited(self, what: str) -> AsyncIterator[None]:
        """Turns what time and the socket say into an error of ours, and into the end of the trace."""
        try:
            async with asyncio.timeout(self.timeout):
                yield
        except OSError as problem:
            if time_is_up(problem):
                late = TLSError(None, "timeout", f"{what} within {self.timeout:g} seconds")
                self.connection.abort(late)
                raise late from None
            with contextlib.suppress(TLSError):
                self.connection.receive_eof(problem.strerror or str(problem))
            failure = self.connection.failure
            raise failure or ConnectionTruncated(f"{what}: {problem.strerror}") from problem


async def open_stream(
    host: str,
    port: int = 443,
    config: ClientConfig | None = None,
    *,
    server_name: str | None = None,
    timeout: float | None = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - when it is reached, the message names it
    session: Session | None = None,
    keep_trace: bool = False,
) -> AsyncStream:
    """`connect`, for asyncio: dials, shakes hands, and returns the stream."""
    if config is None:
        config = ClientConfig(verifier=ServerCertificateVerifier(TrustStore.system()))
    recorder = TraceRecorder() if keep_trace else None
    if recorder is not None:
        config = config.observed_by(both(config.observer, recorder))
    sock = await dial_async(host, port, observer=config.observer, timeout=timeout or DEFAULT_TIMEOUT)
    return await _shake_hands(sock, ClientConnection(config, server_name or host, session=session), timeout, recorder)


async def accept_stream(
    sock: socket.socket,
    config: ServerConfig | Credential,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,  # noqa: ASYNC109
    keep_trace: bool = False,
) -> AsyncStream:
    """`accept`, for asyncio: the server's side of a TCP connection that was just accepted."""
    if isinstance(config, Credential):
        config = ServerConfig(credentials=(config,))
    recorder = TraceRecorder() if keep_trace else None
    if recorder is not None:
        config = config.observed_by(both(config.observer, recorder))
    send_without_delay(sock)
    return await _shake_hands(sock, ServerConnection(config), timeout, recorder)


async def _shake_hands(
    sock: socket.socket,
    connection: Connection,
    timeout: float | None,  # noqa: ASYNC109
    recorder: TraceRecorder | None,
) -> AsyncStream:
    stream = AsyncStream(sock, connection, timeout=timeout, recorder=recorder)
    try:
        await stream.handshake()
    except BaseException:
        await stream.close()
        raise
    return stream

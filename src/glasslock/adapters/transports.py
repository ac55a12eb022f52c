"""What carries the bytes of a `Channel`: a socket, somebody else's socket, or two buffers in memory."""

from __future__ import annotations

import _socket
import contextlib
import errno
import math
import select
import selectors
import socket
import ssl
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

# poll takes one system call where epoll takes four; Windows has neither.
_poll = getattr(select, "poll", None)
_TO_READ, _TO_WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
if _poll is not None:
    _TO_READ, _TO_WRITE = select.POLLIN, select.POLLOUT
_DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)  # Windows has no such thing
_MOST_TICKETS = 1 << 16  # bytes

AT_ONCE = -math.inf  # a deadline that leaves no time to wait


def _wait(sock: socket.socket, event: int, deadline: float | None) -> int:
    """Until the socket is ready, and for what; TimeoutError if it is not when the deadline has passed."""
    remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
    descriptor = sock.fileno()
    if descriptor < 0:
        raise OSError(errno.EBADF, "another thread has closed the socket")
    if _poll is None:
        with selectors.SelectSelector() as selector:
            selector.register(descriptor, event)
            ready = selector.select(remaining)
    else:
        poll = _poll()
        poll.register(descriptor, event)
        ready = poll.poll(None if remaining is None else remaining * 1000)  # which rounds up
    if not ready:
        raise TimeoutError
    return int(ready[0][1])


def send_without_delay(sock: socket.socket) -> None:
    """Small writes go out at once: Nagle's algorithm (RFC 896) would hold an answer back until the ticket before it is
    acknowledged.
    """
    with contextlib.suppress(OSError):  # not a TCP socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class SocketTransport:
    """A socket of our own: never blocks inside the kernel, so deadlines are exact and threads do not disturb.

    `seconds` is what one operation may take; None: as long as it needs.
    """

    def __init__(self, sock: socket.socket, seconds: float | None) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.seconds = seconds
        self.flags = 0  # of every send
        # Whether the last read took all that was there, so that the next one waits before it looks: one that looks in
        # vain costs more than a poll.
        self.dry = True

    def recv(self, limit: int, deadline: float | None) -> bytes:
        while True:
            if self.dry:
                self.wait_to_read(deadline)
            try:
                data = self.socket.recv(limit)
            except BlockingIOError:
                self.dry = True
            else:
                self.dry = len(data) < limit
                return data

    def recv_into(self, buffer: memoryview) -> int:
        """What is there, into a buffer; how many bytes that was. BlockingIOError if there is nothing now."""
        self.dry = True
        received = self.socket.recv_into(buffer)
        self.dry = received < len(buffer)
        return received

    def wait_to_read(self, deadline: float | None) -> None:
        """Until there is something, or the end."""
        _wait(self.socket, _TO_READ, deadline)
        self.dry = False

    def wait_to_write(self, deadline: float | None) -> bool:
        """Until there is room for something, unless there is something to read before: then False."""
        return _wait(self.socket, _TO_READ | _TO_WRITE, deadline) == _TO_WRITE

    def send(self, data: memoryview, deadline: float | None) -> int:
        while True:
            try:
                return self.socket.send(data, self.flags)
            except BlockingIOError:
                _wait(self.socket, _TO_WRITE, deadline)

    def timeout(self) -> float | None:
        return self.seconds


def time_is_up(problem: OSError) -> bool:
    """Whether a time limit of ours or of the socket was reached.

    The kernel's ETIMEDOUT is a TimeoutError too, but means that the peer does not answer any more: the connection
    is lost, whatever our limit.
    """
    return isinstance(problem, TimeoutError) and problem.errno is None


class BorrowedSocket:
    """Somebody else's socket, with the time limit that they gave it.

    An `ssl.SSLSocket` is itself a socket: below its own recv and send, which ask us, are those of the C layer.
    Anything else is asked through its own methods: a socket of gevent, or a TLS socket that is to carry another.
    A real socket is referred to weakly, for it holds what holds us.
    """

    def __init__(self, sock: Any, *, below: bool) -> None:
        kind = _socket.socket if below else type(sock)
        self._recv, self._send, self._below = kind.recv, kind.send, below
        self._recv_into = getattr(kind, "recv_into", None)
        self._sock: Callable[[], Any] = weakref.ref(sock) if below else lambda: sock

    @property
    def socket(self) -> Any:
        """The socket; ssl.SSLError if it is gone."""
        sock = self._sock()
        if sock is None:
            raise ssl.SSLError(ssl.SSL_ERROR_SYSCALL, "Underlying socket connection gone")
        return sock

    def recv(self, limit: int, deadline: float | None) -> bytes:  # noqa: ARG002 - the socket has its own limit
        try:
            return bytes(self._recv(self._sock() or self.socket, limit))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def recv_into(self, buffer: memoryview) -> int:
        """The same into a buffer; how many bytes."""
        if self._recv_into is None:
            data = self.recv(len(buffer), None)
            buffer[: len(data)] = data
            return len(data)
        try:
            return int(self._recv_into(self._sock() or self.socket, buffer))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def send(self, data: memoryview, deadline: float | None) -> int:
        sock = self._sock() or self.socket
        try:
            if deadline == AT_ONCE and self._below:  # not waiting is the only thing that its own limit cannot say
                _wait(sock, _TO_WRITE, deadline)
                return int(self._send(sock, data, _DO_NOT_WAIT))
            return int(self._send(sock, data))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise BlockingIOError from None

    def discard(self) -> None:
        """Takes what is there, without waiting and for nobody; only off a socket that is really one."""
        sock = self._sock()
        if isinstance(sock, socket.socket) and _DO_NOT_WAIT:
            with contextlib.suppress(OSError):
                _socket.socket.recv(sock, _MOST_TICKETS, _DO_NOT_WAIT)

    def timeout(self) -> float | None:
        sock = self._sock() or self.socket
        timeout: float | None = sock.gettimeout()
        return timeout


class Buffer(Protocol):
    """What `ssl.MemoryBIO` offers; `write` copies what it is given."""

    @property
    def eof(self) -> bool: ...

    def read(self, size: int = -1, /) -> bytes: ...

    def write(self, data: Any, /) -> int: ...


class BufferTransport:
    """The two buffers of an event loop, which moves the bytes itself. What is not there yet is no reason to wait."""

    def __init__(self, incoming: Buffer, outgoing: Buffer) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    def recv(self, limit: int, deadline: float | None) -> bytes:  # noqa: ARG002 - nothing here takes time
        data = self._incoming.read(limit)
        if not data and not self._incoming.eof:
            raise BlockingIOError
        return data

    def send(self, data: memoryview, deadline: float | None) -> int:  # noqa: ARG002
        return self._outgoing.write(data)

    def timeout(self) -> float | None:
        return 0.0

    def unsent(self) -> bytes:
        """What the event loop has not taken yet; it stays there."""
        data = self._outgoing.read()
        self._outgoing.write(data)
        return data

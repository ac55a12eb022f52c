"""Listening sockets that remember, for each connection, what it is made of.

An event loop takes a TCP connection from the listening socket, and everything that it then does for that
connection (TLS, HTTP, the application) runs in a copy of the context in which it was accepted. So one context
variable, set at that moment, is all it takes for every layer to know whose story it tells.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigurationError
from ..tcp import save_syn
from ..trace import Observer

BACKLOG = 128  # connections that may wait to be accepted
MAX_UNREAD = 16  # times that 64 KiB are read and dropped before a connection that failed is closed
NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})  # for one more connection


class AcceptedSocket(socket.socket):
    """The connection's socket, which an event loop closes without a word when TLS fails: so it says why by itself.

    `last_words` gives the bytes. What the peer has sent is read first, as much as is there and within bounds: closing
    with bytes unread resets the connection, and takes the words back.
    """

    last_words: Callable[[AcceptedSocket], bytes] | None = None

    @property
    def peer_is_there(self) -> bool:
        """Whether the peer could still send something, or has sent what nobody has read."""
        try:
            return bool(self.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Closes, after the last words."""
        last_words, self.last_words = self.last_words, None
        if last_words is not None and self.fileno() >= 0:
            with contextlib.suppress(OSError):
                self._say(last_words(self))
        super().close()

    def _say(self, words: bytes) -> None:
        if not words:
            return
        self.setblocking(False)
        self.send(words)
        self.shutdown(socket.SHUT_WR)
        for _ in range(MAX_UNREAD):
            if not self.recv(1 << 16):
                return


@dataclass(slots=True)
class Accepted:
    """One accepted connection: its peer, and who is told about it."""

    connection: AcceptedSocket
    peer: tuple[str, int]
    observer: Observer | None = None


ACCEPTED: ContextVar[Accepted | None] = ContextVar("ACCEPTED", default=None)


class Listener(socket.socket):
    """A listening socket for an event loop."""

    _full = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accepts, and remembers it for whatever this leads to.

        Where there is no room for another connection, asyncio waits for a second and goes on trying all the same, a
        hundred times in a row. So it hears of that once, and then that nobody is waiting.
        """
        if self._full:
            self._full = False
            raise BlockingIOError
        try:
            plain, address = super().accept()
        except OSError as problem:
            self._full = problem.errno in NO_ROOM
            raise
        connection = AcceptedSocket(fileno=plain.detach())
        ACCEPTED.set(Accepted(connection, (address[0], address[1])))
        return connection, address


def listen(host: str, port: int, *, shared: bool = False) -> list[Listener]:
    """Listening sockets on every address that the host name stands for; port 0 picks a free one.

    `shared`: other processes of the same user may listen there too, and the kernel spreads the connections
    (SO_REUSEPORT). ConfigurationError if the name is not known, or the port is taken or not allowed.
    """
    return _on_each(host, port, lambda family, address: _listen_on(family, address, shared=shared))


def reserve(host: str, port: int) -> list[Listener]:
    """The same addresses, taken but not listened on: for `listen(..., shared=True)` of this process's children."""
    return _on_each(host, port, _reserve_on)


def _on_each(host: str, port: int, make: Callable[[int, Any], Listener]) -> list[Listener]:
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as problem:
        raise ConfigurationError(f"cannot listen on {host}: no such address on this computer ({problem})") from problem
    addresses = dict.fromkeys((family, address) for family, _, _, _, address in found)
    listeners: list[Listener] = []
    try:
        for family, address in sorted(addresses):  # IPv4 first: it is the one that is there
            number = port or (listeners[0].getsockname()[1] if listeners else 0)  # the same one on each
            try:
                listeners.append(make(family, (address[0], number, *address[2:])))
            except OSError as problem:
                if listeners:
                    continue
                raise ConfigurationError(
                    f"cannot listen on port {number} of {address[0]}: {problem.strerror}. "
                    "Is another program using it? Choose another port."
                ) from problem
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen_on(family: int, address: Any, *, shared: bool) -> Listener:
    listener = Listener(family, socket.SOCK_STREAM)
    try:
        _bind(listener, address, shared=shared)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _reserve_on(family: int, address: Any) -> Listener:
    """Taken for ourselves alone, and only then opened to our children."""
    listener = Listener(family, socket.SOCK_STREAM)
    try:
        _bind(listener, address, shared=False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except BaseException:
        listener.close()
        raise
    return listener


def _bind(listener: Listener, address: Any, *, shared: bool) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    save_syn(listener)
    listener.bind(address)

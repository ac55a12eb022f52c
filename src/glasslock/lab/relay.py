"""A wire with somebody on it: passes bytes between a visitor and a site, and lets an attacker at them.

Everything that goes over a network passes machines that neither end controls. A `Relay` is one of those,
on loopback: what its `Attacker` sees is what every such machine sees, what it may do is what each may do.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK = 1 << 16  # bytes per read
MAX_CONNECTIONS = 32  # at once
CONNECT_TIMEOUT = 5.0  # seconds


class Attacker:
    """Somebody on the path. This one only passes on; subclasses look, or change."""

    def to_server(self, data: bytes) -> bytes:
        """Bytes on their way to the site; what is returned goes on."""
        return data

    def to_client(self, data: bytes) -> bytes:
        """Bytes on their way to the visitor; what is returned goes on."""
        return data


class Relay:
    """Listens on loopback and relays every connection to `target` through `attacker`; a context manager."""

    def __init__(self, target: tuple[str, int], attacker: Attacker) -> None:
        self._target = target
        self._attacker = attacker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._room = threading.Semaphore(MAX_CONNECTIONS)
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._acceptor = threading.Thread(target=self._accept, name="relay", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where the visitor connects to."""
        host, port = self._listener.getsockname()[:2]
        return host, port

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._sockets:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(timeout=CONNECT_TIMEOUT)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._room.acquire(blocking=False):
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()
            else:
                client.close()

    def _relay(self, client: socket.socket) -> None:
        try:
            with client, socket.create_connection(self._target, CONNECT_TIMEOUT) as server:
                server.settimeout(None)
                with self._lock:
                    self._sockets |= {client, server}
                back = threading.Thread(target=_pump, args=(server, client, self._attacker.to_client), daemon=True)
                back.start()
                _pump(client, server, self._attacker.to_server)
                back.join()
                with self._lock:
                    self._sockets -= {client, server}
        except OSError:
            return
        finally:
            self._room.release()


def _pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes]) -> None:
    """Passes bytes on until one side has no more to say."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(change(data))
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)

"""Servers on loopback that misbehave, each in one way: what `visit` has to come to terms with."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def rogue(behaviour: Behaviour) -> Iterator[int]:
    """Runs `behaviour` on every connection; gives the port."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    continue
                threading.Thread(target=_behave, args=(connection, behaviour, stop), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join(timeout=5)


def _behave(connection: socket.socket, behaviour: Behaviour, stop: threading.Event) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(10)
        behaviour(connection)
        if behaviour is hang or getattr(behaviour, "hangs", False):
            stop.wait(20)
        connection.shutdown(socket.SHUT_RDWR)


def hang(connection: socket.socket) -> None:
    """Accepts and never says anything."""


def speak_http(connection: socket.socket) -> None:
    """A plain HTTP server, asked in TLS."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def speak_ssh(connection: socket.socket) -> None:
    """Something else entirely."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    connection.recv(4096)


def send_garbage(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(bytes(range(256)) * 16)


def send_garbage_in_a_record(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x00\x20" + bytes(range(0x80, 0xA0)))


def hang_up(connection: socket.socket) -> None:
    connection.recv(4096)


def send_an_alert(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")


def passing_on(port: int, limit: int, *, then_hang: bool) -> Behaviour:
    """Relays to a real server, but lets only the first `limit` bytes of its answers through."""

    def behave(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port), 5) as server:
            threading.Thread(target=_copy, args=(connection, server), daemon=True).start()
            left = limit
            while left and (data := server.recv(left)):
                connection.sendall(data)
                left -= len(data)

    behave.hangs = then_hang  # type: ignore[attr-defined]
    return behave


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)

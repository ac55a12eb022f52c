"""What was sent last arrives, though the socket is closed right after it and the server's tickets come when they like.

A TCP connection that is closed with bytes unread, or to which bytes come later, is reset, and what the system had not
yet sent is gone. The server here reads nothing before the client has closed, and its buffer is small.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import pytest

from glasslock.adapters import SSLContext, Stream, connect
from glasslock.adapters.asynchronous import open_stream
from glasslock.errors import ConnectionTruncated
from glasslock.tls import ServerConfig, ServerConnection

from .conftest import PATIENCE, Pki, Submit

LAST = bytes(range(256)) * 1000
LONG_AFTER = 0.3  # seconds that a server may be busy with something else


class SlowServer:
    """Agrees on keys, and waits with the rest for a sign that the client is closing."""

    def __init__(self, listener: socket.socket, config: ServerConfig, *, late_tickets: bool) -> None:
        self.closing = threading.Event()
        self._listener = listener
        self._connection = ServerConnection(config)
        self._late_tickets = late_tickets

    def serve(self) -> bytes:
        """All that the client sent; ConnectionTruncated if its close_notify is missing."""
        connection = self._connection
        with self._listener.accept()[0] as sock:
            sock.settimeout(PATIENCE)
            received = b""
            while not connection.handshake_done:
                received += connection.decrypt(sock.recv(600))
                if not (connection.handshake_done and self._late_tickets):
                    sock.sendall(connection.data_to_send())
            assert self.closing.wait(PATIENCE)
            time.sleep(LONG_AFTER)
            sock.sendall(connection.data_to_send())
            try:
                while data := sock.recv(5000):
                    received += connection.decrypt(data)
            except ConnectionError as problem:
                connection.receive_eof(str(problem))
            connection.receive_eof()
            return received


def visit(port: int, pki: Pki, closing: threading.Event) -> None:
    stream = connect("localhost", port, pki.client(), timeout=PATIENCE)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    stream.send(LAST)
    closing.set()
    stream.close()


def visit_async(port: int, pki: Pki, closing: threading.Event) -> None:
    async def main() -> None:
        stream = await open_stream("localhost", port, pki.client(), timeout=PATIENCE)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        await stream.send(LAST)
        closing.set()
        await stream.close()

    asyncio.run(main())


@pytest.mark.parametrize("door", [visit, visit_async])
@pytest.mark.parametrize("late_tickets", [True, False])
def test_all_of_it_arrives(
    door: Callable[[int, Pki, threading.Event], None], late_tickets: bool, pki: Pki, background: Submit
) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(PATIENCE)
        server = SlowServer(listener, pki.server(tickets=2), late_tickets=late_tickets)
        answer = background(server.serve)
        door(listener.getsockname()[1], pki, server.closing)
        assert answer.result(PATIENCE) == LAST


def test_a_socket_of_ssls_shape_that_never_read_ends_in_peace(
    client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    """It says no close_notify, as those of `ssl`; but its end is an end, and no reset that throws data away."""

    def serve() -> bytes:
        with server.accept()[0] as sock:
            sock.settimeout(PATIENCE)
            assert agreed.wait(PATIENCE)
            time.sleep(LONG_AFTER)
            return b"".join(iter(lambda: sock.recv(5000), b""))

    agreed = threading.Event()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    with server_context.wrap_socket(listener, server_side=True) as server:
        server.settimeout(PATIENCE)
        answer = background(serve)
        plain = socket.create_connection(server.getsockname(), timeout=PATIENCE)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        with client_context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(LAST)
            time.sleep(LONG_AFTER)  # the tickets arrive, and nobody reads them
            agreed.set()
        assert answer.result(PATIENCE) == LAST


def test_the_server_notices_where_it_does_not(pki: Pki, background: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that just closes: so that the tests above are known to tell the difference."""
    monkeypatch.setattr(Stream, "_discard", lambda *_, **__: None)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(PATIENCE)
        server = SlowServer(listener, pki.server(tickets=2), late_tickets=True)
        answer = background(server.serve)
        visit(listener.getsockname()[1], pki, server.closing)
        with pytest.raises(ConnectionTruncated):
            answer.result(PATIENCE)


def test_nobody_waits_for_tickets_that_came(listener: socket.socket, pki: Pki, background: Submit) -> None:
    """Nor on a connection on which the client sent nothing: `close` is immediate, whatever the server does."""

    def serve(say: bytes, done: threading.Event) -> None:
        connection = ServerConnection(pki.server())
        with listener.accept()[0] as sock:
            sock.settimeout(PATIENCE)
            heard = b""
            while not connection.handshake_done or (say and not heard):
                heard += connection.decrypt(sock.recv(5000))
                sock.sendall(connection.data_to_send())
            if say:
                sock.sendall(connection.encrypt(say))
            assert done.wait(PATIENCE)

    for say in (b"", b"hello"):
        done = threading.Event()
        answer = background(serve, say, done)
        stream = connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE)
        if say:
            stream.send(b"hello?")
            assert stream.recv() == say
        start = time.monotonic()
        stream.close()
        assert time.monotonic() - start < LONG_AFTER
        done.set()
        answer.result(PATIENCE)

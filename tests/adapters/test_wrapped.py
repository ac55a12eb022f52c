"""TLS over what only behaves like a socket, and TLS over TLS."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from glasslock.adapters import SSLContext

from .conftest import PATIENCE, Submit

Ends = tuple[socket.socket, socket.socket]


class Lookalike:
    """Has a socket's methods and is none."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.received = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def recv(self, limit: int) -> bytes:
        data = self.real.recv(limit)
        self.received += len(data)
        return data

    def send(self, data: bytes) -> int:
        return self.real.send(data)


def test_something_like_a_socket(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    inner = Lookalike(sockets[0])
    answer = background(server_context.wrap_socket, sockets[1], server_side=True)
    client = client_context.wrap_socket(inner, server_hostname="localhost")  # type: ignore[arg-type]
    server = answer.result(PATIENCE)
    with client, server:
        assert isinstance(client, ssl.SSLSocket)
        assert client.fileno() == sockets[0].fileno()
        assert client.getpeername() == sockets[0].getpeername()
        assert client.getsockname() == sockets[0].getsockname()
        assert client.family == sockets[0].family
        assert client.type == sockets[0].type
        assert client.gettimeout() == client.timeout == PATIENCE
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        client.sendall(b"hello")
        assert server.recv(100) == b"hello"
        server.sendall(b"line\n")
        with client.makefile("rb") as file:
            assert file.readline() == b"line\n"
        assert inner.received > 1000
        client.setblocking(False)
        assert not client.getblocking()
        with pytest.raises(ssl.SSLWantReadError):
            client.recv(1)
    assert sockets[0].fileno() == -1


def test_a_listening_one(
    listener: socket.socket, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    wrapped = server_context.wrap_socket(Lookalike(listener.dup()), server_side=True)  # type: ignore[arg-type]

    def serve() -> bytes:
        accepted, _ = wrapped.accept()
        with accepted:
            return accepted.recv(100)

    with wrapped:
        answer = background(serve)
        inner = Lookalike(socket.socket())
        with client_context.wrap_socket(inner, server_hostname="localhost") as client:  # type: ignore[arg-type]
            client.connect(listener.getsockname())
            client.sendall(b"connected later")
            assert answer.result(PATIENCE) == b"connected later"


@pytest.mark.parametrize("outer_of", ["openssl", "glasslock"])
def test_tls_over_tls(
    outer_of: str,
    sockets: Ends,
    client_context: SSLContext,
    server_context: SSLContext,
    pki: Any,
    background: Submit,
) -> None:
    outer_client, outer_server = client_context, server_context
    if outer_of == "openssl":
        outer_client = ssl.create_default_context(cafile=pki.root)
        outer_server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        outer_server.load_cert_chain(pki.chain, pki.key)

    def serve() -> bytes:
        outer = outer_server.wrap_socket(sockets[1], server_side=True)
        with server_context.wrap_socket(outer, server_side=True) as inner:
            inner.sendall(b"x" * 100_000)
            return inner.recv(100)

    answer = background(serve)
    outer = outer_client.wrap_socket(sockets[0], server_hostname="localhost")
    with client_context.wrap_socket(outer, server_hostname="site.test") as inner:
        with inner.makefile("rb") as file:
            assert file.read(100_000) == b"x" * 100_000
        inner.sendall(b"through both")
        assert answer.result(PATIENCE) == b"through both"


def test_what_ssl_refuses_is_refused(sockets: Ends, client_context: SSLContext, server_context: SSLContext) -> None:
    inner: Any = Lookalike(sockets[0])
    with pytest.raises(ValueError, match="check_hostname"):
        client_context.wrap_socket(inner)
    with pytest.raises(ValueError, match="client mode"):
        server_context.wrap_socket(inner, server_side=True, server_hostname="localhost")
    with socket.socket(type=socket.SOCK_DGRAM) as datagram, pytest.raises(NotImplementedError):
        server_context.wrap_socket(Lookalike(datagram), server_side=True)  # type: ignore[arg-type]
    inner.real.setblocking(False)
    with pytest.raises(ValueError, match="non-blocking"):
        client_context.wrap_socket(inner, server_hostname="localhost")

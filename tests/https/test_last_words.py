"""A visitor whose connection fails hears why, although asyncio closes without a word; and it is no failure of ours."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasslock.errors import TLSError
from glasslock.https import Site, serve_async, serving
from glasslock.tls import ClientConfig, ClientConnection, Data
from glasslock.trust import ServerCertificateVerifier

from .conftest import PATIENCE, Trust

UNEXPECTED_MESSAGE = bytes.fromhex("15 0303 0002 02 0a")
BAD_RECORD_MAC = 20


@pytest.fixture
def site(tmp_path: Path, trust: Trust) -> Iterator[Site]:
    with serving(tmp_path, credentials=[trust.credential]) as site:
        yield site


def everything(sock: socket.socket) -> bytes:
    """What comes until the server closes in good order; a reset would raise."""
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def test_during_the_handshake(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert everything(sock) == UNEXPECTED_MESSAGE


def test_with_much_that_nobody_reads_any_more(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n" + b"X-Filler: " + bytes(1 << 17))
        assert everything(sock) == UNEXPECTED_MESSAGE


def test_after_the_handshake(site: Site, trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    client = ClientConnection(ClientConfig(verifier=ServerCertificateVerifier(trust.store)), "localhost")
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
        while not client.handshake_done:
            sock.sendall(client.data_to_send())
            client.receive_data(sock.recv(1 << 16))
        sock.sendall(client.data_to_send() + bytes.fromhex("17 0303 0020") + bytes(32))
        with pytest.raises(TLSError) as told:
            client.receive_data(everything(sock))
        assert told.value.alert == BAD_RECORD_MAC
    assert caplog.text == ""


def test_in_the_middle_of_an_answer(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    """The application has not failed, so nobody says that it has."""
    ended: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await receive()
            await send({"type": "http.response.start", "status": 200})
            for _ in range(5_000):
                await send({"type": "http.response.body", "body": b"and so on ", "more_body": True})
                await asyncio.sleep(0)
            ended.append((await receive())["type"])

    client = ClientConnection(ClientConfig(verifier=ServerCertificateVerifier(trust.store)), "localhost")
    with serving(app, credentials=[trust.credential]) as site:
        with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
            while not client.handshake_done:
                sock.sendall(client.data_to_send())
                client.receive_data(sock.recv(1 << 16))
            client.send_data(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sock.sendall(client.data_to_send())
            while not any(isinstance(event, Data) for event in client.receive_data(sock.recv(1 << 16))):
                pass
            sock.sendall(bytes.fromhex("17 0303 0020") + bytes(32))
            with contextlib.suppress(ConnectionResetError):
                everything(sock)
        until = time.monotonic() + PATIENCE
        while not ended and time.monotonic() < until:
            time.sleep(0.01)
    assert ended == ["http.disconnect"]
    assert caplog.text == ""


def test_the_site_still_ends_in_good_order(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Also while such a connection is on its way out."""
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), PATIENCE))
            sock.sendall(b"\x15\x03\x03\x00\x01\x00")
        site.stop()
    assert caplog.text == ""


def test_other_problems_of_the_loop_reach_whoever_wants_to_hear_of_them(tmp_path: Path, trust: Trust) -> None:
    """An application's own exception handler stays, while it serves and after."""
    heard: list[str] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: heard.append(context["message"]))

        def begin(site: Site) -> None:
            loop.call_soon(loop.call_exception_handler, {"message": "while"})
            loop.call_later(0.1, loop.call_exception_handler, {"message": "peer", "exception": ssl.SSLError()})
            loop.call_later(0.2, site.stop)

        await serve_async(tmp_path, credentials=[trust.credential], port=0, ready=begin)
        loop.call_exception_handler({"message": "after"})

    asyncio.run(scene())
    assert heard == ["while", "after"]

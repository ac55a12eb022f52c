"""A visitor whose connection fails hears why, although asyncio closes without a word; and it is no failure of ours."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from glasslock.adapters import TraceRecorder
from glasslock.errors import TLSError
from glasslock.https import Site, serve_async, serving, visit
from glasslock.tls import ClientConfig, ClientConnection, DangerousAcceptAnyCertificate, Data
from glasslock.trace import ConnectionClosed, Refused
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
        sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")
        assert everything(sock) == UNEXPECTED_MESSAGE


def test_with_much_that_nobody_reads_any_more(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
        sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n" + bytes(1 << 17))
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


def hello() -> bytes:
    return ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost").data_to_send()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("leave", [socket.socket.close, reset])
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"", "middle of the handshake"),
        (hello()[:100], "middle of the handshake"),
        (hello(), "has seen our certificate"),
    ],
    ids=["nothing", "half a hello", "a hello"],
)
def test_who_leaves_in_mid_handshake_is_told_of(
    said: bytes, words: str, leave: Callable[[socket.socket], None], tmp_path: Path, trust: Trust
) -> None:
    """asyncio keeps such an end from its TLS."""
    story = TraceRecorder()
    with serving(tmp_path, credentials=[trust.credential], observer_for=lambda _: story) as site:
        with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
            sock.sendall(said)
            if len(said) > 100:
                sock.recv(1 << 16, socket.MSG_PEEK)
            leave(sock)
        closed = the_end(story)
    assert not closed.clean
    assert words in closed.problem


def test_who_is_silent_for_too_long_is_told_of(tmp_path: Path, trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    story = TraceRecorder()
    options: dict[str, Any] = {"observer_for": lambda _: story, "handshake_timeout": 0.2}
    with serving(tmp_path, credentials=[trust.credential], **options) as site:
        with socket.create_connection(("127.0.0.1", site.port), PATIENCE) as sock:
            sock.sendall(hello()[:100])
            assert everything(sock) == b""
        closed = the_end(story)
    assert "not done after 0.2 seconds" in closed.problem
    assert [record.code for record in story.records if isinstance(record, Refused)] == ["timeout"]
    assert caplog.text == ""


def the_end(story: TraceRecorder) -> ConnectionClosed:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if story.records and isinstance(story.records[-1], ConnectionClosed):
            return story.records[-1]
        time.sleep(0.01)
    pytest.fail(f"the story has no end: {story.records}")


def test_without_room_for_another_connection_visitors_wait(
    site: Site, trust: Trust, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line says so, not a traceback for each of the many times that asyncio tries."""
    real, tries = socket.socket.accept, iter(range(3))

    def accept(listener: socket.socket) -> Any:
        if next(tries, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(listener)

    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", 0.05)
    monkeypatch.setattr(socket.socket, "accept", accept)
    assert visit(site.url, trust_store=trust.store, timeout=PATIENCE).status == 200
    assert next(tries, None) is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "no room for another connection (Too many open files)"
    ]
    assert caplog.records[0].exc_info is None


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

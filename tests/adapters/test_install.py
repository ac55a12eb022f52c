"""The whole process at once: `ssl.SSLContext` itself speaks with our engine."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext as EarlyName
from threading import Thread
from typing import Any

import pytest

from glasslock.adapters import install, uninstall
from glasslock.adapters.engine import Engine

from .conftest import Pki
from .wire import Wire

EARLY_CONTEXT = ssl.create_default_context()


@pytest.fixture
def told() -> Iterator[list[object]]:
    """Everything that happened on connections of contexts made while installed."""
    records: list[object] = []
    install(observer=records.append)
    try:
        yield records
    finally:
        uninstall()


class Page(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def port(pki: Pki) -> Iterator[int]:
    """A site on OpenSSL: its context is made before ours are installed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.chain, pki.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _contexts(pki: Pki) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pki.chain, pki.key)
    server.set_alpn_protocols(["h2"])
    client = EarlyName(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(pki.root)
    client.set_alpn_protocols(["h2"])
    return client, server


def test_every_new_context_is_ours(told: list[object], pki: Pki) -> None:
    wire = Wire(*_contexts(pki))
    wire.shake_hands()
    assert wire.say() == b"hello"
    assert isinstance(wire.client.tls._sslobj, Engine)
    assert isinstance(wire.server.tls._sslobj, Engine)
    assert wire.client.tls.selected_alpn_protocol() == "h2"
    assert told


def test_earlier_contexts_stay_with_openssl(told: list[object]) -> None:
    tls = EARLY_CONTEXT.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    assert not isinstance(tls._sslobj, Engine)
    EARLY_CONTEXT.set_alpn_protocols(["h2"])
    EARLY_CONTEXT.set_ciphers("ECDHE+AESGCM")
    assert told == []


def test_what_was_made_meanwhile_works_on_afterwards(pki: Pki) -> None:
    asked = []

    def password() -> str:
        asked.append(1)
        return ""

    install()
    try:
        client, server = _contexts(pki)
        server.load_cert_chain(pki.chain, pki.key, password)
    finally:
        uninstall()
    wire = Wire(client, server)
    wire.shake_hands()
    assert wire.say() == b"hello"
    assert not isinstance(wire.client.tls._sslobj, Engine)
    assert asked == []


def test_taking_it_out_leaves_nothing_behind() -> None:
    before = dict(ssl.SSLContext.__dict__)
    install()
    install()  # once is enough
    assert dict(ssl.SSLContext.__dict__) != before
    uninstall()
    assert dict(ssl.SSLContext.__dict__) == before
    uninstall()
    assert dict(ssl.SSLContext.__dict__) == before


def test_programs_that_know_nothing_of_us(
    port: int, told: list[object], pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    url = f"https://localhost:{port}/"

    def with_http_client() -> bytes:
        connection = http.client.HTTPSConnection("localhost", port)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read()
        finally:
            connection.close()

    def with_urllib() -> bytes:
        with urllib.request.urlopen(url) as response:
            return bytes(response.read())

    async def with_asyncio() -> bytes:
        reader, writer = await asyncio.open_connection("localhost", port, ssl=True)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return data[-5:]

    for way in (with_http_client, with_urllib, lambda: asyncio.run(with_asyncio())):
        told.clear()
        assert way() == b"hello"
        assert told

"""asyncio over our contexts: streams, servers, start_tls, TLS in TLS, and how errors arrive."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from glasslock.adapters import EngineCertificateError, EngineError, SSLContext, create_default_context

from .conftest import PATIENCE, Makers, Pki

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    await _close(writer)


@asynccontextmanager
async def _server(context: ssl.SSLContext | None, handler: Handler = _echo) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def run(work: Awaitable[Any]) -> Any:
    """Runs a test that never takes long: what hangs here would hang a program."""

    async def limited() -> Any:
        return await asyncio.wait_for(work, PATIENCE)

    return asyncio.run(limited())


async def _open(port: int, context: ssl.SSLContext, name: str = "localhost") -> Any:
    return await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)


def test_streams(makers: Makers) -> None:
    async def go() -> None:
        async with _server(makers.server()) as port:
            reader, writer = await _open(port, makers.client())
            assert writer.get_extra_info("cipher")[1] == "TLSv1.3"
            assert writer.get_extra_info("peercert")["subjectAltName"]
            assert isinstance(writer.get_extra_info("ssl_object"), ssl.SSLObject)
            data = bytes(range(256)) * 4000
            writer.write(data)
            assert await reader.readexactly(len(data)) == data
            await _close(writer)

    run(go())


def test_the_end_is_seen(makers: Makers) -> None:
    async def say_and_go(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        await _close(writer)

    async def go() -> None:
        async with _server(makers.server(), say_and_go) as port:
            reader, writer = await _open(port, makers.client())
            assert await reader.read() == b"that is all"
            await _close(writer)

    run(go())


def test_start_tls(makers: Makers) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"ready\n")
        await writer.start_tls(makers.server())
        writer.write(await reader.readline())
        await _close(writer)

    async def go() -> None:
        async with _server(None, serve) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"STARTTLS\n")
            assert await reader.readline() == b"ready\n"
            await writer.start_tls(makers.client(), server_hostname="localhost")
            writer.write(b"now in private\n")
            assert await reader.readline() == b"now in private\n"
            await _close(writer)

    run(go())


def test_tls_in_tls(makers: Makers) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"CONNECT\n"
        writer.write(b"ok\n")
        await writer.drain()
        await writer.start_tls(makers.server())
        await _echo(reader, writer)

    async def go() -> None:
        async with _server(makers.server(), serve) as port:
            reader, writer = await _open(port, makers.client())
            writer.write(b"CONNECT\n")
            assert await reader.readline() == b"ok\n"
            await writer.start_tls(makers.client(), server_hostname="site.test")
            writer.write(b"x" * 50_000)
            assert await reader.readexactly(50_000) == b"x" * 50_000
            assert writer.get_extra_info("ssl_object").server_hostname == "site.test"
            await _close(writer)

    run(go())


class Collector(asyncio.BufferedProtocol):
    """Collects what comes, in a buffer of its own."""

    def __init__(self) -> None:
        self.buffer = bytearray(10_000)
        self.received = b""
        self.done = asyncio.get_running_loop().create_future()

    def get_buffer(self, _: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.received += self.buffer[:count]

    def connection_lost(self, error: Exception | None) -> None:
        self.done.set_result(error)


def test_a_buffered_protocol(makers: Makers) -> None:
    async def say_and_go(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"y" * 100_000)
        await _close(writer)

    async def go() -> None:
        loop = asyncio.get_running_loop()
        async with _server(makers.server(), say_and_go) as port:
            _, protocol = await loop.create_connection(
                Collector, "127.0.0.1", port, ssl=makers.client(), server_hostname="localhost"
            )
            assert await protocol.done is None
            assert protocol.received == b"y" * 100_000

    run(go())


def test_the_name_is_seen(pki: Pki, client_context: SSLContext, server_context: SSLContext) -> None:
    names = []
    server_context.sni_callback = lambda _tls, name, _context: names.append(name)

    async def go() -> None:
        async with _server(server_context) as port:
            _, writer = await _open(port, client_context, "a.site.test")
            await _close(writer)

    run(go())
    assert names == ["a.site.test"]


def test_a_wrong_root_is_explained(pki: Pki, server_context: SSLContext) -> None:
    async def go() -> None:
        async with _server(server_context) as port:
            await _open(port, create_default_context(cafile=pki.other_root))

    with pytest.raises(EngineCertificateError) as caught:
        run(go())
    assert caught.value.explanation in str(caught.value)


def test_a_wrong_root_ends_a_server_too(makers: Makers, pki: Pki) -> None:
    async def go() -> None:
        async with _server(makers.server()) as port:
            with pytest.raises(ssl.SSLCertVerificationError):
                await _open(port, makers.client(cafile=pki.other_root))

    run(go())


def test_a_mistake_of_ours_hangs_nobody(server_context: SSLContext, client_context: SSLContext) -> None:
    def observer(_: object) -> None:
        raise ZeroDivisionError

    client_context.glasslock.observer = observer

    async def go() -> None:
        async with _server(server_context) as port:
            await _open(port, client_context)

    with pytest.raises(EngineError, match="ZeroDivisionError"):
        run(go())


def test_a_mistake_on_the_servers_side_hangs_nobody(client_context: SSLContext) -> None:
    broken = create_default_context(ssl.Purpose.CLIENT_AUTH)  # has no certificate

    async def go() -> None:
        async with _server(broken) as port:
            await _open(port, client_context)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        run(go())


def test_a_plain_server_is_named(client_context: SSLContext) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        await _close(writer)

    async def go() -> None:
        async with _server(None, plain) as port:
            await _open(port, client_context)

    with pytest.raises(ssl.SSLError, match="plain HTTP"):
        run(go())

"""Servers of Python over our contexts, visited with OpenSSL and with ourselves."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from .conftest import PATIENCE, Site, page_app

BODY = b"a body " * 20_000


def _visit(port: int, context: ssl.SSLContext) -> None:
    """Fetches the page and has something echoed."""
    connection = HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)
    connection.request("GET", "/")
    assert connection.getresponse().read() == Site.page
    connection.request("POST", "/", BODY)
    assert connection.getresponse().read() == BODY
    connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _await_port(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the server did not begin")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_uvicorn(loop: str, files: Site) -> None:
    uvicorn = pytest.importorskip("uvicorn", reason="the uvicorn package is not installed")
    pytest.importorskip(loop)
    port = _free_port()
    config = uvicorn.Config(
        page_app,
        host="127.0.0.1",
        port=port,
        loop=loop,
        lifespan="off",
        log_level="error",
        ssl_certfile=str(files.chain),
        ssl_keyfile=str(files.key),
        ssl_context_factory=lambda _config, _default: files.server(),
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        _await_port(port)
        for context in (files.openssl_client(), files.client()):
            _visit(port, context)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def test_aiohttp(files: Site) -> None:
    web = pytest.importorskip("aiohttp.web")

    async def answer(request: Any) -> Any:
        return web.Response(body=await request.read() or Site.page)

    async def go() -> None:
        app = web.Application()
        app.router.add_route("*", "/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=files.server()).start()
        port = runner.addresses[0][1]
        for context in (files.openssl_client(), files.client()):
            await asyncio.to_thread(_visit, port, context)
        await runner.cleanup()

    asyncio.run(go())


def test_tornado(files: Site) -> None:
    httpserver = pytest.importorskip("tornado.httpserver")
    web = pytest.importorskip("tornado.web")

    class Page(web.RequestHandler):
        def get(self) -> None:
            self.write(Site.page)

        def post(self) -> None:
            self.write(self.request.body)

    async def go() -> None:
        server = httpserver.HTTPServer(web.Application([("/", Page)]), ssl_options=files.server())
        sockets = pytest.importorskip("tornado.netutil").bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        for context in (files.openssl_client(), files.client()):
            await asyncio.to_thread(_visit, sockets[0].getsockname()[1], context)
        server.stop()
        await server.close_all_connections()

    asyncio.run(go())


GUNICORN = """
import sys
from glasslock.adapters import create_default_context
import ssl

bind = "127.0.0.1:{port}"
worker_class = {worker!r}
certfile, keyfile = {chain!r}, {key!r}
loglevel = "warning"

def ssl_context(conf, default):
    context = create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(conf.certfile, conf.keyfile)
    return context
"""
WSGI = """
def app(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) or b"x" * 100_000
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


@contextmanager
def _gunicorn(worker: str, place: Path, files: Site) -> Iterator[int]:
    port = _free_port()
    settings = GUNICORN.format(port=port, worker=worker, chain=str(files.chain), key=str(files.key))
    (place / "settings.py").write_text(settings)
    (place / "wsgi_site.py").write_text(WSGI)
    command = [sys.executable, "-m", "gunicorn", "-c", "settings.py", "wsgi_site:app"]
    with subprocess.Popen(command, cwd=place) as process:
        try:
            _await_port(port)
            yield port
        finally:
            process.terminate()


@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_gunicorn(worker: str, files: Site, tmp_path: Path) -> None:
    pytest.importorskip("gunicorn", reason="the gunicorn package is not installed")
    if worker == "gevent":
        pytest.importorskip("gevent", reason="the gevent package is not installed")
    with _gunicorn(worker, tmp_path, files) as port:
        for context in (files.openssl_client(), files.client()):
            _visit(port, context)


GEVENT = """
import sys
early, url, root = sys.argv[1] == "early", sys.argv[2], sys.argv[3]
if early:
    import glasslock.adapters
from gevent import monkey; monkey.patch_all()
import gevent, http.client, urllib.parse
import glasslock.adapters
from urllib.request import urlopen
context = glasslock.adapters.create_default_context(cafile=root)
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        gevent.sleep(0.001)
ticker = gevent.spawn(tick)
jobs = [gevent.spawn(lambda: len(urlopen(url, context=context).read())) for _ in range(5)]
gevent.joinall(jobs, timeout=20, raise_error=True)
print([job.value for job in jobs], ticks > 1)
"""


@pytest.mark.parametrize("order", ["early", "late"])
def test_gevent_whatever_was_imported_first(order: str, site: Site) -> None:
    pytest.importorskip("gevent", reason="the gevent package is not installed")
    command = [sys.executable, "-W", "ignore", "-c", GEVENT, order, site.url, str(site.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "[100000, 100000, 100000, 100000, 100000] True\n", done.stderr


def test_trio_both_ways(files: Site) -> None:
    """A write of 100 kB in one go, and a close that both sides see."""
    trio = pytest.importorskip("trio", reason="the trio package is not installed")

    received = bytearray()

    async def serve(stream: Any) -> None:
        async with stream:
            async for part in stream:
                received.extend(part)

    async def go() -> None:
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_ssl_over_tcp_listeners(0, files.server(), host="127.0.0.1")
            nursery.start_soon(trio.serve_listeners, serve, listeners)
            port = listeners[0].transport_listener.socket.getsockname()[1]
            stream = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=files.client())
            await stream.send_all(b"z" * 100_000)
            transport, leftover = await stream.unwrap()
            assert leftover == b""
            await transport.aclose()
            while len(received) < 100_000:
                await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    async def limited() -> None:
        with trio.fail_after(PATIENCE):
            await go()

    trio.run(limited)


def test_trio_echo(files: Site) -> None:
    trio = pytest.importorskip("trio", reason="the trio package is not installed")

    async def serve(stream: Any) -> None:
        async for part in stream:
            await stream.send_all(part)

    async def go() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                listeners = await trio.open_ssl_over_tcp_listeners(0, files.server(), host="127.0.0.1")
                nursery.start_soon(trio.serve_listeners, serve, listeners)
                port = listeners[0].transport_listener.socket.getsockname()[1]
                stream = await trio.open_ssl_over_tcp_stream("localhost", port, ssl_context=files.client())
                await stream.send_all(b"z" * 100_000)
                received = 0
                while received < 100_000:
                    received += len(await stream.receive_some())
                nursery.cancel_scope.cancel()

    trio.run(go)


def test_anyio_streams(files: Site) -> None:
    anyio = pytest.importorskip("anyio", reason="the anyio package is not installed")
    tls = pytest.importorskip("anyio.streams.tls")

    async def serve(stream: Any) -> None:
        async with stream:
            try:
                while True:
                    await stream.send(await stream.receive())
            except anyio.EndOfStream:
                pass

    async def go() -> None:
        with anyio.fail_after(PATIENCE):
            listener = tls.TLSListener(
                await anyio.create_tcp_listener(local_host="127.0.0.1"), files.server(), standard_compatible=True
            )
            async with listener, anyio.create_task_group() as group:
                group.start_soon(listener.serve, serve)
                port = listener.listener.listeners[0].extra(anyio.abc.SocketAttribute.local_port)
                async with await anyio.connect_tcp("localhost", port, ssl_context=files.client()) as stream:
                    await stream.send(b"z" * 100_000)
                    received = b""
                    while len(received) < 100_000:
                        received += await stream.receive()
                    assert stream.extra(tls.TLSAttribute.tls_version) == "TLSv1.3"
                group.cancel_scope.cancel()

    anyio.run(go)

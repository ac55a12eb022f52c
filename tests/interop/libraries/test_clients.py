"""HTTP and WebSocket clients over our contexts."""

from __future__ import annotations

import asyncio
import http.client
import ssl
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import PATIENCE, Site

BODY = b"a body " * 20_000


# Each: fetch the page, then send BODY and get it back, over one context.
def _http_client(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    connection = http.client.HTTPSConnection("localhost", site.port, context=context, timeout=PATIENCE)
    connection.request("GET", "/")
    page = connection.getresponse().read()
    connection.request("POST", "/", BODY)
    echo = connection.getresponse().read()
    connection.close()
    return page, echo


def _urllib(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    with (
        urllib.request.urlopen(site.url, context=context, timeout=PATIENCE) as page,
        urllib.request.urlopen(site.url, BODY, context=context, timeout=PATIENCE) as echo,
    ):
        return page.read(), echo.read()


def _urllib3(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    urllib3 = pytest.importorskip("urllib3", reason="the urllib3 package is not installed")
    with urllib3.PoolManager(ssl_context=context, timeout=PATIENCE, retries=False) as pool:
        return pool.request("GET", site.url).data, pool.request("POST", site.url, body=BODY).data


def _requests(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    requests = pytest.importorskip("requests", reason="the requests package is not installed")

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
            return super().init_poolmanager(*args, ssl_context=context, **kwargs)

    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(site.root if _trusts(context, site) else site.other_root)  # else it adds certifi's
        session.mount("https://", Adapter())
        return session.get(site.url, timeout=PATIENCE).content, session.post(site.url, BODY, timeout=PATIENCE).content


def _httpx(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    import httpx

    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE) as client:
        return client.get(site.url).content, client.post(site.url, content=BODY).content


def _httpx2(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    import httpx

    with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE, http2=True) as client:
        page = client.get(site.url)
        return page.content, client.post(site.url, content=BODY).content


def _run(work: Any) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(work, PATIENCE)

    return asyncio.run(limited())


def _httpx_async(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    return _run(_httpx_async_go(site, context))


async def _httpx_async_go(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    import httpx

    async with httpx.AsyncClient(verify=context, trust_env=False, timeout=PATIENCE, http2=True) as client:
        return (await client.get(site.url)).content, (await client.post(site.url, content=BODY)).content


def _httpx_trio(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    trio = pytest.importorskip("trio", reason="the trio package is not installed")

    async def go() -> tuple[bytes, bytes]:
        with trio.fail_after(PATIENCE):
            return await _httpx_async_go(site, context)

    return trio.run(go)


async def _aiohttp_go(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    aiohttp = pytest.importorskip("aiohttp", reason="the aiohttp package is not installed")
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session,
        session.get(site.url) as page,
        session.post(site.url, data=BODY) as echo,
    ):
        return await page.read(), await echo.read()


def _aiohttp(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    return _run(_aiohttp_go(site, context))


def _aiohttp_uvloop(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    uvloop = pytest.importorskip("uvloop", reason="the uvloop package is not installed")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:

        async def limited() -> tuple[bytes, bytes]:
            return await asyncio.wait_for(_aiohttp_go(site, context), PATIENCE)

        return runner.run(limited())


def _tornado(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    simple = pytest.importorskip("tornado.simple_httpclient")

    async def go() -> tuple[bytes, bytes]:
        client = simple.SimpleAsyncHTTPClient(force_instance=True)
        try:
            page = await client.fetch(site.url, ssl_options=context)
            echo = await client.fetch(site.url, ssl_options=context, method="POST", body=BODY)
            return page.body, echo.body
        finally:
            client.close()

    return _run(go())


def _anyio(site: Site, context: ssl.SSLContext) -> tuple[bytes, bytes]:
    import anyio

    async def exchange(request: bytes) -> bytes:
        stream = await anyio.connect_tcp("localhost", site.port, ssl_context=context, tls_standard_compatible=False)
        async with stream:
            await stream.send(request)
            received = b""
            try:
                while True:
                    received += await stream.receive()
            except anyio.EndOfStream:
                return received.partition(b"\r\n\r\n")[2]

    async def go() -> tuple[bytes, bytes]:
        head = b" / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        post = b"POST" + head + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
        return await exchange(b"GET" + head + b"\r\n"), await exchange(post)

    async def limited() -> tuple[bytes, bytes]:
        with anyio.fail_after(PATIENCE):
            return await go()

    return anyio.run(limited)


def _trusts(context: Any, site: Site) -> bool:
    return str(site.root) in context.glasslock.store().name


CLIENTS: dict[str, Callable[[Site, Any], tuple[bytes, bytes]]] = {
    "http.client": _http_client,
    "urllib": _urllib,
    "urllib3": _urllib3,
    "requests": _requests,
    "httpx": _httpx,
    "httpx-h2": _httpx2,
    "httpx-async-h2": _httpx_async,
    "httpx-trio-h2": _httpx_trio,
    "aiohttp": _aiohttp,
    "aiohttp-uvloop": _aiohttp_uvloop,
    "tornado": _tornado,
    "anyio": _anyio,
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client(name: str, site: Site) -> None:
    assert CLIENTS[name](site, site.client()) == (Site.page, BODY)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_wrong_root_is_explained(name: str, site: Site) -> None:
    """Whatever a library makes of the error, the person reads our explanation, or it is the error's cause."""
    told: list[str] = []
    error: BaseException | None = None
    try:
        CLIENTS[name](site, site.stranger())
    except Exception as caught:  # noqa: BLE001 - each library has its own
        error = caught
    while error is not None:
        told.append(str(error))
        error = error.__cause__ or error.__context__
    assert any("CERTIFICATE_VERIFY_FAILED" in text and "trust" in text for text in told), told


def test_http2_is_what_it_says(site: Site) -> None:
    import httpx

    with (
        httpx.Client(verify=site.client(), trust_env=False, http2=True, timeout=PATIENCE) as client,
        client.stream("GET", site.url) as response,
    ):
        tls = response.extensions["network_stream"].get_extra_info("ssl_object")
        ours = response.headers["server"] == "glasslock"
        assert tls.selected_alpn_protocol() == ("h2" if ours else None)
        assert response.http_version == ("HTTP/2" if ours else "HTTP/1.1")


def test_a_burst_of_frames(files: Site) -> None:
    """websocket-client asks select and `pending()`: nothing may wait unseen."""
    websocket = pytest.importorskip("websocket", reason="the websocket package is not installed")
    server_module = pytest.importorskip("websockets.sync.server")

    def serve(connection: Any) -> None:
        for number in range(50):
            connection.send(f"frame {number}")
        connection.recv()

    with server_module.serve(serve, "127.0.0.1", 0, ssl=files.server()) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        client = websocket.create_connection(
            f"wss://localhost:{port}/", sslopt={"context": files.client()}, timeout=PATIENCE
        )
        assert [client.recv() for _ in range(50)] == [f"frame {number}" for number in range(50)]
        client.send("done")
        client.close()
        server.shutdown()
        thread.join(PATIENCE)


def test_websockets_over_asyncio(files: Site) -> None:
    websockets = pytest.importorskip("websockets", reason="the websockets package is not installed")

    async def serve(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async def go() -> None:
        async with websockets.serve(serve, "127.0.0.1", 0, ssl=files.server(), max_size=None) as server:
            port = server.sockets[0].getsockname()[1]
            async with websockets.connect(f"wss://localhost:{port}/", ssl=files.client(), max_size=None) as client:
                await client.send(b"y" * 300_000)
                assert await client.recv() == b"y" * 300_000

    _run(go())

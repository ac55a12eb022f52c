"""Python's network libraries over our contexts: a site of ours, a site of OpenSSL's, contexts for both sides."""

from __future__ import annotations

import gc
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from glasslock.adapters import SSLContext, create_default_context
from glasslock.authority import Authority
from glasslock.https import serving
from glasslock.tls import Credential

PATIENCE = 20.0  # seconds

# Other people's code closes as it likes; what is tested here is whether it works over ours.
UNTIDY = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.interop)
            item.add_marker(UNTIDY)
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


@pytest.fixture(scope="module", autouse=True)
def swept() -> Iterator[None]:
    """What other people's code leaves open is collected here, not in the middle of somebody else's test."""
    yield
    gc.collect()


@dataclass(frozen=True)
class Site:
    """An HTTPS site with its files. `page` is what it answers."""

    port: int
    root: Path
    other_root: Path
    chain: Path
    key: Path
    page: bytes = b"x" * 100_000

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/"

    def client(self, *protocols: str) -> SSLContext:
        context = create_default_context(cafile=self.root)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def stranger(self) -> SSLContext:
        return create_default_context(cafile=self.other_root)

    def server(self, *protocols: str) -> SSLContext:
        context = create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def openssl_client(self, *protocols: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.root)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


async def page_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers every request with the page, or with what was sent."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    content = body or Site.page
    headers = [(b"content-length", str(len(content)).encode()), (b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Site:
    place = tmp_path_factory.mktemp("libraries")
    authority = Authority.ephemeral()
    authority.issue(["localhost", "127.0.0.1"]).write(place / "chain.pem", place / "key.pem")
    (place / "root.pem").write_bytes(authority.root_pem)
    (place / "other.pem").write_bytes(Authority.ephemeral().root_pem)
    return Site(0, place / "root.pem", place / "other.pem", place / "chain.pem", place / "key.pem")


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(Site.page)))
        self.end_headers()
        self.wfile.write(Site.page)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that refuses the certificate is part of a test."""


@pytest.fixture(scope="session", params=["ours", "openssl"])
def site(request: pytest.FixtureRequest, files: Site) -> Iterator[Site]:
    """HTTP/1.1 and, where it is ours, HTTP/2."""
    if request.param == "ours":
        credential = Credential.from_pem(files.chain.read_bytes(), files.key.read_bytes())
        with serving(page_app, credentials=[credential]) as served:
            yield Site(served.port, files.root, files.other_root, files.chain, files.key)
        return
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    with _Server(("127.0.0.1", 0), _Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield Site(server.server_port, files.root, files.other_root, files.chain, files.key)
        server.shutdown()
        thread.join()

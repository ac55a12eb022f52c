"""A small HTTPS site on loopback, for demonstrations and tests."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from ..adapters import SSLContext
from ..tls import Credential
from ..trace import Observer

HTML = "text/html; charset=utf-8"


class Site:
    """Answers GET for each path of `pages` (content type, content); a context manager.

    The certificate is whatever `credential` shows: an honest site and an impostor differ in nothing else.
    """

    def __init__(
        self, credential: Credential, pages: Mapping[str, tuple[str, bytes]], observer: Observer | None = None
    ) -> None:
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.glasslock.credentials[credential.key_kind] = credential
        context.glasslock.observer = observer
        self._server = _Server(("127.0.0.1", 0), _handler(dict(pages)))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="site", daemon=True)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who leaves, or refuses us, is part of the story and no error of the site's."""


def _handler(pages: dict[str, tuple[str, bytes]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and content leave together
        timeout = 10

        def do_GET(self) -> None:
            kind, content = pages.get(self.path.partition("?")[0], (HTML, b""))
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Says nothing: the trace says it."""

    return Handler

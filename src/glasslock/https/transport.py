"""httpx over our connections, telling the story of each request and naming each failure.

httpx has the user's side of HTTP (URLs, redirects, cookies), httpcore the wire's (HTTP/1.1, HTTP/2, pooling). What
is ours in between: nothing leaves without encryption, the trace hears of every request and response, and errors
of httpcore come out as `HttpFailed`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, cast

import h2.exceptions
import httpcore
import httpx

from ..errors import HttpFailed
from ..registry import Side
from ..tls import ClientConfig
from ..trace import HttpRequest, HttpResponse
from .dialing import Backend, NoContext, Route, with_protocols


class Transport(httpx.BaseTransport):
    """Give it to `httpx.Client(transport=...)`."""

    def __init__(self, config: ClientConfig, *, http2: bool = True, route: Route | None = None) -> None:
        self._observer = config.observer
        self._clock = config.clock
        self._pool = httpcore.ConnectionPool(
            ssl_context=cast(Any, NoContext()),
            http2=http2,
            network_backend=Backend(with_protocols(config, http2=http2), route or Route()),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one response; its content is read later. HttpFailed, ConnectFailed, TLSError."""
        url = request.url
        if url.scheme != "https":
            raise HttpFailed(
                "not-https", f"{url} is not https://: without TLS anyone on the way can read and change it"
            )
        story = _Story(self, request)
        extensions = dict(request.extensions) | {"trace": story}
        core = httpcore.Request(
            method=request.method,
            url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=extensions,
        )
        with named_failures():
            response = self._pool.handle_request(core)
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(cast(Any, response.stream)),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()

    def tell_request(self, request: httpx.Request, http_version: str) -> None:
        """Called when the request's head goes out."""
        if self._observer is not None:
            self._observer(
                HttpRequest(
                    time=self._clock(),
                    side=Side.CLIENT,
                    http_version=http_version,
                    method=request.method,
                    url=str(request.url),
                    headers=tuple(request.headers.multi_items()),
                )
            )

    def tell_response(self, http_version: str, status: int, reason: str, headers: Any, seconds: float) -> None:
        """Called when the response's head has come."""
        if self._observer is not None:
            self._observer(
                HttpResponse(
                    time=self._clock(),
                    side=Side.CLIENT,
                    http_version=http_version,
                    status=status,
                    reason=reason,
                    headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers),
                    seconds=seconds,
                )
            )


class _Story:
    """httpcore's trace extension: it says when a head goes out and when one has come in."""

    def __init__(self, transport: Transport, request: httpx.Request) -> None:
        self._transport = transport
        self._request = request
        self._sent = 0.0

    def __call__(self, event: str, info: dict[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            self._sent = time.monotonic()
            self._transport.tell_request(self._request, "2" if event.startswith("http2.") else "1.1")
        elif event.endswith(".receive_response_headers.complete"):
            seconds = time.monotonic() - self._sent
            if event.startswith("http2."):
                status, headers = info["return_value"]
                self._transport.tell_response("2", status, "", headers, seconds)
            else:
                version, status, reason, headers, *_ = info["return_value"]
                number = version.decode("ascii").removeprefix("HTTP/")
                self._transport.tell_response(number, status, reason.decode("latin-1"), headers, seconds)


class _Body(httpx.SyncByteStream):
    """The response's content as it comes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with named_failures():
            yield from self._stream

    def close(self) -> None:
        self._stream.close()


# Which of httpcore's errors is which of ours.
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (httpcore.RemoteProtocolError, "protocol"),
    (httpcore.LocalProtocolError, "bad-request"),
    (httpcore.UnsupportedProtocol, "not-https"),
    (httpcore.TimeoutException, "timeout"),
)
_TRUNCATED = ("incomplete", "without complete", "without sending")


@contextlib.contextmanager
def named_failures() -> Iterator[None]:
    """Turns httpcore's errors into ours. What our own layers raise passes as it is."""
    try:
        yield
    except (httpcore.ProtocolError, httpcore.NetworkError, httpcore.TimeoutException) as problem:
        text = str(problem) or type(problem).__name__
        code = next((code for kind, code in _CODES if isinstance(problem, kind)), "network")
        if code == "bad-request" and any(isinstance(why, h2.exceptions.ProtocolError) for why in problem.args):
            code = "protocol"  # httpcore calls everything that h2 does not like a local error
        if code == "protocol" and any(words in text for words in _TRUNCATED):
            code = "truncated"
        raise HttpFailed(code, _WORDS[code].format(text)) from problem


_WORDS = {
    "protocol": "the server broke a rule of HTTP: {}",
    "bad-request": "this request cannot be sent: {}",
    "not-https": "{}",
    "timeout": "the server took too long: {}",
    "network": "the connection failed: {}",
    "truncated": "the response broke off before its end: {}",
}

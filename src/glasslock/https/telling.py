"""The server's side of HTTP, told: an ASGI layer around an application."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from ..registry import Side
from ..trace import HttpRequest, HttpResponse
from .accepting import ACCEPTED

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Telling:
    """Tells each request and its response to whoever follows the connection that it came on."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accepted = ACCEPTED.get()
        if scope["type"] != "http" or accepted is None or accepted.observer is None:
            await self._app(scope, receive, send)
            return
        observer = accepted.observer
        began = time.monotonic()
        observer(
            HttpRequest(
                time=time.time(),
                side=Side.SERVER,
                http_version=scope["http_version"],
                method=scope["method"],
                url=_url(scope),
                headers=_headers(scope["headers"]),
            )
        )

        async def tell_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                observer(
                    HttpResponse(
                        time=time.time(),
                        side=Side.SERVER,
                        http_version=scope["http_version"],
                        status=message["status"],
                        reason=_reason(message["status"]),
                        headers=_headers(message.get("headers", ())),
                        seconds=time.monotonic() - began,
                    )
                )
            await send(message)

        await self._app(scope, receive, tell_and_send)


def _url(scope: Scope) -> str:
    host = next((value for name, value in scope["headers"] if name in (b"host", b":authority")), b"")
    query = scope.get("query_string", b"")
    path = (scope.get("raw_path") or scope["path"].encode("utf-8", "replace")) + (b"?" + query if query else b"")
    return f"{scope['scheme']}://{host.decode('latin-1')}{path.decode('latin-1')}"


def _headers(pairs: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

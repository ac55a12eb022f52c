"""Connections of a server, told while they happen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from glasslock.trace import ConnectionClosed, HandshakeCompleted, HttpRequest, HttpResponse, TraceRecord
from glasslock.views.story import Story, stories

from .render import can_show
from .server import agreed, ended, exchange, unagreed
from .style import BAD, GOOD, MAX_WIDTH, MIN_WIDTH, QUIET, Paper, line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, RenderableType

MAX_RECORDS = 2_000  # of one connection; what comes after is not part of its story


class LineTeller:
    """An observer of one connection: a line for each request, and for each connection that failed."""

    def __init__(self, peer: tuple[str, int], console: Console) -> None:
        self._peer = f"{peer[0]}:{peer[1]}"
        self._console = console
        self._agreed = False
        self._request: HttpRequest | None = None

    def __call__(self, record: TraceRecord) -> None:
        match record:
            case HandshakeCompleted():
                self._agreed = True
            case HttpRequest():
                self._request = record
            case HttpResponse() if self._request is not None:
                path = "/" + self._request.url.partition("://")[2].partition("/")[2]
                self._say(f"{self._request.method} {path}", (f"{record.status}", GOOD if record.status < 400 else BAD))
            case ConnectionClosed(clean=False) if not self._agreed:
                self._say("no connection:", (record.problem, BAD))

    def _say(self, what: str, outcome: tuple[str, str]) -> None:
        now = time.strftime("%H:%M:%S")
        text = line((f"{now}  {self._peer}  ", QUIET), f"{what}  ", outcome)
        self._console.print(Paper(text, ascii_only=not can_show(self._console)), soft_wrap=True)


class StoryTeller:
    """An observer of one connection: its story from the server's side, piece by piece as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._records: list[TraceRecord] = []
        self._agreed = False
        self._request: HttpRequest | None = None

    def __call__(self, record: TraceRecord) -> None:
        if len(self._records) < MAX_RECORDS:
            self._records.append(record)
        match record:
            case HandshakeCompleted():
                self._agreed = True
                self._say(agreed(self._story()))
            case HttpRequest():
                self._request = record
            case HttpResponse() if self._request is not None:
                self._say([exchange(self._request, record)])
            case ConnectionClosed():
                self._say(ended(self._story()) if self._agreed else unagreed(self._story()))

    def _story(self) -> Story:
        return stories(self._records)[0]

    def _say(self, parts: Iterable[RenderableType]) -> None:
        width = max(MIN_WIDTH, min(self._console.width, MAX_WIDTH))
        for part in parts:
            self._console.print(Paper(part, ascii_only=not can_show(self._console)), width=width)

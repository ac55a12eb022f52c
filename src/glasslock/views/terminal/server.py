"""The server's side of the story: a few compact lines for each connection that came in."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from rich.padding import Padding

from glasslock.trace import (
    BodyReceived,
    CertificatesReceived,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    MessageReceived,
    TcpConnected,
    TraceRecord,
)
from glasslock.views.ending import how_it_ended
from glasslock.views.names import card

from .agree import summary
from .reach import far_end
from .style import ACCENT, BAD, DOUBT, GOOD, LOCKED, QUIET, STRONG, UNLOCKED, duration, join, line, size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from glasslock.views.story import Story

_INDENT = 12


def served(story: Story) -> list[RenderableType]:
    """Tell one connection from the server's side; times are local."""
    if story.first(HandshakeCompleted) is None:
        return unagreed(story)
    asked = [exchange(request, response, body) for request, response, body in _requests(story)]
    return [*agreed(story), *asked, *ended(story)]


def unagreed(story: Story) -> list[RenderableType]:
    """Tell of a handshake that failed."""
    ending = how_it_ended(story)
    parts: list[RenderableType] = [
        line(_clock(story), f"{UNLOCKED} ", (far_end(story), STRONG), "  ", (ending.headline, BAD))
    ]
    parts.append(_below(line(ending.cause)))
    if ending.fix:
        parts.append(_below(line((ending.fix, QUIET))))
    return parts


def agreed(story: Story) -> list[RenderableType]:
    """Tell who came and what was agreed, as soon as it is."""
    done = story.first(HandshakeCompleted)
    if done is None:
        return []
    first = line(_clock(story), f"{LOCKED} ", (far_end(story), STRONG), "  ")
    return [first.append_text(join([line(word) for word in summary(done)])), _below(join(_details(story, done)))]


def exchange(request: HttpRequest, response: HttpResponse | None, body: BodyReceived | None = None) -> RenderableType:
    """Tell one request and its response."""
    return _below(_request(request, response, body))


def ended(story: Story) -> list[RenderableType]:
    """Tell how it ended, if there is something to say about that."""
    ending = how_it_ended(story)
    if not ending.padlock:
        return [_below(line((ending.headline, BAD), f": {ending.cause}"))]
    return [_below(line((ending.warning, QUIET)))] if ending.warning else []


def _clock(story: Story) -> tuple[str, str]:
    return datetime.fromtimestamp(story.started).astimezone().strftime("%H:%M:%S") + "  ", QUIET


def _below(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, _INDENT))


def _details(story: Story, done: HandshakeCompleted) -> list[Text]:
    facts = []
    if done.server_name:
        facts.append(line("asked for ", (done.server_name, STRONG)))
    seconds = story.timings()[2].seconds
    if seconds is not None:
        facts.append(line(f"handshake {duration(seconds)}"))
    connected = story.first(TcpConnected)
    if connected is not None and connected.info is not None and connected.info.rtt is not None:
        facts.append(line(f"RTT {duration(connected.info.rtt)}"))
    if done.retried:
        facts.append(line(("asked for another key share", DOUBT)))
    if done.early_data:
        facts.append(line(("early data", DOUBT)))
    shown = story.last(CertificatesReceived)
    if done.client_authenticated and shown is not None and shown.chain:
        facts.append(line("client is ", (card(shown.chain[0]).subject, GOOD)))
    return facts or [line((f"{len(story.all(MessageReceived))} messages", QUIET))]


def _requests(story: Story) -> list[tuple[HttpRequest, HttpResponse | None, BodyReceived | None]]:
    found: list[tuple[HttpRequest, HttpResponse | None, BodyReceived | None]] = []
    relevant: list[TraceRecord] = [r for r in story.records if isinstance(r, HttpRequest | HttpResponse | BodyReceived)]
    for record in relevant:
        if isinstance(record, HttpRequest):
            found.append((record, None, None))
        elif found and isinstance(record, HttpResponse):
            found[-1] = (found[-1][0], record, found[-1][2])
        elif found and isinstance(record, BodyReceived):
            found[-1] = (*found[-1][:2], record)
    return found


def _request(request: HttpRequest, response: HttpResponse | None, body: BodyReceived | None) -> Text:
    text = line(("← ", GOOD), (request.method, STRONG), f" {request.url}")
    if response is not None:
        colour = GOOD if response.status < 400 else BAD
        text.append_text(line(("  → ", ACCENT), (f"{response.status} {response.reason}".strip(), colour)))
        text.append_text(line((f"  {duration(response.seconds)}", QUIET)))
    if body is not None:
        text.append_text(line((f"  {size(body.wire_length)}", QUIET)))
    return text

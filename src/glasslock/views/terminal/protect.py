"""Step 4 on the page: what the two ends read beside what an eavesdropper reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glasslock.registry import ContentType
from glasslock.tls.wire.dissect import dissect_message
from glasslock.trace import (
    BodyReceived,
    DataReceived,
    DataSent,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    RecordReceived,
    RecordSent,
    Step,
)

from .layout import INDENT, dump, heading, rows, unreached
from .style import ACCENT, GOOD, QUIET, STRONG, duration, line, size

if TYPE_CHECKING:
    from rich.console import RenderableType

    from glasslock.views.story import Story

_SIDE_BY_SIDE = 72  # cells from which both columns fit beside each other


@dataclass(slots=True)
class Exchange:
    """One request and its response, as meant and as sent."""

    request: HttpRequest | None = None
    response: HttpResponse | None = None
    body: BodyReceived | None = None
    data_sent: list[bytes] = field(default_factory=list)
    data_received: list[bytes] = field(default_factory=list)
    records_sent: list[bytes] = field(default_factory=list)
    records_received: list[bytes] = field(default_factory=list)


def exchanges(story: Story) -> list[Exchange]:
    """Cut what was said into requests with their responses; without HTTP it is one exchange."""
    found = [Exchange()]
    for record in story.records:
        now = found[-1]
        match record:
            case HttpRequest():
                if now.request is not None:
                    found.append(now := Exchange())
                now.request = record
            case HttpResponse():
                now.response = record
            case BodyReceived():
                now.body = record
            case DataSent():
                now.data_sent.append(record.data)
            case DataReceived():
                now.data_received.append(record.data)
            case RecordSent() if _is_data(record):
                now.records_sent.append(record.raw)
            case RecordReceived() if _is_data(record):
                now.records_received.append(record.raw)
    return [e for e in found if e.request or e.data_sent or e.data_received]


def _is_data(record: RecordSent | RecordReceived) -> bool:
    return record.protected and record.content_type == ContentType.APPLICATION_DATA


def protect(story: Story, width: int, *, verbose: bool) -> list[RenderableType]:
    """Tell step 4."""
    said = exchanges(story)
    first = said[0] if said else None
    spent = ""
    if first is not None and first.response is not None:
        spent = duration(first.response.seconds + (first.body.seconds if first.body else 0.0))
    parts: list[RenderableType] = [heading(Step.PROTECT, "every byte encrypted and authenticated", spent, width)]
    if not said:
        if story.first(HandshakeCompleted) is None:
            return [unreached(Step.PROTECT, width)]
        return [*parts, rows([("", line(("nothing was sent", QUIET)))])]
    shown = said if verbose else said[:1]
    limits = (12, 16) if verbose else (4, 5)
    parts += [Padding(_both_eyes(exchange, width - INDENT, *limits), (0, 0, 0, INDENT)) for exchange in shown]
    if len(said) > len(shown):
        parts.append(Padding(line((f"and {len(said) - len(shown)} more requests", QUIET)), (0, 0, 0, INDENT)))
    return [*parts, Padding(_learned(story), (0, 0, 0, INDENT))]


def _both_eyes(exchange: Exchange, width: int, request_lines: int, response_lines: int) -> RenderableType:
    """Set plaintext and ciphertext side by side, or under each other where it is narrow."""
    beside = width >= _SIDE_BY_SIDE
    column = (width - 3) // 2 if beside else width
    blocks = (
        ("→ ", ACCENT, _request(exchange), exchange.records_sent, request_lines),
        ("← ", GOOD, _response(exchange), exchange.records_received, response_lines),
    )
    titles = line(("what you read", STRONG)), line(("what an eavesdropper reads", STRONG))
    grid = Table.grid(padding=(0, 0))
    if beside:
        grid.add_column(width=column, no_wrap=True, overflow="ellipsis")
        grid.add_column(width=3)
        grid.add_column(width=column, no_wrap=True, overflow="ellipsis")
        bar = Text(" │ ", style=QUIET)
        grid.add_row(titles[0], bar, titles[1])
        for arrow, colour, text, records, limit in blocks:
            left = _lines(text, arrow, colour, limit)
            right = _cipher(records, column, max(2, min(len(left), limit)))
            for i in range(max(len(left), len(right))):
                near = left[i] if i < len(left) else Text()
                far = right[i] if i < len(right) else Text()
                grid.add_row(near, bar, far)
        return grid
    grid.add_column(width=column, no_wrap=True, overflow="ellipsis")
    for arrow, colour, text, records, limit in blocks:
        grid.add_row(line((arrow, colour), titles[0]))
        grid.add_row(Group(*_lines(text, "  ", colour, limit)))
        grid.add_row(line("  ", titles[1]))
        grid.add_row(Padding(Group(*_cipher(records, column - 2, 2)), (0, 0, 0, 2)))
    return grid


def _lines(texts: list[str], arrow: str, colour: str, limit: int) -> list[Text]:
    """Turn text into at most `limit` lines, the first behind an arrow."""
    cut = texts if len(texts) <= limit else _excerpt(texts, limit)
    return [
        line(
            (arrow if i == 0 else "  ", colour),
            (text, STRONG if i == 0 else QUIET if text[:1] == "…" else ""),
        )
        for i, text in enumerate(cut)
    ]


def _excerpt(texts: list[str], limit: int) -> list[str]:
    """The beginning, and of a message with content the beginning of that too: it is what people came for."""
    content = texts.index("") + 1 if "" in texts else 0
    told = [text for text in texts if text]
    if not content or limit < 4:
        return [*told[: limit - 1], f"… {len(told) - limit + 1} more lines"]
    return [*told[: limit - 2], f"… {len(told) - limit + 1} more lines", texts[content]]


def _request(exchange: Exchange) -> list[str]:
    data = b"".join(exchange.data_sent)
    request = exchange.request
    if request is None or _is_text(data):
        return _as_text(data)
    path = "/" + request.url.partition("://")[2].partition("/")[2]
    version = request.http_version.removeprefix("HTTP/")
    return [
        f"{request.method} {path} HTTP/{version}",
        *(f"{name}: {value}" for name, value in request.headers),
    ]


def _response(exchange: Exchange) -> list[str]:
    data = b"".join(exchange.data_received)
    response, body = exchange.response, exchange.body
    if response is None or (_is_text(data) and not (body and body.length != body.wire_length)):
        return _as_text(data)
    version = response.http_version.removeprefix("HTTP/")
    head = f"HTTP/{version} {response.status} {response.reason}".rstrip()
    lines = [head, *(f"{name}: {value}" for name, value in response.headers)]
    if body is not None:
        packed = f", {size(body.wire_length)} on the wire" if body.wire_length != body.length else ""
        lines.append(f"({size(body.length)} of content{packed})")
    return lines


def _is_text(data: bytes) -> bool:
    try:
        text = data[:4096].decode("utf-8", "strict" if len(data) <= 4096 else "ignore")
    except UnicodeDecodeError:
        return False
    return bool(text) and all(c.isprintable() or c in "\r\n\t" for c in text)


def _as_text(data: bytes) -> list[str]:
    if not data:
        return ["(nothing was accepted)"]
    if not _is_text(data):
        return [f"({size(len(data))} that are not text)", data[:24].hex(" ")]
    head, blank, content = data[:4096].decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")
    lines = _filled(head)
    if blank and _filled(content):
        lines += ["", *_filled(content)]
    return lines or ["(blank)"]


def _filled(text: str) -> list[str]:
    return [each.replace("\t", "  ") for each in text.split("\n") if each.strip()]


def _cipher(records: list[bytes], width: int, limit: int) -> list[Text]:
    """Show records as whoever listens gets them: five readable bytes of header, then noise."""
    if not records:
        return []
    columns = max(4, (width + 1) // 3)
    first, total = records[0], sum(map(len, records))
    room = columns * limit
    hexes = [text for _, text, _ in dump(first[:room], columns, spans=((0, 5, ACCENT), (5, len(first), QUIET)))]
    more = total - min(len(first), room)
    if more > 0:
        count = f" in {len(records)} records" if len(records) > 1 else ""
        hexes[-1] = line((f"… {size(more)} more{count}", QUIET)) if len(hexes) == limit else hexes[-1]
        if len(hexes) < limit:
            hexes.append(line((f"… {size(more)} more{count}", QUIET)))
    return hexes


def _learned(story: Story) -> Text:
    """Sum up what somebody on the path knows now."""
    name = _visible_name(story)
    known = f"addresses, times, sizes{f', the name {name}' if name else ''}"
    return line((f"visible to all: {known}", QUIET))


def _visible_name(story: Story) -> str:
    """The server name that travelled in the clear, read from the first ClientHello."""
    hellos = [m.raw for m in story.messages if m.raw[:1] == b"\x01"]
    if not hellos:
        return ""
    hello = dissect_message(hellos[0], 0x0304)
    extensions = next((f for f in hello.children if f.name == "extensions"), None)
    if extensions is None:
        return ""
    return next((f.value for f in extensions.children if f.name == "server_name"), "")

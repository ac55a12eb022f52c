"""The deepest look: every message as it came, taken apart into fields, with its bytes."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from glasslock.registry import AlertDescription, ProtocolVersion, name_of
from glasslock.tls.wire.dissect import Field, dissect_alert, dissect_message
from glasslock.trace import (
    AlertReceived,
    AlertSent,
    InnerHello,
    KeysInstalled,
    MessageReceived,
    MessageSent,
    RecordReceived,
    RecordSent,
)
from glasslock.views.names import cipher

from .layout import dump
from .style import ACCENT, BAD, BREAK, DOUBT, GOOD, KEY, QUIET, STRONG, duration, line, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from glasslock.trace import TraceRecord
    from glasslock.views.story import Story

_MAX_DUMP = 4096  # bytes; the rest is in the JSON
_OBVIOUS = ("length", "extension_type", "data")  # said by the numbers in front, the name, the value
_INKS = (ACCENT, GOOD, DOUBT, KEY)  # neighbours in a dump differ


def messages(story: Story, width: int) -> list[RenderableType]:
    """Show every message, alert and change of keys, in order."""
    parts: list[RenderableType] = [
        line(("EVERY MESSAGE", f"{STRONG} {ACCENT}"), ("  as it travelled, taken apart", QUIET))
    ]
    for record in story.records:
        parts += _one(record, story.started, width)
    return parts if len(parts) > 1 else []


def _one(record: TraceRecord, started: float, width: int) -> list[RenderableType]:
    when = duration(max(0.0, record.time - started))
    match record:
        case MessageSent() | MessageReceived() | InnerHello():
            return [Text(), *_message(record, when, width)]
        case RecordSent() | RecordReceived():
            return [_moment(when, _record(record))]
        case AlertSent() | AlertReceived():
            return [_moment(when, _alert(record))]
        case KeysInstalled():
            side = "what we send" if record.direction == "send" else "what we receive"
            text = f"new keys for {side}: {record.epoch}, {cipher(record.cipher_suite)}"
            return [_moment(when, line(("■ ", KEY), (text, KEY)))]
    return []


def _moment(when: str, content: Text) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8, justify="right", style=QUIET, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(when, content)
    return grid


def _arrow(record: TraceRecord) -> tuple[str, str]:
    sent = isinstance(record, MessageSent | RecordSent | AlertSent)
    return ("→ ", ACCENT) if sent else ("← ", GOOD)


def _record(record: RecordSent | RecordReceived) -> Text:
    return line(
        _arrow(record),
        ("record  ", QUIET),
        (record.raw[:5].hex(" "), ACCENT),
        (
            f" …  {size(len(record.raw))}, {f'{record.epoch} keys' if record.protected else 'in the clear'}",
            QUIET,
        ),
    )


def _alert(record: AlertSent | AlertReceived) -> Text:
    level, description = record.level & 0xFF, record.description & 0xFF
    peaceful = description in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)
    return line(
        _arrow(record),
        (f"alert {name_of(AlertDescription, description)}", f"{STRONG} {GOOD if peaceful else BAD}"),
        (f"  {dissect_alert(bytes([level, description])).note}", QUIET),
    )


def _message(record: MessageSent | MessageReceived | InnerHello, when: str, width: int) -> Iterator[RenderableType]:
    inner = isinstance(record, InnerHello)
    tree = dissect_message(record.raw, ProtocolVersion.TLS_1_3 if isinstance(record, InnerHello) else record.version)
    yield _moment(
        when,
        line(
            ("■ ", KEY) if inner else _arrow(record),
            (tree.name, STRONG),
            ("  inside the encrypted one, for the two ends only" if inner else "", KEY),
            (f"  {size(len(record.raw))}", QUIET),
            (f"  {record.rule}", QUIET),
        ),
    )
    if tree.note:
        yield Padding(line((tree.note, QUIET)), (0, 0, 0, 11))
    inks = _colours(tree)
    fields = Table.grid(padding=(0, 1, 0, 0))
    fields.add_column(width=10, justify="right", style=QUIET, no_wrap=True)
    fields.add_column(overflow="fold")
    for child in tree.children:
        _field(fields, child, 0, inks, width)
    yield fields
    yield _hex(record.raw, inks, width)


def _colours(tree: Field) -> dict[int, str]:
    """Give each field, and each extension, an ink of its own: the same above and in the dump."""
    inks: dict[int, str] = {}
    pieces = [
        piece
        for child in tree.children
        for piece in (child.children[1:] if child.name == "extensions" and child.children else (child,))
    ]
    for position, piece in enumerate(pieces):
        inks[piece.offset] = _INKS[position % len(_INKS)]
    return inks


def _field(grid: Table, field: Field, depth: int, inks: dict[int, str], width: int) -> None:
    ink = inks.get(field.offset, "") if depth <= 1 else ""
    inner = [child for child in field.children if child.name not in _OBVIOUS]
    leaf = not inner or _is_flat(inner)
    room = width - 12 - 2 * depth
    value = _short(field, room) if leaf or len(field.value) < room // 2 else ""
    text = line((field.name, f"{ink} {STRONG}" if depth <= 1 else ink), f"  {value}" if value else "")
    if field.note:
        fits = text.cell_len + 2 + len(field.note) <= room
        text.append_text(line("  " if fits else BREAK, (field.note, f"{QUIET} italic")))
    grid.add_row(f"{field.offset}+{field.length}", Padding(text, (0, 0, 0, 2 * depth)))
    if not leaf:
        for child in inner:
            _field(grid, child, depth + 1, inks, width)


def _is_flat(fields: list[Field]) -> bool:
    """Whether these are items of one plain list, which the parent's value already names."""
    return len({f.name for f in fields}) == 1 and not any(f.children or f.note for f in fields) and len(fields) > 1


def _short(field: Field, room: int) -> str:
    """Cut a long value; bytes keep their beginning and end, for the dump below has them all."""
    value = field.value
    if len(value) <= room - len(field.name) - 2:
        return value
    if len(value) >= 2 * field.length - 8 and set(value) <= set("0123456789abcdef"):
        return f"{value[:16]}…{value[-8:]}"
    return value if len(value) <= 4 * room else f"{value[: 4 * room]}… ({len(value):,} characters)"


def _hex(raw: bytes, inks: dict[int, str], width: int) -> Table:
    columns = 16 if width >= 78 else 8
    ends = sorted([*inks, len(raw)])
    spans = [(start, end - start, inks[start]) for start, end in pairwise(ends)]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=9, justify="right", style=QUIET)
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True, style=QUIET)
    for offset, text, shown in dump(raw[:_MAX_DUMP], columns, spans=spans):
        grid.add_row(offset, text, Text(shown))
    if len(raw) > _MAX_DUMP:
        grid.add_row("…", line((f"{size(len(raw) - _MAX_DUMP)} more; --json has them all", QUIET)), "")
    return grid

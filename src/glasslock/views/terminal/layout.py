"""The few shapes that every section is made of: a heading, labelled rows, a tree, a dump of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .style import ACCENT, QUIET, STRONG, line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from glasslock.trace import Step

INDENT = 2
LABEL = 13  # cells for the names of rows


def heading(step: Step, sentence: str, right: str, width: int) -> Text:
    """Make the line that opens a step: its number and name, what it is about, and how long it took."""
    left = line((f"{step.value} {step.name}", f"{STRONG} {ACCENT}"))
    if left.cell_len + len(sentence) + len(right) + 8 <= width:
        left.append_text(line("  ", (sentence, QUIET)))
    left.append(" ")
    end = line((f" {right}", QUIET)) if right else Text()
    left.append("─" * max(0, width - left.cell_len - end.cell_len), QUIET)
    return left.append_text(end)


def unreached(step: Step, width: int) -> Text:
    """Make the line of a step that the connection did not get to."""
    left = line((f"{step.value} {step.name}  not reached ", QUIET))
    return left.append("─" * max(0, width - left.cell_len), QUIET)


def rows(items: Iterable[tuple[str, RenderableType]]) -> Padding:
    """Set labels in a quiet column on the left, what they name on the right."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=LABEL, no_wrap=True, style=QUIET)
    grid.add_column(overflow="fold")
    for label, content in items:
        grid.add_row(line(label), content)
    return Padding(grid, (0, 0, 0, INDENT))


def room(width: int) -> int:
    """How many cells the right column of `rows` has."""
    return width - INDENT - LABEL - 1


def branch(depth: int, *, last: bool = True) -> str:
    """The guide in front of a tree's node."""
    return "" if depth == 0 else "   " * (depth - 1) + ("└─ " if last else "├─ ")


def dump(
    data: bytes, columns: int, *, start: int = 0, spans: Sequence[tuple[int, int, str]] = ()
) -> Iterable[tuple[str, Text, str]]:
    """Cut bytes into lines of (offset, hex, characters); `spans` colour (offset, length, style) of them."""
    for position in range(0, len(data), columns):
        piece = data[position : position + columns]
        text = Text(piece.hex(" "), style=QUIET if not spans else "")
        for offset, length, style in spans:
            first = max(offset - position, 0)
            last = min(offset + length - position, len(piece))
            if first < last:
                text.stylize(style, first * 3, last * 3 - 1)
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in piece)
        yield f"{start + position:04x}", text, shown

"""What an attacker tried and what stopped him, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from .layout import rows
from .render import can_show
from .style import ACCENT, BAD, GOOD, MAX_WIDTH, MIN_WIDTH, QUIET, STRONG, Paper, line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console


def render_scene(title: str, items: Sequence[tuple[str, str]], stopped_by: str, *, console: Console) -> None:
    """Tell one attack: a heading, labelled rows, and what stopped it."""
    width = max(MIN_WIDTH, min(console.width, MAX_WIDTH))
    heading = line((title, f"{STRONG} {BAD}"), " ")
    heading.append("─" * max(0, width - heading.cell_len), QUIET)
    told = [(label, line(text)) for label, text in items]
    told.append(("stopped by", line((stopped_by, f"{STRONG} {GOOD}"))))
    page = Group(Text(), heading, rows(told))
    console.print(Paper(page, ascii_only=not can_show(console)), width=width)


def render_title(text: str, *, console: Console) -> None:
    """Tell what follows."""
    console.print(Paper(line((text, ACCENT)), ascii_only=not can_show(console)), soft_wrap=True)
    console.print()

"""Puts the page together, at three depths, for one connection after the other."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, TYPE_CHECKING

from rich.console import Console, Group
from rich.text import Text

from glasslock.registry import Side
from glasslock.trace import Note, Step
from glasslock.views.ending import how_it_ended
from glasslock.views.story import Story, stories

from .agree import agree
from .identify import identify
from .layout import rows
from .messages import messages
from .protect import protect
from .reach import reach
from .server import served
from .style import DOUBT, MAX_WIDTH, MIN_WIDTH, Paper, line
from .verdict import address, one_line, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from glasslock.trace import TraceRecord


class Depth(IntEnum):
    """How much is told: one line, one screen, or everything."""

    QUIET = 0
    DEFAULT = 1
    VERBOSE = 2


def make_console(file: IO[str] | None = None, *, width: int | None = None, stderr: bool = False) -> Console:
    """Make a console that writes plain text unless it is a terminal, and honours NO_COLOR.

    `width` in cells; by default the terminal's own, 80 where there is none.
    """
    return Console(file=file, width=width, stderr=stderr, highlight=False, markup=False, emoji=False)


def render(records: Sequence[TraceRecord], *, depth: Depth, console: Console) -> None:
    """Tell the story of each connection in `records`. Never raises for what a peer said."""
    width = max(MIN_WIDTH, min(console.width, MAX_WIDTH))
    ascii_only = not can_show(console)
    for position, story in enumerate(stories(records)):
        if depth is Depth.QUIET:
            console.print(Paper(one_line(story, how_it_ended(story)), ascii_only=ascii_only), soft_wrap=True)
            continue
        if position and story.side is Side.CLIENT:
            console.print()
        page = Group(*_page(story, depth, width))
        console.print(Paper(page, ascii_only=ascii_only), width=width)


def can_show(console: Console) -> bool:
    """Whether the console's encoding has the signs that the story is drawn with."""
    try:
        "✓─🔒".encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _page(story: Story, depth: Depth, width: int) -> list[RenderableType]:
    verbose = depth is Depth.VERBOSE
    if story.side is Side.SERVER:
        return [*served(story), *(messages(story, width) if verbose else [])]
    ending = how_it_ended(story)
    steps = {
        Step.REACH: reach(story, width, verbose=verbose),
        Step.IDENTIFY: identify(story, width, verbose=verbose),
        Step.AGREE: agree(story, width, verbose=verbose),
        Step.PROTECT: protect(story, width, verbose=verbose),
    }
    parts: list[RenderableType] = [address(story, ending)]
    for step, told in steps.items():
        parts += [Text(), *told]
        notes = [note for note in story.all(Note) if note.step is step]
        if notes:
            parts.append(rows([(note.who, line((note.text, DOUBT))) for note in notes]))
    if verbose:
        parts += [Text(), *messages(story, width)]
    return [*parts, Text(), *verdict(story, ending, width, verbose=verbose)]

"""The end of the page: padlock or not and why, who can fix it, and where the time went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import ROUNDED
from rich.console import Group
from rich.panel import Panel
from rich.text import Text

from glasslock.registry import Side
from glasslock.trace import CheckRan, HandshakeCompleted, HttpResponse, Outcome, VerdictReached
from glasslock.views.names import card

from .agree import summary
from .layout import INDENT, rows
from .reach import far_end
from .style import (
    ACCENT,
    BAD,
    BREAK,
    DOUBT,
    GOOD,
    KEY,
    LOCKED,
    QUIET,
    SIGNS,
    STRONG,
    UNLOCKED,
    duration,
    join,
    line,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from glasslock.views.ending import Ending
    from glasslock.views.story import Story

# Each part has a line of its own kind as well as a colour: the bar can be read without colour.
_BAR = {
    "resolve": ("╌", "blue"),
    "TCP": ("─", ACCENT),
    "TLS": ("━", KEY),
    "server": ("═", GOOD),
    "transfer": ("┄", DOUBT),
}


def address(story: Story, ending: Ending) -> Text:
    """Make the first line, which looks like a browser's address bar."""
    if ending.padlock:
        return line(f"{LOCKED} ", (story.url, f"{STRONG} {GOOD}"))
    return line(f"{UNLOCKED} ", (story.url, f"{STRONG} {BAD}"), ("  not secure", BAD))


def verdict(story: Story, ending: Ending, width: int, *, verbose: bool) -> list[RenderableType]:
    """Draw the verdict and, if anything was measured, the timing bar."""
    if ending.padlock:
        parts = _secure(story, ending)
    else:
        code = line((f" {ending.code} ", BAD)) if ending.code else None
        panel = Panel(
            _broken(story, ending, verbose=verbose),
            box=ROUNDED,
            border_style=BAD,
            padding=(0, 1),
            width=width,
            subtitle=code,
            subtitle_align="right",
        )
        parts = [panel]
    bar = timing_bar(story, width)
    return [*parts, *([bar] if bar is not None else [])]


def _secure(story: Story, ending: Ending) -> list[RenderableType]:
    done = story.first(HandshakeCompleted)
    text = line((f" {LOCKED} {ending.headline} ", f"{STRONG} reverse {GOOD}"))
    if voucher := _voucher(story):
        text.append_text(line("  this is ", (story.host, STRONG), ", says ", (voucher, STRONG)))
    parts: list[RenderableType] = [text]
    if done is not None:
        parts.append(line(" " * INDENT).append_text(join([line(word) for word in summary(done)])))
    if ending.warning:
        parts.append(line(" " * INDENT, SIGNS[Outcome.WARNED], " ", (ending.warning, DOUBT)))
    return parts


def _voucher(story: Story) -> str:
    chain = story.chain
    if not chain or story.last(VerdictReached) is None:
        return ""
    top = card(chain[-1])
    return top.subject if top.self_issued else top.issuer


def _broken(story: Story, ending: Ending, *, verbose: bool) -> RenderableType:
    """Say what a browser would say, what failed, who can fix it and how, and what others would say."""
    title = line((f"{UNLOCKED} ", ""), (ending.headline, f"{STRONG} {BAD}"))
    said = ending.details if verbose and ending.details else ending.message
    if said:
        title.append_text(line(BREAK, (said, QUIET)))
    items: list[tuple[str, RenderableType]] = []
    if ending.cause:
        items.append(("why", line(_sentence(ending.cause))))
    failed = next((c for c in story.all(CheckRan) if c.outcome is Outcome.FAILED), None)
    if failed is not None and story.last(VerdictReached) is not None:
        where = failed.subject or (
            f"certificate {failed.certificate}" if failed.certificate is not None else "the chain"
        )
        items.append(("failed check", line(failed.name.replace("_", " "), (" on ", QUIET), where)))
    if ending.who_can_fix:
        items.append(("who can fix", line(ending.who_can_fix)))
    if ending.fix:
        items.append(("how", line((ending.fix, STRONG))))
    if ending.may_proceed is not None:
        said = (
            "a browser would let you go on at your own risk"
            if ending.may_proceed
            else "no: no browser would let you go on"
        )
        items.append(("proceed?", line(said)))
    items += [
        (f"{name} says" if i == 0 else name, line((said, QUIET))) for i, (name, said) in enumerate(ending.others_say)
    ]
    return Group(title, rows(items)) if items else title


def _sentence(text: str) -> str:
    """Begin with a capital letter, unless it is a name that has none."""
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.isalpha() else text


def timing_bar(story: Story, width: int) -> Text | None:
    """Draw one bar for the whole visit, each part as long as it took."""
    timings = [t for t in story.timings() if t.seconds is not None]
    total = sum(t.seconds or 0.0 for t in timings)
    if story.side is Side.SERVER or total <= 0:
        return None
    label = f" {duration(total)}"
    cells = width - 2 * INDENT - len(label)
    bar, legend = Text(" " * INDENT), []
    used = 0.0
    for timing in timings:
        stroke, colour = _BAR[timing.name]
        start, used = round(used / total * cells), used + (timing.seconds or 0.0)
        bar.append(stroke * (round(used / total * cells) - start), colour)
        legend.append(line((stroke, colour), f" {timing.name} ", (duration(timing.seconds), QUIET)))
    bar.append(label, STRONG)
    named = Text("  ").join(legend)
    if named.cell_len > width - INDENT:
        named = Text(" ").join(legend)
    return bar.append("\n" + " " * INDENT).append_text(named)


def one_line(story: Story, ending: Ending) -> Text:
    """Say it all on one line."""
    done, response = story.first(HandshakeCompleted), story.first(HttpResponse)
    who = story.url if story.side is Side.CLIENT else far_end(story)
    if not ending.padlock:
        said = f"  {_sentence(ending.cause or ending.headline)}"
        return line(UNLOCKED, " ", (who, STRONG), "  ", (ending.code or ending.headline, BAD), said)
    words = [line(word) for word in summary(done)] if done is not None else []
    if response is not None:
        words.append(line(f"{response.status} {response.reason}".strip()))
    total = sum(t.seconds or 0.0 for t in story.timings())
    words.append(line((duration(total), QUIET)))
    if ending.warning:
        words.append(line((ending.warning, DOUBT)))
    return line(LOCKED, " ", (who, STRONG), "  ").append_text(join(words))

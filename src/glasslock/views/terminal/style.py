"""Ink and paper: colours, signs and units of the terminal view, and what keeps hostile text harmless.

Names, errors and headers come from the other side. Before they reach a terminal, `clean` makes control
characters visible, so that no peer can move the cursor, forge a line or turn the direction of text.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text

from glasslock.trace import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

MIN_WIDTH, MAX_WIDTH = 60, 100

# Styles by meaning; ANSI names, so that the reader's own palette decides.
GOOD = "green"
BAD = "red"
DOUBT = "yellow"
ACCENT = "cyan"
QUIET = "dim"
STRONG = "bold"
KEY = "magenta"

SIGNS: dict[Outcome, tuple[str, str]] = {
    Outcome.PASSED: ("✓", GOOD),
    Outcome.FAILED: ("✗", BAD),
    Outcome.WARNED: ("!", DOUBT),
    Outcome.SKIPPED: ("\N{EN DASH}", QUIET),
    Outcome.UNKNOWN: ("?", QUIET),
}
LOCKED, UNLOCKED = "🔒", "🔓"

TIMES, NONE, APOSTROPHE = "\N{MULTIPLICATION SIGN}", "\N{EN DASH}", "\N{RIGHT SINGLE QUOTATION MARK}"

# One character for one of the same width, so that every table stays straight.
_ASCII = {LOCKED: "##", UNLOCKED: "!!"} | dict(
    zip(
        "✓✗·…→←⇄±│─━═╌┄├└╭╮╰╯•—“”µ" + TIMES + NONE + APOSTROPHE,
        '+x-~><=~|-=#.:++++++*-""ux-' + "'",
        strict=True,
    )
)


def clean(text: str) -> str:
    """Make visible what would act on a terminal instead of being shown: controls, formats, breaks."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"):
        number = ord(character)
        return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
    return character


def line(*parts: str | tuple[str, str] | Text) -> Text:
    """Join pieces of (text, style) into one line, each cleaned."""
    text = Text()
    for part in parts:
        if isinstance(part, Text):
            text.append_text(part)
        elif isinstance(part, tuple):
            text.append(clean(part[0]), part[1])
        else:
            text.append(clean(part))
    return text


def join(parts: Iterable[Text], separator: str = " · ") -> Text:
    return Text(separator, style=QUIET).join(parts)


BREAK = Text("\n")


def fit(names: Iterable[str], room: int, style: str = QUIET, strong: str = "") -> Text:
    """List as many names as fit into `room` cells, and count the rest; `strong` is the one to stress."""
    todo = list(names)
    text = Text()
    for position, name in enumerate(todo):
        rest = len(todo) - position
        more = f" + {rest}" if position else ""
        if position and text.cell_len + 2 + cell_len(name) + (len(more) if rest > 1 else 0) > room:
            return text.append(more, style)
        text.append_text(line((", " if position else "", style), (name, "" if name == strong else style)))
    return text


class Paper:
    """What is printed, in signs that the console's encoding can show, without blanks at the ends of lines."""

    def __init__(self, content: RenderableType, *, ascii_only: bool) -> None:
        self.content = content
        self.ascii_only = ascii_only

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segments in Segment.split_lines(console.render(self.content, options)):
            while segments and not segments[-1].text.strip():
                segments.pop()
            for position, segment in enumerate(segments):
                text = segment.text.rstrip() if position == len(segments) - 1 else segment.text
                if self.ascii_only and not text.isascii():
                    text = "".join(map(_to_ascii, text))
                yield Segment(text, segment.style)
            yield Segment.line()


def _to_ascii(character: str) -> str:
    return character if character.isascii() else _ASCII.get(character, "?" * cell_len(character))


def duration(seconds: float | None) -> str:
    """Write a time as people read it: 43 µs, 4.3 ms, 43 ms, 1.24 s."""
    if seconds is None:
        return NONE
    if seconds >= 9.995:
        return f"{seconds:.1f} s"
    if seconds >= 0.9995:
        return f"{seconds:.2f} s"
    if 0 < seconds < 0.00095:
        return f"{seconds * 1e6:.0f} µs"
    milliseconds = seconds * 1000
    return f"{milliseconds:.0f} ms" if milliseconds >= 9.95 else f"{milliseconds:.1f} ms"


def size(count: int) -> str:
    """Write a number of bytes as people read it: 512 bytes, 4.2 kB, 1.1 GB (powers of 1000)."""
    if count < 10_000:
        return f"{count:,} byte{'' if count == 1 else 's'}"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{value / 1000:,.1f} TB"


def pairs(data: bytes) -> str:
    return data.hex(" ")


def abbreviated(data: bytes, room: int) -> str:
    """Write bytes as hex pairs in at most `room` cells, the middle left out if need be."""
    whole = pairs(data)
    if len(whole) <= room:
        return whole
    count = max(1, (room - 2) // 6)
    return f"{pairs(data[:count])} … {pairs(data[-count:])}"


def grouped(fingerprint: str) -> str:
    """Write a fingerprint in groups of four."""
    return " ".join(fingerprint[i : i + 4] for i in range(0, len(fingerprint), 4))

"""The page as a picture (SVG), for a README or a report; it loads nothing from anywhere."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from .render import Depth, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from glasslock.trace import TraceRecord

_FONTS = "'Fira Code', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def picture(
    records: Sequence[TraceRecord], *, depth: Depth = Depth.DEFAULT, width: int = 80, title: str = "glasslock"
) -> str:
    """Draw, as SVG, what `render` prints on a terminal `width` cells wide."""
    console = Console(
        file=io.StringIO(),
        record=True,
        width=width,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        highlight=False,
    )
    render(records, depth=depth, console=console)
    svg = console.export_svg(title=title, theme=SVG_EXPORT_THEME, unique_id="glasslock")
    # Rich would load a font from elsewhere; the reader's own will do.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("font-family: Fira Code, monospace", f"font-family: {_FONTS}")

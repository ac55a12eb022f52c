"""`glasslock show`: a saved trace, told again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def show(
    trace: Annotated[Path, typer.Argument(help="A trace that `glasslock visit --json FILE` saved.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every message with its fields and bytes.")] = False,
) -> None:
    """Tell the story of a saved trace again."""
    from ..views.json_view import from_json
    from ..views.terminal import make_console, render
    from .depth import depth_of

    render(from_json(trace.read_bytes()), depth=depth_of(quiet, verbose), console=make_console())

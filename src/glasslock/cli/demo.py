"""`glasslock demo`: the whole story on one screen, without a network."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="One line for each visit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Every message with its fields and bytes.")] = False,
) -> None:
    """Play the whole story on this machine: a site, a visitor, an authority - and three attackers."""
    from ..lab.demo import perform
    from ..views.terminal import make_console, render, render_scene, render_title
    from .depth import depth_of

    depth, console = depth_of(quiet, verbose), make_console()
    play = perform()
    render_title("An authority, a site and a visitor, all on this machine. Nothing leaves it.", console=console)
    render(play.visit, depth=depth, console=console)
    for scene in play.scenes:
        render_scene(scene.title, scene.rows, scene.stopped_by, console=console)
        if verbose:
            render(scene.records, depth=depth, console=console)

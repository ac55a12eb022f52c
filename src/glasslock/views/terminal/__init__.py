"""The trace in a terminal: the story of a connection in four steps."""

from __future__ import annotations

from .picture import picture
from .render import Depth, make_console, render
from .scene import render_scene, render_title

__all__ = ["Depth", "make_console", "picture", "render", "render_scene", "render_title"]

"""HTTP on top, by well-kept libraries: httpx for the client, hypercorn and starlette for the server.

    visit      fetch a URL and tell everything        serve      serve a folder or an application
    Transport  the same under httpx's own client      serving    the same in a thread, for as long as a block runs
                                                      serve_workers   the same in several processes

Each needs its extra: `pip install glasslock[tool]` for the client, `glasslock[server]` for the server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import VisitResult, parse_url, visit
    from .dialing import Route
    from .folder import folder_app
    from .loading import load_app
    from .server import Site, serve, serve_async, serving
    from .transport import Transport
    from .workers import serve_workers

__all__ = [
    "Route",
    "Site",
    "Transport",
    "VisitResult",
    "folder_app",
    "load_app",
    "parse_url",
    "serve",
    "serve_async",
    "serve_workers",
    "serving",
    "visit",
]

# The client needs no server, nor the other way round: each comes when it is asked for.
_HOMES = {
    "Route": "dialing",
    "Site": "server",
    "Transport": "transport",
    "VisitResult": "client",
    "folder_app": "folder",
    "load_app": "loading",
    "parse_url": "client",
    "serve": "server",
    "serve_async": "server",
    "serve_workers": "workers",
    "serving": "server",
    "visit": "client",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)

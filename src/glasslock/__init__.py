"""glasslock: a complete HTTPS stack that you can see through.

This is the front door: the few names that most users need. Each is imported when it is first used, so
`import glasslock` costs next to nothing and brings in only what a program asks for (PEP 562).
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

# Public name -> the module it lives in.
_HOMES: dict[str, str] = {
    "SSLContext": "glasslock.adapters",
    "create_default_context": "glasslock.adapters",
    "connect": "glasslock.adapters",
    "open_stream": "glasslock.adapters",
    "serve": "glasslock.https",
    "serving": "glasslock.https",
    "visit": "glasslock.https",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home, and keep it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *_HOMES})

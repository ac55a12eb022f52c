"""The vocabulary of the story: everything that can happen on a connection, as small records.

Every layer tells its part to one observer, a callable that takes one `TraceRecord`; every view
(terminal, JSON, page, pcapng) is a function of the list of records and of nothing else. Records hold
plain values only (str, bytes, int, float, bool, None and tuples of those or of records), so a trace can
be saved as JSON and shown again later.

The four steps of a connection:

    1 REACH      resolve the name, TCP handshake
    2 IDENTIFY   whose certificate is this, and who vouches for it
    3 AGREE      both sides derive the same secrets
    4 PROTECT    every byte encrypted and authenticated

The records themselves are in `records.py`, which is loaded when the first of them is asked for (PEP 562): an engine
that nobody observes starts sooner without.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .records import *  # noqa: F403
    from .records import TraceRecord


class Step(IntEnum):
    """Which of the four steps a record belongs to."""

    REACH = 1
    IDENTIFY = 2
    AGREE = 3
    PROTECT = 4


class Outcome(StrEnum):
    """How a check or an attempt ended. SKIPPED and UNKNOWN always come with a reason."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


Observer = Callable[["TraceRecord"], None]


def __getattr__(name: str) -> object:
    """Loads all records when the first is used."""
    module = importlib.import_module(".records", __name__)
    found = {
        kind.__name__: kind for kind in vars(module).values() if getattr(kind, "__module__", "") == module.__name__
    }
    globals().update(found)
    if name not in found:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found[name]

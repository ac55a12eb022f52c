"""How times, spans and a peer's own words are written for a person."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

TEXT_LIMIT = 200  # characters of a peer's text that we repeat


def printable(text: str, limit: int = TEXT_LIMIT) -> str:
    """A peer's text without anything that could act on a terminal, at most `limit` characters of it."""
    if len(text) <= limit and text.isprintable():
        return text
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def utc(now: float) -> dt.datetime:
    """Seconds since the epoch as a time in UTC, to the second: certificates know no smaller unit."""
    return _utc(int(now))


@lru_cache(maxsize=16)
def _utc(now: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(now, dt.UTC)


@lru_cache(maxsize=256)
def stamp(moment: dt.datetime) -> str:
    """A moment in UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def span(duration: dt.timedelta) -> str:
    """A span of time in the largest unit that fits, e.g. `3 days`, `1 hour`."""
    seconds = max(0, int(duration.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return count(seconds // size, unit)
    return count(seconds, "second")


def count(number: int, unit: str) -> str:
    """A number and its unit, in the plural where there is not one."""
    return f"{number:,} {unit}{'' if number == 1 else 's'}"

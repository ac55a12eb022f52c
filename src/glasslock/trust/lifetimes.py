"""For how long a public CA may certify, by the calendar of the Baseline Requirements (section 6.3.2)."""

from __future__ import annotations

import datetime as dt

DAY = dt.timedelta(days=1)


def _day(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)


# Issued on or after this date, at most so many days. What was issued before the first date has expired long ago.
LIFETIMES = (
    (_day(2029, 3, 15), 47),
    (_day(2027, 3, 15), 100),
    (_day(2026, 3, 15), 200),
    (_day(2020, 9, 1), 398),
)


def lifetime_limit(not_before: dt.datetime) -> int | None:
    """Days that a public CA may give to a certificate issued at this time; None before the first limit."""
    for since, days in LIFETIMES:
        if not_before >= since:
            return days
    return None


def exceeds_limit(not_before: dt.datetime, not_after: dt.datetime) -> bool:
    """Whether a public CA may not give these dates (the last second not counted, as in Chrome)."""
    limit = lifetime_limit(not_before)
    return limit is not None and not_after - not_before > limit * DAY

"""How long a certificate may live: the calendar of the CA/Browser Forum's Baseline Requirements.

A day is 86,400 seconds and any fraction counts as a whole one (section 6.3.2); both ends of the validity
period are part of it (RFC 5280 section 4.1.2.5), so 90 days end one second early.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from ..errors import ConfigurationError

DEFAULT_DAYS = 90
BACKDATED = timedelta(hours=1)  # so that a client whose clock is a little late accepts a new certificate

# Certificates issued on or after the day may be valid for so many days.
_CALENDAR = (
    (date(2029, 3, 15), 47),
    (date(2027, 3, 15), 100),
    (date(2026, 3, 15), 200),
    (date(2020, 9, 1), 398),
    (date.min, 825),
)


def longest_days(issued: datetime) -> int:
    """Return how many days a server certificate that is issued at this moment may be valid."""
    day = issued.astimezone(UTC).date()
    return next(days for since, days in _CALENDAR if day >= since)


def validity(now: datetime, days: int) -> tuple[datetime, datetime]:
    """Return notBefore and notAfter of exactly `days` days, both included, beginning a little before `now`.

    Raises ConfigurationError for less than a day or more than the Baseline Requirements allow.
    """
    longest = longest_days(now)
    if days < 1:
        raise ConfigurationError(f"a certificate cannot be valid for {days} days: ask for at least 1")
    if days > longest:
        raise ConfigurationError(
            f"{days} days is too long: the CA/Browser Forum's Baseline Requirements (section 6.3.2) allow "
            f"{longest} days for a certificate issued on {now:%Y-%m-%d}. Ask for {longest} or less."
        )
    not_before = now.replace(microsecond=0) - BACKDATED
    return not_before, not_before + timedelta(days=days, seconds=-1)

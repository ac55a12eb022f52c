"""Is the certificate in date, and were the dates ones that a public CA may give?"""

from __future__ import annotations

import datetime as dt

from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.kinds import Kind
from glasslock.trust.text import count, span, stamp

from .base import Finding, Place

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


def _day(year: int, month: int, day: int) -> dt.datetime:
    return dt.datetime(year, month, day, tzinfo=dt.UTC)


# Baseline Requirements section 6.3.2: issued on or after this date, at most so many days. What was issued before
# the first date has expired long ago, or fails the check of dates.
LIFETIMES = (
    (_day(2029, 3, 15), 47),
    (_day(2027, 3, 15), 100),
    (_day(2026, 3, 15), 200),
    (_day(2020, 9, 1), 398),
)


def check_dates(place: Place) -> Finding:
    """RFC 5280 section 4.1.2.5: now lies between notBefore and notAfter, both included."""
    certificate, now = place.certificate, place.situation.now
    question = place.asks(
        "dates",
        "RFC 5280 section 4.1.2.5",
        [
            ("not before", stamp(certificate.not_before)),
            ("not after", stamp(certificate.not_after)),
            ("now", stamp(now)),
        ],
    )
    if now < certificate.not_before:
        return question.failed(Kind.NOT_YET_VALID, f"becomes valid in {span(certificate.not_before - now)}")
    if now > certificate.not_after:
        return question.failed(Kind.EXPIRED, f"expired {span(now - certificate.not_after)} ago")
    return question.passed(f"valid for another {span(certificate.not_after - now)}")


def check_lifetime(place: Place) -> Finding | None:
    """Baseline Requirements section 6.3.2, as Chrome applies it: to certificates of public CAs only."""
    if not place.is_leaf:
        return None
    leaf = place.certificate
    lifetime = leaf.not_after - leaf.not_before
    limit = lifetime_limit(leaf.not_before)
    question = place.asks(
        "lifetime",
        "Baseline Requirements section 6.3.2",
        [
            ("lifetime", span(lifetime)),
            ("issued", stamp(leaf.not_before)),
            ("limit for public CAs", "none" if limit is None else count(limit, "day")),
        ],
    )
    anchor = place.path[-1]
    if not place.anchored or not place.situation.store.is_public(anchor.certificate):
        return question.skipped(
            "the limits hold for public CAs; this root is private, or not known to be a public one"
            if place.anchored
            else "the limits hold for public CAs; no root was reached"
        )
    if limit is None:
        return question.passed("issued before the limits of the Baseline Requirements came into force")
    if lifetime_too_long(leaf):
        return question.failed(Kind.LIFETIME_TOO_LONG, f"a public CA may give at most {count(limit, 'day')}")
    if lifetime + SECOND > limit * DAY:
        return question.warned("one second over: the first and the last second both count")
    return question.passed("within the limit")


def lifetime_limit(not_before: dt.datetime) -> int | None:
    """Days that a public CA may give to a certificate issued at this time; None before the first limit."""
    for since, days in LIFETIMES:
        if not_before >= since:
            return days
    return None


def lifetime_too_long(leaf: ParsedCertificate) -> bool:
    """Whether the lifetime is over the limit of its day of issue, counted as Chrome does."""
    return exceeds_limit(leaf.not_before, leaf.not_after)


def exceeds_limit(not_before: dt.datetime, not_after: dt.datetime) -> bool:
    """Whether a public CA may not give these dates (the last second not counted, as in Chrome)."""
    limit = lifetime_limit(not_before)
    return limit is not None and not_after - not_before > limit * DAY

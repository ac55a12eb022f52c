"""Is the certificate in date, and were the dates ones that a public CA may give?"""

from __future__ import annotations

import datetime as dt

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.kinds import Kind
from glasslock.trust.lifetimes import DAY, exceeds_limit, lifetime_limit
from glasslock.trust.text import count, span, stamp

from .base import Inputs, Place, remembered

SECOND = dt.timedelta(seconds=1)


def check_dates(place: Place) -> CheckRan:
    """RFC 5280 section 4.1.2.5: now lies between notBefore and notAfter, both included."""
    certificate, now = place.certificate, place.situation.now
    question = place.asks(
        "dates",
        "RFC 5280 section 4.1.2.5",
        (
            ("not before", stamp(certificate.not_before)),
            ("not after", stamp(certificate.not_after)),
            ("now", stamp(now)),
        ),
    )
    if now < certificate.not_before:
        return question.failed(Kind.NOT_YET_VALID, f"becomes valid in {span(certificate.not_before - now)}")
    if now > certificate.not_after:
        return question.failed(Kind.EXPIRED, f"expired {span(now - certificate.not_after)} ago")
    return question.passed(f"valid for another {span(certificate.not_after - now)}")


def check_lifetime(place: Place) -> CheckRan | None:
    """Baseline Requirements section 6.3.2, as Chrome applies it: to certificates of public CAs only."""
    if not place.is_leaf:
        return None
    leaf = place.certificate
    question = place.asks("lifetime", "Baseline Requirements section 6.3.2", lifetime_inputs(leaf))
    anchor = place.path[-1]
    if not place.anchored or not place.situation.store.is_public(anchor.certificate):
        return question.skipped(
            "the limits hold for public CAs; this root is private, or not known to be a public one"
            if place.anchored
            else "the limits hold for public CAs; no root was reached"
        )
    lifetime = leaf.not_after - leaf.not_before
    limit = lifetime_limit(leaf.not_before)
    if limit is None:
        return question.passed("issued before the limits of the Baseline Requirements came into force")
    if exceeds_limit(leaf.not_before, leaf.not_after):
        return question.failed(Kind.LIFETIME_TOO_LONG, f"a public CA may give at most {count(limit, 'day')}")
    if lifetime + SECOND > limit * DAY:
        return question.warned("one second over: the first and the last second both count")
    return question.passed("within the limit")


@remembered
def lifetime_inputs(leaf: ParsedCertificate) -> Inputs:
    limit = lifetime_limit(leaf.not_before)
    return (
        ("lifetime", span(leaf.not_after - leaf.not_before)),
        ("issued", stamp(leaf.not_before)),
        ("limit for public CAs", "none" if limit is None else count(limit, "day")),
    )

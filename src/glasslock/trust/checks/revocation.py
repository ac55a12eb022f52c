"""Has the issuer taken the certificate back? Only what the server staples is asked; nothing is fetched."""

from __future__ import annotations

from cryptography import x509

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate, must_staple
from glasslock.trust.kinds import Kind
from glasslock.trust.ocsp import Staple, Status, read_staple
from glasslock.trust.text import span, stamp

from .base import Inputs, Place, remembered

RULE = "RFC 6960 section 3.2"


def check_revocation(place: Place) -> CheckRan | None:
    """RFC 6960: the stapled response, if there is one, believed only if the issuer stands behind it."""
    if not place.is_leaf:
        return None
    situation, leaf, issuer = place.situation, place.certificate, place.issuer
    promised = promises_staple(leaf)
    if situation.ocsp_response is None:
        question = place.asks("revocation", RULE, (("stapled response", "none"), *sources(leaf)))
        if promised and situation.server:
            text = "the certificate promises a stapled response (must-staple, RFC 7633), but the server sent none"
            return question.failed(Kind.INVALID, text) if situation.policy.strict else question.warned(text)
        return question.skipped("the server stapled no OCSP response, and nothing is fetched")
    if issuer is None:
        question = place.asks("revocation", RULE, (("stapled response", "there"),))
        return question.skipped("without the issuer's certificate a stapled response cannot be checked")
    staple = read_staple(situation.ocsp_response, leaf, issuer, situation.now)
    question = place.asks("revocation", RULE, (("stapled response", staple.status.value), *_facts(staple)))
    if staple.status is Status.REVOKED:
        return question.failed(Kind.REVOKED, f"revoked by its issuer{_when(place, staple)}")
    if staple.status is Status.GOOD:
        return question.passed(f"not revoked, says {staple.responder}")
    text = f"the stapled response {staple.problem}"
    if promised and situation.policy.strict:
        return question.failed(Kind.INVALID, f"{text}; the certificate promises a good one (must-staple)")
    return question.warned(text)


def _facts(staple: Staple) -> list[tuple[str, str]]:
    facts = [
        ("signed by", staple.responder),
        ("as of", "" if staple.this_update is None else stamp(staple.this_update)),
        ("until", "" if staple.next_update is None else stamp(staple.next_update)),
        ("problem", staple.problem),
    ]
    return [(name, value) for name, value in facts if value]


@remembered
def promises_staple(leaf: ParsedCertificate) -> bool:
    """Whether there has to be a stapled response (RFC 7633)."""
    return must_staple(leaf.certificate)


@remembered
def sources(leaf: ParsedCertificate) -> Inputs:
    """Where the certificate says that its status can be asked for."""
    responders = [("OCSP responder", url) for url in leaf.responder_urls[:1]]
    lists = leaf.find(x509.CRLDistributionPoints)
    return (*responders, *([] if lists is None else [("revocation list", "named in the certificate")]))


def _when(place: Place, staple: Staple) -> str:
    parts = ""
    if staple.revoked_at is not None:
        parts = f" {span(place.situation.now - staple.revoked_at)} ago"
    return parts + (f", reason: {staple.reason}" if staple.reason else "")

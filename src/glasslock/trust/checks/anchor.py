"""Does the path end with someone whom we trust? And if not: what is missing, and who sits in between?"""

from __future__ import annotations

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.inspection import inspecting_product
from glasslock.trust.kinds import Kind

from .base import Place


def check_anchor(place: Place) -> CheckRan | None:
    """RFC 5280 section 6.1.1 (d): the last certificate of the path is in the trust store."""
    if not place.is_last:
        return None
    last = place.certificate
    store = place.situation.store
    name = store.name_for(last.certificate) if place.anchored else store.name
    question = place.asks(
        "trust anchor",
        "RFC 5280 section 6.1.1 (d)",
        (
            ("looked for", last.title if place.anchored else last.issuer_title),
            ("trust store", f"{name}, {len(store)} certificates"),
        ),
    )
    if not place.anchored:
        return question.failed(*why_not_anchored(place))
    public = store.is_public(last.certificate)
    product = inspecting_product(place.path)
    if product and not public:
        return question.warned(f"trusted here, but it is the root of {product}: someone reads along")
    origin = "a public CA" if public else "not known as a public CA: added to this list"
    return question.passed(f"in {name} ({origin})")


def why_not_anchored(place: Place) -> tuple[Kind, str]:
    """Tell apart what others call `unable to get local issuer certificate`."""
    kind, text = _gap(place)
    product = inspecting_product(place.path)
    if product:
        return Kind.INSPECTED, f"made by {product}, which re-signs what passes through it, and is not trusted here"
    return kind, text


def _gap(place: Place) -> tuple[Kind, str]:
    last = place.certificate
    if last.self_issued and place.signatures.fits(last, last):
        if place.is_leaf:
            return Kind.SELF_SIGNED, "vouches for itself; nobody whom we trust does"
        return Kind.UNKNOWN_ROOT, f"the root {last.title} is not in the trust store"
    if place.impostors:
        return Kind.BAD_SIGNATURE, _impostor_text(last, place.impostors[0])
    if place.is_leaf:
        if last.self_issued:
            return Kind.BAD_SIGNATURE, "claims to vouch for itself, but its signature does not fit its key"
        clue = _clue(place)
        if clue:
            return Kind.MISSING_INTERMEDIATE, f"its issuer {last.issuer_title} was not sent; {clue}"
        return Kind.UNKNOWN_ROOT, f"its issuer {last.issuer_title} was not sent and is not in the trust store"
    kin = _kin(place)
    maybe = f" ({kin.title} of the same organisation is: was a certificate between the two left out?)" if kin else ""
    return Kind.UNKNOWN_ROOT, f"the root {last.issuer_title} is not in the trust store{maybe}"


def _impostor_text(certificate: ParsedCertificate, bearer: ParsedCertificate) -> str:
    text = f"names {bearer.title} as its issuer, but that certificate's key did not sign it"
    if names_other_key(certificate, bearer):
        return f"{text}: another CA of the same name did, or it is forged"
    return f"{text}: forged, or changed since"


def names_other_key(certificate: ParsedCertificate, bearer: ParsedCertificate) -> bool:
    """Whether the certificate says by its key identifiers that it is not this bearer of its issuer's name it means."""
    wanted, offered = certificate.authority_key_identifier, bearer.key_identifier
    return wanted is not None and offered is not None and wanted != offered


def _clue(place: Place) -> str:
    """Why an intermediate is likely to be missing, rather than a root unknown; empty if nothing says so."""
    kin = _kin(place)
    if kin:
        return f"{kin.title} of the same organisation is trusted"
    urls = place.certificate.issuer_urls
    return f"it can be had from {urls[0]}" if urls else ""


def _kin(place: Place) -> ParsedCertificate | None:
    """An anchor of the same organisation as the issuer that is missing."""
    organization = place.certificate.issuer_organization
    if not organization:
        return None
    anchors = (one for group in place.situation.store.by_subject.values() for one in group)
    return next((one for one in anchors if one.organization == organization), None)

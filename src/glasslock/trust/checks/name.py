"""Is the certificate for the host that was asked for?"""

from __future__ import annotations

from cryptography import x509

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.kinds import Kind
from glasslock.trust.names import ServerName, describe_names, matching_name, split_wildcard
from glasslock.trust.text import printable

from .base import Place, remembered

RULE = "RFC 9525 section 6"


def check_name(place: Place) -> CheckRan | None:
    """RFC 9525: one of the subject alternative names covers the host; the common name never counts."""
    situation = place.situation
    if not place.is_leaf or not situation.server:
        return None
    leaf = place.certificate
    found = leaf.find(x509.SubjectAlternativeName)
    wanted = situation.name
    question = place.asks(
        "name",
        RULE,
        (
            ("wanted", wanted.text if wanted is not None else situation.name_problem or "any"),
            ("certificate is for", names_words(leaf)),
        ),
    )
    if situation.name_problem:
        return question.failed(Kind.WRONG_NAME, situation.name_problem)
    if wanted is None:
        return question.skipped("the caller compares names itself")
    if found is None:
        return question.failed(Kind.WRONG_NAME, "says of no name that it is for it (no subject alternative names)")
    match = matching_name(leaf.names, wanted)
    if match is None:
        hint = name_hint(leaf, wanted)
        return question.failed(Kind.WRONG_NAME, f"is not for {wanted.text}" + (f"; {hint}" if hint else ""))
    return question.passed(f"{printable(match)} covers {wanted.text}")


@remembered
def names_words(leaf: ParsedCertificate) -> str:
    """The names that it is for, in words."""
    return describe_names(leaf.names)


def name_hint(leaf: ParsedCertificate, wanted: ServerName) -> str:
    """What a person may have overlooked about names that nearly match; empty if nothing comes near."""
    if wanted.address is not None:
        return _address_hint(leaf, wanted)
    host = wanted.text
    names = {name.lower() for name in leaf.dns_names}
    without = host.removeprefix("www.")
    other = without if host.startswith("www.") else f"www.{host}"
    if other in names:
        return f"was {other} meant?"
    for name in sorted(names):
        wildcard, base = split_wildcard(name)
        if wildcard and host == base:
            return f"{printable(name)} does not cover {base} itself"
        if wildcard and host.endswith(f".{base}"):
            return f"{printable(name)} covers one label only, not {host.removesuffix(f'.{base}')}"
    if not names and host == leaf.title.lower():
        return "only the common name says so, which has not counted since 2017"
    return ""


def _address_hint(leaf: ParsedCertificate, wanted: ServerName) -> str:
    if wanted.text in leaf.dns_names:
        return "the address is written as a host name in it; addresses need an iPAddress entry"
    if leaf.dns_names:
        return f"it is for host names: try https://{leaf.dns_names[0].removeprefix('*.')}/"
    return ""

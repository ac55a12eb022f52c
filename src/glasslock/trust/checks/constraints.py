"""May the certificates above vouch for these names? (RFC 5280 section 4.2.1.10)

A wildcard stands for all the names it covers: it is permitted only if all of them are, excluded if one of them is.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from cryptography import x509

from glasslock.trace import CheckRan
from glasslock.trust.kinds import Kind
from glasslock.trust.names import describe_name, describe_names, is_dns_name, split_wildcard
from glasslock.trust.text import printable

from .base import Place

MOST_COMPARISONS = 20_000  # of one name with one constraint; a hostile chain can ask for many millions
LOCAL_PART = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-/=?^_`{|}~")


class _Violation(Exception):
    """A name that these constraints do not let pass."""


def check_name_constraints(place: Place) -> CheckRan | None:
    """RFC 5280 section 4.2.1.10: the names of all certificates below lie within what this one is limited to."""
    found = place.certificate.find(x509.NameConstraints)
    if found is None:
        return None
    permitted = found.value.permitted_subtrees or []
    excluded = found.value.excluded_subtrees or []
    question = place.asks(
        "name constraints",
        "RFC 5280 section 4.2.1.10",
        (
            ("permitted", describe_names(permitted) if permitted else "all but the excluded"),
            ("excluded", describe_names(excluded)),
            ("names below", describe_names(_names_below(place))),
        ),
    )
    if place.is_leaf:
        return question.failed(Kind.INVALID, "limits the names of others, which only a CA may")
    if found.critical and any(isinstance(subtree, x509.DirectoryName) for subtree in [*permitted, *excluded]):
        return question.failed(Kind.INVALID, "insists on a limit of directory names, which is not understood")
    if sum(1 for _ in _names_below(place)) * (len(permitted) + len(excluded)) > MOST_COMPARISONS:
        return question.unknown("too many names and limits to explain one by one; the verifier itself judged them")
    try:
        for name in _names_below(place):
            _judge(name, permitted, excluded)
    except _Violation as violation:
        return question.failed(Kind.NAME_CONSTRAINT, str(violation))
    return question.passed("all names below are within its limits")


def _names_below(place: Place) -> Iterator[x509.GeneralName]:
    """Names of the leaf, and of every CA up to this one that is not merely a step from one key to the next."""
    for index, certificate in enumerate(place.path[: place.position + 1]):
        if index == 0 or not certificate.self_issued:
            yield from certificate.names


def _judge(name: x509.GeneralName, permitted: list[x509.GeneralName], excluded: list[x509.GeneralName]) -> None:
    verdicts = []
    for subtree in permitted:
        within = _within(subtree, name, whole=True)
        if within:
            break
        verdicts.append(within)
    else:
        if False in verdicts:
            raise _Violation(f"may not vouch for {describe_name(name)}: it is not among the permitted names")
    for subtree in excluded:
        if _within(subtree, name, whole=False):
            raise _Violation(f"may not vouch for {describe_name(name)}: {describe_name(subtree)} is excluded")


def _within(subtree: x509.GeneralName, name: x509.GeneralName, *, whole: bool) -> bool | None:
    """Whether the name lies in the subtree, with a wildcard the `whole` of it or any part; None for another type."""
    if isinstance(subtree, x509.DNSName) and isinstance(name, x509.DNSName):
        return _dns_within(subtree.value, name.value, whole=whole)
    if isinstance(subtree, x509.IPAddress) and isinstance(name, x509.IPAddress):
        return _address_within(subtree, name)
    if isinstance(subtree, x509.RFC822Name) and isinstance(name, x509.RFC822Name):
        return _mailbox_within(subtree.value, name.value)
    if type(subtree) is type(name):
        raise _Violation(f"limits names of a type that is not understood: {describe_name(name)}")
    return None


def _dns_within(subtree: str, name: str, *, whole: bool) -> bool:
    wildcard, base = split_wildcard(name)
    if not is_dns_name(base):
        raise _Violation(f"cannot judge {printable(name)}: it is not a host name")
    if not is_dns_name(subtree):
        raise _Violation("has a malformed limit of host names (a leading dot is not allowed)")
    subtree = subtree.lower()
    base = base.lower()
    if base == subtree or base.endswith(f".{subtree}"):
        return True
    return wildcard and not whole and subtree.partition(".")[2] == base


def _address_within(subtree: x509.IPAddress, name: x509.IPAddress) -> bool:
    network, address = subtree.value, name.value
    if isinstance(address, ipaddress.IPv4Network | ipaddress.IPv6Network):
        raise _Violation("cannot judge a network where an address is wanted")
    return not isinstance(network, ipaddress.IPv4Address | ipaddress.IPv6Address) and address in network


def _mailbox_within(subtree: str, name: str) -> bool:
    local, domain = _mailbox(name)
    if subtree.startswith("."):
        if is_dns_name(subtree[1:]):
            return domain.endswith(subtree.lower())
    elif "@" in subtree:
        return (local, domain) == _mailbox(subtree)
    elif is_dns_name(subtree):
        return domain == subtree.lower()
    raise _Violation("has a malformed limit of e-mail addresses")


def _mailbox(text: str) -> tuple[str, str]:
    """Split `local@domain`; the local part is compared as it is, the domain in lower case."""
    local, _, domain = text.partition("@")
    if all(atom and LOCAL_PART.issuperset(atom) for atom in local.split(".")) and is_dns_name(domain):
        return local, domain.lower()
    raise _Violation("cannot judge an e-mail address that is not one")

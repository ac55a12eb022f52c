"""The decision: `cryptography.x509.verification`, and the few checks that it does not know.

This is all that runs when a chain is good and nobody listens. `explain` must always agree with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder

from .certificate import ParsedCertificate, UnreadableCertificate, find_extension, load, must_staple
from .keys import key_problem
from .lifetimes import exceeds_limit
from .names import matching_name
from .policy import extension_policies
from .situation import Situation

MOST_RECEIVED = 32  # certificates of a peer that are looked at, the leaf included


class Refused(Exception):
    """The decision against a chain, in the verifier's own words."""


class Decision(NamedTuple):
    """What was decided: the accepted path, leaf first, or `refusal`, the verifier's own words."""

    path: tuple[x509.Certificate, ...] = ()
    refusal: str = ""


class Received(NamedTuple):
    """A peer's chain: the bytes as they came, what could be decoded of them, and what was left aside."""

    chain: tuple[bytes, ...]
    leaf: x509.Certificate | None
    leaf_key_problem: str = ""
    others: tuple[x509.Certificate, ...] = ()
    unreadable: tuple[tuple[int, str], ...] = ()  # position, reason
    duplicates: int = 0
    beyond: int = 0  # certificates after the first few


def read_chain(chain: Sequence[bytes]) -> Received:
    """Decode a peer's chain. Never raises: what cannot be decoded, apart from the leaf, is left aside."""
    return _read_chain(tuple(chain))


@lru_cache(maxsize=64)
def _read_chain(chain: tuple[bytes, ...]) -> Received:
    """Remembered as what `load` decodes: most peers are met again, and this depends on the bytes alone."""
    distinct = list(dict.fromkeys(chain))
    unreadable = []
    decoded: list[x509.Certificate | None] = []
    for position, data in enumerate(distinct[:MOST_RECEIVED]):
        try:
            decoded.append(load(data))
        except UnreadableCertificate as error:
            decoded.append(None)
            unreadable.append((position, str(error)))
    leaf = decoded[0] if decoded else None
    problem = key_problem(leaf) if leaf is not None else None
    return Received(
        chain=chain,
        leaf=leaf,
        leaf_key_problem=problem[1] if problem is not None else "",
        others=tuple(certificate for certificate in decoded[1:] if certificate is not None),
        unreadable=tuple(unreadable),
        duplicates=len(chain) - len(distinct),
        beyond=max(0, len(distinct) - MOST_RECEIVED),
    )


def decide(received: Received, situation: Situation) -> tuple[x509.Certificate, ...]:
    """Return the accepted path, leaf first. Refused if there is none."""
    if received.leaf is None:
        raise Refused("there is no certificate that can be read")
    if situation.name_problem:
        raise Refused(situation.name_problem)
    path = _verified_path(received, received.leaf, situation)
    if received.leaf_key_problem:  # `cryptography` judges the keys of CAs; the leaf's own it leaves to us
        raise Refused(received.leaf_key_problem)
    _refuse_lifetime(path, situation)
    _refuse_wildcard_registry(path[0], situation)
    _refuse_revoked(path, situation)
    return tuple(path)


def _verified_path(received: Received, leaf: x509.Certificate, situation: Situation) -> list[x509.Certificate]:
    store, policy = situation.store.pyca_store, situation.policy
    if store is None:
        raise Refused("the trust store is empty")
    trusted_leaf = situation.store.holds(received.chain[0])
    for_cas, for_leaf = extension_policies(
        situation.purpose, strict=policy.strict, trusted_leaf=trusted_leaf, any_name=situation.name is None
    )
    builder = (
        PolicyBuilder()
        .store(store)
        .time(situation.now)
        .max_chain_depth(policy.max_intermediates)
        .extension_policies(ca_policy=for_cas, ee_policy=for_leaf)
    )
    try:
        if situation.name is None:
            return builder.build_client_verifier().verify(leaf, list(received.others)).chain
        return builder.build_server_verifier(situation.name.subject).verify(leaf, list(received.others))
    except Exception as error:
        # VerificationError by rights; but nothing that a hostile chain can do to the verifier may be anything but a no.
        raise Refused(str(error) or type(error).__name__) from error


def _refuse_lifetime(path: Sequence[x509.Certificate], situation: Situation) -> None:
    leaf = path[0]
    if situation.store.is_public(path[-1]) and exceeds_limit(leaf.not_valid_before_utc, leaf.not_valid_after_utc):
        raise Refused("the certificate is valid for longer than a public CA may allow")


def _refuse_wildcard_registry(leaf: x509.Certificate, situation: Situation) -> None:
    """`*.com` covers `example.com` for `cryptography`, not for us: only names of two labels are concerned."""
    name = situation.name
    if name is None or name.address is not None or name.text.count(".") != 1:
        return
    found = find_extension(leaf, x509.SubjectAlternativeName)
    if found is not None and matching_name(found.value, name) is None:
        raise Refused("the only name that matches is a wildcard for a whole registry")


def _refuse_revoked(path: Sequence[x509.Certificate], situation: Situation) -> None:
    good = False
    if situation.ocsp_response is not None and len(path) > 1:
        from .ocsp import Status, read_staple  # few servers staple, and reading it takes modules of its own

        leaf, issuer = (ParsedCertificate.from_x509(certificate) for certificate in path[:2])
        status = read_staple(situation.ocsp_response, leaf, issuer, situation.now).status
        if status is Status.REVOKED:
            raise Refused("the certificate is revoked")
        good = status is Status.GOOD
    if situation.policy.strict and situation.server and not good and must_staple(path[0]):
        raise Refused("the certificate promises a stapled response, and no good one was sent")

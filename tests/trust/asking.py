"""Puts one check to a path of one's own."""

from __future__ import annotations

from typing import Any, NamedTuple

from cryptography import x509

from glasslock.registry import Side
from glasslock.trace import CheckRan, Outcome
from glasslock.trust import Kind, TrustStore
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.checks import Check, Place
from glasslock.trust.names import ServerName
from glasslock.trust.policy import Policy, Purpose
from glasslock.trust.signing import Signatures
from glasslock.trust.situation import Situation
from glasslock.trust.stores import Anchors
from glasslock.trust.verdict import Moment

from . import pki
from .pki import NOW, Issued

GOOD = pki.chain()
dns = x509.DNSName


def place(*path: Issued, index: int = 0, anchored: bool = True, **situation: Any) -> Place:
    store = situation.pop("store", None) or pki.store(path[-1])
    facts = {"policy": Policy(), "purpose": Purpose.SERVER, "now": NOW, "name": ServerName("example.com")}
    parsed = tuple(ParsedCertificate.from_x509(one.certificate) for one in path)
    moment = Moment(12.5, Side.SERVER)
    return Place(Situation(store=store, **{**facts, **situation}), parsed, index, anchored, (), Signatures(), moment)


class Said(NamedTuple):
    """What a check said: `kind` if it failed."""

    record: CheckRan
    kind: Kind | None

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        return self.record.inputs

    @property
    def explanation(self) -> str:
        return self.record.explanation


def ask(check: Check, *path: Issued, **where: Any) -> Said:
    at = place(*path, **where)
    record = check(at)
    assert record is not None
    assert [failed.record for failed in at.failures] == [record] * (record.outcome is Outcome.FAILED)
    return Said(record, at.failures[0].kind if at.failures else None)


def leaf(**changes: Any) -> Issued:
    return pki.mint(pki.leaf(**changes), GOOD.intermediate)


def middle(**changes: Any) -> Issued:
    return pki.mint(pki.intermediate(**changes), GOOD.root)


def outcome(said: Said) -> tuple[Outcome, Kind | None]:
    return said.record.outcome, said.kind


PASSED = (Outcome.PASSED, None)
WARNED = (Outcome.WARNED, None)
SKIPPED = (Outcome.SKIPPED, None)
UNKNOWN = (Outcome.UNKNOWN, None)


def failed(kind: Kind) -> tuple[Outcome, Kind]:
    return Outcome.FAILED, kind


def rebuilt(change: Any, **how: Any) -> Issued:
    return pki.rebuild(GOOD.leaf, GOOD.intermediate.key, change, **how)


def with_serial(content: bytes) -> Issued:
    return rebuilt(lambda fields: [fields[0], pki.tlv(2, content), *fields[2:]])


def public(root: Issued) -> TrustStore:
    """A store in which this root belongs to a public CA."""
    return TrustStore("public", lambda: Anchors((root.certificate,), frozenset({root.certificate})))

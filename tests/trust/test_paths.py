"""Paths: in the right order, all of them kept, and never more work than is allowed."""

from __future__ import annotations

import itertools
import time

import pytest

from glasslock.errors import CertificateRefused
from glasslock.trust import Verdict
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.decide import MOST_RECEIVED, read_chain
from glasslock.trust.paths import MOST_PATHS, MOST_SIGNATURES, Path, PathSearch, straight

from . import pki
from .pki import DAY, NOW, Issued

GOOD = pki.chain()
OTHER_ROOT = pki.mint(pki.root("Other root", 110))


def paths(leaf: Issued, others: list[Issued], *anchors: Issued, deepest: int = 8) -> list[Path]:
    parsed = [ParsedCertificate.from_x509(one.certificate) for one in (leaf, *others)]
    return list(PathSearch(pki.store(*anchors), parsed[1:], deepest).from_leaf(parsed[0]))


def shape(path: Path) -> list[str]:
    return [certificate.title for certificate in path.certificates]


def test_the_plain_way() -> None:
    (path,) = paths(GOOD.leaf, [GOOD.intermediate], GOOD.root)
    assert shape(path) == ["example.com", "Intermediate", "Root"]
    assert path.anchored
    assert path.dead_end == ""


def test_an_anchor_ends_a_path_wherever_it_stands() -> None:
    assert [shape(path) for path in paths(GOOD.leaf, [GOOD.intermediate], GOOD.leaf, GOOD.root)] == [["example.com"]]
    assert [shape(path) for path in paths(GOOD.leaf, [], GOOD.intermediate)] == [["example.com", "Intermediate"]]


def test_dead_ends_say_why() -> None:
    (lonely,) = paths(GOOD.leaf, [], GOOD.root)
    assert (shape(lonely), lonely.anchored) == (["example.com"], False)
    assert lonely.dead_end == "its issuer is not at hand"
    (forged,) = paths(pki.broken_signature(GOOD.leaf), [GOOD.intermediate], GOOD.root)
    assert forged.dead_end == "its signature fits no certificate of its issuer"
    assert [one.title for one in forged.impostors] == ["Intermediate"]
    (deep,) = paths(GOOD.leaf, [GOOD.intermediate], GOOD.root, deepest=0)
    assert (shape(deep), deep.dead_end) == (["example.com", "Intermediate"], "longer than a path may be")


def test_trusted_before_sent_and_likely_before_unlikely() -> None:
    cross = pki.mint(pki.root(), OTHER_ROOT)
    found = paths(GOOD.leaf, [GOOD.intermediate, cross], OTHER_ROOT, GOOD.root)
    assert [shape(path)[2:] for path in found] == [["Root"], ["Root", "Other root"]]
    unlikely = pki.mint(pki.intermediate(key_identifier=False), OTHER_ROOT)
    found = paths(GOOD.leaf, [unlikely, GOOD.intermediate], OTHER_ROOT, GOOD.root)
    assert [shape(path)[2:] for path in found] == [["Root"], ["Other root"]]


def test_every_path_is_kept_as_evidence() -> None:
    expired_cross = pki.mint(pki.root(not_after=NOW - DAY), OTHER_ROOT)
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(OTHER_ROOT).verify([*GOOD.sent, GOOD.root.der, expired_cross.der], "example.com")
    verdict = caught.value.evidence
    assert isinstance(verdict, Verdict)
    assert {len(path.path) for path in verdict.paths} == {3, 4}
    problems = {path.problem for path in verdict.paths}
    assert problems == {"Root: expired 1 day ago", "Root: the root Root is not in the trust store"}
    assert verdict.kind.value == "expired"


def test_a_dead_path_before_the_good_one_is_told() -> None:
    dead = pki.mint(pki.intermediate(not_after=NOW - DAY), GOOD.root)
    seen: list[object] = []
    pki.verifier(GOOD.root).verify(
        [GOOD.leaf.der, dead.der, GOOD.intermediate.der], "example.com", observer=seen.append
    )
    tried = [record for record in seen if type(record).__name__ == "PathTried"]
    assert [record.problem for record in tried] == ["Intermediate: expired 1 day ago", ""]  # type: ignore[attr-defined]


def cross_signed_mesh(size: int) -> tuple[Issued, list[Issued]]:
    """Every CA has certified every other one: (size - 1)! ways and more, none of them to a trusted root."""
    cas = [pki.mint(pki.root(f"CA {number}", 500 + number)) for number in range(size)]
    mesh = [
        pki.mint(pki.root(f"CA {subject}", 500 + subject), cas[issuer])
        for subject, issuer in itertools.permutations(range(size), 2)
    ]
    return pki.mint(pki.leaf(), cas[0]), mesh


def test_a_mesh_of_cross_signatures_ends_soon() -> None:
    leaf, mesh = cross_signed_mesh(6)
    parsed = [ParsedCertificate.from_x509(one.certificate) for one in (leaf, *mesh)]
    search = PathSearch(pki.store(GOOD.root), parsed[1:], 8)
    assert len(list(search.from_leaf(parsed[0]))) <= MOST_PATHS
    assert len(search.signatures) <= MOST_SIGNATURES
    assert search.exhausted
    started = time.perf_counter()
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(GOOD.root).verify([leaf.der, *(one.der for one in mesh)], "example.com")
    assert "of many possible paths were looked at" in caught.value.evidence.checks[0].explanation  # type: ignore[union-attr]
    assert time.perf_counter() - started < 2


def test_too_much_work_for_the_verifier_is_said_in_its_words() -> None:
    leaf, mesh = cross_signed_mesh(6)
    bridge = pki.mint(pki.root("CA 5", 505, path_length=0), GOOD.root)
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(GOOD.root).verify([leaf.der, *(one.der for one in mesh[:30]), bridge.der], "example.com")
    assert caught.value.evidence is not None


def test_many_of_the_same_name() -> None:
    crowd = [pki.mint(pki.intermediate(number=1000 + number), OTHER_ROOT) for number in range(200)]
    received = read_chain([GOOD.leaf.der, *(one.der for one in crowd), GOOD.intermediate.der])
    assert len(received.others) == MOST_RECEIVED - 1
    assert received.beyond == 202 - MOST_RECEIVED
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(GOOD.root).verify(received.chain, "example.com")
    verdict = caught.value.evidence
    assert isinstance(verdict, Verdict)
    overview = verdict.checks[0]
    assert overview.explanation == "170 not looked at: only the first 32 are"
    assert len(verdict.received) == 202


def test_copies_are_looked_at_once() -> None:
    received = read_chain([GOOD.leaf.der, *[GOOD.intermediate.der] * 5000, GOOD.leaf.der])
    assert (len(received.others), received.duplicates) == (1, 5000)
    pki.verifier(GOOD.root).verify(received.chain, "example.com")


def test_a_loop_is_cut_out() -> None:
    minted = (pki.mint(pki.root(letter, 600 + ord(letter))) for letter in "abcd")
    a, b, c, d = (ParsedCertificate.from_x509(one.certificate) for one in minted)
    assert straight([a, b, c]) == (a, b, c)
    assert straight([a, b, b, b, c]) == (a, b, c)
    assert straight([a, b, c, b, d]) == (a, b, d)
    assert straight([a, a, b]) == (a, a, b)  # the leaf stays, even if a CA has its name and key


def test_a_cross_signed_root_that_goes_round_in_circles_is_told_straight() -> None:
    cross = pki.mint(pki.root(), OTHER_ROOT)
    seen: list[object] = []
    sent = [GOOD.leaf.der, GOOD.intermediate.der, GOOD.root.der, cross.der]
    pki.verifier(OTHER_ROOT).verify(sent, "example.com", observer=seen.append)
    accepted = [record for record in seen if type(record).__name__ == "PathTried"][-1]
    assert accepted.path == (GOOD.leaf.der, GOOD.intermediate.der, cross.der, OTHER_ROOT.der)  # type: ignore[attr-defined]

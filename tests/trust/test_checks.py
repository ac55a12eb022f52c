"""Each check by itself: every outcome, with the inputs that a person sees."""

from __future__ import annotations

import datetime as dt
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from glasslock.registry import Side
from glasslock.trust import Kind
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.checks import CHECKS
from glasslock.trust.checks.authority import (
    check_basic_constraints,
    check_extended_key_usage,
    check_key_usage,
    check_path_length,
)
from glasslock.trust.checks.constraints import check_name_constraints
from glasslock.trust.checks.dates import check_dates, check_lifetime
from glasslock.trust.checks.strength import (
    SIGNATURES,
    check_key,
    check_signature,
    check_signature_algorithm,
    signature_words,
)
from glasslock.trust.keys import CA_KEYS, key_problem
from glasslock.trust.lifetimes import LIFETIMES, exceeds_limit, lifetime_limit
from glasslock.trust.policy import Purpose

from . import pki
from .asking import (
    GOOD,
    PASSED,
    SKIPPED,
    UNKNOWN,
    WARNED,
    ask,
    dns,
    failed,
    leaf,
    middle,
    outcome,
    place,
    public,
)
from .pki import CLIENT, DAY, NOW, SERVER, Issued

# Certificates with a zero or negative serial are made here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


def test_a_finding_becomes_a_record_of_the_trace() -> None:
    record = ask(check_dates, GOOD.leaf, GOOD.root).record
    assert (record.time, record.side, record.name, record.certificate) == (12.5, Side.SERVER, "dates", 0)
    assert record.subject == "example.com"
    assert record.rule == "RFC 5280 section 4.1.2.5"
    assert record.inputs == (
        ("not before", "2027-01-05 12:00:00 UTC"),
        ("not after", "2027-04-05 12:00:00 UTC"),
        ("now", "2027-01-15 12:00:00 UTC"),
    )
    assert record.explanation == "valid for another 80 days"


def test_every_check_has_a_name_and_a_rule_of_its_own() -> None:
    path = (GOOD.leaf, middle(permitted=(dns("example.com"),)), GOOD.root)
    findings = [check(place(*path, index=index)) for check in CHECKS for index in range(3)]
    told = [finding for finding in findings if finding is not None]
    assert len({finding.name for finding in told}) == len(CHECKS)
    assert all(finding.rule and finding.explanation for finding in told)


class TestDates:
    """To the second, both ends included."""

    @pytest.mark.parametrize(
        ("now", "expected"),
        [
            (NOW - 10 * DAY, PASSED),
            (NOW + 80 * DAY, PASSED),
            (NOW - 10 * DAY - dt.timedelta(seconds=1), failed(Kind.NOT_YET_VALID)),
            (NOW + 80 * DAY + dt.timedelta(seconds=1), failed(Kind.EXPIRED)),
        ],
    )
    def test_edges(self, now: dt.datetime, expected: object) -> None:
        assert outcome(ask(check_dates, GOOD.leaf, GOOD.root, now=now)) == expected


class TestLifetime:
    """The Baseline Requirements' calendar."""

    @pytest.mark.parametrize(
        ("issued", "limit"),
        [
            ("2018-03-01", None),
            ("2020-08-31", None),
            ("2020-09-01", 398),
            ("2026-03-14", 398),
            ("2026-03-15", 200),
            ("2027-03-14", 200),
            ("2027-03-15", 100),
            ("2029-03-14", 100),
            ("2029-03-15", 47),
            ("2040-01-01", 47),
        ],
    )
    def test_calendar(self, issued: str, limit: int | None) -> None:
        day = dt.datetime.fromisoformat(issued).replace(tzinfo=dt.UTC)
        assert lifetime_limit(day) == limit
        if limit is not None:
            assert not exceeds_limit(day, day + limit * DAY)
            assert exceeds_limit(day, day + limit * DAY + dt.timedelta(seconds=1))
        else:
            assert not exceeds_limit(day, day + 5000 * DAY)

    def test_calendar_is_in_order(self) -> None:
        assert list(LIFETIMES) == sorted(LIFETIMES, reverse=True)

    @pytest.mark.parametrize(
        ("lifetime", "expected"),
        [
            (200 * DAY - dt.timedelta(seconds=1), PASSED),
            (200 * DAY, WARNED),
            (200 * DAY + dt.timedelta(seconds=1), failed(Kind.LIFETIME_TOO_LONG)),
        ],
    )
    def test_public_root(self, lifetime: dt.timedelta, expected: object) -> None:
        begin = NOW - DAY
        long = pki.mint(pki.leaf(not_before=begin, not_after=begin + lifetime), GOOD.root)
        finding = ask(check_lifetime, long, GOOD.root, store=public(GOOD.root))
        assert outcome(finding) == expected
        assert ("limit for public CAs", "200 days") in finding.inputs

    def test_issued_before_the_first_limit(self) -> None:
        begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        old = pki.mint(pki.leaf(not_before=begin, not_after=begin + 800 * DAY), GOOD.root)
        finding = ask(check_lifetime, old, GOOD.root, store=public(GOOD.root))
        assert outcome(finding) == PASSED
        assert ("limit for public CAs", "none") in finding.inputs

    def test_private_roots_are_exempt(self) -> None:
        long = pki.mint(pki.leaf(not_after=NOW + 5000 * DAY), GOOD.root)
        finding = ask(check_lifetime, long, GOOD.root)
        assert outcome(finding) == SKIPPED
        assert "private" in finding.explanation

    def test_no_root(self) -> None:
        finding = ask(check_lifetime, GOOD.leaf, anchored=False)
        assert outcome(finding) == SKIPPED
        assert "no root was reached" in finding.explanation


class TestAuthority:
    """Who may vouch, how far, and for what."""

    @pytest.mark.parametrize(
        ("path", "index", "anchored", "expected"),
        [
            ((leaf(), GOOD.root), 0, True, PASSED),
            ((leaf(ca=None), GOOD.root), 0, True, PASSED),
            ((leaf(ca=True), GOOD.root), 0, True, failed(Kind.INVALID)),
            ((leaf(ca=True),), 0, True, PASSED),
            ((leaf(ca=True),), 0, False, failed(Kind.INVALID)),
            ((leaf(), middle(), GOOD.root), 1, True, PASSED),
            ((leaf(), middle(ca=False), GOOD.root), 1, True, failed(Kind.INVALID)),
            ((leaf(), middle(ca=None), GOOD.root), 1, True, failed(Kind.INVALID)),
            ((leaf(), pki.mint(pki.root(ca=None))), 1, True, failed(Kind.INVALID)),
        ],
    )
    def test_basic_constraints(self, path: tuple[Issued, ...], index: int, anchored: bool, expected: object) -> None:
        assert outcome(ask(check_basic_constraints, *path, index=index, anchored=anchored)) == expected

    @pytest.mark.parametrize(
        ("limit", "below", "expected"),
        [(None, 3, PASSED), (0, 0, PASSED), (0, 1, failed(Kind.INVALID)), (1, 1, PASSED), (1, 2, failed(Kind.INVALID))],
    )
    def test_path_length(self, limit: int | None, below: int, expected: object) -> None:
        top = pki.mint(pki.root(path_length=limit))
        path = (leaf(), *[GOOD.intermediate] * below, top)
        finding = ask(check_path_length, *path, index=below + 1)
        assert outcome(finding) == expected
        assert ("intermediates below", str(below)) in finding.inputs

    def test_path_length_does_not_concern_a_leaf(self) -> None:
        assert check_path_length(place(GOOD.leaf, GOOD.root)) is None
        assert check_path_length(place(GOOD.leaf, middle(ca=None), index=1)) is None

    @pytest.mark.parametrize(
        ("path", "index", "expected", "words"),
        [
            ((leaf(), GOOD.root), 0, PASSED, "digital signature"),
            ((leaf(usage=None), GOOD.root), 0, PASSED, "not said"),
            ((leaf(usage=pki.key_usage("key_encipherment")), GOOD.root), 0, WARNED, "key encipherment"),
            ((leaf(usage=pki.key_usage("key_cert_sign")), GOOD.root), 0, WARNED, "sign certificates"),
            ((leaf(usage=pki.key_usage("key_cert_sign")),), 0, WARNED, "sign certificates"),
            ((leaf(), middle()), 1, PASSED, "sign certificates, sign revocation lists"),
            ((leaf(), middle(usage=None)), 1, PASSED, "not said"),
            ((leaf(), middle(usage=pki.key_usage("crl_sign"))), 1, failed(Kind.INVALID), "sign revocation lists"),
        ],
    )
    def test_key_usage(self, path: tuple[Issued, ...], index: int, expected: object, words: str) -> None:
        finding = ask(check_key_usage, *path, index=index)
        assert outcome(finding) == expected
        assert finding.inputs == (("key may", words),)

    @pytest.mark.parametrize(
        ("usages", "index", "purpose", "expected"),
        [
            (None, 0, Purpose.SERVER, PASSED),
            ((SERVER,), 0, Purpose.SERVER, PASSED),
            ((CLIENT,), 0, Purpose.SERVER, failed(Kind.WRONG_PURPOSE)),
            ((CLIENT,), 0, Purpose.CLIENT, PASSED),
            ((SERVER,), 0, Purpose.CLIENT, failed(Kind.WRONG_PURPOSE)),
            ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), 0, Purpose.SERVER, failed(Kind.WRONG_PURPOSE)),
            ((ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,), 1, Purpose.SERVER, PASSED),
            ((CLIENT,), 1, Purpose.SERVER, failed(Kind.WRONG_PURPOSE)),
        ],
    )
    def test_extended_key_usage(self, usages: Any, index: int, purpose: Purpose, expected: object) -> None:
        path = (leaf(extended=usages), middle(extended=usages))
        assert outcome(ask(check_extended_key_usage, *path, index=index, purpose=purpose)) == expected

    def test_an_unknown_usage_is_shown_by_its_number(self) -> None:
        finding = ask(check_extended_key_usage, leaf(extended=(x509.ObjectIdentifier("1.2.3"), SERVER)), GOOD.root)
        assert finding.inputs[0] == ("for", "1.2.3, server authentication")


class TestConstraints:
    """Name constraints, type by type."""

    @pytest.mark.parametrize(
        ("limits", "names", "expected"),
        [
            ({"permitted": (dns("example.com"),)}, (dns("example.com"),), PASSED),
            ({"permitted": (dns("example.com"),)}, (dns("A.EXAMPLE.com"),), PASSED),
            ({"permitted": (dns("example.com"),)}, (dns("badexample.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"permitted": (dns("a.example.com"),)}, (dns("*.example.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"permitted": (dns("example.com"),)}, (dns("*.example.com"),), PASSED),
            ({"excluded": (dns("a.example.com"),)}, (dns("*.example.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"excluded": (dns("a.b.example.com"),)}, (dns("*.example.com"),), PASSED),
            ({"excluded": (dns("example.com"),)}, (dns("*.a.example.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"excluded": (dns("example.org"),)}, (dns("example.com"),), PASSED),
            ({"permitted": (dns(".example.com"),)}, (dns("a.example.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"permitted": (dns("example.com"),)}, (dns("a_b.example.com"),), failed(Kind.NAME_CONSTRAINT)),
            ({"permitted": (dns("example.com"),)}, (x509.IPAddress(ip_address("192.0.2.1")),), PASSED),
            (
                {"permitted": (x509.IPAddress(ip_network("192.0.2.0/24")),)},
                (x509.IPAddress(ip_address("192.0.2.1")),),
                PASSED,
            ),
            (
                {"permitted": (x509.IPAddress(ip_network("192.0.2.0/24")),)},
                (x509.IPAddress(ip_address("192.0.3.1")),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"permitted": (x509.IPAddress(ip_network("192.0.2.0/24")),)},
                (x509.IPAddress(ip_address("::1")),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"excluded": (x509.IPAddress(ip_network("::/0")),)},
                (x509.IPAddress(ip_network("192.0.2.0/24")),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            ({"permitted": (x509.RFC822Name("example.com"),)}, (x509.RFC822Name("a@EXAMPLE.com"),), PASSED),
            (
                {"permitted": (x509.RFC822Name("example.com"),)},
                (x509.RFC822Name("a@b.example.com"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            ({"permitted": (x509.RFC822Name(".example.com"),)}, (x509.RFC822Name("a@b.example.com"),), PASSED),
            (
                {"permitted": (x509.RFC822Name(".example.com"),)},
                (x509.RFC822Name("a@example.com"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            ({"permitted": (x509.RFC822Name("a@example.com"),)}, (x509.RFC822Name("a@example.com"),), PASSED),
            (
                {"permitted": (x509.RFC822Name("A@example.com"),)},
                (x509.RFC822Name("a@example.com"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"permitted": (x509.RFC822Name("not a domain"),)},
                (x509.RFC822Name("a@example.com"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"permitted": (x509.RFC822Name("._"),)},
                (x509.RFC822Name("a@example.com"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"permitted": (x509.RFC822Name("example.com"),)},
                (x509.RFC822Name("no mailbox"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            (
                {"permitted": (x509.UniformResourceIdentifier("example.com"),)},
                (x509.UniformResourceIdentifier("https://example.com/"),),
                failed(Kind.NAME_CONSTRAINT),
            ),
            ({"excluded": (x509.DirectoryName(pki.name("x")),)}, (dns("example.com"),), failed(Kind.INVALID)),
            (
                {"excluded": (x509.DirectoryName(pki.name("x")),), "constraints_critical": False},
                (dns("example.com"),),
                PASSED,
            ),
        ],
    )
    def test_one(self, limits: Any, names: Any, expected: object) -> None:
        finding = ask(check_name_constraints, leaf(names=names), middle(**limits), GOOD.root, index=1)
        assert outcome(finding) == expected

    def test_none(self) -> None:
        assert check_name_constraints(place(GOOD.leaf, GOOD.root, index=1)) is None

    def test_a_leaf_may_not_have_any(self) -> None:
        finding = ask(check_name_constraints, leaf(permitted=(dns("example.com"),)), GOOD.root)
        assert outcome(finding) == failed(Kind.INVALID)

    def test_names_of_intermediates_count_unless_self_issued(self) -> None:
        limited = pki.mint(pki.root(permitted=(dns("example.com"),)))
        named = middle(names=(dns("other.example"),))
        assert outcome(ask(check_name_constraints, GOOD.leaf, named, limited, index=2)) == failed(Kind.NAME_CONSTRAINT)
        rollover = pki.mint(pki.root(number=170, names=(dns("other.example"),)), limited)
        assert outcome(ask(check_name_constraints, GOOD.leaf, rollover, limited, index=2)) == PASSED

    def test_too_many_to_explain(self) -> None:
        many = leaf(names=tuple(dns(f"a{number}.example.com") for number in range(300)))
        limits = middle(permitted=tuple(dns(f"a{number}.example.com") for number in range(300)))
        finding = ask(check_name_constraints, many, limits, GOOD.root, index=1)
        assert outcome(finding) == UNKNOWN
        assert finding.inputs[2] == ("names below", f"{', '.join(f'a{n}.example.com' for n in range(10))} and 290 more")


class TestStrength:
    """Keys and signatures."""

    @pytest.mark.parametrize(
        ("kind", "as_leaf", "as_ca"),
        [
            ("p256", PASSED, PASSED),
            ("p384", PASSED, PASSED),
            ("p521", PASSED, PASSED),
            ("rsa2048", PASSED, PASSED),
            ("mldsa44", PASSED, PASSED),
            ("rsa1024", failed(Kind.WEAK_KEY), failed(Kind.WEAK_KEY)),
            ("p224", failed(Kind.UNSUPPORTED), failed(Kind.UNSUPPORTED)),
            ("ed25519", PASSED, failed(Kind.UNSUPPORTED)),
            ("ed448", PASSED, failed(Kind.UNSUPPORTED)),
        ],
    )
    def test_key(self, kind: str, as_leaf: object, as_ca: object) -> None:
        assert outcome(ask(check_key, leaf(key=pki.key(kind)), GOOD.root)) == as_leaf
        assert outcome(ask(check_key, GOOD.leaf, middle(key=pki.key(kind)), index=1)) == as_ca

    def test_key_that_cannot_be_decoded(self) -> None:
        def spoil(fields: list[bytes]) -> list[bytes]:
            return [*fields[:6], fields[6][:-64] + b"\xff" * 64, *fields[7:]]

        odd = pki.rebuild(GOOD.leaf, GOOD.intermediate.key, spoil)
        finding = ask(check_key, odd, GOOD.root)
        assert outcome(finding) == failed(Kind.UNSUPPORTED)
        assert finding.inputs == (("key", "cannot be decoded"),)

    @pytest.mark.parametrize(
        ("key", "kind"),
        [
            (pki.tlv(0x30, pki.tlv(2, b"\x40" + b"\x01" * 31) + pki.tlv(2, b"\x03")), Kind.WEAK_KEY),
            (pki.tlv(0x30, pki.tlv(2, b"\x01") + pki.tlv(2, b"\x03")), Kind.WEAK_KEY),
            (b"\x30\x82", Kind.UNSUPPORTED),
            (pki.tlv(0x30, b""), Kind.UNSUPPORTED),
        ],
    )
    def test_rsa_key_too_odd_to_be_decoded(self, key: bytes, kind: Kind) -> None:
        algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
        info = pki.tlv(0x30, algorithm + pki.tlv(3, b"\0" + key))
        odd = pki.rebuild(GOOD.leaf, GOOD.intermediate.key, lambda fields: [*fields[:6], info, *fields[7:]])
        assert outcome(ask(check_key, odd, GOOD.root)) == failed(kind)

    def test_kinds_of_ca_keys_are_those_of_cryptography(self) -> None:
        for kind in ("rsa2048", "p256", "p384", "p521", "mldsa44"):
            info = pki.key(kind).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            assert any(algorithm in info[:40] for algorithm in CA_KEYS), kind

    @pytest.mark.parametrize(
        ("issuer", "changes", "words"),
        [
            ("p256", {}, "ECDSA with SHA-256"),
            ("p256", {"hash": hashes.SHA384()}, "ECDSA with SHA-384"),
            ("p256", {"hash": hashes.SHA512()}, "ECDSA with SHA-512"),
            ("rsa2048", {}, "RSA with SHA-256"),
            ("rsa2048", {"hash": hashes.SHA384()}, "RSA with SHA-384"),
            ("rsa2048", {"hash": hashes.SHA512()}, "RSA with SHA-512"),
            ("rsa2048", {"pss": True}, "RSA-PSS with SHA-256"),
            ("mldsa44", {}, "ML-DSA-44"),
        ],
    )
    def test_signatures_are_known_as_cryptography_writes_them(self, issuer: str, changes: Any, words: str) -> None:
        top = pki.mint(pki.root(key=pki.key(issuer)))
        signed = pki.mint(pki.leaf(**changes), top)
        finding = ask(check_signature_algorithm, signed, top)
        assert outcome(finding) == PASSED
        assert finding.inputs == (("signed with", words),)
        assert outcome(ask(check_signature, signed, top)) == PASSED

    def test_all_signatures_are_named_apart(self) -> None:
        assert len(SIGNATURES) == len(set(SIGNATURES.values())) == 12

    @pytest.mark.parametrize(
        ("signed", "kind", "words"),
        [
            (pki.with_sha1(GOOD.leaf, GOOD.intermediate.key), Kind.WEAK_SIGNATURE, "ECDSA with SHA-1"),
            (pki.with_sha1(GOOD.leaf, pki.key("rsa2048")), Kind.WEAK_SIGNATURE, "RSA with SHA-1"),
            (leaf(hash=hashes.SHA224()), Kind.UNSUPPORTED, "ECDSA with SHA-224"),
            (leaf(hash=hashes.SHA3_256()), Kind.UNSUPPORTED, "2.16.840.1.101.3.4.3.10"),
            (pki.mint(pki.leaf(), pki.mint(pki.root(key=pki.key("ed25519")))), Kind.UNSUPPORTED, "Ed25519"),
        ],
    )
    def test_other_signatures(self, signed: Issued, kind: Kind, words: str) -> None:
        finding = ask(check_signature_algorithm, signed, GOOD.root)
        assert outcome(finding) == failed(kind)
        assert signature_words(ParsedCertificate.from_x509(signed.certificate)) == words

    def test_an_anchors_own_signature_is_not_judged(self) -> None:
        old = pki.with_sha1(GOOD.root, GOOD.root.key)
        assert outcome(ask(check_signature_algorithm, GOOD.leaf, old, index=1)) == SKIPPED
        assert outcome(ask(check_signature, GOOD.leaf, old, index=1)) == SKIPPED

    def test_signature(self) -> None:
        assert outcome(ask(check_signature, GOOD.leaf, GOOD.intermediate)) == PASSED
        assert outcome(ask(check_signature, GOOD.leaf, anchored=False)) == UNKNOWN
        forged = pki.broken_signature(GOOD.leaf)
        assert outcome(ask(check_signature, forged, GOOD.intermediate)) == failed(Kind.BAD_SIGNATURE)

    def test_signature_by_another_kind_of_key_than_it_says(self) -> None:
        liar = pki.mint(pki.intermediate(key=pki.key("rsa2048")), GOOD.root)
        assert outcome(ask(check_signature, GOOD.leaf, liar)) == failed(Kind.BAD_SIGNATURE)

    def test_signature_that_cannot_be_checked(self) -> None:
        weak = pki.with_sha1(GOOD.leaf, GOOD.intermediate.key)
        assert outcome(ask(check_signature, weak, GOOD.intermediate)) == UNKNOWN

    def test_key_problem_of_a_good_key(self) -> None:
        assert key_problem(GOOD.leaf.certificate) is None

"""The checks of form, identifiers, name and anchor, each by itself: every outcome, with its inputs."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from glasslock.trust import Kind
from glasslock.trust.checks.anchor import check_anchor
from glasslock.trust.checks.form import check_critical_extensions, check_form, check_profile
from glasslock.trust.checks.identifiers import check_identifiers
from glasslock.trust.checks.name import check_name
from glasslock.trust.policy import Policy, Purpose

from . import pki
from .asking import (
    GOOD,
    PASSED,
    SKIPPED,
    WARNED,
    ask,
    dns,
    failed,
    leaf,
    middle,
    outcome,
    place,
    public,
    rebuilt,
    with_serial,
)
from .pki import Issued

# Certificates with a zero or negative serial are made here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")


class TestForm:
    """How a certificate is built."""

    @pytest.mark.parametrize(
        ("odd", "text"),
        [
            (rebuilt(list, outer=pki.ECDSA_SHA1), "one signature algorithm inside"),
            (with_serial(b"\x01" * 22), "has 22 bytes"),
            (with_serial(b"\xff\x01"), "is negative"),
            (rebuilt(lambda fields: [*fields[:3], b"\x30\x00", *fields[4:]]), "does not name its issuer"),
            (
                rebuilt(
                    lambda fields: [
                        *fields[:4],
                        pki.tlv(0x30, pki.tlv(0x18, b"20260101000000Z") + pki.tlv(0x18, b"20600101000000Z")),
                        *fields[5:],
                    ]
                ),
                "GeneralizedTime",
            ),
            (
                rebuilt(
                    lambda fields: [
                        *fields[:4],
                        pki.tlv(0x30, pki.tlv(0x17, b"260101000000Z") + pki.tlv(0x18, b"20300101000000Z")),
                        *fields[5:],
                    ]
                ),
                "GeneralizedTime",
            ),
        ],
    )
    def test_wrong(self, odd: Issued, text: str) -> None:
        finding = ask(check_form, odd, GOOD.root)
        assert outcome(finding) == failed(Kind.INVALID)
        assert text in finding.explanation

    def test_version_1(self) -> None:
        old = rebuilt(lambda fields: fields[1:-1])
        assert outcome(ask(check_form, old, GOOD.root)) == failed(Kind.WRONG_NAME)
        assert outcome(ask(check_form, old, GOOD.root, purpose=Purpose.CLIENT)) == failed(Kind.INVALID)
        assert outcome(ask(check_form, GOOD.leaf, old, index=1)) == failed(Kind.INVALID)

    @pytest.mark.parametrize("content", [b"\0", b"\0" + b"\xff" * 20, b"\x7f" * 20])
    def test_serials_that_are_tolerated(self, content: bytes) -> None:
        assert outcome(ask(check_form, with_serial(content), GOOD.root)) == PASSED

    def test_dates_after_2050_are_written_the_long_way(self) -> None:
        assert outcome(ask(check_form, leaf(not_after=dt.datetime(2060, 1, 1, tzinfo=dt.UTC)), GOOD.root)) == PASSED

    def test_critical_extensions(self) -> None:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        assert outcome(ask(check_critical_extensions, leaf(extra=((unknown, False),)), GOOD.root)) == PASSED
        finding = ask(check_critical_extensions, leaf(extra=((unknown, True),)), GOOD.root)
        assert outcome(finding) == failed(Kind.INVALID)
        assert "1.2.3.4" in finding.explanation
        assert outcome(ask(check_critical_extensions, rebuilt(lambda f: f[1:-1]), GOOD.root)) == PASSED

    def test_profile_of_a_trusted_leaf_needs_no_authority_key_identifier(self) -> None:
        alone = leaf(authority_identifier=None)
        assert outcome(ask(check_profile, alone)) == PASSED
        assert outcome(ask(check_profile, alone, GOOD.root)) == WARNED
        assert outcome(ask(check_profile, alone, GOOD.root, policy=Policy(strict=True))) == failed(Kind.INVALID)

    def test_profile_of_a_client(self) -> None:
        odd = pki.mint(pki.client(names=(dns("a.example"),), names_critical=True), GOOD.root)
        assert outcome(ask(check_profile, odd, GOOD.root, purpose=Purpose.CLIENT)) == PASSED
        assert outcome(ask(check_profile, odd, GOOD.root, name="a.example")) == WARNED


class TestIdentifiers:
    """Nothing here refuses; everything odd is said."""

    @pytest.mark.parametrize(
        ("odd", "text"),
        [
            (with_serial(b"\0"), "is not positive"),
            (with_serial(b"\0" + b"\xff" * 20), "longer than 20 bytes"),
            (leaf(serial=1), "has only 1 bits"),
            (leaf(authority_identifier="wrong"), "not the one it names"),
        ],
    )
    def test_leaf(self, odd: Issued, text: str) -> None:
        finding = ask(check_identifiers, odd, GOOD.intermediate)
        assert outcome(finding) == WARNED
        assert text in finding.explanation

    def test_ca(self) -> None:
        assert outcome(ask(check_identifiers, GOOD.leaf, middle(key_identifier=False), index=1)) == WARNED
        assert outcome(ask(check_identifiers, GOOD.leaf, middle(serial=2), index=1)) == PASSED
        assert outcome(ask(check_identifiers, GOOD.leaf, GOOD.intermediate)) == PASSED


class TestName:
    """The name check; what matches is tested with the names themselves."""

    def test_only_a_servers_leaf_is_asked(self) -> None:
        assert check_name(place(GOOD.leaf, GOOD.root, index=1)) is None
        assert check_name(place(GOOD.leaf, GOOD.root, purpose=Purpose.CLIENT)) is None

    def test_inputs(self) -> None:
        finding = ask(check_name, GOOD.leaf, GOOD.root)
        assert outcome(finding) == PASSED
        assert finding.inputs == (("wanted", "example.com"), ("certificate is for", "example.com"))

    def test_no_name_is_compared(self) -> None:
        finding = ask(check_name, GOOD.leaf, GOOD.root, name=None)
        assert outcome(finding) == SKIPPED
        assert finding.inputs[0] == ("wanted", "any")


class TestAnchor:
    """Where the path ends."""

    def test_public_or_not(self) -> None:
        assert "(a public CA)" in ask(check_anchor, GOOD.leaf, GOOD.root, index=1, store=public(GOOD.root)).explanation
        assert "added to this list" in ask(check_anchor, GOOD.leaf, GOOD.root, index=1).explanation

    def test_only_the_last_is_asked(self) -> None:
        assert check_anchor(place(GOOD.leaf, GOOD.root)) is None

    def test_a_public_ca_is_nobody_who_reads_along(self) -> None:
        top = pki.mint(pki.root("Sophos Public CA", 180))
        signed = pki.mint(pki.leaf(), top)
        assert outcome(ask(check_anchor, signed, top, index=1, store=public(top))) == PASSED
        assert outcome(ask(check_anchor, signed, top, index=1)) == WARNED

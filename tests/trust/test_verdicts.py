"""Each class of refusal from the outside: what is raised, what a browser would say, who can fix it and how."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from glasslock.errors import CertificateRefused
from glasslock.registry import AlertDescription, Side
from glasslock.trace import Outcome
from glasslock.trust import EXIT_CODES, Kind, Policy, ServerCertificateVerifier, TrustStore, Verdict, WhoCanFix
from glasslock.trust.verdict import ALERTS
from glasslock.trust.wording import CODES

from . import pki
from .pki import CLIENT, DAY, NOW, Issued

GOOD = pki.chain()
OTHER_ROOT = pki.mint(pki.root("Other root", 110))
FETCHABLE = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.test/i.der")
        )
    ]
)


def refusal(
    sent: Sequence[bytes | Issued], anchors: Sequence[Issued], host: str = "example.com", **options: object
) -> Verdict:
    """What the verifier says against the chain."""
    chain = [one if isinstance(one, bytes) else one.der for one in sent]
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(*anchors, **options).verify(chain, host)
    verdict = caught.value.evidence
    assert isinstance(verdict, Verdict)
    assert caught.value.alert is verdict.alert
    assert caught.value.code == verdict.kind.value
    assert caught.value.message == verdict.cause
    assert not verdict.padlock
    assert verdict.received == tuple(chain)
    return verdict


@dataclass(frozen=True)
class Case:
    """A wrong chain and what must be said of it."""

    sent: list[Issued]
    kind: Kind
    alert: AlertDescription
    code: str
    who: WhoCanFix
    cause: str
    fix: str
    check: str
    position: int
    host: str = "example.com"
    anchor: Issued = GOOD.root
    may_proceed: bool = True


def with_leaf(**changes: object) -> list[Issued]:
    return [pki.mint(pki.leaf(**changes), GOOD.intermediate), GOOD.intermediate]


def with_intermediate(**changes: object) -> list[Issued]:
    middle = pki.mint(pki.intermediate(**changes), GOOD.root)
    return [pki.mint(pki.leaf(), middle), middle]


SELF_SIGNED = pki.mint(pki.leaf())
PROXY_ROOT = pki.mint(pki.root("Zscaler Root CA", 120))
IMPOSTOR = pki.mint(pki.intermediate(number=222), OTHER_ROOT)
SHORT = pki.key("rsa1024")

CASES = {
    "expired": Case(
        with_leaf(not_before=NOW - 90 * DAY, not_after=NOW - 3 * DAY),
        Kind.EXPIRED,
        AlertDescription.CERTIFICATE_EXPIRED,
        "NET::ERR_CERT_DATE_INVALID",
        WhoCanFix.OPERATOR,
        "the certificate of example.com expired 3 days ago, on 2027-01-12 12:00:00 UTC",
        "certbot renew",
        "dates",
        0,
    ),
    "expired intermediate": Case(
        with_intermediate(not_after=NOW - DAY),
        Kind.EXPIRED,
        AlertDescription.CERTIFICATE_EXPIRED,
        "NET::ERR_CERT_DATE_INVALID",
        WhoCanFix.OPERATOR,
        "the issuer's certificate Intermediate expired 1 day ago",
        "send the current intermediate",
        "dates",
        1,
    ),
    "not yet valid": Case(
        with_leaf(not_before=NOW + 2 * DAY),
        Kind.NOT_YET_VALID,
        AlertDescription.CERTIFICATE_EXPIRED,
        "NET::ERR_CERT_DATE_INVALID",
        WhoCanFix.OPERATOR,
        "becomes valid only in 2 days",
        "check the clock first: it says 2027-01-15 12:00:00 UTC",
        "dates",
        0,
    ),
    "wrong name": Case(
        GOOD_SENT := [GOOD.leaf, GOOD.intermediate],
        Kind.WRONG_NAME,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_COMMON_NAME_INVALID",
        WhoCanFix.OPERATOR,
        "the certificate is for example.com, not for www.example.com (was example.com meant?)",
        "certbot certonly -d www.example.com",
        "name",
        0,
        host="www.example.com",
    ),
    "no names": Case(
        with_leaf(names=None),
        Kind.WRONG_NAME,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_COMMON_NAME_INVALID",
        WhoCanFix.OPERATOR,
        "the certificate names no host at all",
        "certbot certonly -d example.com",
        "name",
        0,
    ),
    "unknown root": Case(
        GOOD_SENT,
        Kind.UNKNOWN_ROOT,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.DEVELOPER,
        "the root Root is not in the trust store (the test's roots)",
        "glasslock visit --ca root.pem https://example.com/",
        "trust anchor",
        1,
        anchor=OTHER_ROOT,
    ),
    "unknown root that was sent": Case(
        [*GOOD_SENT, GOOD.root],
        Kind.UNKNOWN_ROOT,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.DEVELOPER,
        "the root Root is not in the trust store (the test's roots)",
        "glasslock visit --ca root.pem https://example.com/",
        "trust anchor",
        2,
        anchor=OTHER_ROOT,
    ),
    "missing intermediate": Case(
        [pki.mint(pki.leaf(extra=((FETCHABLE, False),)), GOOD.intermediate)],
        Kind.MISSING_INTERMEDIATE,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.OPERATOR,
        "the server did not send the certificate of Intermediate, which links its own to a trusted root",
        "curl -sS http://ca.test/i.der | openssl x509 -inform der >> fullchain.pem; nginx: ssl_certificate fullchain",
        "trust anchor",
        0,
    ),
    "self-signed": Case(
        [SELF_SIGNED],
        Kind.SELF_SIGNED,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.DEVELOPER,
        "the certificate of example.com vouches for itself",
        "glasslock ca init && glasslock ca issue example.com",
        "trust anchor",
        0,
    ),
    "self-signed CA": Case(
        [pki.mint(pki.leaf(ca=True, usage=None, extended=None))],
        Kind.SELF_SIGNED,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.DEVELOPER,
        "vouches for itself",
        "glasslock ca init",
        "trust anchor",
        0,
    ),
    "inspecting proxy": Case(
        [pki.mint(pki.leaf(), PROXY_ROOT), PROXY_ROOT],
        Kind.INSPECTED,
        AlertDescription.UNKNOWN_CA,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.NETWORK_OWNER,
        "the certificate was made by Zscaler, which re-signs what passes through it",
        "proxy-root.pem",
        "trust anchor",
        1,
    ),
    "broken signature": Case(
        [pki.broken_signature(GOOD.leaf), GOOD.intermediate],
        Kind.BAD_SIGNATURE,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.OPERATOR,
        "names Intermediate as its issuer, but that certificate's key did not sign it: forged, or changed since",
        "this is what an impostor looks like",
        "trust anchor",
        0,
    ),
    "another CA of the same name": Case(
        [pki.mint(pki.leaf(), IMPOSTOR), GOOD.intermediate],
        Kind.BAD_SIGNATURE,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.OPERATOR,
        "another CA of the same name did, or it is forged",
        "re-created a CA under the same name",
        "trust anchor",
        0,
    ),
    "false self-signature": Case(
        [pki.broken_signature(SELF_SIGNED)],
        Kind.BAD_SIGNATURE,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_AUTHORITY_INVALID",
        WhoCanFix.OPERATOR,
        "claims to vouch for itself, but its signature does not fit its key",
        "do not go on",
        "trust anchor",
        0,
    ),
    "not a server certificate": Case(
        with_leaf(extended=(CLIENT,)),
        Kind.WRONG_PURPOSE,
        AlertDescription.UNSUPPORTED_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "the certificate of example.com is not for server authentication",
        "extendedKeyUsage = serverAuth",
        "extended key usage",
        0,
        may_proceed=False,
    ),
    "issuer not for servers": Case(
        with_intermediate(extended=(CLIENT,)),
        Kind.WRONG_PURPOSE,
        AlertDescription.UNSUPPORTED_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "the issuer's certificate Intermediate may not vouch for server authentication",
        "extendedKeyUsage = serverAuth",
        "extended key usage",
        1,
        may_proceed=False,
    ),
    "weak key": Case(
        with_leaf(key=SHORT),
        Kind.WEAK_KEY,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_WEAK_KEY",
        WhoCanFix.OPERATOR,
        "its RSA key has 1024 bits; at least 2048 are needed",
        "openssl genpkey",
        "key strength",
        0,
    ),
    "weak issuer's key": Case(
        with_intermediate(key=SHORT),
        Kind.WEAK_KEY,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_WEAK_KEY",
        WhoCanFix.OPERATOR,
        "the issuer's certificate Intermediate is too weak",
        "openssl genpkey",
        "key strength",
        1,
    ),
    "weak signature": Case(
        [pki.with_sha1(GOOD.leaf, GOOD.intermediate.key), GOOD.intermediate],
        Kind.WEAK_SIGNATURE,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "signed using ECDSA with SHA-1, with which signatures can be forged",
        "-sha256",
        "signature algorithm",
        0,
        may_proceed=False,
    ),
    "version 1": Case(
        [pki.rebuild(GOOD.leaf, GOOD.intermediate.key, lambda fields: fields[1:-1]), GOOD.intermediate],
        Kind.WRONG_NAME,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_COMMON_NAME_INVALID",
        WhoCanFix.OPERATOR,
        "the certificate names no host at all: an X.509 version 1 certificate: it has no extensions",
        "certbot certonly -d example.com",
        "form",
        0,
    ),
    "unsupported signature": Case(
        with_leaf(hash=pki.hashes.SHA224()),
        Kind.UNSUPPORTED,
        AlertDescription.UNSUPPORTED_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "signed using ECDSA with SHA-224",
        "have it issued anew",
        "signature algorithm",
        0,
        may_proceed=False,
    ),
    "name constraint": Case(
        with_intermediate(permitted=(x509.DNSName("example.org"),)),
        Kind.NAME_CONSTRAINT,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "may not vouch for example.com: it is not among the permitted names",
        "have example.com certified by a CA that may",
        "name constraints",
        1,
        may_proceed=False,
    ),
    "issuer is no CA": Case(
        with_intermediate(ca=False, usage=None),
        Kind.INVALID,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "vouches for another certificate but is not a CA",
        "RFC 5280 section 4.2.1.9",
        "basic constraints",
        1,
        may_proceed=False,
    ),
    "CA as a site": Case(
        with_leaf(ca=True),
        Kind.INVALID,
        AlertDescription.BAD_CERTIFICATE,
        "NET::ERR_CERT_INVALID",
        WhoCanFix.OPERATOR,
        "a CA certificate is used where a site's own is wanted",
        "have it issued anew",
        "basic constraints",
        0,
        may_proceed=False,
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_refusal(label: str) -> None:
    case = CASES[label]
    verdict = refusal(case.sent, [case.anchor], case.host)
    assert verdict.kind is case.kind
    assert verdict.alert is case.alert
    assert verdict.code == case.code
    assert verdict.who_can_fix is case.who
    assert case.cause in verdict.cause
    assert case.fix in verdict.fix
    assert verdict.may_proceed is case.may_proceed
    assert verdict.exit_code == EXIT_CODES[case.kind] > 0
    assert verdict.headline == "Your connection is not private"
    assert case.host in verdict.message
    assert case.host in verdict.details
    assert [who for who, _ in verdict.others_say] == ["Chrome", "Firefox", "curl", "Python"]
    chrome = dict(verdict.others_say)["Chrome"]
    lenient = label in ("CA as a site", "weak key", "weak issuer's key")
    assert chrome.startswith("no error") if lenient else chrome.endswith(case.code)
    failed = [check for check in verdict.checks if check.outcome is Outcome.FAILED]
    assert (case.check, case.position) in [(check.name, check.certificate) for check in failed]
    assert verdict.paths
    assert all(path.path[0] == case.sent[0].der and path.problem for path in verdict.paths)


def test_exit_codes_and_alerts_cover_every_kind() -> None:
    assert set(EXIT_CODES) == set(Kind)
    assert len(set(EXIT_CODES.values())) == len(Kind)
    assert set(ALERTS) == set(CODES) == set(Kind) - {Kind.TRUSTED}


def test_padlock() -> None:
    seen: list[object] = []
    pki.verifier(GOOD.root).verify(GOOD.sent, "example.com", observer=seen.append)
    verdict = seen[-1]
    assert (verdict.padlock, verdict.kind, verdict.code) == (True, "trusted", "")  # type: ignore[attr-defined]
    assert verdict.headline == "Connection is secure"  # type: ignore[attr-defined]
    assert verdict.cause == "Root vouches for it, and is trusted"  # type: ignore[attr-defined]
    assert verdict.store == "the test's roots"  # type: ignore[attr-defined]
    assert verdict.fix == ""  # type: ignore[attr-defined]


def test_a_command_never_carries_the_peers_words_unquoted() -> None:
    evil = x509.UniformResourceIdentifier("http://x/;rm -rf ~;`id`$(id)")
    access = x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, evil)])
    leaf = pki.mint(pki.leaf(extra=((access, False),)), GOOD.intermediate)
    verdict = refusal([leaf], [GOOD.root])
    assert verdict.kind is Kind.MISSING_INTERMEDIATE
    assert "curl -sS 'http://x/;rm -rf ~;`id`$(id)' |" in verdict.fix


def test_a_name_that_acts_on_terminals_is_shown_harmless() -> None:
    evil = pki.mint(pki.root("\x1b[2J\x07evil\n", 130))
    verdict = refusal([pki.mint(pki.leaf(), evil), evil], [GOOD.root])
    assert "\\x1b[2J\\x07evil\\x0a" in verdict.cause
    assert all(c.isprintable() for c in verdict.cause)


class TestMissingOrUnknown:
    """What is `unable to get local issuer certificate` for everybody else."""

    def test_a_relative_in_the_store_is_a_clue(self) -> None:
        top = pki.mint(pki.root("ACME Root", subject=pki.name("ACME Root", "ACME Ltd")))
        middle = pki.mint(pki.intermediate(subject=pki.name("ACME Issuing", "ACME Ltd")), top)
        verdict = refusal([pki.mint(pki.leaf(), middle)], [top])
        assert verdict.kind is Kind.MISSING_INTERMEDIATE
        anchor = next(check for check in verdict.checks if check.name == "trust anchor")
        assert anchor.explanation == (
            "its issuer ACME Issuing was not sent; ACME Root of the same organisation is trusted"
        )
        assert "curl" not in verdict.fix

    def test_without_a_clue_nobody_can_know(self) -> None:
        verdict = refusal([GOOD.leaf], [GOOD.root])
        assert verdict.kind is Kind.UNKNOWN_ROOT
        assert verdict.cause.startswith("its issuer Intermediate was not sent and is not in the trust store")

    def test_a_relative_of_an_unknown_root_is_mentioned(self) -> None:
        kin = pki.mint(pki.root("ACME Root 1", 140, subject=pki.name("ACME Root 1", "ACME Ltd")))
        top = pki.mint(pki.root("ACME Root 2", subject=pki.name("ACME Root 2", "ACME Ltd")))
        middle = pki.mint(pki.intermediate(), top)
        verdict = refusal([pki.mint(pki.leaf(), middle), middle], [kin])
        assert verdict.kind is Kind.UNKNOWN_ROOT
        assert "the root ACME Root 2 is not in the trust store (ACME Root 1 of the same organ" in verdict.cause

    def test_empty_store(self) -> None:
        store = TrustStore("nothing at all", lambda: pki.TrustStore.from_certificates([]).anchors)
        with pytest.raises(CertificateRefused) as caught:
            ServerCertificateVerifier(store, clock=pki.clock).verify(GOOD.sent, "example.com")
        verdict = caught.value.evidence
        assert isinstance(verdict, Verdict)
        assert verdict.kind is Kind.UNKNOWN_ROOT
        assert verdict.cause == "no certificate at all is trusted: nothing at all"
        assert verdict.who_can_fix is WhoCanFix.VISITOR


class TestInspection:
    """Somebody in between who re-signs what passes through."""

    def test_the_leaf_alone_is_enough(self) -> None:
        assert refusal([pki.mint(pki.leaf(), PROXY_ROOT)], [GOOD.root]).kind is Kind.INSPECTED

    def test_a_trusted_one_gets_a_padlock_and_a_warning(self) -> None:
        seen: list[object] = []
        pki.verifier(PROXY_ROOT).verify([pki.mint(pki.leaf(), PROXY_ROOT).der], "example.com", observer=seen.append)
        anchor = next(record for record in seen if getattr(record, "name", "") == "trust anchor")
        assert anchor.outcome is Outcome.WARNED  # type: ignore[attr-defined]
        assert "it is the root of Zscaler: someone reads along" in anchor.explanation  # type: ignore[attr-defined]

    def test_part_of_a_word_is_no_match(self) -> None:
        top = pki.mint(pki.root("Hamburptown CA", 121))
        assert refusal([pki.mint(pki.leaf(), top), top], [GOOD.root]).kind is Kind.UNKNOWN_ROOT


class TestClock:
    """A wrong clock here is told apart from a wrong certificate there."""

    def test_everything_expired_is_rather_a_clock_ahead(self) -> None:
        later = NOW + 4000 * DAY
        verdict = refusal(GOOD_SENT, [GOOD.root], clock=later.timestamp)
        assert verdict.kind is Kind.EXPIRED
        assert verdict.headline == "Your clock is ahead"
        assert "A private connection to example.com can't be established because your computer's date and time" in (
            verdict.message
        )
        assert verdict.who_can_fix is WhoCanFix.VISITOR
        assert "set the clock: it says 2037-12-28" in verdict.fix

    def test_a_time_before_this_was_written_is_a_clock_behind(self) -> None:
        early = pki.dt.datetime(2020, 1, 1, tzinfo=pki.dt.UTC)
        top = pki.mint(pki.root(not_before=early - DAY))
        middle = pki.mint(pki.intermediate(not_before=early - DAY), top)
        leaf = pki.mint(pki.leaf(), middle)
        verdict = refusal([leaf, middle], [top], clock=early.timestamp)
        assert verdict.kind is Kind.NOT_YET_VALID
        assert verdict.headline == "Your clock is behind"
        assert "most likely this computer's clock is behind" in verdict.cause
        assert verdict.who_can_fix is WhoCanFix.VISITOR

    def test_expired_in_the_last_day(self) -> None:
        leaf = pki.mint(pki.leaf(not_after=NOW - DAY / 2), GOOD.intermediate)
        assert (
            "its security certificate expired in the last day."
            in refusal([leaf, GOOD.intermediate], [GOOD.root]).details
        )

    def test_the_leaf_is_in_date_but_its_issuer_is_not(self) -> None:
        assert (
            "its security certificate is not valid at this time."
            in refusal(CASES["expired intermediate"].sent, [GOOD.root]).details
        )

    def test_valid_from_tomorrow(self) -> None:
        leaf = pki.mint(pki.leaf(not_before=NOW + DAY / 2), GOOD.intermediate)
        assert "is supposedly from tomorrow." in refusal([leaf, GOOD.intermediate], [GOOD.root]).details


class TestWrongName:
    """Names that nearly match are pointed out."""

    @pytest.mark.parametrize(
        ("names", "host", "hint"),
        [
            (["www.example.com"], "example.com", "was www.example.com meant?"),
            (["*.example.com"], "example.com", "*.example.com does not cover example.com itself"),
            (["*.example.com"], "a.b.example.com", "*.example.com covers one label only, not a.b"),
            (["192.0.2.1"], "192.0.2.1", "the address is written as a host name in it"),
            (["*.example.com"], "192.0.2.1", "it is for host names: try https://example.com/"),
        ],
    )
    def test_hint(self, names: list[str], host: str, hint: str) -> None:
        leaf = pki.mint(pki.leaf(*names), GOOD.intermediate)
        verdict = refusal([leaf, GOOD.intermediate], [GOOD.root], host)
        assert verdict.kind is Kind.WRONG_NAME
        assert hint in verdict.cause

    def test_address_without_any_host_name_has_no_hint(self) -> None:
        leaf = pki.mint(pki.leaf(names=(x509.RFC822Name("a@example.com"),)), GOOD.intermediate)
        verdict = refusal([leaf, GOOD.intermediate], [GOOD.root], "192.0.2.1")
        assert verdict.cause == "the certificate is for e-mail a@example.com, not for 192.0.2.1"

    def test_only_the_common_name_says_so(self) -> None:
        leaf = pki.mint(pki.leaf(names=(x509.RFC822Name("a@example.com"),)), GOOD.intermediate)
        verdict = refusal([leaf, GOOD.intermediate], [GOOD.root])
        assert "only the common name says so, which has not counted since 2017" in verdict.cause

    @pytest.mark.parametrize("host", ["a_b.example.com", "-a.example.com", "a..example.com", "", "☃" * 100])
    def test_a_name_that_no_certificate_can_be_for(self, host: str) -> None:
        verdict = refusal(GOOD_SENT, [GOOD.root], host)
        assert verdict.kind is Kind.WRONG_NAME
        assert verdict.who_can_fix is WhoCanFix.DEVELOPER

    def test_wildcard_for_a_whole_registry(self) -> None:
        leaf = pki.mint(pki.leaf("*.com"), GOOD.intermediate)
        assert refusal([leaf, GOOD.intermediate], [GOOD.root]).kind is Kind.WRONG_NAME

    def test_details_without_any_name(self) -> None:
        verdict = refusal(with_leaf(names=None), [GOOD.root])
        assert "its security certificate does not specify Subject Alternative Names." in verdict.details


class TestPrecedence:
    """Of several errors the one that Chrome shows."""

    @pytest.mark.parametrize(
        ("changes", "anchor", "host", "kind"),
        [
            ({"not_after": NOW - DAY}, OTHER_ROOT, "example.com", Kind.UNKNOWN_ROOT),
            ({"not_after": NOW - DAY}, GOOD.root, "other.example", Kind.WRONG_NAME),
            ({}, OTHER_ROOT, "other.example", Kind.UNKNOWN_ROOT),
            ({"key": SHORT, "not_after": NOW - DAY}, GOOD.root, "example.com", Kind.WEAK_KEY),
            ({"key": SHORT}, GOOD.root, "other.example", Kind.WRONG_NAME),
            # CERT_INVALID comes first, but stands for errors of the path only where none has its own code.
            ({"extended": (CLIENT,)}, GOOD.root, "other.example", Kind.WRONG_PURPOSE),
            ({"extended": (CLIENT,), "not_after": NOW - DAY}, GOOD.root, "example.com", Kind.EXPIRED),
            ({"extended": (CLIENT,)}, OTHER_ROOT, "example.com", Kind.UNKNOWN_ROOT),
        ],
    )
    def test_order(self, changes: dict[str, object], anchor: Issued, host: str, kind: Kind) -> None:
        assert refusal(with_leaf(**changes), [anchor], host).kind is kind


class TestHsts:
    """A host that has promised HTTPS."""

    def test_nobody_may_proceed(self) -> None:
        plain = refusal(GOOD_SENT, [OTHER_ROOT])
        verdict = refusal(GOOD_SENT, [OTHER_ROOT], is_hsts=lambda host: host == "example.com")
        assert plain.may_proceed
        assert not plain.hsts
        assert not verdict.may_proceed
        assert verdict.hsts
        assert "because the website uses HSTS" in verdict.details
        assert plain.on_hsts_host() == verdict
        assert verdict.on_hsts_host() is verdict

    def test_another_host_is_not_concerned(self) -> None:
        assert refusal(GOOD_SENT, [OTHER_ROOT], is_hsts=lambda host: host == "other.example").may_proceed

    def test_what_is_fatal_anyway_keeps_its_words(self) -> None:
        verdict = refusal(with_leaf(extended=(CLIENT,)), [GOOD.root], is_hsts=lambda _host: True)
        assert "scrambled credentials" in verdict.details


class TestStrict:
    """What Python 3.13 refuses and browsers do not."""

    LAPSES: ClassVar = {
        "no key usage": ({"usage": None}, {}),
        "basic constraints not critical": ({"basic_critical": False}, {}),
        "authority key identifier without a key": ({"authority_identifier": "serial"}, {}),
        "no authority key identifier": ({}, {"authority_identifier": None}),
        "names critical": ({}, {"names_critical": True}),
        "may sign certificates": ({}, {"usage": pki.key_usage("digital_signature", "key_cert_sign")}),
        "empty subject": ({}, {"subject": pki.name("")}),
        "usage critical": ({}, {"extended_critical": True}),
    }

    @pytest.mark.parametrize("lapse", LAPSES)
    def test_a_lapse(self, lapse: str) -> None:
        for_ca, for_leaf = self.LAPSES[lapse]
        middle = pki.mint(pki.intermediate(**for_ca), GOOD.root)
        sent = [pki.mint(pki.leaf(**for_leaf), middle), middle]
        seen: list[object] = []
        pki.verifier(GOOD.root).verify([one.der for one in sent], "example.com", observer=seen.append)
        warned = [one for one in seen if getattr(one, "name", "") == "profile" and one.outcome is Outcome.WARNED]  # type: ignore[attr-defined]
        assert len(warned) == 1
        assert "VERIFY_X509_STRICT" in warned[0].explanation  # type: ignore[attr-defined]
        verdict = refusal(sent, [GOOD.root], policy=Policy(strict=True))
        assert verdict.kind is Kind.INVALID
        assert ("profile", Outcome.FAILED) in [(check.name, check.outcome) for check in verdict.checks]


def test_evidence_survives_pickling() -> None:
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(OTHER_ROOT).verify(GOOD.sent, "example.com")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.evidence == caught.value.evidence
    assert str(copy) == str(caught.value)


def test_the_record_says_the_same() -> None:
    verdict = refusal(GOOD_SENT, [OTHER_ROOT])
    record = verdict.as_record(1.5, Side.CLIENT)
    for field in ("padlock", "code", "headline", "message", "details", "cause", "fix", "may_proceed", "others_say"):
        assert getattr(record, field) == getattr(verdict, field)
    assert (record.kind, record.who_can_fix, record.time) == ("unknown-root", "the developer", 1.5)

"""What we say that Python would say, Python says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest
from cryptography import x509

from glasslock.errors import CertificateRefused
from glasslock.registry import Side
from glasslock.trace import CheckRan, Outcome
from glasslock.trust import Kind, Verdict
from glasslock.trust.checks import Finding
from glasslock.trust.others import Refusal, others_say

from . import pki
from .oracle import python_says
from .pki import CLIENT, DAY, NOW, Issued, Recipe

REAL = dt.datetime.now(dt.UTC).replace(microsecond=0)  # OpenSSL's clock cannot be set
POISON = ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\0"), True),)


def at_present(recipe: Recipe) -> Recipe:
    shift = REAL - NOW
    return replace(recipe, not_before=recipe.not_before + shift, not_after=recipe.not_after + shift)


def mint(recipe: Recipe, issuer: Issued | None = None) -> Issued:
    return pki.mint(at_present(recipe), issuer)


def chain(leaf: Recipe | None = None, middle: Recipe | None = None, top: Recipe | None = None) -> list[Issued]:
    root = mint(top or pki.root())
    intermediate = mint(middle or pki.intermediate(), root)
    return [mint(leaf or pki.leaf(), intermediate), intermediate, root]


def ours(sent: Sequence[Issued], anchors: Sequence[Issued], host: str) -> str:
    """What we say that Python says."""
    verdict = None
    try:
        pki.verifier(*anchors, clock=REAL.timestamp).verify([one.der for one in sent], host)
    except CertificateRefused as refused:
        verdict = refused.evidence
    if verdict is None:
        return "no error"
    assert isinstance(verdict, Verdict)
    said = dict(verdict.others_say)
    words = said["Python"].partition("certificate verify failed: ")[2]
    if words and "mismatch" not in words:
        assert said["curl"] == f"curl: (60) SSL certificate problem: {words}"
    return words or said["Python"]


def check(sent: Sequence[Issued], anchors: Sequence[Issued], host: str = "example.com") -> str:
    """Both must say the same; returns it."""
    theirs = python_says(sent, anchors, host) or "no error"
    assert ours(sent, anchors, host) == theirs
    return theirs


OTHER = mint(pki.root("Other root", 110))


@pytest.mark.parametrize("who", ["leaf", "intermediate", "root"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="none"),
        pytest.param({"not_before": NOW - 9 * DAY, "not_after": NOW - DAY}, id="expired"),
        pytest.param({"not_before": NOW + DAY, "not_after": NOW + 9 * DAY}, id="not yet valid"),
        pytest.param({"extended": (CLIENT,)}, id="for clients"),
        pytest.param({"key": pki.key("rsa1024")}, id="weak key"),
        pytest.param({"extra": POISON}, id="unknown critical extension"),
        pytest.param({"authority_identifier": None}, id="no authority key identifier"),
        pytest.param({"usage": None}, id="no key usage"),
        pytest.param({"basic_critical": False}, id="basic constraints not critical"),
        pytest.param({"ca": True, "path_length": 0}, id="CA without intermediates"),
    ],
)
def test_one_change(who: str, changes: dict[str, object]) -> None:
    recipe = getattr(pki, who)(**changes)
    leaf, intermediate, root = chain(**{{"leaf": "leaf", "intermediate": "middle", "root": "top"}[who]: recipe})
    check([leaf, intermediate], [root])


@pytest.mark.parametrize("who", ["intermediate", "root"])
@pytest.mark.parametrize(
    "changes",
    [
        {"ca": False},
        {"usage": pki.key_usage("digital_signature")},
        {"permitted": (x509.DNSName("example.org"),)},
        {"excluded": (x509.DNSName("example.com"),)},
    ],
    ids=" ".join,
)
def test_one_change_to_a_ca(who: str, changes: dict[str, object]) -> None:
    recipe = getattr(pki, who)(**changes)
    leaf, intermediate, root = chain(**{{"intermediate": "middle", "root": "top"}[who]: recipe})
    assert check([leaf, intermediate], [root]) != "no error"


def test_ways_to_have_no_trusted_root() -> None:
    leaf, intermediate, root = chain()
    said = {
        check([leaf, intermediate], [OTHER]),
        check([leaf, intermediate, root], [OTHER]),
        check([leaf], [root]),
        check([mint(pki.leaf())], [root]),
        check([mint(pki.leaf(ca=True, usage=None))], [root]),
    }
    assert said == {
        "unable to get local issuer certificate",
        "self-signed certificate in certificate chain",
        "self-signed certificate",
    }


def test_a_self_signed_certificate_that_is_trusted() -> None:
    for leaf in (mint(pki.leaf()), mint(pki.leaf(ca=True, usage=None, authority_identifier=None))):
        assert check([leaf], [leaf]) == "no error"


@pytest.mark.parametrize("host", ["www.example.com", "example.org", "127.0.0.1", "::1"])
def test_wrong_name(host: str) -> None:
    leaf, intermediate, root = chain()
    assert "mismatch, certificate is not valid for" in check([leaf, intermediate], [root], host)


def test_without_alternative_names_python_still_takes_the_common_name() -> None:
    leaf, intermediate, root = chain(pki.leaf(names=None))
    assert check([leaf, intermediate], [root]) == "no error"
    assert "mismatch" in check([leaf, intermediate], [root], "example.org")


def test_a_common_name_is_never_an_address() -> None:
    leaf, intermediate, root = chain(pki.leaf("127.0.0.1", names=None))
    assert "IP address mismatch" in check([leaf, intermediate], [root], "127.0.0.1")


def test_signatures() -> None:
    leaf, intermediate, root = chain()
    assert check([pki.broken_signature(leaf), intermediate], [root]) == "certificate signature failure"
    weak = "CA signature digest algorithm too weak"
    assert check([pki.with_sha1(leaf, intermediate.key), intermediate], [root]) == weak
    assert check([leaf, pki.with_sha1(intermediate, root.key)], [root]) == weak


@pytest.mark.parametrize("identifier", [None, "issuer"])
def test_another_ca_of_the_same_name(identifier: str | None) -> None:
    _, _, root = chain()
    impostor_root = mint(pki.root(number=111))
    impostor = mint(pki.intermediate(number=222, authority_identifier=identifier), impostor_root)
    said = check([mint(pki.leaf(), impostor), impostor], [root])
    assert said == ("unable to get local issuer certificate" if identifier else "certificate signature failure")


@pytest.mark.parametrize(("trusted", "host"), [(False, "example.com"), (True, "example.org")])
def test_of_several_errors_the_one_that_openssl_finds_first(trusted: bool, host: str) -> None:
    leaf, intermediate, root = chain(pki.leaf(not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    check([leaf, intermediate], [root if trusted else OTHER], host)


# --- what no oracle here can say ---


def say(*findings: tuple[str, Kind, int], public: bool = False, bits: int = 0) -> dict[str, str]:
    found = [
        Finding(
            CheckRan(
                time=0,
                rule="",
                side=Side.CLIENT,
                name=name,
                outcome=Outcome.FAILED,
                certificate=position,
                explanation="not allowed",
            ),
            kind,
        )
        for name, kind, position in findings
    ]
    return dict(others_say(Refusal(found, "NET::ERR_CERT_X", None, False, False, False, public, bits)))


def test_chrome_knows_better_sometimes() -> None:
    assert say(("trust anchor", Kind.MISSING_INTERMEDIATE, 0))["Chrome"].startswith("no error if it can fetch")
    weak = ("key strength", Kind.WEAK_KEY, 0)
    assert say(weak, bits=1024)["Chrome"] == "no error (of public CAs it asks for 2048 bits)"
    assert say(weak, bits=1024, public=True)["Chrome"] == "NET::ERR_CERT_X"
    assert say(weak, bits=1023)["Chrome"] == "NET::ERR_CERT_X"
    assert say(("basic constraints", Kind.INVALID, 0))["Chrome"] == "no error"
    assert say(("basic constraints", Kind.INVALID, 1))["Chrome"] == "NET::ERR_CERT_X"


def test_firefox_takes_short_keys() -> None:
    weak = ("key strength", Kind.WEAK_KEY, 0)
    assert say(weak, bits=1024)["Firefox"] == "no error"
    assert say(weak, bits=1023)["Firefox"].startswith("MOZILLA_PKIX_ERROR_INADEQUATE_KEY_SIZE")
    assert say(weak, ("dates", Kind.EXPIRED, 0), bits=1024)["Firefox"].startswith("SEC_ERROR_EXPIRED_CERTIFICATE")


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (("dates", Kind.EXPIRED, 0), "SEC_ERROR_EXPIRED_CERTIFICATE"),
        (("dates", Kind.EXPIRED, 1), "SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE"),
        (("dates", Kind.NOT_YET_VALID, 0), "MOZILLA_PKIX_ERROR_NOT_YET_VALID_CERTIFICATE"),
        (("dates", Kind.NOT_YET_VALID, 1), "MOZILLA_PKIX_ERROR_NOT_YET_VALID_ISSUER_CERTIFICATE"),
        (("basic constraints", Kind.INVALID, 0), "MOZILLA_PKIX_ERROR_CA_CERT_USED_AS_END_ENTITY"),
        (("basic constraints", Kind.INVALID, 1), "SEC_ERROR_CA_CERT_INVALID"),
        (("revocation", Kind.REVOKED, 0), "SEC_ERROR_REVOKED_CERTIFICATE"),
        (("lifetime", Kind.LIFETIME_TOO_LONG, 0), "no error"),
        (("key strength", Kind.UNSUPPORTED, 1), "SEC_ERROR_UNSUPPORTED_KEYALG"),
        (("signature algorithm", Kind.UNSUPPORTED, 0), "SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED"),
        (("verifier", Kind.INVALID, 0), "an error of its own"),
    ],
)
def test_firefox(finding: tuple[str, Kind, int], code: str) -> None:
    assert say(finding)["Firefox"].partition(":")[0] == code


def test_openssl_does_not_mind() -> None:
    assert say(("revocation", Kind.REVOKED, 0))["Python"] == "no error"
    assert say(("lifetime", Kind.LIFETIME_TOO_LONG, 0))["curl"] == "no error"
    assert say(("form", Kind.INVALID, 0))["curl"] == "curl: (60) SSL certificate problem: an error of its own"

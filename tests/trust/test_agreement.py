"""The explanation and the decision never disagree, over generated infrastructures that are wrong in every way.

`decide` is asked what it makes of a chain. `tell` is asked to explain a refusal of the same chain, whether or not there
was one: it must find a reason of its own exactly when the decision was a refusal, and the same path otherwise.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from glasslock.registry import Side
from glasslock.trust import TrustStore
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.decide import Decision, Refused, decide, read_chain
from glasslock.trust.explain import tell
from glasslock.trust.names import ServerName
from glasslock.trust.paths import straight
from glasslock.trust.policy import Policy, Purpose
from glasslock.trust.situation import Situation
from glasslock.trust.verdict import Moment

from . import pki
from .pki import CLIENT, DAY, NOW, SERVER, Issued, Recipe

# Certificates with a zero or negative serial are made here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")

ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
CODE = ExtendedKeyUsageOID.CODE_SIGNING
dns = x509.DNSName
MOMENT = Moment(0.0, Side.CLIENT)
Change = Callable[[Recipe], Recipe]
Rework = Callable[[Issued, Issued], Issued]


def change(**fields: Any) -> Change:
    return lambda recipe: replace(recipe, **fields)


POISON = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
POLICIES = x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("2.23.140.1.2.1"), None)])
ACCESS = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca/")
        )
    ]
)
STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])

# What can be done to any certificate before it is signed.
COMMON: dict[str, Change] = {
    "expired": change(not_before=NOW - 90 * DAY, not_after=NOW - DAY),
    "expires this second": change(not_after=NOW),
    "expired a second ago": change(not_after=NOW - dt.timedelta(seconds=1)),
    "valid from this second": change(not_before=NOW),
    "not yet valid": change(not_before=NOW + DAY, not_after=NOW + 90 * DAY),
    "after 2050": change(not_after=dt.datetime(2055, 1, 1, tzinfo=dt.UTC)),
    "no key usage": change(usage=None),
    "usage of a leaf": change(usage=pki.key_usage("digital_signature")),
    "usage of a CA": change(usage=pki.key_usage("key_cert_sign")),
    "no basic constraints": change(ca=None),
    "not a CA": change(ca=False),
    "a CA": change(ca=True),
    "basic constraints not critical": change(basic_critical=False),
    "for servers": change(extended=(SERVER,)),
    "for clients": change(extended=(CLIENT,)),
    "for code": change(extended=(CODE,)),
    "for any use": change(extended=(ANY,)),
    "for all": change(extended=(CODE, CLIENT, SERVER)),
    "usage critical": change(extended=(SERVER, CLIENT), extended_critical=True),
    "no authority key identifier": change(authority_identifier=None),
    "wrong authority key identifier": change(authority_identifier="wrong"),
    "authority serial only": change(authority_identifier="serial"),
    "no subject key identifier": change(key_identifier=False),
    "unknown critical": change(extra=((POISON, True),)),
    "unknown": change(extra=((POISON, False),)),
    "policies critical": change(extra=((POLICIES, True),)),
    "access": change(extra=((ACCESS, False),)),
    "access critical": change(extra=((ACCESS, True),)),
    "must staple": change(extra=((STAPLE, False),)),
    "P-384": change(key=pki.key("p384")),
    "P-521": change(key=pki.key("p521")),
    "P-224": change(key=pki.key("p224")),
    "Ed25519": change(key=pki.key("ed25519")),
    "ML-DSA": change(key=pki.key("mldsa44")),
    "RSA 2048": change(key=pki.key("rsa2048")),
    "RSA 1024": change(key=pki.key("rsa1024")),
    "SHA-512": change(hash=hashes.SHA512()),
    "SHA-224": change(hash=hashes.SHA224()),
    "permitted": change(permitted=(dns("example.com"),)),
    "permitted other": change(permitted=(dns("example.org"),)),
    "permitted several": change(permitted=(dns("example.org"), dns("example.com"), dns("a.example.com"))),
    "permitted dot": change(permitted=(dns(".example.com"),)),
    "excluded": change(excluded=(dns("example.com"),)),
    "excluded below": change(excluded=(dns("a.example.com"),)),
    "permitted network": change(permitted=(x509.IPAddress(ip_network("192.0.2.0/24")),)),
    "excluded network": change(excluded=(x509.IPAddress(ip_network("192.0.2.0/28")),)),
    "permitted mailboxes": change(permitted=(x509.RFC822Name("example.com"), x509.RFC822Name(".example.org"))),
    "permitted directory": change(permitted=(x509.DirectoryName(pki.name("x")),)),
    "permitted directory, weakly": change(permitted=(x509.DirectoryName(pki.name("x")),), constraints_critical=False),
    "excluded URI": change(excluded=(x509.UniformResourceIdentifier("example.com"),)),
}
FOR_CAS: dict[str, Change] = {
    "no path below": change(path_length=0),
    "one below": change(path_length=1),
    "with a name": change(names=(dns("ca.example.net"),)),
}
MAIL = x509.RFC822Name("me@example.com")
FOR_LEAVES: dict[str, Change] = {
    "no names": change(names=None),
    "names critical": change(names_critical=True),
    "no subject": change(subject=pki.name("")),
    "no subject, names critical": change(subject=pki.name(""), names_critical=True),
    "wildcard": change(names=(dns("*.example.com"),)),
    "wildcard for a registry": change(names=(dns("*.com"),)),
    "network": change(names=(dns("example.com"), x509.IPAddress(ip_network("192.0.2.0/24")))),
    "partial wildcard": change(names=(dns("a*.example.com"),)),
    "address": change(names=(x509.IPAddress(ip_address("192.0.2.1")),)),
    "address as a host": change(names=(dns("192.0.2.1"),)),
    "many": change(names=(dns("a.example.com"), dns("example.com"), x509.IPAddress(ip_address("192.0.2.200")))),
    "upper case": change(names=(dns("EXAMPLE.COM"), dns("A.Example.Com"))),
    "null byte": change(names=(dns("example.com\0.evil.example"),)),
    "underscore beside": change(names=(dns("a_b.example.com"), dns("example.com"))),
    "mail beside": change(names=(dns("example.com"), MAIL)),
    "odd mail beside": change(names=(dns("example.com"), x509.RFC822Name("no mail"))),
    "URI beside": change(names=(dns("example.com"), x509.UniformResourceIdentifier("https://example.com/"))),
    "directory beside": change(names=(dns("example.com"), x509.DirectoryName(pki.name("x")))),
    "final dot": change(names=(dns("example.com."),)),
}


def version_1(issued: Issued, issuer: Issued) -> Issued:
    return pki.rebuild(issued, issuer.key, lambda fields: fields[1:-1])


def with_serial(content: bytes) -> Rework:
    return lambda issued, issuer: pki.rebuild(
        issued, issuer.key, lambda fields: [fields[0], pki.tlv(2, content), *fields[2:]]
    )


def generalized_time(issued: Issued, issuer: Issued) -> Issued:
    validity = pki.tlv(0x30, pki.tlv(0x18, b"20260101000000Z") + pki.tlv(0x18, b"20300101000000Z"))
    return pki.rebuild(issued, issuer.key, lambda fields: [*fields[:4], validity, *fields[5:]])


def other_algorithm_outside(issued: Issued, issuer: Issued) -> Issued:
    return pki.rebuild(issued, issuer.key, list, outer=bytes.fromhex("300a06082a8648ce3d040303"))


def no_issuer(issued: Issued, issuer: Issued) -> Issued:
    return pki.rebuild(issued, issuer.key, lambda fields: [*fields[:3], b"\x30\x00", *fields[4:]])


# What can be done to it afterwards; only where the issuer's key is an ECDSA or RSA one.
REWORKS: dict[str, Rework] = {
    "broken signature": lambda issued, _issuer: pki.broken_signature(issued),
    "SHA-1": lambda issued, issuer: pki.with_sha1(issued, issuer.key),
    "version 1": version_1,
    "negative serial": with_serial(b"\x80\x01"),
    "zero serial": with_serial(b"\0"),
    "long serial": with_serial(b"\x01" * 22),
    "serial of 21 bytes": with_serial(b"\0" + b"\xff" * 20),
    "generalized time": generalized_time,
    "other algorithm outside": other_algorithm_outside,
    "no issuer": no_issuer,
}
CAN_REWORK = ("P-384", "P-521", "P-224", "Ed25519", "ML-DSA")  # keys that sign otherwise than `rebuild` does


def some(of: dict[str, Any], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.one_of(st.just([]), st.lists(st.sampled_from(sorted(of)), max_size=most, unique=True))


def make(recipe: Recipe, changes: list[str], rework: str | None, issuer: Issued | None) -> Issued:
    table = COMMON | FOR_CAS | FOR_LEAVES
    for one in changes:
        recipe = table[one](recipe)
    issued = pki.mint(recipe, issuer)
    signer = issuer or issued
    if rework is None or not hasattr(signer.key, "curve") or signer.key.curve.name != "secp256r1":
        return issued
    return REWORKS[rework](issued, signer)


reworks = st.one_of(st.none(), st.none(), st.none(), st.sampled_from(sorted(REWORKS)))
KEPT = ["leaf", "middles"]


@st.composite
def infrastructures(draw: st.DrawFn) -> tuple[list[bytes], TrustStore]:
    """What a peer sends, and whom we trust."""
    ca_changes = some(COMMON | FOR_CAS)
    top = make(pki.root(), draw(ca_changes), draw(reworks), None)
    middles: list[Issued] = []
    issuer = top
    for number in range(draw(st.integers(0, 2))):
        recipe = pki.intermediate(f"Intermediate {number}", 200 + number)
        issuer = make(recipe, draw(ca_changes), draw(reworks), issuer)
        middles.append(issuer)
    recipe = draw(st.sampled_from([pki.leaf(), pki.leaf("a.example.com", "example.com"), pki.client()]))
    last = make(recipe, draw(some(COMMON | FOR_LEAVES)), draw(reworks), issuer)

    other_root = pki.mint(pki.root("Other root", 110))
    junk = {
        "root": top,
        "other root": other_root,
        "same name, other key": pki.mint(pki.root(number=111)),
        "cross-signed root": pki.mint(pki.root(), other_root),
        "middle by other root": pki.mint(pki.intermediate("Intermediate 0", 200), other_root),
        "middle of the same name": pki.mint(pki.intermediate("Intermediate 0", 211), other_root),
        "a stranger": pki.mint(pki.leaf("stranger.example", number=301), other_root),
        "the leaf": last,
    }
    added = draw(st.lists(st.sampled_from(sorted(junk)), max_size=3))
    rest = [*middles, *(junk[one] for one in added)]
    if middles and draw(st.integers(0, 5)) == 0:
        rest.remove(draw(st.sampled_from(middles)))
    if draw(st.booleans()):
        rest = draw(st.permutations(rest))
    anchors = draw(
        st.sampled_from([[top], [top], [top], [other_root], [top, other_root], [last], [*middles, other_root]])
    )
    return [last.der, *(one.der for one in rest)], pki.store(*anchors)


names = st.sampled_from(["example.com", "a.example.com", "b.a.example.com", "192.0.2.1", "example.org"])
policies = st.sampled_from([Policy(), Policy(), Policy(strict=True), Policy(max_intermediates=0)])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    infrastructures(), names, policies, st.sampled_from([Purpose.SERVER, Purpose.SERVER, Purpose.CLIENT]), st.booleans()
)
def test_explanation_and_decision_agree(
    infrastructure: tuple[list[bytes], TrustStore], host: str, policy: Policy, purpose: Purpose, named: bool
) -> None:
    sent, store = infrastructure
    name = ServerName.parse(host) if named and purpose is Purpose.SERVER else None
    situation = Situation(store=store, policy=policy, purpose=purpose, now=NOW, name=name)
    assert_agreement(sent, situation)


def assert_agreement(sent: list[bytes], situation: Situation) -> None:
    received = read_chain(sent)
    accepted: tuple[x509.Certificate, ...] = ()
    refusal = ""
    try:
        accepted = decide(received, situation)
    except Refused as error:
        refusal = str(error)
    if "fatal error" in refusal:
        # `cryptography` gives up the whole search at one such certificate, though another path may be good.
        told = tell(situation, received, Decision(refusal=refusal), MOMENT).failed[-1]
        assert told.name != "verifier" or told.explanation == refusal
        return
    story = tell(situation, received, Decision(refusal="not told"), MOMENT)
    event("accepted" if accepted else f"refused: {', '.join(sorted({f.name for f in story.failed}))}")
    reasons = [finding for finding in story.failed if finding.name != "verifier"]
    reasons_told = [f"{finding.certificate} {finding.name}: {finding.explanation}" for finding in reasons]
    assert bool(reasons) == (not accepted), f"decision: {refusal or 'accepted'}; explanation: {reasons_told}"
    if accepted:
        assert story.path is not None
        assert story.path.certificates == straight([ParsedCertificate.from_x509(one) for one in accepted])

"""Attacks on names: a certificate for one name that is read as if it were for another."""

from __future__ import annotations

import time
from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509

from glasslock.errors import CertificateRefused
from glasslock.tls import ClientConnection
from glasslock.trust import Kind, Verdict
from glasslock.trust.names import InvalidServerName, ServerName

from ..tls.pair import client_config
from ..trust import pki
from ..trust.pki import Issued, raw_extension, tlv, with_extensions

GOOD = pki.chain()
BANK = "www.bank.example"
dns = x509.DNSName


def refused(leaf: bytes, host: str = BANK, middle: Issued = GOOD.intermediate) -> Verdict:
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(GOOD.root).verify([leaf, middle.der], host)
    verdict = caught.value.evidence
    assert isinstance(verdict, Verdict)
    return verdict


HOSTILE = [
    "www.bank.example\0.evil.example",
    "evil.example\0www.bank.example",
    "www.bank.example.",
    "www.bank.example ",
    "www.bank.example:443",
    "https://www.bank.example",
    "www.bank.example.evil.example",
    "evil.example, DNS:www.bank.example",
    "evil.example\nDNS:www.bank.example",
    "*",
    "*.*",
    "*.example",
    "*.*.example",
    "**.bank.example",
    "w*.bank.example",
    "*w.bank.example",
    "www.*.example",
    "www.bank.*",
    "*.bank.example.",
    ".bank.example",
    "bank.example",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_meant_to_be_misread(name: str) -> None:
    """Null prefixes (2009), wildcards in odd places, names that a list in text would split (CVE-2021-44532)."""
    verdict = refused(pki.mint(pki.leaf(names=(dns(name),)), GOOD.intermediate).der)
    assert verdict.kind is Kind.WRONG_NAME
    assert "\0" not in verdict.cause
    assert "\n" not in verdict.cause


@pytest.mark.parametrize(
    "other",
    [
        x509.RFC822Name("x@www.bank.example"),
        x509.UniformResourceIdentifier("https://www.bank.example/"),
        x509.DirectoryName(pki.name(BANK)),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), tlv(0x0C, b"DNS:www.bank.example")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
        x509.IPAddress(ip_address("192.0.2.1")),
    ],
)
def test_a_host_is_named_by_a_dns_name_and_by_nothing_else(other: x509.GeneralName) -> None:
    """Beside the subject, which says the same in its common name, and again in a second one."""
    subject = x509.Name([*pki.name(BANK), *pki.name("also " + BANK)])
    leaf = pki.mint(pki.leaf(names=(other,), subject=subject), GOOD.intermediate)
    assert refused(leaf.der).kind is Kind.WRONG_NAME


def test_an_object_identifier_does_not_overflow_into_another() -> None:
    """Layer cake (2009): 2.5.29.(2^64 + 17), which an overflowing parser reads as subjectAltName."""
    names = x509.SubjectAlternativeName([dns(BANK)]).public_bytes()
    arcs = b"\x55\x1d" + bytes([0x82, *[0x80] * 8, 0x11])  # 2.5.29 and 2^64 + 17, seven bits a byte
    extension = tlv(0x30, tlv(6, arcs) + tlv(4, names))
    leaf = with_extensions(pki.mint(pki.leaf(names=None), GOOD.intermediate), GOOD.intermediate.key, extension)
    refused(leaf)
    true = tlv(0x30, tlv(6, b"\x55\x1d\x11") + tlv(4, names))
    good = with_extensions(pki.mint(pki.leaf(names=None), GOOD.intermediate), GOOD.intermediate.key, true)
    pki.verifier(GOOD.root).verify([good, GOOD.intermediate.der], BANK)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        (dns("192.0.2.1"), "192.0.2.1"),
        (dns("2001:db8::1"), "2001:db8::1"),
        (dns("*.0.2.1"), "192.0.2.1"),
        (x509.IPAddress(ip_address("192.0.2.1")), "::ffff:192.0.2.1"),
        (x509.IPAddress(ip_address("::ffff:192.0.2.1")), "192.0.2.1"),
        (x509.IPAddress(ip_address("192.0.2.1")), "host.example"),
        (x509.UniformResourceIdentifier("192.0.2.1"), "192.0.2.1"),
    ],
)
def test_an_address_is_no_name_and_a_name_no_address(name: x509.GeneralName, host: str) -> None:
    assert refused(pki.mint(pki.leaf(names=(name,)), GOOD.intermediate).der, host).kind is Kind.WRONG_NAME


@pytest.mark.parametrize(
    "host", ["127.1", "0x7f.0.0.1", "2130706433", "017700000001", "192.0.2.01", "127.0.0.1.", "0300.0.2.1"]
)
def test_other_ways_to_write_an_address_are_none(host: str) -> None:
    """Which of them means which machine differs between programs."""
    leaf = pki.mint(
        pki.leaf(
            names=tuple(x509.IPAddress(ip_address(a)) for a in ("127.0.0.1", "192.0.2.1", "1.2.3.4")),
        ),
        GOOD.intermediate,
    )
    refused(leaf.der, host)


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ("\u0430pple.example", "apple.example"),  # Cyrillic a
        ("xn--pple-43d.example", "apple.example"),
        ("paypa\u0406.example", "paypal.example"),  # Cyrillic I
    ],
)
def test_look_alikes_are_other_names(shown: str, wanted: str) -> None:
    """Homographs (2001, 2017): names are compared, and shown, as A-labels."""
    assert shown != wanted
    name = ServerName.parse(shown)
    assert name.text.startswith("xn--")
    leaf = pki.mint(pki.leaf(name.text), GOOD.intermediate)
    verdict = refused(leaf.der, wanted)
    assert verdict.kind is Kind.WRONG_NAME
    assert name.text in verdict.cause
    pki.verifier(GOOD.root).verify([leaf.der, GOOD.intermediate.der], shown)


# --- name constraints -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "names", "host"),
    [
        ({"permitted": (dns("good.example"),)}, (dns("BANK.example"),), "bank.example"),
        ({"permitted": (dns("good.example"),)}, (dns("evilgood.example"),), "evilgood.example"),
        ({"permitted": (dns("good.example"),)}, (dns("good.example.bank.example"),), "good.example.bank.example"),
        ({"permitted": (dns("a.good.example"),)}, (dns("*.good.example"),), "bank.good.example"),
        ({"excluded": (dns("bank.example"),)}, (dns("*.bank.example"),), BANK),
        ({"excluded": (dns("www.bank.example"),)}, (dns("*.bank.example"),), BANK),
        ({"excluded": (dns("BANK.EXAMPLE"),)}, (dns("www.bank.example"),), BANK),
        ({"permitted": (dns("good.example"),)}, (dns("good.example"), dns(BANK)), BANK),
        ({"permitted": (dns(""),), "excluded": (dns("example"),)}, (dns(BANK),), BANK),
        ({"permitted": (x509.IPAddress(ip_network("192.0.2.0/24")),)}, (), "198.51.100.1"),
    ],
)
def test_constraints_are_not_evaded(limits: dict[str, object], names: tuple[x509.GeneralName, ...], host: str) -> None:
    """Letter case, neighbours, wildcards over an excluded name, a good name beside a bad one."""
    names = names or (x509.IPAddress(ip_address(host)),)
    middle = pki.mint(pki.intermediate(**limits), GOOD.root)
    refused(pki.mint(pki.leaf(names=names), middle).der, host, middle)
    free = pki.mint(pki.leaf(names=names), GOOD.intermediate)  # so it was the constraint
    pki.verifier(GOOD.root).verify([free.der, GOOD.intermediate.der], host)


def test_constraints_hold_two_levels_below() -> None:
    """A constrained intermediate makes an unconstrained one."""
    limited = pki.mint(pki.intermediate(permitted=(dns("good.example"),)), GOOD.root)
    free = pki.mint(pki.intermediate("Free", 210), limited)
    wide = pki.mint(pki.intermediate("Wide", 211, permitted=(dns(""), dns("bank.example"))), limited)
    for middle in (free, wide):
        bank = pki.mint(pki.leaf(BANK), middle)
        with pytest.raises(CertificateRefused):
            pki.verifier(GOOD.root).verify([bank.der, middle.der, limited.der], BANK)


def test_the_common_name_is_no_way_round_a_constraint() -> None:
    """A leaf without alternative names, so that none of them can be outside."""
    limited = pki.mint(pki.intermediate(permitted=(dns("good.example"),)), GOOD.root)
    leaf = pki.mint(pki.leaf(names=None, subject=pki.name(BANK)), limited)
    assert refused(leaf.der, BANK, limited).kind is Kind.WRONG_NAME


def test_a_constraint_of_punycode_breaks_nothing() -> None:
    """SpookySSL (CVE-2022-3602, CVE-2022-3786): e-mail constraints that overflowed a buffer when they were decoded."""
    for domain in (b"xn--" + b"a" * 4000, b"xn--" + b"9" * 600 + b"." * 300, b"xn--\xff\xfe"):
        subtree = tlv(0x30, tlv(0x81, domain))
        constraints = raw_extension("2.5.29.30", tlv(0x30, tlv(0xA0, subtree)), critical=True)
        middle = with_extensions(pki.mint(pki.intermediate(), GOOD.root), GOOD.root.key, constraints)
        mailbox = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.5.5.7.8.9"), tlv(0x0C, b"a@" + domain[:60]))
        plain = x509.RFC822Name("a@" + domain[:60].decode("ascii", "ignore"))
        leaf = pki.mint(pki.leaf(names=(dns(BANK), mailbox, plain)), GOOD.intermediate)
        with pytest.raises(CertificateRefused) as caught:
            pki.verifier(GOOD.root).verify([leaf.der, middle], BANK)
        assert isinstance(caught.value.evidence, Verdict)


# --- names that cost ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "\u0130" * 100_000, "xn--" + "9" * 100_000, "a." * 500_000, "\u0660" * 5000]
)
def test_a_name_costs_no_time(text: str) -> None:
    """CVE-2024-3651, CVE-2022-45061: names that took the IDNA decoder minutes."""
    started = time.perf_counter()
    with pytest.raises(InvalidServerName):
        ServerName.parse(text)
    assert time.perf_counter() - started < 2


def test_the_name_that_is_asked_for_is_the_name_that_is_checked() -> None:
    """A name in capitals, with a dot at its end or in its own script is one name everywhere."""
    leaf = pki.mint(pki.leaf("xn--bcher-kva.example"), GOOD.intermediate)
    for text in ("BÜCHER.example", "bücher.example.", "xn--bcher-kva.EXAMPLE"):
        name = ServerName.parse(text).text
        hello = ClientConnection(client_config(), name).data_to_send()
        assert b"xn--bcher-kva.example" in hello
        pki.verifier(GOOD.root).verify([leaf.der, GOOD.intermediate.der], text)

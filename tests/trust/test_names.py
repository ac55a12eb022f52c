"""RFC 9525, and the tricks that people have played with names."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given
from hypothesis import strategies as st

from glasslock.trust.names import (
    InvalidServerName,
    ServerName,
    describe_name,
    describe_names,
    is_dns_name,
    matching_name,
    pattern_matches,
)

from . import pki
from .pki import NOW

dns = x509.DNSName


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("日本語。example", "xn--wgv71a119e.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
    ],
)
def test_host_name(text: str, expected: str) -> None:
    name = ServerName.parse(text)
    assert (name.text, name.address, name.kind) == (expected, None, "host name")
    assert name.subject == dns(expected)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("192.0.2.1", "192.0.2.1", "IPv4 address"),
        ("::1", "::1", "IPv6 address"),
        ("[::1]", "::1", "IPv6 address"),
        ("2001:DB8:0:0::1", "2001:db8::1", "IPv6 address"),
        ("fe80::1%eth0", "fe80::1", "IPv6 address"),
    ],
)
def test_address(text: str, expected: str, kind: str) -> None:
    name = ServerName.parse(text)
    assert (name.text, name.address, name.kind) == (expected, ip_address(expected), kind)
    assert name.subject == x509.IPAddress(ip_address(expected))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a..b",
        ".example.com",
        "example.com..",
        "-a.example",
        "a-.example",
        "a b.example",
        "a_b.example",
        "example.com\0.evil.example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "*.example.com",
        "exa\u2028mple.com",
        "\ud800.example",
        "☃" * 70,
        "[example.com",
    ],
)
def test_no_name_at_all(text: str) -> None:
    with pytest.raises(InvalidServerName):
        ServerName.parse(text)


def test_an_underscore_is_explained() -> None:
    with pytest.raises(InvalidServerName, match="an underscore is not allowed"):
        ServerName.parse("my_host.example")


@pytest.mark.parametrize(
    ("pattern", "host", "expected"),
    [
        ("example.com", "example.com", True),
        ("EXAMPLE.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.EXAMPLE.com", "www.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "a.b.example.com", False),
        ("w*.example.com", "www.example.com", False),
        ("*w.example.com", "www.example.com", False),
        ("www.*.com", "www.example.com", False),
        ("*.*.com", "www.example.com", False),
        ("*", "localhost", False),
        ("*.", "localhost", False),
        ("*.com", "example.com", False),
        ("*.localhost", "app.localhost", False),
        ("example.com.", "example.com", False),
        ("example.com\0.evil.example", "example.com", False),
        (" example.com", "example.com", False),
        ("", "example.com", False),
        ("*.example.com", "xn--bcher-kva.example.com", True),
    ],
)
def test_pattern(pattern: str, host: str, expected: bool) -> None:
    assert pattern_matches(pattern, host) is expected


def test_a_host_name_never_matches_an_address_nor_the_other_way_round() -> None:
    names = [dns("192.0.2.1"), x509.IPAddress(ip_address("192.0.2.2")), x509.RFC822Name("a@example.com")]
    assert matching_name(names, ServerName.parse("192.0.2.1")) is None
    assert matching_name(names, ServerName.parse("192.0.2.2")) == "192.0.2.2"
    assert matching_name(names, ServerName.parse("example.com")) is None
    assert matching_name([dns("192.0.2.1")], ServerName("192.0.2.1")) == "192.0.2.1"


LABELS = st.text("ab-*._A1", min_size=0, max_size=4)
PATTERNS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@given(PATTERNS, st.lists(st.text("ab-1", min_size=1, max_size=3), min_size=1, max_size=4).map(".".join))
def test_we_never_match_what_cryptography_does_not(pattern: str, host: str) -> None:
    if not is_dns_name(host):
        return
    theirs = True
    anchor = pki.mint(pki.leaf(names=(dns(pattern),)))
    try:
        PolicyBuilder().store(Store([anchor.certificate])).time(NOW).build_server_verifier(dns(host)).verify(
            anchor.certificate, []
        )
    except VerificationError:
        theirs = False
    ours = pattern_matches(pattern, host)
    assert ours == (theirs and not (pattern.startswith("*.") and pattern.count(".") == 1))


def test_description() -> None:
    names = [
        dns("example.com"),
        x509.IPAddress(ip_address("::1")),
        x509.IPAddress(ip_network("192.0.2.0/24")),
        x509.RFC822Name("a@example.com"),
        x509.UniformResourceIdentifier("https://example.com/"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ]
    expected = "example.com, IP ::1, IP 192.0.2.0/24, e-mail a@example.com, URI https://example.com/, RegisteredID"
    assert describe_names(names) == expected
    assert describe_names([]) == "none"
    assert describe_names([dns("a")] * 1500, limit=2) == "a, a and 1,498 more"
    assert describe_name(dns("a\x1b[1m")) == "a\\x1b[1m"

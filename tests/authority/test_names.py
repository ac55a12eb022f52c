"""Which names a certificate can be for, and which an authority may vouch for."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from glasslock.authority import Authority, Constraints
from glasslock.authority.names import MAX_NAMES, parse_name, parse_names
from glasslock.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("localhost", x509.DNSName("localhost")),
        ("LocalHost.", x509.DNSName("localhost")),
        ("bücher.test", x509.DNSName("xn--bcher-kva.test")),
        ("*.app.test", x509.DNSName("*.app.test")),
        ("*.bücher.test", x509.DNSName("*.xn--bcher-kva.test")),
        ("a-1.test", x509.DNSName("a-1.test")),
        ("1.test", x509.DNSName("1.test")),
        ("127.0.0.1", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
        ("::1", x509.IPAddress(ipaddress.ip_address("::1"))),
        ("[::1]", x509.IPAddress(ipaddress.ip_address("::1"))),
    ],
)
def test_names(text: str, name: x509.GeneralName) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "1 to 63"),
        (".", "1 to 63"),
        ("a..b", "1 to 63"),
        ("under_score.test", "letters, digits"),
        ("sp ace.test", "letters, digits"),
        ("nul\x00.test", "letters, digits"),
        ("-a.test", "letters, digits"),
        (f"{'a' * 64}.test", "1 to 63"),
        (".".join(["abcdefg"] * 40), "longer than 253"),
        ("x" * 100_000, "longer than 253"),
        ("*." + ".".join(["a" * 63] * 3 + ["a" * 61]), "longer than 253"),
        ("*", "wildcard"),
        ("*.test", "right below a top-level name"),
        ("*.localhost", "right below a top-level name"),
        ("a.*.test", "whole first part"),
        ("f*.app.test", "whole first part"),
        ("*.*.app.test", "whole first part"),
        ("256.1.1.1", "looks like an IP address"),
        ("1.2.3", "looks like an IP address"),
        ("fe80::1%lo", "zone"),
        ("https://localhost", "letters, digits"),
        ("localhost:8443", "letters, digits"),
        ("10.0.0.0/8", "letters, digits"),
        ("ü" * 70, "Label too long"),
    ],
)
def test_what_no_certificate_can_be_for(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        parse_name(text)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_our_refusal(text: str) -> None:
    try:
        name = parse_name(text)
    except ConfigurationError:
        return
    assert parse_name(str(name.value)) == name


def test_several_names() -> None:
    assert [str(name.value) for name in parse_names(["b.test", "a.test", "B.test.", "::1", "0:0::1"])] == [
        "b.test",
        "a.test",
        "::1",
    ]
    assert parse_names("one.test") == [x509.DNSName("one.test")]
    with pytest.raises(ConfigurationError, match="at least one"):
        parse_names([])
    with pytest.raises(ConfigurationError, match="too many"):
        parse_names(f"{number}.test" for number in range(MAX_NAMES + 1))


@pytest.mark.parametrize(
    "text",
    [
        "localhost",
        "a.localhost",
        "x.test",
        "*.y.test",
        "test",
        "printer.local",
        "db.internal",
        "nas.home.arpa",
        "127.0.0.1",
        "127.255.0.3",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.1.1",
        "::1",
        "fd00::1",
        "fe80::1",
    ],
)
def test_private_names_are_permitted(text: str) -> None:
    assert Constraints.private().permits(parse_name(text))


@pytest.mark.parametrize(
    "text",
    [
        "example.com",
        "*.example.com",
        "notlocalhost",
        "mytest",
        "localhost.example.com",
        "arpa",
        "in-addr.arpa",
        "172.32.0.1",
        "172.15.255.255",
        "192.0.2.1",
        "8.8.8.8",
        "::2",
        "2001:db8::1",
        "::ffff:127.0.0.1",
    ],
)
def test_public_names_are_not(text: str) -> None:
    assert not Constraints.private().permits(parse_name(text))


def test_what_the_user_adds() -> None:
    constraints = Constraints.private(["Example.ORG", "203.0.113.0/24", "2001:db8::/32", "192.0.2.7", "example.org"])
    for text in (
        "example.org",
        "www.example.org",
        "*.example.org",
        "203.0.113.9",
        "2001:db8::5",
        "192.0.2.7",
    ):
        assert constraints.permits(parse_name(text))
    for text in ("example.com", "badexample.org", "203.0.114.1", "192.0.2.8"):
        assert not constraints.permits(parse_name(text))
    assert constraints.domains.count("example.org") == 1


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("*.example.org", "permit the domain itself, 'example.org'"),
        (".example.org", "permit the domain itself, 'example.org'"),
        ("203.0.113.5/24", "is not a network"),
        ("example.org/24", "is not a network"),
        ("not a name", "letters, digits"),
    ],
)
def test_what_cannot_be_added(entry: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Constraints.private([entry])


def test_constraints_survive_the_certificate() -> None:
    wanted = Constraints.private(["example.org", "203.0.113.0/24"])
    authority = Authority.ephemeral(also_permit=["example.org", "203.0.113.0/24"])
    assert Constraints.of(authority.root) == wanted
    assert Constraints.of(authority.intermediate) == wanted
    assert Constraints.of(Authority.ephemeral(dangerous_unconstrained=True).root) is None


def test_covering() -> None:
    private = Constraints.private()
    more = Constraints.private(["example.org", "203.0.113.0/24"])
    assert more.covers(private)
    assert more.covers(Constraints(("www.example.org",), (ipaddress.ip_network("203.0.113.128/25"),)))
    assert not private.covers(more)
    assert not more.covers(Constraints((), (ipaddress.ip_network("203.0.0.0/16"),)))
    assert not more.covers(Constraints((), (ipaddress.ip_network("2001:db8::/32"),)))

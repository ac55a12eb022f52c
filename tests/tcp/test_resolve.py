"""From names to addresses, without asking a real resolver."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import ConnectFailed
from glasslock.tcp.resolve import Endpoint, Resolution, ascii_name, ip_literal, resolve


def _resolve(host: str, port: int = 443) -> Resolution:
    return resolve(host, port, time.monotonic() + 5)


@pytest.mark.parametrize(
    ("written", "travels"),
    [
        ("example.test", "example.test"),
        ("Example.TEST.", "example.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER。test", "xn--bcher-kva.test"),  # an ideographic full stop separates labels too
        ("faß.test", "xn--fa-hia.test"),  # IDNA 2008 keeps the sharp s
        ("_dmarc.example.test", "_dmarc.example.test"),
        ("a-b.test", "a-b.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        (f"{'a' * 63}.test", f"{'a' * 63}.test"),
    ],
)
def test_names_as_they_travel(written: str, travels: str) -> None:
    assert ascii_name(written) == travels


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it is empty"),
        (".", "it is empty"),
        ("a..b", "a part is empty"),
        (".a", "a part is empty"),
        ("a b", "not a part"),
        ("a\x00b", "not a part"),
        ("a/b", "not a part"),
        ("user@host", "not a part"),
        ("-a.test", "not a part"),
        ("a-.test", "not a part"),
        (f"{'a' * 64}.test", "not a part"),
        (".".join(["abcdefg"] * 40), "longer than 253"),
        ("ü" * 70, "cannot be written"),
        ("a\u200b\u0301.\u0301", "cannot be written"),
        ("x" * 100_000, "longer than 253"),
    ],
)
def test_what_is_no_name(name: str, reason: str) -> None:
    with pytest.raises(ConnectFailed, match=reason) as caught:
        ascii_name(name)
    assert caught.value.code == "name-not-found"
    assert len(caught.value.message) < 500


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_our_refusal(text: str) -> None:
    try:
        name = ascii_name(text)
    except ConnectFailed:
        return
    assert name.isascii()
    assert ascii_name(name) == name


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("fe80::1%lo", "fe80::1%lo"),
        ("[fe80::1%lo]", "fe80::1%lo"),
        ("[127.0.0.1]", None),
        ("localhost", None),
        ("1.2.3", None),
        ("256.1.1.1", None),
        ("", None),
    ],
)
def test_literals(host: str, address: str | None) -> None:
    assert ip_literal(host) == address


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("192.0.2.7", Endpoint(socket.AF_INET, ("192.0.2.7", 443))),
        ("2001:db8::7", Endpoint(socket.AF_INET6, ("2001:db8::7", 443, 0, 0))),
    ],
)
def test_an_address_is_not_looked_up(host: str, endpoint: Endpoint) -> None:
    assert _resolve(host).endpoints == (endpoint,)


@pytest.mark.usefixtures("names")
@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "app.localhost", "a.b.localhost"])
def test_localhost_is_loopback_whatever_a_resolver_would_say(host: str) -> None:
    resolution = _resolve(host, 8443)
    assert resolution.endpoints == (
        Endpoint(socket.AF_INET6, ("::1", 8443, 0, 0)),
        Endpoint(socket.AF_INET, ("127.0.0.1", 8443)),
    )
    assert resolution.rule == "RFC 6761 section 6.3"


@pytest.mark.usefixtures("names")
def test_a_name_that_only_looks_like_localhost_is_asked_for() -> None:
    with pytest.raises(ConnectFailed, match="notlocalhost"):
        _resolve("notlocalhost")


def test_zone_ids() -> None:
    interface = socket.if_nameindex()[0][1]
    (endpoint,) = _resolve(f"fe80::1%{interface}").endpoints
    assert endpoint.sockaddr == ("fe80::1", 443, 0, socket.if_nametoindex(interface))
    assert endpoint.address == f"fe80::1%{interface}"


def test_a_zone_that_this_computer_does_not_have() -> None:
    with pytest.raises(ConnectFailed, match="no network interface 'nosuch0'") as caught:
        _resolve("fe80::1%nosuch0")
    assert caught.value.code == "name-not-found"


def test_the_order_of_the_resolver_is_kept_and_duplicates_are_not(names: Callable[..., None]) -> None:
    names("many.test", "127.0.0.3", "127.0.0.1", "::1", "127.0.0.3")
    assert [endpoint.address for endpoint in _resolve("many.test").endpoints] == [
        "127.0.0.3",
        "127.0.0.1",
        "::1",
    ]


def test_the_resolver_sees_the_a_label(names: Callable[..., None]) -> None:
    names("xn--bcher-kva.test", "127.0.0.1")
    assert [endpoint.address for endpoint in _resolve("Bücher.test").endpoints] == ["127.0.0.1"]
    with pytest.raises(ConnectFailed, match=r"müller\.test \(looked up as xn--mller-kva\.test\)"):
        _resolve("müller.test")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "gave no answer"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "does not know it"),
        (OSError(24, "Too many open files"), "Too many open files"),
        (UnicodeError("label too long"), "label too long"),
    ],
)
def test_every_failure_of_a_resolver_is_ours(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(ConnectFailed, match=message) as caught:
        _resolve("name.test")
    assert caught.value.code == "name-not-found"


def test_a_resolver_that_lists_nothing_we_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python built without IPv6 gives bytes where the address should be."""
    odd = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", (10, b"\x00" * 16))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: odd)
    with pytest.raises(ConnectFailed, match="there is no address"):
        _resolve("name.test")

"""The inner hello in its encoded form: what is written, what is read, what is refused (RFC 9849 section 5)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, ECHClientHelloType, ExtensionType
from glasslock.tls.ech.hello import INNER, SealedHello, decode_inner, encode_inner, outer_aad, read_type
from glasslock.tls.ech.hpke import Suite
from glasslock.tls.wire.codec import u16, vector8
from glasslock.tls.wire.extensions import write_client_versions, write_server_name
from glasslock.tls.wire.messages import ClientHello, Extensions

E = ExtensionType
ILLEGAL = AlertDescription.ILLEGAL_PARAMETER
DECODE = AlertDescription.DECODE_ERROR
TLS_1_3 = write_client_versions((0x0304,))

SEALED = SealedHello(Suite(1, 1), 42, b"e" * 32, b"p" * 100)


def hello(extensions: Extensions, **changes: object) -> ClientHello:
    made = ClientHello(bytes(range(32)), b"s" * 32, (0x1301,), extensions)
    return replace(made, **changes)  # type: ignore[arg-type]


def inner(**more: bytes) -> ClientHello:
    """What makes an inner hello one, and more by name."""
    extensions: Extensions = {E.SUPPORTED_VERSIONS: TLS_1_3, E.ENCRYPTED_CLIENT_HELLO: INNER}
    return hello(extensions | {int(E[name]): data for name, data in more.items()})


def outer(*kinds: int) -> ClientHello:
    return hello({kind: b"outer %d" % kind for kind in kinds}, random=bytes(32))


def referring(*kinds: int, **more: bytes) -> bytes:
    """An encoded inner hello that refers to these extensions of the outer one."""
    references = vector8(b"".join(map(u16, kinds)))
    return inner(ECH_OUTER_EXTENSIONS=references, **more).body()


def refused(encoded: bytes, around: ClientHello, alert: AlertDescription, code: str | None = None) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        decode_inner(encoded, around)
    assert caught.value.alert == alert
    if code is not None:
        assert caught.value.code == code


# --- the extension --------------------------------------------------------------------------------


def test_the_extension_of_the_outer_hello() -> None:
    data = SEALED.encode()
    assert data[:6] == bytes((0, 0, 1, 0, 1, 42))
    assert SealedHello.parse(data) == SEALED
    assert SealedHello.parse(replace(SEALED, enc=b"").encode()).enc == b""
    assert read_type(data) is ECHClientHelloType.OUTER
    assert read_type(INNER) is ECHClientHelloType.INNER


@pytest.mark.parametrize(
    ("data", "alert", "code"),
    [
        (b"", DECODE, None),
        (b"\x02", ILLEGAL, "ech-type"),
        (b"\xff" + SEALED.encode()[1:], ILLEGAL, "ech-type"),
        (b"\x01", ILLEGAL, "bare-inner-hello"),
        (b"\x01\x00", DECODE, None),
        (b"\x00", DECODE, None),
        (SEALED.encode()[:-1], DECODE, None),
        (SEALED.encode() + b"\x00", DECODE, None),
        (replace(SEALED, payload=b"").encode(), DECODE, None),
    ],
)
def test_extensions_that_are_refused(data: bytes, alert: AlertDescription, code: str | None) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        SealedHello.parse(data)
    assert caught.value.alert == alert
    if code is not None:
        assert caught.value.code == code


def test_the_associated_data_is_the_outer_hello_with_zeros_for_the_payload() -> None:
    around = outer(E.KEY_SHARE, E.ENCRYPTED_CLIENT_HELLO, E.COOKIE)
    around.extensions[E.ENCRYPTED_CLIENT_HELLO] = SEALED.encode()
    aad = outer_aad(around, SEALED)
    assert aad == around.body().replace(b"p" * 100, bytes(100))
    assert around.extensions[E.ENCRYPTED_CLIENT_HELLO] == SEALED.encode(), "the hello itself stays as it is"


# --- there and back -------------------------------------------------------------------------------


def test_without_references() -> None:
    meant = inner(SERVER_NAME=write_server_name("secret.example"))
    encoded = encode_inner(meant, (), 0)
    assert encoded.startswith(replace(meant, session_id=b"").body())
    assert decode_inner(encoded, outer()) == meant


def test_references_come_back_in_their_place() -> None:
    around = outer(1000, E.KEY_SHARE, 2000, E.SUPPORTED_GROUPS, 3000)
    shared = (E.KEY_SHARE, E.SUPPORTED_GROUPS)
    extensions: Extensions = {
        int(E.SERVER_NAME): write_server_name("secret.example"),
        **{int(kind): around.extensions[kind] for kind in shared},
        int(E.SUPPORTED_VERSIONS): TLS_1_3,
        int(E.ENCRYPTED_CLIENT_HELLO): INNER,
    }
    meant = hello(extensions)
    encoded = encode_inner(meant, shared, 0)
    assert around.extensions[E.KEY_SHARE] not in encoded
    assert b"\xfd\x00\x00\x05\x04\x00\x33\x00\x0a" in encoded
    back = decode_inner(encoded, around)
    assert back == meant
    assert list(back.extensions) == list(extensions)


kinds = st.lists(st.integers(1000, 1100), unique=True, max_size=12)


@given(kinds, st.data())
def test_any_subset_can_be_shared(some: list[int], data: st.DataObject) -> None:
    around = outer(*some)
    shared = tuple(kind for kind in some if data.draw(st.booleans()))
    meant = inner(SERVER_NAME=write_server_name(data.draw(st.sampled_from(["a", "secret.example"]))))
    meant.extensions |= {kind: around.extensions[kind] for kind in shared}
    longest = data.draw(st.integers(0, 255))
    encoded = encode_inner(meant, shared, longest)
    assert len(encoded) % 32 == 0
    assert decode_inner(encoded, around) == meant


@pytest.mark.parametrize(
    ("name", "longest", "padding"), [("abc", 10, 7), ("a" * 12, 10, 0), (None, 10, 19), (None, 0, 9)]
)
def test_padding_by_the_longest_name(name: str | None, longest: int, padding: int) -> None:
    """Section 6.1.3: up to the longest name, or a whole server_name; then to the next multiple of 32."""
    meant = inner() if name is None else inner(SERVER_NAME=write_server_name(name))
    plain = len(replace(meant, session_id=b"").body())
    encoded = encode_inner(meant, (), longest)
    assert plain + padding <= len(encoded) < plain + padding + 32
    assert len(encoded) % 32 == 0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("position", [0, 5, 9])
def test_padding_that_is_not_zero(position: int) -> None:
    padding = bytearray(10)
    padding[position] = 1
    refused(inner().body() + padding, outer(), ILLEGAL, "ech-padding")
    assert decode_inner(inner().body() + bytes(10), outer()) == inner()


def test_references_that_are_refused() -> None:
    code = "ech-outer-extensions"
    refused(referring(E.COOKIE), outer(E.KEY_SHARE), ILLEGAL, code)  # not there
    refused(referring(E.KEY_SHARE, E.COOKIE), outer(E.COOKIE, E.KEY_SHARE), ILLEGAL, code)  # in another order
    refused(referring(E.COOKIE, E.COOKIE), outer(E.COOKIE), ILLEGAL, code)  # twice
    refused(referring(E.COOKIE, E.KEY_SHARE, E.COOKIE), outer(E.COOKIE, E.KEY_SHARE), ILLEGAL, code)
    for itself in (E.ENCRYPTED_CLIENT_HELLO, E.ECH_OUTER_EXTENSIONS):
        refused(referring(itself), outer(itself), ILLEGAL, code)
    refused(referring(E.COOKIE, COOKIE=b"inner"), outer(E.COOKIE), ILLEGAL, "duplicate-extension")
    refused(inner(ECH_OUTER_EXTENSIONS=b"\x00").body(), outer(), DECODE)
    refused(inner(ECH_OUTER_EXTENSIONS=b"\x01\x00").body(), outer(), DECODE)
    refused(inner(ECH_OUTER_EXTENSIONS=b"\x03\x00\x2c\x00").body(), outer(E.COOKIE), DECODE)
    refused(inner(ECH_OUTER_EXTENSIONS=vector8(u16(E.COOKIE)) + b"\x00").body(), outer(E.COOKIE), DECODE)


def test_copies_cost_no_more_than_what_was_sent() -> None:
    """A reference copies each outer extension at most once, so nothing grows (section 10.12.4)."""
    large = hello({1000: bytes(30_000), 1001: b""})
    refused(referring(*[1000] * 100), large, ILLEGAL, "ech-outer-extensions")
    assert len(decode_inner(referring(1000, 1001), large).body()) < 31_000


def test_hellos_that_are_no_inner_ones() -> None:
    code = "invalid-inner-hello"
    without = inner()
    del without.extensions[E.ENCRYPTED_CLIENT_HELLO]
    refused(without.body(), outer(), ILLEGAL, code)
    refused(inner(ENCRYPTED_CLIENT_HELLO=SEALED.encode()).body(), outer(), ILLEGAL, code)
    refused(inner(ENCRYPTED_CLIENT_HELLO=b"\x01\x00").body(), outer(), ILLEGAL, code)
    for versions in ((0x0304, 0x0303), (0x0303,), (0x0304, 0x0301), (0x0300,)):
        refused(inner(SUPPORTED_VERSIONS=write_client_versions(versions)).body(), outer(), ILLEGAL, code)
    silent = inner()
    del silent.extensions[E.SUPPORTED_VERSIONS]
    refused(silent.body(), outer(), ILLEGAL, code)
    greased = inner(SUPPORTED_VERSIONS=write_client_versions((0x0A0A, 0x0304)))
    assert decode_inner(greased.body(), outer()) == greased


@given(st.binary(max_size=200))
def test_garbage(encoded: bytes) -> None:
    try:
        decode_inner(encoded, outer(E.KEY_SHARE))
    except PeerMisbehaved:
        return
    raise AssertionError("random bytes are no inner hello")


@given(st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_harmless(position: int, change: int) -> None:
    around = outer(E.KEY_SHARE, E.COOKIE)
    encoded = bytearray(referring(E.KEY_SHARE, E.COOKIE, SERVER_NAME=write_server_name("secret.example")) + bytes(9))
    encoded[position % len(encoded)] ^= change
    try:
        found = decode_inner(bytes(encoded), around)
    except PeerMisbehaved:
        return
    assert ClientHello.parse(found.encode()) == found

"""One corruption of a ClientHello per test, and the alert that the rule names (RFC 9846 sections 4.2.2, 4.3, 9.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glasslock.registry import AlertDescription, HandshakeType, NamedGroup, Side
from glasslock.tls.keys.groups import CLASSICAL, HYBRID
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.codec import vector16
from glasslock.tls.wire.messages import ClientHello

from .pair import X25519, Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client, rewrite

A, H = AlertDescription, HandshakeType
Edit = Callable[[ClientHello], Any]


def hello(edit: Edit, server: Any = None, **settings: Any) -> Pair:
    """A client whose ClientHello is edited, and an honest server."""
    client = puppet_client(client_config(**settings), change(H.CLIENT_HELLO, edit))
    return Pair(client, pair(server=server).server).run()


def body(edit: Callable[[bytes], bytes]) -> Pair:
    return Pair(puppet_client(client_config(), rewrite(H.CLIENT_HELLO, edit)), pair().server).run()


def put(kind: int, data: bytes) -> Edit:
    def edit(message: ClientHello) -> None:
        message.extensions[kind] = data

    return edit


def drop(*kinds: int) -> Edit:
    def edit(message: ClientHello) -> None:
        for kind in kinds:
            del message.extensions[kind]

    return edit


def write(field: str, value: object) -> Edit:
    return lambda message: setattr(message, field, value)


# --- the fixed fields (section 4.2.2) ---------------------------------------------------------------


@pytest.mark.parametrize("version", [0x0000, 0x0300, 0x0301, 0x0302, 0x0304, 0x7F1C, 0xFFFF])
def test_legacy_version(version: int) -> None:
    """A server which receives a legacy_version value not equal to 0x0303 MUST abort with protocol_version."""
    connected = hello(write("legacy_version", version))
    assert_refused(connected, Side.SERVER, A.PROTOCOL_VERSION, "legacy-version")


@pytest.mark.parametrize("methods", [b"\1", b"\0\1", b"\1\0", b"\0\0"])
def test_compression(methods: bytes) -> None:
    """Exactly one byte, zero; any other value: illegal_parameter."""
    assert_refused(hello(write("compression_methods", methods)), Side.SERVER, A.ILLEGAL_PARAMETER, "compression")


@pytest.mark.parametrize("length", [0, 1, 31, 32])
def test_session_ids_of_any_length_come_back(length: int) -> None:
    connected = hello(write("session_id", bytes(length)), middlebox_compatibility=False)
    echoed = connected.wire[Side.SERVER][0][5 + 4 + 34 :][: 1 + length]
    assert echoed == bytes((length,)) + bytes(length)


@pytest.mark.parametrize(
    "edit",
    [
        lambda b: b[:1],
        lambda b: b[:33],
        lambda b: b[:34] + b"\x21" + bytes(33) + b[35 + b[34] :],
        lambda b: b[:34] + b"\xff" + b[35:],
        lambda b: b[:35] + b[35 : 35 + b[34]] + b"\0\0" + b"\1\0" + b[-2:],
        lambda b: b[:67] + b"\0\3\x13\x01\x00" + b"\1\0\0\0",
        lambda b: b[:67] + b"\0\2\x13\x01" + b"\0" + b"\0\0",
        lambda b: b[:-1],
        lambda b: b + b"\0",
    ],
    ids=[
        "two bytes",
        "no session id",
        "session id of 33",
        "session id too long",
        "no suites",
        "odd suites",
        "no compression",
        "cut",
        "trailing byte",
    ],
)
def test_a_form_that_cannot_be_read(edit: Callable[[bytes], bytes]) -> None:
    """Lengths out of range, or data left over: decode_error (section 6)."""
    assert_refused(body(edit), Side.SERVER, A.DECODE_ERROR)


def test_an_empty_message() -> None:
    assert_refused(body(lambda _: b""), Side.SERVER, A.DECODE_ERROR)


def test_every_cut_of_the_message_is_refused() -> None:
    raw = pair().client.data_to_send()[9:]
    for length in range(len(raw)):
        connected = body(lambda b, length=length: b[:length])
        assert Side.SERVER in connected.errors
        assert connected.errors[Side.SERVER].alert in (A.DECODE_ERROR, A.PROTOCOL_VERSION)


# --- extensions in general (section 4.3) -------------------------------------------------------------


def test_an_extension_twice() -> None:
    """There MUST NOT be more than one extension of the same type: illegal_parameter."""

    def edit(message: bytes) -> bytes:
        parsed = ClientHello.parse(b"\1\0\0\0" + message)
        parsed.has_extensions = False
        head = parsed.body()
        block = message[len(head) + 2 :]
        return head + vector16(block + b"\0\x0a" + vector16(parsed.extensions[10]))

    assert_refused(body(edit), Side.SERVER, A.ILLEGAL_PARAMETER, "duplicate-extension")


@pytest.mark.parametrize(
    "block",
    [b"\0", b"\0\x0a", b"\0\x0a\0", b"\0\x0a\0\1", b"\0\x0a\xff\xff\0"],
    ids=["half a type", "no length", "half a length", "no data", "less data"],
)
def test_an_extension_that_ends_early(block: bytes) -> None:
    def edit(message: bytes) -> bytes:
        parsed = ClientHello.parse(b"\1\0\0\0" + message)
        parsed.has_extensions = False
        return parsed.body() + vector16(block)

    assert_refused(body(edit), Side.SERVER, A.DECODE_ERROR)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        # server_name (RFC 6066 section 3)
        (0, b""),
        (0, b"\0\0"),
        (0, b"\0\1\0"),
        (0, b"\0\3\0\0\0"),
        (0, b"\0\4\0\0\1a\0"),
        (0, b"\0\5\0\0\1a\0"),
        (0, b"\0\4\0\0\1a"[:-1]),
        # status_request (RFC 6066 section 8)
        (5, b""),
        (5, b"\1"),
        (5, b"\1\0\0"),
        (5, b"\1\0\0\0\0\0"),
        # supported_groups
        (10, b""),
        (10, b"\0\0"),
        (10, b"\0\1\0"),
        (10, b"\0\2\0"),
        (10, b"\0\2\0\x1d\0"),
        # signature_algorithms
        (13, b""),
        (13, b"\0\0"),
        (13, b"\0\3\4\3\4"),
        (13, b"\0\2\4\3\0"),
        # application_layer_protocol_negotiation (RFC 7301)
        (16, b""),
        (16, b"\0\0"),
        (16, b"\0\1\0"),
        (16, b"\0\2\0\0"),
        (16, b"\0\3\2h"),
        (16, b"\0\4\2h2\0"),
        # signed_certificate_timestamp is empty
        (18, b"\0"),
        # ticket_request (RFC 9149)
        (58, b""),
        (58, b"\1"),
        (58, b"\1\1\1"),
        # supported_versions
        (43, b""),
        (43, b"\0"),
        (43, b"\1\3"),
        (43, b"\3\3\4\3"),
        (43, b"\2\3\4\0"),
        (43, b"\xff" + bytes(255)),
        # cookie
        (44, b""),
        (44, b"\0\0"),
        (44, b"\0\2\1"),
        (44, b"\0\1\1\1"),
        # certificate_authorities
        (47, b""),
        (47, b"\0\0"),
        (47, b"\0\2\0\0"),
        (47, b"\0\3\0\0\0"),
        # post_handshake_auth is empty
        (49, b"\0"),
        # signature_algorithms_cert
        (50, b"\0\0"),
        (50, b"\0\1\4"),
        # key_share
        (51, b""),
        (51, b"\0"),
        (51, b"\0\1\0"),
        (51, b"\0\4\0\x1d\0\0"),
        (51, b"\0\5\0\x1d\0\2\0"),
        (51, b"\0\0\0"),
        # early_data is empty
        (42, b"\0"),
    ],
)
def test_an_extension_whose_form_is_wrong(kind: int, data: bytes) -> None:
    """Receivers MUST abort with decode_error if there is data left over; the same for lengths out of range."""
    assert_refused(hello(put(kind, data)), Side.SERVER, A.DECODE_ERROR)


# --- server_name (RFC 6066 section 3) -----------------------------------------------------------------


@pytest.mark.parametrize("name", [b"\0", b"a\0b", b"\xe9", b"a b", b"\x1b[31m", b"a" * 256])
def test_a_host_name_that_cannot_be(name: bytes) -> None:
    """It is ASCII; that no control character ever gets into a log or on a terminal is our care."""
    names = b"\0" + len(name).to_bytes(2, "big") + name
    connected = hello(put(0, len(names).to_bytes(2, "big") + names))
    assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "bad-server-name")


def test_two_host_names() -> None:
    """The ServerNameList MUST NOT contain more than one name of the same name_type."""
    connected = hello(put(0, b"\0\x08\0\0\1a\0\0\1b"))
    assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "bad-server-name")


@pytest.mark.parametrize("other", [b"\1\0\1x", b"\xff\0\0"])
def test_names_of_types_to_come_are_passed_over(other: bytes) -> None:
    """All future data structures associated with new NameTypes MUST begin with a 16-bit length field."""
    host = b"\0\0\1a"
    for names, expected in ((other + host, "a"), (host + other, "a"), (other, None)):
        connected = hello(put(0, len(names).to_bytes(2, "big") + names))
        assert connected.errors == {}
        assert connected.server.agreed.server_name == expected


# --- what must be there (section 9.2) ----------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(13,), (10,), (51,), (10, 51), (10, 13), (13, 51), (10, 13, 51)])
def test_required_extensions(kinds: tuple[int, ...]) -> None:
    """Servers receiving a ClientHello which does not conform MUST abort with missing_extension."""
    assert_refused(hello(drop(*kinds)), Side.SERVER, A.MISSING_EXTENSION, "missing-extension")


def test_no_supported_versions() -> None:
    """Then the client speaks TLS 1.2 at best: protocol_version from a server that does not (appendix E.2)."""
    connected = hello(drop(43))
    error = assert_refused(connected, Side.SERVER, A.PROTOCOL_VERSION, "unsupported-version")
    assert "tls_1_2" in str(error)


def test_no_extensions_at_all() -> None:
    connected = hello(lambda m: (m.extensions.clear(), setattr(m, "has_extensions", False)))
    assert_refused(connected, Side.SERVER, A.PROTOCOL_VERSION, "unsupported-version")


@pytest.mark.parametrize("versions", [(0x0303,), (0x0302, 0x0301), (0x0305,), (0x0A0A,), (0x7F1C,)])
def test_versions_without_ours(versions: tuple[int, ...]) -> None:
    connected = hello(put(43, ext.write_client_versions(versions)))
    assert_refused(connected, Side.SERVER, A.PROTOCOL_VERSION, "unsupported-version")


def test_unknown_versions_are_ignored() -> None:
    """Servers MUST ignore any unknown versions that are present."""
    assert hello(put(43, ext.write_client_versions((0x0A0A, 0x0305, 0x0304, 0x0301)))).errors == {}


def test_an_empty_list_of_key_shares_asks_for_a_retry() -> None:
    connected = hello(put(51, b"\0\0"))
    assert connected.server.agreed.retried


# --- key_share (section 4.3.8) ------------------------------------------------------------------------


def share_of(message: ClientHello) -> bytes:
    return ext.read_client_shares(message.extensions[51])[X25519]


def test_two_shares_for_one_group() -> None:
    def edit(message: ClientHello) -> None:
        entry = b"\0\x1d" + vector16(share_of(message))
        message.extensions[51] = vector16(entry + entry)

    assert_refused(hello(edit), Side.SERVER, A.ILLEGAL_PARAMETER, "duplicate-key-share")


def test_a_share_for_a_group_that_is_not_offered() -> None:
    def edit(message: ClientHello) -> None:
        message.extensions[51] = ext.write_client_shares({X25519: share_of(message), 0x17: b"\4" + bytes(64)})

    assert_refused(hello(edit), Side.SERVER, A.ILLEGAL_PARAMETER, "share-without-group")


LENGTHS = {
    NamedGroup.SECP256R1: 65,
    NamedGroup.SECP384R1: 97,
    NamedGroup.SECP521R1: 133,
    NamedGroup.X25519: 32,
    NamedGroup.X448: 56,
    NamedGroup.MLKEM768: 1184,
    NamedGroup.MLKEM1024: 1568,
    NamedGroup.X25519MLKEM768: 1216,
    NamedGroup.SECP256R1MLKEM768: 1249,
    NamedGroup.SECP384R1MLKEM1024: 1665,
}


def with_share(group: int, edit: Callable[[bytes], bytes]) -> Pair:
    def change_share(message: ClientHello) -> None:
        shares = ext.read_client_shares(message.extensions[51])
        message.extensions[51] = ext.write_client_shares({group: edit(shares[group])})

    server = server_config(groups=(group,))
    return hello(change_share, server, groups=(group,))


@pytest.mark.parametrize("group", LENGTHS)
def test_the_sizes_of_shares(group: int) -> None:
    """Section 4.3.8.2; RFC 10024 for the hybrids."""
    seen = []
    assert with_share(group, lambda share: seen.append(len(share)) or share).errors == {}
    assert seen == [LENGTHS[NamedGroup(group)]]


@pytest.mark.parametrize("group", LENGTHS)
@pytest.mark.parametrize(
    "edit",
    [lambda s: s[:-1], lambda s: s + b"\0", lambda s: s[:1], lambda s: s * 2],
    ids=["short", "long", "one byte", "double"],
)
def test_a_share_of_the_wrong_length(group: int, edit: Callable[[bytes], bytes]) -> None:
    """Syntactically correct but semantically invalid: illegal_parameter (section 6)."""
    assert_refused(with_share(group, edit), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", [g for g in CLASSICAL if LENGTHS[NamedGroup(g)] in (65, 97, 133)])
@pytest.mark.parametrize(
    "edit",
    [
        lambda s: b"\2" + s[1:],
        lambda s: b"\0" + s[1:],
        lambda s: b"\7" + s[1:],
        lambda s: s[:-1] + bytes((s[-1] ^ 1,)),
        lambda s: b"\4" + bytes(len(s) - 1),
        lambda s: b"\4" + b"\xff" * (len(s) - 1),
    ],
    ids=["compressed", "infinity", "hybrid", "off the curve", "zero", "out of range"],
)
def test_a_point_that_is_none(group: int, edit: Callable[[bytes], bytes]) -> None:
    """Section 4.3.8.2: peers MUST validate each other's public value Q."""
    assert_refused(with_share(group, edit), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")


# Points of small order on Curve25519 and Curve448 (RFC 7748 section 6; the list of RFC 7748's authors).
SMALL_ORDER = {
    NamedGroup.X25519: [
        bytes(32),
        b"\1" + bytes(31),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    ],
    NamedGroup.X448: [bytes(56), b"\1" + bytes(55), b"\xfe" + b"\xff" * 27 + b"\xfe" + b"\xff" * 27],
}


@pytest.mark.parametrize(("group", "share"), [(g, share) for g, shares in SMALL_ORDER.items() for share in shares])
def test_a_shared_secret_of_zeros(group: int, share: bytes) -> None:
    """Section 7.4.2: implementations MUST check for the all-zero value and abort."""
    assert_refused(with_share(group, lambda _: share), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", HYBRID)
def test_a_kem_key_with_a_coefficient_out_of_range(group: int) -> None:
    """FIPS 203 section 7.2, the modulus check; RFC 10024: illegal_parameter."""

    def edit(share: bytes) -> bytes:
        hybrid = HYBRID[group]
        classical, kem = hybrid.split(share, hybrid.kem.key_length)
        return hybrid.join(classical, b"\xff\xff\xff" + kem[3:])

    assert_refused(with_share(group, edit), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", HYBRID)
def test_the_classical_part_of_a_hybrid_is_checked_too(group: int) -> None:
    def edit(share: bytes) -> bytes:
        hybrid = HYBRID[group]
        classical, kem = hybrid.split(share, hybrid.kem.key_length)
        return hybrid.join(bytes(len(classical)), kem)

    assert_refused(with_share(group, edit), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")


# --- the second ClientHello (sections 4.2.2, 4.2.4) ---------------------------------------------------


def second(edit: Edit, server: Any = None, **settings: Any) -> Pair:
    """A client that has to retry, and whose second ClientHello is edited."""
    config = {"groups": (NamedGroup.SECP256R1, X25519), "key_shares": (NamedGroup.SECP256R1,)} | settings
    client = puppet_client(client_config(**config), change(H.CLIENT_HELLO, edit, occurrence=1))
    return Pair(client, pair(server=server).server).run()


@pytest.mark.parametrize(
    "edit",
    [
        write("random", bytes(32)),
        write("session_id", bytes(32)),
        write("session_id", b""),
        lambda m: setattr(m, "cipher_suites", m.cipher_suites[:2]),
        lambda m: setattr(m, "cipher_suites", m.cipher_suites[::-1]),
        write("compression_methods", b"\0\0"),
        drop(13),
        drop(0),
        put(13, b"\0\2\4\3"),
        put(10, b"\0\2\0\x1d"),
        put(0xFF55, b""),
        put(16, b"\0\3\2h2"),
    ],
    ids=[
        "random",
        "session id",
        "no session id",
        "fewer suites",
        "suites in another order",
        "compression",
        "no schemes",
        "no name",
        "other schemes",
        "other groups",
        "a new extension",
        "a new protocol",
    ],
)
def test_what_a_retry_must_not_change(edit: Edit) -> None:
    """The client MUST send the same ClientHello without modification, except as listed."""
    assert_refused(second(edit), Side.SERVER, A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("edit", [put(21, bytes(100)), lambda m: None], ids=["padding", "nothing"])
def test_what_a_retry_may_change(edit: Edit) -> None:
    assert second(edit).errors == {}


def test_a_retry_may_drop_padding() -> None:
    def pad(kind: HandshakeType, raw: bytes) -> Any:
        nonlocal count
        count += kind is H.CLIENT_HELLO
        if kind is H.CLIENT_HELLO and count == 1:
            message = ClientHello.parse(raw)
            message.extensions[21] = bytes(50)
            return (message.encode(),)
        return (raw,)

    count = 0
    config = client_config(groups=(NamedGroup.SECP256R1, X25519), key_shares=(NamedGroup.SECP256R1,))
    Pair(puppet_client(config, pad), pair().server).done()


def p256_share() -> bytes:
    return CLASSICAL[NamedGroup.SECP256R1]().share


@pytest.mark.parametrize(
    "shares",
    [
        lambda own: {},
        lambda own: {NamedGroup.SECP256R1: p256_share()},
        lambda own: {X25519: own, NamedGroup.SECP256R1: p256_share()},
    ],
    ids=["none", "of the other group", "two"],
)
def test_the_share_that_was_asked_for(shares: Any) -> None:
    """Section 4.2.2: a list containing a single KeyShareEntry from the indicated group."""

    def edit(message: ClientHello) -> None:
        message.extensions[51] = ext.write_client_shares(shares(share_of(message)))

    assert_refused(second(edit), Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-retry-share")


def test_no_share_at_all_after_a_retry() -> None:
    assert_refused(second(drop(51)), Side.SERVER, A.MISSING_EXTENSION)


def test_early_data_after_a_retry() -> None:
    """Section 4.3.10: a client MUST NOT include early_data in its followup ClientHello."""
    assert_refused(second(put(42, b"")), Side.SERVER, A.ILLEGAL_PARAMETER, "early-data-after-retry")


@pytest.mark.parametrize("versions", [(0x0303,), (0x0304, 0x0303)])
def test_other_versions_after_a_retry(versions: tuple[int, ...]) -> None:
    assert_refused(second(put(43, ext.write_client_versions(versions))), Side.SERVER, A.ILLEGAL_PARAMETER)


def test_a_cookie_that_nobody_gave() -> None:
    connected = second(put(44, ext.write_cookie(b"made up")))
    assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")


# --- what a peer may do (section 4.3.8) ----------------------------------------------------------------


def test_a_share_that_is_used_again_is_accepted() -> None:
    """Receiving implementations MUST permit reuse by the peer, since RFC 8446 permitted it."""
    exchange = CLASSICAL[X25519]()
    client = client_config(generate_key=lambda _: exchange)
    server = server_config()
    for _ in range(3):
        pair(client, server).done().talk()

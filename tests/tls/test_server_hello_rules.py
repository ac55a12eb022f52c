"""One corruption of a ServerHello or HelloRetryRequest per test (RFC 9846 sections 4.2.3, 4.2.4, 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glasslock.registry import AlertDescription, CipherSuite, ExtensionType, HandshakeType, NamedGroup, Side
from glasslock.tls import TicketKeys
from glasslock.tls.keys.groups import CLASSICAL, HYBRID
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.codec import vector16
from glasslock.tls.wire.messages import HELLO_RETRY_REQUEST_RANDOM, ClientHello, ServerHello

from .pair import X25519, Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_server, rewrite
from .test_client_hello_rules import LENGTHS, SMALL_ORDER

A, H = AlertDescription, HandshakeType
Edit = Callable[[ServerHello], Any]
P256 = NamedGroup.SECP256R1


def hello(edit: Edit, client: Any = None, server: Any = None) -> Pair:
    """A server whose ServerHello is edited, and an honest client."""
    made = puppet_server(server or server_config(), change(H.SERVER_HELLO, edit))
    return Pair(pair(client).client, made).run()


def body(edit: Callable[[bytes], bytes]) -> Pair:
    return Pair(pair().client, puppet_server(server_config(), rewrite(H.SERVER_HELLO, edit))).run()


def put(kind: int, data: bytes) -> Edit:
    def edit(message: ServerHello) -> None:
        message.extensions[kind] = data

    return edit


def drop(kind: int) -> Edit:
    def edit(message: ServerHello) -> None:
        del message.extensions[kind]

    return edit


def write(field: str, value: object) -> Edit:
    return lambda message: setattr(message, field, value)


# --- the fixed fields (section 4.2.3), in a ServerHello and in a HelloRetryRequest ---------------------


def both(edit: Edit) -> list[Pair]:
    return [hello(edit), retry(edit)]


def retry(edit: Edit, occurrence: int = 0, **settings: Any) -> Pair:
    """A server that asks for a retry; the `occurrence`-th ServerHello (0: the request) is edited."""
    config = client_config(**{"groups": (P256, X25519), "key_shares": (P256,)} | settings)
    made = puppet_server(server_config(), change(H.SERVER_HELLO, edit, occurrence))
    return Pair(pair(config).client, made).run()


@pytest.mark.parametrize("version", [0x0000, 0x0301, 0x0302, 0x0304, 0x0305, 0x7F1C])
def test_legacy_version(version: int) -> None:
    """A client which receives a value not equal to 0x0303 MUST abort with protocol_version."""
    for connected in [*both(write("legacy_version", version)), retry(write("legacy_version", version), 1)]:
        assert_refused(connected, Side.CLIENT, A.PROTOCOL_VERSION, "legacy-version")


@pytest.mark.parametrize("session_id", [b"", bytes(31), bytes(32)])
def test_session_id_echo(session_id: bytes) -> None:
    """A field that does not match what was sent: illegal_parameter."""
    for connected in [*both(write("session_id", session_id)), retry(write("session_id", session_id), 1)]:
        assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "session-id-echo")


def test_a_session_id_where_none_was_sent() -> None:
    connected = hello(write("session_id", b"x"), client_config(middlebox_compatibility=False))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "session-id-echo")


@pytest.mark.parametrize("suite", [0x0000, 0x1304, 0x00FF, 0x0A0A, 0xC02F])
def test_a_suite_that_was_not_offered(suite: int) -> None:
    """Illegal_parameter; suites of TLS 1.2 count as not offered."""
    for connected in both(write("cipher_suite", suite)):
        assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "suite-not-offered")


def test_a_suite_that_we_know_but_did_not_offer() -> None:
    connected = hello(write("cipher_suite", CipherSuite.TLS_AES_256_GCM_SHA384), client_config(cipher_suites=(0x1301,)))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "suite-not-offered")


@pytest.mark.parametrize("method", [1, 64, 255])
def test_compression(method: int) -> None:
    """Any other value than 0: illegal_parameter."""
    for connected in both(write("compression_method", method)):
        assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "compression")


@pytest.mark.parametrize(
    "edit",
    [
        lambda b: b"",
        lambda b: b[:33],
        lambda b: b[:34] + b"\x21" + bytes(33) + b[67:],
        lambda b: b[:68],
        lambda b: b[:69],
        lambda b: b[:-1],
        lambda b: b + b"\0",
        lambda b: b[:70] + b"\xff\xff" + b[72:],
    ],
    ids=["empty", "no session id", "session id of 33", "half a suite", "no method", "cut", "trailing", "extensions"],
)
def test_a_form_that_cannot_be_read(edit: Callable[[bytes], bytes]) -> None:
    assert_refused(body(edit), Side.CLIENT, A.DECODE_ERROR)


# --- version (section 4.3.1) ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0303, 0x0305, 0x7F1C, 0x0A0A])
def test_a_version_that_was_not_offered_or_is_too_old(version: int) -> None:
    """Not offered, or prior to TLS 1.3: illegal_parameter."""
    for connected in both(put(43, version.to_bytes(2, "big"))):
        assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "version-not-offered")


@pytest.mark.parametrize("data", [b"", b"\3", b"\3\4\0"])
def test_the_form_of_the_version(data: bytes) -> None:
    for connected in both(put(43, data)):
        assert_refused(connected, Side.CLIENT, A.DECODE_ERROR)


def test_no_version_at_all() -> None:
    """Then the server speaks TLS 1.2: protocol_version (appendix E.1); in a retry a mandatory extension is missing."""
    first, again = both(drop(43))
    assert_refused(first, Side.CLIENT, A.PROTOCOL_VERSION, "unsupported-version")
    assert_refused(again, Side.CLIENT, A.MISSING_EXTENSION)


@pytest.mark.parametrize("sentinel", [b"DOWNGRD\1", b"DOWNGRD\0"])
def test_the_downgrade_sentinel(sentinel: bytes) -> None:
    """Section 4.2.3: a client that offered TLS 1.3 and gets TLS 1.2 or below MUST check for it: illegal_parameter."""
    both_versions = (0x0304, 0x0303)

    def edit(message: ServerHello) -> None:
        message.random = message.random[:24] + sentinel
        del message.extensions[43], message.extensions[51]
        message.cipher_suite = 0xC02B

    connected = hello(edit, client_config(versions=both_versions))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "downgrade")


def test_the_sentinel_is_no_matter_in_tls_1_3() -> None:
    def edit(message: ServerHello) -> None:
        message.random = message.random[:24] + b"DOWNGRD\1"

    assert hello(edit).errors == {}


# --- extensions (section 4.3) ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [14, 15, 16, 18, 19, 21, 28, 41, 42, 47, 49, 58, 0xFF01, 0xFE0D, 0xFF55, 0x0A0A])
def test_an_answer_that_nobody_asked_for(kind: int) -> None:
    """Such an extension: unsupported_extension."""
    for connected in both(put(kind, b"")):
        assert_refused(connected, Side.CLIENT, A.UNSUPPORTED_EXTENSION, "unsolicited-extension")


@pytest.mark.parametrize("kind", [0, 5, 10, 13, 27, 45])
def test_an_answer_in_the_wrong_message(kind: int) -> None:
    """An extension that is recognized but not specified for the message: illegal_parameter."""
    for connected in both(put(kind, b"")):
        assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "misplaced-extension")


def test_a_cookie_belongs_into_a_retry_only() -> None:
    assert_refused(hello(put(44, b"\0\1x")), Side.CLIENT, A.UNSUPPORTED_EXTENSION)
    assert_refused(retry(put(44, b"\0\1x"), 1), Side.CLIENT, A.UNSUPPORTED_EXTENSION)


def test_a_cookie_is_not_echoed_by_the_server() -> None:
    """After a retry with a cookie the client has offered one, but ServerHello is no place for it."""
    cookies = server_config(cookie_keys=TicketKeys())
    config = client_config(groups=(P256, X25519), key_shares=(P256,))
    made = puppet_server(cookies, change(H.SERVER_HELLO, put(44, b"\0\1x"), 1))
    assert_refused(Pair(pair(config).client, made).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "misplaced-extension")


def test_an_extension_twice() -> None:
    def edit(message: bytes) -> bytes:
        parsed = ServerHello.parse(b"\2\0\0\0" + message)
        block = message[-int.from_bytes(message[70:72], "big") :]
        assert message.endswith(vector16(block))
        again = b"\0\x2b" + vector16(parsed.extensions[43])
        return message[: -len(block) - 2] + vector16(block + again)

    assert_refused(body(edit), Side.CLIENT, A.ILLEGAL_PARAMETER, "duplicate-extension")


# --- key_share (section 4.3.8) ----------------------------------------------------------------------------


def test_no_key_share() -> None:
    assert_refused(hello(drop(51)), Side.CLIENT, A.MISSING_EXTENSION)


@pytest.mark.parametrize("data", [b"", b"\0\x1d", b"\0\x1d\0\0", b"\0\x1d\0\2x", b"\0\x1d\0\1xx"])
def test_the_form_of_the_share(data: bytes) -> None:
    assert_refused(hello(put(51, data)), Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.SECP384R1, 0x0100, 0xFFFF])
def test_a_share_in_another_group(group: int) -> None:
    """In the same group as one of the client's shares, whatever else is in supported_groups."""
    client = client_config(groups=(X25519, NamedGroup.SECP384R1), key_shares=(X25519,))
    assert_refused(hello(put(51, ext.write_server_share(group, bytes(65))), client), Side.CLIENT, A.ILLEGAL_PARAMETER)


def with_share(group: int, edit: Callable[[bytes], bytes]) -> Pair:
    def change_share(message: ServerHello) -> None:
        found, share = ext.read_server_share(message.extensions[51])
        message.extensions[51] = ext.write_server_share(found, edit(share))

    return hello(change_share, client_config(groups=(group,)), server_config(groups=(group,)))


# A KEM's answer is a ciphertext, with another length than its key.
ANSWER_LENGTHS = LENGTHS | {
    NamedGroup.MLKEM768: 1088,
    NamedGroup.MLKEM1024: 1568,
    NamedGroup.X25519MLKEM768: 1120,
    NamedGroup.SECP256R1MLKEM768: 1153,
    NamedGroup.SECP384R1MLKEM1024: 1665,
}


@pytest.mark.parametrize("group", ANSWER_LENGTHS)
def test_the_sizes_of_shares(group: int) -> None:
    """Section 4.3.8.2; RFC 10024 for the hybrids."""
    seen = []
    assert with_share(group, lambda share: seen.append(len(share)) or share).errors == {}
    assert seen == [ANSWER_LENGTHS[NamedGroup(group)]]


@pytest.mark.parametrize("group", ANSWER_LENGTHS)
@pytest.mark.parametrize("edit", [lambda s: s[:-1], lambda s: s + b"\0", lambda s: s[:1]], ids=["short", "long", "one"])
def test_a_share_of_the_wrong_length(group: int, edit: Callable[[bytes], bytes]) -> None:
    assert_refused(with_share(group, edit), Side.CLIENT, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", [g for g in CLASSICAL if LENGTHS[NamedGroup(g)] in (65, 97, 133)])
@pytest.mark.parametrize(
    "edit", [lambda s: b"\2" + s[1:], lambda s: s[:-1] + bytes((s[-1] ^ 1,))], ids=["compressed", "off the curve"]
)
def test_a_point_that_is_none(group: int, edit: Callable[[bytes], bytes]) -> None:
    assert_refused(with_share(group, edit), Side.CLIENT, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize(("group", "share"), [(g, share) for g, shares in SMALL_ORDER.items() for share in shares])
def test_a_shared_secret_of_zeros(group: int, share: bytes) -> None:
    assert_refused(with_share(group, lambda _: share), Side.CLIENT, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", HYBRID)
def test_a_changed_ciphertext_gives_another_secret(group: int) -> None:
    """ML-KEM rejects implicitly (FIPS 203 section 6.3): the two sides part ways at the next record."""

    def edit(share: bytes) -> bytes:
        classical, kem = HYBRID[group].split(share, HYBRID[group].kem.ciphertext_length)
        return HYBRID[group].join(classical, bytes((kem[0] ^ 1,)) + kem[1:])

    assert_refused(with_share(group, edit), Side.CLIENT, A.BAD_RECORD_MAC, told=False)


def test_another_valid_share_gives_another_secret() -> None:
    """What a man in the middle could try."""
    connected = with_share(X25519, lambda _: CLASSICAL[X25519]().share)
    assert_refused(connected, Side.CLIENT, A.BAD_RECORD_MAC, told=False)


# --- HelloRetryRequest (section 4.2.4) ----------------------------------------------------------------------


def test_a_request_that_changes_nothing() -> None:
    """Clients MUST abort with illegal_parameter if it would not result in any change."""
    assert_refused(retry(drop(51)), Side.CLIENT, A.ILLEGAL_PARAMETER, "empty-hello-retry-request")


@pytest.mark.parametrize("group", [P256, NamedGroup.SECP384R1, 0x0100, 0xFFFF])
def test_a_group_that_was_not_offered_or_has_a_share_already(group: int) -> None:
    """Section 4.3.8: (1) offered in supported_groups, and (2) not in key_share; else illegal_parameter."""
    connected = retry(put(51, group.to_bytes(2, "big")))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "retry-wrong-group")


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x1d\0"])
def test_the_form_of_the_group(data: bytes) -> None:
    assert_refused(retry(put(51, data)), Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize("data", [b"", b"\0\0", b"\0\2x", b"\0\1xx"])
def test_the_form_of_a_cookie(data: bytes) -> None:
    assert_refused(retry(put(44, data)), Side.CLIENT, A.DECODE_ERROR)


def test_a_second_request() -> None:
    """It MUST abort with unexpected_message."""

    def edit(message: ServerHello) -> None:
        message.random = HELLO_RETRY_REQUEST_RANDOM
        message.extensions[51] = b"\0\x18"

    connected = retry(edit, 1, groups=(P256, X25519, NamedGroup.SECP384R1))
    assert_refused(connected, Side.CLIENT, A.UNEXPECTED_MESSAGE, "second-hello-retry-request")


def test_another_suite_after_the_request() -> None:
    """Illegal_parameter."""
    connected = retry(write("cipher_suite", CipherSuite.TLS_CHACHA20_POLY1305_SHA256), 1)
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "retry-suite-changed")


def test_another_version_after_the_request() -> None:
    """Illegal_parameter if the value changes."""
    for edit in (put(43, b"\3\3"), drop(43)):
        assert_refused(retry(edit, 1), Side.CLIENT, A.ILLEGAL_PARAMETER, "retry-version-changed")


def test_another_group_after_the_request() -> None:
    """Section 4.3.8: the NamedGroup in ServerHello is the same as in the request, else illegal_parameter."""
    connected = retry(put(51, ext.write_server_share(P256, CLASSICAL[P256]().share)), 1)
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-group")


def test_a_request_for_a_cookie_alone() -> None:
    """Section 4.3.2: the client MUST copy the cookie; its key share stays."""
    hellos: list[ClientHello] = []

    def request(message: ServerHello) -> None:
        del message.extensions[51]
        message.extensions[44] = ext.write_cookie(b"come back with this")

    config = client_config(groups=(P256, X25519), key_shares=(P256,))
    made = puppet_server(server_config(), change(H.SERVER_HELLO, request))
    connected = Pair(pair(config).client, made).run()
    for record in connected.wire[Side.CLIENT]:
        start = record.rfind(b"\x16\x03")
        if record[start + 5 : start + 6] == b"\1":
            hellos.append(ClientHello.parse(record[start + 5 :]))
    assert len(hellos) == 2
    assert ExtensionType.COOKIE not in hellos[0].extensions
    assert hellos[1].extensions.pop(44) == ext.write_cookie(b"come back with this")
    assert hellos[0].extensions == hellos[1].extensions
    assert hellos[0] == hellos[1]


def test_cookies_are_not_remembered() -> None:
    """Section 4.3.2: clients MUST NOT use cookies in their initial ClientHello in subsequent connections."""
    server = server_config(cookie_keys=TicketKeys())
    config = client_config(groups=(P256, X25519), key_shares=(P256,))
    connected = pair(config, server).done()
    assert connected.client.agreed.retried
    again = pair(config, server, session=connected.tickets()[0])
    assert 44 not in ClientHello.parse(again.client.data_to_send()[5:]).extensions


def test_a_share_that_is_used_again_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 4.3.8: receiving implementations MUST permit reuse by the peer."""
    exchange = CLASSICAL[X25519]()
    clients = [pair().client for _ in range(2)]
    monkeypatch.setitem(CLASSICAL, X25519, lambda: exchange)
    for client in clients:
        Pair(client, pair().server).done().talk()

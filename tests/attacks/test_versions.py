"""Attacks on what is negotiated: the version, the suites, the groups, the extensions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, NamedGroup, Side, SignatureScheme
from glasslock.tls import ClientConnection
from glasslock.tls.config import DEFAULT_SUITES_12, DEFAULT_SUITES_13
from glasslock.tls.keys.groups import SUPPORTED
from glasslock.tls.keys.suites import SUITES_12, SUITES_13
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello, ServerHello, frame
from glasslock.tls.wire.messages12 import ServerKeyExchange

from ..tls.minted import credential
from ..tls.pair import assert_refused, client_config, pair, server_config
from .middle import (
    BOTH,
    TLS_1_2,
    Attack,
    edit_client_hello,
    edit_server_hello,
    messages,
    middle,
    one_after_the_other,
    records,
    replace_messages,
    tls12,
)

A, H = AlertDescription, HandshakeType
Edit = Callable[[ClientHello], object]


# --- versions -------------------------------------------------------------------------------------------------------


def drop_versions(hello: ClientHello) -> None:
    """To an offer of TLS 1.2 alone."""
    del hello.extensions[43], hello.extensions[51]


def test_the_downgrade_to_tls_1_2_is_seen_in_the_servers_random() -> None:
    """RFC 9846 section 4.2.3: the last eight bytes say that the server could have done better."""
    attacked = middle(
        edit_client_hello(drop_versions), client_config(versions=BOTH), server_config(versions=BOTH)
    ).run()
    assert_refused(attacked, Side.CLIENT, A.ILLEGAL_PARAMETER, "downgrade")
    assert attacked.server.agreed.version == TLS_1_2


def test_the_sign_of_a_downgrade_cannot_be_taken_away() -> None:
    """The server's signature covers its random."""

    def repaint(hello: ServerHello) -> None:
        hello.random = hello.random[:24] + bytes(8)

    attack = one_after_the_other(edit_client_hello(drop_versions), edit_server_hello(repaint))
    attacked = middle(attack, client_config(versions=BOTH), server_config(versions=BOTH)).run()
    assert_refused(attacked, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_a_fallback_is_answered_with_inappropriate_fallback() -> None:
    """RFC 7507: whoever comes back with less says so, and is told that it was not the server's wish."""
    attack = edit_client_hello(lambda hello: setattr(hello, "cipher_suites", (*hello.cipher_suites, 0x5600)))
    attacked = middle(attack, client_config(**tls12()), server_config(versions=BOTH)).run()
    assert_refused(attacked, Side.SERVER, A.INAPPROPRIATE_FALLBACK, "inappropriate-fallback")
    honest = middle(attack, client_config(**tls12()), server_config(**tls12()))
    honest.carry(Side.CLIENT)  # a server that speaks nothing newer has nothing to say against it
    assert honest.errors == {}


# CLIENT-HELLO of SSL 2.0: a two-byte header with the highest bit set, type 1, version 2.
SSL_2_HELLO = bytes.fromhex("802e0100020015001000100100800200800300800400800500800600400700c0") + bytes(16)


def test_no_protocol_before_tls_1_2_is_spoken() -> None:
    """DROWN needs an SSLv2 server, POODLE SSLv3: there is neither, and none can be switched on."""
    connected = pair(server=server_config(versions=BOTH))
    connected.deliver(Side.SERVER, SSL_2_HELLO)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "not-tls", told=False)
    for version in (0x0002, 0x0300, 0x0301, 0x0302):
        with pytest.raises(ConfigurationError, match="versions"):
            client_config(versions=(version,))
        with pytest.raises(ConfigurationError, match="versions"):
            server_config(versions=(version,))


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302])
def test_an_old_version_is_refused_by_both_sides(version: int) -> None:
    def offer(hello: ClientHello) -> None:
        drop_versions(hello)
        hello.legacy_version = version

    both = client_config(versions=BOTH), server_config(versions=BOTH)
    assert_refused(middle(edit_client_hello(offer), *both).run(), Side.SERVER, A.PROTOCOL_VERSION)

    def choose(hello: ServerHello) -> None:
        hello.extensions.pop(43, None)
        hello.legacy_version = version

    assert_refused(middle(edit_server_hello(choose), *both).run(), Side.CLIENT, A.PROTOCOL_VERSION)


# --- suites ---------------------------------------------------------------------------------------------------------

WEAK_SUITES = {
    "no encryption": 0x003B,  # TLS_RSA_WITH_NULL_SHA256
    "nothing at all": 0x0000,  # TLS_NULL_WITH_NULL_NULL
    "nobody signs": 0x00A6,  # TLS_DH_anon_WITH_AES_128_GCM_SHA256
    "nobody signs, ECDH": 0xC018,  # TLS_ECDH_anon_WITH_AES_128_CBC_SHA
    "FREAK: 512-bit RSA": 0x0003,  # TLS_RSA_EXPORT_WITH_RC4_40_MD5
    "Logjam: 512-bit Diffie-Hellman": 0x0014,  # TLS_DHE_RSA_EXPORT_WITH_DES40_CBC_SHA
    "finite-field Diffie-Hellman": 0x009E,  # TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
    "KCI: static ECDH": 0xC02D,  # TLS_ECDH_ECDSA_WITH_AES_128_GCM_SHA256
    "RC4": 0x0005,  # TLS_RSA_WITH_RC4_128_SHA
    "Sweet32: 3DES": 0x000A,  # TLS_RSA_WITH_3DES_EDE_CBC_SHA
    "Lucky Thirteen: CBC": 0xC013,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
    "CBC with SHA-256": 0xC027,  # TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256
    "short tags": 0xC0AE,  # TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8
}


@pytest.mark.parametrize("suite", WEAK_SUITES.values(), ids=WEAK_SUITES)
def test_a_weak_suite_can_be_forced_upon_nobody(suite: int) -> None:
    """Offered in the client's name, the server has no use for it; chosen in the server's name, the client neither."""
    both = client_config(versions=BOTH), server_config(versions=BOTH)

    def offer(hello: ClientHello) -> None:
        drop_versions(hello)
        hello.cipher_suites = (suite,)

    assert_refused(middle(edit_client_hello(offer), *both).run(), Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-suite")
    for settings in (tls12(), {}):
        attack = edit_server_hello(lambda hello: setattr(hello, "cipher_suite", suite))
        attacked = middle(attack, client_config(**settings), server_config(**settings)).run()
        assert_refused(attacked, Side.CLIENT, A.ILLEGAL_PARAMETER, "suite-not-offered")
    for config in (client_config, server_config):
        with pytest.raises(ConfigurationError, match="cipher_suites"):
            config(cipher_suites=(suite,))


def test_every_suite_is_an_aead_and_every_default_is_forward_secret() -> None:
    for suite in SUITES_13.keys() | SUITES_12.keys():
        assert CipherSuite(suite).name.endswith(("_GCM_SHA256", "_GCM_SHA384", "_CHACHA20_POLY1305_SHA256"))
    for suite in DEFAULT_SUITES_12:
        assert CipherSuite(suite).name.startswith("TLS_ECDHE_")
        assert SUITES_12[suite].ephemeral
    assert set(DEFAULT_SUITES_13) == set(SUITES_13)  # which know no other exchange than an ephemeral one
    for config in (client_config(versions=BOTH), server_config(versions=BOTH)):
        assert set(config.cipher_suites) == {*DEFAULT_SUITES_13, *DEFAULT_SUITES_12}


def test_no_group_is_a_finite_field() -> None:
    """ffdhe2048 to ffdhe8192 are 0x0100 to 0x01ff (RFC 7919); brainpool and weak curves have no number here at all."""
    names = {NamedGroup(group).name for group in SUPPORTED}
    assert all(name.startswith(("SECP256R1", "SECP384R1", "SECP521R1", "X25519", "X448", "MLKEM")) for name in names)
    for group in (0x0100, 0x0101, 0x0001, 0x0013):
        with pytest.raises(ConfigurationError, match="groups"):
            client_config(groups=(group,))


def test_finite_field_parameters_are_not_read() -> None:
    """Logjam and weak primes: `dh_p, dh_g, dh_Ys` in ServerKeyExchange, with a signature that is good for them."""

    def change(raw: bytes) -> tuple[bytes]:
        prime = bytes([0xFF]) * 64
        parameters = b"".join(len(part).to_bytes(2, "big") + part for part in (prime, b"\2", b"\4" * 64))
        return (frame(H.SERVER_KEY_EXCHANGE, parameters + b"\4\3\0\2xx"),)

    attack = replace_messages(Side.SERVER, H.SERVER_KEY_EXCHANGE, change)
    attacked = middle(attack, client_config(**tls12()), server_config(**tls12())).run()
    assert_refused(attacked, Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize("curve_type", [1, 2])
def test_explicit_curves_are_not_read(curve_type: int) -> None:
    """Mavrogiannopoulos 2012: parameters signed for one kind of exchange, read as those of another."""
    attack = replace_messages(
        Side.SERVER,
        H.SERVER_KEY_EXCHANGE,
        lambda raw: (raw[:4] + bytes([curve_type]) + raw[5:],),
    )
    attacked = middle(attack, client_config(**tls12()), server_config(**tls12())).run()
    assert_refused(attacked, Side.CLIENT, A.DECODE_ERROR)


# --- what the transcript is for -------------------------------------------------------------------------------------


def without_extension(kind: int) -> Edit:
    return lambda hello: hello.extensions.pop(kind)


def only_suite(suite: int) -> Edit:
    return lambda hello: setattr(hello, "cipher_suites", (suite,))


def only_group(group: int) -> Edit:
    return lambda hello: hello.extensions.__setitem__(10, ext.write_u16_vector((group,)))


WIDE: dict[str, Any] = {"groups": (NamedGroup.X25519, NamedGroup.SECP256R1), "alpn_protocols": ("h2", "http/1.1")}
STRIPPED: dict[str, Edit] = {
    "the stronger suites": only_suite(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    "the stronger groups (CurveSwap)": only_group(NamedGroup.SECP256R1),
    "the protocol": without_extension(16),
    "the name": without_extension(0),
    "extended_main_secret": without_extension(23),
    "the ticket": without_extension(35),
}


@pytest.mark.parametrize("edit", STRIPPED.values(), ids=STRIPPED)
@pytest.mark.parametrize("ems", [True, False])
def test_whatever_is_taken_out_of_the_offer_is_noticed_in_tls_1_2(edit: Edit, ems: bool) -> None:
    """Both Finished messages, and with extended_main_secret the keys themselves, depend on both hellos."""

    def offer(hello: ClientHello) -> None:
        edit(hello)
        if not ems:
            hello.extensions.pop(23, None)

    attacked = middle(edit_client_hello(offer), client_config(**tls12(**WIDE)), server_config(**tls12(**WIDE))).run()
    assert not attacked.server.handshake_done
    assert not attacked.client.handshake_done
    error = attacked.errors[Side.SERVER]
    assert error.alert in (A.BAD_RECORD_MAC, A.DECRYPT_ERROR), error


@pytest.mark.parametrize("allowed", [True, False])
def test_a_renegotiation_that_is_no_longer_secure_is_noticed(allowed: bool) -> None:
    """At once, unless the client bears servers without RFC 5746: then by Finished, as any other change."""
    client = client_config(**tls12(require_secure_renegotiation=not allowed))
    attacked = middle(edit_client_hello(without_extension(0xFF01)), client, server_config(**tls12())).run()
    if allowed:
        assert attacked.errors[Side.SERVER].alert == A.BAD_RECORD_MAC
    else:
        assert_refused(attacked, Side.CLIENT, A.HANDSHAKE_FAILURE, "no-secure-renegotiation")


STRIPPED_13: dict[str, Edit] = {
    "the stronger suites": only_suite(CipherSuite.TLS_CHACHA20_POLY1305_SHA256),
    "the protocol": without_extension(16),
    "the name": without_extension(0),
    "all signature schemes but one": lambda hello: hello.extensions.__setitem__(
        13, ext.write_u16_vector((SignatureScheme.ECDSA_SECP256R1_SHA256,))
    ),
    "something added": lambda hello: hello.extensions.__setitem__(21, b"\0\0"),
}


@pytest.mark.parametrize("edit", STRIPPED_13.values(), ids=STRIPPED_13)
def test_whatever_is_changed_in_the_offer_is_noticed_in_tls_1_3(edit: Edit) -> None:
    """The first protected record already does not open: its key depends on both hellos."""
    attacked = middle(edit_client_hello(edit), client_config(**WIDE), server_config(**WIDE)).run()
    assert_refused(attacked, Side.CLIENT, A.BAD_RECORD_MAC, told=False)
    assert not attacked.server.handshake_done


def test_a_key_exchange_in_a_group_that_was_not_offered_is_refused() -> None:
    """In TLS 1.2 too, whatever its signature."""

    def change(raw: bytes) -> tuple[bytes]:
        message = ServerKeyExchange.parse(raw)
        message.group = NamedGroup.X448
        return (message.encode(),)

    attack = replace_messages(Side.SERVER, H.SERVER_KEY_EXCHANGE, change)
    attacked = middle(attack, client_config(**tls12()), server_config(**tls12())).run()
    assert_refused(attacked, Side.CLIENT, A.ILLEGAL_PARAMETER)


# --- weak hashes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [0x0101, 0x0201, 0x0202, 0x0203, 0x0301, 0x0303])
def test_no_handshake_is_signed_with_md5_or_sha_1(scheme: int) -> None:
    """SLOTH: a client that is made to take nothing better gets nothing; a signature that says so is not looked at."""

    def offer(hello: ClientHello) -> None:
        hello.extensions[13] = ext.write_u16_vector((scheme,))

    both = client_config(**tls12()), server_config(**tls12())
    assert_refused(middle(edit_client_hello(offer), *both).run(), Side.SERVER, A.HANDSHAKE_FAILURE)

    def sign(raw: bytes) -> tuple[bytes]:
        message = ServerKeyExchange.parse(raw)
        message.scheme = scheme
        return (message.encode(),)

    attack: Attack = replace_messages(Side.SERVER, H.SERVER_KEY_EXCHANGE, sign)
    assert_refused(middle(attack, *both).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-signature-type")


def test_a_genuine_sha_1_signature_is_refused_by_default() -> None:
    """A server that was told to sign so, and a client that did not ask for it."""
    old = (SignatureScheme.RSA_PKCS1_SHA1,)

    signing = replace(credential("rsa"), signature_schemes=old)
    willing = client_config(**tls12(signature_schemes=(*old, SignatureScheme.RSA_PKCS1_SHA256)))
    server = server_config(**tls12(credentials=(signing,)))
    assert pair(willing, server).done().client.agreed.signature_scheme == old[0]  # a lab can ask for it by name
    attack = edit_client_hello(lambda hello: hello.extensions.__setitem__(13, ext.write_u16_vector(old)))
    assert_refused(
        middle(attack, client_config(**tls12()), server).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-signature-type"
    )


# --- compression ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
def test_nothing_is_ever_compressed(version: int) -> None:
    """CRIME: a client offers no compression but none; a server that chooses another is refused."""
    client, server = client_config(versions=(version,)), server_config(versions=(version,))
    hello = ClientHello.parse(ClientConnection(client, "localhost").data_to_send()[5:])
    assert hello.compression_methods == b"\0"
    for method in (1, 64):
        attack = edit_server_hello(lambda hello, method=method: setattr(hello, "compression_method", method))
        assert_refused(middle(attack, client, server).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "compression")


def test_a_server_takes_up_no_compression() -> None:
    offer = edit_client_hello(lambda hello: setattr(hello, "compression_methods", b"\1\0"))
    connected = middle(offer, client_config(**tls12()), server_config(**tls12()))
    connected.carry(Side.CLIENT)
    hello = ServerHello.parse(messages(records(connected.server.data_to_send())[0].body)[0])
    assert hello.compression_method == 0
    nothing_else = edit_client_hello(lambda hello: setattr(hello, "compression_methods", b"\1"))
    attacked = middle(nothing_else, client_config(**tls12()), server_config(**tls12())).run()
    assert_refused(attacked, Side.SERVER, A.ILLEGAL_PARAMETER, "compression")

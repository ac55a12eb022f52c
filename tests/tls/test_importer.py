"""Imported pre-shared keys (RFC 9258), and clients for whom only a pre-shared key will do."""

from __future__ import annotations

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, Side
from glasslock.tls import ExternalPsk, import_psk
from glasslock.tls.keys.hkdf import hash_function

from .pair import Pair, assert_refused, client_config, pair, server_config

A = AlertDescription
AES_128, AES_256 = CipherSuite.TLS_AES_128_GCM_SHA256, CipherSuite.TLS_AES_256_GCM_SHA384
IDENTITY, KEY, CONTEXT = b"sensor 7", b"k" * 32, b"sensor 7 -> hub"


def both(identity: bytes = IDENTITY, key: bytes = KEY, context: bytes = CONTEXT) -> tuple[ExternalPsk, ...]:
    return import_psk(identity, key, context)


def meet(ours: tuple[ExternalPsk, ...], theirs: tuple[ExternalPsk, ...], **settings: object) -> Pair:
    client = client_config(verifier=None, external_psks=ours)
    return pair(client, server_config(credentials=(), external_psks=theirs, **settings))


def test_one_key_for_each_hash() -> None:
    sha256, sha384 = both()
    assert (sha256.hash_name, len(sha256.key)) == ("sha256", 32)
    assert (sha384.hash_name, len(sha384.key)) == ("sha384", 48)
    assert sha256.key != sha384.key[:32]
    assert sha256.imported
    assert sha256.binder_label == b"imp binder"


def test_the_derivation_by_hand() -> None:
    """Section 5.1, with every length and label written out."""
    identity = b"\0\x08sensor 7\0\x0fsensor 7 -> hub\x03\x04\0\x02"
    sha256 = hash_function("sha256")
    extracted = sha256.hmac(bytes(32), KEY)
    info = b"\0\x30\x11tls13 derived psk\x20" + sha256.new(identity).digest()
    first = sha256.hmac(extracted, info + b"\1")
    psk = both()[1]
    assert psk.identity == identity
    assert psk.key == (first + sha256.hmac(extracted, first + info + b"\2"))[:48]


@pytest.mark.parametrize("suite", [AES_128, AES_256])
def test_both_sides_import(suite: int) -> None:
    connected = meet(both(), both(), cipher_suites=(suite,)).done().talk()
    assert connected.client.agreed.external_psk == connected.server.agreed.external_psk
    assert connected.client.agreed.peer_chain == ()


def test_after_a_retry_the_key_for_the_other_hash_is_gone() -> None:
    client = client_config(verifier=None, external_psks=both(), key_shares=())
    server = server_config(credentials=(), external_psks=both(), cipher_suites=(AES_256,))
    assert pair(client, server).done().talk().client.agreed.retried


@pytest.mark.parametrize("theirs", [both(key=b"K" * 32), both(context=b"hub -> sensor 7"), both(identity=b"sensor 8")])
def test_whoever_imports_something_else_has_no_common_key(theirs: tuple[ExternalPsk, ...]) -> None:
    connected = meet(both(), theirs).run()
    same_identity = theirs[0].identity == both()[0].identity
    alert, code = (A.DECRYPT_ERROR, "bad-binder") if same_identity else (A.HANDSHAKE_FAILURE, "psk-unknown")
    assert_refused(connected, Side.SERVER, alert, code)


def test_an_imported_key_is_not_the_same_key_unimported() -> None:
    """Section 5.2: the binder label keeps them apart, whatever the bytes."""
    imported = both()[:1]
    plain = ExternalPsk(identity=imported[0].identity, key=imported[0].key)
    assert_refused(meet(imported, (plain,)).run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")
    assert_refused(meet((plain,), imported).run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")


def test_the_servers_order_of_keys_wins() -> None:
    one, two = both(b"one"), both(b"two")
    connected = meet(one + two, two + one).done()
    assert connected.client.agreed.external_psk in {psk.identity for psk in two}


@pytest.mark.parametrize(
    ("identity", "key", "hash_name"), [(b"", KEY, "sha256"), (b"a", b"", "sha256"), (b"a", KEY, "sha1")]
)
def test_what_cannot_be_imported(identity: bytes, key: bytes, hash_name: str) -> None:
    with pytest.raises(ConfigurationError):
        import_psk(identity, key, hash_name=hash_name)


# --- without certificates --------------------------------------------------------------------------


def test_a_client_that_trusts_no_certificate() -> None:
    client = client_config(verifier=None, external_psks=both())
    connected = pair(client, server_config()).run()
    assert Side.SERVER in connected.errors  # there is no signature_algorithms to choose a certificate by
    assert not connected.client.handshake_done


@pytest.mark.parametrize("settings", [{}, {"external_psks": both(), "versions": (0x0304, 0x0303)}])
def test_nobody_to_trust_and_nothing_to_know(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="without a verifier"):
        client_config(verifier=None, **settings)


def test_a_session_from_a_key_needs_no_verifier_either() -> None:
    first = meet(both(), both()).done()
    client = client_config(verifier=None, external_psks=both())
    server = server_config(credentials=(), external_psks=both())
    session = pair(client, server).done().tickets()[0]
    again = pair(client, server, session=session).done().talk()
    assert again.client.agreed.external_psk is None
    assert again.client.agreed.resumed
    assert first.client.agreed.external_psk is not None

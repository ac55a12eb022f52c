"""Attacks on signatures other than RSA's padding: values that no signer makes, keys that do not fit, nonces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, HandshakeType, Side, SignatureScheme
from glasslock.tls import Credential
from glasslock.tls.keys.signatures import PrivateKeySigner, verify

from ..tls.minted import certificate, credential, key
from ..tls.pair import assert_refused, client_config, pair, server_config
from .middle import BOTH

A, H, S = AlertDescription, HandshakeType, SignatureScheme

ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "p384": int("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16),
}
SCHEMES = {"p256": S.ECDSA_SECP256R1_SHA256, "p384": S.ECDSA_SECP384R1_SHA384}


class Forging:
    """A signer without a key."""

    def __init__(self, signature: bytes) -> None:
        self.signature = signature

    def sign(self, scheme: int, content: bytes) -> bytes:
        return self.signature


def impossible(kind: str) -> dict[str, bytes]:
    order = ORDERS[kind]
    return {
        "both zero": encode_dss_signature(0, 0),
        "r zero": encode_dss_signature(0, 1),
        "s zero": encode_dss_signature(1, 0),
        "both the order": encode_dss_signature(order, order),
        "r the order": encode_dss_signature(order, 1),
        "above the order": encode_dss_signature(order + 1, order + 1),
        "negative": b"\x30\6\2\1\xff\2\1\xff",
        "empty": b"",
        "an empty sequence": b"\x30\0",
        "one number": b"\x30\3\2\1\1",
    }


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("name", impossible("p256"))
def test_psychic_signatures(kind: str, name: str, version: int) -> None:
    """CVE-2022-21449: zeros, which fit every key and every message where nobody looks at them first."""
    forging = Credential.from_signer([certificate(key(kind), "localhost")], Forging(impossible(kind)[name]))
    client, server = client_config(versions=(version,)), server_config(versions=(version,), credentials=(forging,))
    assert_refused(pair(client, server).run(), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


@pytest.mark.parametrize("kind", ["ed25519", "ed448"])
@pytest.mark.parametrize("version", BOTH)
def test_an_eddsa_signature_of_zeros(kind: str, version: int) -> None:
    """R the neutral element and S zero: good for a public key of small order, if such a key were taken."""
    size = {"ed25519": 32, "ed448": 57}[kind]
    forging = Credential.from_signer([certificate(key(kind), "localhost")], Forging(b"\1" + bytes(2 * size - 1)))
    client, server = client_config(versions=(version,)), server_config(versions=(version,), credentials=(forging,))
    assert_refused(pair(client, server).run(), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def other_form(signature: bytes) -> dict[str, bytes]:
    """The same two numbers, written as BER allows and DER does not."""
    r, s = decode_dss_signature(signature)

    def integer(value: int, zeros: int = 0) -> bytes:
        content = bytes(zeros) + value.to_bytes(33, "big").lstrip(b"\0").rjust(1, b"\0")
        content = b"\0" + content if content[0] & 0x80 else content
        return bytes((2, len(content))) + content

    body = integer(r) + integer(s)
    return {
        "as it was": signature,
        "long length": b"\x30\x81" + bytes((len(body),)) + body,
        "leading zeros": b"\x30" + bytes((len(body) + 8,)) + integer(r, 4) + integer(s, 4),
        "trailing byte": signature + b"\0",
        "trailing byte inside": b"\x30" + bytes((len(body) + 1,)) + body + b"\0",
    }


@pytest.mark.parametrize("form", other_form(encode_dss_signature(1, 1)))
def test_an_ecdsa_signature_has_one_encoding(form: str) -> None:
    signature = other_form(PrivateKeySigner(key("p256")).sign(S.ECDSA_SECP256R1_SHA256, b"content"))[form]
    arguments = key("p256").public_key(), "p256", S.ECDSA_SECP256R1_SHA256, signature, b"content", 0x0304
    if form == "as it was":
        verify(*arguments)
    else:
        with pytest.raises(PeerMisbehaved) as caught:
            verify(*arguments)
        assert caught.value.alert is A.DECRYPT_ERROR


@pytest.mark.parametrize(("kind", "scheme"), [(k, s) for k in ("p256", "p384") for s in SCHEMES.values()])
def test_in_tls_1_3_a_scheme_means_one_curve(kind: str, scheme: SignatureScheme) -> None:
    """A genuine signature by a key of another curve, which TLS 1.2 would have taken (RFC 9846 section 4.3.3)."""
    signature = PrivateKeySigner(key(kind)).sign(scheme, b"content")
    arguments = key(kind).public_key(), kind, scheme, signature, b"content"
    verify(*arguments, 0x0303)
    if SCHEMES[kind] is scheme:
        verify(*arguments, 0x0304)
    else:
        with pytest.raises(PeerMisbehaved) as caught:
            verify(*arguments, 0x0304)
        assert (caught.value.alert, caught.value.code) == (A.ILLEGAL_PARAMETER, "wrong-signature-type")


def rejoined(signatures: list[tuple[int, int, int]], order: int) -> int | None:
    """The private key, if two of these (r, s, hash) were made with the same nonce."""
    for i, (r1, s1, h1) in enumerate(signatures):
        for r2, s2, h2 in signatures[i + 1 :]:
            if r1 == r2 and s1 != s2:
                nonce = (h1 - h2) * pow(s1 - s2, -1, order) % order
                return (s1 * nonce - h1) * pow(r1, -1, order) % order
    return None


def collected(sign: Callable[[bytes], bytes], count: int) -> list[tuple[int, int, int]]:
    found = []
    for number in range(count):
        content = b"handshake %d" % number
        r, s = decode_dss_signature(sign(content))
        found.append((r, s, int.from_bytes(hashlib.sha256(content).digest(), "big")))
    return found


def test_no_ecdsa_nonce_is_used_twice() -> None:
    """As the Sony and Bitcoin wallet failures did: two signatures with one nonce are the key."""
    order = ORDERS["p256"]
    private: Any = key("p256")
    secret = private.private_numbers().private_value
    signer = PrivateKeySigner(private)
    assert rejoined(collected(lambda content: signer.sign(S.ECDSA_SECP256R1_SHA256, content), 200), order) is None

    def careless(content: bytes) -> bytes:
        """A signer whose nonce is always 7, to show that the computation finds the key where it can be found."""
        r = ec.derive_private_key(7, ec.SECP256R1()).public_key().public_numbers().x % order
        digest = int.from_bytes(hashlib.sha256(content).digest(), "big")
        return encode_dss_signature(r, pow(7, -1, order) * (digest + r * secret) % order)

    assert rejoined(collected(careless, 2), order) == secret
    verify(private.public_key(), "p256", S.ECDSA_SECP256R1_SHA256, careless(b"x"), b"x", 0x0304)


@pytest.mark.parametrize("version", BOTH)
def test_somebody_elses_certificate_is_of_no_use(version: int) -> None:
    """The certificate is public; the proof is made with its key or not at all."""
    own = PrivateKeySigner(ec.generate_private_key(ec.SECP256R1()))
    impostor = Credential.from_signer(credential("p256").chain, own)
    client, server = client_config(versions=(version,)), server_config(versions=(version,), credentials=(impostor,))
    assert_refused(pair(client, server).run(), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")

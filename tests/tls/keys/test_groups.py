"""Key exchange: sizes, order of the parts, and that nothing is used twice (RFC 9846 section 7.4, RFC 10024)."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.errors import PeerMisbehaved
from glasslock.registry import NamedGroup
from glasslock.tls.keys import groups

# client share, server share, secret; in bytes
SIZES = {
    NamedGroup.X25519: (32, 32, 32),
    NamedGroup.X448: (56, 56, 56),
    NamedGroup.SECP256R1: (65, 65, 32),
    NamedGroup.SECP384R1: (97, 97, 48),
    NamedGroup.SECP521R1: (133, 133, 66),
    NamedGroup.MLKEM768: (1184, 1088, 32),
    NamedGroup.MLKEM1024: (1568, 1568, 32),
    NamedGroup.X25519MLKEM768: (1216, 1120, 64),
    NamedGroup.SECP256R1MLKEM768: (1249, 1153, 64),
    NamedGroup.SECP384R1MLKEM1024: (1665, 1665, 80),
}


def test_every_group_is_here() -> None:
    assert set(SIZES) == groups.SUPPORTED


@pytest.mark.parametrize("group", SIZES)
def test_both_halves_agree(group: int) -> None:
    exchange = groups.generate(group)
    response = groups.respond(group, exchange.share)
    secret = groups.finish(group, exchange, response.share)
    assert secret == response.secret
    assert (len(exchange.share), len(response.share), len(secret)) == SIZES[NamedGroup(group)]


@pytest.mark.parametrize("group", SIZES)
def test_shares_are_fresh(group: int) -> None:
    exchange = groups.generate(group)
    assert groups.generate(group).share != exchange.share
    first, second = groups.respond(group, exchange.share), groups.respond(group, exchange.share)
    assert first.share != second.share
    assert first.secret != second.secret


@pytest.mark.parametrize("group", SIZES)
@pytest.mark.parametrize("length", [0, 1, 31, 33, 64, 66, 1119, 1121, 2000])
def test_any_other_length_is_refused_by_both_halves(group: int, length: int) -> None:
    for half in (lambda: groups.respond(group, bytes(length)), lambda: groups.generate(group).finish(bytes(length))):
        with pytest.raises((PeerMisbehaved, ValueError)):
            half()
    with pytest.raises(PeerMisbehaved) as caught:
        groups.finish(group, groups.generate(group), bytes(length))
    assert caught.value.code == "bad-key-share"


def test_the_order_in_x25519mlkem768() -> None:
    """ML-KEM comes first, in both shares and in the secret."""
    exchange = groups.generate(NamedGroup.X25519MLKEM768)
    kem = mlkem.MLKEM768PublicKey.from_public_bytes(exchange.share[:1184])
    secret, ciphertext = kem.encapsulate()
    own = x25519.X25519PrivateKey.generate()
    shared = own.exchange(x25519.X25519PublicKey.from_public_bytes(exchange.share[1184:]))
    assert exchange.finish(ciphertext + own.public_key().public_bytes_raw()) == secret + shared


@pytest.mark.parametrize(
    ("group", "curve", "point", "kem"),
    [
        (NamedGroup.SECP256R1MLKEM768, ec.SECP256R1(), 65, mlkem.MLKEM768PublicKey),
        (NamedGroup.SECP384R1MLKEM1024, ec.SECP384R1(), 97, mlkem.MLKEM1024PublicKey),
    ],
)
def test_the_order_in_the_hybrids_with_nist_curves(group: int, curve: ec.EllipticCurve, point: int, kem: Any) -> None:
    """The curve comes first, in both shares and in the secret."""
    exchange = groups.generate(group)
    secret, ciphertext = kem.from_public_bytes(exchange.share[point:]).encapsulate()
    own = ec.generate_private_key(curve)
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, exchange.share[:point]))
    share = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert exchange.finish(share + ciphertext) == shared + secret

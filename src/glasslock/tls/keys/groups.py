"""Key exchange groups: two sides, two public shares, one secret (RFC 9846 section 4.3.8.2, RFC 10024).

The client calls `generate(group)` and sends `.share`; the server calls `respond(group, share)` and sends
the share it gets; the client finishes with `.finish(share)`. For Diffie-Hellman the two halves look the
same; for a KEM the server encapsulates to the client's key, so one shape serves both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x448, x25519

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, NamedGroup, name_of


class KeyExchange(Protocol):
    """The client's half of one key exchange. It is used for one connection and no other."""

    share: bytes

    def finish(self, peer_share: bytes) -> bytes:
        """The shared secret; ValueError if the peer's share is not a valid one."""
        ...


class Response(NamedTuple):
    """The server's half: what to send, and the secret."""

    share: bytes
    secret: bytes


class X25519:
    """RFC 7748 section 6.1: 32-byte shares, a 32-byte secret; pyca refuses the all-zero secret."""

    __slots__ = ("_private", "share")

    def __init__(self) -> None:
        self._private = x25519.X25519PrivateKey.generate()
        self.share = self._private.public_key().public_bytes_raw()

    def finish(self, peer_share: bytes) -> bytes:
        return self._private.exchange(x25519.X25519PublicKey.from_public_bytes(peer_share))


class X448:
    """RFC 7748 section 6.2: 56-byte shares and secret."""

    __slots__ = ("_private", "share")

    def __init__(self) -> None:
        self._private = x448.X448PrivateKey.generate()
        self.share = self._private.public_key().public_bytes_raw()

    def finish(self, peer_share: bytes) -> bytes:
        return self._private.exchange(x448.X448PublicKey.from_public_bytes(peer_share))


class NistCurve:
    """ECDH on P-256, P-384 or P-521 with uncompressed points; pyca checks that a point is on the curve."""

    __slots__ = ("_curve", "_length", "_private", "share")

    def __init__(self, curve: ec.EllipticCurve) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self._curve = curve
        self._private = ec.generate_private_key(curve)
        self.share = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def finish(self, peer_share: bytes) -> bytes:
        if len(peer_share) != len(self.share) or peer_share[0] != 4:
            raise ValueError("not an uncompressed point of the right length")
        point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer_share)
        return self._private.exchange(ec.ECDH(), point)


class Kem(NamedTuple):
    """One ML-KEM parameter set of FIPS 203 with its sizes in bytes."""

    generate: Callable[[], mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey]
    load: Callable[[bytes], mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey]
    key_length: int
    ciphertext_length: int


MLKEM768 = Kem(mlkem.MLKEM768PrivateKey.generate, mlkem.MLKEM768PublicKey.from_public_bytes, 1184, 1088)
MLKEM1024 = Kem(mlkem.MLKEM1024PrivateKey.generate, mlkem.MLKEM1024PublicKey.from_public_bytes, 1568, 1568)


class KemExchange:
    """The client's half of a KEM alone: if ML-KEM were broken, nothing would protect the secret."""

    __slots__ = ("_private", "share")

    def __init__(self, kem: Kem) -> None:
        self._private = kem.generate()
        self.share = self._private.public_key().public_bytes_raw()

    def finish(self, peer_share: bytes) -> bytes:
        return self._private.decapsulate(peer_share)


class Hybrid(NamedTuple):
    """A classical group and a KEM side by side (RFC 10024): shares and secrets are concatenated."""

    classical: Callable[[], KeyExchange]
    kem: Kem
    kem_first: bool

    def split(self, share: bytes, kem_length: int) -> tuple[bytes, bytes]:
        """A share as (classical part, KEM part); a part of the wrong length is refused by its owner."""
        if self.kem_first:
            return share[kem_length:], share[:kem_length]
        cut = max(len(share) - kem_length, 0)
        return share[:cut], share[cut:]

    def join(self, classical: bytes, kem: bytes) -> bytes:
        return kem + classical if self.kem_first else classical + kem


class HybridExchange:
    """The client's half of a hybrid: an ML-KEM key pair beside a classical one."""

    __slots__ = ("_classical", "_hybrid", "_private", "share")

    def __init__(self, hybrid: Hybrid) -> None:
        self._hybrid = hybrid
        self._private = hybrid.kem.generate()
        self._classical = hybrid.classical()
        self.share = hybrid.join(self._classical.share, self._private.public_key().public_bytes_raw())

    def finish(self, peer_share: bytes) -> bytes:
        classical, ciphertext = self._hybrid.split(peer_share, self._hybrid.kem.ciphertext_length)
        secret = self._private.decapsulate(ciphertext)
        return self._hybrid.join(self._classical.finish(classical), secret)


def _p256() -> KeyExchange:
    return NistCurve(ec.SECP256R1())


def _p384() -> KeyExchange:
    return NistCurve(ec.SECP384R1())


def _p521() -> KeyExchange:
    return NistCurve(ec.SECP521R1())


CLASSICAL: dict[int, Callable[[], KeyExchange]] = {
    NamedGroup.X25519: X25519,
    NamedGroup.SECP256R1: _p256,
    NamedGroup.SECP384R1: _p384,
    NamedGroup.SECP521R1: _p521,
    NamedGroup.X448: X448,
}

KEMS: dict[int, Kem] = {NamedGroup.MLKEM768: MLKEM768, NamedGroup.MLKEM1024: MLKEM1024}

HYBRID: dict[int, Hybrid] = {
    NamedGroup.X25519MLKEM768: Hybrid(X25519, MLKEM768, kem_first=True),
    NamedGroup.SECP256R1MLKEM768: Hybrid(_p256, MLKEM768, kem_first=False),
    NamedGroup.SECP384R1MLKEM1024: Hybrid(_p384, MLKEM1024, kem_first=False),
}

POST_QUANTUM = frozenset(HYBRID) | frozenset(KEMS)
SUPPORTED = frozenset(CLASSICAL) | POST_QUANTUM


def generate(group: int) -> KeyExchange:
    """The client's half, fresh and for one connection only."""
    if group in CLASSICAL:
        return CLASSICAL[group]()
    return HybridExchange(HYBRID[group]) if group in HYBRID else KemExchange(KEMS[group])


def finish(group: int, exchange: KeyExchange, peer_share: bytes) -> bytes:
    """The client's secret; illegal_parameter for a share that is not valid in its group."""
    try:
        return exchange.finish(peer_share)
    except (ValueError, InvalidKey) as problem:
        raise bad_share(group) from problem


def respond(group: int, peer_share: bytes) -> Response:
    """The server's half: its share and the secret; illegal_parameter for a share that is not valid."""
    try:
        if group in CLASSICAL:
            exchange = CLASSICAL[group]()
            return Response(exchange.share, exchange.finish(peer_share))
        if group in KEMS:
            secret, ciphertext = KEMS[group].load(peer_share).encapsulate()
            return Response(ciphertext, secret)
        hybrid = HYBRID[group]
        theirs, encapsulation_key = hybrid.split(peer_share, hybrid.kem.key_length)
        secret, ciphertext = hybrid.kem.load(encapsulation_key).encapsulate()
        classical = hybrid.classical()
        shared = classical.finish(theirs)
        return Response(hybrid.join(classical.share, ciphertext), hybrid.join(shared, secret))
    except (ValueError, InvalidKey) as problem:
        raise bad_share(group) from problem


def bad_share(group: int) -> PeerMisbehaved:
    return PeerMisbehaved(
        AlertDescription.ILLEGAL_PARAMETER,
        "bad-key-share",
        f"the peer's key share is not valid in the group {name_of(NamedGroup, group)}",
        "RFC 9846 section 4.3.8.2",
    )

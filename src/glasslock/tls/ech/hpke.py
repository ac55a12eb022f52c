"""HPKE in base mode: messages that only the holder of a private key can read (RFC 9180).

    context = seal_to(kem, suite, public_key, info)                 sender: a fresh key pair for each context
    ciphertext = context.seal(aad, plaintext)
                            --- context.enc, ciphertext -->
    context = open_with(kem, suite, private_key, enc, info)         receiver
    plaintext = context.open(aad, ciphertext)

Each message has its number in the nonce, so both sides must take them in the same order. Anybody can seal: base
mode proves nothing about the sender.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ...errors import GlasslockError
from ...registry import HpkeAead, HpkeKdf, HpkeKem
from ..keys.hkdf import HashFunction, hash_function
from ..keys.suites import TAG_LENGTH, Aead
from ..wire.codec import u16

PrivateKey = x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey

NONCE_LENGTH = 12  # bytes, for every AEAD here
_MODE_BASE = b"\x00"


class HpkeError(GlasslockError):
    """The public key is no valid one, or the ciphertext was not made for this key and associated data."""


class Suite(NamedTuple):
    """The two symmetric algorithms, by their code points: `HpkeSymmetricCipherSuite` of RFC 9849 section 4."""

    kdf_id: int
    aead_id: int

    @property
    def supported(self) -> bool:
        return self.kdf_id in _KDFS and self.aead_id in _AEADS


_KDFS: dict[int, str] = {HpkeKdf.HKDF_SHA256: "sha256", HpkeKdf.HKDF_SHA384: "sha384"}
_AEADS: dict[int, tuple[Callable[[bytes], Aead], int]] = {  # the AEAD and the length of its key in bytes
    HpkeAead.AES_128_GCM: (AESGCM, 16),
    HpkeAead.AES_256_GCM: (AESGCM, 32),
    HpkeAead.CHACHA20_POLY1305: (ChaCha20Poly1305, 32),
}
SUITES = tuple(Suite(kdf, aead) for kdf in _KDFS for aead in _AEADS)


# --- key encapsulation (section 4.1) --------------------------------------------------------------


class X25519Kem:
    """DHKEM(X25519, HKDF-SHA256): public keys and `enc` have 32 bytes."""

    id = HpkeKem.DHKEM_X25519_HKDF_SHA256
    public_length = 32

    def generate(self) -> PrivateKey:
        return x25519.X25519PrivateKey.generate()

    def load(self, private_key: bytes) -> PrivateKey:
        """A private key of 32 bytes."""
        return x25519.X25519PrivateKey.from_private_bytes(private_key)

    def public(self, private_key: PrivateKey) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def exchange(self, private_key: PrivateKey, public_key: bytes) -> bytes:
        """The Diffie-Hellman secret; ValueError for a public key that is none, or one of small order."""
        if not isinstance(private_key, x25519.X25519PrivateKey):
            raise ValueError("not a private key of X25519")
        return private_key.exchange(x25519.X25519PublicKey.from_public_bytes(public_key))


class P256Kem:
    """DHKEM(P-256, HKDF-SHA256): public keys and `enc` are uncompressed points of 65 bytes."""

    id = HpkeKem.DHKEM_P256_HKDF_SHA256
    public_length = 65

    def generate(self) -> PrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    def load(self, private_key: bytes) -> PrivateKey:
        """A private key of 32 bytes."""
        return ec.derive_private_key(int.from_bytes(private_key, "big"), ec.SECP256R1())

    def public(self, private_key: PrivateKey) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return private_key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, private_key: PrivateKey, public_key: bytes) -> bytes:
        """The Diffie-Hellman secret; ValueError for a public key that is no point on the curve."""
        if not isinstance(private_key, ec.EllipticCurvePrivateKey):
            raise ValueError("not a private key of P-256")
        if len(public_key) != self.public_length or public_key[0] != 4:
            raise ValueError("not an uncompressed point")
        return private_key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_key))


Kem = X25519Kem | P256Kem
KEMS: dict[int, Kem] = {X25519Kem.id: X25519Kem(), P256Kem.id: P256Kem()}


def kem_of(private_key: object) -> Kem | None:
    """The KEM that a private key of pyca is for, if there is one."""
    if isinstance(private_key, x25519.X25519PrivateKey):
        return KEMS[X25519Kem.id]
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and isinstance(private_key.curve, ec.SECP256R1):
        return KEMS[P256Kem.id]
    return None


class _Labeled:
    """HKDF whose every use is bound to HPKE and to the algorithms in use (section 4)."""

    __slots__ = ("_hash", "_suite_id")

    def __init__(self, hash_: HashFunction, suite_id: bytes) -> None:
        self._hash = hash_
        self._suite_id = b"HPKE-v1" + suite_id

    def extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        return self._hash.extract(salt, self._suite_id + label + ikm)

    def expand(self, secret: bytes, label: bytes, info: bytes, length: int) -> bytes:
        return self._hash.expand(secret, u16(length) + self._suite_id + label + info, length)


def _shared_secret(kem: Kem, private_key: PrivateKey, public_key: bytes, enc: bytes, recipient: bytes) -> bytes:
    """What both sides get from their private and the other's public key: 32 bytes, bound to both public ones."""
    try:
        secret = kem.exchange(private_key, public_key)
    except ValueError as problem:
        raise HpkeError(f"not a valid public key: {problem}") from problem
    labeled = _Labeled(hash_function("sha256"), b"KEM" + u16(kem.id))
    return labeled.expand(labeled.extract(b"", b"eae_prk", secret), b"shared_secret", enc + recipient, 32)


# --- encryption (sections 5.1 and 5.2) ------------------------------------------------------------


@dataclass(slots=True)
class Context:
    """The keys of one sender and one receiver. `shared_secret` is the KEM's, for key logs only."""

    enc: bytes
    shared_secret: bytes = field(repr=False)
    _aead: Aead = field(repr=False)
    _base_nonce: int = field(repr=False)
    _sequence: int = 0

    def seal(self, aad: bytes, plaintext: bytes) -> bytes:
        """The next message; 16 bytes longer than the plaintext."""
        ciphertext = self._aead.encrypt(self._nonce(), plaintext, aad)
        self._sequence += 1
        return ciphertext

    def open(self, aad: bytes, ciphertext: bytes) -> bytes:
        """The next message; HpkeError, and the same message is awaited still, if it is not genuine."""
        if len(ciphertext) < TAG_LENGTH:
            raise HpkeError("the ciphertext is too short")
        try:
            plaintext = self._aead.decrypt(self._nonce(), ciphertext, aad)
        except InvalidTag:
            raise HpkeError("the ciphertext was not made for this key and associated data") from None
        self._sequence += 1
        return plaintext

    def _nonce(self) -> bytes:
        return (self._base_nonce ^ self._sequence).to_bytes(NONCE_LENGTH, "big")


def seal_to(kem: Kem, suite: Suite, public_key: bytes, info: bytes, ephemeral: PrivateKey | None = None) -> Context:
    """SetupBaseS; HpkeError for an invalid public key. `ephemeral` is for tests: it must not be used twice."""
    private_key = ephemeral if ephemeral is not None else kem.generate()
    enc = kem.public(private_key)
    return _key_schedule(kem, suite, enc, _shared_secret(kem, private_key, public_key, enc, public_key), info)


def open_with(kem: Kem, suite: Suite, private_key: PrivateKey, enc: bytes, info: bytes) -> Context:
    """SetupBaseR; HpkeError for an `enc` that is no valid public key."""
    secret = _shared_secret(kem, private_key, enc, enc, kem.public(private_key))
    return _key_schedule(kem, suite, enc, secret, info)


def _key_schedule(kem: Kem, suite: Suite, enc: bytes, shared_secret: bytes, info: bytes) -> Context:
    aead, key_length = _AEADS[suite.aead_id]
    suite_id = b"HPKE" + u16(kem.id) + u16(suite.kdf_id) + u16(suite.aead_id)
    labeled = _Labeled(hash_function(_KDFS[suite.kdf_id]), suite_id)
    context = _MODE_BASE + labeled.extract(b"", b"psk_id_hash", b"") + labeled.extract(b"", b"info_hash", info)
    secret = labeled.extract(shared_secret, b"secret", b"")
    key = labeled.expand(secret, b"key", context, key_length)
    base_nonce = labeled.expand(secret, b"base_nonce", context, NONCE_LENGTH)
    return Context(enc, shared_secret, aead(key), int.from_bytes(base_nonce, "big"))

"""Cipher suites: which AEAD protects the records and which hash runs the key schedule.

TLS 1.3 suites name only these two (RFC 9846 appendix B.4). TLS 1.2 suites also name the key exchange
and the kind of certificate (RFC 5289, RFC 7905); only those with an AEAD are here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from ...registry import CipherSuite
from .hkdf import HashFunction, hash_function

TAG_LENGTH = 16  # bytes, for every AEAD here


Buffer = bytes | bytearray | memoryview


class Aead(Protocol):
    """What a record needs of pyca's AEAD classes."""

    def encrypt(self, nonce: bytes, data: Buffer, associated_data: Buffer | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: Buffer, associated_data: Buffer | None) -> bytes: ...

    def encrypt_into(self, nonce: bytes, data: Buffer, associated_data: Buffer | None, buf: Buffer) -> int: ...

    def decrypt_into(self, nonce: bytes, data: Buffer, associated_data: Buffer | None, buf: Buffer) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """One cipher suite. `record_limit` is how many records one key may protect (RFC 9846 section 5.5)."""

    id: CipherSuite
    aead: Callable[[bytes], Aead]
    key_length: int  # bytes
    hash: HashFunction  # of the key schedule and of the transcript
    record_limit: int

    @property
    def hash_name(self) -> str:
        return self.hash.name


@dataclass(frozen=True, slots=True, eq=False)
class Suite12(Suite):
    """A TLS 1.2 suite: also how keys are exchanged, how the server signs, and how nonces are made."""

    ephemeral: bool  # ECDHE, or else RSA key transport
    signature: str  # "ecdsa" or "rsa"
    fixed_iv_length: int  # bytes of the nonce that come from the key block
    explicit_nonce_length: int  # bytes of the nonce that travel with each record


# 2^24.5 full-size records keep AES-GCM's confidentiality bound (RFC 9846 section 5.5).
_GCM_LIMIT = 23_726_566
# ChaCha20-Poly1305 is limited by the sequence number only.
_CHACHA_LIMIT = (1 << 64) - 1

SHA256, SHA384 = hash_function("sha256"), hash_function("sha384")

SUITES_13: dict[int, Suite] = {
    suite.id: suite
    for suite in (
        Suite(CipherSuite.TLS_AES_128_GCM_SHA256, AESGCM, 16, SHA256, _GCM_LIMIT),
        Suite(CipherSuite.TLS_AES_256_GCM_SHA384, AESGCM, 32, SHA384, _GCM_LIMIT),
        Suite(CipherSuite.TLS_CHACHA20_POLY1305_SHA256, ChaCha20Poly1305, 32, SHA256, _CHACHA_LIMIT),
    )
}


def _gcm(suite: CipherSuite, key_length: int, hash_: HashFunction, ephemeral: bool, signature: str) -> Suite12:
    return Suite12(suite, AESGCM, key_length, hash_, _GCM_LIMIT, ephemeral, signature, 4, 8)


def _chacha(suite: CipherSuite, signature: str) -> Suite12:
    return Suite12(suite, ChaCha20Poly1305, 32, SHA256, _CHACHA_LIMIT, True, signature, 12, 0)


SUITES_12: dict[int, Suite12] = {
    suite.id: suite
    for suite in (
        _gcm(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 16, SHA256, True, "ecdsa"),
        _gcm(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 32, SHA384, True, "ecdsa"),
        _gcm(CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 16, SHA256, True, "rsa"),
        _gcm(CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, 32, SHA384, True, "rsa"),
        _chacha(CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ecdsa"),
        _chacha(CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "rsa"),
        _gcm(CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256, 16, SHA256, False, "rsa"),
        _gcm(CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384, 32, SHA384, False, "rsa"),
    )
}

"""Secrets and keys of TLS 1.2 (RFC 5246 sections 5, 6.3 and 8, RFC 7627).

    premaster secret --PRF--> main secret (48 bytes) --PRF--> key block: what protects the records
                                             |------PRF--> verify_data of Finished

The "master secret" of RFC 5246 is called main secret here, as RFC 9846 does.
"""

from __future__ import annotations

from .hkdf import HashFunction
from .suites import Suite12

MAIN_SECRET_LENGTH = 48  # bytes
VERIFY_DATA_LENGTH = 12  # bytes


def prf(hash_: HashFunction, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """PRF(secret, label, seed): P_hash until there are `length` bytes (RFC 5246 section 5)."""
    seed = label + seed
    block, output = seed, b""
    while len(output) < length:
        block = hash_.hmac(secret, block)
        output += hash_.hmac(secret, block + seed)
    return output[:length]


def extended_main_secret(hash_: HashFunction, premaster: bytes, session_hash: bytes) -> bytes:
    """Bound to the whole handshake up to ClientKeyExchange (RFC 7627 section 4)."""
    return prf(hash_, premaster, b"extended master secret", session_hash, MAIN_SECRET_LENGTH)


def main_secret(hash_: HashFunction, premaster: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """Bound to the two randoms only; for peers without RFC 7627 (RFC 5246 section 8.1)."""
    return prf(hash_, premaster, b"master secret", client_random + server_random, MAIN_SECRET_LENGTH)


class KeyBlock:
    """What both directions' records are protected with (RFC 5246 section 6.3)."""

    __slots__ = ("client_iv", "client_key", "server_iv", "server_key")

    def __init__(self, suite: Suite12, hash_: HashFunction, secret: bytes, client_random: bytes, server_random: bytes):
        key, iv = suite.key_length, suite.fixed_iv_length
        block = prf(hash_, secret, b"key expansion", server_random + client_random, 2 * (key + iv))
        self.client_key, self.server_key = block[:key], block[key : 2 * key]
        self.client_iv, self.server_iv = block[2 * key : 2 * key + iv], block[2 * key + iv :]


def verify_data(hash_: HashFunction, secret: bytes, label: bytes, transcript_hash: bytes) -> bytes:
    """What Finished says; `label` is `client finished` or `server finished` (RFC 5246 section 7.4.9)."""
    return prf(hash_, secret, label, transcript_hash, VERIFY_DATA_LENGTH)


def export12(
    hash_: HashFunction,
    secret: bytes,
    client_random: bytes,
    server_random: bytes,
    label: bytes,
    context: bytes | None,
    length: int,
) -> bytes:
    """Keying material exporter; no context and an empty one differ (RFC 5705 section 4)."""
    if length < 0:
        raise ValueError(f"{length} bytes were asked for")
    seed = client_random + server_random
    if context is not None:
        seed += len(context).to_bytes(2, "big") + context
    return prf(hash_, secret, label, seed, length)

"""Reads recorded traffic with nothing but a key log (RFC 9850), as an analyser would, without our engine."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

SUITES = {0x1301: (AESGCM, 16, "sha256"), 0x1302: (AESGCM, 32, "sha384"), 0x1303: (ChaCha20Poly1305, 32, "sha256")}


def expand_label(secret: bytes, label: str, length: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label with an empty context; every output here fits in one block."""
    full = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0\1"
    assert length <= hashlib.new(hash_name).digest_size
    return hmac.new(secret, info, hash_name).digest()[:length]


def records(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Header and body of each record."""
    while stream:
        end = 5 + int.from_bytes(stream[3:5], "big")
        yield stream[:5], stream[5:end]
        stream = stream[end:]


class Direction:
    """What one side sent: tries the logged secrets in their order, and the ones that KeyUpdates lead to."""

    def __init__(self, suite: int, secrets: list[bytes]) -> None:
        self.aead, self.key_length, self.hash_name = SUITES[suite]
        self.secrets = secrets
        self.install(0)

    def install(self, index: int) -> None:
        self.index = index
        secret = self.secrets[index]
        self.key = self.aead(expand_label(secret, "key", self.key_length, self.hash_name))
        self.iv = int.from_bytes(expand_label(secret, "iv", 12, self.hash_name), "big")
        self.sequence = 0

    def open(self, header: bytes, body: bytes) -> bytes:
        while True:
            nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
            try:
                inner = self.key.decrypt(nonce, body, header)
            except InvalidTag:
                if self.index + 1 == len(self.secrets):
                    last = self.secrets[-1]
                    self.secrets.append(expand_label(last, "traffic upd", len(last), self.hash_name))
                    assert len(self.secrets) < 10, "no key opens this record"
                self.install(self.index + 1)
            else:
                self.sequence += 1
                return inner.rstrip(b"\0")

    def read(self, stream: bytes) -> list[tuple[int, bytes]]:
        """Content type and content of every record."""
        found = []
        for header, body in records(stream):
            if header[0] == 23:
                inner = self.open(header, body)
                found.append((inner[-1], inner[:-1]))
            else:
                found.append((header[0], body))
        return found

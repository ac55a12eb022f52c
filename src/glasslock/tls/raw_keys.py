"""Raw public keys in place of certificates (RFC 7250): no names, no dates, nobody who vouches; one knows the key."""

from __future__ import annotations

import hashlib
from typing import Protocol

from ..errors import CertificateRefused, ConfigurationError
from ..registry import AlertDescription


class RawKeyVerifier(Protocol):
    """Whoever knows which keys are good, and for whom."""

    def verify_raw_key(self, key: bytes, server_name: str | None) -> None:
        """Returns None if `key` (a DER SubjectPublicKeyInfo) is good; raises CertificateRefused otherwise."""
        ...


class PinnedRawKeys:
    """Accepts the keys with these SHA-256 hashes of their SubjectPublicKeyInfo (32 bytes each), and no other."""

    def __init__(self, *hashes: bytes) -> None:
        if not hashes or any(len(pin) != 32 for pin in hashes):
            raise ConfigurationError("a pinned key is the SHA-256 hash of its SubjectPublicKeyInfo, 32 bytes")
        self._hashes = frozenset(hashes)

    def verify_raw_key(self, key: bytes, server_name: str | None) -> None:  # noqa: ARG002 (the keys are good for any)
        if hashlib.sha256(key).digest() not in self._hashes:
            raise CertificateRefused(
                AlertDescription.CERTIFICATE_UNKNOWN,
                "unknown-raw-key",
                "the peer shows a raw public key that is not one of those that are known",
                "RFC 7250 section 6",
            )

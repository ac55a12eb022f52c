"""The public key that the peer has to prove it holds: of its certificate, or the key as it is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, CertificateType
from ..credentials import unreadable_certificate
from ..keys.signatures import key_kind
from ..wire.codec import decode_error
from .context import illegal


class PeerKey:
    """The public key of the peer's leaf certificate, with its kind."""

    __slots__ = ("key", "kind")

    def __init__(self, leaf: bytes, usage: str = "digital_signature") -> None:
        """`usage` is the KeyUsage bit that the handshake needs, if the certificate has that extension."""
        self.key, self.kind, allowed = _read(leaf)
        if not self.kind:
            raise unsupported_key()
        if allowed is not None and not getattr(allowed, usage):
            raise illegal(
                "key-usage",
                f"the peer's certificate does not allow its key to be used so ({usage})",
                "RFC 9846 section 4.5.1.2",
            )


@lru_cache(maxsize=256)
def _read(leaf: bytes) -> tuple[Any, str, Any]:
    """Public key, its kind and the KeyUsage extension, or None.

    Remembered, for most peers are met again, and this takes longer than all the rest of a message; nothing is
    believed for it: what is remembered depends on the bytes alone.
    """
    from ...certificates import decode_certificate

    try:
        certificate = decode_certificate(leaf)
        key = certificate.public_key()
        kind = key_kind(key)
        if kind == "rsa":  # or RSASSA-PSS, which the key alone does not tell
            kind = key_kind(key, certificate.public_key_algorithm_oid.dotted_string)
        return key, kind, _key_usage(certificate)
    except unreadable_certificate() as problem:
        raise PeerMisbehaved(
            AlertDescription.BAD_CERTIFICATE,
            "unreadable-certificate",
            f"the peer's certificate cannot be read: {problem}",
            "RFC 5280 section 4.1",
        ) from problem


class RawPeerKey:
    """The peer's public key, which is all that it shows of itself (RFC 7250)."""

    __slots__ = ("key", "kind")

    def __init__(self, spki: bytes) -> None:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            self.key: Any = load_der_public_key(spki)
        except (ValueError, UnsupportedAlgorithm) as problem:
            raise decode_error(
                f"the peer's raw public key cannot be read: {problem}", "RFC 7250 section 3"
            ) from problem
        self.kind = key_kind(self.key)
        if not self.kind:
            raise unsupported_key()


def peer_key(leaf: bytes, certificate_type: int, usage: str = "digital_signature") -> PeerKey | RawPeerKey:
    """The key that the peer has to prove."""
    return RawPeerKey(leaf) if certificate_type == CertificateType.RAW_PUBLIC_KEY else PeerKey(leaf, usage)


def unsupported_key() -> PeerMisbehaved:
    return PeerMisbehaved(
        AlertDescription.UNSUPPORTED_CERTIFICATE,
        "unsupported-key",
        "the peer's certificate has a key of a kind that TLS has no signature scheme for",
        "RFC 9846 section 4.5.1.2",
    )


def _key_usage(certificate: Any) -> Any:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None

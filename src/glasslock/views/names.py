"""Names as people write them: TLS 1.3, X25519MLKEM768, AES-128-GCM; and certificates in a few words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509

from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme, name_of

if TYPE_CHECKING:
    from enum import IntEnum

_GROUPS = {
    "x25519": "X25519",
    "x448": "X448",
    "x25519mlkem768": "X25519MLKEM768",
    "secp256r1mlkem768": "SecP256r1MLKEM768",
    "secp384r1mlkem1024": "SecP384r1MLKEM1024",
}
_PROTOCOLS = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1", "h3": "HTTP/3"}
POST_QUANTUM = frozenset({NamedGroup.X25519MLKEM768, NamedGroup.SECP256R1MLKEM768, NamedGroup.SECP384R1MLKEM1024})


def pretty(name: str) -> str:
    """Turn a registry name (`tls_1_3`, `tls_aes_128_gcm_sha256`, `x25519`) into the usual spelling."""
    name = name.partition(" (")[0]  # the dissector adds the number
    if name.startswith(("tls_1_", "ssl_")):
        return name.upper().replace("_", " ", 1).replace("_", ".")
    if name.startswith("tls_"):
        return name.upper()
    return _GROUPS.get(name, name)


def version(number: int) -> str:
    return pretty(name_of(ProtocolVersion, number))


def suite(number: int) -> str:
    return pretty(name_of(CipherSuite, number))


def cipher(number: int) -> str:
    """Name what encrypts, without the rest of the suite: AES-128-GCM."""
    return cipher_of(suite(number))


def cipher_of(name: str) -> str:
    """Shorten the name of a suite to what encrypts."""
    name = name.removeprefix("TLS_").rpartition("_WITH_")[2]
    if "_SHA" not in name:
        return name
    return name.rpartition("_SHA")[0].replace("_", "-").replace("CHACHA20", "ChaCha20").replace("POLY", "Poly")


def group(number: int) -> str:
    return pretty(name_of(NamedGroup, number))


def scheme(number: int) -> str:
    return name_of(SignatureScheme, number)


def protocol(alpn: str) -> str:
    return _PROTOCOLS.get(alpn, alpn)


def code(kind: type[IntEnum], number: int) -> str:
    return name_of(kind, number)


@dataclass(frozen=True, slots=True)
class Card:
    """A certificate in a few words."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    key: str
    self_issued: bool


def card(der: bytes) -> Card:
    """Read what a person wants to know of a certificate; says so where it cannot be read."""
    try:
        cert = x509.load_der_x509_certificate(der)
        names = _names(cert)
        return Card(
            # Today's server certificates have no subject: their names are in the extension (BR 7.1.4.3).
            subject=_short(cert.subject) or (names[0] if names else "(no subject)"),
            issuer=_short(cert.issuer) or "(no issuer)",
            names=names,
            start=cert.not_valid_before_utc,
            end=cert.not_valid_after_utc,
            key=_key(cert),
            self_issued=cert.subject == cert.issuer,
        )
    except Exception:  # noqa: BLE001 - a peer's bytes: whatever the parser raises, the view goes on
        return Card("(not readable as a certificate)", "", (), None, None, "", self_issued=False)


def _short(name: x509.Name) -> str:
    """The common name if there is one, else the whole."""
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _names(cert: x509.Certificate) -> tuple[str, ...]:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress))


def _key(cert: x509.Certificate) -> str:
    try:
        key = cert.public_key()
    except Exception:  # noqa: BLE001 - a key type that the library does not know
        return cert.public_key_algorithm_oid.dotted_string
    kind = type(key).__name__.removesuffix("PublicKey")
    if (curve := getattr(key, "curve", None)) is not None:
        return f"ECDSA {curve.name}"
    return f"{kind} {key.key_size}" if hasattr(key, "key_size") else kind


def day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")


def days_left(end: datetime, now: float) -> str:
    """Say how long a certificate is still good at `now` (seconds since the epoch), or how long it is not."""
    left = end - datetime.fromtimestamp(now, UTC)
    days = left.days
    if days < 0:
        return f"expired {(-left).days} day{'' if (-left).days == 1 else 's'} ago"
    if days >= 3 * 365:
        return f"{days // 365} years left"
    return f"{days} day{'' if days == 1 else 's'} left"

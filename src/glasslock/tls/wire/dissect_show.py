"""Values in words: code points by name, and summaries of what is itself a format (certificates, OCSP, SCTs).

The bytes are a peer's, so every function here answers for any input, if only with "cannot be parsed".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from glasslock.registry import name_of

if TYPE_CHECKING:
    from enum import IntEnum

    from cryptography import x509

    from .dissect_parts import ShowNumber

TIME = "%Y-%m-%d %H:%M:%S UTC"


def code(kind: type[IntEnum]) -> ShowNumber:
    """Show a code point as `name (0x1301)`, those of one byte as `name (11)`."""

    def show(number: int) -> str:
        name = name_of(kind, number)
        if name.startswith("0x"):
            return f"unknown ({name})"
        wide = max(kind) > 0xFF or name == "grease"
        return f"{name} (0x{number:04x})" if wide else f"{name} ({number})"

    return show


def word(names: dict[int, str], width: int = 0) -> ShowNumber:
    """Show a number of a small registry that only the dissector needs (`width` in hex digits; 0: decimal)."""

    def show(number: int) -> str:
        digits = f"0x{number:0{width}x}" if width else str(number)
        return f"{names.get(number, 'unknown')} ({digits})"

    return show


def hexadecimal_number(width: int) -> ShowNumber:
    return lambda number: f"0x{number:0{width}x}"


def seconds(number: int) -> str:
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if number >= size and number % size == 0:
            count = number // size
            return f"{number} seconds ({count} {unit}{'s' if count > 1 else ''})"
    return f"{number} seconds"


def text(data: bytes) -> str:
    """Show a name or a protocol: letters where they are letters, \\x.. where not."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in data)


def zeros(data: bytes) -> str:
    return f"{len(data)} zero bytes" if not any(data) else data.hex()


def sct_time(number: int) -> str:
    """Show milliseconds since the Unix epoch (RFC 6962 section 3.2)."""
    try:
        return datetime.fromtimestamp(number / 1000, UTC).strftime(TIME)
    except (ValueError, OverflowError, OSError):
        return f"{number} milliseconds since 1970"


def distinguished_name(der: bytes) -> str:
    from cryptography import x509

    try:
        return x509.Name.from_bytes(der).rfc4514_string()
    except Exception:  # noqa: BLE001 - hostile DER: whatever the parser raises, the view goes on
        return f"cannot be parsed as a name: {der.hex()}"


def certificate(der: bytes) -> str:
    """Sum up a certificate on one line: for whom, by whom, for which names, from when to when, which key."""
    from cryptography import x509

    try:
        cert = x509.load_der_x509_certificate(der)
        subject = cert.subject.rfc4514_string() or "(no subject)"
        issuer = cert.issuer.rfc4514_string() or "(no issuer)"
        names = subject_alternative_names(cert)
        start = cert.not_valid_before_utc.strftime("%Y-%m-%d")
        end = cert.not_valid_after_utc.strftime("%Y-%m-%d")
        key = public_key(cert)
    except Exception:  # noqa: BLE001 - hostile DER: whatever the parser raises, the view goes on
        return f"cannot be parsed as an X.509 certificate: {der.hex()}"
    return "; ".join(
        [
            subject,
            "self-signed" if cert.subject == cert.issuer else f"issued by {issuer}",
            *([f"names {', '.join(names)}"] if names else []),
            f"valid {start} to {end}",
            key,
        ]
    )


def subject_alternative_names(cert: x509.Certificate) -> list[str]:
    """List the DNS names and addresses of a certificate; raises what the parser raises."""
    from cryptography import x509

    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]


def public_key(cert: x509.Certificate) -> str:
    """Name the kind and size of a certificate's key."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = cert.public_key()
    except Exception:  # noqa: BLE001 - a key type that the library does not know
        return f"key of type {cert.public_key_algorithm_oid.dotted_string}"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA key of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA key on {key.curve.name}"
    return f"{type(key).__name__.removesuffix('PublicKey')} key"


def ocsp_response(der: bytes) -> str:
    """Sum up a stapled OCSP response: what the certificate's issuer says, and when it said so."""
    from cryptography.x509 import ocsp

    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return f"the responder gave no status: {response.response_status.name.lower()}"
        status = response.certificate_status.name.lower()
        said = response.this_update_utc.strftime(TIME)
        until = response.next_update_utc
    except Exception:  # noqa: BLE001 - hostile DER: whatever the parser raises, the view goes on
        return f"cannot be parsed as an OCSP response: {der.hex()}"
    return f"{status}, as of {said}" + (f", good until {until.strftime(TIME)}" if until else "")

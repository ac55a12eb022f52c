"""One certificate, decoded once, with what the checks ask of it.

`cryptography` parses a peer's bytes in here, so that whatever a hostile certificate does to the parser arrives as one
exception, `UnreadableCertificate`. Warnings about odd certificates stay off the user's terminal.
"""

from __future__ import annotations

import datetime as dt
import warnings
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from glasslock.certificates import decode_certificate
from glasslock.errors import GlasslockError

from . import der
from .text import printable

# Zero serials, odd country codes and the like are ours to report, as checks. The filter holds for this package alone.
warnings.filterwarnings("ignore", module=r"glasslock\.trust\.")

E = TypeVar("E", bound=x509.ExtensionType)


class UnreadableCertificate(GlasslockError, ValueError):
    """The bytes are not a certificate that can be decoded, extensions included."""


@lru_cache(maxsize=256)
def load(data: bytes) -> x509.Certificate:
    """Decode one DER certificate and all its extensions. UnreadableCertificate if that is not possible."""
    try:
        certificate = decode_certificate(data)
        _ = certificate.extensions
    except Exception as error:
        reason = printable(str(error) or type(error).__name__)
        raise UnreadableCertificate(f"this is not a readable certificate: {reason}") from error
    return certificate


@dataclass(frozen=True, eq=False)
class ParsedCertificate:
    """A decoded certificate. Two are equal when their bytes are. Without slots, so that a name is read once."""

    encoded: bytes = field(repr=False)
    certificate: x509.Certificate
    fields: der.CertificateFields = field(repr=False)
    not_before: dt.datetime
    not_after: dt.datetime

    @staticmethod
    @lru_cache(maxsize=256)
    def from_x509(certificate: x509.Certificate) -> ParsedCertificate:
        """Take apart what `load` has decoded, and remember it likewise. UnreadableCertificate if it is not possible."""
        data = certificate.public_bytes(Encoding.DER)
        try:
            return ParsedCertificate(
                data,
                certificate,
                der.certificate_fields(data),
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            )
        except ValueError as error:
            raise UnreadableCertificate(f"this is not a readable certificate: {error}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParsedCertificate) and self.encoded == other.encoded

    def __hash__(self) -> int:
        return hash(self.encoded)

    @property
    def subject(self) -> str:
        """The whole subject as a person reads it, e.g. `CN=example.com`."""
        return _name_text(self.certificate, "subject")

    @property
    def issuer(self) -> str:
        """The whole issuer as a person reads it."""
        return _name_text(self.certificate, "issuer")

    @cached_property
    def title(self) -> str:
        """The shortest text that names this certificate: common name, organisation or first name it is for."""
        return _title(self.certificate, "subject") or next(iter(self.dns_names), "") or self.subject

    @cached_property
    def issuer_title(self) -> str:
        """The shortest text that names the issuer."""
        return _title(self.certificate, "issuer") or self.issuer

    @cached_property
    def serial(self) -> int:
        return int.from_bytes(self.fields.serial, "big", signed=True)

    @cached_property
    def self_issued(self) -> bool:
        """Whether issuer and subject are the same name (RFC 5280 section 6.1); says nothing of the key."""
        return self.fields.issuer == self.fields.subject

    @cached_property
    def identity(self) -> tuple[bytes, bytes, bytes]:
        """Name and key: what two certificates of one CA have in common."""
        return self.fields.subject, self.fields.key_algorithm, self.fields.public_key

    @cached_property
    def names(self) -> tuple[x509.GeneralName, ...]:
        """The subject alternative names, all types."""
        found = self.find(x509.SubjectAlternativeName)
        return tuple(found.value) if found else ()

    @property
    def dns_names(self) -> list[str]:
        return [printable(name.value) for name in self.names if isinstance(name, x509.DNSName)]

    @cached_property
    def critical(self) -> tuple[x509.ObjectIdentifier, ...]:
        """Which of its extensions are marked critical."""
        return tuple(extension.oid for extension in self.certificate.extensions if extension.critical)

    def find(self, kind: type[E]) -> x509.Extension[E] | None:
        """Look up the extension of this type, if the certificate has it."""
        found: x509.Extension[E] | None = self._extensions.get(kind.oid)
        return found

    @cached_property
    def _extensions(self) -> dict[x509.ObjectIdentifier, x509.Extension[Any]]:
        return {extension.oid: extension for extension in self.certificate.extensions}

    @cached_property
    def key_identifier(self) -> bytes | None:
        """The subject key identifier."""
        found = self.find(x509.SubjectKeyIdentifier)
        return found.value.digest if found else None

    @cached_property
    def authority_key_identifier(self) -> bytes | None:
        """The issuer's key identifier, as this certificate gives it."""
        found = self.find(x509.AuthorityKeyIdentifier)
        return found.value.key_identifier if found else None

    @property
    def issuer_urls(self) -> list[str]:
        """Where the issuer's certificate can be fetched, by authority information access."""
        return self._access_urls(AuthorityInformationAccessOID.CA_ISSUERS)

    @property
    def responder_urls(self) -> list[str]:
        """Where an OCSP responder can be asked, by authority information access."""
        return self._access_urls(AuthorityInformationAccessOID.OCSP)

    def _access_urls(self, method: x509.ObjectIdentifier) -> list[str]:
        found = self.find(x509.AuthorityInformationAccess)
        return [
            printable(entry.access_location.value)
            for entry in (found.value if found else ())
            if entry.access_method == method and isinstance(entry.access_location, x509.UniformResourceIdentifier)
        ]

    @property
    def organization(self) -> str:
        """The subject's organisation, empty if it has none."""
        return _attribute(self.certificate, "subject", NameOID.ORGANIZATION_NAME)

    @property
    def issuer_organization(self) -> str:
        """The issuer's organisation, empty if it has none."""
        return _attribute(self.certificate, "issuer", NameOID.ORGANIZATION_NAME)

    def public_key(self) -> CertificatePublicKeyTypes:
        """Decode the public key. ValueError or UnsupportedAlgorithm if that is not possible."""
        return self.certificate.public_key()

    def signed_by(self, issuer: ParsedCertificate) -> bool | None:
        """Whether the issuer's key made this certificate's signature; None if that cannot be computed."""
        try:
            self.certificate.verify_directly_issued_by(issuer.certificate)
        except InvalidSignature:
            return False
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return None
        return True


def find_extension(certificate: x509.Certificate, kind: type[E]) -> x509.Extension[E] | None:
    """Look up the extension of this type, if the certificate has it."""
    oid = kind.oid
    for extension in certificate.extensions:
        if extension.oid == oid:
            return cast("x509.Extension[E]", extension)
    return None


def must_staple(leaf: x509.Certificate) -> bool:
    """Whether the certificate promises a stapled response (RFC 7633)."""
    found = find_extension(leaf, x509.TLSFeature)
    return found is not None and x509.TLSFeatureType.status_request in found.value


def describe_key(certificate: x509.Certificate) -> tuple[str, int | None]:
    """Name the key's algorithm (`RSA`, `ECDSA secp256r1`, `Ed25519`…) and an RSA key's size in bits.

    ValueError or UnsupportedAlgorithm if the key cannot be decoded.
    """
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {key.curve.name}", None
    return type(key).__name__.removesuffix("PublicKey"), None


def _names_of(certificate: x509.Certificate, which: str) -> x509.Name | None:
    try:
        return certificate.subject if which == "subject" else certificate.issuer
    except Exception:  # noqa: BLE001 - a name that cannot be decoded is shown as such, whatever the reason
        return None


def _name_text(certificate: x509.Certificate, which: str) -> str:
    name = _names_of(certificate, which)
    if name is None:
        return "(unreadable name)"
    return printable(name.rfc4514_string()) or "(empty name)"


def _attribute(certificate: x509.Certificate, which: str, oid: x509.ObjectIdentifier) -> str:
    name = _names_of(certificate, which)
    for attribute in name.get_attributes_for_oid(oid) if name is not None else ():
        value = attribute.value
        return printable(value if isinstance(value, str) else value.hex())
    return ""


def _title(certificate: x509.Certificate, which: str) -> str:
    return _attribute(certificate, which, NameOID.COMMON_NAME) or _attribute(
        certificate, which, NameOID.ORGANIZATION_NAME
    )

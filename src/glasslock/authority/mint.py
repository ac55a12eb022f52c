"""The one place that puts certificates together.

    Certificate  ::=  SEQUENCE  {                        -- RFC 5280 section 4.1
         tbsCertificate       TBSCertificate,
         signatureAlgorithm   AlgorithmIdentifier,
         signatureValue       BIT STRING  }

Every field can be set, to right values and to wrong ones: the authority mints only what its profiles say,
and a lab mints what must be refused, with the same code. Extensions and names are pyca's objects; a field
given as bytes is taken as the DER it should be.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from . import der
from .keys import SIGNATURE_ALGORITHMS, PrivateKey, PublicKey, default_algorithm, public_der

AnyExtension = x509.Extension[x509.ExtensionType]


def extension(value: x509.ExtensionType, *, critical: bool = False) -> AnyExtension:
    """Wrap an extension's value."""
    return x509.Extension(value.oid, critical, value)


def raw_extension(oid: str, value: bytes, *, critical: bool = False) -> AnyExtension:
    """Return an extension of any OID and content, known to this world or not."""
    identifier = x509.ObjectIdentifier(oid)
    return x509.Extension(identifier, critical, x509.UnrecognizedExtension(identifier, value))


def mint(
    *,
    subject: x509.Name | bytes,
    issuer: x509.Name | bytes,
    public_key: PublicKey | bytes,
    signer: PrivateKey,
    serial: int,
    not_before: datetime,
    not_after: datetime,
    extensions: Iterable[AnyExtension] = (),
    version: int = 3,
    algorithm: str = "",
    inner_algorithm: str = "",
    signature: bytes | None = None,
) -> bytes:
    """Put a certificate together, sign it and return its DER. Nothing is checked: that is the caller's part.

    `algorithm` is a name of SIGNATURE_ALGORITHMS, by default the one that suits the signer; `inner_algorithm`
    is what the signed part claims, by default the same (RFC 5280 section 4.1.1.2 demands it). `signature`
    replaces the true one. Times must have a time zone. Raises KeyError for an unknown algorithm.
    """
    outer = SIGNATURE_ALGORITHMS[algorithm or default_algorithm(signer)]
    inner = SIGNATURE_ALGORITHMS[inner_algorithm] if inner_algorithm else outer
    to_be_signed = der.sequence(
        der.explicit(0, der.integer(version - 1)) if version != 1 else b"",  # v1 is the default: not encoded
        der.integer(serial),
        inner.identifier,
        _name(issuer),
        der.sequence(der.time(not_before), der.time(not_after)),
        _name(subject),
        public_key if isinstance(public_key, bytes) else public_der(public_key),
        _extensions(extensions),
    )
    value = outer.sign(signer, to_be_signed) if signature is None else signature
    return der.sequence(to_be_signed, outer.identifier, der.bit_string(value))


def _name(name: x509.Name | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.public_bytes()


def _extensions(extensions: Iterable[AnyExtension]) -> bytes:
    encoded = [
        der.sequence(
            der.object_identifier(extension.oid),
            der.TRUE if extension.critical else b"",  # FALSE is the default: not encoded
            der.octet_string(extension.value.public_bytes()),
        )
        for extension in extensions
    ]
    return der.explicit(3, der.sequence(*encoded)) if encoded else b""

"""Keys: which kinds there are, how they sign, and how they are written down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import ObjectIdentifier

from ..errors import ConfigurationError
from . import der

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey

# The Baseline Requirements (section 6.1.1.3) know RSA from 2048 bits and P-256, P-384, P-521. Browsers do not
# accept Ed25519 in certificates; programs of one's own do.
KEY_TYPES: Mapping[str, Callable[[], PrivateKey]] = MappingProxyType(
    {
        "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
        "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
)


def generate(key_type: str) -> PrivateKey:
    """Make a new key of one of KEY_TYPES; raises ConfigurationError for any other."""
    if key_type not in KEY_TYPES:
        raise ConfigurationError(f"there is no key type {key_type!r}: choose one of {', '.join(KEY_TYPES)}")
    return KEY_TYPES[key_type]()


def private_pem(key: PrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS #8 in PEM: guard the file (mode 0600)."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_private(pem: bytes) -> PrivateKey:
    """Read an unencrypted private key from PEM; raises ValueError if it is none, or cannot sign."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the key is encrypted with a password") from None
    if not isinstance(key, PrivateKey):
        # A bad file, not a bad call.
        raise ValueError(f"a {type(key).__name__} cannot sign certificates")
    return key


def public_der(key: PublicKey) -> bytes:
    """Return the SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7)."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_identifier(key: PublicKey) -> bytes:
    """Return 20 bytes that name a key: the start of its subjectPublicKey's SHA-256 (RFC 7093 method 1)."""
    match key:
        case ec.EllipticCurvePublicKey():
            bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        case rsa.RSAPublicKey():
            bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        case _:
            bits = key.public_bytes_raw()
    return hashlib.sha256(bits).digest()[:20]


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """How to sign, and the AlgorithmIdentifier that says so (RFC 5280 section 4.1.1.2)."""

    identifier: bytes
    sign: Callable[[PrivateKey, bytes], bytes]


def _ecdsa(oid: str, digest: hashes.HashAlgorithm) -> SignatureAlgorithm:
    return SignatureAlgorithm(
        der.sequence(der.object_identifier(ObjectIdentifier(oid))),
        lambda key, data: cast("ec.EllipticCurvePrivateKey", key).sign(data, ec.ECDSA(digest)),
    )


def _rsa(oid: str, digest: hashes.HashAlgorithm) -> SignatureAlgorithm:
    return SignatureAlgorithm(
        der.sequence(der.object_identifier(ObjectIdentifier(oid)), der.NULL),
        lambda key, data: cast("rsa.RSAPrivateKey", key).sign(data, padding.PKCS1v15(), digest),
    )


def _rsa_pss(digest_oid: str, digest: hashes.HashAlgorithm) -> SignatureAlgorithm:
    """Return RSASSA-PSS with MGF1 and a salt as long as the digest, all said in the parameters (RFC 4055)."""
    digest_identifier = der.sequence(der.object_identifier(ObjectIdentifier(digest_oid)), der.NULL)
    mgf1 = der.sequence(der.object_identifier(ObjectIdentifier("1.2.840.113549.1.1.8")), digest_identifier)
    parameters = der.sequence(
        der.explicit(0, digest_identifier),
        der.explicit(1, mgf1),
        der.explicit(2, der.integer(digest.digest_size)),
    )
    return SignatureAlgorithm(
        der.sequence(der.object_identifier(ObjectIdentifier("1.2.840.113549.1.1.10")), parameters),
        lambda key, data: cast("rsa.RSAPrivateKey", key).sign(
            data, padding.PSS(padding.MGF1(digest), digest.digest_size), digest
        ),
    )


def _edwards(oid: str) -> SignatureAlgorithm:
    return SignatureAlgorithm(
        der.sequence(der.object_identifier(ObjectIdentifier(oid))),
        lambda key, data: cast("ed25519.Ed25519PrivateKey", key).sign(data),
    )


SIGNATURE_ALGORITHMS: Mapping[str, SignatureAlgorithm] = MappingProxyType(
    {
        "ecdsa-sha256": _ecdsa("1.2.840.10045.4.3.2", hashes.SHA256()),
        "ecdsa-sha384": _ecdsa("1.2.840.10045.4.3.3", hashes.SHA384()),
        "ecdsa-sha512": _ecdsa("1.2.840.10045.4.3.4", hashes.SHA512()),
        "rsa-sha256": _rsa("1.2.840.113549.1.1.11", hashes.SHA256()),
        "rsa-sha384": _rsa("1.2.840.113549.1.1.12", hashes.SHA384()),
        "rsa-sha512": _rsa("1.2.840.113549.1.1.13", hashes.SHA512()),
        "rsa-pss-sha256": _rsa_pss("2.16.840.1.101.3.4.2.1", hashes.SHA256()),
        "rsa-pss-sha384": _rsa_pss("2.16.840.1.101.3.4.2.2", hashes.SHA384()),
        "rsa-pss-sha512": _rsa_pss("2.16.840.1.101.3.4.2.3", hashes.SHA512()),
        "ed25519": _edwards("1.3.101.112"),
        "ed448": _edwards("1.3.101.113"),
        # Broken since 2017 (RFC 9155); here so that a lab can show that it is refused.
        "ecdsa-sha1": _ecdsa("1.2.840.10045.4.1", hashes.SHA1()),
        "rsa-sha1": _rsa("1.2.840.113549.1.1.5", hashes.SHA1()),
    }
)


def default_algorithm(key: PrivateKey) -> str:
    """Return the name of the algorithm that suits a key: a digest as strong as its curve, SHA-256 for RSA."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return {256: "ecdsa-sha256", 384: "ecdsa-sha384"}.get(key.curve.key_size, "ecdsa-sha512")
        case rsa.RSAPrivateKey():
            return "rsa-sha256"
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case _:
            return "ed448"

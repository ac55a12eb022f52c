"""Signature schemes: which key may sign how, and the proof that goes with a certificate.

RFC 9846 section 4.3.3 names the schemes. In TLS 1.3 an ECDSA scheme is bound to one curve and RSA signs
with PSS only; TLS 1.2 lets any curve go with any hash and still knows RSA PKCS#1 v1.5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa

from ...errors import PeerMisbehaved
from ...registry import TLS_1_3, AlertDescription, NamedGroup, Side, SignatureScheme, name_of

RSASSA_PSS_OID = "1.2.840.113549.1.1.10"

_CONTEXT_13 = {
    Side.CLIENT: b" " * 64 + b"TLS 1.3, client CertificateVerify\0",
    Side.SERVER: b" " * 64 + b"TLS 1.3, server CertificateVerify\0",
}


def signed_content(signer: Side, transcript_hash: bytes) -> bytes:
    """What CertificateVerify signs in TLS 1.3: unlike anything that TLS 1.2 signs (section 4.5.2)."""
    return _CONTEXT_13[signer] + transcript_hash


class Scheme(NamedTuple):
    """One row: the kind of key, how pyca is called, and in which versions it may sign a handshake."""

    id: SignatureScheme
    key_kind: str
    arguments: tuple[Any, ...]
    tls12: bool
    tls13: bool
    minimum_rsa_bytes: int = 0


def _pss(digest: hashes.HashAlgorithm) -> tuple[Any, ...]:
    return (padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def _rows() -> Iterable[Scheme]:
    names = SignatureScheme
    sha256, sha384, sha512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
    yield Scheme(names.ECDSA_SECP256R1_SHA256, "p256", (ec.ECDSA(sha256),), True, True)
    yield Scheme(names.ECDSA_SECP384R1_SHA384, "p384", (ec.ECDSA(sha384),), True, True)
    yield Scheme(names.ECDSA_SECP521R1_SHA512, "p521", (ec.ECDSA(sha512),), True, True)
    yield Scheme(names.ED25519, "ed25519", (), True, True)
    yield Scheme(names.ED448, "ed448", (), True, True)
    # A PSS signature with salt needs a modulus of two hashes and two bytes (RFC 8017 section 9.1.1).
    yield Scheme(names.RSA_PSS_RSAE_SHA256, "rsa", _pss(sha256), True, True, 66)
    yield Scheme(names.RSA_PSS_RSAE_SHA384, "rsa", _pss(sha384), True, True, 98)
    yield Scheme(names.RSA_PSS_RSAE_SHA512, "rsa", _pss(sha512), True, True, 130)
    yield Scheme(names.RSA_PSS_PSS_SHA256, "rsassa-pss", _pss(sha256), True, True, 66)
    yield Scheme(names.RSA_PSS_PSS_SHA384, "rsassa-pss", _pss(sha384), True, True, 98)
    yield Scheme(names.RSA_PSS_PSS_SHA512, "rsassa-pss", _pss(sha512), True, True, 130)
    yield Scheme(names.RSA_PKCS1_SHA256, "rsa", (padding.PKCS1v15(), sha256), True, False, 62)
    yield Scheme(names.RSA_PKCS1_SHA384, "rsa", (padding.PKCS1v15(), sha384), True, False, 78)
    yield Scheme(names.RSA_PKCS1_SHA512, "rsa", (padding.PKCS1v15(), sha512), True, False, 94)
    yield Scheme(names.MLDSA44, "mldsa44", (), False, True)
    yield Scheme(names.MLDSA65, "mldsa65", (), False, True)
    yield Scheme(names.MLDSA87, "mldsa87", (), False, True)
    # SHA-1 is broken: these rows exist so that a test or a lab can ask for them by name.
    yield Scheme(names.RSA_PKCS1_SHA1, "rsa", (padding.PKCS1v15(), hashes.SHA1()), True, False, 45)
    yield Scheme(names.ECDSA_SHA1, "ecdsa", (ec.ECDSA(hashes.SHA1()),), True, False)


SCHEMES: dict[int, Scheme] = {scheme.id: scheme for scheme in _rows()}
BROKEN_SCHEMES = frozenset({SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA1})

_CURVES = {"secp256r1": "p256", "secp384r1": "p384", "secp521r1": "p521"}
CURVE_OF_KEY: dict[str, int] = {
    "p256": NamedGroup.SECP256R1,
    "p384": NamedGroup.SECP384R1,
    "p521": NamedGroup.SECP521R1,
}


def key_kind(public_key: object, algorithm_oid: str = "") -> str:
    """The kind of a public key, as `Scheme.key_kind` has it; empty for one that cannot sign here."""
    match public_key:
        case rsa.RSAPublicKey():
            return "rsassa-pss" if algorithm_oid == RSASSA_PSS_OID else "rsa"
        case ec.EllipticCurvePublicKey():
            return _CURVES.get(public_key.curve.name, "")
        case ed25519.Ed25519PublicKey():
            return "ed25519"
        case ed448.Ed448PublicKey():
            return "ed448"
        case mldsa.MLDSA44PublicKey():
            return "mldsa44"
        case mldsa.MLDSA65PublicKey():
            return "mldsa65"
        case mldsa.MLDSA87PublicKey():
            return "mldsa87"
    return ""


def signature_of(kind: str) -> str:
    """What TLS 1.2 calls the signature of such a key: EdDSA counts as ECDSA (RFC 8422 section 5.3)."""
    return "rsa" if kind in ("rsa", "rsassa-pss") else "ecdsa"


# OID of a certificate's signature to the schemes that may stand for it (RFC 9846 section 4.3.3); for PSS by the hash.
_CERTIFICATE_SIGNATURES: dict[str, tuple[int, ...]] = {
    "1.2.840.113549.1.1.5": (SignatureScheme.RSA_PKCS1_SHA1,),
    "1.2.840.113549.1.1.11": (SignatureScheme.RSA_PKCS1_SHA256,),
    "1.2.840.113549.1.1.12": (SignatureScheme.RSA_PKCS1_SHA384,),
    "1.2.840.113549.1.1.13": (SignatureScheme.RSA_PKCS1_SHA512,),
    "1.2.840.10045.4.1": (SignatureScheme.ECDSA_SHA1,),
    "1.2.840.10045.4.3.2": (SignatureScheme.ECDSA_SECP256R1_SHA256,),
    "1.2.840.10045.4.3.3": (SignatureScheme.ECDSA_SECP384R1_SHA384,),
    "1.2.840.10045.4.3.4": (SignatureScheme.ECDSA_SECP521R1_SHA512,),
    "1.3.101.112": (SignatureScheme.ED25519,),
    "1.3.101.113": (SignatureScheme.ED448,),
    "2.16.840.1.101.3.4.3.17": (SignatureScheme.MLDSA44,),
    "2.16.840.1.101.3.4.3.18": (SignatureScheme.MLDSA65,),
    "2.16.840.1.101.3.4.3.19": (SignatureScheme.MLDSA87,),
    "sha256": (SignatureScheme.RSA_PSS_RSAE_SHA256, SignatureScheme.RSA_PSS_PSS_SHA256),
    "sha384": (SignatureScheme.RSA_PSS_RSAE_SHA384, SignatureScheme.RSA_PSS_PSS_SHA384),
    "sha512": (SignatureScheme.RSA_PSS_RSAE_SHA512, SignatureScheme.RSA_PSS_PSS_SHA512),
}


def certificate_schemes(algorithm_oid: str, hash_name: str) -> tuple[int, ...]:
    """The schemes, one of which a peer has to accept so that it can check a certificate's signature; often one."""
    return _CERTIFICATE_SIGNATURES.get(hash_name if algorithm_oid == RSASSA_PSS_OID else algorithm_oid, ())


def suits(scheme: Scheme, kind: str, version: int) -> bool:
    """Whether a key of this kind may sign with the scheme in this version."""
    if version >= TLS_1_3:
        return scheme.tls13 and scheme.key_kind == kind
    if not scheme.tls12:
        return False
    # In TLS 1.2 an ECDSA scheme names the hash only (RFC 8422 section 5.1.3).
    ecdsa = {"p256", "p384", "p521"}
    return scheme.key_kind == kind or (kind in ecdsa and scheme.key_kind in ecdsa | {"ecdsa"})


@lru_cache(maxsize=64)
def schemes_of_key(kind: str, size: int, version: int, wanted: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """Every scheme that a key signs with, best first; `size` is the modulus of an RSA key in bytes.

    `wanted` are those that it should sign with. None: all but those with a broken hash, whatever a peer asks for
    (RFC 9155).
    """
    possible = [
        scheme.id for scheme in SCHEMES.values() if suits(scheme, kind, version) and size >= scheme.minimum_rsa_bytes
    ]
    if wanted is None:
        return tuple(scheme for scheme in possible if scheme not in BROKEN_SCHEMES)
    return tuple(scheme for scheme in wanted if scheme in possible)


class Signer(Protocol):
    """Whoever holds the private key: a file, an HSM, a remote service."""

    def sign(self, scheme: int, content: bytes) -> bytes:
        """The signature over `content` under a scheme of the registry."""
        ...


class PrivateKeySigner:
    """Signs with a private key of pyca `cryptography` held in memory."""

    __slots__ = ("_key",)

    def __init__(self, private_key: Any) -> None:
        self._key = private_key

    def sign(self, scheme: int, content: bytes) -> bytes:
        signature: bytes = self._key.sign(content, *SCHEMES[scheme].arguments)
        return signature

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        """RSA PKCS#1 v1.5 decryption; None, or with newer OpenSSL garbage, if the ciphertext is not good."""
        try:
            plaintext: bytes = self._key.decrypt(ciphertext, padding.PKCS1v15())
        except ValueError:
            return None
        return plaintext


def verify(public_key: Any, kind: str, scheme: int, signature: bytes, content: bytes, version: int) -> None:
    """Raises unless `signature` over `content` was made with the private half of `public_key`.

    illegal_parameter if the scheme does not go with the key, decrypt_error if the signature is wrong.
    """
    row = SCHEMES.get(scheme)
    if row is None or not suits(row, kind, version):
        raise PeerMisbehaved(
            AlertDescription.ILLEGAL_PARAMETER,
            "wrong-signature-type",
            f"the peer signed with {name_of(SignatureScheme, scheme)}, which a {kind or 'key of this'} key cannot do",
            "RFC 9846 section 4.5.2",
        )
    check: Callable[..., None] = public_key.verify
    try:
        check(signature, content, *row.arguments)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as problem:
        raise PeerMisbehaved(
            AlertDescription.DECRYPT_ERROR,
            "bad-signature",
            "the peer's handshake signature is wrong: it does not hold the key of its certificate",
            "RFC 9846 section 4.5.2",
        ) from problem

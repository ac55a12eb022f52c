"""Who a side can prove to be: a certificate chain and somebody who signs with its key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigurationError, PeerMisbehaved
from ..registry import CertificateType
from .keys.signatures import (
    BROKEN_SCHEMES,
    PrivateKeySigner,
    Signer,
    certificate_schemes,
    key_kind,
    schemes_of_key,
)
from .wire.extensions import check_sct_list


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One certificate chain (DER, leaf first) with its signer. Made once, used by many connections.

    In place of the chain it may be the key alone (RFC 7250): then `chain` is its one SubjectPublicKeyInfo.
    `names` are the DNS names of the leaf in lower case, wildcards included, for the choice by server_name.
    `signature_schemes` narrows what the key may sign with, in order of preference; only by naming it there a key
    signs with SHA-1.
    """

    chain: tuple[bytes, ...] = field(repr=False)
    signer: Signer = field(repr=False)
    key_kind: str
    key_size: int = 0  # bytes of an RSA modulus
    names: frozenset[str] = frozenset()
    issuers: frozenset[bytes] = frozenset()  # DER names of every issuer in the chain
    signature_schemes: tuple[int, ...] | None = None
    certificate_type: int = CertificateType.X509
    # For each certificate that is not self-signed the schemes that its signature could go by.
    chain_schemes: tuple[tuple[int, ...], ...] = ()
    must_match_issuer: bool = False  # to be shown only to a peer that names one of `issuers` among its authorities
    ocsp_response: bytes | None = field(default=None, repr=False)
    sct_list: bytes | None = field(default=None, repr=False)

    @classmethod
    def from_pem(
        cls,
        certificates: bytes,
        private_key: bytes,
        password: bytes | None = None,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
    ) -> Credential:
        """From PEM text in memory, leaf first. ConfigurationError if it cannot be read or does not fit together."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

        try:
            chain = x509.load_pem_x509_certificates(certificates)
        except ValueError as problem:
            raise ConfigurationError(f"the certificate file holds no readable certificate: {problem}") from problem
        try:
            key = load_pem_private_key(private_key, password)
        except (ValueError, TypeError) as problem:
            raise ConfigurationError(f"the private key cannot be read: {problem}") from problem
        ders = [certificate.public_bytes(Encoding.DER) for certificate in chain]
        return cls.from_key(ders, key, ocsp_response=ocsp_response, sct_list=sct_list)

    @classmethod
    def from_key(
        cls,
        chain: Sequence[bytes],
        private_key: Any,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
    ) -> Credential:
        """From DER certificates, leaf first, and a private key of pyca `cryptography`."""
        credential = cls.from_signer(
            chain, PrivateKeySigner(private_key), ocsp_response=ocsp_response, sct_list=sct_list
        )
        _check_key_belongs(chain[0], private_key)
        return credential

    @classmethod
    def from_signer(
        cls,
        chain: Sequence[bytes],
        signer: Signer,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
    ) -> Credential:
        """From DER certificates, leaf first, and anything that signs: an HSM, a remote service."""
        from cryptography import x509

        if not chain:
            raise ConfigurationError("a credential needs at least one certificate")
        if sct_list is not None:
            _check_sct_list(sct_list)
        try:
            certificates = [x509.load_der_x509_certificate(der) for der in chain]
            public_key = certificates[0].public_key()
            issuers = frozenset(certificate.issuer.public_bytes() for certificate in certificates)
            names = _dns_names(certificates[0])
            chain_schemes = tuple(_signed_with(c) for c in certificates if c.issuer != c.subject)
        except unreadable_certificate() as problem:
            raise ConfigurationError(f"the certificate cannot be read: {problem}") from problem
        kind = key_kind(public_key, certificates[0].public_key_algorithm_oid.dotted_string)
        if not kind:
            raise ConfigurationError(f"TLS has no signature scheme for the certificate's key ({public_key!r})")
        return cls(
            chain=tuple(chain),
            signer=signer,
            key_kind=kind,
            key_size=rsa_bytes(public_key),
            names=names,
            issuers=issuers,
            chain_schemes=chain_schemes,
            ocsp_response=ocsp_response,
            sct_list=sct_list,
        )

    @classmethod
    def from_raw_key(cls, private_key: Any) -> Credential:
        """A private key of pyca `cryptography` whose public half is shown as it is, uncertified (RFC 7250)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        spki = private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return cls.from_raw_signer(spki, PrivateKeySigner(private_key))

    @classmethod
    def from_raw_signer(cls, public_key: bytes, signer: Signer) -> Credential:
        """The same from a DER SubjectPublicKeyInfo and anything that signs."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            key = load_der_public_key(public_key)
        except (ValueError, UnsupportedAlgorithm) as problem:
            raise ConfigurationError(f"the public key cannot be read: {problem}") from problem
        kind = key_kind(key)
        if not kind:
            raise ConfigurationError(f"TLS has no signature scheme for this key ({key!r})")
        return cls(
            chain=(public_key,),
            signer=signer,
            key_kind=kind,
            key_size=rsa_bytes(key),
            certificate_type=CertificateType.RAW_PUBLIC_KEY,
        )

    def schemes(self, version: int) -> tuple[int, ...]:
        """The signature schemes this credential can use in a version, in order of preference."""
        return schemes_of_key(self.key_kind, self.key_size, version, self.signature_schemes)

    @property
    def can_decrypt(self) -> bool:
        """Whether the key can be used for RSA key transport."""
        return self.key_kind == "rsa" and hasattr(self.signer, "decrypt")

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        """RSA PKCS#1 v1.5 decryption; None, or garbage, for what was not encrypted to this key.

        Whatever the holder of the key raises is None as well: an error of its own would tell the peer about its
        ciphertext (RFC 5246 section 7.4.7.1).
        """
        decrypt: Callable[[bytes], bytes | None] = getattr(self.signer, "decrypt", lambda _: None)
        try:
            return decrypt(ciphertext)
        except Exception:  # noqa: BLE001 (foreign code, an HSM for example)
            return None

    def suits_authorities(self, authorities: tuple[bytes, ...]) -> bool:
        """Whether a peer that names these authorities (DER names, often none) may be shown this credential."""
        return not self.must_match_issuer or bool(self.issuers.intersection(authorities))

    def chain_suits(self, schemes: tuple[int, ...]) -> bool:
        """Whether a peer that accepts these schemes in certificates can check the whole chain."""
        return all(set(possible).intersection(schemes) for possible in self.chain_schemes)

    @property
    def chain_needs_sha1(self) -> bool:
        """Whether a certificate of the chain is signed with SHA-1, which nobody should have to believe any more."""
        return any(possible and BROKEN_SCHEMES.issuperset(possible) for possible in self.chain_schemes)

    def covers(self, server_name: str) -> bool:
        """Whether the leaf is for this DNS name, wildcards counting for the leftmost label; a raw key is for any."""
        if self.certificate_type == CertificateType.RAW_PUBLIC_KEY:
            return True
        name = server_name.lower().rstrip(".")
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def best_chain(credentials: Sequence[Credential], schemes: tuple[int, ...]) -> Credential | None:
    """The first whose certificates are signed as the peer likes it, else the first, but never one that needs SHA-1.

    RFC 9846 section 4.5.1.2: a chain that the peer did not say to accept is better than none.
    """
    fallback = [credential for credential in credentials if not credential.chain_needs_sha1]
    return next((credential for credential in credentials if credential.chain_suits(schemes)), None) or next(
        iter(fallback), None
    )


def unreadable_certificate() -> tuple[type[Exception], ...]:
    """What pyca raises for a certificate that cannot be read."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    return (
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.InvalidVersion,
        x509.UnsupportedGeneralNameType,
        Warning,  # where the program makes its warnings errors
    )


def _signed_with(certificate: Any) -> tuple[int, ...]:
    digest = certificate.signature_hash_algorithm
    oid = certificate.signature_algorithm_oid.dotted_string
    return certificate_schemes(oid, digest.name if digest is not None else "")


def _check_sct_list(sct_list: bytes) -> None:
    try:
        check_sct_list(sct_list)
    except PeerMisbehaved as problem:
        raise ConfigurationError(f"this is no list of signed certificate timestamps: {problem}") from problem


def rsa_bytes(public_key: Any) -> int:
    """The length of an RSA modulus in bytes; 0 for other keys."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    return (public_key.key_size + 7) // 8 if isinstance(public_key, RSAPublicKey) else 0


def _dns_names(certificate: Any) -> frozenset[str]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _check_key_belongs(leaf: bytes, private_key: Any) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    certificate = x509.load_der_x509_certificate(leaf)
    if certificate.public_key().public_bytes(*spki) != private_key.public_key().public_bytes(*spki):
        raise ConfigurationError("the private key does not belong to the certificate: their public keys differ")

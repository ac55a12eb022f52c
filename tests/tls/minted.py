"""Credentials for tests: one of each kind of key, made once per run."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from glasslock.tls import Credential

MAKERS: dict[str, Any] = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "rsassa-pss": lambda: rsa.generate_private_key(65537, 2048),
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
KINDS = tuple(MAKERS)

# AlgorithmIdentifier of an RSA key (RFC 3279), and of one that may sign with PSS only (RFC 4055 section 1.2).
_RSA_ENCRYPTION = bytes.fromhex("300d06092a864886f70d0101010500")
_RSASSA_PSS = bytes.fromhex("300b06092a864886f70d01010a")


@cache
def key(kind: str) -> Any:
    """A private key of this kind."""
    return MAKERS[kind]()


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def certificate(
    private_key: Any,
    *names: str,
    issuer: tuple[str, Any] | None = None,
    usage: x509.KeyUsage | None = None,
    digest: hashes.HashAlgorithm | None = None,
    pss: bool = False,
) -> bytes:
    """DER; self-signed unless there is an issuer (name, key)."""
    common_name = names[0] if names else "nobody"
    issuer_name, issuer_key = issuer or (common_name, private_key)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(issuer_name))
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2026, 1, 1))  # noqa: DTZ001 (pyca takes naive UTC)
        .not_valid_after(dt.datetime(2036, 1, 1))  # noqa: DTZ001
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    signs_digests = isinstance(issuer_key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey))
    digest = digest or (hashes.SHA256() if signs_digests else None)
    options = {"rsa_padding": padding.PSS(padding.MGF1(digest), digest.digest_size)} if pss and digest else {}
    return builder.sign(issuer_key, digest, **options).public_bytes(Encoding.DER)


@cache
def credential(kind: str = "p256", *names: str) -> Credential:
    """A self-signed credential for these DNS names (default: localhost)."""
    der = certificate(key(kind), *(names or ("localhost",)))
    if kind == "rsassa-pss":
        der = _restrict_to_pss(der)
    return Credential.from_key([der], key(kind))


@cache
def client_credential(kind: str = "p256") -> Credential:
    """A client's credential, issued by `Test CA`."""
    return Credential.from_key([certificate(key(kind), issuer=("Test CA", key("p384")))], key(kind))


def key_usage(*, digital_signature: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=not digital_signature,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _restrict_to_pss(der: bytes) -> bytes:
    """The same certificate with an RSASSA-PSS key, which pyca reads but does not write; its signature breaks."""
    start = der.index(_RSA_ENCRYPTION)
    shorter = len(_RSA_ENCRYPTION) - len(_RSASSA_PSS)
    changed = bytearray(der[:start] + _RSASSA_PSS + der[start + len(_RSA_ENCRYPTION) :])
    spki = start - 4
    assert changed[spki : spki + 2] == b"\x30\x82"
    outer, tbs = 0, 4
    for header in (outer, tbs, spki):
        length = int.from_bytes(changed[header + 2 : header + 4], "big") - shorter
        changed[header + 2 : header + 4] = length.to_bytes(2, "big")
    return bytes(changed)

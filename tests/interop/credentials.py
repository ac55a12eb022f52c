"""Certificates for the peers and for us: minted afresh for each run, all under one root."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glasslock.tls import Credential

PASSWORD = "interop"  # of the PKCS#12 files: NSS and Java take no empty one

KEY_KINDS: dict[str, Callable[[], Any]] = {
    "rsa": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ed448": ed448.Ed448PrivateKey.generate,
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}


@dataclass(frozen=True)
class Identity:
    """One certificate with its key, in the forms that peers read."""

    name: str
    kind: str  # of its key, as in KEY_KINDS
    folder: Path
    certificate: x509.Certificate
    key: Any
    root: x509.Certificate

    @cached_property
    def certificate_file(self) -> Path:
        return self._file("pem", self.certificate.public_bytes(Encoding.PEM))

    @cached_property
    def key_file(self) -> Path:
        return self._file("key", self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    @cached_property
    def pkcs12_file(self) -> Path:
        encryption = (
            PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(2048)
            .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
            .hmac_hash(hashes.SHA256())
            .build(PASSWORD.encode())
        )
        data = pkcs12.serialize_key_and_certificates(
            self.name.encode(), self.key, self.certificate, [self.root], encryption
        )
        return self._file("p12", data)

    @cached_property
    def credential(self) -> Credential:
        """The same for our own side."""
        return Credential.from_key([self.certificate.public_bytes(Encoding.DER)], self.key)

    def credential_with_root(self, ocsp_response: bytes | None) -> Credential:
        """With the root in the chain, where some clients look for who has signed the OCSP response."""
        chain = [self.der, self.root.public_bytes(Encoding.DER)]
        return Credential.from_key(chain, self.key, ocsp_response=ocsp_response)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def _file(self, kind: str, content: bytes) -> Path:
        path = self.folder / f"{self.name}.{kind}"
        path.touch(mode=0o600)
        path.write_bytes(content)
        return path


class Authority:
    """The root of everybody in one run, with a server certificate per kind of key and one client certificate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = _certificate(_name("glasslock interop root"), self._key.public_key(), self._key, None, [])
        self.root_file = folder / "root.pem"
        self.root_file.write_bytes(self.root.public_bytes(Encoding.PEM))
        self.servers = {kind: self._issue(f"server-{kind}", kind, "localhost") for kind in KEY_KINDS}
        self.other = self._issue("other.test", "p256", "other.test")
        self.client = self._issue("client", "p256", "client.test")

    def ocsp_response(self, identity: Identity, folder: Path) -> Path:
        """Says, for two days and signed by the root itself, that a certificate is good."""
        now = dt.datetime.now(dt.UTC)
        response = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=identity.certificate,
                issuer=self.root,
                algorithm=hashes.SHA1(),
                cert_status=ocsp.OCSPCertStatus.GOOD,
                this_update=now - dt.timedelta(hours=1),
                next_update=now + dt.timedelta(days=2),
                revocation_time=None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, self.root)
            .certificates([self.root])
            .sign(self._key, hashes.SHA256())
        )
        path = folder / "ocsp.der"
        path.write_bytes(response.public_bytes(Encoding.DER))
        return path

    def _issue(self, name: str, kind: str, dns_name: str) -> Identity:
        key = KEY_KINDS[kind]()
        certificate = _certificate(_name(name), key.public_key(), self._key, self.root, [dns_name])
        identity = Identity(name, kind, self.folder, certificate, key, self.root)
        # Written at once, so that no two cells write the same file at the same time.
        _ = identity.certificate_file, identity.key_file, identity.credential
        if not kind.startswith("mldsa"):  # a form that pyca has not, nor the peers that read PKCS#12
            _ = identity.pkcs12_file
        return identity


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _certificate(
    subject: x509.Name,
    public_key: Any,
    signer: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    dns_names: list[str],
) -> x509.Certificate:
    is_root = issuer is None
    now = dt.datetime.now(dt.UTC)
    usage = dict.fromkeys(
        ("content_commitment", "key_agreement", "data_encipherment", "encipher_only", "decipher_only"), False
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_root,
                key_encipherment=isinstance(public_key, rsa.RSAPublicKey),
                key_cert_sign=is_root,
                crl_sign=is_root,
                **usage,
            ),
            critical=True,
        )
    )
    if not is_root:
        builder = (
            builder.add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names]), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
        )
    return builder.sign(signer, hashes.SHA256())

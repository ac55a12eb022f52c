"""The certificates of the comparison: everybody shows and verifies the same ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SERVER_NAME = "www.bench.example"

Certified = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the files are: keys and chains as PEM."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def chain(self, intermediates: int) -> Path:
        """The server's chain, leaf first, without the root."""
        return self.folder / f"server{intermediates}.pem"

    def key(self, intermediates: int) -> Path:
        return self.folder / f"server{intermediates}.key"

    @property
    def client_chain(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"


def create(folder: Path) -> Identity:
    """Root -> server, root -> intermediate -> server, root -> client; P-256 throughout, valid for a day."""
    root = _certificate("bench root", ca=True)
    intermediate = _certificate("bench intermediate", root, ca=True)
    identity = Identity(folder)
    identity.root.write_bytes(_pem(root))
    for path, names in (
        ((_certificate(SERVER_NAME, root, usage=ExtendedKeyUsageOID.SERVER_AUTH),), "server0"),
        ((_certificate(SERVER_NAME, intermediate, usage=ExtendedKeyUsageOID.SERVER_AUTH), intermediate), "server1"),
        ((_certificate("client.example", root, usage=ExtendedKeyUsageOID.CLIENT_AUTH),), "client"),
    ):
        (folder / f"{names}.pem").write_bytes(b"".join(_pem(one) for one in path))
        key = path[0][1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = folder / f"{names}.key"
        file.touch(mode=0o600)
        file.write_bytes(key)
    return identity


def _pem(certified: Certified) -> bytes:
    return certified[0].public_bytes(Encoding.PEM)


def _certificate(
    name: str, issuer: Certified | None = None, *, ca: bool = False, usage: x509.ObjectIdentifier | None = None
) -> Certified:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer[1] if issuer else key
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(_key_usage(ca), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
        )
    return builder.sign(signer, hashes.SHA256()), key


def _key_usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )

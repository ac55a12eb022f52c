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

FRESH = 1500  # certificates that are each met once

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

    def fresh(self) -> list[tuple[Path, Path]]:
        """Chain and key of each of many servers: more than any cache holds, or than one sample meets."""
        return [(self.folder / f"fresh{number}.pem", self.folder / f"fresh{number}.key") for number in range(FRESH)]

    @property
    def client_chain(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"


def create(folder: Path, fresh: int = 0, now: dt.datetime | None = None) -> Identity:
    """Root -> server, root -> intermediate -> server, root -> client; P-256, valid for a day. And `fresh` more.

    With `now` the very same certificates and keys each time, for whoever counts instead of measuring.
    """
    mint = Mint(now)
    root = mint.certificate("bench root", ca=True)
    intermediate = mint.certificate("bench intermediate", root, ca=True)
    identity = Identity(folder)
    identity.root.write_bytes(_pem(root))
    servers = [identity.fresh()[number][0].stem for number in range(fresh)]
    for path, name in (
        ((mint.certificate(SERVER_NAME, root, usage=ExtendedKeyUsageOID.SERVER_AUTH),), "server0"),
        ((mint.certificate(SERVER_NAME, intermediate, usage=ExtendedKeyUsageOID.SERVER_AUTH), intermediate), "server1"),
        ((mint.certificate("client.example", root, usage=ExtendedKeyUsageOID.CLIENT_AUTH),), "client"),
        *(((mint.certificate(SERVER_NAME, root, usage=ExtendedKeyUsageOID.SERVER_AUTH),), name) for name in servers),
    ):
        (folder / f"{name}.pem").write_bytes(b"".join(_pem(one) for one in path))
        key = path[0][1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        file = folder / f"{name}.key"
        file.touch(mode=0o600)
        file.write_bytes(key)
    return identity


def _pem(certified: Certified) -> bytes:
    return certified[0].public_bytes(Encoding.PEM)


class Mint:
    """Makes keys and certificates: random ones, or with a fixed `now` always the same."""

    def __init__(self, now: dt.datetime | None) -> None:
        self._fixed = now is not None
        self._now = now or dt.datetime.now(dt.UTC)
        self._made = 0

    def certificate(
        self,
        name: str,
        issuer: Certified | None = None,
        *,
        ca: bool = False,
        usage: x509.ObjectIdentifier | None = None,
    ) -> Certified:
        """For a fresh key; `issuer` None: signed by itself."""
        self._made += 1
        curve = ec.SECP256R1()
        key = ec.derive_private_key(self._made, curve) if self._fixed else ec.generate_private_key(curve)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer[1] if issuer else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer[0].subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number((1 << 150) + self._made if self._fixed else x509.random_serial_number())
            .not_valid_before(self._now - dt.timedelta(hours=1))
            .not_valid_after(self._now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(_key_usage(ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False).add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
            )
        return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=self._fixed or None), key


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

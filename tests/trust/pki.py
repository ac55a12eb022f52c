"""A whole public key infrastructure for tests, minted in microseconds, good or wrong in any one way.

`Recipe` says what a certificate shall be; its defaults are those of a good one. `mint` makes it. `rebuild` does to a
finished certificate what no builder allows.
"""

from __future__ import annotations

import datetime as dt
import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glasslock.trust import ServerCertificateVerifier, TrustStore
from glasslock.trust.der import elements

NOW = dt.datetime(2027, 1, 15, 12, 0, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
USAGES = [
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
]


def clock() -> float:
    return NOW.timestamp()


@functools.cache
def key(kind: str = "p256", number: int = 0) -> Any:
    """A private key; the same one whenever kind and number are the same."""
    _ = number
    curves = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1, "p224": ec.SECP224R1}
    if kind in curves:
        return ec.generate_private_key(curves[kind]())
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    makers: dict[str, Callable[[], Any]] = {
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "ed448": ed448.Ed448PrivateKey.generate,
        "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    }
    return makers[kind]()


def name(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def key_usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in names for usage in USAGES})


@dataclass(frozen=True)
class Recipe:
    """What a certificate shall be."""

    subject: x509.Name
    key: Any = field(default_factory=key)
    names: tuple[x509.GeneralName, ...] | None = None
    names_critical: bool = False
    not_before: dt.datetime = NOW - 10 * DAY
    not_after: dt.datetime = NOW + 80 * DAY
    serial: int | None = None
    ca: bool | None = False  # None: no basic constraints
    path_length: int | None = None
    basic_critical: bool = True
    usage: x509.KeyUsage | None = None
    extended: tuple[x509.ObjectIdentifier, ...] | None = None
    extended_critical: bool = False
    permitted: tuple[x509.GeneralName, ...] | None = None
    excluded: tuple[x509.GeneralName, ...] | None = None
    constraints_critical: bool = True
    key_identifier: bool = True
    authority_identifier: str | None = "issuer"  # "issuer", "wrong", "serial" (no key identifier), None
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = ()
    hash: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    pss: bool = False


@dataclass(frozen=True)
class Issued:
    """A certificate and the key that belongs to it."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def root(common_name: str = "Root", number: int = 100, **changes: Any) -> Recipe:
    good = Recipe(
        name(common_name),
        key=key(number=number),
        ca=True,
        usage=key_usage("key_cert_sign", "crl_sign"),
        not_before=NOW - 1000 * DAY,
        not_after=NOW + 3000 * DAY,
    )
    return replace(good, **changes)


def intermediate(common_name: str = "Intermediate", number: int = 200, **changes: Any) -> Recipe:
    return root(common_name, number, **{"not_after": NOW + 1000 * DAY, **changes})


def leaf(*dns_names: str, number: int = 300, **changes: Any) -> Recipe:
    hosts = dns_names or ("example.com",)
    good = Recipe(
        name(hosts[0]),
        key=key(number=number),
        names=tuple(x509.DNSName(host) for host in hosts),
        usage=key_usage("digital_signature"),
        extended=(SERVER,),
    )
    return replace(good, **changes)


def client(common_name: str = "Alice", number: int = 400, **changes: Any) -> Recipe:
    return leaf(number=number, **{"subject": name(common_name), "names": None, "extended": (CLIENT,), **changes})


def mint(recipe: Recipe, issuer: Issued | None = None, *, issuer_name: x509.Name | None = None) -> Issued:
    """Make the certificate; without an issuer it signs itself."""
    signing_key = issuer.key if issuer is not None else recipe.key
    signer = issuer.certificate.subject if issuer is not None else recipe.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(recipe.subject)
        .issuer_name(issuer_name if issuer_name is not None else signer)
        .public_key(recipe.key.public_key())
        .serial_number(recipe.serial or x509.random_serial_number())
        .not_valid_before(min(recipe.not_before, recipe.not_after - DAY))
        .not_valid_after(recipe.not_after)
    )
    for extension, critical in _extensions(recipe, signing_key):
        builder = builder.add_extension(extension, critical)
    pads = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if recipe.pss else None
    hashless = isinstance(signing_key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | mldsa.MLDSA44PrivateKey)
    return Issued(builder.sign(signing_key, None if hashless else recipe.hash, rsa_padding=pads), recipe.key)


def _extensions(recipe: Recipe, signing_key: Any) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if recipe.ca is not None:
        found.append(
            (x509.BasicConstraints(recipe.ca, recipe.path_length if recipe.ca else None), recipe.basic_critical)
        )
    if recipe.usage is not None:
        found.append((recipe.usage, True))
    if recipe.extended is not None:
        found.append((x509.ExtendedKeyUsage(recipe.extended), recipe.extended_critical))
    if recipe.names is not None:
        found.append((x509.SubjectAlternativeName(recipe.names), recipe.names_critical))
    if recipe.permitted is not None or recipe.excluded is not None:
        found.append((x509.NameConstraints(recipe.permitted, recipe.excluded), recipe.constraints_critical))
    if recipe.key_identifier:
        found.append((x509.SubjectKeyIdentifier.from_public_key(recipe.key.public_key()), False))
    if recipe.authority_identifier == "issuer":
        found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False))
    elif recipe.authority_identifier == "wrong":
        found.append((x509.AuthorityKeyIdentifier(b"wrong" * 4, None, None), False))
    elif recipe.authority_identifier == "serial":
        directory = x509.DirectoryName(recipe.subject)
        found.append((x509.AuthorityKeyIdentifier(None, [directory], 1), False))
    return [*found, *recipe.extra]


@dataclass(frozen=True)
class Chain:
    """Root, intermediate and leaf. `sent` is what a well-behaved server sends."""

    root: Issued
    intermediate: Issued
    leaf: Issued

    @property
    def sent(self) -> list[bytes]:
        return [self.leaf.der, self.intermediate.der]

    @property
    def store(self) -> TrustStore:
        return store(self.root)


def chain(
    leaf_recipe: Recipe | None = None,
    intermediate_recipe: Recipe | None = None,
    root_recipe: Recipe | None = None,
) -> Chain:
    top = mint(root_recipe or root())
    middle = mint(intermediate_recipe or intermediate(), top)
    return Chain(top, middle, mint(leaf_recipe or leaf(), middle))


def store(*anchors: Issued) -> TrustStore:
    return TrustStore.from_certificates([anchor.der for anchor in anchors], "the test's roots")


def verifier(*anchors: Issued, **options: Any) -> ServerCertificateVerifier:
    return ServerCertificateVerifier(store(*anchors), **{"clock": clock, **options})


# --- what no builder allows ---

ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
RSA_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")
Sign = Callable[[Any, bytes], bytes]


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sign_sha256(signing_key: Any, data: bytes) -> bytes:
    return _sign(signing_key, data, hashes.SHA256())


def sign_sha1(signing_key: Any, data: bytes) -> bytes:
    return _sign(signing_key, data, hashes.SHA1())


def _sign(signing_key: Any, data: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    signature: bytes
    if isinstance(signing_key, rsa.RSAPrivateKey):
        signature = signing_key.sign(data, padding.PKCS1v15(), algorithm)
    else:
        signature = signing_key.sign(data, ec.ECDSA(algorithm))
    return signature


def rebuild_der(
    issued: Issued,
    signing_key: Any,
    change: Callable[[list[bytes]], Sequence[bytes]],
    *,
    outer: bytes | None = None,
    sign: Sign = sign_sha256,
) -> bytes:
    """Change the fields of the signed part (version first, then serial, …, extensions last) and sign again.

    `outer` replaces the signature algorithm outside of the signed part, `sign` how it is signed.
    """
    (certificate,) = elements(issued.der)
    tbs, algorithm, _signature = elements(certificate.content)
    signed = tlv(0x30, b"".join(change([element.raw for element in elements(tbs.content)])))
    return tlv(0x30, signed + (outer or algorithm.raw) + tlv(0x03, b"\0" + sign(signing_key, signed)))


def rebuild(issued: Issued, signing_key: Any, change: Callable[[list[bytes]], Sequence[bytes]], **how: Any) -> Issued:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd serials are made here on purpose
        return Issued(x509.load_der_x509_certificate(rebuild_der(issued, signing_key, change, **how)), issued.key)


def with_sha1(issued: Issued, signing_key: Any) -> Issued:
    """The same certificate signed with SHA-1, whichever kind of key signs."""
    algorithm = RSA_SHA1 if isinstance(signing_key, rsa.RSAPrivateKey) else ECDSA_SHA1
    return rebuild(
        issued, signing_key, lambda fields: [*fields[:2], algorithm, *fields[3:]], outer=algorithm, sign=sign_sha1
    )


def with_extensions(issued: Issued, signing_key: Any, *extensions: bytes) -> bytes:
    """The same certificate with raw extensions added at the end."""

    def change(fields: list[bytes]) -> list[bytes]:
        (wrapper,) = elements(fields[-1])
        (sequence,) = elements(wrapper.content)
        return [*fields[:-1], tlv(0xA3, tlv(0x30, sequence.content + b"".join(extensions)))]

    return rebuild_der(issued, signing_key, change)


def raw_extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """One extension as it is encoded."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    holder = mint(root(extra=((extension, critical),)))
    (certificate,) = elements(holder.der)
    fields = elements(elements(certificate.content)[0].content)
    (sequence,) = elements(fields[-1].content)
    return elements(sequence.content)[-1].raw


def broken_signature(issued: Issued) -> Issued:
    """The same certificate with one bit of its signature flipped."""
    der = bytearray(issued.der)
    der[-1] ^= 1
    return Issued(x509.load_der_x509_certificate(bytes(der)), issued.key)

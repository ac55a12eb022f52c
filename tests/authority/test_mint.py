"""Minting: byte for byte what pyca builds where pyca builds it, and whatever else is asked for."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslock.authority import extension, mint, raw_extension
from glasslock.authority.keys import SIGNATURE_ALGORITHMS, PrivateKey, default_algorithm, key_identifier

START = dt.datetime(2026, 11, 24, 12, 0, 0, tzinfo=dt.UTC)
END = START + dt.timedelta(days=90)

ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
P521 = ec.generate_private_key(ec.SECP521R1())
ED448 = ed448.Ed448PrivateKey.generate()


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bücher"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


def _mint(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "subject": _name("subject"),
        "issuer": _name("issuer"),
        "public_key": P256.public_key(),
        "signer": ED25519,
        "serial": 0x1234,
        "not_before": START,
        "not_after": END,
    }
    return mint(**{**fields, **changes})


EXTENSIONS = [
    extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
    extension(x509.SubjectAlternativeName([x509.DNSName("a.test"), x509.DNSName("b.test")])),
    extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH])),
    raw_extension("1.3.6.1.4.1.99999.1", b"\x05\x00", critical=True),
]


@settings(max_examples=50)
@given(
    serial=st.integers(1, 2**159 - 1),
    days=st.integers(0, 40_000),
    extensions=st.lists(st.sampled_from(EXTENSIONS), unique_by=lambda one: one.oid),
    subject=st.sampled_from([x509.Name([]), _name("a"), _name("b" * 64)]),
)
def test_the_very_bytes_that_pyca_builds(
    serial: int, days: int, extensions: list[x509.Extension[Any]], subject: x509.Name
) -> None:
    not_after = START + dt.timedelta(days=days)
    builder = x509.CertificateBuilder(
        issuer_name=_name("issuer"),
        subject_name=subject,
        public_key=P256.public_key(),
        serial_number=serial,
        not_valid_before=START,
        not_valid_after=not_after,
    )
    for one in extensions:
        builder = builder.add_extension(one.value, one.critical)
    theirs = builder.sign(ED25519, None).public_bytes(Encoding.DER)  # deterministic (RFC 8032)
    assert _mint(subject=subject, serial=serial, not_after=not_after, extensions=extensions) == theirs


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (P256, "ecdsa-sha256"),
        (P384, "ecdsa-sha384"),
        (P521, "ecdsa-sha512"),
        (P256, "ecdsa-sha512"),
        (P256, "ecdsa-sha1"),
        (RSA, "rsa-sha256"),
        (RSA, "rsa-sha384"),
        (RSA, "rsa-sha512"),
        (RSA, "rsa-sha1"),
        (RSA, "rsa-pss-sha256"),
        (RSA, "rsa-pss-sha384"),
        (RSA, "rsa-pss-sha512"),
        (ED25519, "ed25519"),
        (ED448, "ed448"),
    ],
)
def test_every_signature_algorithm(key: PrivateKey, algorithm: str) -> None:
    data = _mint(subject=_name("issuer"), public_key=key.public_key(), signer=key, algorithm=algorithm)
    certificate = x509.load_der_x509_certificate(data)
    forged = x509.load_der_x509_certificate(data.replace(b"issuer", b"Issuer"))
    if algorithm.endswith("sha1"):
        # pyca no longer verifies these as a certificate's, so its primitives are asked.
        _verify_sha1(certificate, certificate.tbs_certificate_bytes)
        with pytest.raises(InvalidSignature):
            _verify_sha1(certificate, forged.tbs_certificate_bytes)
        return
    certificate.verify_directly_issued_by(certificate)
    with pytest.raises(InvalidSignature):
        forged.verify_directly_issued_by(forged)
    digest = certificate.signature_hash_algorithm
    assert (digest.name if digest else algorithm) in algorithm


def _verify_sha1(certificate: x509.Certificate, signed: bytes) -> None:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(certificate.signature, signed, padding.PKCS1v15(), hashes.SHA1())
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        key.verify(certificate.signature, signed, ec.ECDSA(hashes.SHA1()))


def test_the_tests_know_every_algorithm() -> None:
    (mark,) = test_every_signature_algorithm.pytestmark  # type: ignore[attr-defined]
    assert {algorithm for _, algorithm in mark.args[1]} == set(SIGNATURE_ALGORITHMS)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (P256, "ecdsa-sha256"),
        (P384, "ecdsa-sha384"),
        (P521, "ecdsa-sha512"),
        (RSA, "rsa-sha256"),
        (ED25519, "ed25519"),
        (ED448, "ed448"),
    ],
)
def test_default_algorithms(key: PrivateKey, algorithm: str) -> None:
    assert default_algorithm(key) == algorithm
    explicit = x509.load_der_x509_certificate(_mint(signer=key, algorithm=algorithm))
    assert x509.load_der_x509_certificate(_mint(signer=key)).signature_algorithm_oid == explicit.signature_algorithm_oid


@pytest.mark.parametrize("key", [P256, P384, RSA, ED25519, ED448])
def test_key_identifiers_are_of_the_bits_that_pyca_takes(key: PrivateKey) -> None:
    """Those bits are found through their SHA-1, which is what pyca gives (RFC 7093 changes the hash)."""
    public_key = key.public_key()
    ours = key_identifier(public_key)
    assert len(ours) == 20
    spki = public_key.public_bytes(Encoding.DER, x509_format())
    for cut in range(len(spki)):
        if _sha1(spki[cut:]) == x509.SubjectKeyIdentifier.from_public_key(public_key).digest:
            assert ours == _sha256(spki[cut:])[:20]
            return
    pytest.fail("no part of the SubjectPublicKeyInfo hashes to pyca's identifier")


def x509_format() -> Any:
    from cryptography.hazmat.primitives.serialization import PublicFormat

    return PublicFormat.SubjectPublicKeyInfo


def _sha1(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA1())
    digest.update(data)
    return digest.finalize()


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()


# --- what must be refused by whoever reads it ------------------------------------------------------


def test_version_1_has_no_version_field() -> None:
    certificate = x509.load_der_x509_certificate(_mint(version=1))
    assert certificate.version is x509.Version.v1
    assert len(certificate.extensions) == 0


def test_versions_that_do_not_exist() -> None:
    with pytest.raises(x509.InvalidVersion):
        x509.load_der_x509_certificate(_mint(version=4))


@pytest.mark.parametrize("serial", [0, -1, 2**159, 2**200])
def test_any_serial(serial: int) -> None:
    encoded = serial.to_bytes((serial if serial >= 0 else ~serial).bit_length() // 8 + 1, signed=True)
    assert bytes((0x02, len(encoded))) + encoded in _mint(serial=serial)


def test_dates_in_the_wrong_order() -> None:
    certificate = x509.load_der_x509_certificate(_mint(not_before=END, not_after=START))
    assert certificate.not_valid_before_utc > certificate.not_valid_after_utc


def test_the_same_extension_twice() -> None:
    certificate = x509.load_der_x509_certificate(_mint(extensions=[EXTENSIONS[0], EXTENSIONS[0]]))
    with pytest.raises(x509.DuplicateExtension):
        _ = certificate.extensions


def test_inner_and_outer_algorithm_differ() -> None:
    data = _mint(signer=P256, inner_algorithm="ecdsa-sha384")
    assert SIGNATURE_ALGORITHMS["ecdsa-sha384"].identifier in data
    assert SIGNATURE_ALGORITHMS["ecdsa-sha256"].identifier in data
    certificate = x509.load_der_x509_certificate(data)
    with pytest.raises(ValueError, match="do not match"):
        certificate.verify_directly_issued_by(certificate)


def test_a_signature_that_is_none() -> None:
    certificate = x509.load_der_x509_certificate(_mint(issuer=_name("subject"), signature=b"\x00" * 64))
    assert certificate.signature == b"\x00" * 64
    with pytest.raises((InvalidSignature, TypeError, ValueError)):
        certificate.verify_directly_issued_by(certificate)


def test_names_and_keys_as_raw_bytes() -> None:
    name = _name("raw").public_bytes()
    assert name in _mint(subject=name)
    junk = bytes.fromhex("3006300406022a03")
    assert junk in _mint(public_key=junk)


def test_an_unknown_algorithm() -> None:
    with pytest.raises(KeyError):
        _mint(algorithm="md5")

"""The dict of `getpeercert()`, with OpenSSL as the judge."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import NameOID

from glasslock.adapters.peercert import decode

KEY = ec.generate_private_key(ec.SECP256R1())
ALL_NAMES = [
    NameOID.COMMON_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.STREET_ADDRESS,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.SERIAL_NUMBER,
    NameOID.SURNAME,
    NameOID.GIVEN_NAME,
    NameOID.TITLE,
    NameOID.INITIALS,
    NameOID.GENERATION_QUALIFIER,
    NameOID.DN_QUALIFIER,
    NameOID.PSEUDONYM,
    NameOID.USER_ID,
    NameOID.DOMAIN_COMPONENT,
    NameOID.EMAIL_ADDRESS,
    NameOID.JURISDICTION_LOCALITY_NAME,
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME,
    NameOID.BUSINESS_CATEGORY,
    NameOID.POSTAL_CODE,
    NameOID.UNSTRUCTURED_NAME,
    NameOID.ORGANIZATION_IDENTIFIER,
    x509.ObjectIdentifier("1.2.3.4.5"),
]


def _certificate(*extensions: x509.ExtensionType, subject: x509.Name | None = None, serial: int = 1) -> bytes:
    name = subject if subject is not None else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Zoë 名")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "CH")]))
        .public_key(KEY.public_key())
        .serial_number(serial)
        .not_valid_before(dt.datetime(2000, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2055, 12, 31, 23, 59, 59, tzinfo=dt.UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def _names(*kinds: x509.ObjectIdentifier) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, f"value of {kind.dotted_string}") for kind in kinds])


CASES = {
    "plain": _certificate(),
    "every name": _certificate(subject=_names(*ALL_NAMES)),
    "no name": _certificate(subject=x509.Name([])),
    "two in one": _certificate(
        subject=x509.Name(
            [
                x509.RelativeDistinguishedName(
                    [
                        x509.NameAttribute(NameOID.COMMON_NAME, "b"),
                        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "a"),
                    ]
                )
            ]
        )
    ),
    "odd serial": _certificate(serial=0xABC),
    "long serial": _certificate(serial=(1 << 158) + 5),
    "alternative names": _certificate(
        x509.SubjectAlternativeName(
            [
                x509.DNSName("example.org"),
                x509.DNSName("*.example.org"),
                x509.RFC822Name("someone@example.org"),
                x509.UniformResourceIdentifier("https://example.org/"),
                x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
                x509.IPAddress(ipaddress.ip_address("2001:db8::ab:1")),
                x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
                x509.DirectoryName(_names(NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)),
            ]
        )
    ),
    "places": _certificate(
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(Access.OCSP, x509.UniformResourceIdentifier("http://ocsp.example.org")),
                x509.AccessDescription(Access.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example.org/1")),
                x509.AccessDescription(Access.CA_ISSUERS, x509.UniformResourceIdentifier("http://a.example.org/2")),
                x509.AccessDescription(Access.CA_ISSUERS, x509.DNSName("no.url.example.org")),
            ]
        ),
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(
                    [x509.UniformResourceIdentifier("http://crl.example.org/1")],
                    relative_name=None,
                    reasons=None,
                    crl_issuer=None,
                ),
                x509.DistributionPoint(
                    [x509.UniformResourceIdentifier("http://crl.example.org/2")],
                    relative_name=None,
                    reasons=None,
                    crl_issuer=None,
                ),
            ]
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_as_openssl_does(case: str, tmp_path: Path) -> None:
    der = CASES[case]
    file = tmp_path / "certificate.pem"
    file.write_text(ssl.DER_cert_to_PEM_cert(der))
    assert decode(der) == ssl._ssl._test_decode_cert(str(file))


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_the_public_roots(tmp_path: Path) -> None:
    certifi = pytest.importorskip("certifi", reason="the certifi package is not installed")
    pems = Path(certifi.where()).read_text("ascii").split("-----BEGIN CERTIFICATE-----")[1:]
    assert len(pems) > 100
    for number, text in enumerate(pems[::10]):
        pem = f"-----BEGIN CERTIFICATE-----{text.partition('-----END')[0]}-----END CERTIFICATE-----\n"
        file = tmp_path / f"{number}.pem"
        file.write_text(pem)
        assert decode(ssl.PEM_cert_to_DER_cert(pem)) == ssl._ssl._test_decode_cert(str(file))

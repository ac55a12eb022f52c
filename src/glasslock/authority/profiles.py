"""What stands in each kind of certificate: RFC 5280 and the CA/Browser Forum's Baseline Requirements (BR).

Where the two leave a choice, the one is taken that strict verifiers accept (Python 3.13's VERIFY_X509_STRICT,
browsers, linters).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from .keys import PublicKey, key_identifier
from .mint import AnyExtension, extension
from .names import Constraints

DOMAIN_VALIDATED = x509.ObjectIdentifier("2.23.140.1.2.1")  # BR section 7.1.6.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where an issuer's certificate and its revocations can be fetched (http URLs).

    Empty where nobody serves them: a certificate should not point at what is not there.
    """

    issuer_url: str = ""  # the issuer's certificate in DER (RFC 5280 section 4.2.2.1)
    ocsp_url: str = ""
    crl_url: str = ""  # RFC 5280 section 4.2.1.13


NOWHERE = Services()


def root_extensions(public_key: PublicKey, constraints: Constraints | None) -> list[AnyExtension]:
    """Return those of a self-signed root (BR section 7.1.2.1), with its name constraints."""
    return [
        extension(x509.BasicConstraints(ca=True, path_length=None), critical=True),
        extension(_key_usage(certificates=True), critical=True),
        extension(x509.SubjectKeyIdentifier(key_identifier(public_key))),
        extension(x509.AuthorityKeyIdentifier(key_identifier(public_key), None, None)),
        *_constraints(constraints),
    ]


def intermediate_extensions(
    public_key: PublicKey, issuer: x509.Certificate, constraints: Constraints | None, services: Services
) -> list[AnyExtension]:
    """Return those of an intermediate that signs TLS certificates and no further CA (BR section 7.1.2.6).

    It carries the root's name constraints too, because a verifier need not look at those of a trust anchor
    (RFC 5280 section 6.2).
    """
    return [
        extension(x509.BasicConstraints(ca=True, path_length=0), critical=True),
        extension(_key_usage(certificates=True), critical=True),
        extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])),
        extension(_policies()),
        extension(x509.SubjectKeyIdentifier(key_identifier(public_key))),
        extension(_authority_key(issuer)),
        *_constraints(constraints),
        *_services(services),
    ]


def server_extensions(
    names: Sequence[x509.GeneralName], issuer: x509.Certificate, services: Services
) -> list[AnyExtension]:
    """Return those of a server certificate with an empty subject (BR section 7.1.2.7).

    The names are in subjectAltName alone, which is critical for that reason (RFC 5280 section 4.2.1.6);
    subjectKeyIdentifier is left out, as the BR recommend.
    """
    return [
        extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        extension(_key_usage(), critical=True),
        extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])),
        extension(_policies()),
        extension(x509.SubjectAlternativeName(names), critical=True),
        extension(_authority_key(issuer)),
        *_services(services),
    ]


def client_extensions(email: str, issuer: x509.Certificate, services: Services) -> list[AnyExtension]:
    """Return those of a client certificate, whose subject names its holder."""
    names = [extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]))] if email else []
    return [
        extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        extension(_key_usage(), critical=True),
        extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        *names,
        extension(_authority_key(issuer)),
        *_services(services),
    ]


def _key_usage(*, certificates: bool = False) -> x509.KeyUsage:
    """Return the usage of a CA (signing certificates and CRLs) or of anybody else (signing handshakes)."""
    return x509.KeyUsage(
        digital_signature=not certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _authority_key(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _policies() -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(DOMAIN_VALIDATED, None)])


def _constraints(constraints: Constraints | None) -> list[AnyExtension]:
    return [] if constraints is None else [extension(constraints.as_extension(), critical=True)]


def _services(services: Services) -> list[AnyExtension]:
    access = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
        for method, url in (
            (AuthorityInformationAccessOID.OCSP, services.ocsp_url),
            (AuthorityInformationAccessOID.CA_ISSUERS, services.issuer_url),
        )
        if url
    ]
    found: list[AnyExtension] = []
    if access:
        found.append(extension(x509.AuthorityInformationAccess(access)))
    if services.crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(services.crl_url)], None, None, None)
        found.append(extension(x509.CRLDistributionPoints([point])))
    return found

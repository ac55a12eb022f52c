"""A certificate in the shape of `ssl.SSLSocket.getpeercert()`: OpenSSL's names and formats, as a dict."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv6Address
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

Rdn = tuple[tuple[str, str], ...]

# OpenSSL's long names, where they differ from pyca's (which are RFC 4519's or close to it).
_LONG_NAMES = {
    NameOID.COMMON_NAME: "commonName",
    NameOID.COUNTRY_NAME: "countryName",
    NameOID.LOCALITY_NAME: "localityName",
    NameOID.STATE_OR_PROVINCE_NAME: "stateOrProvinceName",
    NameOID.STREET_ADDRESS: "streetAddress",
    NameOID.ORGANIZATION_NAME: "organizationName",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "organizationalUnitName",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.SURNAME: "surname",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.TITLE: "title",
    NameOID.INITIALS: "initials",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.X500_UNIQUE_IDENTIFIER: "x500UniqueIdentifier",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.USER_ID: "userId",
    NameOID.DOMAIN_COMPONENT: "domainComponent",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionCountryName",
    NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionLocalityName",
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionStateOrProvinceName",
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.UNSTRUCTURED_NAME: "unstructuredName",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
}


class PeerCertificate:
    """One certificate of a chain, as `SSLSocket.get_verified_chain()` of the C layer hands them out."""

    def __init__(self, der: bytes) -> None:
        self._der = der

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PeerCertificate) and self._der == other._der

    def __hash__(self) -> int:
        return hash(self._der)

    def __repr__(self) -> str:
        subject = x509.load_der_x509_certificate(self._der).subject
        return f"<{type(self).__name__} {subject.rfc4514_string()!r}>"

    def public_bytes(self, format: int = 2) -> bytes | str:  # noqa: A002 - the name is ssl's
        """DER for 2 (`_ssl.ENCODING_DER`), PEM text for 1."""
        if format == 2:
            return self._der
        return x509.load_der_x509_certificate(self._der).public_bytes(Encoding.PEM).decode("ascii")

    def get_info(self) -> dict[str, Any]:
        """The same as `getpeercert()`."""
        return decode(self._der)


def decode(der: bytes) -> dict[str, Any]:
    """The dict of `getpeercert()`. ValueError if the certificate cannot be read."""
    certificate = x509.load_der_x509_certificate(der)
    serial = f"{certificate.serial_number:X}"
    found: dict[str, Any] = {
        "subject": _name(certificate.subject),
        "issuer": _name(certificate.issuer),
        "version": certificate.version.value + 1,
        "serialNumber": serial if len(serial) % 2 == 0 else f"0{serial}",
        "notBefore": _time(certificate.not_valid_before_utc),
        "notAfter": _time(certificate.not_valid_after_utc),
    }
    for key, values in _from_extensions(certificate.extensions).items():
        if values:
            found[key] = tuple(values)
    return found


def _name(name: x509.Name) -> tuple[Rdn, ...]:
    return tuple(tuple((_long_name(part.oid), _text(part.value)) for part in rdn) for rdn in name.rdns)


def _long_name(oid: x509.ObjectIdentifier) -> str:
    return _LONG_NAMES.get(oid, oid.dotted_string)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _time(moment: datetime) -> str:
    """ASN1_TIME_print: `Jan  1 00:00:00 2000 GMT`, whatever the locale."""
    return f"{_MONTHS[moment.month]} {moment.day:2d} {moment:%H:%M:%S} {moment.year} GMT"


_MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _from_extensions(extensions: x509.Extensions) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {"subjectAltName": [], "OCSP": [], "caIssuers": [], "crlDistributionPoints": []}
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            found["subjectAltName"] = [_general_name(name) for name in value]
        elif isinstance(value, x509.AuthorityInformationAccess):
            for description in value:
                if isinstance(description.access_location, x509.UniformResourceIdentifier):
                    key = _ACCESS.get(description.access_method)
                    if key:
                        found[key].append(description.access_location.value)
        elif isinstance(value, x509.CRLDistributionPoints):
            found["crlDistributionPoints"] = [
                name.value
                for point in value
                for name in point.full_name or ()
                if isinstance(name, x509.UniformResourceIdentifier)
            ]
    return found


_ACCESS = {
    AuthorityInformationAccessOID.OCSP: "OCSP",
    AuthorityInformationAccessOID.CA_ISSUERS: "caIssuers",
}


def _general_name(name: x509.GeneralName) -> tuple[str, Any]:
    if isinstance(name, x509.DNSName):
        return "DNS", name.value
    if isinstance(name, x509.RFC822Name):
        return "email", name.value
    if isinstance(name, x509.UniformResourceIdentifier):
        return "URI", name.value
    if isinstance(name, x509.IPAddress):
        return "IP Address", _address(name)
    if isinstance(name, x509.DirectoryName):
        return "DirName", _name(name.value)
    if isinstance(name, x509.RegisteredID):
        return "Registered ID", name.value.dotted_string
    return "othername", "<unsupported>"


def _address(name: x509.IPAddress) -> str:
    """IPv6 as OpenSSL writes it: eight groups without leading zeros, none left out, in capitals."""
    address = name.value
    if address.version == 4:
        return str(address)
    packed = address.packed if isinstance(address, IPv6Address) else address.network_address.packed
    return ":".join(f"{packed[i] << 8 | packed[i + 1]:X}" for i in range(0, 16, 2))

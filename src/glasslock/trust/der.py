"""The few DER elements of a certificate that a decoded certificate no longer shows (X.690).

Only ever used on bytes that `cryptography` has already parsed as a whole certificate. It still checks every
length, so that a mistake here can be wrong but never endless.
"""

from __future__ import annotations

from dataclasses import dataclass

SEQUENCE = 0x30
INTEGER = 0x02
GENERALIZED_TIME = 0x18
EXPLICIT_VERSION = 0xA0


@dataclass(frozen=True, slots=True)
class Element:
    """One tag-length-value: `raw` is all of it, `content` the value alone."""

    tag: int
    raw: bytes
    content: bytes


def elements(data: bytes) -> list[Element]:
    """Split `data` into its consecutive elements. ValueError if a length does not fit."""
    found = []
    offset = 0
    while offset < len(data):
        header, length = _header(data, offset)
        end = offset + header + length
        if end > len(data):
            raise ValueError("a DER element ends beyond its container")
        found.append(Element(data[offset], data[offset:end], data[offset + header : end]))
        offset = end
    return found


def _header(data: bytes, offset: int) -> tuple[int, int]:
    """Size of the header at `offset` and length of the value after it, in bytes."""
    if offset + 2 > len(data):
        raise ValueError("a DER element ends within its header")
    length = data[offset + 1]
    if length < 0x80:
        return 2, length
    size = length & 0x7F
    if not 1 <= size <= 4 or offset + 2 + size > len(data):
        raise ValueError("a DER length is too long")
    return 2 + size, int.from_bytes(data[offset + 2 : offset + 2 + size], "big")


@dataclass(frozen=True, slots=True)
class CertificateFields:
    """What lies between the extensions and the signature of RFC 5280 section 4.1, as it was encoded."""

    serial: bytes  # the content of the INTEGER: two's complement, shortest form
    inner_algorithm: bytes  # TBSCertificate.signature, whole
    outer_algorithm: bytes  # Certificate.signatureAlgorithm, whole
    issuer: bytes  # Name, whole
    subject: bytes  # Name, whole
    not_before_generalized: bool  # GeneralizedTime rather than UTCTime
    not_after_generalized: bool
    key_algorithm: bytes  # SubjectPublicKeyInfo.algorithm, whole
    public_key: bytes  # SubjectPublicKeyInfo.subjectPublicKey without the count of unused bits


def certificate_fields(der: bytes) -> CertificateFields:
    """Take a certificate apart. ValueError if it is not built like one."""
    try:
        (certificate,) = elements(der)
        tbs, outer_algorithm, _signature = elements(certificate.content)
        fields = elements(tbs.content)
        if fields[0].tag == EXPLICIT_VERSION:
            fields = fields[1:]
        serial, inner_algorithm, issuer, validity, subject, key_info = fields[:6]
        not_before, not_after = elements(validity.content)
        key_algorithm, public_key = elements(key_info.content)
    except (ValueError, IndexError) as error:
        raise ValueError("not the structure of a certificate") from error
    return CertificateFields(
        serial=serial.content,
        inner_algorithm=inner_algorithm.raw,
        outer_algorithm=outer_algorithm.raw,
        issuer=issuer.raw,
        subject=subject.raw,
        not_before_generalized=not_before.tag == GENERALIZED_TIME,
        not_after_generalized=not_after.tag == GENERALIZED_TIME,
        key_algorithm=key_algorithm.raw,
        public_key=public_key.content[1:],
    )

"""The handful of DER encodings (X.690) that a certificate is put together from; everything else is pyca's."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.x509 import ObjectIdentifier

TRUE = b"\x01\x01\xff"
NULL = b"\x05\x00"


def tlv(tag: int, *contents: bytes) -> bytes:
    """Encode tag, length and contents (X.690 section 8.1); the tag is its one identifier byte."""
    body = b"".join(contents)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + body


def sequence(*contents: bytes) -> bytes:
    """Encode a SEQUENCE."""
    return tlv(0x30, *contents)


def explicit(number: int, *contents: bytes) -> bytes:
    """Encode `[number] EXPLICIT`, for numbers below 31."""
    return tlv(0xA0 | number, *contents)


def integer(value: int) -> bytes:
    """Encode an INTEGER of any size and sign, in as few bytes as it needs (X.690 section 8.3)."""
    magnitude = value if value >= 0 else ~value
    return tlv(0x02, value.to_bytes(magnitude.bit_length() // 8 + 1, signed=True))


def octet_string(data: bytes) -> bytes:
    """Encode an OCTET STRING."""
    return tlv(0x04, data)


def bit_string(data: bytes) -> bytes:
    """Encode a BIT STRING of whole bytes."""
    return tlv(0x03, b"\x00", data)


def object_identifier(oid: ObjectIdentifier) -> bytes:
    """Encode an OBJECT IDENTIFIER (X.690 section 8.19)."""
    first, second, *rest = (int(arc) for arc in oid.dotted_string.split("."))
    return tlv(0x06, *(_base128(arc) for arc in (first * 40 + second, *rest)))


def _base128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))


def time(moment: datetime) -> bytes:
    """Encode a Time as RFC 5280 section 4.1.2.5 wants it: UTCTime through 2049, then GeneralizedTime."""
    utc = moment.astimezone(UTC)
    if 1950 <= utc.year < 2050:
        return tlv(0x17, utc.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, f"{utc.year:04}{utc:%m%d%H%M%S}Z".encode())

"""Do the small numbers fit together: key identifiers, and a serial number that nobody can predict?"""

from __future__ import annotations

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate

from .base import Inputs, Place, remembered

LEAST_SERIAL_BITS = 64  # of randomness, Baseline Requirements section 7.1; a shorter number cannot hold them


def check_identifiers(place: Place) -> CheckRan:
    """RFC 5280 sections 4.1.2.2, 4.2.1.1 and 4.2.1.2. Nothing here is a reason to refuse."""
    certificate, issuer = place.certificate, place.issuer
    own, wanted = certificate.key_identifier, certificate.authority_key_identifier
    serial = certificate.serial
    offered = issuer.key_identifier if issuer is not None else None
    question = place.asks(
        "identifiers",
        "RFC 5280 sections 4.1.2.2 and 4.2.1.1",
        (*identifier_inputs(certificate), ("next certificate's key identifier", _hex(offered))),
    )
    lapses = []
    if serial <= 0:
        lapses.append("its serial number is not positive")
    elif len(certificate.fields.serial) > 20:
        lapses.append("its serial number is longer than 20 bytes")
    elif place.is_leaf and serial.bit_length() < LEAST_SERIAL_BITS - 16:
        # A random number of 64 bits begins with 16 zero bits once in 65,536 times.
        lapses.append(f"its serial number has only {serial.bit_length()} bits; 64 random ones make it unpredictable")
    if wanted is not None and offered is not None and wanted != offered:
        lapses.append("the next certificate's key identifier is not the one it names")
    if not place.is_leaf and own is None:
        lapses.append("a CA without a key identifier")
    return question.warned("; ".join(lapses)) if lapses else question.passed("fit together")


@remembered
def identifier_inputs(certificate: ParsedCertificate) -> Inputs:
    return (
        ("serial", f"{certificate.serial:x}"),
        ("key identifier", _hex(certificate.key_identifier)),
        ("issuer's key identifier", _hex(certificate.authority_key_identifier)),
    )


def _hex(identifier: bytes | None) -> str:
    return "none" if identifier is None else identifier[:32].hex()

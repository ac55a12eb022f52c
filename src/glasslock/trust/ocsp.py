"""What a stapled OCSP response says of a certificate, and whether to believe it (RFC 6960, RFC 9654).

A response counts only if it is signed by the certificate's issuer, or by a responder that the issuer certified
for that, is about this very certificate, and is of now.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from .certificate import ParsedCertificate
from .text import printable, span, stamp

CLOCK_SKEW = dt.timedelta(minutes=5)
MOST_AGE = dt.timedelta(days=10)  # Baseline Requirements section 4.9.10: no response is valid for longer
MOST_RESPONSES = 32
MOST_RESPONDERS = 4
ACCEPTED_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)


class Status(Enum):
    """What the response proves."""

    GOOD = "good"
    REVOKED = "revoked"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Staple:
    """The reading of a stapled response. `problem` says why it proves nothing."""

    status: Status
    problem: str = ""
    responder: str = ""
    this_update: dt.datetime | None = None
    next_update: dt.datetime | None = None
    revoked_at: dt.datetime | None = None
    reason: str = ""


class _Unbelievable(Exception):
    """Why a response proves nothing."""


def read_staple(response: bytes, leaf: ParsedCertificate, issuer: ParsedCertificate, now: dt.datetime) -> Staple:
    """Read a stapled response and judge it. Never raises: a response that cannot be believed proves nothing."""
    try:
        return _read(response, leaf, issuer, now)
    except _Unbelievable as error:
        return Staple(Status.NOTHING, problem=str(error))
    except Exception as error:  # noqa: BLE001 - whatever a hostile response does to the parser is one thing to us
        return Staple(Status.NOTHING, problem=f"cannot be read: {printable(str(error))}")


def _read(data: bytes, leaf: ParsedCertificate, issuer: ParsedCertificate, now: dt.datetime) -> Staple:
    response = ocsp.load_der_ocsp_response(data)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise _Unbelievable(f"the responder answered {response.response_status.name.lower().replace('_', ' ')}")
    single = _response_for(response, leaf, issuer)
    responder = _check_signer(response, issuer, now)
    this_update, next_update = single.this_update_utc, single.next_update_utc
    if this_update > now + CLOCK_SKEW:
        raise _Unbelievable(f"is from the future: {stamp(this_update)}")
    end = next_update if next_update is not None else this_update + MOST_AGE
    if end < now - CLOCK_SKEW:
        raise _Unbelievable(f"is out of date since {span(now - end)}")
    if single.certificate_status is ocsp.OCSPCertStatus.UNKNOWN:
        raise _Unbelievable("the responder does not know the certificate")
    revoked = single.certificate_status is ocsp.OCSPCertStatus.REVOKED
    reason = single.revocation_reason
    return Staple(
        status=Status.REVOKED if revoked else Status.GOOD,
        responder=responder,
        this_update=this_update,
        next_update=next_update,
        revoked_at=single.revocation_time_utc,
        reason=reason.value if reason is not None else "",
    )


def _response_for(
    response: ocsp.OCSPResponse, leaf: ParsedCertificate, issuer: ParsedCertificate
) -> ocsp.OCSPSingleResponse:
    """The answer about this certificate: serial, issuer's name and issuer's key must all be its own."""
    serial = int.from_bytes(leaf.fields.serial, "big", signed=True)
    for position, single in enumerate(response.responses):
        if position == MOST_RESPONSES:
            break
        if single.serial_number == serial and _names_issuer(single, issuer):
            return single
    raise _Unbelievable("is about another certificate")


def _names_issuer(single: ocsp.OCSPSingleResponse, issuer: ParsedCertificate) -> bool:
    algorithm = single.hash_algorithm
    return single.issuer_name_hash == _digest(algorithm, issuer.fields.subject) and (
        single.issuer_key_hash == _digest(algorithm, issuer.fields.public_key)
    )


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _check_signer(response: ocsp.OCSPResponse, issuer: ParsedCertificate, now: dt.datetime) -> str:
    """Who signed the response: the issuer, or a responder that it certified. Returns the name."""
    algorithm = response.signature_hash_algorithm
    if algorithm is not None and not isinstance(algorithm, ACCEPTED_HASHES):
        raise _Unbelievable(f"is signed using a weak algorithm: {algorithm.name}")
    candidates = [issuer, *_delegates(response, issuer, now)]
    for candidate in candidates:
        if _is_responder(response, candidate) and _signed(response, candidate):
            return candidate.title
    raise _Unbelievable("is not signed by the certificate's issuer, nor by a responder that it certified")


def _delegates(response: ocsp.OCSPResponse, issuer: ParsedCertificate, now: dt.datetime) -> list[ParsedCertificate]:
    """Certificates in the response that the issuer made for signing responses (RFC 6960 section 4.2.2.2)."""
    found = []
    for certificate in response.certificates[:MOST_RESPONDERS]:
        delegate = ParsedCertificate.from_x509(certificate)
        usage = delegate.find(x509.ExtendedKeyUsage)
        certified = usage is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usage.value
        in_date = delegate.not_before <= now <= delegate.not_after
        if certified and in_date and delegate.signed_by(issuer):
            found.append(delegate)
    return found


def _is_responder(response: ocsp.OCSPResponse, candidate: ParsedCertificate) -> bool:
    if response.responder_name is not None:
        return response.responder_name.public_bytes() == candidate.fields.subject
    # RFC 6960 section 4.2.1: a SHA-1 hash here names the key; nothing rests on its strength.
    return response.responder_key_hash == _digest(hashes.SHA1(), candidate.fields.public_key)


def _signed(response: ocsp.OCSPResponse, candidate: ParsedCertificate) -> bool:
    key = candidate.public_key()
    algorithm = response.signature_hash_algorithm
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(signature, signed, ec.ECDSA(algorithm))
        elif isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return True

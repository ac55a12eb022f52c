"""The client shows who it is, if the server asks (RFC 9846 sections 4.4.2 and 4.5.1)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ...registry import ExtensionType, SignatureScheme, members
from ...trace import Step
from ..config import ClientConfig
from ..credentials import Credential, best_chain
from ..wire import extensions as ext
from ..wire.messages import CertificateRequest
from .authentication import PeerWishes, choose_scheme, send_certificate, send_certificate_verify
from .context import Handshake, Question, Wait, illegal, missing
from .placement import CERTIFICATE_REQUEST, check_placement

_E = members(ExtensionType)


def read_certificate_request(request: CertificateRequest, context: bytes | None) -> None:
    """Checks a request; `context` is the one it must have, None after the handshake, where it is the server's."""
    if context is not None and request.context != context:
        raise illegal(
            "certificate-context",
            "a CertificateRequest in the handshake must have no context",
            "RFC 9846 section 4.4.2",
        )
    check_placement(request.extensions, CERTIFICATE_REQUEST, "CertificateRequest")
    if _E.SIGNATURE_ALGORITHMS not in request.extensions:
        raise missing("signature_algorithms", "CertificateRequest")
    for kind, data in request.extensions.items():
        if kind in (_E.SIGNATURE_ALGORITHMS, _E.SIGNATURE_ALGORITHMS_CERT):
            ext.read_u16_vector(data, ExtensionType(kind).name.lower())
        elif kind == _E.CERTIFICATE_AUTHORITIES:
            ext.read_certificate_authorities(data)
        elif kind == _E.COMPRESS_CERTIFICATE:
            ext.read_compression_algorithms(data)


def answer_certificate_request(
    hs: Handshake, config: ClientConfig, request: CertificateRequest
) -> Generator[Wait | Question, Any, None]:
    """Certificate and CertificateVerify; an empty Certificate if we have none that the server would take."""
    wishes = server_wishes(request)
    authorities: tuple[bytes, ...] = ()
    if _E.CERTIFICATE_AUTHORITIES in request.extensions:
        authorities = ext.read_certificate_authorities(request.extensions[_E.CERTIFICATE_AUTHORITIES])
    credential = choose_client_credential(hs, config.credentials, wishes, authorities, "RFC 9846 section 4.5.1.2")
    send_certificate(hs, credential, wishes, request.context)
    if credential is not None:
        hs.agreed.client_signature_scheme = yield from send_certificate_verify(hs, credential, wishes)


def server_wishes(request: CertificateRequest) -> PeerWishes:
    """What the server said about the certificate it wants."""
    found = request.extensions
    compression: tuple[int, ...] = ()
    if _E.COMPRESS_CERTIFICATE in found:
        compression = ext.read_compression_algorithms(found[_E.COMPRESS_CERTIFICATE])
    schemes = ext.read_u16_vector(found[_E.SIGNATURE_ALGORITHMS], "signature_algorithms")
    certificate_schemes = schemes
    if _E.SIGNATURE_ALGORITHMS_CERT in found:
        certificate_schemes = ext.read_u16_vector(found[_E.SIGNATURE_ALGORITHMS_CERT], "signature_algorithms_cert")
    return PeerWishes(
        schemes=schemes,
        certificate_schemes=certificate_schemes,
        wants_ocsp=_E.STATUS_REQUEST in found,
        wants_scts=_E.SIGNED_CERTIFICATE_TIMESTAMP in found,
        compression=compression,
    )


def choose_client_credential(
    hs: Handshake,
    credentials: Sequence[Credential],
    wishes: PeerWishes,
    authorities: tuple[bytes, ...],
    rule: str,
) -> Credential | None:
    """Among our certificates that the server can check: the first from an authority that it named, else the first."""
    usable = [
        credential
        for credential in credentials
        if credential.certificate_type == hs.agreed.own_certificate_type
        and choose_scheme(credential, wishes.schemes, hs.agreed.version) is not None
        and credential.suits_authorities(authorities)
    ]
    named = [credential for credential in usable if credential.issuers.intersection(authorities)]
    chosen = best_chain(named or usable, wishes.certificate_schemes)
    hs.decided(
        "client_certificate",
        "shown" if chosen else "none",
        offered=wishes.schemes,
        kind=SignatureScheme,
        why="the first of ours that the server can check" if chosen else "we have none that the server would take",
        rule=rule,
        step=Step.IDENTIFY,
    )
    return chosen

"""The server asks who the client is, and reads the answer (RFC 9846 sections 4.4.2 and 4.5)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import NegotiationFailed
from ...registry import AlertDescription, ExtensionType, members
from ..config import ServerConfig
from ..wire import extensions as ext
from ..wire.messages import Certificate, CertificateRequest, CertificateVerify, Extensions
from .authentication import (
    VerificationRequest,
    check_certificate_verify,
    read_certificate,
    schemes_in_certificate_verify,
    verify_peer,
)
from .context import Handshake, Question, Wait
from .grease import Grease
from .peer_key import peer_key

_E = members(ExtensionType)


def certificate_request(config: ServerConfig, context: bytes = b"") -> CertificateRequest:
    """Which signatures we can check and which authorities we trust."""
    extensions: Extensions = {_E.SIGNATURE_ALGORITHMS: ext.write_u16_vector(config.signature_schemes)}
    if config.client_certificate_authorities:
        extensions[_E.CERTIFICATE_AUTHORITIES] = ext.write_certificate_authorities(
            config.client_certificate_authorities
        )
    if config.certificate_compression:
        extensions[_E.COMPRESS_CERTIFICATE] = ext.write_compression_algorithms(config.certificate_compression)
    if config.grease:
        extensions = Grease.drawn(config.random).around(extensions)
    return CertificateRequest(context, extensions)


def authenticate_client(
    hs: Handshake, config: ServerConfig, certificate: Certificate, context: bytes = b""
) -> Generator[Wait | Question, Any, VerificationRequest | None]:
    """The client's certificates, once they are proved and verified; None if it has none and need not have one."""
    shown = read_certificate(hs, certificate, frozenset(), context)
    if shown is None:
        if config.require_client_certificate:
            raise NegotiationFailed(
                AlertDescription.CERTIFICATE_REQUIRED,
                "certificate-required",
                "the client sent no certificate, and this server requires one",
                "RFC 9846 section 4.5.1.3",
            )
        return None
    key = peer_key(shown.chain[0], shown.certificate_type)
    signed = hs.transcript.digest()
    proof = yield from hs.expect(CertificateVerify)
    check_certificate_verify(hs, key, proof, signed, schemes_in_certificate_verify(config.signature_schemes))
    hs.agreed.client_signature_scheme = proof.scheme
    yield from verify_peer(hs, config.client_verifier, shown)
    return shown

"""Certificate and CertificateVerify: how one side proves who it is, and how the other checks (RFC 9846 section 4.5).

The same for both roles; only the words around the signature differ.
"""

from __future__ import annotations

from collections.abc import Generator
from functools import lru_cache, partial
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from ... import trace
from ...errors import (
    CertificateRefused,
    ConfigurationError,
    GlasslockError,
    NegotiationFailed,
    PeerMisbehaved,
)
from ...registry import (
    TLS_1_3,
    AlertDescription,
    CertificateType,
    ExtensionType,
    HandshakeType,
    Side,
    SignatureScheme,
    name_of,
)
from ...trace import Outcome, Step
from ..config import PeerVerifier
from ..credentials import Credential
from ..keys.signatures import signed_content, verify
from ..wire.codec import decode_error
from ..wire.compression import compress, decompress
from ..wire.extensions import check_sct_list, read_ocsp_status, write_ocsp_status
from ..wire.messages import Certificate, CertificateEntry, CertificateVerify, CompressedCertificate, frame
from .context import Handshake, Question, Wait, illegal
from .peer_key import PeerKey, RawPeerKey
from .placement import CERTIFICATE, check_solicited

if TYPE_CHECKING:
    from ..raw_keys import RawKeyVerifier

_RULE = "RFC 9846 section 4.5"


# --- our own proof --------------------------------------------------------------------------------


def choose_scheme(credential: Credential, peer_schemes: tuple[int, ...], version: int) -> int | None:
    """The first scheme of the credential that the peer accepts, or None."""
    for scheme in credential.schemes(version):
        if scheme in peer_schemes:
            return scheme
    return None


def no_common_scheme() -> NegotiationFailed:
    return NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "no-common-signature-scheme",
        "our certificate's key cannot sign in any way that the peer accepts",
        "RFC 9846 section 4.3.3",
    )


class PeerWishes(NamedTuple):
    """What the other side said about the certificate it wants to see."""

    schemes: tuple[int, ...]
    wants_ocsp: bool = False
    wants_scts: bool = False
    compression: tuple[int, ...] = ()
    certificate_schemes: tuple[int, ...] = ()  # for the signatures of certificates


def send_certificate(hs: Handshake, credential: Credential | None, wishes: PeerWishes, context: bytes = b"") -> None:
    """Certificate: ours, or an empty one from a client that has none."""
    if credential is None:
        hs.send(Certificate((), context))
        return
    hs.agreed.credential = credential
    ocsp = credential.ocsp_response if wishes.wants_ocsp else None
    scts = credential.sct_list if wishes.wants_scts else None
    algorithm = next((one for one in hs.config.certificate_compression if one in wishes.compression), None)
    # The request's context is the server's choice for each request: such a message is made once and no more.
    make = _certificate_message.__wrapped__ if context else _certificate_message
    kind, raw = make(credential.chain, ocsp, scts, context, algorithm, hs.config.compress_certificates_above)
    hs.send_raw(kind, raw)


@lru_cache(maxsize=256)
def _certificate_message(
    chain: tuple[bytes, ...],
    ocsp: bytes | None,
    scts: bytes | None,
    context: bytes,
    algorithm: int | None,
    compress_above: int,
) -> tuple[HandshakeType, bytes]:
    """Certificate or CompressedCertificate: the same for every peer with the same wishes, and not cheap to make."""
    entries = tuple(CertificateEntry(der) for der in chain)
    if ocsp:
        entries[0].extensions[ExtensionType.STATUS_REQUEST] = write_ocsp_status(ocsp)
    if scts:
        entries[0].extensions[ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP] = scts
    certificate = Certificate(entries, context)
    body = certificate.body()
    if algorithm is None or len(body) <= compress_above:
        return certificate.type, frame(certificate.type, body)
    compressed = CompressedCertificate(algorithm, len(body), compress(algorithm, body))
    return compressed.type, compressed.encode()


def send_certificate_verify(
    hs: Handshake, credential: Credential, wishes: PeerWishes
) -> Generator[Wait | Question, Any, int]:
    """CertificateVerify over everything up to our Certificate; returns the scheme."""
    scheme = choose_scheme(credential, wishes.schemes, TLS_1_3)
    if scheme is None:
        raise no_common_scheme()
    content = signed_content(hs.side, hs.transcript.digest())
    signature = yield from sign(hs, credential, scheme, content)
    if hs.observer is not None:
        hs.decided(
            "signature_scheme",
            scheme,
            offered=wishes.schemes,
            supported=credential.schemes(TLS_1_3),
            kind=SignatureScheme,
            why="our first scheme that the peer accepts",
            rule="RFC 9846 section 4.3.3",
            step=Step.IDENTIFY,
        )
    hs.send(CertificateVerify(scheme, signature))
    return scheme


def sign(hs: Handshake, credential: Credential, scheme: int, content: bytes) -> Generator[Question, Any, bytes]:
    """A signature from whoever holds the key; it may take its time."""
    request = SignatureRequest(credential, scheme, content)
    now = partial(_sign_now, credential, scheme, content)
    signature: bytes = yield from hs.ask(credential.signer, "sign", request, now, (bytes,))
    return signature


def _sign_now(credential: Credential, scheme: int, content: bytes) -> bytes:
    try:
        return credential.signer.sign(scheme, content)
    except GlasslockError:
        raise
    except Exception as problem:  # a signer is foreign code: whatever it raises must not leave the engine
        raise ConfigurationError(f"the signer failed: {problem!r}") from problem


class SignatureRequest(NamedTuple):
    """The subject of a `sign` question: the answer is the signature."""

    credential: Credential
    scheme: int
    content: bytes


# --- the peer's proof -----------------------------------------------------------------------------


class VerificationRequest(NamedTuple):
    """What the peer showed, to be judged: the subject of a `verify` question.

    The answer is None, or the verifier's exception is handed in.
    """

    chain: tuple[bytes, ...]
    server_name: str | None
    ocsp_response: bytes | None
    sct_list: bytes | None
    certificate_type: int = CertificateType.X509


def open_certificate(hs: Handshake, message: Certificate | CompressedCertificate) -> Certificate:
    """The Certificate inside a CompressedCertificate (RFC 8879 section 4)."""
    if isinstance(message, Certificate):
        return message
    if message.algorithm not in hs.config.certificate_compression:
        raise illegal(
            "unknown-compression",
            "the certificate is compressed in a way that we did not offer",
            "RFC 8879 section 4",
        )
    limit = hs.config.limits.certificate_message
    if not 0 < message.uncompressed_length <= limit:
        raise PeerMisbehaved(
            AlertDescription.BAD_CERTIFICATE,
            "certificate-too-large",
            f"the certificate would have {message.uncompressed_length} bytes uncompressed; {limit} are allowed",
            "RFC 8879 section 4",
        )
    body = decompress(message.algorithm, message.compressed, message.uncompressed_length)
    return Certificate.parse_body(body)


def read_certificate(
    hs: Handshake,
    message: Certificate,
    offered: frozenset[int],
    context: bytes = b"",
    server_name: str | None = None,
) -> VerificationRequest | None:
    """The peer's chain, to be judged; None if it is empty. `offered` are the extensions that we asked with."""
    if message.context != context:
        raise illegal("certificate-context", "Certificate answers another request than ours", _RULE + ".1")
    if len(message.entries) > hs.config.limits.certificates:
        raise PeerMisbehaved(
            AlertDescription.BAD_CERTIFICATE,
            "too-many-certificates",
            f"the peer sent {len(message.entries)} certificates; {hs.config.limits.certificates} are allowed",
            _RULE + ".1",
        )
    for entry in message.entries:
        check_solicited(entry.extensions, offered, CERTIFICATE, "Certificate")
        for kind, data in entry.extensions.items():
            if kind == ExtensionType.STATUS_REQUEST:
                read_ocsp_status(data)
            elif kind == ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP:
                check_sct_list(data)
    if not message.entries:
        return None
    kind = hs.agreed.peer_certificate_type
    if kind == CertificateType.RAW_PUBLIC_KEY and len(message.entries) != 1:
        raise decode_error("Certificate holds more than the one raw public key", _RULE + ".1")
    leaf = message.entries[0].extensions
    status = leaf.get(ExtensionType.STATUS_REQUEST)
    shown = VerificationRequest(
        chain=tuple(entry.data for entry in message.entries),
        server_name=server_name,
        ocsp_response=None if status is None else read_ocsp_status(status),
        sct_list=leaf.get(ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP),
        certificate_type=kind,
    )
    if hs.observer is not None:
        hs.tell(
            trace.CertificatesReceived(
                time=hs.now(),
                side=hs.side,
                chain=shown.chain,
                ocsp_response=shown.ocsp_response,
                sct_list=shown.sct_list,
                certificate_type=kind,
            )
        )
    return shown


def keep_certificates(hs: Handshake, shown: VerificationRequest) -> None:
    """The peer is who this says."""
    hs.agreed.peer_chain = shown.chain
    hs.agreed.peer_ocsp_response = shown.ocsp_response
    hs.agreed.peer_sct_list = shown.sct_list


def check_certificate_verify(
    hs: Handshake,
    key: PeerKey | RawPeerKey,
    message: CertificateVerify,
    transcript_hash: bytes,
    offered: tuple[int, ...],
) -> None:
    """The peer holds the key of its certificate, and this handshake is the one that it signed."""
    if message.scheme not in offered:
        raise illegal(
            "wrong-signature-type",
            f"the peer signed with {name_of(SignatureScheme, message.scheme)}, which was not offered",
            _RULE + ".2",
        )
    content = signed_content(hs.side.peer, transcript_hash)
    outcome = Outcome.FAILED
    try:
        verify(key.key, key.kind, message.scheme, message.signature, content, TLS_1_3)
        outcome = Outcome.PASSED
    finally:
        if hs.observer is not None:
            hs.tell(
                trace.SignatureChecked(
                    time=hs.now(),
                    side=hs.side,
                    scheme=message.scheme,
                    outcome=outcome,
                    signed=content,
                    signature=message.signature,
                )
            )


def psk_required() -> NegotiationFailed:
    return NegotiationFailed(
        AlertDescription.MISSING_EXTENSION,
        "psk-required",
        "the server does not know our pre-shared key, and there is nobody to say whether its certificate is good",
        "RFC 9846 section 4.3.11",
    )


def verify_peer(
    hs: Handshake, verifier: PeerVerifier | None, request: VerificationRequest
) -> Generator[Question, Any, None]:
    """Hands the chain to whoever the config names, and waits for the answer."""
    raw = request.certificate_type == CertificateType.RAW_PUBLIC_KEY
    judge = hs.config.raw_key_verifier if raw else verifier
    if judge is None:
        raise psk_required()
    now = partial(_verify_now, judge, request, hs)
    yield from hs.ask(judge, "verify", request, now, (NoneType,))


def kept_certificates(hs: Handshake, server_name: str | None) -> VerificationRequest:
    """The reverse of `keep_certificates`."""
    agreed = hs.agreed
    return VerificationRequest(
        agreed.peer_chain,
        server_name,
        agreed.peer_ocsp_response,
        agreed.peer_sct_list,
        agreed.peer_certificate_type,
    )


def verify_again(
    hs: Handshake, verifier: PeerVerifier | None, server_name: str | None
) -> Generator[Question, Any, None]:
    """In a resumption: what was good then may have expired, been revoked or lost our trust since."""
    nobody_asks = hs.side is Side.SERVER and verifier is None and hs.config.raw_key_verifier is None
    if hs.agreed.peer_chain and hs.config.verify_resumed and not nobody_asks:
        yield from verify_peer(hs, verifier, kept_certificates(hs, server_name))


def _verify_now(verifier: PeerVerifier | RawKeyVerifier, request: VerificationRequest, hs: Handshake) -> object:
    """None is the only good answer: a verifier that returns False instead of raising must not pass for consent."""
    foreign: Any = verifier
    try:
        if request.certificate_type == CertificateType.RAW_PUBLIC_KEY:
            return foreign.verify_raw_key(request.chain[0], request.server_name)
        return foreign.verify(
            request.chain,
            request.server_name,
            ocsp_response=request.ocsp_response,
            sct_list=request.sct_list,
            observer=hs.observer,
            side=hs.side,
        )
    except GlasslockError:
        raise
    except Exception as problem:  # a verifier is foreign code, and what it cannot digest is not verified
        raise CertificateRefused(
            AlertDescription.CERTIFICATE_UNKNOWN,
            "verifier-failed",
            f"the certificate verifier failed: {problem!r}",
        ) from problem


@lru_cache(maxsize=64)
def schemes_in_certificate_verify(schemes: tuple[int, ...]) -> tuple[int, ...]:
    """Of what we advertise, what may sign a TLS 1.3 handshake: never PKCS#1 v1.5, never SHA-1."""
    return tuple(s for s in schemes if s not in _CERTIFICATES_ONLY)


_CERTIFICATES_ONLY = frozenset(
    {
        SignatureScheme.RSA_PKCS1_SHA1,
        SignatureScheme.RSA_PKCS1_SHA256,
        SignatureScheme.RSA_PKCS1_SHA384,
        SignatureScheme.RSA_PKCS1_SHA512,
        SignatureScheme.ECDSA_SHA1,
    }
)

"""The client's handshake of TLS 1.2 (RFC 5246 section 7.3), with the extensions that make it safe.

      Client                                               Server

      ClientHello             -------->
                                                      ServerHello
                                                      Certificate
                                               CertificateStatus*
                                               ServerKeyExchange*
                                              CertificateRequest*
                              <--------           ServerHelloDone
      Certificate*
      ClientKeyExchange
      CertificateVerify*
      [ChangeCipherSpec]
      Finished                -------->
                                                NewSessionTicket*
                                               [ChangeCipherSpec]
                              <--------                  Finished

A resumption leaves out everything between ServerHello and the server's NewSessionTicket, and the server's
Finished comes first. Nothing but what follows ChangeCipherSpec is encrypted: whoever listens sees the
certificate.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ... import trace
from ...errors import NegotiationFailed, PeerMisbehaved
from ...registry import AlertDescription, CipherSuite, ExtensionType, NamedGroup, members, name_of
from ..config import ClientConfig
from ..ech.client import end_if_rejected
from ..events import TicketReceived
from ..keys import groups as key_groups
from ..keys.signatures import CURVE_OF_KEY, signature_of
from ..keys.suites import SUITES_12, Suite12
from ..session import MAX_TICKET_LIFETIME, Session
from ..wire import extensions as ext
from ..wire.messages import CertificateVerify, ServerHello
from ..wire.messages12 import (
    CLIENT_CERTIFICATE_TYPES,
    CertificateRequest12,
    CertificateStatus,
    ClientKeyExchange,
    HelloRequest,
    NewSessionTicket12,
    ServerHelloDone,
    ServerKeyExchange,
    certificate12,
)
from .authentication import PeerWishes, kept_certificates, verify_again, verify_peer
from .certificate_types import accept_certificate_types
from .client13 import accept_protocol
from .client_certificate import choose_client_credential
from .client_hello import Offer
from .completion import complete
from .context import Handshake, HandshakeScript, Question, Script, Wait, illegal
from .keys12 import Secrets12, check_signature12, key_suits, sign12, tell_exchange
from .peer_key import PeerKey, RawPeerKey, peer_key
from .placement import check_solicited

_E = members(ExtensionType)

SERVER_HELLO_12 = frozenset(
    {
        _E.SERVER_NAME,
        _E.STATUS_REQUEST,
        _E.SUPPORTED_GROUPS,  # no server should say them, but some do; it means nothing
        _E.CLIENT_CERTIFICATE_TYPE,
        _E.SERVER_CERTIFICATE_TYPE,
        _E.EC_POINT_FORMATS,
        _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        _E.SIGNED_CERTIFICATE_TIMESTAMP,
        _E.EXTENDED_MAIN_SECRET,
        _E.RECORD_SIZE_LIMIT,
        _E.SESSION_TICKET,
        _E.RENEGOTIATION_INFO,
    }
)


def client12(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> HandshakeScript:
    """From the ServerHello on."""
    resumption = is_resumption(offer, hello)
    suite = accept_hello(hs, config, offer, hello)
    hs.skip_hello_requests = True
    if resumption:
        yield from resume(hs, config, offer, hello)
    else:
        yield from full_handshake(hs, config, offer, hello, suite)
    complete(hs)
    return after_handshake(hs, config)


# --- ServerHello ----------------------------------------------------------------------------------


def accept_hello(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Suite12:
    """The server's choices, all in the clear (RFC 5246 section 7.4.1.3)."""
    found = hello.extensions
    # What we asked of TLS 1.3 alone, we did not ask of TLS 1.2.
    check_solicited(found, SERVER_HELLO_12 & offer.extensions.keys(), SERVER_HELLO_12, "ServerHello")
    if hello.compression_method != 0:
        raise illegal("compression", "the server chose a compression method", "RFC 5246 section 7.4.1.3")
    if hello.cipher_suite not in config.suites_12:
        raise illegal(
            "suite-not-offered",
            f"the server chose {name_of(CipherSuite, hello.cipher_suite)}, which was not offered for TLS 1.2",
            "RFC 5246 section 7.4.1.3",
        )
    agreed = hs.agreed
    agreed.cipher_suite = hello.cipher_suite
    agreed.server_random = hello.random
    hs.decided(
        "cipher_suite",
        hello.cipher_suite,
        offered=offer.hello.cipher_suites,
        kind=CipherSuite,
        why="the server's choice",
    )
    if found.get(_E.RENEGOTIATION_INFO, b"\x00") != b"\x00":
        raise PeerMisbehaved(
            AlertDescription.HANDSHAKE_FAILURE,
            "renegotiation-mismatch",
            "the server believes that this is a renegotiation",
            "RFC 5746 section 3.4",
        )
    agreed.secure_renegotiation = _E.RENEGOTIATION_INFO in found
    if config.require_secure_renegotiation and not agreed.secure_renegotiation:
        raise NegotiationFailed(
            AlertDescription.HANDSHAKE_FAILURE,
            "no-secure-renegotiation",
            "the server does not know renegotiation_info: what somebody else said to it before could count as ours",
            "RFC 5746 section 4.1",
        )
    for kind in (_E.SERVER_NAME, _E.STATUS_REQUEST, _E.EXTENDED_MAIN_SECRET, _E.SESSION_TICKET):
        if kind in found:
            ext.read_empty(found[kind], kind)
    if _E.EC_POINT_FORMATS in found and 0 not in ext.read_u8_vector(found[_E.EC_POINT_FORMATS], "ec_point_formats"):
        raise illegal("point-formats", "the server does not know uncompressed points", "RFC 8422 section 5.1.2")
    if _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION in found:
        accept_protocol(hs, config, found[_E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION])
    if _E.RECORD_SIZE_LIMIT in found:
        hs.limit_records(config.record_size_limit, ext.read_record_size_limit(found[_E.RECORD_SIZE_LIMIT]))
    if _E.SIGNED_CERTIFICATE_TIMESTAMP in found:
        ext.check_sct_list(found[_E.SIGNED_CERTIFICATE_TIMESTAMP])
        agreed.peer_sct_list = found[_E.SIGNED_CERTIFICATE_TIMESTAMP]
    agreed.extended_main_secret = _E.EXTENDED_MAIN_SECRET in found
    if config.require_extended_main_secret and not agreed.extended_main_secret:
        raise NegotiationFailed(
            AlertDescription.HANDSHAKE_FAILURE,
            "no-extended-main-secret",
            "the server does not bind its keys to the handshake (extended_main_secret), which this client requires",
            "RFC 7627 section 5.2",
        )
    return SUITES_12[hello.cipher_suite]


def is_resumption(offer: Offer, hello: ServerHello) -> bool:
    """The server resumes by echoing the session id that we sent (RFC 5246 section 7.4.1.3, RFC 5077 section 3.4)."""
    if not hello.session_id or hello.session_id != offer.hello.session_id:
        return False
    if offer.session12 is None:  # our session id meant nothing, or stood in an outer hello (RFC 9849)
        raise illegal("session-id-echo", "the server resumes a session that it was not offered", "RFC 5246 section 7.4")
    return True


def resume(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> Script:
    """The short handshake: the server proves first that it still has the secret."""
    session = offer.session12
    agreed = hs.agreed
    if session is None:
        return
    if hello.cipher_suite != session.cipher_suite:
        raise illegal("resumed-suite", "the resumed session had another cipher suite", "RFC 5246 section 7.4.1.3")
    if session.extended_main_secret != agreed.extended_main_secret:
        raise PeerMisbehaved(
            AlertDescription.HANDSHAKE_FAILURE,
            "resumed-ems-mismatch" if session.extended_main_secret else "resumed-ems-added",
            "the resumed session and this handshake differ in extended_main_secret",
            "RFC 7627 section 5.3",
        )
    agreed.resumed = True
    agreed.session_began_at = session.began_at or session.issued_at
    agreed.peer_chain = session.peer_chain
    agreed.peer_certificate_type = session.peer_certificate_type
    agreed.peer_ocsp_response = session.peer_ocsp_response
    agreed.peer_sct_list = session.peer_sct_list
    agreed.group = session.group or None
    agreed.signature_scheme = session.signature_scheme or None
    hs.decided("resumption", "session", why="the server knows the session", rule="RFC 5077")
    hs.transcript.start(SUITES_12[hello.cipher_suite].hash_name)
    secrets = Secrets12(hs, session.psk)
    yield from verify_again(hs, config.verifier, agreed.server_name)
    ticket = None
    if _E.SESSION_TICKET in hello.extensions:
        ticket = yield from hs.expect(NewSessionTicket12)
    yield from secrets.read_finished()
    secrets.send_finished()
    if ticket is not None:
        keep_session(hs, secrets, ticket, b"")


# --- the full handshake ---------------------------------------------------------------------------


def full_handshake(
    hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello, suite: Suite12
) -> Generator[Wait | Question, Any, None]:
    """Certificate, key exchange, Finished."""
    accept_certificate_types(hs, config, hello.extensions)
    key = yield from authenticate_server(hs, config, hello, suite)
    share = None
    if suite.ephemeral:
        share = yield from read_server_share(hs, config, key)
    message = yield from hs.expect(CertificateRequest12, ServerHelloDone)
    request = None
    if isinstance(message, CertificateRequest12):
        request = message
        yield from hs.expect(ServerHelloDone)
    hs.refuse_unread("something follows ServerHelloDone before our answer")
    yield from verify_peer(hs, config.verifier, kept_certificates(hs, hs.agreed.server_name))

    secrets = yield from answer(hs, config, suite, key, share, request)
    secrets.send_finished()
    ticket = None
    if _E.SESSION_TICKET in hello.extensions:
        ticket = yield from hs.expect(NewSessionTicket12)
    yield from secrets.read_finished()
    end_if_rejected(offer)
    keep_session(hs, secrets, ticket, hello.session_id)


def authenticate_server(
    hs: Handshake, config: ClientConfig, hello: ServerHello, suite: Suite12
) -> Generator[Wait | Question, Any, PeerKey | RawPeerKey]:
    """Certificate and CertificateStatus: read and kept; judged once the server has had its say."""
    agreed = hs.agreed
    message = yield from hs.expect(certificate12(agreed.peer_certificate_type))
    if not message.chain:
        raise PeerMisbehaved(
            AlertDescription.DECODE_ERROR, "no-certificate", "the server sent no certificate", "RFC 5246 section 7.4.2"
        )
    if len(message.chain) > config.limits.certificates:
        raise PeerMisbehaved(
            AlertDescription.BAD_CERTIFICATE,
            "too-many-certificates",
            f"the peer sent {len(message.chain)} certificates; {config.limits.certificates} are allowed",
        )
    agreed.peer_chain = message.chain
    usage = "digital_signature" if suite.ephemeral else "key_encipherment"
    key = peer_key(message.chain[0], agreed.peer_certificate_type, usage)
    if not key_suits(suite, key.kind):
        raise illegal(
            "wrong-certificate-type",
            f"the server's certificate has a key of the kind {key.kind}, which does not go with the cipher suite",
            "RFC 5246 section 7.4.2",
        )
    curve = CURVE_OF_KEY.get(key.kind)
    if curve is not None and curve not in config.groups:
        raise illegal(
            "certificate-curve",
            f"the server's certificate has a key on the curve {key.kind}, which was not offered",
            "RFC 8422 section 5.3",
        )
    if _E.STATUS_REQUEST in hello.extensions and (yield from hs.peek()) == CertificateStatus.type:
        status = yield from hs.expect(CertificateStatus)
        agreed.peer_ocsp_response = status.ocsp_response
    if hs.observer is not None:
        hs.tell(
            trace.CertificatesReceived(
                time=hs.now(),
                side=hs.side,
                rule="RFC 5246 section 7.4.2",
                chain=agreed.peer_chain,
                ocsp_response=agreed.peer_ocsp_response,
                sct_list=agreed.peer_sct_list,
                certificate_type=agreed.peer_certificate_type,
            )
        )
    return key


def read_server_share(
    hs: Handshake, config: ClientConfig, key: PeerKey | RawPeerKey
) -> Generator[Wait, Any, tuple[int, bytes]]:
    """ServerKeyExchange: the server's ECDHE share, signed over both randoms (RFC 8422 section 5.4)."""
    message = yield from hs.expect(ServerKeyExchange)
    if message.group not in config.groups or message.group not in key_groups.CLASSICAL:
        raise illegal(
            "wrong-group",
            f"the server chose the group {name_of(NamedGroup, message.group)}, which was not offered for TLS 1.2",
            "RFC 8422 section 5.4",
        )
    agreed = hs.agreed
    content = agreed.client_random + agreed.server_random + message.parameters(message.group, message.share)
    check_signature12(hs, key, message.scheme, message.signature, content, config.signature_schemes)
    agreed.signature_scheme = message.scheme
    agreed.group = message.group
    hs.decided("group", message.group, offered=config.groups, kind=NamedGroup, why="the server's choice")
    return message.group, message.share


def answer(
    hs: Handshake,
    config: ClientConfig,
    suite: Suite12,
    key: PeerKey | RawPeerKey,
    share: tuple[int, bytes] | None,
    request: CertificateRequest12 | None,
) -> Generator[Wait | Question, Any, Secrets12]:
    """[Certificate,] ClientKeyExchange [, CertificateVerify]: our half, and if asked who we are."""
    credential = None
    if request is not None:
        kind = hs.agreed.own_certificate_type
        wishes = PeerWishes(request.schemes, certificate_schemes=request.schemes)
        asked = {name for number, name in CLIENT_CERTIFICATE_TYPES.items() if number in request.certificate_types}
        suited = [credential for credential in config.credentials if signature_of(credential.key_kind) in asked]
        credential = choose_client_credential(hs, suited, wishes, request.authorities, "RFC 5246 section 7.4.6")
        hs.send(certificate12(kind)(credential.chain if credential else ()))
        hs.agreed.credential = credential
    if share is not None:
        group, theirs = share
        exchange = config.generate_key(group)
        premaster = key_groups.finish(group, exchange, theirs)
        tell_exchange(hs, group, exchange.share, theirs, premaster)
        hs.send(ClientKeyExchange.with_share(exchange.share))
    else:
        premaster = b"\x03\x03" + config.random(46)
        hs.send(ClientKeyExchange.with_encrypted_secret(encrypt_premaster(key, premaster)))
        hs.decided("group", "rsa key transport", why="the suite has no ephemeral keys: no forward secrecy")
    said = hs.transcript.raw()
    hs.transcript.start(suite.hash.name)
    secrets = Secrets12.from_premaster(hs, premaster)
    if credential is not None and request is not None:
        scheme, signature = yield from sign12(hs, credential, request.schemes, said)
        hs.agreed.client_signature_scheme = scheme
        hs.send(CertificateVerify(scheme, signature))
    return secrets


def encrypt_premaster(key: PeerKey | RawPeerKey, premaster: bytes) -> bytes:
    """RSA key transport, the exchange of the classic account of HTTPS (RFC 5246 section 7.4.7.1).

    Whoever gets the server's private key later can decrypt what was recorded today.
    """
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if not isinstance(key.key, RSAPublicKey):
        raise illegal("wrong-certificate-type", "the certificate has no RSA key", "RFC 5246 section 7.4.2")
    return key.key.encrypt(premaster, PKCS1v15())


# --- sessions, and after --------------------------------------------------------------------------


def keep_session(hs: Handshake, secrets: Secrets12, ticket: NewSessionTicket12 | None, session_id: bytes) -> None:
    """What a later connection needs: a ticket, or else the session id that the server gave us."""
    agreed = hs.agreed
    if not agreed.extended_main_secret:
        return  # without RFC 7627 a resumption is open to the triple handshake attack
    has_ticket = ticket is not None and bool(ticket.ticket)
    if not has_ticket and not session_id:
        return
    lifetime = ticket.lifetime if ticket is not None and has_ticket else 0
    session = Session(
        version=agreed.version,
        cipher_suite=agreed.cipher_suite,
        psk=secrets.main,
        ticket=ticket.ticket if ticket is not None else b"",
        session_id=b"" if has_ticket else session_id,
        server_name=agreed.server_name,
        alpn=agreed.alpn,
        issued_at=hs.now(),
        began_at=agreed.session_began_at,
        # Zero leaves the lifetime to us (RFC 5077 section 3.3).
        lifetime=min(lifetime or 7200, MAX_TICKET_LIFETIME),
        extended_main_secret=True,
        peer_chain=agreed.peer_chain,
        peer_certificate_type=agreed.peer_certificate_type,
        peer_ocsp_response=agreed.peer_ocsp_response,
        peer_sct_list=agreed.peer_sct_list,
        group=agreed.group or 0,
        signature_scheme=agreed.signature_scheme or 0,
    )
    hs.events.append(TicketReceived(session))


def after_handshake(hs: Handshake, config: ClientConfig) -> Script:
    """Nothing but requests to renegotiate may come, and none is granted (RFC 5746, RFC 9325 section 3.5)."""
    hs.skip_hello_requests = config.ignore_hello_requests
    while True:
        yield from hs.expect(HelloRequest)
        raise PeerMisbehaved(
            AlertDescription.NO_RENEGOTIATION,
            "no-renegotiation",
            "the server asks for a renegotiation, which this engine does not do",
            "RFC 9325 section 3.5",
        )

"""What may still come after the handshake: tickets, new keys, a late question (RFC 9846 section 4.7)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import ConfigurationError, TLSError
from ...registry import AlertDescription, ExtensionType, KeyUpdateRequest
from ..config import ClientConfig, ServerConfig
from ..events import CertificateDeclined, ClientAuthenticated, TicketReceived
from ..keys.key_schedule import finished_mac, resumption_psk
from ..keys.suites import SUITES_13
from ..protection import unexpected
from ..session import MAX_TICKET_LIFETIME, Session
from ..wire import extensions as ext
from ..wire.messages import (
    Certificate,
    CertificateRequest,
    CompressedCertificate,
    Finished,
    KeyUpdate,
    NewSessionTicket,
)
from .authentication import keep_certificates, open_certificate
from .client_certificate import answer_certificate_request, read_certificate_request
from .completion import check_finished
from .context import FOR_MESSAGE, Handshake, Question, Script, Wait, illegal
from .keys13 import next_secret, protection, read_application
from .placement import NEW_SESSION_TICKET, check_placement
from .request_certificate import authenticate_client, certificate_request


def client_after_handshake(hs: Handshake, config: ClientConfig) -> Script:
    """Until the connection ends: tickets, KeyUpdate, and a request for our certificate if we agreed to that."""
    tickets = 0
    contexts: frozenset[bytes] = frozenset()
    updates = KeyUpdates(hs)
    while True:
        while not hs.incoming.unread:
            yield FOR_MESSAGE  # here, and in no deeper function, does an idle connection wait
        message = yield from hs.expect(NewSessionTicket, KeyUpdate, CertificateRequest)
        if isinstance(message, KeyUpdate):
            updates.receive(message)
        elif isinstance(message, NewSessionTicket):
            tickets += 1
            if tickets > config.limits.tickets:
                raise unexpected("too-many-tickets", f"more than {config.limits.tickets} tickets on one connection")
            accept_ticket(hs, message)
        else:
            if message.context in contexts:
                raise illegal("certificate-context", "a context was used for two requests", "RFC 9846 section 4.4.2")
            contexts |= {message.context}
            if len(contexts) > config.limits.certificate_requests:
                raise unexpected("too-many-certificate-requests", "the server asks for our certificate again and again")
            yield from authenticate_late(hs, config, message)
        del message  # it may be long until the next one


def server_after_handshake(hs: Handshake, config: ServerConfig) -> Script:
    """Until the connection ends: KeyUpdate, and the client's answers to late requests."""
    updates = KeyUpdates(hs)
    while True:
        while not hs.incoming.unread:
            yield FOR_MESSAGE
        message = yield from hs.expect(KeyUpdate, Certificate, CompressedCertificate)
        if isinstance(message, KeyUpdate):
            updates.receive(message)
        else:
            yield from read_late_certificate(hs, config, message)


# --- KeyUpdate (section 4.7.3) --------------------------------------------------------------------

MAX_KEY_UPDATES = (1 << 48) - 1  # that one side may send


class KeyUpdates:
    """Answers the peer's KeyUpdates, and keeps it from making us do nothing else."""

    __slots__ = ("_count", "_hs", "_seen")

    def __init__(self, hs: Handshake) -> None:
        self._hs = hs
        self._count = 0
        self._seen = 0

    def receive(self, message: KeyUpdate) -> None:
        """New keys for what the peer sends; and for what we send, if it wants that."""
        hs = self._hs
        if hs.data_received != self._seen:
            self._seen, self._count = hs.data_received, 0
        self._count += 1
        if self._count > hs.config.limits.key_updates:
            raise unexpected(
                "too-many-key-updates", "KeyUpdates without any data between them", "RFC 9846 section 4.7.3"
            )
        hs.key_update_awaited = False
        read_application(hs, next_secret(hs, hs.read_secret))
        if message.request == KeyUpdateRequest.UPDATE_REQUESTED and hs.key_updates_sent < MAX_KEY_UPDATES:
            # One answer covers every request that arrives before we send again.
            hs.key_update_pending = True


def send_key_update(hs: Handshake, request_peer: bool) -> None:
    """KeyUpdate is the last message under the old keys. A request that is under way is not repeated."""
    if hs.key_updates_sent >= MAX_KEY_UPDATES:
        raise TLSError(
            AlertDescription.INTERNAL_ERROR,
            "key-updates-exhausted",
            "this connection has had as many keys as it may have",
            "RFC 9846 section 4.7.3",
        )
    request = request_peer and not hs.key_update_awaited
    hs.key_update_pending = False
    hs.key_update_awaited = hs.key_update_awaited or request
    hs.key_updates_sent += 1
    hs.send_at_once(KeyUpdate(KeyUpdateRequest.UPDATE_REQUESTED if request else KeyUpdateRequest.UPDATE_NOT_REQUESTED))
    hs.write_secret = next_secret(hs, hs.write_secret)
    hs.replace_write_key(protection(hs, hs.write_secret, "application"))


# --- NewSessionTicket (section 4.7.1) -------------------------------------------------------------


def accept_ticket(hs: Handshake, message: NewSessionTicket) -> None:
    """What a later connection needs to resume this one."""
    check_placement(message.extensions, NEW_SESSION_TICKET, "NewSessionTicket")
    max_early_data = 0
    if ExtensionType.EARLY_DATA in message.extensions:
        max_early_data = ext.read_early_data_size(message.extensions[ExtensionType.EARLY_DATA])
    if message.lifetime > MAX_TICKET_LIFETIME:
        raise illegal("ticket-lifetime", "a ticket is meant to live longer than a week", "RFC 9846 section 4.7.1")
    if message.lifetime == 0:
        return  # zero means: discard at once
    agreed = hs.agreed
    hash_ = SUITES_13[agreed.cipher_suite].hash
    session = Session(
        version=agreed.version,
        cipher_suite=agreed.cipher_suite,
        psk=resumption_psk(hash_, hs.resumption_secret, message.nonce),
        ticket=message.ticket,
        server_name=agreed.server_name,
        alpn=agreed.alpn,
        issued_at=hs.now(),
        began_at=agreed.session_began_at,
        lifetime=message.lifetime,
        age_add=message.age_add,
        max_early_data=max_early_data,
        peer_chain=agreed.peer_chain,
        peer_certificate_type=agreed.peer_certificate_type,
        peer_ocsp_response=agreed.peer_ocsp_response,
        peer_sct_list=agreed.peer_sct_list,
        group=agreed.group or 0,
        signature_scheme=agreed.signature_scheme or 0,
    )
    hs.events.append(TicketReceived(session))


# --- post-handshake authentication (section 4.7.2) ------------------------------------------------


def authenticate_late(
    hs: Handshake, config: ClientConfig, request: CertificateRequest
) -> Generator[Wait | Question, Any, None]:
    """The server asks who we are after all; only if we said that it may."""
    if hs.final_transcript is None:
        raise unexpected(
            "unwanted-certificate-request",
            "a CertificateRequest after the handshake",
            "RFC 9846 section 4.7.2",
        )
    read_certificate_request(request, context=None)
    hs.transcript = hs.final_transcript.copy()
    hs.transcript.add(request.encode())
    yield from answer_certificate_request(hs, config, request)
    hs.send(_late_finished(hs, hs.write_secret))


def request_client_certificate(hs: Handshake, config: ServerConfig) -> None:
    """Asks the client who it is; the answer comes when it comes."""
    if hs.final_transcript is None:
        raise ConfigurationError(
            "the client did not offer to authenticate after the handshake (post_handshake_auth), or did so by its key"
        )
    if not config.asks_clients:
        raise ConfigurationError("client certificates need a client_verifier")
    request = certificate_request(config, context=config.random(16))
    transcript = hs.final_transcript.copy()
    transcript.add(request.encode())
    hs.certificate_requests[request.context] = transcript
    hs.send_at_once(request)


def read_late_certificate(
    hs: Handshake, config: ServerConfig, message: Certificate | CompressedCertificate
) -> Generator[Wait | Question, Any, None]:
    """The client's Certificate, CertificateVerify and Finished, without anything between them.

    Until all three are checked the client remains who it was.
    """
    certificate = open_certificate(hs, message)
    transcript = hs.certificate_requests.pop(certificate.context, None)
    if transcript is None:
        raise unexpected("unwanted-certificate", "a Certificate that nobody asked for", "RFC 9846 section 4.7.2")
    transcript.add(message.encode())
    hs.transcript = transcript
    hs.authenticating = True
    shown = yield from authenticate_client(hs, config, certificate, certificate.context)
    expected = _late_finished(hs, hs.read_secret)
    check_finished((yield from hs.expect(Finished)), expected)
    hs.authenticating = False
    if shown is None:
        hs.events.append(CertificateDeclined())
    else:
        keep_certificates(hs, shown)
        hs.events.append(ClientAuthenticated())


def _late_finished(hs: Handshake, secret: bytes) -> Finished:
    hash_ = SUITES_13[hs.agreed.cipher_suite].hash
    return Finished(finished_mac(hash_, secret, hs.transcript.digest()))

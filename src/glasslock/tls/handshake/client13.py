"""The client's handshake of TLS 1.3 (RFC 9846 section 2, Figure 1).

Client                                               Server

ClientHello             -------->
                        <--------         HelloRetryRequest      only if the first offer
ClientHello             -------->                                lacked a usable key share
                                                ServerHello
                                      {EncryptedExtensions}
                                      {CertificateRequest*}
                                             {Certificate*}
                                       {CertificateVerify*}
                        <--------                {Finished}
{EndOfEarlyData*}
{Certificate*}
{CertificateVerify*}
{Finished}              -------->

* not in every handshake        {} under the handshake's keys
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import PeerMisbehaved
from ...registry import (
    TLS_1_2,
    TLS_1_3,
    AlertDescription,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    members,
    name_of,
)
from ..config import ClientConfig
from ..ech.client import end_if_rejected, keep_retry_configs, send_hello, settle
from ..events import EarlyDataRefused
from ..keys import groups as key_groups
from ..keys.key_schedule import CLIENT_EARLY_TRAFFIC, EARLY_EXPORTER, RESUMPTION, KeySchedule
from ..keys.suites import SUITES_13
from ..protection import unexpected
from ..wire import extensions as ext
from ..wire.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Finished,
    ServerHello,
)
from .authentication import (
    check_certificate_verify,
    keep_certificates,
    open_certificate,
    psk_required,
    read_certificate,
    schemes_in_certificate_verify,
    verify_again,
    verify_peer,
)
from .certificate_types import accept_certificate_types
from .client_certificate import answer_certificate_request, read_certificate_request
from .client_hello import Offer, OfferedPsk, renew_offer
from .completion import check_finished, complete
from .context import Handshake, HandshakeScript, Question, Wait, illegal, missing, wrong_legacy_version
from .keys13 import (
    ApplicationSecrets,
    HandshakeSecrets,
    finished,
    key_schedule,
    log_secret,
    protection,
    read_application,
    tell_key_exchange,
    write_application,
)
from .peer_key import peer_key
from .placement import ENCRYPTED_EXTENSIONS, HELLO_RETRY_REQUEST, SERVER_HELLO, check_solicited
from .post_handshake import client_after_handshake

_E = members(ExtensionType)


def client13(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> HandshakeScript:
    """From the ServerHello on."""
    if hello.is_retry_request:
        retry_suite = try_again(hs, config, offer, hello)
        hello = yield from hs.expect(ServerHello)
        check_second_hello(hello, retry_suite)
        offer = settle(hs, offer, hello)
    psk, schedule = accept_hello(hs, config, offer, hello)
    secrets = enter_handshake_keys(hs, config, offer, schedule)

    answers = yield from hs.expect(EncryptedExtensions)
    accept_extensions(hs, config, offer, answers, psk)
    keep_retry_configs(offer, answers.extensions)
    if offer.early_data and not hs.agreed.early_data_accepted:
        stop_early_data(hs, secrets)
    request = None
    if psk is None:
        request = yield from authenticate_server(hs, config, offer)
    else:
        yield from verify_again(hs, config.verifier, hs.agreed.server_name)

    expected = finished(hs, schedule, secrets.server)
    check_finished((yield from hs.expect(Finished)), expected)

    application = ApplicationSecrets(hs, schedule)
    read_application(hs, application.server)
    end_early_data(hs, secrets)
    if request is not None:
        yield from answer_certificate_request(hs, config, request)
    hs.send(finished(hs, schedule, secrets.client))
    write_application(hs, application.client)
    hs.resumption_secret = schedule.derive(RESUMPTION, hs.transcript.digest())
    # An external PSK has said who is who (RFC 9846 section 4.4.2).
    if ExtensionType.POST_HANDSHAKE_AUTH in offer.extensions and hs.agreed.external_psk is None:
        hs.final_transcript = hs.transcript.copy()
    end_if_rejected(offer)
    complete(hs)
    return client_after_handshake(hs, config)


# --- HelloRetryRequest ----------------------------------------------------------------------------


def try_again(hs: Handshake, config: ClientConfig, offer: Offer, request: ServerHello) -> int:
    """The server wants another key share, or its cookie back (section 4.2.4). Returns the suite it chose."""
    check_solicited(request.extensions, offer.extensions, HELLO_RETRY_REQUEST, "HelloRetryRequest", (_E.COOKIE,))
    suite = accept_suite(hs, config, offer, request)
    if _E.KEY_SHARE not in request.extensions and _E.COOKIE not in request.extensions:
        raise illegal(
            "empty-hello-retry-request",
            "HelloRetryRequest asks for no change of ClientHello",
            "RFC 9846 section 4.2.4",
        )
    hs.refuse_unread("a handshake message before our second ClientHello")
    hs.transcript.retry(SUITES_13[suite].hash_name)
    if _E.COOKIE in request.extensions:
        cookie = ext.read_cookie(request.extensions[_E.COOKIE])
        offer.extensions[_E.COOKIE] = ext.write_cookie(cookie)
    if _E.KEY_SHARE in request.extensions:
        group = ext.read_u16(request.extensions[_E.KEY_SHARE], "key_share")
        if group not in config.groups or group in offer.exchanges:
            raise illegal(
                "retry-wrong-group",
                f"HelloRetryRequest asks for {name_of(NamedGroup, group)}, "
                "which was not offered or already has a key share",
                "RFC 9846 section 4.3.8",
            )
        offer.exchanges = {group: config.generate_key(group)}
        offer.extensions[_E.KEY_SHARE] = ext.write_client_shares({group: offer.exchanges[group].share})
        hs.decided(
            "retry",
            group,
            offered=config.groups,
            kind=NamedGroup,
            why="the server wants a share in this group",
        )
    hs.agreed.retried = True
    if offer.early_data:
        refuse_early_data(hs, "there was a HelloRetryRequest")
        hs.write_with(None)
    elif config.middlebox_compatibility and offer.hello.session_id:
        hs.send_change_cipher_spec()
    renew_offer(offer, SUITES_13[suite].hash_name)
    send_hello(hs, offer)
    hs.flush()
    return suite


def check_second_hello(hello: ServerHello, retry_suite: int) -> None:
    """What the retry fixed stays fixed; a second retry is refused (section 4.2.4)."""
    if hello.is_retry_request:
        raise unexpected("second-hello-retry-request", "a second HelloRetryRequest", "RFC 9846 section 4.2.4")
    selected = hello.extensions.get(_E.SUPPORTED_VERSIONS)
    if selected is None or ext.read_u16(selected, "supported_versions") != TLS_1_3:
        raise illegal("retry-version-changed", "the version changed after HelloRetryRequest", "RFC 9846 section 4.2.4")
    if hello.legacy_version != TLS_1_2:
        raise wrong_legacy_version("ServerHello", hello.legacy_version, "RFC 9846 section 4.2.3")
    if hello.cipher_suite != retry_suite:
        raise illegal("retry-suite-changed", "the suite changed after HelloRetryRequest", "RFC 9846 section 4.2.4")


# --- ServerHello ----------------------------------------------------------------------------------


def accept_suite(hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello) -> int:
    """The fixed fields of a ServerHello, and the cipher suite (section 4.2.3)."""
    if hello.session_id != offer.hello.session_id:
        raise illegal("session-id-echo", "the server did not echo our legacy_session_id", "RFC 9846 section 4.2.3")
    if hello.compression_method != 0:
        raise illegal("compression", "the server chose a compression method", "RFC 9846 section 4.2.3")
    offered = config.suites_13
    if hello.cipher_suite not in offered:
        raise illegal(
            "suite-not-offered",
            f"the server chose {name_of(CipherSuite, hello.cipher_suite)}, which was not offered for TLS 1.3",
            "RFC 9846 section 4.2.3",
        )
    hs.agreed.cipher_suite = hello.cipher_suite
    return hello.cipher_suite


def accept_hello(
    hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello
) -> tuple[OfferedPsk | None, KeySchedule]:
    """Suite, pre-shared key and group: everything that the handshake's keys come from."""
    check_solicited(hello.extensions, offer.extensions, SERVER_HELLO, "ServerHello")
    suite = SUITES_13[accept_suite(hs, config, offer, hello)]
    hs.decided(
        "cipher_suite",
        suite.id,
        offered=offer.hello.cipher_suites,
        kind=CipherSuite,
        why="the server's choice",
    )
    hs.transcript.start(suite.hash_name)
    psk = accept_psk(offer, hello, suite.hash_name)
    if psk is None and not config.trusts_certificates:
        raise psk_required()
    schedule = key_schedule(hs, suite.hash_name) if psk is None else psk.schedule(hs)
    schedule.mix_shared_secret(agree_on_secret(hs, config, offer, hello, psk))
    hs.agreed.resumed = psk is not None
    if psk is not None:
        inherit(hs, psk)
    return psk, schedule


def accept_psk(offer: Offer, hello: ServerHello, hash_name: str) -> OfferedPsk | None:
    """The pre-shared key that the server selected, if any (section 4.3.11)."""
    if _E.PRE_SHARED_KEY not in hello.extensions:
        return None
    index = ext.read_u16(hello.extensions[_E.PRE_SHARED_KEY], "pre_shared_key")
    if index >= len(offer.psks):
        raise illegal("psk-not-found", "the server selected a PSK that was not offered", "RFC 9846 section 4.3.11")
    psk = offer.psks[index]
    if psk.hash_name != hash_name:
        raise illegal(
            "psk-hash-mismatch",
            "the server's cipher suite does not go with the PSK's hash",
            "RFC 9846 section 4.3.11",
        )
    return psk


def agree_on_secret(
    hs: Handshake, config: ClientConfig, offer: Offer, hello: ServerHello, psk: OfferedPsk | None
) -> bytes | None:
    """The (EC)DHE secret; None where a PSK stands alone, which both sides must have wanted (section 4.3.8)."""
    if _E.KEY_SHARE not in hello.extensions:
        if psk is None:
            raise missing("key_share", "ServerHello")
        if 0 not in config.psk_modes:
            raise illegal(
                "psk-without-key-share",
                "the server left out the key exchange that we ask for",
                "RFC 9846 section 4.3.11",
            )
        return None
    if psk is not None and 1 not in config.psk_modes:
        raise illegal("psk-with-key-share", "the server sent a key share for psk_ke", "RFC 9846 section 4.3.8")
    group, share = ext.read_server_share(hello.extensions[_E.KEY_SHARE])
    exchange = offer.exchanges.get(group)
    if exchange is None:
        raise illegal(
            "wrong-group",
            f"the server's key share is in {name_of(NamedGroup, group)}, for which we sent none",
            "RFC 9846 section 4.3.8",
        )
    secret = key_groups.finish(group, exchange, share)
    hs.agreed.group = group
    hs.decided("group", group, offered=config.groups, kind=NamedGroup, why="the server's choice among our key shares")
    tell_key_exchange(hs, group, exchange.share, share, secret)
    return secret


def inherit(hs: Handshake, psk: OfferedPsk) -> None:
    """In a resumption the server is who it was: the chain of the first handshake still counts."""
    agreed = hs.agreed
    if psk.session is not None:
        agreed.session_began_at = psk.session.began_at or psk.session.issued_at
        agreed.peer_chain = psk.session.peer_chain
        agreed.peer_certificate_type = psk.session.peer_certificate_type
        agreed.peer_ocsp_response = psk.session.peer_ocsp_response
        agreed.peer_sct_list = psk.session.peer_sct_list
        agreed.signature_scheme = psk.session.signature_scheme or None
    else:
        agreed.external_psk = psk.identity
    hs.decided("resumption", "session ticket" if psk.session else "external PSK", why="the server knows the key")


def enter_handshake_keys(hs: Handshake, config: ClientConfig, offer: Offer, schedule: KeySchedule) -> HandshakeSecrets:
    """From here on everything is encrypted; our early data, if we are still sending it, under its own key."""
    secrets = HandshakeSecrets(hs, schedule)
    if not offer.early_data:
        if config.middlebox_compatibility and not hs.agreed.retried and offer.hello.session_id:
            hs.send_change_cipher_spec()
            hs.writer.hold_back()  # until there is more to send than that
        hs.write_with(protection(hs, secrets.client, "handshake"))
    hs.read_with(protection(hs, secrets.server, "handshake"))
    schedule.mix_nothing()
    return secrets


# --- EncryptedExtensions --------------------------------------------------------------------------


def accept_extensions(
    hs: Handshake, config: ClientConfig, offer: Offer, answers: EncryptedExtensions, psk: OfferedPsk | None
) -> None:
    """The server's answers that are nobody else's business (section 4.4.1)."""
    found = answers.extensions
    check_solicited(found, offer.extensions, ENCRYPTED_EXTENSIONS, "EncryptedExtensions")
    if _E.SERVER_NAME in found:
        ext.read_empty(found[_E.SERVER_NAME], _E.SERVER_NAME)
    if _E.SUPPORTED_GROUPS in found:
        ext.read_u16_vector(found[_E.SUPPORTED_GROUPS], "supported_groups")
    if _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION in found:
        accept_protocol(hs, config, found[_E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION])
    if _E.RECORD_SIZE_LIMIT in found:
        hs.limit_records(config.record_size_limit, ext.read_record_size_limit(found[_E.RECORD_SIZE_LIMIT]))
    accept_certificate_types(hs, config, found)
    if _E.TICKET_REQUEST in found:
        ext.read_expected_tickets(found[_E.TICKET_REQUEST])
    if _E.EARLY_DATA in found:
        accept_early_data(hs, offer, found[_E.EARLY_DATA], psk)


def accept_protocol(hs: Handshake, config: ClientConfig, data: bytes) -> None:
    """The one application protocol (RFC 7301 section 3.1)."""
    protocols = ext.read_protocols(data)
    if len(protocols) != 1:
        raise PeerMisbehaved(
            AlertDescription.DECODE_ERROR,
            "alpn-count",
            "the server chose more than one protocol",
            "RFC 7301 section 3.1",
        )
    name = protocols[0].decode("latin-1")
    if name not in config.alpn_protocols:
        raise illegal(
            "alpn-not-offered",
            f"the server chose the protocol {name!r}, which was not offered",
            "RFC 7301 section 3.1",
        )
    hs.agreed.alpn = name
    hs.decided("alpn", name, offered=config.alpn_protocols, why="the server's choice", rule="RFC 7301")


# --- the server's certificate ---------------------------------------------------------------------


def authenticate_server(
    hs: Handshake, config: ClientConfig, offer: Offer
) -> Generator[Wait | Question, Any, CertificateRequest | None]:
    """Who is this, does it hold its key, and does somebody we trust vouch for it? (section 4.5)"""
    request = None
    message = yield from hs.expect(CertificateRequest, CompressedCertificate, Certificate)
    if isinstance(message, CertificateRequest):
        request = message
        read_certificate_request(request, context=b"")
        message = yield from hs.expect(CompressedCertificate, Certificate)
    certificate = open_certificate(hs, message)
    shown = read_certificate(hs, certificate, frozenset(offer.extensions), server_name=hs.agreed.server_name)
    if shown is None:
        raise PeerMisbehaved(
            AlertDescription.DECODE_ERROR,
            "no-certificate",
            "the server sent no certificate",
            "RFC 9846 section 4.5.1.3",
        )
    keep_certificates(hs, shown)
    key = peer_key(shown.chain[0], shown.certificate_type)
    signed = hs.transcript.digest()
    proof = yield from hs.expect(CertificateVerify)
    check_certificate_verify(hs, key, proof, signed, schemes_in_certificate_verify(config.signature_schemes))
    hs.agreed.signature_scheme = proof.scheme
    yield from verify_peer(hs, config.verifier, shown)
    return request


# --- 0-RTT ----------------------------------------------------------------------------------------


def prepare_early_data(hs: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Our first bytes may follow the ClientHello at once, under a key of the first PSK (section 4.3.10)."""
    psk = offer.psks[0]
    suite = SUITES_13[psk.cipher_suite]
    transcript = hs.transcript.copy()
    transcript.start(suite.hash_name)
    digest = transcript.digest()
    schedule = psk.schedule(hs)
    secret = schedule.derive(CLIENT_EARLY_TRAFFIC, digest)
    hs.agreed.early_exporter_secret = schedule.derive(EARLY_EXPORTER, digest)
    hs.agreed.early_cipher_suite = suite.id
    log_secret(hs, "CLIENT_EARLY_TRAFFIC_SECRET", secret)
    log_secret(hs, "EARLY_EXPORTER_SECRET", hs.agreed.early_exporter_secret)
    if config.middlebox_compatibility:
        hs.send_change_cipher_spec()
    hs.write_with(protection(hs, secret, "early data", suite.id))
    hs.early_data_writable = psk.max_early_data


def accept_early_data(hs: Handshake, offer: Offer, data: bytes, psk: OfferedPsk | None) -> None:
    """The server took our early data: only possible with what that data was made for."""
    ext.read_empty(data, _E.EARLY_DATA)
    if psk is None or psk is not offer.psks[0]:
        raise illegal("early-data-psk", "early data was accepted under another PSK", "RFC 9846 section 4.3.11")
    if hs.agreed.cipher_suite != psk.cipher_suite:
        raise illegal("early-data-suite", "early data was accepted under another suite", "RFC 9846 section 4.3.10")
    if hs.agreed.alpn != psk.alpn:
        raise illegal("early-data-alpn", "early data was accepted for another protocol", "RFC 9846 section 4.3.10")
    hs.agreed.early_data_accepted = True
    hs.decided("early_data", "accepted", why="the server takes what we sent ahead", rule="RFC 9846 section 4.3.10")


def stop_early_data(hs: Handshake, secrets: HandshakeSecrets) -> None:
    """The server does without our early data: our next records are under the handshake's keys."""
    refuse_early_data(hs, "the server did not accept it")
    hs.write_with(protection(hs, secrets.client, "handshake"))


def refuse_early_data(hs: Handshake, why: str) -> None:
    hs.early_data_writable = 0
    hs.agreed.early_exporter_secret = b""  # the server has none
    hs.events.append(EarlyDataRefused())
    hs.decided("early_data", "refused", why=why, rule="RFC 9846 section 4.3.10")


def end_early_data(hs: Handshake, secrets: HandshakeSecrets) -> None:
    """EndOfEarlyData is the last message under the early key (section 4.6)."""
    if hs.agreed.early_data_accepted:
        hs.early_data_writable = 0
        hs.send(EndOfEarlyData())
        hs.write_with(protection(hs, secrets.client, "handshake"))

"""The server's handshake of TLS 1.3: the mirror of `client13` (RFC 9846 section 2, Figure 1).

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
                        <--------        [NewSessionTicket*]

* not in every handshake        {} under the handshake's keys        [] under the application's keys
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ...errors import NegotiationFailed
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
from ..config import ServerConfig
from ..credentials import Credential
from ..ech.server import confirm, hide_lengths, retry_configs
from ..keys import groups as key_groups
from ..keys.key_schedule import RESUMPTION, KeySchedule
from ..keys.suites import SUITES_13, Suite
from ..wire import extensions as ext
from ..wire.codec import u8, u16
from ..wire.messages import (
    Certificate,
    CompressedCertificate,
    EncryptedExtensions,
    EndOfEarlyData,
    Extensions,
    Finished,
    ServerHello,
)
from .authentication import (
    PeerWishes,
    keep_certificates,
    open_certificate,
    send_certificate,
    send_certificate_verify,
    verify_again,
)
from .certificate_types import answer_certificate_types, choose_client_type
from .choices import choose_credential, choose_protocol, psk_unknown
from .client_wishes import ClientWishes
from .completion import check_finished, complete
from .context import Handshake, HandshakeScript, Question, Wait, illegal, missing, wrong_legacy_version
from .early_data import accept_early_data, decide_on_early_data
from .hello_retry import restore_retry, retry, wants_compatibility
from .keys13 import (
    ApplicationSecrets,
    HandshakeSecrets,
    finished,
    key_schedule,
    protection,
    read_application,
    tell_key_exchange,
    write_application,
)
from .post_handshake import server_after_handshake
from .psk import KnownPsk, choose_psk, choose_psk_again
from .request_certificate import authenticate_client, certificate_request
from .tickets import send_tickets, wanted_tickets

_E = members(ExtensionType)


def server13(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> HandshakeScript:
    """From the ClientHello on."""
    check_requirements(wishes)
    suite = choose_suite(hs, config, wishes)
    if wishes.cookie is not None and config.cookie_keys is not None:
        restore_retry(hs, config, wishes, suite)
    choose_protocol(hs, config, wishes)
    psk = choose_psk(hs, config, wishes, suite)
    group = choose_group(hs, config, wishes, psk)
    if group is not None and wishes.shares is not None and group not in wishes.shares:
        hs.agreed.retried = True
        if wishes.early_data:
            decide_on_early_data(hs, config, psk)
        wishes = yield from retry(hs, config, wishes, suite, group)
        check_requirements(wishes)
        psk = choose_psk_again(hs, config, wishes, suite, psk)
    hs.transcript.start(suite.hash_name)
    credential = None if psk is not None else (yield from choose_certificate(hs, config, wishes))
    asked = credential is not None and config.asks_clients and config.ask_in_handshake
    if asked:
        choose_client_type(hs, config, wishes)

    schedule = key_schedule(hs, suite.hash_name) if psk is None else psk.schedule
    early = accept_early_data(hs, config, wishes, psk, schedule)
    say_hello(hs, config, wishes, psk, group, schedule)
    secrets = enter_handshake_keys(hs, config, wishes, schedule)
    hide_lengths(hs, wishes)
    if psk is not None:
        yield from verify_again(hs, config.client_verifier, None)

    hs.send(answer_extensions(hs, config, wishes, asked))
    if credential is not None:
        yield from show_certificate(hs, config, wishes, credential, asked)
    hs.send(finished(hs, schedule, secrets.server))
    application = ApplicationSecrets(hs, schedule)
    write_application(hs, application.server)
    hs.writer.padding = config.padding
    # An answer to early data need not wait for the client's Finished, unless it depends on who the client is.
    hs.may_send = not asked

    if early:
        yield from hs.expect(EndOfEarlyData)
        hs.early_data_limit = None
        hs.read_with(protection(hs, secrets.client, "handshake"))
    if asked:
        message = yield from hs.expect(CompressedCertificate, Certificate)
        certificate = open_certificate(hs, message)
        shown = yield from authenticate_client(hs, config, certificate)
        if shown is not None:
            keep_certificates(hs, shown)
    expected = finished(hs, schedule, secrets.client)
    check_finished((yield from hs.expect(Finished)), expected)
    read_application(hs, application.client)

    hs.resumption_secret = schedule.derive(RESUMPTION, hs.transcript.digest())
    if wishes.post_handshake_auth and hs.agreed.external_psk is None:
        hs.final_transcript = hs.transcript.copy()
    complete(hs)
    send_tickets(hs, config, wishes)
    return server_after_handshake(hs, config)


# --- ClientHello ----------------------------------------------------------------------------------


def check_requirements(wishes: ClientWishes) -> None:
    """What a ClientHello for TLS 1.3 must have (section 9.2), and its fixed fields (section 4.2.2)."""
    if wishes.hello.legacy_version != TLS_1_2:
        raise wrong_legacy_version("ClientHello", wishes.hello.legacy_version, "RFC 9846 section 4.2.2")
    if wishes.hello.compression_methods != b"\x00":
        raise illegal(
            "compression",
            "a TLS 1.3 ClientHello must offer no compression, and nothing else",
            "RFC 9846 section 4.2.2",
        )
    if wishes.psks is None:
        if wishes.schemes is None:
            raise missing("signature_algorithms", "ClientHello")
        if wishes.groups is None:
            raise missing("supported_groups", "ClientHello")
    elif wishes.psk_modes is None:
        raise missing("psk_key_exchange_modes", "ClientHello")
    if wishes.groups is not None and wishes.shares is None:
        raise missing("key_share", "ClientHello")
    if wishes.shares is not None:
        if wishes.groups is None:
            raise missing("supported_groups", "ClientHello")
        if not wishes.shares.keys() <= frozenset(wishes.groups):  # a set: a hello has room for thousands of both
            raise illegal(
                "share-without-group",
                "a key share for a group that is not offered",
                "RFC 9846 section 4.3.8",
            )


def choose_suite(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> Suite:
    """The cipher suite: our first that the client offers, or the other way round."""
    ours, theirs = config.suites_13, wishes.hello.cipher_suites
    first, second = (ours, theirs) if config.prefer_own_order else (theirs, ours)
    for suite in first:
        if suite in second:
            hs.agreed.cipher_suite = suite
            hs.decided(
                "cipher_suite",
                suite,
                offered=theirs,
                supported=ours,
                kind=CipherSuite,
                why="our first that the client offers"
                if config.prefer_own_order
                else "the client's first that we have",
                rule="RFC 9846 section 4.2.1",
            )
            return SUITES_13[suite]
    raise NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "no-common-suite",
        "the client offers no TLS 1.3 cipher suite that this server has",
        "RFC 9846 section 4.2.1",
    )


def choose_group(hs: Handshake, config: ServerConfig, wishes: ClientWishes, psk: KnownPsk | None) -> int | None:
    """The key exchange group; None where a PSK alone is wanted (section 4.2.1)."""
    if psk is not None and not psk.with_key_exchange:
        return None
    theirs = wishes.groups or ()
    first, second = (config.groups, theirs) if config.prefer_own_order else (theirs, config.groups)
    for group in first:
        if group in second:
            hs.decided(
                "group",
                group,
                offered=theirs,
                supported=config.groups,
                kind=NamedGroup,
                why="our first that the client offers"
                if config.prefer_own_order
                else "the client's first that we have",
                rule="RFC 9846 section 4.2.1",
            )
            return group
    raise NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "no-common-group",
        f"the client offers no group that this server has ({', '.join(name_of(NamedGroup, g) for g in theirs)})",
        "RFC 9846 section 4.2.1",
    )


# --- ServerHello ----------------------------------------------------------------------------------


def say_hello(
    hs: Handshake,
    config: ServerConfig,
    wishes: ClientWishes,
    psk: KnownPsk | None,
    group: int | None,
    schedule: KeySchedule,
) -> None:
    """ServerHello with our key share; the shared secret goes into the key schedule."""
    extensions: Extensions = {_E.SUPPORTED_VERSIONS: u16(TLS_1_3)}
    secret = None
    if group is not None and wishes.shares is not None:
        share = wishes.shares[group]
        response = key_groups.respond(group, share)
        secret = response.secret
        extensions[_E.KEY_SHARE] = ext.write_server_share(group, response.share)
        hs.agreed.group = group
        tell_key_exchange(hs, group, response.share, share, secret)
    if psk is not None:
        extensions[_E.PRE_SHARED_KEY] = u16(psk.index)
    hello = ServerHello(config.random(32), wishes.hello.session_id, hs.agreed.cipher_suite, extensions)
    hello = confirm(hs, config, wishes, hello)
    hs.agreed.server_random = hello.random
    hs.send(hello)
    schedule.mix_shared_secret(secret)


def enter_handshake_keys(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, schedule: KeySchedule
) -> HandshakeSecrets:
    """From here on everything is encrypted; the client's early data, if we take it, under its own key."""
    secrets = HandshakeSecrets(hs, schedule)
    if not hs.agreed.retried and wants_compatibility(config, wishes):
        hs.send_change_cipher_spec()
    hs.write_with(protection(hs, secrets.server, "handshake"))
    if not hs.agreed.early_data_accepted:
        if wishes.early_data:
            hs.reader.skippable = config.limits.early_data_skipped
        hs.reader.may_receive_plain_alert = True
        hs.read_with(protection(hs, secrets.client, "handshake"))
    schedule.mix_nothing()
    return secrets


# --- EncryptedExtensions and Certificate ----------------------------------------------------------


def answer_extensions(hs: Handshake, config: ServerConfig, wishes: ClientWishes, asked: bool) -> EncryptedExtensions:
    """Our answers that are nobody else's business (section 4.4.1)."""
    found: Extensions = answer_certificate_types(hs, wishes, asked)
    if wishes.server_name is not None and not hs.agreed.resumed:
        found[_E.SERVER_NAME] = b""
    if hs.agreed.alpn is not None:
        found[_E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = ext.write_protocols((hs.agreed.alpn.encode("latin-1"),))
    if wishes.record_size_limit is not None and config.record_size_limit is not None:
        found[_E.RECORD_SIZE_LIMIT] = u16(config.record_size_limit)
        hs.limit_records(config.record_size_limit, wishes.record_size_limit)
    if hs.agreed.early_data_accepted:
        found[_E.EARLY_DATA] = b""
    again = retry_configs(config, wishes)
    if again is not None:
        found[_E.ENCRYPTED_CLIENT_HELLO] = again
    if wishes.ticket_request is not None and config.ticket_keys is not None:
        found[_E.TICKET_REQUEST] = u8(wanted_tickets(hs, config, wishes))
    return EncryptedExtensions(found)


def choose_certificate(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes
) -> Generator[Question, Any, Credential]:
    """The certificate to show: where there is none, the client hears of it instead of a ServerHello."""
    if wishes.schemes is None:
        own = config.credentials or config.choose_credential
        raise missing("signature_algorithms", "ClientHello") if own else psk_unknown()
    return (yield from choose_credential(hs, config, wishes, wishes.schemes))


def show_certificate(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, credential: Credential, ask: bool
) -> Generator[Wait | Question, Any, None]:
    """[CertificateRequest,] Certificate, CertificateVerify: who we are, and that we hold the key."""
    if ask:
        hs.send(certificate_request(config))
    schemes = wishes.schemes or ()
    wanted = PeerWishes(schemes, wishes.wants_ocsp, wishes.wants_scts, wishes.compression)
    send_certificate(hs, credential, wanted)
    hs.agreed.signature_scheme = yield from send_certificate_verify(hs, credential, wanted)

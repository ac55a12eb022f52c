"""The server's handshake of TLS 1.2: the mirror of `client12` (RFC 5246 section 7.3).

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
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ... import trace
from ...errors import ConfigurationError, NegotiationFailed, PeerMisbehaved
from ...registry import (
    TLS_1_2,
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    members,
)
from ..config import ServerConfig
from ..credentials import Credential
from ..keys import groups as key_groups
from ..keys.suites import SUITES_12, Suite12
from ..wire import extensions as ext
from ..wire.codec import u16
from ..wire.messages import CertificateVerify, ClientHello, Extensions, ServerHello
from ..wire.messages12 import (
    CLIENT_CERTIFICATE_TYPES,
    CertificateRequest12,
    CertificateStatus,
    ClientKeyExchange,
    NewSessionTicket12,
    ServerHelloDone,
    ServerKeyExchange,
    certificate12,
)
from .authentication import choose_scheme, kept_certificates, verify_again, verify_peer
from .certificate_types import answer_certificate_types, choose_client_type
from .choices import choose_credential, choose_protocol
from .client_wishes import ClientWishes
from .completion import complete
from .context import Handshake, HandshakeScript, Question, Script, Wait, illegal
from .keys12 import Secrets12, check_signature12, key_suits, schemes_of_tls12, sign12, tell_exchange
from .peer_key import PeerKey, RawPeerKey, peer_key
from .tickets import TicketContent, is_too_old, lifetime_of_ticket

_E = members(ExtensionType)

DOWNGRADE_TO_12 = b"DOWNGRD\x01"


def server12(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> HandshakeScript:
    """From the ClientHello on."""
    hs.refuse_unread("something follows the ClientHello before our answer")
    check_requirements(hs, config, wishes)
    choose_protocol(hs, config, wishes)
    session = find_session(hs, config, wishes)
    if session is not None:
        yield from resume(hs, config, wishes, session)
    else:
        yield from full_handshake(hs, config, wishes)
    complete(hs)
    return after_handshake(hs, config)


# --- ClientHello ----------------------------------------------------------------------------------


def check_requirements(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> None:
    """What a ClientHello for TLS 1.2 must have, and must not."""
    hello = wishes.hello
    if 0 not in hello.compression_methods:
        raise illegal("compression", "the client does not offer to go without compression", "RFC 5246 section 7.4.1.2")
    if CipherSuite.TLS_FALLBACK_SCSV in hello.cipher_suites and max(config.versions) > hs.agreed.version:
        raise NegotiationFailed(
            AlertDescription.INAPPROPRIATE_FALLBACK,
            "inappropriate-fallback",
            "the client fell back to an older version although this server speaks a newer one",
            "RFC 7507 section 3",
        )
    if wishes.renegotiation_info is not None and wishes.renegotiation_info != b"\x00":
        raise PeerMisbehaved(
            AlertDescription.HANDSHAKE_FAILURE,
            "renegotiation-mismatch",
            "the client believes that this is a renegotiation",
            "RFC 5746 section 3.6",
        )
    if wishes.point_formats is not None and 0 not in wishes.point_formats:
        raise illegal("point-formats", "the client does not know uncompressed points", "RFC 8422 section 5.1.2")
    agreed = hs.agreed
    agreed.secure_renegotiation = (
        wishes.renegotiation_info is not None or CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV in hello.cipher_suites
    )
    agreed.extended_main_secret = wishes.extended_main_secret
    if config.require_extended_main_secret and not wishes.extended_main_secret:
        raise NegotiationFailed(
            AlertDescription.HANDSHAKE_FAILURE,
            "no-extended-main-secret",
            "the client does not bind its keys to the handshake (extended_main_secret), which this server requires",
            "RFC 7627 section 5.3",
        )


def common_suites(config: ServerConfig, wishes: ClientWishes) -> tuple[int, ...]:
    """The suites that both sides have and for which there is a group, ours or the client's first."""
    ours, theirs = config.suites_12, wishes.hello.cipher_suites
    first, second = (ours, theirs) if config.prefer_own_order else (theirs, ours)
    group = choose_group(config, wishes)
    return tuple(suite for suite in first if suite in second and (group is not None or not SUITES_12[suite].ephemeral))


def choose_group(config: ServerConfig, wishes: ClientWishes) -> int | None:
    """The ECDHE group; a client that names none takes P-256 (RFC 8422 section 4)."""
    ours = tuple(group for group in config.groups if group in key_groups.CLASSICAL)
    theirs = wishes.groups if wishes.groups is not None else (NamedGroup.SECP256R1,)
    first, second = (ours, theirs) if config.prefer_own_order else (theirs, ours)
    return next((group for group in first if group in second), None)


def choose_suite(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes
) -> Generator[Question, Any, tuple[Suite12, Credential]]:
    """Suite and certificate go together: the suite says what kind of key signs (RFC 5246 section 7.4.1.3)."""
    suites = common_suites(config, wishes)
    if not suites:
        raise no_common_suite()
    kinds = frozenset(SUITES_12[suite].signature for suite in suites)
    key_transport = not all(SUITES_12[suite].ephemeral for suite in suites)
    schemes = signature_schemes(wishes)
    credential = yield from choose_credential(hs, config, wishes, schemes, kinds, key_transport)
    can_sign = choose_scheme(credential, schemes, TLS_1_2) is not None
    for suite in suites:
        row = SUITES_12[suite]
        if key_suits(row, credential.key_kind) and (can_sign if row.ephemeral else credential.can_decrypt):
            hs.agreed.cipher_suite = suite
            hs.decided(
                "cipher_suite",
                suite,
                offered=wishes.hello.cipher_suites,
                supported=config.suites_12,
                kind=CipherSuite,
                why="the first common one that goes with our certificate",
                rule="RFC 5246 section 7.4.1.3",
            )
            return row, credential
    raise no_common_suite()


def no_common_suite() -> NegotiationFailed:
    return NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "no-common-suite",
        "the client offers no TLS 1.2 cipher suite that this server has and that goes with its certificate",
        "RFC 5246 section 7.4.1.3",
    )


def signature_schemes(wishes: ClientWishes) -> tuple[int, ...]:
    """A client that names none means SHA-1 (RFC 5246 section 7.4.1.4.1), which nobody should use any more."""
    return wishes.schemes or ()


# --- ServerHello ----------------------------------------------------------------------------------


def say_hello(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, session_id: bytes, announced: Extensions
) -> None:
    """Our choices, all in the clear; the last bytes of the random say that we could have done better.

    `announced` are extensions that say which messages follow, and in which form.
    """
    agreed = hs.agreed
    random = config.random(32)
    if max(config.versions) > agreed.version:
        random = random[:24] + DOWNGRADE_TO_12
    agreed.server_random = random
    found: Extensions = {}
    if agreed.secure_renegotiation:
        found[_E.RENEGOTIATION_INFO] = b"\x00"
    if wishes.server_name is not None and not agreed.resumed:
        found[_E.SERVER_NAME] = b""
    if agreed.extended_main_secret:
        found[_E.EXTENDED_MAIN_SECRET] = b""
    if wishes.point_formats is not None:
        found[_E.EC_POINT_FORMATS] = ext.write_u8_vector((0,))
    if agreed.alpn is not None:
        found[_E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = ext.write_protocols((agreed.alpn.encode("latin-1"),))
    limit = config.record_limit(agreed.version)
    if wishes.record_size_limit is not None and limit is not None:
        found[_E.RECORD_SIZE_LIMIT] = u16(limit)
        hs.limit_records(limit, wishes.record_size_limit)
    found |= announced
    hs.send(ServerHello(random, session_id, agreed.cipher_suite, found, has_extensions=bool(found)))


# --- resumption -----------------------------------------------------------------------------------


def find_session(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> TicketContent | None:
    """The session that the client offers, if it is ours and may still be used (RFC 5077, RFC 7627 section 5.3)."""
    plaintext = None
    if wishes.session_ticket and config.ticket_keys is not None:
        plaintext = config.ticket_keys.open(wishes.session_ticket)
    elif wishes.hello.session_id and config.session_store is not None:
        plaintext = config.session_store.get(wishes.hello.session_id)
    session = TicketContent.parse(plaintext) if plaintext is not None else None
    if session is None:
        return None
    problem = why_not(hs, config, wishes, session)
    hs.decided("resumption", "none" if problem else "session", why=problem or "ours, and still fresh", rule="RFC 5077")
    return None if problem else session


def why_not(hs: Handshake, config: ServerConfig, wishes: ClientWishes, session: TicketContent) -> str:
    """Why a genuine session cannot be used here and now; empty if it can."""
    if session.version != hs.agreed.version:
        return "the session is from another version of TLS"
    if session.cipher_suite not in wishes.hello.cipher_suites or session.cipher_suite not in config.cipher_suites:
        return "the session's cipher suite is not offered any more"
    if session.server_name != (wishes.server_name or ""):
        return "the session was made under another name"
    if is_too_old(hs, config, session):
        return "the session is too old"
    if config.require_client_certificate and not session.client_chain:
        return "the session lacks the client certificate that is required"
    if session.extended_main_secret and not wishes.extended_main_secret:
        raise PeerMisbehaved(
            AlertDescription.HANDSHAKE_FAILURE,
            "resumed-ems-mismatch",
            "the client offers a session with extended_main_secret but not the extension itself",
            "RFC 7627 section 5.3",
        )
    if not session.extended_main_secret:
        return "the session is without extended_main_secret"
    return ""


def resume(hs: Handshake, config: ServerConfig, wishes: ClientWishes, session: TicketContent) -> Script:
    """The short handshake: we prove first that we still have the secret."""
    agreed = hs.agreed
    agreed.resumed = True
    agreed.cipher_suite = session.cipher_suite
    agreed.session_began_at = session.session_began_at
    agreed.peer_chain = session.client_chain
    agreed.peer_certificate_type = session.client_certificate_type
    agreed.own_certificate_type = session.server_certificate_type
    agreed.client_signature_scheme = session.client_signature_scheme or None
    agreed.group = session.group or None
    renew = gives_ticket(config, wishes)
    announced = answer_certificate_types(hs, wishes, asked=False)
    if renew:
        announced[_E.SESSION_TICKET] = b""
    say_hello(hs, config, wishes, wishes.hello.session_id, announced)
    hs.transcript.start(SUITES_12[session.cipher_suite].hash_name)
    secrets = Secrets12(hs, session.psk)
    yield from verify_again(hs, config.client_verifier, None)
    if renew:
        send_ticket(hs, config, wishes, secrets)
    secrets.send_finished()
    yield from secrets.read_finished()


# --- the full handshake ---------------------------------------------------------------------------


def full_handshake(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> Generator[Wait | Question, Any, None]:
    """Certificate, key exchange, Finished."""
    suite, credential = yield from choose_suite(hs, config, wishes)
    ticket = gives_ticket(config, wishes)
    by_id = not ticket and config.session_store is not None and wishes.extended_main_secret
    session_id = config.random(32) if by_id else b""
    asked = config.asks_clients
    if asked:
        choose_client_type(hs, config, wishes)
    announced = announce(hs, wishes, credential, ticket=ticket, asked=asked)
    say_hello(hs, config, wishes, session_id, announced)
    hs.send(certificate12(credential.certificate_type)(credential.chain))
    hs.agreed.credential = credential
    if _E.STATUS_REQUEST in announced and credential.ocsp_response is not None:
        hs.send(CertificateStatus(credential.ocsp_response))
    group = choose_group(config, wishes) if suite.ephemeral else None
    exchange = None
    if group is not None:
        exchange = yield from send_share(hs, config, wishes, credential, group)
    if asked:
        hs.send(
            CertificateRequest12(
                tuple(CLIENT_CERTIFICATE_TYPES),
                schemes_of_tls12(config.signature_schemes),
                config.client_certificate_authorities,
            )
        )
    hs.send(ServerHelloDone())

    key = None
    if asked:
        key = yield from read_client_certificate(hs, config)
    message = yield from hs.expect(ClientKeyExchange)
    said = hs.transcript.raw()
    if exchange is not None and group is not None:
        premaster = key_groups.finish(group, exchange, message.share())
        tell_exchange(hs, group, exchange.share, message.share(), premaster)
    else:
        premaster = decrypt_premaster(config, credential, wishes, message.encrypted_secret())
    hs.transcript.start(suite.hash.name)
    secrets = Secrets12.from_premaster(hs, premaster)
    if key is not None:
        proof = yield from hs.expect(CertificateVerify)
        check_signature12(hs, key, proof.scheme, proof.signature, said, config.signature_schemes)
        hs.agreed.client_signature_scheme = proof.scheme
        yield from verify_peer(hs, config.client_verifier, kept_certificates(hs, None))
    yield from secrets.read_finished()
    if ticket:
        send_ticket(hs, config, wishes, secrets)
    elif session_id and config.session_store is not None:
        content = session_content(hs, wishes, secrets).encode()
        config.session_store.put(session_id, content, config.ticket_lifetime)
    secrets.send_finished()


def announce(hs: Handshake, wishes: ClientWishes, credential: Credential, *, ticket: bool, asked: bool) -> Extensions:
    """The extensions of ServerHello that say which messages follow, and in which form."""
    announced = answer_certificate_types(hs, wishes, asked)
    if ticket:
        announced[_E.SESSION_TICKET] = b""
    if wishes.wants_ocsp and credential.ocsp_response is not None:
        announced[_E.STATUS_REQUEST] = b""
    if wishes.wants_scts and credential.sct_list is not None:
        announced[_E.SIGNED_CERTIFICATE_TIMESTAMP] = credential.sct_list
    return announced


def send_share(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, credential: Credential, group: int
) -> Generator[Question, Any, key_groups.KeyExchange]:
    """ServerKeyExchange: our ECDHE share, signed over both randoms (RFC 8422 section 5.4)."""
    exchange = config.generate_key(group)
    agreed = hs.agreed
    agreed.group = group
    hs.decided("group", group, offered=wishes.groups or (), supported=config.groups, kind=NamedGroup, why="our first")
    parameters = ServerKeyExchange.parameters(group, exchange.share)
    content = agreed.client_random + agreed.server_random + parameters
    scheme, signature = yield from sign12(hs, credential, signature_schemes(wishes), content)
    agreed.signature_scheme = scheme
    hs.send(ServerKeyExchange(group, exchange.share, scheme, signature))
    return exchange


def decrypt_premaster(config: ServerConfig, credential: Credential, wishes: ClientWishes, ciphertext: bytes) -> bytes:
    """RSA key transport with the countermeasure against Bleichenbacher (RFC 5246 section 7.4.7.1).

    Whatever is wrong with the ciphertext, the handshake goes on with a random secret and fails at Finished,
    as for any other wrong secret: what the peer sees tells nothing about the padding. How long it takes might,
    by microseconds: Python cannot promise constant time. So these suites are off by default, and for a lab.
    """
    version = u16(wishes.hello.legacy_version)  # what the client said, whatever we agreed on
    random = version + config.random(46)
    premaster = credential.decrypt(ciphertext)
    good = premaster is not None and len(premaster) == 48 and premaster[:2] == version
    return premaster if good and premaster is not None else random


def read_client_certificate(
    hs: Handshake, config: ServerConfig
) -> Generator[Wait | Question, Any, PeerKey | RawPeerKey | None]:
    """The client's Certificate, or None if it has none and need not have one."""
    kind = hs.agreed.peer_certificate_type
    message = yield from hs.expect(certificate12(kind))
    if not message.chain:
        if config.require_client_certificate:
            raise NegotiationFailed(
                AlertDescription.HANDSHAKE_FAILURE,
                "certificate-required",
                "the client sent no certificate, and this server requires one",
                "RFC 5246 section 7.4.6",
            )
        return None
    if len(message.chain) > config.limits.certificates:
        raise PeerMisbehaved(
            AlertDescription.BAD_CERTIFICATE,
            "too-many-certificates",
            f"the peer sent {len(message.chain)} certificates; {config.limits.certificates} are allowed",
        )
    hs.agreed.peer_chain = message.chain
    if hs.observer is not None:
        hs.tell(
            trace.CertificatesReceived(
                time=hs.now(),
                side=hs.side,
                rule="RFC 5246 section 7.4.6",
                chain=message.chain,
                certificate_type=kind,
            )
        )
    return peer_key(message.chain[0], kind)


# --- sessions, and after --------------------------------------------------------------------------


def gives_ticket(config: ServerConfig, wishes: ClientWishes) -> bool:
    """A ticket for who wants one, unless a resumption would be open to the triple handshake attack."""
    return (
        config.ticket_keys is not None
        and config.tickets > 0
        and wishes.session_ticket is not None
        and wishes.extended_main_secret
    )


def session_content(hs: Handshake, wishes: ClientWishes, secrets: Secrets12) -> TicketContent:
    return TicketContent(
        version=hs.agreed.version,
        cipher_suite=hs.agreed.cipher_suite,
        psk=secrets.main,
        issued_at=int(hs.now() * 1000),
        began_at=int(hs.agreed.session_began_at),
        age_add=0,
        max_early_data=0,
        server_name=wishes.server_name or "",
        alpn=hs.agreed.alpn or "",
        client_chain=hs.agreed.peer_chain,
        client_certificate_type=hs.agreed.peer_certificate_type,
        server_certificate_type=hs.agreed.own_certificate_type,
        client_signature_scheme=hs.agreed.client_signature_scheme or 0,
        extended_main_secret=hs.agreed.extended_main_secret,
        group=hs.agreed.group or 0,
    )


def send_ticket(hs: Handshake, config: ServerConfig, wishes: ClientWishes, secrets: Secrets12) -> None:
    """NewSessionTicket; an empty one if the client's certificates fit in none (RFC 5077 section 3.3)."""
    if config.ticket_keys is None:
        raise ConfigurationError("no ticket keys")
    content = session_content(hs, wishes, secrets).encode()
    ticket = config.ticket_keys.seal(content) if len(content) < 0xF000 else b""
    hs.send(NewSessionTicket12(lifetime_of_ticket(hs, config), ticket))


def after_handshake(hs: Handshake, config: ServerConfig) -> Script:
    """Nothing but requests to renegotiate may come, and none is granted (RFC 9325 section 3.5).

    no_renegotiation is always a warning, and the client may go on without (RFC 5246 section 7.2.2); not for ever.
    """
    for _ in range(config.limits.renegotiation_requests):
        yield from hs.expect(ClientHello)
        hs.send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION, "this engine does not renegotiate")
    yield from hs.expect(ClientHello)
    raise PeerMisbehaved(
        AlertDescription.NO_RENEGOTIATION,
        "no-renegotiation",
        "the client asks for a renegotiation, which this engine does not do",
        "RFC 9325 section 3.5",
    )

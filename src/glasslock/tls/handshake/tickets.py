"""Pre-shared keys on the server: its tickets, keys from outside, and 0-RTT (RFC 9846 sections 4.3, 4.7, 8)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from ...errors import ConfigurationError, GlasslockError, PeerMisbehaved
from ...registry import AlertDescription, ExtensionType, ProtocolVersion, PskKeyExchangeMode
from ..config import ServerConfig
from ..keys.hkdf import hash_function
from ..keys.key_schedule import KeySchedule, finished_mac, resumption_psk
from ..keys.suites import SUITES_13, Suite
from ..session import ExternalPsk, ReplayGuard
from ..wire.codec import Reader, u8, u16, u32, u64, vector8, vector24
from ..wire.messages import Extensions, NewSessionTicket
from .client_wishes import ClientWishes
from .context import Handshake
from .grease import Grease
from .keys13 import log_secret, protection


@dataclass(slots=True)
class TicketContent:
    """What a server seals into a ticket, so that it need not remember it."""

    version: int
    cipher_suite: int
    psk: bytes
    issued_at: int  # milliseconds since the Unix epoch
    age_add: int
    max_early_data: int
    server_name: str
    alpn: str
    client_chain: tuple[bytes, ...]
    client_signature_scheme: int = 0
    extended_main_secret: bool = True

    def encode(self) -> bytes:
        """Filled up with zeros to a multiple of 128 bytes: a ticket's length would tell the length of the name."""
        content = b"".join(
            (
                u16(self.version),
                u16(self.cipher_suite),
                vector8(self.psk),
                u64(self.issued_at),
                u32(self.age_add),
                u32(self.max_early_data),
                vector8(self.server_name.encode("ascii")),
                vector8(self.alpn.encode("latin-1")),
                vector24(b"".join([vector24(certificate) for certificate in self.client_chain])),
                u16(self.client_signature_scheme),
                u8(self.extended_main_secret),
            )
        )
        return content + bytes(-len(content) % 128)

    @classmethod
    def parse(cls, data: bytes) -> TicketContent:
        reader = Reader(data, "our own ticket")
        version, suite, psk = reader.u16(), reader.u16(), reader.vector8()
        issued_at = int.from_bytes(reader.take(8), "big")
        age_add, max_early_data = reader.u32(), reader.u32()
        server_name, alpn = reader.vector8().decode("ascii"), reader.vector8().decode("latin-1")
        certificates = Reader(reader.vector24(), "our own ticket")
        chain = []
        while certificates.remaining:
            chain.append(certificates.vector24())
        return cls(
            version=version,
            cipher_suite=suite,
            psk=psk,
            issued_at=issued_at,
            age_add=age_add,
            max_early_data=max_early_data,
            server_name=server_name,
            alpn=alpn,
            client_chain=tuple(chain),
            client_signature_scheme=reader.u16(),
            extended_main_secret=bool(reader.u8()),
        )


@dataclass(slots=True)
class KnownPsk:
    """A pre-shared key of the client's that we know too, its binder checked."""

    index: int
    key: bytes
    with_key_exchange: bool
    ticket: TicketContent | None = None
    external: ExternalPsk | None = None
    obfuscated_age: int = 0
    binder: bytes = b""


def choose_psk(hs: Handshake, config: ServerConfig, wishes: ClientWishes, suite: Suite) -> KnownPsk | None:
    """The first offered key that we know and may use; its binder must be right (section 4.3.11)."""
    if wishes.psks is None or wishes.psk_modes is None:
        return None
    mode = _mode(config, wishes)
    if mode is None:
        hs.decided("resumption", "none", why="no key exchange mode for PSKs suits both sides")
        return None
    for index, (identity, age) in enumerate(wishes.psks.identities):
        psk = _known(hs, config, identity, suite, wishes)
        if psk is None:
            continue
        psk.index, psk.obfuscated_age, psk.binder = index, age, wishes.psks.binders[index]
        psk.with_key_exchange = mode == PskKeyExchangeMode.PSK_DHE_KE
        _check_binder(hs, wishes, psk, suite)
        _inherit(hs, psk)
        return psk
    hs.decided("resumption", "none", why="none of the offered keys is known here and still usable")
    return None


def _mode(config: ServerConfig, wishes: ClientWishes) -> int | None:
    """psk_dhe_ke if both sides know it, for its forward secrecy."""
    for mode in (PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE):
        common = mode in config.psk_modes and mode in (wishes.psk_modes or ())
        if common and (mode == PskKeyExchangeMode.PSK_KE or wishes.shares is not None):
            return mode
    return None


def _known(hs: Handshake, config: ServerConfig, identity: bytes, suite: Suite, wishes: ClientWishes) -> KnownPsk | None:
    ticket = _open_ticket(config, identity)
    if ticket is not None:
        problem = _why_not(hs, config, ticket, suite, wishes)
        if problem:
            hs.decided("resumption", "not with this ticket", why=problem)
            return None
        return KnownPsk(0, ticket.psk, True, ticket=ticket)
    external = _find_external(config, identity)
    if external is not None and external.hash_name == suite.hash_name:
        return KnownPsk(0, external.key, True, external=external)
    return None


def _find_external(config: ServerConfig, identity: bytes) -> ExternalPsk | None:
    if config.find_external_psk is None:
        return None
    try:
        return config.find_external_psk(identity)
    except GlasslockError:
        raise
    except Exception as problem:  # foreign code: whatever it raises must not leave the engine
        raise ConfigurationError(f"the search for an external PSK failed: {problem!r}") from problem


def _open_ticket(config: ServerConfig, identity: bytes) -> TicketContent | None:
    plaintext = config.ticket_keys.open(identity) if config.ticket_keys is not None else None
    return None if plaintext is None else TicketContent.parse(plaintext)


def _why_not(hs: Handshake, config: ServerConfig, ticket: TicketContent, suite: Suite, wishes: ClientWishes) -> str:
    """Why a genuine ticket cannot be used here and now; empty if it can."""
    if ticket.version != ProtocolVersion.TLS_1_3:
        return "the ticket is from another version of TLS"
    if SUITES_13[ticket.cipher_suite].hash_name != suite.hash_name:
        return "the ticket's hash does not go with the cipher suite"
    if ticket.cipher_suite not in wishes.hello.cipher_suites:
        return "the ticket's cipher suite is not offered any more"
    age = hs.now() - ticket.issued_at / 1000
    if not -config.early_data_window <= age < config.ticket_lifetime:
        return "the ticket is too old"
    if ticket.server_name != (wishes.server_name or ""):
        return "the ticket was given out under another name"
    if config.require_client_certificate and not ticket.client_chain:
        return "the ticket is from a connection without the client certificate that is required"
    return ""


def _check_binder(hs: Handshake, wishes: ClientWishes, psk: KnownPsk, suite: Suite) -> None:
    """The client knows the key, and made its proof for this very ClientHello (section 4.3.11.2)."""
    if wishes.psks is None:
        return
    schedule = KeySchedule(suite.hash_name, psk.key)
    key = schedule.binder_key(psk.external is not None)
    digest = hs.transcript.digest_without_end(suite.hash_name, wishes.psks.binders_length)
    if not hmac.compare_digest(psk.binder, finished_mac(schedule.hash, key, digest)):
        raise PeerMisbehaved(
            AlertDescription.DECRYPT_ERROR,
            "bad-binder",
            "the client's proof that it knows the pre-shared key is wrong",
            "RFC 9846 section 4.3.11.2",
        )


def _inherit(hs: Handshake, psk: KnownPsk) -> None:
    """In a resumption the client is who it was."""
    agreed = hs.agreed
    agreed.resumed = True
    if psk.ticket is not None:
        agreed.peer_chain = psk.ticket.client_chain
        agreed.client_signature_scheme = psk.ticket.client_signature_scheme or None
        claimed = (psk.obfuscated_age - psk.ticket.age_add) % (1 << 32) / 1000
        agreed.ticket_age_skew = claimed - (hs.now() - psk.ticket.issued_at / 1000)
    if psk.external is not None:
        agreed.external_psk = psk.external.identity
    hs.decided(
        "resumption",
        "session ticket" if psk.ticket else "external PSK",
        why="the client proved that it knows a key that we know too",
        rule="RFC 9846 section 4.3.11",
    )


# --- 0-RTT ----------------------------------------------------------------------------------------


def accept_early_data(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, psk: KnownPsk | None, schedule: KeySchedule
) -> bool:
    """Whether we take the client's early data; if so, it is read under its own key from here on."""
    if not wishes.early_data:
        return False
    ticket = psk.ticket if psk is not None else None
    problem = _why_no_early_data(hs, config, psk)
    hs.decided(
        "early_data",
        "refused" if problem else "accepted",
        why=problem or "a fresh, single-use ticket of this suite and protocol",
        rule="RFC 9846 section 8",
    )
    if problem or ticket is None:
        return False
    digest = hs.transcript.digest()
    secret = schedule.client_early_traffic(digest)
    hs.agreed.early_exporter_secret = schedule.early_exporter(digest)
    log_secret(hs, "CLIENT_EARLY_TRAFFIC_SECRET", secret)
    log_secret(hs, "EARLY_EXPORTER_SECRET", hs.agreed.early_exporter_secret)
    hs.agreed.early_data_accepted = True
    hs.early_data_limit = ticket.max_early_data
    hs.read_with(protection(hs, secret, "early data"))
    return True


def _why_no_early_data(hs: Handshake, config: ServerConfig, psk: KnownPsk | None) -> str:
    if not config.max_early_data or config.replay_guard is None:
        return "this server accepts no early data"
    if hs.agreed.retried:
        return "there was a HelloRetryRequest"
    if psk is None or psk.index != 0:
        return "the first offered key is not the one in use"
    if psk.ticket is None:
        return "the key is not from a ticket"
    if not psk.ticket.max_early_data:
        return "the ticket does not allow it"
    if psk.ticket.cipher_suite != hs.agreed.cipher_suite:
        return "the cipher suite is another one"
    if psk.ticket.alpn != (hs.agreed.alpn or ""):
        return "the application protocol is another one"
    skew = hs.agreed.ticket_age_skew or 0.0
    if abs(skew) > config.early_data_window:
        return f"the ticket's age is off by {skew:.1f} seconds: an old ClientHello may be replayed"
    return _seen_before(config.replay_guard, psk.binder, 2 * config.early_data_window)


def _seen_before(guard: ReplayGuard, binder: bytes, lifetime: float) -> str:
    """Only what was checked identifies a ClientHello: the binder of the key in use (section 8.2)."""
    try:
        return "" if guard.first_use(binder, lifetime) else "this ClientHello was seen before: a replay"
    except Exception as problem:  # noqa: BLE001 (foreign code; what it cannot tell is not taken, at the cost of a round trip)
        return f"the replay guard failed: {problem!r}"


# --- NewSessionTicket (section 4.7.1) -------------------------------------------------------------

MAX_TICKETS = 8  # that a client can have for the asking


def wanted_tickets(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> int:
    """How many tickets to send: as many as the client asks for, within reason (RFC 9149 section 3)."""
    if wishes.ticket_request is None:
        return config.tickets
    fresh, resumed = wishes.ticket_request
    return min(resumed if hs.agreed.resumed else fresh, MAX_TICKETS)


def send_tickets(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> None:
    """Tickets for later connections, each with a key of its own."""
    modes = wishes.psk_modes or ()
    if config.ticket_keys is None or not any(mode in config.psk_modes for mode in modes):
        return
    hash_ = hash_function(SUITES_13[hs.agreed.cipher_suite].hash_name)
    for number in range(wanted_tickets(hs, config, wishes)):
        nonce = u8(number)
        age_add = int.from_bytes(config.random(4), "big")
        content = TicketContent(
            version=hs.agreed.version,
            cipher_suite=hs.agreed.cipher_suite,
            psk=resumption_psk(hash_, hs.resumption_secret, nonce),
            issued_at=int(hs.now() * 1000),
            age_add=age_add,
            max_early_data=config.max_early_data,
            server_name=wishes.server_name or "",
            alpn=hs.agreed.alpn or "",
            client_chain=hs.agreed.peer_chain,
            client_signature_scheme=hs.agreed.client_signature_scheme or 0,
        ).encode()
        if len(content) > 0xF000:
            return  # a client certificate chain that fits in no ticket: this client starts anew
        extensions: Extensions = {}
        if config.max_early_data:
            extensions[ExtensionType.EARLY_DATA] = u32(config.max_early_data)
        if config.grease:
            extensions[Grease.drawn(config.random).extensions[0]] = b""
        ticket = config.ticket_keys.seal(content)
        hs.send_at_once(NewSessionTicket(config.ticket_lifetime, age_add, nonce, ticket, extensions))

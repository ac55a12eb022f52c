"""Pre-shared keys on the server: its own tickets and keys from outside (RFC 9846 section 4.3.11)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import ConfigurationError, GlasslockError, PeerMisbehaved
from ...registry import TLS_1_3, AlertDescription, PskKeyExchangeMode
from ..config import ServerConfig
from ..keys.key_schedule import RESUMPTION_BINDER, KeySchedule
from ..keys.suites import SUITES_13, Suite
from ..session import ExternalPsk
from ..wire.extensions import OfferedPsks
from .client_wishes import ClientWishes
from .context import Handshake, illegal, missing
from .keys13 import key_schedule
from .tickets import TicketContent, is_too_old


@dataclass(slots=True)
class KnownPsk:
    """A pre-shared key of the client's that we know too, its binder checked."""

    index: int
    key: bytes
    schedule: KeySchedule
    with_key_exchange: bool = True
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
    psk = next(_usable(hs, config, wishes, wishes.psks, suite), None)
    if psk is None:
        hs.decided("resumption", "none", why="none of the offered keys is known here and still usable")
        return None
    psk.obfuscated_age, psk.binder = wishes.psks.identities[psk.index][1], wishes.psks.binders[psk.index]
    psk.with_key_exchange = mode == PskKeyExchangeMode.PSK_DHE_KE
    _check_binder(hs, wishes.psks, psk)
    _inherit(hs, psk)
    return psk


def choose_psk_again(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, suite: Suite, before: KnownPsk | None
) -> KnownPsk | None:
    """After a HelloRetryRequest: the client may leave out keys, but not the one that we chose (section 4.2.2)."""
    psk = choose_psk(hs, config, wishes, suite)
    if before is None:
        return psk
    if wishes.psks is None:
        raise missing("pre_shared_key", "the second ClientHello")
    if psk is None or not hmac.compare_digest(psk.key, before.key):
        raise illegal(
            "psk-not-found", "the second ClientHello lacks the key that the first one offered", "RFC 9846 section 4.2.2"
        )
    return psk


def _usable(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, offer: OfferedPsks, suite: Suite
) -> Iterator[KnownPsk]:
    """Our tickets in the client's order, then keys from outside in ours, then those that are looked up."""
    offered = [identity for identity, _ in offer.identities]
    for index, identity in enumerate(offered):
        ticket = _open_ticket(config, identity)
        if ticket is not None:
            problem = _why_not(hs, config, ticket, suite, wishes)
            if not problem:
                yield KnownPsk(index, ticket.psk, key_schedule(hs, suite.hash_name, ticket.psk), ticket=ticket)
            hs.decided("resumption", "not with this ticket", why=problem)
    for known in config.external_psks:
        if known.hash_name == suite.hash_name and known.identity in offered:
            schedule = key_schedule(hs, suite.hash_name, known.key)
            yield KnownPsk(offered.index(known.identity), known.key, schedule, external=known)
    for index, identity in enumerate(offered):
        found = _find_external(config, identity)
        if found is not None and found.hash_name == suite.hash_name:
            yield KnownPsk(index, found.key, key_schedule(hs, suite.hash_name, found.key), external=found)


def _mode(config: ServerConfig, wishes: ClientWishes) -> int | None:
    """psk_dhe_ke if both sides know it, for its forward secrecy."""
    for mode in (PskKeyExchangeMode.PSK_DHE_KE, PskKeyExchangeMode.PSK_KE):
        common = mode in config.psk_modes and mode in (wishes.psk_modes or ())
        if common and (mode == PskKeyExchangeMode.PSK_KE or wishes.shares is not None):
            return mode
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
    if ticket.version != TLS_1_3:
        return "the ticket is from another version of TLS"
    if SUITES_13[ticket.cipher_suite].hash_name != suite.hash_name:
        return "the ticket's hash does not go with the cipher suite"
    if ticket.cipher_suite not in wishes.hello.cipher_suites:
        return "the ticket's cipher suite is not offered any more"
    if is_too_old(hs, config, ticket):
        return "the ticket is too old"
    if ticket.server_name != (wishes.server_name or ""):
        return "the ticket was given out under another name"
    if config.require_client_certificate and not ticket.client_chain:
        return "the ticket is from a connection without the client certificate that is required"
    return ""


def _check_binder(hs: Handshake, offer: OfferedPsks, psk: KnownPsk) -> None:
    """The client knows the key, and made its proof for this very ClientHello (section 4.3.11.2)."""
    label = RESUMPTION_BINDER if psk.external is None else psk.external.binder_label
    digest = hs.transcript.digest_without_end(psk.schedule.hash.name, offer.binders_length)
    if not hmac.compare_digest(psk.binder, psk.schedule.binder(label, digest)):
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
        agreed.session_began_at = psk.ticket.session_began_at
        agreed.peer_chain = psk.ticket.client_chain
        agreed.peer_certificate_type = psk.ticket.client_certificate_type
        agreed.own_certificate_type = psk.ticket.server_certificate_type
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

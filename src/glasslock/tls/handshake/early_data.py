"""0-RTT data on the server: what is taken, and what is not, so that nothing is taken twice (RFC 9846 section 8)."""

from __future__ import annotations

from ..config import ServerConfig
from ..keys.key_schedule import CLIENT_EARLY_TRAFFIC, EARLY_EXPORTER, KeySchedule
from ..session import ReplayGuard
from .client_wishes import ClientWishes
from .context import Handshake
from .keys13 import log_secret, protection
from .psk import KnownPsk


def accept_early_data(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, psk: KnownPsk | None, schedule: KeySchedule
) -> bool:
    """Whether we take the client's early data; if so, it is read under its own key from here on."""
    if not wishes.early_data:
        return False
    ticket = psk.ticket if psk is not None else None
    if not decide_on_early_data(hs, config, psk) or ticket is None:
        return False
    digest = hs.transcript.digest()
    secret = schedule.derive(CLIENT_EARLY_TRAFFIC, digest)
    hs.agreed.early_exporter_secret = schedule.derive(EARLY_EXPORTER, digest)
    hs.agreed.early_cipher_suite = ticket.cipher_suite
    log_secret(hs, "CLIENT_EARLY_TRAFFIC_SECRET", secret)
    log_secret(hs, "EARLY_EXPORTER_SECRET", hs.agreed.early_exporter_secret)
    hs.agreed.early_data_accepted = True
    hs.early_data_limit = ticket.max_early_data
    hs.read_with(protection(hs, secret, "early data"))
    return True


def decide_on_early_data(hs: Handshake, config: ServerConfig, psk: KnownPsk | None) -> bool:
    """Tells the trace as well; asked once for each ClientHello that offers early data."""
    problem = _why_no_early_data(hs, config, psk)
    hs.decided(
        "early_data",
        "refused" if problem else "accepted",
        why=problem or "a fresh, single-use ticket of this suite and protocol",
        rule="RFC 9846 section 8",
    )
    return not problem


def _why_no_early_data(hs: Handshake, config: ServerConfig, psk: KnownPsk | None) -> str:
    if not config.max_early_data or config.replay_guard is None:
        return "this server accepts no early data"
    if psk is None or psk.index != 0:
        return "the first offered key is not the one in use"
    if hs.agreed.retried:
        return "there was a HelloRetryRequest"
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

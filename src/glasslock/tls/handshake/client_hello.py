"""ClientHello: what the client can do and wants (RFC 9846 section 4.2.2), the first and, if need be, the second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ...registry import TLS_1_2, TLS_1_3, ExtensionType, members
from ..config import ClientConfig
from ..keys.groups import KeyExchange
from ..keys.hkdf import hash_function
from ..keys.key_schedule import RESUMPTION_BINDER, KeySchedule
from ..keys.suites import SUITES_13
from ..session import ExternalPsk, Session
from ..wire import extensions as ext
from ..wire.codec import u16
from ..wire.messages import ClientHello, Extensions
from .certificate_types import offer_certificate_types
from .context import Handshake
from .grease import NO_GREASE, Grease, permuted
from .keys13 import key_schedule

if TYPE_CHECKING:
    from ..ech.config import Choice
    from ..ech.hpke import Context

_E = members(ExtensionType)

# What a hello has for the sake of TLS 1.2 alone.
TLS12_ONLY = frozenset({_E.EXTENDED_MAIN_SECRET, _E.RENEGOTIATION_INFO, _E.EC_POINT_FORMATS, _E.SESSION_TICKET})

_NOT_OFFERED = "the session is too old, or for another name or suite"


@dataclass(slots=True)
class OfferedPsk:
    """One pre-shared key in the offer: a session's ticket or a key from outside."""

    identity: bytes
    key: bytes
    hash_name: str
    session: Session | None = None
    external: ExternalPsk | None = None
    started: KeySchedule | None = None

    def obfuscated_age(self, now: float) -> int:
        """Milliseconds since the ticket came, disguised (RFC 9846 section 4.3.11.1); 0 for external keys."""
        if self.session is None:
            return 0
        age = max(0, int((now - self.session.issued_at) * 1000))
        return (age + self.session.age_add) & 0xFFFFFFFF

    def schedule(self, hs: Handshake) -> KeySchedule:
        """The key schedule with this key in it: of the binders, and of everything else if the server selects it."""
        self.started = self.started or key_schedule(hs, self.hash_name, self.key)
        return self.started

    @property
    def binder_length(self) -> int:
        return hash_function(self.hash_name).length

    @property
    def binder_label(self) -> bytes:
        return RESUMPTION_BINDER if self.external is None else self.external.binder_label

    @property
    def cipher_suite(self) -> int:
        if self.session is not None:
            return self.session.cipher_suite
        return self.external.cipher_suite if self.external else 0

    @property
    def alpn(self) -> str | None:
        if self.session is not None:
            return self.session.alpn
        return self.external.alpn if self.external else None

    @property
    def max_early_data(self) -> int:
        if self.session is not None:
            return self.session.max_early_data
        return self.external.max_early_data if self.external else 0


@dataclass(slots=True)
class Offer:
    """A ClientHello with the private halves that belong to it."""

    hello: ClientHello
    exchanges: dict[int, KeyExchange]
    psks: list[OfferedPsk]
    session12: Session | None = None  # a TLS 1.2 session that is offered
    early_data: bool = False
    envelope: Envelope | None = None  # ECH: this is the inner hello, and goes out in here
    rejection: Rejection | None = None  # ECH: this is the outer hello, and the server read no other

    @property
    def extensions(self) -> Extensions:
        return self.hello.extensions


@dataclass(slots=True)
class Envelope:
    """The outer hello that everybody sees, and what seals the inner one into it (RFC 9849)."""

    outer: Offer
    choice: Choice
    context: Context
    shared: tuple[int, ...]  # extensions that the inner hello takes from the outer one
    disguises: dict[bytes, tuple[bytes, int]]  # PSK identity to the one that stands for it outside, and its age
    sent: bytes = b""  # the outer hello, once it is sent


@dataclass(slots=True)
class Rejection:
    """The server read the outer hello: all it can do is prove the public name and hand out other keys."""

    public_name: str
    retry_configs: bytes = b""


def make_offer(hs: Handshake, config: ClientConfig, session: Session | None, early_data: bool) -> Offer:
    """The first ClientHello."""
    random = config.random(32)
    hs.agreed.client_random = random
    tls13 = TLS_1_3 in config.versions
    tls12 = TLS_1_2 in config.versions
    psks = offered_psks(hs, config, session) if tls13 and config.psk_modes else []
    session12 = offered_session12(hs, config, session) if tls12 else None
    exchanges = {group: config.generate_key(group) for group in config.initial_key_shares} if tls13 else {}
    early = early_data and may_send_early_data(hs, config, psks)
    if session12 is not None and session12.session_id:
        session_id = session12.session_id
    elif (tls13 and config.middlebox_compatibility) or session12 is not None:
        session_id = config.random(32)
    else:
        session_id = b""
    grease = Grease.drawn(config.random) if config.grease else NO_GREASE
    extensions = _extensions(hs, config, grease, exchanges, session12, early)
    if config.permute_extensions:
        extensions = permuted(extensions, config.random)
    hello = ClientHello(
        random=random,
        session_id=session_id,
        cipher_suites=grease.cipher_suites + config.offered_suites,
        extensions=grease.around(extensions),
    )
    return Offer(hello, exchanges, psks, session12, early)


def may_send_early_data(hs: Handshake, config: ClientConfig, psks: list[OfferedPsk]) -> bool:
    """Only the first key can protect early data, and only as it was agreed with it (RFC 9846 section 4.3.10)."""
    problem = ""
    if not psks:
        problem = "there is no key from before"
    elif not psks[0].max_early_data:
        problem = "the session does not allow it"
    elif psks[0].alpn is not None and psks[0].alpn not in config.alpn_protocols:
        problem = "the session's application protocol is not offered any more"
    elif psks[0].cipher_suite not in config.cipher_suites:
        problem = "the session's cipher suite is not offered any more"
    if problem:
        hs.decided("early_data", "not offered", why=problem, rule="RFC 9846 section 4.3.10")
    return not problem


def host_name(server_name: str | None) -> str | None:
    """What goes into server_name: no address, no trailing dot (RFC 6066 section 3).

    ConfigurationError for what cannot be a name; international names have to be A-labels already.
    """
    if server_name is None or _is_address(server_name):
        return None
    name = server_name.removesuffix(".")
    if not 1 <= len(name) <= ext.MAX_HOST_NAME or not (name.isascii() and name.isprintable()) or " " in name:
        raise ConfigurationError(f"{server_name!r} is no host name in ASCII form")
    return name


def _is_address(name: str) -> bool:
    if ":" not in name and not name[-1:].isdigit():
        return False  # as nearly always, and much faster told so
    import ipaddress

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def offered_session12(hs: Handshake, config: ClientConfig, session: Session | None) -> Session | None:
    """The session if it is one of TLS 1.2, still fresh, and for this name: at another it would let in its old peer."""
    if session is None or session.version != TLS_1_2:
        return None
    if session.ticket and not config.session_tickets:
        return None
    same_name = session.server_name == hs.agreed.server_name
    if session.is_fresh(hs.now()) and same_name and session.cipher_suite in config.suites_12:
        return session
    hs.decided("resumption", "not offered", why=_NOT_OFFERED)
    return None


def offered_psks(hs: Handshake, config: ClientConfig, session: Session | None) -> list[OfferedPsk]:
    """The session's ticket if it is still fresh, then the external keys."""
    psks = []
    if session is not None and session.version == TLS_1_3:
        suite = SUITES_13.get(session.cipher_suite)
        if suite is not None and session.is_fresh(hs.now()) and session.server_name == hs.agreed.server_name:
            psks.append(OfferedPsk(session.ticket, session.psk, suite.hash_name, session=session))
        else:
            hs.decided("resumption", "not offered", why=_NOT_OFFERED)
    psks += [OfferedPsk(psk.identity, psk.key, psk.hash_name, external=psk) for psk in config.external_psks]
    if not psks:
        return psks
    hashes = {SUITES_13[suite].hash_name for suite in config.suites_13}
    return [psk for psk in psks if psk.hash_name in hashes]


def _extensions(
    hs: Handshake,
    config: ClientConfig,
    grease: Grease,
    exchanges: dict[int, KeyExchange],
    session12: Session | None,
    early: bool,
) -> Extensions:
    """Everything but pre_shared_key, which has to be last and is added with its binders."""
    found = _usual_extensions(config, grease, hs.agreed.server_name)
    if session12 is not None and _E.SESSION_TICKET in found:
        found[_E.SESSION_TICKET] = session12.ticket
    if TLS_1_3 in config.versions:
        shares = {group: exchange.share for group, exchange in exchanges.items()}
        if shares and grease.groups:
            shares = dict.fromkeys(grease.groups, b"\x00") | shares
        found[_E.KEY_SHARE] = ext.write_client_shares(shares)
        if early:
            found[_E.EARLY_DATA] = b""
    return found


def _usual_extensions(config: ClientConfig, grease: Grease, server_name: str | None) -> Extensions:
    """Those that are the same in every hello to one host; put together once, if there is no grease among them."""
    if grease is not NO_GREASE:
        return _constant_extensions(config, grease, server_name)
    known = config.usual_extensions
    usual = known.get(server_name)
    if usual is None:
        usual = _constant_extensions(config, grease, server_name)
        if len(known) >= _MOST_HOSTS:
            known.clear()
        known[server_name] = usual
    return usual.copy()


_MOST_HOSTS = 256  # whose extensions a config remembers


def _constant_extensions(config: ClientConfig, grease: Grease, server_name: str | None) -> Extensions:
    found: Extensions = {}
    name = host_name(server_name)
    if name is not None:
        found[_E.SERVER_NAME] = ext.write_server_name(name)
    if TLS_1_2 in config.versions:  # see TLS12_ONLY
        found[_E.EXTENDED_MAIN_SECRET] = b""
        found[_E.RENEGOTIATION_INFO] = b"\x00"
        found[_E.EC_POINT_FORMATS] = ext.write_u8_vector((0,))
        if config.session_tickets:
            found[_E.SESSION_TICKET] = b""
    found[_E.SUPPORTED_GROUPS] = ext.write_u16_vector(grease.groups + config.offered_groups)
    if config.alpn_protocols:
        found[_E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = ext.write_protocols(config.alpn_bytes)
    if config.request_ocsp:
        found[_E.STATUS_REQUEST] = ext.STATUS_REQUEST_OCSP
    if config.trusts_certificates:
        found[_E.SIGNATURE_ALGORITHMS] = ext.write_u16_vector(grease.schemes + config.signature_schemes)
    found |= offer_certificate_types(config)
    if config.request_scts:
        found[_E.SIGNED_CERTIFICATE_TIMESTAMP] = b""
    limit = config.record_limit(max(config.versions))
    if limit is not None:
        found[_E.RECORD_SIZE_LIMIT] = u16(limit)
    if TLS_1_3 in config.versions:
        _add_tls13_extensions(found, config, grease)
    return found


def _add_tls13_extensions(found: Extensions, config: ClientConfig, grease: Grease) -> None:
    found[_E.SUPPORTED_VERSIONS] = ext.write_client_versions(grease.versions + config.versions)
    if config.certificate_compression:
        found[_E.COMPRESS_CERTIFICATE] = ext.write_compression_algorithms(config.certificate_compression)
    if config.psk_modes:
        found[_E.PSK_KEY_EXCHANGE_MODES] = ext.write_u8_vector(config.psk_modes)
    if config.post_handshake_auth:
        found[_E.POST_HANDSHAKE_AUTH] = b""
    if config.ticket_request is not None:
        found[_E.TICKET_REQUEST] = bytes(config.ticket_request)


def renew_offer(offer: Offer, hash_name: str) -> None:
    """The ClientHello after a HelloRetryRequest: as before but for what section 4.2.2 allows to change.

    `offer.hello.extensions` and `offer.exchanges` have been updated by whoever read the request.
    """
    offer.early_data = False
    offer.extensions.pop(_E.EARLY_DATA, None)
    offer.extensions.pop(_E.PRE_SHARED_KEY, None)
    offer.psks = [psk for psk in offer.psks if psk.hash_name == hash_name]


def encode_hello(hs: Handshake, offer: Offer) -> bytes:
    """The ClientHello as bytes; with pre-shared keys, their binders are made last (section 4.3.11.2)."""
    hello = offer.hello
    if not offer.psks:
        return hello.encode()
    psks = write_psks(offer.psks, hs.now())
    hello.extensions[_E.PRE_SHARED_KEY] = psks
    length = 2 + sum(1 + psk.binder_length for psk in offer.psks)
    truncated = hello.encode()[:-length]
    binders = ext.write_binders([binder(hs, psk, truncated) for psk in offer.psks])
    hello.extensions[_E.PRE_SHARED_KEY] = psks[:-length] + binders
    return truncated + binders


def write_psks(psks: list[OfferedPsk], now: float) -> bytes:
    """pre_shared_key with zeros in the place of the binders."""
    identities = tuple((psk.identity, psk.obfuscated_age(now)) for psk in psks)
    return ext.write_offered_psks(identities, tuple(bytes(psk.binder_length) for psk in psks))


def binder(hs: Handshake, psk: OfferedPsk, truncated_hello: bytes) -> bytes:
    """Proof that we know the PSK, bound to this ClientHello."""
    digest = hs.transcript.digest_with(psk.hash_name, truncated_hello)
    return psk.schedule(hs).binder(psk.binder_label, digest)

"""Tickets on the server: what is sealed into them, and how they are given out (RFC 9846 section 4.7.1)."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from ...registry import CertificateType, ExtensionType
from ..config import ServerConfig
from ..keys.key_schedule import resumption_psk
from ..keys.suites import SUITES_13
from ..session import MAX_SESSION_AGE
from ..wire.codec import Reader, u8, u32, vector8, vector24
from ..wire.messages import Extensions, NewSessionTicket
from .client_wishes import ClientWishes
from .context import Handshake
from .grease import Grease


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
    client_certificate_type: int = CertificateType.X509
    server_certificate_type: int = CertificateType.X509
    client_signature_scheme: int = 0
    extended_main_secret: bool = True
    group: int = 0  # TLS 1.2: of the handshake that made the session
    began_at: int = 0  # when that was, in seconds since the Unix epoch; 0: it gave out this ticket

    @property
    def session_began_at(self) -> float:
        """When the handshake was that the session goes back to, in seconds since the Unix epoch."""
        return self.began_at or self.issued_at / 1000

    def encode(self) -> bytes:
        """Filled up with zeros to a multiple of 128 bytes: a ticket's length would tell the length of the name."""
        content = b"".join(
            (
                _FIXED.pack(
                    _FORM,
                    self.version,
                    self.cipher_suite,
                    self.issued_at,
                    min(self.began_at, 0xFFFFFFFF),
                    self.age_add,
                    self.max_early_data,
                    self.client_certificate_type,
                    self.server_certificate_type,
                    self.client_signature_scheme,
                    self.extended_main_secret,
                    self.group,
                ),
                vector8(self.psk),
                vector8(self.server_name.encode("ascii")),
                vector8(self.alpn.encode("latin-1")),
                vector24(b"".join([vector24(certificate) for certificate in self.client_chain])),
            )
        )
        return content + bytes(-len(content) % 128)

    @classmethod
    def parse(cls, data: bytes) -> TicketContent | None:
        """The reverse; None for the form of another release, which may share our keys while a fleet is renewed."""
        if data[:1] != bytes((_FORM,)):
            return None
        reader = Reader(data, "our own ticket")
        _, version, suite, issued_at, began_at, age_add, early, *fixed = reader.fields(_FIXED)
        client_type, server_type, scheme, extended, group = fixed
        psk = reader.vector8()
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
            began_at=began_at,
            age_add=age_add,
            max_early_data=early,
            server_name=server_name,
            alpn=alpn,
            client_chain=tuple(chain),
            client_certificate_type=client_type,
            server_certificate_type=server_type,
            client_signature_scheme=scheme,
            extended_main_secret=extended,
            group=group,
        )


_FORM = 1  # to be counted up with every change to what follows
# form, version, cipher_suite, issued_at, began_at, age_add, max_early_data, both certificate types, signature scheme,
# RFC 7627, group
_FIXED = Struct(">BHHQIIIBBH?H")

MAX_TICKETS = 8  # that a client can have for the asking


def is_too_old(hs: Handshake, config: ServerConfig, ticket: TicketContent) -> bool:
    """Whether the ticket, or the handshake that it goes back to, is too long ago (or in the future)."""
    now = hs.now()
    fresh = -config.early_data_window <= now - ticket.issued_at / 1000 < config.ticket_lifetime
    return not fresh or now - ticket.session_began_at >= MAX_SESSION_AGE


def lifetime_of_ticket(hs: Handshake, config: ServerConfig) -> int:
    """Seconds: no longer than the session may last altogether, nor 0, which has a meaning of its own."""
    began = hs.agreed.session_began_at
    if not began:
        return config.ticket_lifetime
    return max(1, min(config.ticket_lifetime, int(began + MAX_SESSION_AGE - hs.now())))


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
    hash_ = SUITES_13[hs.agreed.cipher_suite].hash
    tickets = []
    for number in range(wanted_tickets(hs, config, wishes)):
        nonce = u8(number)
        age_add = int.from_bytes(config.random(4), "big")
        content = TicketContent(
            version=hs.agreed.version,
            cipher_suite=hs.agreed.cipher_suite,
            psk=resumption_psk(hash_, hs.resumption_secret, nonce),
            issued_at=int(hs.now() * 1000),
            began_at=int(hs.agreed.session_began_at),
            age_add=age_add,
            max_early_data=config.max_early_data,
            server_name=wishes.server_name or "",
            alpn=hs.agreed.alpn or "",
            client_chain=hs.agreed.peer_chain,
            client_certificate_type=hs.agreed.peer_certificate_type,
            server_certificate_type=hs.agreed.own_certificate_type,
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
        tickets.append(NewSessionTicket(lifetime_of_ticket(hs, config), age_add, nonce, ticket, extensions))
    if tickets:
        hs.send_at_once(*tickets)

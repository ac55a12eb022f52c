"""Encrypted ClientHello on the client (RFC 9849 section 6).

The hello that was meant becomes the inner one. Around it goes an outer hello that says nothing private; what the
server answers tells which of the two it read. If it is the outer one, the handshake goes on for the public name, only
to learn in safety which keys the server has now.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from ... import trace
from ...errors import ConfigurationError, ECHRejected, PeerMisbehaved
from ...registry import TLS_1_3, AlertDescription, ExtensionType, HandshakeType, members
from ..config import ClientConfig
from ..handshake.client_hello import Envelope, Offer, Rejection, encode_hello
from ..handshake.context import Handshake, illegal
from ..keys.suites import SUITES_13
from ..keys.transcript import Transcript
from ..wire.codec import decode_error
from ..wire.messages import Extensions, ServerHello
from .confirmation import LENGTH, confirmation

if TYPE_CHECKING:
    from .config import ECHConfig

_E = members(ExtensionType)
_RULE = "RFC 9849 section 6.1.4"


# --- two hellos out of one (sections 6.1 and 6.2) -------------------------------------------------


def conceal(hs: Handshake, config: ClientConfig, offer: Offer, configs: tuple[ECHConfig, ...] | None) -> None:
    """Puts the hello into an envelope if we have a key for that; else it may look as if we had."""
    choice = None
    if configs and TLS_1_3 in config.versions:
        from .config import choose_config

        choice = choose_config(configs)
    if choice is not None:
        from .envelope import enclose

        enclose(hs, config, offer, choice)
    elif config.require_ech:
        raise ConfigurationError(f"{_why_not(config, configs)}: nothing was sent, since require_ech is set")
    else:
        if configs is not None:
            hs.decided("ech", "not offered", why=_why_not(config, configs), rule="RFC 9849 section 6.1")
        if config.ech_grease and TLS_1_3 in config.versions:
            from .envelope import add_grease

            add_grease(hs, config, offer)


def _why_not(config: ClientConfig, configs: tuple[ECHConfig, ...] | None) -> str:
    if TLS_1_3 not in config.versions:
        return "Encrypted ClientHello needs TLS 1.3"
    if configs is None:
        return "there is no ECH configuration for this server"
    if not configs:
        return "no ECH configuration of this server is of a version that is known here"
    return "no ECH configuration of this server can be used: " + "; ".join(c.why_unusable() for c in configs)


# --- sending (sections 6.1.1 and 6.1.5) -----------------------------------------------------------


def send_hello(hs: Handshake, offer: Offer) -> None:
    """Queues the ClientHello, the first or the second: as it is, or in its envelope."""
    raw = encode_hello(hs, offer)
    if offer.envelope is None:
        hs.send_raw(HandshakeType.CLIENT_HELLO, raw)
        return
    from .envelope import seal

    hs.tell(trace.InnerHello(time=hs.now(), side=hs.side, raw=raw))
    hs.transcript.add(raw)
    offer.envelope.sent = seal(hs, offer.hello, offer.envelope)
    hs.queue(HandshakeType.CLIENT_HELLO, offer.envelope.sent)


# --- which hello did the server read? (section 6.1.4) ---------------------------------------------


def settle(hs: Handshake, offer: Offer, hello: ServerHello) -> Offer:
    """The offer that counts from here on: the inner one if the server shows that it read that, else the outer one."""
    if hello.is_retry_request and _E.ENCRYPTED_CLIENT_HELLO in offer.extensions:
        _check_length(hello)
    envelope = offer.envelope
    if envelope is None:
        return offer
    if _is_confirmed(hs, offer, hello):
        if not hs.agreed.ech_accepted:
            hs.agreed.ech_accepted = True
            hs.decided("ech", "accepted", why="the server shows that it read the inner ClientHello", rule=_RULE)
        return offer
    if hs.agreed.ech_accepted:
        raise illegal("ech-not-confirmed", "the server read the inner ClientHello once, but not twice", _RULE)
    return _go_public(hs, envelope, hello)


def _check_length(hello: ServerHello) -> None:
    if len(hello.extensions.get(_E.ENCRYPTED_CLIENT_HELLO, bytes(LENGTH))) != LENGTH:
        raise decode_error("encrypted_client_hello in HelloRetryRequest has not 8 bytes", _RULE)


def _is_confirmed(hs: Handshake, offer: Offer, hello: ServerHello) -> bool:
    if hs.agreed.version < TLS_1_3 or hello.cipher_suite not in SUITES_13:
        return False
    found = hello.random[-LENGTH:]
    if hello.is_retry_request:
        found = hello.extensions.get(_E.ENCRYPTED_CLIENT_HELLO, b"")
    return hmac.compare_digest(found, confirmation(hs.transcript.without_last(), offer.hello.random, hello))


def _go_public(hs: Handshake, envelope: Envelope, hello: ServerHello) -> Offer:
    """The server answers the outer hello, so this is the handshake of that one."""
    public_name = envelope.choice.config.public_name
    hs.transcript = Transcript()
    hs.transcript.add(envelope.sent)
    hs.transcript.add(hello.encode())
    hs.agreed.client_random = envelope.outer.hello.random
    hs.agreed.server_name = public_name
    envelope.outer.rejection = Rejection(public_name)
    why = f"the server read the outer ClientHello only: it has to prove that it is {public_name}"
    hs.decided("ech", "rejected", why=why, rule=_RULE)
    return envelope.outer


# --- after a rejection (section 6.1.6) ------------------------------------------------------------


def keep_retry_configs(offer: Offer, answers: Extensions) -> None:
    """The server's current keys, in EncryptedExtensions: kept for a rejected client, only looked at for GREASE."""
    data = answers.get(_E.ENCRYPTED_CLIENT_HELLO)
    if data is None:
        return
    from .config import parse_config_list

    if offer.envelope is not None:
        raise PeerMisbehaved(
            AlertDescription.UNSUPPORTED_EXTENSION,
            "unsolicited-extension",
            "the server read the inner ClientHello and sends keys to try again with all the same",
            "RFC 9849 section 5",
        )
    # A list without a config of a version known here says that ECH, as we know it, is switched off.
    if parse_config_list(data) and offer.rejection is not None:
        offer.rejection.retry_configs = data


def end_if_rejected(offer: Offer) -> None:
    """The public name is proved and its new keys can be trusted: that was all this connection was for."""
    if offer.rejection is not None:
        raise ECHRejected(offer.rejection.public_name, offer.rejection.retry_configs)

"""Encrypted ClientHello on the server (RFC 9849 section 7).

With keys, a server is client-facing and backend in one ("shared mode"): it opens the outer hello, and goes on as if
the inner one had come. Without keys it can be the backend of somebody else who opens: an inner hello that comes by
itself is confirmed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...registry import ECHClientHelloType, ExtensionType, members
from ..config import ServerConfig
from ..handshake.client_wishes import ClientWishes
from ..handshake.context import Handshake
from ..wire.messages import ClientHello, ServerHello
from .confirmation import LENGTH, confirmation, with_confirmation

if TYPE_CHECKING:
    from .hello import OpenedHello

_E = members(ExtensionType)

FLIGHT_BLOCK = 1024  # bytes: records of the server's handshake are filled up to a multiple of this


# --- opening (section 7.1) ------------------------------------------------------------------------


def open_hello(hs: Handshake, config: ServerConfig, outer: ClientHello) -> tuple[ClientHello, OpenedHello | None]:
    """The hello that counts: the one inside if we have the key to it, and what it takes to open the next one."""
    data = outer.extensions.get(_E.ENCRYPTED_CLIENT_HELLO)
    if data is None or not config.ech_keys:
        return outer, None
    from .opening import unseal

    return unseal(hs, config, outer, data)


def open_second_hello(hs: Handshake, opened: OpenedHello | None, outer: ClientHello) -> ClientHello:
    """After a HelloRetryRequest: what the second hello has inside, if the first one was opened."""
    if opened is None:
        return outer
    from .opening import unseal_second

    return unseal_second(hs, opened, outer)


# --- confirming (section 7.2) ---------------------------------------------------------------------


def confirm(hs: Handshake, config: ServerConfig, wishes: ClientWishes, hello: ServerHello) -> ServerHello:
    """Our ServerHello or HelloRetryRequest, with the sign that we read the inner hello if we did."""
    if wishes.ech is ECHClientHelloType.INNER:
        return with_confirmation(hello, confirmation(hs.transcript, wishes.hello.random, hello))
    # A request that a cookie replaces has to be the same for whoever goes on from that.
    if hello.is_retry_request and wishes.ech is not None and config.ech_keys and config.cookie_keys is None:
        return with_confirmation(hello, config.random(LENGTH))  # so that nobody sees the difference
    return hello


def hide_lengths(hs: Handshake, wishes: ClientWishes) -> None:
    """Until the handshake's last message: how long a certificate is would tell whose it is (section 6.1.3)."""
    if wishes.ech is ECHClientHelloType.INNER and hs.writer.padding is None:
        hs.writer.padding = lambda length: -length % FLIGHT_BLOCK


# --- rejecting ------------------------------------------------------------------------------------


def retry_configs(config: ServerConfig, wishes: ClientWishes) -> bytes | None:
    """For a client whose encrypted hello we could not open: the keys that we have now (section 7.1)."""
    if wishes.ech is not ECHClientHelloType.OUTER or not config.ech_keys:
        return None
    from .config import encode_config_list

    return encode_config_list([key.config for key in config.ech_keys if key.retry])

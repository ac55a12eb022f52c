"""The client's side up to the point where the version is known (RFC 9846 section 4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...errors import NegotiationFailed
from ...registry import TLS_1_2, TLS_1_3, AlertDescription, ExtensionType, ProtocolVersion, name_of
from ..config import ClientConfig
from ..ech.client import conceal, send_hello, settle
from ..session import Session
from ..wire.extensions import read_u16
from ..wire.messages import ServerHello
from .client13 import client13, prepare_early_data
from .client_hello import Offer, make_offer
from .context import Handshake, HandshakeScript, illegal, missing, wrong_legacy_version

if TYPE_CHECKING:
    from ..ech.config import ECHConfig

DOWNGRADE_TO_12 = b"DOWNGRD\x01"
DOWNGRADE_TO_11 = b"DOWNGRD\x00"


def client_handshake(
    hs: Handshake,
    config: ClientConfig,
    session: Session | None,
    early_data: bool,
    ech_configs: tuple[ECHConfig, ...] | None,
) -> HandshakeScript:
    """One handshake as a client."""
    offer = make_offer(hs, config, session, early_data)
    conceal(hs, config, offer, ech_configs)
    send_first_hello(hs, offer)
    if offer.early_data:
        prepare_early_data(hs, config, offer)
    hello = yield from hs.expect(ServerHello)
    version = accept_version(hs, config, hello)
    if offer.early_data and version < TLS_1_3:
        raise NegotiationFailed(
            AlertDescription.PROTOCOL_VERSION,
            "early-data-version",
            "the server took up an old version although early data was sent to it: it is not the one that we knew",
            "RFC 9846 appendix E.3",
        )
    offer = settle(hs, offer, hello)
    if offer.rejection is not None:
        # Who we are is not for the public name (RFC 9849 section 6.1.7).
        config = replace(config, credentials=(), own_certificate_types=config.own_types or None)
    if version == TLS_1_3:
        return (yield from client13(hs, config, offer, hello))
    from .client12 import client12

    return (yield from client12(hs, config, offer, hello))


def send_first_hello(hs: Handshake, offer: Offer) -> None:
    """Its record looks like one of TLS 1.0, for middleboxes (RFC 9846 section 5.1)."""
    hs.writer.initial_version = b"\x03\x01"
    send_hello(hs, offer)
    hs.flush()
    hs.writer.initial_version = b"\x03\x03"


def accept_version(hs: Handshake, config: ClientConfig, hello: ServerHello) -> int:
    """The version the server chose: one we offered, and not forced upon both of us (section 4.3.1)."""
    selected = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    if selected is None:
        version = hello.legacy_version
        if hello.is_retry_request:
            raise missing("supported_versions", "HelloRetryRequest")
        if version > TLS_1_2 or version not in config.versions:
            raise unsupported_version(version)
    else:
        version = read_u16(selected, "supported_versions")
        if version < TLS_1_3 or version not in config.versions:
            raise illegal(
                "version-not-offered",
                f"the server chose version {name_of(ProtocolVersion, version)}, which was not offered",
                "RFC 9846 section 4.3.1",
            )
        if hello.legacy_version != TLS_1_2:
            raise wrong_legacy_version("ServerHello", hello.legacy_version, "RFC 9846 section 4.2.3")
    if version < max(config.versions) and hello.random[-8:] in (DOWNGRADE_TO_12, DOWNGRADE_TO_11):
        raise illegal("downgrade", "somebody on the way made both sides use an older version", "RFC 9846 section 4.2.3")
    hs.agree_on_version(version)
    hs.decided(
        "version",
        version,
        offered=config.versions,
        kind=ProtocolVersion,
        why="the server's choice among what we offered",
        rule="RFC 9846 section 4.3.1",
    )
    return version


def unsupported_version(version: int) -> NegotiationFailed:
    """What a server gets that speaks only what is no longer safe; the message names the version."""
    name = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2"}.get(version, f"{version:#06x}")
    return NegotiationFailed(
        AlertDescription.PROTOCOL_VERSION,
        "unsupported-version",
        f"the server wants to speak {name}, which this client does not accept",
        "RFC 9846 section 4.3.1",
    )

"""The server's side up to the point where the version is known (RFC 9846 section 4.2)."""

from __future__ import annotations

from ...errors import NegotiationFailed
from ...registry import TLS_1_2, TLS_1_3, AlertDescription, ProtocolVersion, name_of
from ..config import ServerConfig
from ..ech.server import open_hello
from ..wire.messages import ClientHello
from .client_wishes import ClientWishes, read_wishes
from .context import Handshake, HandshakeScript
from .server13 import server13


def server_handshake(hs: Handshake, config: ServerConfig) -> HandshakeScript:
    """One handshake as a server."""
    hello = yield from hs.expect(ClientHello)
    hello, opened = open_hello(hs, config, hello)
    wishes = read_wishes(hello, opened, versions=config.versions)
    hs.agreed.client_random = hello.random
    hs.agreed.server_name = wishes.server_name
    version = choose_version(hs, config, wishes)
    if version == TLS_1_3:
        return (yield from server13(hs, config, wishes))
    from .server12 import server12

    return (yield from server12(hs, config, wishes))


def choose_version(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> int:
    """Our first version that the client offers (RFC 9846 sections 4.3.1 and 4.2.2)."""
    legacy = wishes.hello.legacy_version
    offered = wishes.versions if wishes.versions is not None else _before_supported_versions(legacy)
    for version in sorted(config.versions, reverse=True):
        if version in offered:
            break
    else:
        best = name_of(ProtocolVersion, max(offered, default=legacy))
        raise NegotiationFailed(
            AlertDescription.PROTOCOL_VERSION,
            "unsupported-version",
            f"the client offers {best} at best, which this server does not accept",
            "RFC 9846 section 4.3.1",
        )
    hs.agree_on_version(version)
    hs.decided(
        "version",
        version,
        offered=offered,
        supported=config.versions,
        kind=ProtocolVersion,
        why="the newest that both sides speak",
        rule="RFC 9846 section 4.3.1",
    )
    return version


def _before_supported_versions(legacy: int) -> tuple[int, ...]:
    """A client without supported_versions means its legacy_version, TLS 1.2 at best."""
    return (min(legacy, TLS_1_2),)

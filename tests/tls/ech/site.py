"""One server with two names: `secret.example`, and `public.example` that everybody may see."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from glasslock.errors import ECHRejected
from glasslock.registry import ExtensionType, Side
from glasslock.tls import ClientConfig, ECHKey, ServerConfig
from glasslock.tls.ech import encode_config_list
from glasslock.tls.wire.extensions import read_server_name
from glasslock.tls.wire.messages import ClientHello
from glasslock.trace import Decided, InnerHello, MessageSent, TraceRecord

from ..minted import credential
from ..pair import Pair, client_config, pair, server_config

PUBLIC, SECRET = "public.example", "secret.example"
X25519, P256 = 0x001D, 0x0017


@cache
def key(number: int = 0) -> ECHKey:
    """A key of the server; each number stands for another one, with another config_id."""
    return ECHKey.generate(PUBLIC, others=[key(before) for before in range(number)], maximum_name_length=32)


def published(*keys: ECHKey) -> bytes:
    return encode_config_list([one.config for one in keys or (key(),)])


class Verifier:
    """Accepts everything and remembers for which name it was asked."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
        assert chain
        self.names.append(server_name)


def site(**changes: Any) -> ServerConfig:
    settings: dict[str, Any] = {
        "ech_keys": (key(),),
        "credentials": (credential("p256", PUBLIC), credential("p384", SECRET)),
    }
    return server_config(**settings | changes)


def visit(
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    *,
    name: str | None = SECRET,
    configs: bytes | None = None,
    **more: Any,
) -> Pair:
    """Both sides, ready to speak; the client has the server's published key unless it is given others."""
    return pair(
        client or client_config(),
        server or site(),
        name=name,
        ech_configs=published() if configs is None else configs,
        **more,
    )


def assert_rejected(pair: Pair) -> ECHRejected:
    error = pair.errors.get(Side.CLIENT)
    assert isinstance(error, ECHRejected), pair.errors
    assert not pair.client.handshake_done
    assert not pair.client.agreed.ech_accepted
    assert pair.received(Side.SERVER) == b""
    return error


# --- what a trace tells ---------------------------------------------------------------------------


def hellos(trace: list[TraceRecord]) -> list[ClientHello]:
    """The outer (or only) ClientHellos that were sent."""
    return [ClientHello.parse(r.raw) for r in trace if isinstance(r, MessageSent) and r.message == "client_hello"]


def inner_hellos(trace: list[TraceRecord]) -> list[ClientHello]:
    return [ClientHello.parse(r.raw) for r in trace if isinstance(r, InnerHello)]


def decisions(trace: list[TraceRecord]) -> list[str]:
    return [r.chosen for r in trace if isinstance(r, Decided) and r.what == "ech"]


def name_in(hello: ClientHello) -> str | None:
    data = hello.extensions.get(ExtensionType.SERVER_NAME)
    return None if data is None else read_server_name(data)

"""Servers that ask who the client is, and clients that answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glasslock.errors import CertificateRefused
from glasslock.registry import Side
from glasslock.tls import (
    CertificateDeclined,
    ClientAuthenticated,
    DangerousAcceptAnyCertificate,
    ServerConfig,
)

from .minted import client_credential
from .pair import Pair, client_config, pair, server_config
from .puppet import puppet_client, unchanged

ANY = DangerousAcceptAnyCertificate()


def asking(**settings: Any) -> ServerConfig:
    return server_config(**{"client_verifier": ANY} | settings)


class Judge:
    """A verifier that remembers what it was asked, and refuses if it is told to."""

    def __init__(self, refusal: CertificateRefused | None = None) -> None:
        self.refusal = refusal
        self.seen: list[tuple[tuple[bytes, ...], str | None]] = []

    def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
        self.seen.append((tuple(chain), server_name))
        if self.refusal is not None:
            raise self.refusal


def willing(**settings: Any) -> Any:
    return client_config(**{"credentials": (client_credential(),), "post_handshake_auth": True} | settings)


def authenticated(connected: Pair) -> list[Any]:
    kinds = (ClientAuthenticated, CertificateDeclined)
    return [event for event in connected.events[Side.SERVER] if isinstance(event, kinds)]


def asked_late(client: Any, alter: Any = unchanged, **settings: Any) -> Pair:
    """A handshake in which nobody asked the client, and a late question that is on its way."""
    server = asking(ask_in_handshake=False, **settings)
    connected = Pair(puppet_client(client, alter), pair(server=server).server).done()
    assert connected.server.agreed.peer_chain == ()
    connected.server.request_client_certificate()
    return connected

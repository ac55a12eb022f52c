"""Pre-shared keys: tickets from a first connection, keys from outside, and servers that know them."""

from __future__ import annotations

from typing import Any

from glasslock.tls import ExternalPsk, ServerConfig

from .pair import Pair, pair, server_config


def first_and_server(**settings: Any) -> tuple[Pair, ServerConfig]:
    server = server_config(**settings)
    return pair(server=server).done(), server


def psk(identity: bytes = b"us", key: bytes = b"k" * 32, hash_name: str = "sha256") -> ExternalPsk:
    return ExternalPsk(identity=identity, key=key, hash_name=hash_name)


def knowing(*psks: ExternalPsk, **settings: Any) -> ServerConfig:
    table = {known.identity: known for known in psks}
    return server_config(find_external_psk=table.get, credentials=(), **settings)

"""Encrypted ClientHello: which site a client wants, for the server's eyes only (RFC 9849).

hpke.py           encryption to a public key (RFC 9180)
config.py         what a server publishes: ECHConfig
keys.py           what it keeps: the private key, and the PEM file of both (RFC 9934)
hello.py          the two hellos on the wire: the inner one in the outer one
confirmation.py   the sign that a server read the inner one
client.py         the steps that ECH adds to the client's handshake; envelope.py: those with a key
server.py         the steps that it adds to the server's; opening.py: those with a key
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import ECHConfig, encode_config_list, read_config_list
    from .keys import ECHKey, config_list_from_pem, config_list_to_pem

__all__ = [
    "ECHConfig",
    "ECHKey",
    "config_list_from_pem",
    "config_list_to_pem",
    "encode_config_list",
    "read_config_list",
]

_OF_KEYS = ("ECHKey", "config_list_from_pem", "config_list_to_pem")


def __getattr__(name: str) -> object:
    """Loads what a program asks for: a connection without keys needs none of it (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(".keys" if name in _OF_KEYS else ".config", __name__)
    value: object = getattr(module, name)
    globals()[name] = value
    return value

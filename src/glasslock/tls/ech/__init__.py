"""Encrypted ClientHello: which site a client wants, for the server's eyes only (RFC 9849).

hpke.py           encryption to a public key (RFC 9180)
config.py         what a server publishes: ECHConfig
keys.py           what it keeps: the private key, and the PEM file of both (RFC 9934)
hello.py          the two hellos on the wire: the inner one in the outer one
confirmation.py   the sign that a server read the inner one
client.py         the steps that ECH adds to the client's handshake
server.py         the steps that it adds to the server's
"""

from __future__ import annotations

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

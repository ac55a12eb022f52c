"""Encrypted ClientHello: which site a client wants, for the server's eyes only (RFC 9849).

hpke.py           encryption to a public key (RFC 9180)
config.py         what a server publishes: ECHConfig
keys.py           what it keeps: the private key, and the PEM file of both (RFC 9934)
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

"""TLS, sans-IO: no socket, no clock, no file in here; bytes in, bytes and events out.

Where to find a step:

    what is said            wire/messages.py, wire/extensions.py
    in which order          handshake/client13.py and handshake/server13.py, each a mirror of the other
    the secrets             keys/key_schedule.py (a picture), keys/groups.py (key exchange)
    the proof               handshake/authentication.py, keys/signatures.py
    every byte protected    record.py and protection.py; short_way.py for data once keys are agreed
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .config import ClientConfig, DangerousAcceptAnyCertificate, Limits, ServerConfig
from .connection import Connection
from .credentials import Credential
from .endpoints import ClientConnection, ServerConnection
from .events import (
    CertificateDeclined,
    ClientAuthenticated,
    Data,
    EarlyDataRefused,
    Event,
    HandshakeDone,
    PeerClosed,
    TicketReceived,
    Undecided,
)
from .session import ExternalPsk, MemoryReplayGuard, MemorySessionStore, Session, TicketKeys

if TYPE_CHECKING:
    from .ech import ECHConfig, ECHKey
    from .importer import import_psk
    from .raw_keys import PinnedRawKeys, RawKeyVerifier

__all__ = [
    "CertificateDeclined",
    "ClientAuthenticated",
    "ClientConfig",
    "ClientConnection",
    "Connection",
    "Credential",
    "DangerousAcceptAnyCertificate",
    "Data",
    "ECHConfig",
    "ECHKey",
    "EarlyDataRefused",
    "Event",
    "ExternalPsk",
    "HandshakeDone",
    "Limits",
    "MemoryReplayGuard",
    "MemorySessionStore",
    "PeerClosed",
    "PinnedRawKeys",
    "RawKeyVerifier",
    "ServerConfig",
    "ServerConnection",
    "Session",
    "TicketKeys",
    "TicketReceived",
    "Undecided",
    "import_psk",
]


# What most connections have no need of, and the module it lives in.
_HOMES = {
    "ECHConfig": ".ech",
    "ECHKey": ".ech",
    "PinnedRawKeys": ".raw_keys",
    "RawKeyVerifier": ".raw_keys",
    "import_psk": ".importer",
}


def __getattr__(name: str) -> object:
    """Loads the rest when it is asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)

"""Certificates as `cryptography` decodes them, for the engine and for the judgement of trust alike.

Remembered by their bytes, for the same ones come again and again, those of intermediate CAs above all; and a new one
is wanted twice in a handshake: for its key and for its names. Nothing is believed for it: what is decoded depends on
the bytes alone.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

from cryptography import x509

# Zero serials, odd country codes and the like are for the verdict to report, not for the user's terminal.
warnings.filterwarnings("ignore", module=r"glasslock\.certificates")


@lru_cache(maxsize=256)
def decode_certificate(der: bytes) -> x509.Certificate:
    """One certificate. What `cryptography` raises for bytes that are none is the caller's to catch."""
    return x509.load_der_x509_certificate(der)

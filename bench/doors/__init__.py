"""Whole connections over loopback TCP: what a program has to call to get them, blocking and with asyncio.

A door has `serve` (one accepted socket after the other) and `visit` (connects, sends, counts). Both ends use the
same door, each in a process of its own.
"""

from __future__ import annotations

MODULES = {
    "ssl": "blocking_ssl",
    "glasslock": "blocking_glass",
    "ssl asyncio": "asyncio_ssl",
    "glasslock asyncio": "asyncio_glass",
}
BASELINES = {"glasslock": "ssl", "glasslock asyncio": "ssl asyncio"}

CHUNK = 1 << 20  # bytes of one write in the bulk transfer
READ = 1 << 18  # bytes that a reader has room for

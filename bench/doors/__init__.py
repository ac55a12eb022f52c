"""Whole connections over loopback TCP: what a program has to call to get them, blocking and with asyncio.

A door has `serve` (one accepted socket after the other) and `visit` (connects, sends, counts). The blocking ones have
`echo` (gives back what one visitor sends) and `talk` (small messages there and back) too. Both ends use the same door,
each in a process of its own.
"""

from __future__ import annotations

MODULES = {
    ("blocking", "ssl"): "blocking_ssl",
    ("blocking", "glasslock"): "blocking_glass",
    ("drop-in", "ssl"): "blocking_ssl",
    ("drop-in", "glasslock"): "dropin_glass",
    ("asyncio", "ssl"): "asyncio_ssl",
    ("asyncio", "glasslock"): "asyncio_glass",
}

CHUNK = 1 << 20  # bytes of one write in the bulk transfer
READ = 1 << 18  # bytes that a reader has room for

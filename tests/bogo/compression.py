"""The certificate compression algorithms that the runner has made up, under numbers for private use."""

from __future__ import annotations

import os

from glasslock.tls.wire.compression import ALGORITHMS, Algorithm

from .flags import Settings

SHRINKING, EXPANDING, RANDOM = 0xFF01, 0xFF02, 0xFF03
_PREFIX = bytes((1, 2, 3, 4))


def _expand(data: bytes) -> bytes:
    return _PREFIX + data


def _unexpand(data: bytes, _length: int) -> bytes:
    if not data.startswith(_PREFIX):
        raise ValueError("not ours")
    return data[4:]


def _shrink(data: bytes) -> bytes:
    """A Certificate in the handshake begins with two zero bytes: no context, and less than 64 KiB."""
    if not data.startswith(b"\0\0"):
        raise ValueError("not a Certificate")
    return data[2:]


OWN = {
    EXPANDING: Algorithm(_expand, _unexpand),
    SHRINKING: Algorithm(_shrink, lambda data, _: b"\0\0" + data),
    RANDOM: Algorithm(lambda data: os.urandom(1) + data, lambda data, _: data[1:]),
}


def installed(settings: Settings) -> tuple[int, ...]:
    """The numbers to configure, in the order of preference that the runner expects."""
    ALGORITHMS.update(OWN)
    if settings.install_cert_compression_algs:
        return tuple(OWN)
    return (settings.install_one_cert_compression_alg,) if settings.install_one_cert_compression_alg else ()

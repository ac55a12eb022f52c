"""Compressed certificates: zlib, brotli, zstd, never more memory than was announced (RFC 8879).

zlib is always there; brotli and zstd come with the extra `compression`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, CertificateCompressionAlgorithm


class Algorithm(NamedTuple):
    """How to compress, and how to decompress to no more than a length (`decompress(data, length)`).

    What `decompress` raises counts as a certificate that cannot be read; more than `length` bytes do so as well.
    """

    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]


def compress(algorithm: int, data: bytes) -> bytes:
    """A compressed copy; only called for algorithms of the config."""
    return ALGORITHMS[algorithm].compress(data)


def decompress(algorithm: int, data: bytes, length: int) -> bytes:
    """Exactly `length` bytes; bad_certificate for anything else, and never more memory than that."""
    try:
        plain = ALGORITHMS[algorithm].decompress(data, length)
    except PeerMisbehaved:
        raise
    except Exception as problem:  # three libraries, three families of exceptions
        raise _undecompressible(str(problem)) from problem
    if len(plain) != length:
        raise _undecompressible("it does not have the length that it announces")
    return plain


def _undecompressible(problem: str) -> PeerMisbehaved:
    return PeerMisbehaved(
        AlertDescription.BAD_CERTIFICATE,
        "decompression-failed",
        f"the compressed certificate cannot be decompressed: {problem}",
        "RFC 8879 section 4",
    )


def _inflate(data: bytes, length: int) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(data, length + 1)
    if not inflater.eof or inflater.unused_data:
        raise _undecompressible("the zlib stream does not end where it should")
    return plain


def _unbrotli(data: bytes, length: int) -> bytes:
    import brotli

    decompressor = brotli.Decompressor()
    plain = bytes(decompressor.process(data, output_buffer_limit=length + 1))
    if not decompressor.is_finished():
        raise _undecompressible("the brotli stream does not end where it should")
    return plain


def _unzstd(data: bytes, length: int) -> bytes:
    import zstandard

    return bytes(zstandard.ZstdDecompressor(max_window_size=1 << 20).decompress(data, max_output_size=length + 1))


def _brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data))


def _zstd(data: bytes) -> bytes:
    import zstandard

    return bytes(zstandard.ZstdCompressor().compress(data))


# An application may add its own under a number for private use, 16384 or more (RFC 8879 section 7.3).
ALGORITHMS: dict[int, Algorithm] = {
    CertificateCompressionAlgorithm.ZLIB: Algorithm(zlib.compress, _inflate),
    CertificateCompressionAlgorithm.BROTLI: Algorithm(_brotli, _unbrotli),
    CertificateCompressionAlgorithm.ZSTD: Algorithm(_zstd, _unzstd),
}

"""Compressed certificates: zlib, brotli, zstd, never more memory than was announced (RFC 8879).

zlib is always there; brotli and zstd come with the extra `compression`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, CertificateCompressionAlgorithm


def compress(algorithm: int, data: bytes) -> bytes:
    """A compressed copy; only called for algorithms of the config."""
    if algorithm == CertificateCompressionAlgorithm.ZLIB:
        return zlib.compress(data)
    if algorithm == CertificateCompressionAlgorithm.BROTLI:
        import brotli

        return bytes(brotli.compress(data))
    import zstandard

    return bytes(zstandard.ZstdCompressor().compress(data))


def decompress(algorithm: int, data: bytes, length: int) -> bytes:
    """Exactly `length` bytes; bad_certificate for anything else, and never more memory than that."""
    try:
        plain = _DECOMPRESSORS[algorithm](data, length)
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


_DECOMPRESSORS: dict[int, Callable[[bytes, int], bytes]] = {
    CertificateCompressionAlgorithm.ZLIB: _inflate,
    CertificateCompressionAlgorithm.BROTLI: _unbrotli,
    CertificateCompressionAlgorithm.ZSTD: _unzstd,
}

"""Compressed certificates: zlib, brotli, zstd, never much more memory than was announced (RFC 8879).

zlib is always there; brotli and zstd come with the extra `compression`, from Python 3.14 on zstd is there too.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ...errors import ConfigurationError, PeerMisbehaved
from ...registry import AlertDescription, CertificateCompressionAlgorithm

# A few bytes of zstd can stand for 128 KiB, and its library has no limit for its output: so only a few at a time.
_ZSTD_PIECE = 64
_ZSTD_WINDOW_LOG = 20


class Algorithm(NamedTuple):
    """How to compress, and how to decompress to no more than a length (`decompress(data, length)`).

    What `decompress` raises counts as a certificate that cannot be read; more than `length` bytes do so as well.
    """

    compress: Callable[[bytes], bytes]
    decompress: Callable[[bytes, int], bytes]


def require_available(algorithm: int) -> None:
    """ConfigurationError unless this engine knows the algorithm and its library is installed."""
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(f"certificate_compression knows no algorithm {algorithm} (RFC 8879)")
    try:
        if algorithm == CertificateCompressionAlgorithm.BROTLI:
            import_module("brotli")
        elif algorithm == CertificateCompressionAlgorithm.ZSTD:
            _zstd_module()
    except ImportError as problem:
        raise ConfigurationError(f"{problem.name} is not installed: pip install 'glasslock[compression]'") from problem


def compress(algorithm: int, data: bytes) -> bytes:
    """A compressed copy; only called for algorithms of the config."""
    return ALGORITHMS[algorithm].compress(data)


def decompress(algorithm: int, data: bytes, length: int) -> bytes:
    """Exactly `length` bytes; bad_certificate for anything else."""
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


def _brotli(data: bytes) -> bytes:
    import brotli

    return bytes(brotli.compress(data))


def _unbrotli(data: bytes, length: int) -> bytes:
    import brotli

    decompressor = brotli.Decompressor()
    plain = bytes(decompressor.process(data, output_buffer_limit=length + 1))
    if not decompressor.is_finished():
        raise _undecompressible("the brotli stream does not end where it should")
    return plain


def _zstd(data: bytes) -> bytes:
    module, is_standard = _zstd_module()
    return bytes(module.compress(data) if is_standard else module.ZstdCompressor().compress(data))


def _unzstd(data: bytes, length: int) -> bytes:
    module, is_standard = _zstd_module()
    if is_standard:
        limit = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
        decompressor = module.ZstdDecompressor(options=limit)
        plain = bytes(decompressor.decompress(data, length + 1))
    else:
        decompressor = module.ZstdDecompressor(max_window_size=1 << _ZSTD_WINDOW_LOG).decompressobj()
        plain = b""
        for start in range(0, len(data), _ZSTD_PIECE):
            plain += decompressor.decompress(data[start : start + _ZSTD_PIECE])
            if len(plain) > length:
                break
    if not decompressor.eof or decompressor.unused_data:
        raise _undecompressible("the zstd frame does not end where it should")
    return plain


def _zstd_module() -> tuple[Any, bool]:
    """The standard library's zstd (Python 3.14), or else the package `zstandard`."""
    try:
        return import_module("compression.zstd"), True
    except ImportError:
        return import_module("zstandard"), False


# An application may add its own under a number for private use, 16384 or more (RFC 8879 section 7.3).
ALGORITHMS: dict[int, Algorithm] = {
    CertificateCompressionAlgorithm.ZLIB: Algorithm(zlib.compress, _inflate),
    CertificateCompressionAlgorithm.BROTLI: Algorithm(_brotli, _unbrotli),
    CertificateCompressionAlgorithm.ZSTD: Algorithm(_zstd, _unzstd),
}

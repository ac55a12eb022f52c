"""Content codings (RFC 9110 section 8.4), undone piece by piece in bounded memory.

A few kilobytes can be made to unfold into gigabytes. So nothing here unfolds much more than `PIECE` bytes at a
time: whoever reads decides how far it goes.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable, Iterator
from typing import Any, cast

from ..errors import HttpFailed

PIECE = 1 << 16  # bytes
MAX_CODINGS = 3  # one is usual, none is better; each more multiplies the work
_ZSTD_WINDOW = 1 << 23  # bytes; the most that a decoder should have to support (RFC 9659)

Pieces = Iterator[bytes]


def accepted() -> str:
    """The value of Accept-Encoding: what can be undone here."""
    return ", ".join(coding for coding in ("gzip", "deflate", "br", "zstd") if _UNDO[coding] is not None)


def decoded(pieces: Pieces, content_encoding: str) -> Pieces:
    """The content behind its codings. HttpFailed (`content-coding`) if it cannot be undone."""
    codings = [coding.strip().lower() for coding in content_encoding.split(",") if coding.strip()]
    codings = [coding for coding in codings if coding != "identity"]
    if len(codings) > MAX_CODINGS:
        raise HttpFailed("content-coding", f"the content is encoded {len(codings)} times over")
    for coding in reversed(codings):
        undo = _UNDO.get(coding)
        if undo is None:
            raise HttpFailed("content-coding", f"the content is encoded as {coding!r}, which was not asked for")
        pieces = undo(pieces)
    return pieces


def _broken(coding: str, why: object) -> HttpFailed:
    return HttpFailed("content-coding", f"the content is not good {coding}: {why}")


def _gunzip(pieces: Pieces) -> Pieces:
    """gzip (RFC 1952): one or more members."""
    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    begun = False
    for piece in pieces:
        rest = piece
        while rest:
            if member.eof:
                member = zlib.decompressobj(16 + zlib.MAX_WBITS)
            begun = True
            yield from _inflate_all(member, rest, "gzip")
            rest = member.unused_data
    if begun and not member.eof:
        raise _broken("gzip", "it breaks off before its end")


def _inflate(pieces: Pieces) -> Pieces:
    """deflate: zlib's format (RFC 1950), or the bare one that some servers send."""
    stream: Any = None
    for piece in pieces:
        if stream is None and piece:
            zlib_header = piece[0] & 0x0F == 8 and (len(piece) < 2 or (piece[0] << 8 | piece[1]) % 31 == 0)
            stream = zlib.decompressobj(zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS)
        if piece and not stream.eof:
            yield from _inflate_all(stream, piece, "deflate")
    if stream is not None and not stream.eof:
        raise _broken("deflate", "it breaks off before its end")


def _inflate_all(stream: Any, data: bytes, coding: str) -> Pieces:
    while True:
        try:
            piece = stream.decompress(data, PIECE)
        except zlib.error as problem:
            raise _broken(coding, problem) from problem
        if piece:
            yield piece
        data = stream.unconsumed_tail
        if stream.eof or (not data and len(piece) < PIECE):
            return


def _unbrotli(pieces: Pieces) -> Pieces:
    """Brotli (RFC 7932)."""
    import brotli

    stream = brotli.Decompressor()
    begun = False
    try:
        for piece in pieces:
            begun = begun or bool(piece)
            data = piece
            while True:
                out = stream.process(data, output_buffer_limit=PIECE)
                if out:
                    yield out
                data = b""
                if stream.is_finished() or (not out and stream.can_accept_more_data()):
                    break
        if begun and not stream.is_finished():
            raise _broken("br", "it breaks off before its end")
    except brotli.error as problem:
        raise _broken("br", problem) from problem


def _unzstd(pieces: Pieces) -> Pieces:
    """Zstandard (RFC 8878, RFC 9659)."""
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    stream = decompressor.stream_reader(cast(Any, _Source(pieces)), read_across_frames=True)
    try:
        while piece := stream.read(PIECE):
            yield piece
    except zstandard.ZstdError as problem:
        raise _broken("zstd", problem) from problem


class _Source:
    """Pieces as a file to read from."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        data, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return data


def _if_there(module: str, undo: Callable[[Pieces], Pieces]) -> Callable[[Pieces], Pieces] | None:
    return undo if importlib.util.find_spec(module) is not None else None


_UNDO: dict[str, Callable[[Pieces], Pieces] | None] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "br": _if_there("brotli", _unbrotli),
    "zstd": _if_there("zstandard", _unzstd),
}

"""Content codings, undone in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import HttpFailed
from glasslock.https.content import PIECE, accepted, decoded


def _raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": lambda data: data,
}


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return iter([data[i : i + size] for i in range(0, len(data), size)])


def _undo(data: bytes, coding: str, size: int = 1000) -> bytes:
    return b"".join(decoded(_pieces(data, size), coding))


@pytest.mark.parametrize("coding", ENCODE)
@given(data=st.binary(max_size=2000), size=st.integers(1, 300))
def test_what_was_encoded_comes_back(coding: str, data: bytes, size: int) -> None:
    assert _undo(ENCODE[coding](data), coding, size) == data


def test_what_is_asked_for() -> None:
    assert accepted() == "gzip, deflate, br, zstd"


def test_bare_deflate() -> None:
    assert _undo(_raw_deflate(b"some text " * 100), "deflate", 1) == b"some text " * 100


def test_gzip_in_members() -> None:
    assert _undo(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", 3) == b"one two"


def test_one_coding_over_another() -> None:
    assert _undo(brotli.compress(gzip.compress(b"twice")), "GZIP , br") == b"twice"


def test_too_many_codings() -> None:
    with pytest.raises(HttpFailed, match="4 times"):
        _undo(b"", "gzip, gzip, gzip, gzip")


def test_a_coding_that_nobody_asked_for() -> None:
    with pytest.raises(HttpFailed, match="'compress'") as caught:
        _undo(b"x", "compress")
    assert caught.value.code == "content-coding"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(min_size=1, max_size=300))
def test_garbage_is_refused_or_is_something(coding: str, data: bytes) -> None:
    with contextlib.suppress(HttpFailed):
        _undo(data, coding)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_a_broken_end_is_noticed(coding: str) -> None:
    encoded = ENCODE[coding](bytes(range(256)) * 20)
    with pytest.raises(HttpFailed, match="breaks off"):
        _undo(encoded[:-6], coding)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_bomb_unfolds_a_piece_at_a_time(coding: str) -> None:
    zeros = bytes(200 << 20)
    bomb = brotli.compress(zeros, quality=1) if coding == "br" else ENCODE[coding](zeros)
    assert len(bomb) < 2_000_000
    tracemalloc.start()
    try:
        length = 0
        for piece in decoded(iter([bomb]), coding):
            assert len(piece) <= 2 * PIECE  # brotli takes its limit for a hint
            length += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length == 200 << 20
    assert peak < 16 << 20

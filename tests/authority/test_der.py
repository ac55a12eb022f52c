"""The encodings, held against pyca's and against the worked examples of X.690 and RFC 5280."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from glasslock.authority import der

_EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (0, "020100"),
        (1, "020101"),
        (127, "02017f"),
        (128, "02020080"),
        (255, "020200ff"),
        (256, "02020100"),
        (-1, "0201ff"),
        (-128, "020180"),
        (-129, "0202ff7f"),
    ],
)
def test_integers(value: int, encoded: str) -> None:
    assert der.integer(value).hex() == encoded


@given(st.integers(1, 2**700), st.integers(1, 2**700))
def test_integers_lengths_and_sequences_are_those_of_pyca(r: int, s: int) -> None:
    assert der.sequence(der.integer(r), der.integer(s)) == encode_dss_signature(r, s)


@pytest.mark.parametrize(
    ("length", "start"),
    [(0, "0400"), (127, "047f"), (128, "048180"), (255, "0481ff"), (256, "04820100"), (65536, "0483010000")],
)
def test_lengths(length: int, start: str) -> None:
    encoded = der.octet_string(b"x" * length)
    assert encoded.startswith(bytes.fromhex(start))
    assert encoded == bytes.fromhex(start) + b"x" * length


@given(st.tuples(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**64), min_size=1, max_size=8)))
def test_object_identifiers_are_those_of_pyca(arcs: tuple[int, int, list[int]]) -> None:
    first, second, rest = arcs
    oid = x509.ObjectIdentifier(".".join(map(str, (first, second, *rest))))
    # SEQUENCE { SEQUENCE { type, value } } of a name with one attribute begins with the type.
    name = x509.Name([x509.NameAttribute(oid, "x", _validate=False)]).public_bytes()
    assert der.object_identifier(oid) in name


def test_bit_string_and_tags() -> None:
    assert der.bit_string(b"\xaa").hex() == "030200aa"
    assert der.explicit(0, der.integer(2)).hex() == "a003020102"
    assert der.sequence().hex() == "3000"


@pytest.mark.parametrize(
    ("moment", "encoded"),
    [
        (_EPOCH, b"\x17\x0d260101000000Z"),
        (
            _EPOCH.replace(year=2049, month=12, day=31, hour=23, minute=59, second=59),
            b"\x17\x0d491231235959Z",
        ),
        (_EPOCH.replace(year=2050), b"\x18\x0f20500101000000Z"),
        (_EPOCH.replace(year=1950), b"\x17\x0d500101000000Z"),
        (_EPOCH.replace(year=1949), b"\x18\x0f19490101000000Z"),
        (_EPOCH.replace(year=9999, month=12, day=31), b"\x18\x0f99991231000000Z"),
        (_EPOCH.replace(year=33), b"\x18\x0f00330101000000Z"),
        (_EPOCH.astimezone(dt.timezone(dt.timedelta(hours=5))), b"\x17\x0d260101000000Z"),
    ],
)
def test_times(moment: dt.datetime, encoded: bytes) -> None:
    assert der.time(moment) == encoded

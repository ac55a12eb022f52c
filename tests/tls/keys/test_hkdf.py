"""HMAC and HKDF on hashlib against published vectors and the standard library."""

from __future__ import annotations

import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.tls.keys.hkdf import HashFunction, hash_function

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc5869.json").read_text())


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["section"])
def test_rfc_5869(case: dict[str, Any]) -> None:
    function = HashFunction(case["Hash"])
    salt, secret, info = (bytes.fromhex(case[name]) for name in ("salt", "IKM", "info"))
    extracted = function.extract(salt, secret)
    assert extracted.hex() == case["PRK"]
    assert function.expand(extracted, info, case["L"]).hex() == case["OKM"]


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512"])
def test_hmac(name: str) -> None:
    @given(st.binary(max_size=300), st.binary(max_size=300))
    def check(key: bytes, message: bytes) -> None:
        hash_ = hash_function(name)
        assert hash_.hmac(key, message) == hmac.digest(key, message, name)
        key = key[: hash_.length].ljust(hash_.length, b"k")
        assert hash_.keyed(key, message) == hmac.digest(key, message, name)

    check()


@pytest.mark.parametrize("name", ["sha256", "sha384"])
def test_lengths(name: str) -> None:
    function = hash_function(name)
    longest = function.expand(b"secret", b"info", 255 * function.length)
    for length in (0, 1, function.length - 1, function.length, function.length + 1, 1000):
        assert function.expand(b"secret", b"info", length) == longest[:length]
    with pytest.raises(ValueError, match="at most"):
        function.expand(b"secret", b"info", 255 * function.length + 1)


def test_constants_of_a_hash() -> None:
    function = hash_function("sha384")
    assert function is hash_function("sha384")
    assert (function.length, len(function.empty), function.zeros) == (48, 48, bytes(48))


def test_the_label() -> None:
    """struct { uint16 length; opaque label<7..255> = "tls13 " + Label; opaque context<0..255>; } HkdfLabel"""
    function = hash_function("sha256")
    info = b"\x00\x10" + b"\x09tls13 key" + b"\x03ctx"
    assert function.expand_label(b"secret", b"key", b"ctx", 16) == function.expand(b"secret", info, 16)

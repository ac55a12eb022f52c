"""ECHConfig and its list: read, written, chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import ConfigurationError, PeerMisbehaved
from glasslock.registry import AlertDescription, HpkeAead, HpkeKdf, HpkeKem
from glasslock.tls.ech import ECHConfig, ECHKey, encode_config_list, read_config_list
from glasslock.tls.ech.config import choose_config, is_host_name, parse_config_list
from glasslock.tls.ech.hpke import Suite
from glasslock.tls.wire.codec import u16, vector16

T = TypeVar("T")

CHACHA = Suite(HpkeKdf.HKDF_SHA256, HpkeAead.CHACHA20_POLY1305)
UNKNOWN = Suite(0x1111, 0x2222)
GOOD = ECHKey.generate("public.example").config


def raw(config: ECHConfig) -> bytes:
    return config.encode()[4:]


def refused_or(parse: Callable[[bytes], T], data: bytes) -> T | None:
    """What was parsed, or None if it was refused as it should be."""
    try:
        return parse(data)
    except PeerMisbehaved as error:
        if error.alert != AlertDescription.DECODE_ERROR:
            raise
        return None


suites = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)).map(lambda ids: Suite(*ids))
configs = st.builds(
    ECHConfig,
    config_id=st.integers(0, 255),
    kem_id=st.integers(0, 0xFFFF),
    public_key=st.binary(min_size=1, max_size=70),
    cipher_suites=st.lists(suites, min_size=1, max_size=4).map(tuple),
    public_name=st.binary(min_size=1, max_size=255).map(lambda name: name.decode("latin-1")),
    maximum_name_length=st.integers(0, 255),
    extensions=st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=9), max_size=4).map(
        lambda found: tuple(found.items())
    ),
)


@given(st.lists(configs, min_size=1, max_size=3))
def test_what_is_written_can_be_read(some: list[ECHConfig]) -> None:
    written = encode_config_list(some)
    assert list(parse_config_list(written)) == some
    assert encode_config_list(parse_config_list(written)) == written


@given(st.binary(max_size=120))
def test_garbage_is_refused_or_read_exactly(data: bytes) -> None:
    config = refused_or(ECHConfig.parse_contents, data)
    assert config is None or raw(config) == data


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_list_is_refused_or_read_exactly(position: int, change: int) -> None:
    written = bytearray(encode_config_list([GOOD, GOOD]))
    written[position % len(written)] ^= change
    found = refused_or(parse_config_list, bytes(written))
    assert found is None or len(found) < 2 or encode_config_list(found) == written


@pytest.mark.parametrize("end", range(len(raw(GOOD))))
def test_a_truncated_config_is_refused(end: int) -> None:
    with pytest.raises(PeerMisbehaved):
        ECHConfig.parse_contents(raw(GOOD)[:end])


def test_forms_that_are_not_allowed() -> None:
    config = raw(GOOD)
    for data in (
        config + b"\x00",  # trailing byte
        config[:-2] + vector16(u16(0xFAFA) + vector16(b"") + u16(0xFAFA) + vector16(b"")),  # an extension twice
        raw(replace(GOOD, cipher_suites=())),
        raw(replace(GOOD, public_key=b"")),
        raw(replace(GOOD, public_name="")),
        config.replace(bytes.fromhex("00080001000100010003"), bytes.fromhex("0006000100010001")),
    ):
        with pytest.raises(PeerMisbehaved) as caught:
            ECHConfig.parse_contents(data)
        assert caught.value.alert == AlertDescription.DECODE_ERROR


def test_lists_that_are_none() -> None:
    list_ = encode_config_list([GOOD])
    for data in (b"", b"\x00\x00", list_[:-1], list_ + b"\x00", list_[2:], vector16(GOOD.encode()[1:])):
        with pytest.raises(PeerMisbehaved):
            parse_config_list(data)
        with pytest.raises(ConfigurationError, match="ECHConfigList"):
            read_config_list(data)


def test_other_versions_are_passed_over() -> None:
    other = u16(0xBADD) + vector16(b"\x05\x04\x03\x02\x01")
    assert parse_config_list(vector16(other + GOOD.encode() + other)) == (GOOD,)
    assert parse_config_list(vector16(other)) == ()


def test_the_first_usable_config_is_chosen() -> None:
    later = ECHKey.generate("later.example").config
    unusable = {
        "KEM": replace(GOOD, kem_id=0x6666),
        "length": replace(GOOD, public_key=b"\x01\x02\x03"),
        "cipher suites": replace(GOOD, cipher_suites=(UNKNOWN, Suite(1, 0x2222), Suite(0x1111, 1))),
        "mandatory": replace(GOOD, extensions=((0x8001, b""),)),
        "host name": replace(GOOD, public_name="under_scores.example"),
    }
    for word, config in unusable.items():
        assert word in config.why_unusable()
    assert GOOD.why_unusable() == ""
    assert choose_config([*unusable.values()]) is None
    assert choose_config([]) is None
    choice = choose_config([*unusable.values(), GOOD, later])
    assert choice is not None
    assert choice.config is GOOD
    assert choice.kem.id == HpkeKem.DHKEM_X25519_HKDF_SHA256


def test_optional_extensions_are_ignored_and_the_first_known_suite_is_taken() -> None:
    config = replace(GOOD, extensions=((0x1A1A, b"grease"),), cipher_suites=(UNKNOWN, CHACHA, GOOD.cipher_suites[0]))
    choice = choose_config([config])
    assert choice is not None
    assert choice.suite == CHACHA


LABEL_63 = "a" * 63


@pytest.mark.parametrize(
    "name",
    ["a", "public.example", "xn--bcher-kva.example", "a-b.c", "1.2.3.4a", "0xg", "a.0x1.b", f"{LABEL_63}.example"],
)
def test_host_names(name: str) -> None:
    assert is_host_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", ".example", "public.example.", "a..b", "-a.example", "a-.example", "a_b.example", "a b.example"),
        *("bücher.example", "a\x00.example", "192.0.2.1", "a.1", "a.0x", "a.0X1f", "::1", "[::1]", "*.example"),
        *(f"{LABEL_63}a.example", ".".join([LABEL_63] * 4) + ".e", "public.example\n"),
    ],
)
def test_what_is_no_host_name(name: str) -> None:
    assert not is_host_name(name)
    assert "host name" in replace(GOOD, public_name=name or ".").why_unusable()
    with pytest.raises(ConfigurationError, match="host name"):
        ECHKey.generate(name)

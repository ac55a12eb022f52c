"""The code points are those of RFC 9846, RFC 10024 and RFC 8701."""

from __future__ import annotations

import json
from enum import IntEnum
from pathlib import Path

import pytest

from glasslock import registry
from glasslock.registry import AlertDescription, ContentType, NamedGroup, Side, is_grease, name_of
from glasslock.tls.handshake.client import DOWNGRADE_TO_11, DOWNGRADE_TO_12
from glasslock.tls.wire.messages import HELLO_RETRY_REQUEST_RANDOM

RFC = json.loads((Path(__file__).parent / "vectors" / "rfc9846.json").read_text())

# What RFC 9846 prints and this engine has no name for, since it neither sends nor understands it.
NOT_OURS = {
    "invalid",
    "export_restriction",
    "certificate_unobtainable",
    "bad_certificate_hash_value",
    "hello_verify_request",
    "hello_retry_request",
    "certificate_url",
    "supplemental_data",
    "supported_ekt_ciphers",
    "transparency_info",
    "external_id_hash",
    "external_session_id",
    "unallocated",
    "dsa_sha1",
    "dsa_sha256",
    "dsa_sha384",
    "dsa_sha512",
    "ffdhe2048",
    "ffdhe3072",
    "ffdhe4096",
    "ffdhe6144",
    "ffdhe8192",
    "tls_aes_128_ccm_sha256",
    "tls_aes_128_ccm_8_sha256",
}


@pytest.mark.parametrize("name", [name for name, value in RFC.items() if isinstance(value, dict)])
def test_code_points_of_rfc_9846(name: str) -> None:
    kind: type[IntEnum] = getattr(registry, name)
    printed = {key.removesuffix("_RESERVED").lower(): value for key, value in RFC[name].items()}
    assert printed
    ours = {member.name.lower(): int(member) for member in kind}
    assert {key: value for key, value in printed.items() if ours.get(key, value) != value} == {}
    assert set(printed) - set(ours) <= NOT_OURS


def test_constants_of_rfc_9846() -> None:
    import hashlib

    assert HELLO_RETRY_REQUEST_RANDOM.hex() == RFC["HelloRetryRequest random"]
    assert hashlib.sha256(b"HelloRetryRequest").digest() == HELLO_RETRY_REQUEST_RANDOM
    assert [DOWNGRADE_TO_12.hex(), DOWNGRADE_TO_11.hex()] == RFC["downgrade sentinels"]


@pytest.mark.parametrize(
    ("group", "number"),
    [(NamedGroup.SECP256R1MLKEM768, 4587), (NamedGroup.X25519MLKEM768, 4588), (NamedGroup.SECP384R1MLKEM1024, 4589)],
)
def test_code_points_of_rfc_10024(group: NamedGroup, number: int) -> None:
    assert group == number


def test_grease() -> None:
    """RFC 8701 section 2: {0x0A, 0x0A} to {0xFA, 0xFA}, sixteen values."""
    found = [value for value in range(1 << 16) if is_grease(value)]
    assert found == [0x0A0A + 0x1010 * number for number in range(16)]


def test_names() -> None:
    assert name_of(NamedGroup, 0x001D) == "x25519"
    assert name_of(NamedGroup, 0x2A2A) == "grease"
    assert name_of(NamedGroup, 0xFFFE) == "0xfffe"
    assert name_of(ContentType, 0x0A) == "0x0a"
    assert name_of(AlertDescription, 40) == "handshake_failure"
    assert name_of(AlertDescription, 200) == "0xc8"


def test_sides() -> None:
    assert Side.CLIENT.peer is Side.SERVER
    assert Side.SERVER.peer is Side.CLIENT

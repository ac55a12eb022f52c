"""HPKE against the vectors of RFC 9180, and what must not open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, x25519
from hypothesis import given
from hypothesis import strategies as st

from glasslock.registry import HpkeAead, HpkeKdf, HpkeKem
from glasslock.tls.ech.hpke import KEMS, SUITES, Context, HpkeError, Suite, kem_of, open_with, seal_to

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "rfc9180.json").read_text())

AES_128 = Suite(HpkeKdf.HKDF_SHA256, HpkeAead.AES_128_GCM)
X25519 = KEMS[HpkeKem.DHKEM_X25519_HKDF_SHA256]


def contexts(vector: dict[str, Any]) -> tuple[Context, Context]:
    kem, suite = KEMS[vector["kem_id"]], Suite(vector["kdf_id"], vector["aead_id"])
    info = bytes.fromhex(vector["info"])
    ephemeral = kem.load(bytes.fromhex(vector["skEm"]))
    sender = seal_to(kem, suite, bytes.fromhex(vector["pkRm"]), info, ephemeral)
    private_key = kem.load(bytes.fromhex(vector["skRm"]))
    return sender, open_with(kem, suite, private_key, sender.enc, info)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["section"]))
def test_vectors_of_the_rfc(vector: dict[str, Any]) -> None:
    sender, receiver = contexts(vector)
    kem = KEMS[vector["kem_id"]]
    assert kem.public(kem.load(bytes.fromhex(vector["skEm"]))).hex() == vector["pkEm"]
    assert kem.public(kem.load(bytes.fromhex(vector["skRm"]))).hex() == vector["pkRm"]
    assert sender.enc.hex() == vector["enc"]
    assert sender.shared_secret.hex() == receiver.shared_secret.hex() == vector["shared_secret"]
    wanted = {item["sequence_number"]: item for item in vector["encryptions"]}
    assert len(wanted) == 6
    for number in range(max(wanted) + 1):
        item = wanted.get(number, {"pt": "", "aad": ""})
        plaintext, aad = bytes.fromhex(item["pt"]), bytes.fromhex(item["aad"])
        ciphertext = sender.seal(aad, plaintext)
        if number in wanted:
            assert ciphertext.hex() == item["ct"]
        assert receiver.open(aad, ciphertext) == plaintext


@pytest.mark.parametrize("kem", KEMS.values(), ids=lambda kem: kem.id.name)
@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_with_every_kem(kem: Any, suite: Suite) -> None:
    private_key = kem.generate()
    sender = seal_to(kem, suite, kem.public(private_key), b"info")
    receiver = open_with(kem, suite, private_key, sender.enc, b"info")
    assert len(sender.enc) == kem.public_length
    for number in range(3):
        ciphertext = sender.seal(b"aad", b"message %d" % number)
        assert receiver.open(b"aad", ciphertext) == b"message %d" % number


def test_two_contexts_never_share_a_key() -> None:
    public_key = X25519.public(X25519.generate())
    first, second = (seal_to(X25519, AES_128, public_key, b"") for _ in range(2))
    assert first.enc != second.enc
    assert first.seal(b"", b"same") != second.seal(b"", b"same")


@pytest.mark.parametrize("wrong", ["aad", "info", "suite", "key", "order", "first bit", "last bit", "short", "empty"])
def test_what_does_not_open(wrong: str) -> None:
    private_key = X25519.generate()
    sender = seal_to(X25519, AES_128, X25519.public(private_key), b"info")
    first, second = sender.seal(b"aad", b"first"), sender.seal(b"aad", b"second")
    suite = Suite(HpkeKdf.HKDF_SHA384, HpkeAead.AES_128_GCM) if wrong == "suite" else AES_128
    opener = X25519.generate() if wrong == "key" else private_key
    receiver = open_with(X25519, suite, opener, sender.enc, b"other" if wrong == "info" else b"info")
    message = {
        "order": second,
        "first bit": bytes((first[0] ^ 0x80,)) + first[1:],
        "last bit": first[:-1] + bytes((first[-1] ^ 1,)),
        "short": first[:15],
        "empty": b"",
    }.get(wrong, first)
    with pytest.raises(HpkeError):
        receiver.open(b"other" if wrong == "aad" else b"aad", message)
    if wrong in ("aad", "order", "first bit", "last bit", "short", "empty"):
        # A forgery does not use up the number of the genuine message.
        assert receiver.open(b"aad", first) == b"first"


SMALL_ORDER = [bytes(32), b"\x01" + bytes(31), bytes.fromhex("ecffffff" + "ff" * 27 + "7f")]
GENERATOR = ec.derive_private_key(1, ec.SECP256R1())


@pytest.mark.parametrize("public_key", [*SMALL_ORDER, b"", bytes(31), bytes(33)])
def test_bad_public_keys_of_x25519(public_key: bytes) -> None:
    with pytest.raises(HpkeError):
        seal_to(X25519, AES_128, public_key, b"")
    with pytest.raises(HpkeError):
        open_with(X25519, AES_128, X25519.generate(), public_key, b"")


def test_bad_public_keys_of_p256() -> None:
    kem = KEMS[HpkeKem.DHKEM_P256_HKDF_SHA256]
    point = kem.public(GENERATOR)
    compressed = b"\x03" + point[1:33]
    off_the_curve = point[:-1] + bytes((point[-1] ^ 1,))
    for public_key in (b"", b"\x00", compressed, off_the_curve, point[:-1], point + b"\x00", b"\x04" + bytes(64)):
        with pytest.raises(HpkeError):
            seal_to(kem, AES_128, public_key, b"")
        with pytest.raises(HpkeError):
            open_with(kem, AES_128, GENERATOR, public_key, b"")


def test_a_key_belongs_to_its_kem() -> None:
    p256 = KEMS[HpkeKem.DHKEM_P256_HKDF_SHA256]
    assert kem_of(x25519.X25519PrivateKey.generate()) is X25519
    assert kem_of(GENERATOR) is p256
    assert kem_of(ec.generate_private_key(ec.SECP384R1())) is None
    assert kem_of(ed25519.Ed25519PrivateKey.generate()) is None


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_nothing_but_our_own_error_comes_out(enc: bytes, ciphertext: bytes) -> None:
    for kem in KEMS.values():
        try:
            open_with(kem, AES_128, kem.generate(), enc, b"").open(b"", ciphertext)
        except HpkeError:
            continue
        raise AssertionError("random bytes were opened")

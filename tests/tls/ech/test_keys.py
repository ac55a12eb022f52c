"""Keys of a server and their file (RFC 9934)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from glasslock.errors import ConfigurationError
from glasslock.registry import HpkeAead, HpkeKdf, HpkeKem
from glasslock.tls.ech import ECHConfig, ECHKey, config_list_from_pem, config_list_to_pem, encode_config_list
from glasslock.tls.ech.config import choose_config
from glasslock.tls.ech.hpke import KEMS, SUITES, Suite

# The example of RFC 9934 section 3 (Figure 1).
PRIVATE = b"""-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEICjd4yGRdsoP9gU7YT7My8DHx1Tjme8GYDXrOMCi8v1V
-----END PRIVATE KEY-----
"""
PUBLIC = b"""-----BEGIN ECHCONFIG-----
AD7+DQA65wAgACA8wVN2BtscOl3vQheUzHeIkVmKIiydUhDCliA4iyQRCwAEAAEA
AQALZXhhbXBsZS5jb20AAA==
-----END ECHCONFIG-----
"""


def test_the_example_of_the_rfc() -> None:
    (key,) = ECHKey.from_pem(PRIVATE + PUBLIC)
    config = key.config
    assert config == ECHConfig(
        config_id=0xE7,
        kem_id=HpkeKem.DHKEM_X25519_HKDF_SHA256,
        public_key=KEMS[HpkeKem.DHKEM_X25519_HKDF_SHA256].public(key.private_key),
        cipher_suites=(Suite(HpkeKdf.HKDF_SHA256, HpkeAead.AES_128_GCM),),
        public_name="example.com",
    )
    assert key.retry
    assert key.to_pem() == PRIVATE + PUBLIC
    assert config_list_to_pem(config_list_from_pem(PUBLIC)) == PUBLIC


@pytest.mark.parametrize("kem_id", KEMS)
def test_a_generated_key_survives_its_file(kem_id: int) -> None:
    key = ECHKey.generate("public.example", kem_id=kem_id, cipher_suites=SUITES, maximum_name_length=64)
    (again,) = ECHKey.from_pem(key.to_pem())
    assert again.config == key.config
    assert again.to_pem() == key.to_pem()
    choice = choose_config([again.config])
    assert choice is not None
    assert (choice.kem.id, choice.suite) == (kem_id, SUITES[0])
    assert (key.config.public_name, key.config.maximum_name_length) == ("public.example", 64)


def test_each_key_has_an_identifier_of_its_own() -> None:
    keys: list[ECHKey] = []
    for _ in range(100):
        keys.append(ECHKey.generate("public.example", others=keys))
    assert len({key.config.config_id for key in keys}) == len(keys)
    taken = [replace(keys[0], config=replace(keys[0].config, config_id=number)) for number in range(256)]
    with pytest.raises(ConfigurationError, match="too many"):
        ECHKey.generate("public.example", others=taken)


def test_a_file_with_several_configs() -> None:
    first, other = ECHKey.generate("one.example"), ECHKey.generate("other.example")
    second = replace(first.config, public_name="two.example")
    list_ = encode_config_list([other.config, first.config, second])
    private = first.to_pem().partition(b"-----BEGIN ECHCONFIG")[0]
    keys = ECHKey.from_pem(b"a comment\n" + private + config_list_to_pem(list_) + b"whatever comes after\n" + PUBLIC)
    assert [key.config for key in keys] == [first.config, second]
    assert config_list_from_pem(config_list_to_pem(list_)) == list_


def pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (PUBLIC, "no PRIVATE KEY"),
        (PRIVATE, "no ECHCONFIG"),
        (b"", "no PRIVATE KEY"),
        (ECHKey.generate("a.example").to_pem().partition(b"-----BEGIN ECHCONFIG")[0] + PUBLIC, "belongs"),
        (PRIVATE.replace(b"MC4", b"MC5") + PUBLIC, "cannot be read"),
        (PRIVATE + PUBLIC.replace(b"AD7+", b"AC7+"), "ECHConfigList"),
        (PRIVATE + PUBLIC.replace(b"AD7+", b"AD6+"), "belongs"),
        (PRIVATE + PUBLIC.replace(b"AD7+", b"AD7"), "base64"),
        (PRIVATE + PUBLIC.replace(b"AD7+", b"A"), "base64"),
        (pkcs8(ec.generate_private_key(ec.SECP384R1())) + PUBLIC, "neither of X25519 nor of P-256"),
        (pkcs8(ec.generate_private_key(ec.SECP256R1())) + PUBLIC, "belongs"),
    ],
)
def test_files_that_are_refused(pem: bytes, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        ECHKey.from_pem(pem)


def test_key_and_config_must_belong_together() -> None:
    one, other = ECHKey.generate("a.example"), ECHKey.generate("a.example")
    with pytest.raises(ConfigurationError, match="does not belong"):
        ECHKey(config=one.config, private_key=other.private_key)
    with pytest.raises(ConfigurationError, match="does not belong"):
        ECHKey(config=replace(one.config, kem_id=HpkeKem.DHKEM_P256_HKDF_SHA256), private_key=one.private_key)


@pytest.mark.parametrize(
    "wish",
    [{"kem_id": 0x6666}, {"cipher_suites": ()}, {"cipher_suites": (Suite(1, 0x9999),)}, {"maximum_name_length": 256}],
)
def test_what_cannot_be_generated(wish: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ECHKey.generate("public.example", **wish)  # type: ignore[arg-type]


def test_the_private_key_is_not_shown() -> None:
    key = ECHKey.generate("public.example")
    assert "private" not in repr(key).lower()

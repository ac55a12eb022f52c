"""Certificates and keys from files: what fits together, and what is said if it does not."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509 import load_der_x509_certificate

from glasslock.errors import ConfigurationError
from glasslock.tls import Credential
from glasslock.tls.credentials import rsa_bytes

from .minted import KINDS, certificate, client_credential, credential, key, name
from .pair import pair, server_config


def pem(*chain: bytes) -> bytes:
    return b"".join(load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)


def key_pem(private_key: Any, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    data: bytes = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return data


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsassa-pss"])
def test_from_pem(kind: str) -> None:
    ours = credential(kind)
    loaded = Credential.from_pem(pem(*ours.chain), key_pem(key(kind)))
    assert (loaded.chain, loaded.key_kind, loaded.names) == (ours.chain, kind, frozenset({"localhost"}))
    assert loaded.schemes(0x0304)
    pair(server=server_config(credentials=(loaded,))).done()


def test_a_chain_of_several() -> None:
    ca = certificate(key("p384"), "Test CA")
    loaded = Credential.from_pem(pem(client_credential().chain[0], ca), key_pem(key("p256")))
    assert loaded.chain == (client_credential().chain[0], ca)
    assert loaded.issuers == {name("Test CA").public_bytes()}


def test_an_encrypted_key() -> None:
    encrypted = key_pem(key("p256"), b"secret")
    assert Credential.from_pem(pem(*credential().chain), encrypted, b"secret").key_kind == "p256"
    for password in (None, b"wrong"):
        with pytest.raises(ConfigurationError, match="private key cannot be read"):
            Credential.from_pem(pem(*credential().chain), encrypted, password)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates(text: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no readable certificate"):
        Credential.from_pem(text, key_pem(key("p256")))


@pytest.mark.parametrize("text", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_without_a_key(text: bytes) -> None:
    with pytest.raises(ConfigurationError, match="private key cannot be read"):
        Credential.from_pem(pem(*credential().chain), text)


def test_a_key_of_another_certificate() -> None:
    with pytest.raises(ConfigurationError, match="does not belong"):
        Credential.from_pem(pem(*credential("p256").chain), key_pem(key("p384")))


def test_bytes_that_are_no_certificate() -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Credential.from_key([b"not a certificate"], key("p256"))
    with pytest.raises(ConfigurationError, match="at least one"):
        Credential.from_key([], key("p256"))


@pytest.mark.parametrize(
    "public", [ec.generate_private_key(ec.SECP256K1()), x25519.X25519PrivateKey.generate()], ids=["secp256k1", "x25519"]
)
def test_a_key_that_tls_has_no_scheme_for(public: Any) -> None:
    der = certificate(public, "localhost", issuer=("CA", key("p256")))
    with pytest.raises(ConfigurationError, match="no signature scheme"):
        Credential.from_signer([der], credential().signer)


def test_the_length_of_rsa_keys() -> None:
    assert rsa_bytes(key("rsa").public_key()) == 256
    assert rsa_bytes(key("p256").public_key()) == 0
    assert credential("rsa").key_size == 256


def test_a_certificate_without_names() -> None:
    assert client_credential().names == frozenset()
    assert not client_credential().covers("localhost")


@pytest.mark.parametrize(
    ("asked", "covered"),
    [
        ("one.example", True),
        ("ONE.Example", True),
        ("one.example.", True),
        ("a.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        ("two.example", False),
        ("example", False),
        ("", False),
    ],
)
def test_names_that_a_credential_covers(asked: str, covered: bool) -> None:
    assert credential("p256", "one.example", "*.wild.example").covers(asked) == covered


@pytest.mark.parametrize("sct_list", [b"", b"\0\0", b"\0\3\0\1", b"\0\2\0\0"])
def test_what_is_no_list_of_timestamps(sct_list: bytes) -> None:
    with pytest.raises(ConfigurationError, match="timestamps"):
        Credential.from_key(credential().chain, key("p256"), sct_list=sct_list)

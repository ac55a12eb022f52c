"""What a server needs for Encrypted ClientHello: a private key and the config that publishes it.

The file form is PEM (RFC 9934): the private key in PKCS #8, then the ECHConfigList.

    key = ECHKey.generate("public.example")
    key.to_pem()                            for the server, to be kept like any private key
    encode_config_list([key.config])        for the DNS, or whoever hands it to clients
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm

from ...errors import ConfigurationError
from ...registry import HpkeAead, HpkeKdf, HpkeKem
from .config import ECHConfig, encode_config_list, is_host_name, read_config_list
from .hpke import KEMS, Kem, PrivateKey, Suite, kem_of

DEFAULT_SUITES = (
    Suite(HpkeKdf.HKDF_SHA256, HpkeAead.AES_128_GCM),
    Suite(HpkeKdf.HKDF_SHA256, HpkeAead.CHACHA20_POLY1305),
)
_ATTEMPTS = 4096  # to find a config_id that is free among 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ECHKey:
    """One key of a server. With `retry`, its config is sent to clients whose own one is out of date.

    Keep a key for as long as clients may have its config from a cache; take `retry` from those that are going out.
    """

    config: ECHConfig
    private_key: PrivateKey = field(repr=False)
    retry: bool = True

    def __post_init__(self) -> None:
        kem = kem_of(self.private_key)
        if kem is None or kem.id != self.config.kem_id or kem.public(self.private_key) != self.config.public_key:
            raise ConfigurationError("the private key does not belong to the ECHConfig: their public keys differ")

    @classmethod
    def generate(
        cls,
        public_name: str,
        *,
        others: Iterable[ECHKey] = (),
        kem_id: int = HpkeKem.DHKEM_X25519_HKDF_SHA256,
        cipher_suites: tuple[Suite, ...] = DEFAULT_SUITES,
        maximum_name_length: int = 0,
    ) -> ECHKey:
        """A fresh key, with a config_id that none of the `others` has (RFC 9849 section 4.1).

        `public_name` is what everybody sees; the server needs a certificate for it, or clients cannot recover.
        """
        if not is_host_name(public_name):
            raise ConfigurationError(f"the public name {public_name!r} is no host name (RFC 9849 section 6.1.7)")
        if not 0 <= maximum_name_length <= 0xFF:
            raise ConfigurationError("maximum_name_length must be between 0 and 255 (RFC 9849 section 4)")
        kem = KEMS.get(kem_id)
        if kem is None or not cipher_suites or not all(suite.supported for suite in cipher_suites):
            raise ConfigurationError("an ECH key needs a KEM and cipher suites that this engine implements")
        taken = {key.config.config_id for key in others}
        for _ in range(_ATTEMPTS):
            private_key = kem.generate()
            public_key = kem.public(private_key)
            config_id = public_key[-1]  # as random as the key is
            if config_id not in taken:
                break
        else:
            raise ConfigurationError("there are too many ECH keys: each of the 256 values of config_id is in use")
        config = ECHConfig(
            config_id=config_id,
            kem_id=kem_id,
            public_key=public_key,
            cipher_suites=cipher_suites,
            public_name=public_name,
            maximum_name_length=maximum_name_length,
        )
        return cls(config=config, private_key=private_key)

    def to_pem(self) -> bytes:
        """The key file; keep it as safe as a certificate's private key (mode 0600)."""
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        private = self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return private + config_list_to_pem(encode_config_list([self.config]))

    @classmethod
    def from_pem(cls, pem: bytes) -> tuple[ECHKey, ...]:
        """The keys of a key file: its private key with each config that it belongs to, in order.

        ConfigurationError if the file has no private key, or none of its configs belongs to that.
        """
        private_key, kem = _private_key(pem)
        own = kem.id, kem.public(private_key)
        configs = [c for c in read_config_list(config_list_from_pem(pem)) if (c.kem_id, c.public_key) == own]
        if not configs:
            raise ConfigurationError("no ECHConfig of the file belongs to its private key (RFC 9934 section 3)")
        return tuple(cls(config=config, private_key=private_key) for config in configs)


def config_list_to_pem(config_list: bytes) -> bytes:
    """An ECHConfigList as PEM, without a private key: what may be handed to anybody."""
    text = base64.b64encode(config_list).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN ECHCONFIG-----", *lines, "-----END ECHCONFIG-----", ""]).encode("ascii")


def config_list_from_pem(pem: bytes) -> bytes:
    """The ECHConfigList of a key file, with or without a private key; what comes after it is ignored."""
    lines = _block(pem, b"ECHCONFIG").split()[2:-2]  # without "-----BEGIN", "ECHCONFIG-----" and their ends
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error as problem:
        raise ConfigurationError(f"the ECHConfigList of the file is no base64: {problem}") from problem


def _private_key(pem: bytes) -> tuple[PrivateKey, Kem]:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    block = _block(pem, b"PRIVATE KEY")
    try:
        private_key = load_pem_private_key(block, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise ConfigurationError(f"the private key of the ECH key file cannot be read: {problem}") from problem
    kem = kem_of(private_key)
    if kem is None or not isinstance(private_key, PrivateKey):
        raise ConfigurationError("the private key of the ECH key file is neither of X25519 nor of P-256")
    return private_key, kem


def _block(pem: bytes, label: bytes) -> bytes:
    """The first block of a PEM file with this label."""
    found = re.search(b"-----BEGIN %b-----.*?-----END %b-----" % (label, label), pem, re.DOTALL)
    if found is None:
        raise ConfigurationError(f"the file has no {label.decode()} block (RFC 9934 section 3)")
    return found.group()

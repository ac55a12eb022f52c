"""ECHConfig: the public key that a server publishes for Encrypted ClientHello (RFC 9849 section 4).

Clients get a list of these, usually from the HTTPS record of the host in DNS, and take the first that they can
use. `public_name` is the name that everybody may see in its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...errors import ConfigurationError, PeerMisbehaved
from ...registry import HpkeKem, name_of
from ..wire.codec import Reader, decode_error, u8, u16, vector8, vector16
from .hpke import KEMS, Kem, Suite

VERSION = 0xFE0D  # the same number as the extension's

_MANDATORY = 0x8000  # the bit of an extension type that says: who does not know me must not use this config


@dataclass(frozen=True, slots=True, kw_only=True)
class ECHConfig:
    """One published key.

    struct {
        HpkeKeyConfig key_config;           /* config_id, kem_id, public_key, cipher_suites */
        uint8 maximum_name_length;
        opaque public_name<1..255>;
        ECHConfigExtension extensions<0..2^16-1>;
    } ECHConfigContents;

    `maximum_name_length` is that of the longest name behind this key, in bytes; 0 if not known. It only guides padding.
    """

    config_id: int
    kem_id: int
    public_key: bytes
    cipher_suites: tuple[Suite, ...]
    public_name: str
    maximum_name_length: int = 0
    extensions: tuple[tuple[int, bytes], ...] = ()

    def encode(self) -> bytes:
        """The whole ECHConfig, version and length included: what HPKE binds the encryption to."""
        suites = b"".join([u16(suite.kdf_id) + u16(suite.aead_id) for suite in self.cipher_suites])
        key_config = u8(self.config_id) + u16(self.kem_id) + vector16(self.public_key) + vector16(suites)
        extensions = b"".join([u16(kind) + vector16(data) for kind, data in self.extensions])
        name = vector8(self.public_name.encode("latin-1"))
        return u16(VERSION) + vector16(key_config + u8(self.maximum_name_length) + name + vector16(extensions))

    @classmethod
    def parse_contents(cls, data: bytes) -> ECHConfig:
        """The inverse of `encode`, without version and length; PeerMisbehaved for what has another form."""
        reader = Reader(data, "ECHConfig")
        config_id, kem_id, public_key = reader.u8(), reader.u16(), reader.vector16(1)
        suites = _suites(reader.vector16(4, 0xFFFC))
        maximum_name_length = reader.u8()
        public_name = reader.vector8(1).decode("latin-1")
        extensions = _extensions(reader.vector16())
        reader.finish()
        return cls(
            config_id=config_id,
            kem_id=kem_id,
            public_key=public_key,
            cipher_suites=suites,
            public_name=public_name,
            maximum_name_length=maximum_name_length,
            extensions=extensions,
        )

    def why_unusable(self) -> str:
        """Why a client must or should pass over this config; empty if it can use it."""
        kem = KEMS.get(self.kem_id)
        if kem is None:
            return f"the KEM {name_of(HpkeKem, self.kem_id)} is not known here"
        if len(self.public_key) != kem.public_length:
            return "its public key has the wrong length"
        if not any(suite.supported for suite in self.cipher_suites):
            return "none of its cipher suites is known here"
        if any(kind & _MANDATORY for kind, _ in self.extensions):
            return "it has a mandatory extension that is not known here"
        if not is_host_name(self.public_name):
            return f"its public name {self.public_name!r} is no host name"
        return ""


class Choice(NamedTuple):
    """A config that a client can use, with the algorithms it takes."""

    config: ECHConfig
    kem: Kem
    suite: Suite


def choose_config(configs: Sequence[ECHConfig]) -> Choice | None:
    """The first usable config with the first of its suites that is known here (RFC 9849 section 6.1)."""
    for config in configs:
        if not config.why_unusable():
            suite = next(suite for suite in config.cipher_suites if suite.supported)
            return Choice(config, KEMS[config.kem_id], suite)
    return None


# --- ECHConfigList --------------------------------------------------------------------------------


def encode_config_list(configs: Sequence[ECHConfig]) -> bytes:
    """`ECHConfig ECHConfigList<4..2^16-1>`: what is published, and sent as retry configs."""
    return vector16(b"".join([config.encode() for config in configs]))


def parse_config_list(data: bytes) -> tuple[ECHConfig, ...]:
    """The configs of the version known here, others passed over; PeerMisbehaved for what is no list at all."""
    reader = Reader(data, "ECHConfigList")
    items = Reader(reader.vector16(4), "ECHConfigList")
    reader.finish()
    found = []
    while items.remaining:
        version, contents = items.u16(), items.vector16()
        if version == VERSION:
            found.append(ECHConfig.parse_contents(contents))
    return tuple(found)


def read_config_list(data: bytes) -> tuple[ECHConfig, ...]:
    """`parse_config_list` for a list that the user gave us: ConfigurationError if it is none."""
    try:
        return parse_config_list(data)
    except PeerMisbehaved as problem:
        raise ConfigurationError(f"this is no ECHConfigList (RFC 9849 section 4): {problem.message}") from problem


def _suites(data: bytes) -> tuple[Suite, ...]:
    if len(data) % 4:
        raise decode_error("ECHConfig has half a cipher suite", "RFC 9849 section 4")
    reader = Reader(data, "ECHConfig")
    return tuple(Suite(reader.u16(), reader.u16()) for _ in range(len(data) // 4))


def _extensions(data: bytes) -> tuple[tuple[int, bytes], ...]:
    reader = Reader(data, "the extensions of ECHConfig")
    found: dict[int, bytes] = {}
    while reader.remaining:
        kind, value = reader.u16(), reader.vector16()
        if kind in found:
            raise decode_error("ECHConfig has an extension twice", "RFC 9849 section 4.2")
        found[kind] = value
    return tuple(found.items())


# --- public_name (RFC 9849 section 6.1.7) ---------------------------------------------------------

_LDH_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253  # characters (RFC 1035 section 2.3.4, without the root's dot)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


def is_host_name(name: str) -> bool:
    """Whether a name is a sequence of LDH labels (RFC 5890 section 2.3.1) that nobody takes for an IPv4 address."""
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or _NUMBER.fullmatch(labels[-1]):
        return False
    return all(_LDH_LABEL.fullmatch(label) for label in labels)

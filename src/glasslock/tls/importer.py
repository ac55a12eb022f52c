"""Imported pre-shared keys: one key from outside becomes one for each hash, bound to its context (RFC 9258).

    external key, identity, context --+--> key for suites with SHA-256
                                      +--> key for suites with SHA-384

No key is used with two hash functions, and a key that one side imports and the other does not is no common key.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ConfigurationError
from ..registry import TLS_1_3
from .keys.hkdf import hash_function
from .session import ExternalPsk
from .wire.codec import u16, vector16

_KDF = {"sha256": 1, "sha384": 2}  # TLS KDF Identifiers (RFC 9258 section 10)


def import_psk(
    identity: bytes,
    key: bytes,
    context: bytes = b"",
    *,
    hash_name: str = "sha256",
    targets: Sequence[str] = ("sha256", "sha384"),
) -> tuple[ExternalPsk, ...]:
    """One `ExternalPsk` for each target hash, for `external_psks` of both sides (RFC 9258 section 5.1).

    `hash_name` is the hash that the key is meant for. `context` travels in the clear, as the identity does; with the
    identities of both sides in it, nobody can be made to talk to himself (RFC 9257 section 4.1).
    """
    if not identity or len(identity) > 0xFF00 or len(context) > 0xFF00:
        raise ConfigurationError("an identity has 1, and identity and context at most 65,280 bytes (RFC 9258)")
    if hash_name not in _KDF or not key:
        raise ConfigurationError("a key to import needs some bytes, and sha256 or sha384 as its hash (RFC 9258)")
    return tuple(_import_for(target, identity, key, context, hash_name) for target in targets)


def _import_for(target: str, identity: bytes, key: bytes, context: bytes, hash_name: str) -> ExternalPsk:
    """ImportedIdentity is what travels, and what the derived key is bound to."""
    imported = vector16(identity) + vector16(context) + u16(TLS_1_3) + u16(_KDF[target])
    hash_ = hash_function(hash_name)
    extracted = hash_.extract(hash_.zeros, key)
    length = hash_function(target).length
    derived = hash_.expand_label(extracted, b"derived psk", hash_.new(imported).digest(), length)
    return ExternalPsk(identity=imported, key=derived, hash_name=target, imported=True)

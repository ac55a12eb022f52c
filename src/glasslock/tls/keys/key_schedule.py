"""The key schedule of TLS 1.3 (RFC 9846 section 7.1), in the order in which it is drawn there.

              0
              |
    PSK --> Extract = Early Secret ----+--> binder key              proves that the client knows the PSK
              |                        +--> client early traffic    0-RTT data
              |                        +--> early exporter
           Derive "derived"
              |
  (EC)DHE --> Extract = Handshake Secret --+--> client handshake traffic
              |                            +--> server handshake traffic
           Derive "derived"
              |
        0 --> Extract = Main Secret ---+--> client application traffic
                                       +--> server application traffic
                                       +--> exporter
                                       +--> resumption              seeds the PSK of the next connection

What goes down the left side is entropy; what leaves to the right is bound to the transcript so far.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from .hkdf import HashFunction, hash_function, hkdf_label
from .suites import Suite

# The labels of the picture's right side.
EXTERNAL_BINDER = b"ext binder"
RESUMPTION_BINDER = b"res binder"  # for keys from tickets
IMPORTED_BINDER = b"imp binder"  # RFC 9258
CLIENT_EARLY_TRAFFIC = b"c e traffic"
EARLY_EXPORTER = b"e exp master"
CLIENT_HANDSHAKE_TRAFFIC = b"c hs traffic"
SERVER_HANDSHAKE_TRAFFIC = b"s hs traffic"
CLIENT_APPLICATION_TRAFFIC = b"c ap traffic"
SERVER_APPLICATION_TRAFFIC = b"s ap traffic"
EXPORTER = b"exp master"
RESUMPTION = b"res master"

# label, parent, secret: whoever follows the story hears of each derivation.
Listener = Callable[[str, str, bytes], None]

_STORY = {  # what each is called there, and the secret that it comes from
    EXTERNAL_BINDER: ("binder", "early secret"),
    RESUMPTION_BINDER: ("binder", "early secret"),
    IMPORTED_BINDER: ("binder", "early secret"),
    CLIENT_EARLY_TRAFFIC: ("client early traffic", "early secret"),
    EARLY_EXPORTER: ("early exporter", "early secret"),
    CLIENT_HANDSHAKE_TRAFFIC: ("client handshake traffic", "handshake secret"),
    SERVER_HANDSHAKE_TRAFFIC: ("server handshake traffic", "handshake secret"),
    CLIENT_APPLICATION_TRAFFIC: ("client application traffic", "main secret"),
    SERVER_APPLICATION_TRAFFIC: ("server application traffic", "main secret"),
    EXPORTER: ("exporter", "main secret"),
    RESUMPTION: ("resumption", "main secret"),
}


class KeySchedule:
    """The left side of the picture: one secret at a time, moved on by `mix_…`; `derive` goes to the right."""

    __slots__ = ("_constants", "_listener", "_salt", "_secret", "hash")

    def __init__(self, hash_name: str, psk: bytes | None = None, listener: Listener | None = None) -> None:
        self.hash = hash_function(hash_name)
        self._constants = _constants(hash_name)
        self._listener = listener
        if psk is None:
            self._secret, self._salt = self._constants.without_psk
        else:
            self._secret = self.hash.keyed(self.hash.zeros, psk)
            self._salt = b""  # for the shared secret, once it is needed
        if listener is not None:
            listener("early secret", "psk", self._secret)

    def derive(self, label: bytes, transcript_hash: bytes) -> bytes:
        """Derive-Secret(., label, messages) from the secret that the schedule has come to."""
        secret = self.hash.keyed(self._secret, self._constants.derivations[label] + transcript_hash + b"\x01")
        if self._listener is not None:
            self._listener(*_STORY[label], secret)
        return secret

    def binder(self, label: bytes, transcript_hash: bytes) -> bytes:
        """Proof that its maker knows the PSK; the label keeps one kind of PSK from being taken for another."""
        return finished_mac(self.hash, self.derive(label, self.hash.empty), transcript_hash)

    def mix_shared_secret(self, shared_secret: bytes | None) -> None:
        """Early Secret to Handshake Secret; None where a PSK stands alone."""
        keyed = self.hash.keyed
        salt = self._salt or keyed(self._secret, self._constants.derived)
        self._secret = keyed(salt, self.hash.zeros if shared_secret is None else shared_secret)
        if self._listener is not None:
            self._listener("handshake secret", "ecdhe", self._secret)

    def mix_nothing(self) -> None:
        """Handshake Secret to Main Secret: no new entropy, but the handshake's keys cannot lead here."""
        keyed = self.hash.keyed
        self._secret = keyed(keyed(self._secret, self._constants.derived), self.hash.zeros)
        if self._listener is not None:
            self._listener("main secret", "handshake secret", self._secret)


class _Constants(NamedTuple):
    """What is the same in all schedules with one hash."""

    derivations: dict[bytes, bytes]  # label to what HKDF-Expand gets in front of the transcript hash
    derived: bytes  # what leads from one secret to the salt of the next
    without_psk: tuple[bytes, bytes]  # Early Secret, and that salt


@cache
def _constants(hash_name: str) -> _Constants:
    hash_ = hash_function(hash_name)
    secret = hash_.extract(hash_.zeros, hash_.zeros)
    return _Constants(
        derivations={label: hkdf_label(hash_.length, label, hash_.length) for label in _STORY},
        derived=hkdf_label(hash_.length, b"derived", hash_.length) + hash_.empty + b"\x01",
        without_psk=(secret, hash_.derive_secret(secret, b"derived", hash_.empty)),
    )


_KEY = {length: hkdf_label(length, b"key", 0) + b"\x01" for length in (16, 32)}
_IV = hkdf_label(12, b"iv", 0) + b"\x01"
_FINISHED = {length: hkdf_label(length, b"finished", 0) + b"\x01" for length in (32, 48)}


def traffic_key_and_iv(suite: Suite, secret: bytes) -> tuple[bytes, bytes]:
    """Key and IV of one direction (RFC 9846 section 7.3): two times HKDF-Expand-Label, one block each."""
    keyed, length = suite.hash.keyed, suite.key_length
    return keyed(secret, _KEY[length])[:length], keyed(secret, _IV)[:12]


def next_traffic_secret(hash_: HashFunction, secret: bytes) -> bytes:
    """application_traffic_secret_N+1 (RFC 9846 section 7.2)."""
    return hash_.expand_label(secret, b"traffic upd", b"", hash_.length)


def finished_mac(hash_: HashFunction, base_secret: bytes, transcript_hash: bytes) -> bytes:
    """verify_data of Finished, and a PSK binder (RFC 9846 section 4.5.3)."""
    keyed = hash_.keyed
    return keyed(keyed(base_secret, _FINISHED[hash_.length]), transcript_hash)


def resumption_psk(hash_: HashFunction, resumption_secret: bytes, ticket_nonce: bytes) -> bytes:
    """The PSK that one ticket stands for (RFC 9846 section 4.7.1)."""
    label = hkdf_label(hash_.length, b"resumption", len(ticket_nonce))
    return hash_.keyed(resumption_secret, label + ticket_nonce + b"\x01")


def export(hash_: HashFunction, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """TLS-Exporter(label, context_value, key_length) (RFC 9846 section 7.5)."""
    derived = hash_.derive_secret(secret, label, hash_.empty)
    return hash_.expand_label(derived, b"exporter", hash_.new(context).digest(), length)


def fingerprint(secret: bytes) -> str:
    """What may be shown of a secret: enough to see that both sides have the same."""
    return hashlib.sha256(secret).hexdigest()[:16]

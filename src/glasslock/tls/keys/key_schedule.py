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

from .hkdf import HashFunction, hash_function, hkdf_label
from .suites import Suite

RESUMPTION_BINDER = b"res binder"  # for keys from tickets; `ExternalPsk.binder_label` has the others

# label, parent, secret: whoever follows the story hears of each derivation.
Listener = Callable[[str, str, bytes], None]


class KeySchedule:
    """The left side of the picture: one secret at a time, moved on by `mix_…`."""

    __slots__ = ("_listener", "_salt", "_secret", "hash")

    def __init__(self, hash_name: str, psk: bytes | None = None, listener: Listener | None = None) -> None:
        self.hash = hash_function(hash_name)
        self._listener = listener
        # The salt for the shared secret, if it is known already.
        self._salt: bytes | None = None
        if psk is None:
            self._secret, self._salt = _without_psk(hash_name)
        else:
            self._secret = self.hash.extract(self.hash.zeros, psk)
        self._tell("early secret", "psk", self._secret)

    # Early Secret

    def binder_key(self, label: bytes) -> bytes:
        """The key of the PSK binders: one kind of PSK must not be taken for another."""
        return self._derive("binder", label, self.hash.empty, "early secret")

    def client_early_traffic(self, transcript_hash: bytes) -> bytes:
        return self._derive("client early traffic", b"c e traffic", transcript_hash, "early secret")

    def early_exporter(self, transcript_hash: bytes) -> bytes:
        return self._derive("early exporter", b"e exp master", transcript_hash, "early secret")

    # Handshake Secret

    def mix_shared_secret(self, shared_secret: bytes | None) -> None:
        """Early Secret to Handshake Secret; None where a PSK stands alone."""
        salt = self._salt or self.hash.derive_secret(self._secret, b"derived", self.hash.empty)
        self._secret = self.hash.extract(salt, self.hash.zeros if shared_secret is None else shared_secret)
        self._tell("handshake secret", "ecdhe", self._secret)

    def client_handshake_traffic(self, transcript_hash: bytes) -> bytes:
        return self._derive("client handshake traffic", b"c hs traffic", transcript_hash, "handshake secret")

    def server_handshake_traffic(self, transcript_hash: bytes) -> bytes:
        return self._derive("server handshake traffic", b"s hs traffic", transcript_hash, "handshake secret")

    # Main Secret

    def mix_nothing(self) -> None:
        """Handshake Secret to Main Secret: no new entropy, but the handshake's keys cannot lead here."""
        salt = self.hash.derive_secret(self._secret, b"derived", self.hash.empty)
        self._secret = self.hash.extract(salt, self.hash.zeros)
        self._tell("main secret", "handshake secret", self._secret)

    def client_application_traffic(self, transcript_hash: bytes) -> bytes:
        return self._derive("client application traffic", b"c ap traffic", transcript_hash, "main secret")

    def server_application_traffic(self, transcript_hash: bytes) -> bytes:
        return self._derive("server application traffic", b"s ap traffic", transcript_hash, "main secret")

    def exporter(self, transcript_hash: bytes) -> bytes:
        return self._derive("exporter", b"exp master", transcript_hash, "main secret")

    def resumption(self, transcript_hash: bytes) -> bytes:
        return self._derive("resumption", b"res master", transcript_hash, "main secret")

    def _derive(self, name: str, label: bytes, transcript_hash: bytes, parent: str) -> bytes:
        length = self.hash.length
        secret = self.hash.hmac(self._secret, hkdf_label(length, label, length) + transcript_hash + b"\x01")
        if self._listener is not None:
            self._listener(name, parent, secret)
        return secret

    def _tell(self, name: str, parent: str, secret: bytes) -> None:
        if self._listener is not None:
            self._listener(name, parent, secret)


@cache
def _without_psk(hash_name: str) -> tuple[bytes, bytes]:
    """The Early Secret without a PSK, and the salt that comes of it: constants of the hash."""
    hash_ = hash_function(hash_name)
    secret = hash_.extract(hash_.zeros, hash_.zeros)
    return secret, hash_.derive_secret(secret, b"derived", hash_.empty)


_KEY = {length: hkdf_label(length, b"key", 0) + b"\x01" for length in (16, 32)}
_IV = hkdf_label(12, b"iv", 0) + b"\x01"
_FINISHED = {length: hkdf_label(length, b"finished", 0) + b"\x01" for length in (32, 48)}


def traffic_key_and_iv(suite: Suite, secret: bytes) -> tuple[bytes, bytes]:
    """Key and IV of one direction (RFC 9846 section 7.3): two times HKDF-Expand-Label, one block each."""
    hmac = suite.hash.hmac
    length = suite.key_length
    return hmac(secret, _KEY[length])[:length], hmac(secret, _IV)[:12]


def next_traffic_secret(hash_: HashFunction, secret: bytes) -> bytes:
    """application_traffic_secret_N+1 (RFC 9846 section 7.2)."""
    return hash_.expand_label(secret, b"traffic upd", b"", hash_.length)


def finished_mac(hash_: HashFunction, base_secret: bytes, transcript_hash: bytes) -> bytes:
    """verify_data of Finished, and a PSK binder (RFC 9846 section 4.5.3)."""
    hmac = hash_.hmac
    return hmac(hmac(base_secret, _FINISHED[hash_.length]), transcript_hash)


def resumption_psk(hash_: HashFunction, resumption_secret: bytes, ticket_nonce: bytes) -> bytes:
    """The PSK that one ticket stands for (RFC 9846 section 4.7.1)."""
    return hash_.expand_label(resumption_secret, b"resumption", ticket_nonce, hash_.length)


def export(hash_: HashFunction, secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    """TLS-Exporter(label, context_value, key_length) (RFC 9846 section 7.5)."""
    derived = hash_.derive_secret(secret, label, hash_.empty)
    return hash_.expand_label(derived, b"exporter", hash_.new(context).digest(), length)


def fingerprint(secret: bytes) -> str:
    """What may be shown of a secret: enough to see that both sides have the same."""
    return hashlib.sha256(secret).hexdigest()[:16]

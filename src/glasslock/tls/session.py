"""Sessions: what one connection leaves for the next (RFC 9846 section 4.7.1).

A client keeps `Session` objects. A server seals what it needs to know into the ticket itself
(`TicketKeys`), so that it has to remember nothing; for 0-RTT data it remembers which tickets were used
(`ReplayGuard`).
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import ConfigurationError
from ..registry import CertificateType
from .keys.key_schedule import EXTERNAL_BINDER, IMPORTED_BINDER
from .keys.suites import SUITES_13

MAX_TICKET_LIFETIME = 7 * 24 * 3600  # seconds
# Seconds from the handshake with certificates to the last one that resumes it, however often the session is renewed on
# the way (RFC 9846 section 4.7.1, at its end): in TLS 1.2 all of them have the same main secret.
MAX_SESSION_AGE = MAX_TICKET_LIFETIME


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Everything a resumption needs. Secret: whoever has it can resume in its owner's name."""

    version: int
    cipher_suite: int
    psk: bytes = field(repr=False)  # TLS 1.3: the ticket's PSK; TLS 1.2: the main secret
    ticket: bytes = field(default=b"", repr=False)
    session_id: bytes = b""
    server_name: str | None = None
    alpn: str | None = None
    issued_at: float = 0.0  # seconds since the Unix epoch, by the holder's clock
    began_at: float = 0.0  # when the first handshake of the session was; 0: the ticket is from that one
    lifetime: int = 0  # seconds
    age_add: int = 0
    max_early_data: int = 0  # bytes
    extended_main_secret: bool = True
    peer_chain: tuple[bytes, ...] = field(default=(), repr=False)
    peer_certificate_type: int = CertificateType.X509
    peer_ocsp_response: bytes | None = field(default=None, repr=False)
    peer_sct_list: bytes | None = field(default=None, repr=False)
    group: int = 0
    signature_scheme: int = 0

    def is_fresh(self, now: float) -> bool:
        """Whether the ticket may still be offered."""
        alive = 0 <= now - self.issued_at < min(self.lifetime, MAX_TICKET_LIFETIME)
        return alive and now - (self.began_at or self.issued_at) < MAX_SESSION_AGE

    def to_json(self) -> str:
        """The session as text; keep it as safe as a private key."""
        import json

        return json.dumps({name: _plain(value) for name, value in asdict(self).items()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Session:
        """The reverse of `to_json`; ConfigurationError for anything else."""
        import json

        try:
            values = json.loads(text)
            known = {item.name: item for item in fields(cls)}
            if not isinstance(values, dict) or not set(values) <= set(known):
                raise ValueError("unknown fields")
            return cls(**{name: _parsed(str(known[name].type), value) for name, value in values.items()})
        except (ValueError, TypeError, KeyError) as problem:
            raise ConfigurationError(f"this is no saved session: {problem}") from problem


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _parsed(kind: str, value: Any) -> Any:
    import base64

    if value is None and "None" in kind:
        return None
    if kind.startswith("tuple"):
        return tuple(base64.b64decode(item, validate=True) for item in value)
    if kind.startswith("bytes"):
        return base64.b64decode(value, validate=True)
    wanted: tuple[type, ...] = {"int": (int,), "float": (int, float), "bool": (bool,)}.get(kind, (str,))
    if not isinstance(value, wanted):
        raise ValueError(f"{value!r} is not of type {kind}")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalPsk:
    """A key that both sides got outside of TLS (RFC 9846 section 4.3.11, RFC 9257)."""

    identity: bytes
    key: bytes = field(repr=False)
    hash_name: str = "sha256"
    max_early_data: int = 0  # bytes; needs `cipher_suite` and, if used, `alpn`
    cipher_suite: int = 0
    alpn: str | None = None
    imported: bool = False  # made by `import_psk` (RFC 9258)

    def __post_init__(self) -> None:
        if not 1 <= len(self.identity) < 1 << 16:
            raise ConfigurationError("the identity of an external PSK has 1 to 65535 bytes (RFC 9846 section 4.3.11)")
        if not self.key or self.hash_name not in ("sha256", "sha384"):
            raise ConfigurationError("an external PSK needs a key, and sha256 or sha384 as its hash")
        if self.max_early_data:
            suite = SUITES_13.get(self.cipher_suite)
            if suite is None or suite.hash_name != self.hash_name:
                raise ConfigurationError("early data needs the PSK's cipher_suite, of TLS 1.3 and with its hash")

    @property
    def binder_label(self) -> bytes:
        """What keeps an imported key from being taken for another (RFC 9258 section 5.2)."""
        return IMPORTED_BINDER if self.imported else EXTERNAL_BINDER


class TicketKeys:
    """Seals and opens tickets with AES-256-GCM under keys that rotate.

    A ticket is `key name (16) | nonce (12) | ciphertext`. The newest key seals, the last three open, so
    a ticket outlives one rotation. `secret` lets a fleet share keys: every server given the same secret and
    the same clock derives the same keys. `rotation` is in seconds.
    """

    def __init__(
        self,
        secret: bytes | None = None,
        rotation: float = 12 * 3600,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if secret is not None and len(secret) < 32:
            raise ConfigurationError("the secret of ticket keys needs at least 32 bytes")
        self._secret = secret if secret is not None else os.urandom(32)
        self._rotation = rotation
        self._clock = clock
        self._keys: dict[int, tuple[bytes, AESGCM]] = {}

    def seal(self, plaintext: bytes) -> bytes:
        """A ticket; every call gives another one."""
        name, key = self._key(self._period())
        nonce = os.urandom(12)
        return name + nonce + key.encrypt(nonce, plaintext, name)

    def open(self, ticket: bytes) -> bytes | None:
        """The content of a ticket, or None if it is not one of ours or too old."""
        if len(ticket) < 16 + 12 + 16:
            return None
        now = self._period()
        for period in (now, now - 1, now - 2):
            name, key = self._key(period)
            if hmac.compare_digest(name, ticket[:16]):
                try:
                    return key.decrypt(ticket[16:28], ticket[28:], name)
                except InvalidTag:
                    return None
        return None

    def _period(self) -> int:
        return int(self._clock() // self._rotation)

    def _key(self, period: int) -> tuple[bytes, AESGCM]:
        found = self._keys.get(period)
        if found is None:
            label = b"glasslock ticket key %d" % period
            material = hmac.digest(self._secret, label + b"\x00", "sha384")
            found = material[:16], AESGCM(material[16:48])
            self._keys = {p: k for p, k in self._keys.items() if p >= period - 2}
            self._keys[period] = found
        return found


class SessionStore(Protocol):
    """Keeps sessions on the server's side, by session id (RFC 5246 section 7.3). Secret, as tickets are."""

    def get(self, session_id: bytes) -> bytes | None:
        """What was put under this id and is not too old."""
        ...

    def put(self, session_id: bytes, content: bytes, lifetime: float) -> None:
        """Keeps `content` for `lifetime` seconds."""
        ...


class MemorySessionStore:
    """A `SessionStore` for one process; the oldest sessions make room for new ones."""

    def __init__(self, capacity: int = 10_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._sessions: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, session_id: bytes) -> bytes | None:
        with self._lock:
            until, content = self._sessions.get(session_id, (0.0, b""))
        return content if self._clock() < until else None

    def put(self, session_id: bytes, content: bytes, lifetime: float) -> None:
        with self._lock:
            self._sessions[session_id] = (self._clock() + lifetime, content)
            while len(self._sessions) > self._capacity:
                self._sessions.popitem(last=False)


class ReplayGuard(Protocol):
    """Remembers which 0-RTT flights were taken, so that none is taken twice (RFC 9846 section 8.1)."""

    def first_use(self, identifier: bytes, lifetime: float) -> bool:
        """True the first time an identifier is seen; it must be remembered for `lifetime` seconds."""
        ...


class MemoryReplayGuard:
    """A `ReplayGuard` for one process. When full it refuses, which costs a round trip and no safety."""

    def __init__(self, capacity: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = capacity
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def first_use(self, identifier: bytes, lifetime: float) -> bool:
        now = self._clock()
        with self._lock:
            while self._seen and next(iter(self._seen.values())) <= now:
                self._seen.popitem(last=False)
            if identifier in self._seen or len(self._seen) >= self._capacity:
                return False
            self._seen[identifier] = now + lifetime
            return True

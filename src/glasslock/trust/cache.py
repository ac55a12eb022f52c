"""Remember, for a short time, that a chain was good. Off unless a verifier is given one.

A remembered chain saves the signatures of its certificates, not the proof that the peer holds the key: that is
asked of every connection. What is remembered is bound to the very bytes of the chain and of its stapled response,
to the name, the store, the purpose and the policy, and forgotten when a certificate of the path expires.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Entry:
    since: float
    until: float


class VerifiedChainCache:
    """At most `max_entries` chains, each for at most `lifetime` seconds. Safe to share between threads.

    A revocation, or a root that was taken out of a list on disk, shows only when the entry has expired: keep
    `lifetime` to minutes.
    """

    def __init__(self, *, lifetime: float = 300.0, max_entries: int = 1024) -> None:
        if lifetime <= 0 or max_entries <= 0:
            raise ValueError("lifetime and max_entries must be positive")
        self.lifetime = lifetime
        self.max_entries = max_entries
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def holds(self, key: Hashable, now: float) -> bool:
        """Whether this was good a short time ago. A clock that was set back makes nothing good."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return False
            if entry.since <= now < entry.until:
                self._entries.move_to_end(key)
                return True
            del self._entries[key]
            return False

    def remember(self, key: Hashable, now: float, until: float) -> None:
        """Keep that this is good, at most until the time given (seconds since the epoch)."""
        with self._lock:
            self._entries[key] = _Entry(now, min(until, now + self.lifetime))
            self._entries.move_to_end(key)
            while len(self._entries) > self.max_entries:
                self._entries.popitem(last=False)

    def forget(self) -> None:
        """Empty the cache, as after a change of the trust store."""
        with self._lock:
            self._entries.clear()

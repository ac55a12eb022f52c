"""Sessions and replay protection for a fleet: many servers, one Redis.

Each class stands behind an interface of `glasslock.tls.session` and takes a client of the `redis` package
(or anything that answers like one). What is kept there is as secret as the servers' private keys: whoever
reads it can decrypt resumed connections. Redis itself must be reached over a protected network or TLS.

If Redis does not answer, nothing becomes unsafe: early data is refused and sessions are not resumed. A
handshake waits for the answer, so give the client short limits: `Redis(..., socket_timeout=0.2, retry=None)`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any

from ..errors import ConfigurationError
from ..tls.session import TicketKeys

SECRET_LENGTH = 48  # bytes


class RedisReplayGuard:
    """A `ReplayGuard` for a fleet: a 0-RTT flight is taken once, whichever server sees it first."""

    def __init__(self, client: Any, prefix: str = "glasslock:replay:") -> None:
        self._client = client
        self._prefix = prefix.encode()

    def first_use(self, identifier: bytes, lifetime: float) -> bool:
        """True once per identifier; False when in doubt, which costs a round trip and no safety."""
        with contextlib.suppress(_redis_error()):
            key = self._prefix + identifier
            return bool(self._client.set(key, b"1", nx=True, px=max(1, int(lifetime * 1000))))
        return False


class RedisSessionStore:
    """A `SessionStore` for a fleet: TLS 1.2 sessions by id."""

    def __init__(self, client: Any, prefix: str = "glasslock:session:") -> None:
        self._client = client
        self._prefix = prefix.encode()

    def get(self, session_id: bytes) -> bytes | None:
        with contextlib.suppress(_redis_error()):
            found: bytes | None = self._client.get(self._prefix + session_id)
            return found
        return None

    def put(self, session_id: bytes, content: bytes, lifetime: float) -> None:
        with contextlib.suppress(_redis_error()):
            self._client.set(self._prefix + session_id, content, px=max(1, int(lifetime * 1000)))


def shared_ticket_keys(
    client: Any,
    key: str = "glasslock:ticket-secret",
    *,
    rotation: float = 12 * 3600,
    clock: Callable[[], float] | None = None,
) -> TicketKeys:
    """Ticket keys that every server of the fleet derives alike; the first one to ask makes the secret.

    `rotation` in seconds. ConfigurationError if Redis does not answer or holds something else there.
    """
    try:
        client.set(key, os.urandom(SECRET_LENGTH), nx=True)
        secret = client.get(key)
    except _redis_error() as problem:
        raise ConfigurationError(f"the shared ticket secret cannot be had from Redis: {problem}") from problem
    if not isinstance(secret, bytes) or len(secret) < SECRET_LENGTH:
        raise ConfigurationError(f"the Redis key {key!r} does not hold a ticket secret of {SECRET_LENGTH} bytes")
    return TicketKeys(secret, rotation) if clock is None else TicketKeys(secret, rotation, clock)


def _redis_error() -> type[Exception]:
    from redis.exceptions import RedisError

    return RedisError

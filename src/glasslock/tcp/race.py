"""Happy Eyeballs (RFC 8305) without a socket and without a clock: who is tried when, and what is said.

    addresses   ::1   127.0.0.1   ::2          interleaved by family, the resolver's first choice first
    time        |---delay---|---delay---|      the next one starts after the delay, or at once when one fails
                first to connect wins; the others are closed; one deadline for all

`dial` drives a `Race` with selectors, `dial_async` with asyncio. Both give it the time.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import ConnectFailed
from ..registry import Side
from ..trace import ConnectAttempted, Observer, Outcome
from .resolve import Endpoint

MAX_ATTEMPTS = 32  # a name may list any number of addresses; more than this are not tried
MIN_ATTEMPT_DELAY = 0.01  # seconds; RFC 8305 section 5 forbids less

_RULE = "RFC 8305 section 5"


@dataclass(slots=True)
class Attempt:
    """One address that is being tried, or was."""

    endpoint: Endpoint
    started: float
    seconds: float = 0.0
    error: OSError | None = None


def interleave(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Alternate between the families, beginning with the first one's (RFC 8305 section 4)."""
    queues: dict[int, deque[Endpoint]] = {}
    for endpoint in endpoints:
        queues.setdefault(endpoint.family, deque()).append(endpoint)
    order: list[Endpoint] = []
    while any(queues.values()):
        order.extend(queue.popleft() for queue in queues.values() if queue)
    return order


class Race:
    """Which addresses are waiting, running and done. Times are seconds on the driver's monotonic clock."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        *,
        host: str,
        port: int,
        started: float,
        deadline: float,
        attempt_delay: float,
        observer: Observer | None,
    ) -> None:
        self.running: list[Attempt] = []
        self._waiting = deque(interleave(endpoints)[:MAX_ATTEMPTS])
        self._failed: list[Attempt] = []
        self._host, self._port = host, port
        self._started, self._deadline = started, deadline
        self._delay = max(MIN_ATTEMPT_DELAY, attempt_delay)
        self._next_start = started
        self._observer = observer

    def next_due(self, now: float) -> Attempt | None:
        """Return the attempt that should start now, if any; the driver then opens its socket."""
        if not self._waiting or (self.running and now < self._next_start):
            return None
        attempt = Attempt(self._waiting.popleft(), now)
        self.running.append(attempt)
        self._next_start = now + self._delay
        return attempt

    def patience(self, now: float) -> float:
        """Return how many seconds the driver may wait for its sockets before it must look again."""
        until = min(self._deadline, self._next_start) if self._waiting else self._deadline
        return max(0.0, until - now)

    def failed(self, attempt: Attempt, error: OSError, now: float) -> None:
        """Note a failure; the next address then starts at once."""
        self._end(attempt, now)
        attempt.error = error
        self._failed.append(attempt)
        self._next_start = now
        self._tell(attempt, Outcome.FAILED, reason_of(error))

    def won(self, attempt: Attempt, now: float) -> None:
        """Note the winner; the driver closes the others."""
        self._end(attempt, now)
        self._tell(attempt, Outcome.PASSED)
        self._abandon(now, Outcome.UNKNOWN, f"given up unfinished: {attempt.endpoint.address} answered first")

    def raise_if_over(self, now: float) -> None:
        """Raise ConnectFailed once every address has failed, or time is up for those that have not."""
        if not self._waiting and not self.running:
            codes = {code_of(attempt.error) for attempt in self._failed}
            raise self._failure(next((code for code in _MOST_TELLING if code in codes), "failed"))
        if now >= self._deadline:
            unanswered = tuple(attempt.endpoint.address for attempt in self.running)
            self._abandon(now, Outcome.FAILED, "no answer in time")
            raise self._failure("timeout", unanswered)

    def _end(self, attempt: Attempt, now: float) -> None:
        self.running.remove(attempt)
        attempt.seconds = now - attempt.started

    def _abandon(self, now: float, outcome: Outcome, reason: str) -> None:
        for attempt in tuple(self.running):
            self._end(attempt, now)
            self._tell(attempt, outcome, reason)

    def _tell(self, attempt: Attempt, outcome: Outcome, error: str = "") -> None:
        if self._observer is not None:
            self._observer(
                ConnectAttempted(
                    time=time.time(),
                    side=Side.CLIENT,
                    rule=_RULE,
                    address=attempt.endpoint.address,
                    port=self._port,
                    outcome=outcome,
                    seconds=attempt.seconds,
                    error=error,
                )
            )

    def _failure(self, code: str, unanswered: tuple[str, ...] = ()) -> ConnectFailed:
        tried = [f"{attempt.endpoint.address}: {reason_of(attempt.error)}" for attempt in self._failed]
        tried += [f"{address}: no answer" for address in unanswered]
        what, advice = _WORDS[code]
        where = f"{self._host} port {self._port}"
        waited = self._deadline - self._started
        return ConnectFailed(code, f"{what.format(where=where, waited=waited)} ({'; '.join(tried)}). {advice}")


_MOST_TELLING = ("refused", "timeout", "unreachable")

# What happened, and what to do next. The addresses with each one's reason go between the two.
_WORDS = {
    "refused": (
        "nothing listens at {where}: the connection was refused",
        "Check the port, and that the server runs and listens on this address.",
    ),
    "timeout": (
        "{where} did not answer within {waited:.3g} s",
        "The host may be down, or a firewall drops the packets: check the address, or allow more time.",
    ),
    "unreachable": (
        "there is no way to {where} from here",
        "Check the network connection, the VPN and the address.",
    ),
    "failed": (
        "no connection to {where} could be made",
        "Check the local firewall, sandbox or limits that the reason names.",
    ),
}

_CODES = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.EADDRNOTAVAIL: "unreachable",
    errno.EAFNOSUPPORT: "unreachable",
}


def code_of(error: OSError | None) -> str:
    """Return the ConnectFailed code that an operating system's error stands for."""
    if error is None or error.errno is None:
        return "failed"
    return _CODES.get(error.errno, "failed")


def reason_of(error: OSError | None) -> str:
    """Return the operating system's words for an error, in lower case as the middle of a sentence needs."""
    if error is None:
        return ""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def error_from(number: int) -> OSError:
    """Return the exception for an error number, as connect_ex and SO_ERROR give it."""
    return OSError(number, os.strerror(number))

"""What is measured in memory: the rows of the table. The baseline does the plain form of each."""

from __future__ import annotations

from dataclasses import dataclass

from .peers import BASELINE, PLAIN, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One row. `goal` is the ratio to the baseline that glasslock means to keep below."""

    title: str
    goal: float | None = None
    options: Options = PLAIN
    baseline: Options = PLAIN

    def options_of(self, peer: str) -> Options:
        return self.baseline if peer == BASELINE else self.options


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes(Work):
    """New connections, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk(Work):
    """One direction, `size` bytes a write."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PingPong(Work):
    """Small messages there and back."""


RESUMED = Options(resumed=True)
TWO = Options(intermediates=1)
MUTUAL = Options(client_certificate=True)

WORK: dict[str, Handshakes | Bulk | PingPong] = {
    "full": Handshakes(title="full handshake, chain verified", goal=0.70),
    "remembered": Handshakes(title="the same, chain remembered", goal=0.50, options=Options(remember_chain=True)),
    "hybrid": Handshakes(title="full, with X25519MLKEM768", goal=1.00, options=Options(group="X25519MLKEM768")),
    "chain": Handshakes(title="full, chain of two certificates", options=TWO, baseline=TWO),
    "mutual": Handshakes(title="full, with a client certificate", options=MUTUAL, baseline=MUTUAL),
    "observed": Handshakes(title="full, with an observer", options=Options(observed=True)),
    "resumed": Handshakes(title="resumed handshake", goal=0.50, options=RESUMED, baseline=RESUMED),
    "rejudged": Handshakes(
        title="resumed, chain judged again", options=Options(resumed=True, judge_again=True), baseline=RESUMED
    ),
    "bulk16k": Bulk(title="bulk, 16 KiB a write", goal=0.66, size=1 << 14),
    "bulk1m": Bulk(title="bulk, 1 MiB a write", goal=0.62, size=1 << 20),
    "pingpong": PingPong(title="100-byte ping-pong", goal=1.00),
}

"""What is measured: the rows of the table. The baseline does the plain form of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .peers import BASELINE, MODULES, PLAIN, Options

OURS = "glasslock"
EVERYBODY = tuple(name for name in MODULES if name != BASELINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One row. `goal` is what glasslock means to keep below: a ratio to the baseline, or with `absolute` the value.

    Values are seconds, KiB in a `Memory` row. `rounds` bounds the pairs where one sample takes long.
    """

    title: str
    goal: float | None = None
    absolute: bool = False
    options: Options = PLAIN
    baseline: Options = PLAIN
    baseline_peer: str = BASELINE
    peers: tuple[str, ...] = (OURS,)
    rounds: int | None = None
    module: str = "sample"

    def options_of(self, role: str) -> Options:
        return self.baseline if role == "baseline" else self.options


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshakes(Work):
    """New connections in memory, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk(Work):
    """One direction in memory, `size` bytes a write."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PingPong(Work):
    """Small messages there and back, in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threads(Work):
    """In memory, in two threads of one process at once: new connections, or with a `size` bulk as above.

    The time is that of one piece of work: what passed, divided by what both got done in it.
    """

    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback(Work):
    """Client and server in two processes, over TCP, through a `door`."""

    door: str
    what: Literal["bulk", "connect", "talk"]  # much data, new connections, small messages there and back
    module: str = "loopback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Work):
    """A new connection through asyncio's door while so many others are open and say nothing."""

    open: int
    module: str = "idle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory(Work):
    """What the resident set grows by, for each idle connection and side."""

    module: str = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import(Work):
    """From the start of a process to its end, with nothing done but the import, above one that imports nothing."""

    module: str = "importing"


AnyWork = Handshakes | Bulk | PingPong | Threads | Loopback | Idle | Memory | Import

RESUMED = Options(resumed=True)
TWO = Options(intermediates=1)
MUTUAL = Options(client_certificate=True)
FRESH = Options(fresh=True)
REMEMBER = Options(remember_chain=True)
HYBRID = Options(group="X25519MLKEM768")
OBSERVED = Options(observed=True)
REJUDGED = Options(resumed=True, judge_again=True)
TWICE_IN_THREE = 1 / 1.5  # of the time: 1.5 times the throughput

WORK: dict[str, AnyWork] = {
    "full": Handshakes(title="full handshake, chain verified", goal=0.70, peers=EVERYBODY),
    "remembered": Handshakes(title="full, chain remembered (off by default)", goal=0.50, options=REMEMBER),
    "fresh": Handshakes(title="full, another certificate each time", options=FRESH, baseline=FRESH),
    "hybrid": Handshakes(title="full, with X25519MLKEM768", goal=1.00, options=HYBRID),
    "chain": Handshakes(title="full, chain of two certificates", options=TWO, baseline=TWO, peers=EVERYBODY),
    "mutual": Handshakes(title="full, with a client certificate", options=MUTUAL, baseline=MUTUAL, peers=EVERYBODY),
    "observed": Handshakes(title="full, with an observer", goal=1.50, options=OBSERVED, baseline_peer=OURS),
    "resumed": Handshakes(title="resumed handshake", goal=0.50, options=RESUMED, baseline=RESUMED, peers=EVERYBODY),
    "rejudged": Handshakes(title="resumed, chain judged again", options=REJUDGED, baseline=RESUMED),
    "bulk16k": Bulk(title="bulk, 16 KiB a write", goal=0.66, size=1 << 14, peers=EVERYBODY),
    "bulk1m": Bulk(title="bulk, 1 MiB a write", goal=0.62, size=1 << 20, peers=EVERYBODY),
    "pingpong": PingPong(title="100 bytes there and back", goal=1.00, peers=EVERYBODY),
    "threads-full": Threads(title="full handshake, in two threads at once"),
    "threads-bulk": Threads(title="bulk, 16 KiB a write, in two threads at once", size=1 << 14),
    "bulk-blocking": Loopback(title="TCP, bulk, blocking", goal=TWICE_IN_THREE, door="blocking", what="bulk"),
    "bulk-dropin": Loopback(title="TCP, bulk, in place of ssl", door="drop-in", what="bulk"),
    "bulk-asyncio": Loopback(title="TCP, bulk, asyncio", door="asyncio", what="bulk"),
    "talk-blocking": Loopback(title="TCP, 100 bytes there and back, blocking", door="blocking", what="talk"),
    "talk-dropin": Loopback(title="TCP, 100 bytes there and back, in place of ssl", door="drop-in", what="talk"),
    "connect-blocking": Loopback(title="TCP, new connection, blocking", door="blocking", what="connect"),
    "connect-dropin": Loopback(title="TCP, new connection, in place of ssl", door="drop-in", what="connect"),
    "connect-asyncio": Loopback(title="TCP, new connection, asyncio", door="asyncio", what="connect"),
    "idle10": Idle(title="TCP, new connection beside 10 idle ones", open=10, rounds=3),
    "idle1000": Idle(title="the same beside 1,000", open=1000, rounds=3),
    "idle10000": Idle(title="the same beside 10,000", open=10_000, rounds=2),
    "memory": Memory(title="memory of an idle connection, a side", goal=8, absolute=True, peers=EVERYBODY, rounds=3),
    "import": Import(title="import of the engine", goal=0.060, absolute=True, peers=EVERYBODY, rounds=5),
}

"""One sample in memory, in a process of its own: `python -m bench.sample PEER ROLE WORK FOLDER`, one line of JSON.

The work is repeated for a fixed time; the median of the repetitions is the sample. A sample of glasslock also
measures, in the same process and right after, the floor of the same work.
"""

from __future__ import annotations

import gc
import importlib
import statistics
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from .answer import answer
from .identity import Identity
from .peers import MODULES, Setup, floor
from .work import OURS, WORK, AnyWork, Bulk, Handshakes, PingPong, Threads

WARM_UP = 0.1  # seconds
SECONDS = 0.4  # that one sample lasts, warm-up not included
MOST = 200_000  # repetitions
THREADS = 2


def handshakes(setup: Setup) -> dict[str, float]:
    rounds: list[tuple[float, float]] = []

    def once() -> None:
        rounds.append(setup.connect().handshake())

    _repeat(once, WARM_UP)
    rounds.clear()
    _repeat(once, SECONDS)
    return {
        "value": statistics.median([client + server for client, server in rounds]),
        "client": statistics.median([client for client, _ in rounds]),
        "server": statistics.median([server for _, server in rounds]),
    }


def bulk(setup: Setup, work: Bulk) -> dict[str, float]:
    pair = setup.connect()
    pair.handshake()
    data = bytes(work.size)
    return _timed(lambda times: pair.bulk(data, times), most=max(1, (1 << 20) // work.size))


def ping_pong(setup: Setup) -> dict[str, float]:
    pair = setup.connect()
    pair.handshake()
    return _timed(pair.ping_pong, most=100)


def in_threads(setup: Setup, work: Threads) -> dict[str, float]:
    """Both begin together; each counts what it got done until the time was up."""
    began = threading.Barrier(THREADS)

    def run() -> tuple[float, int, float]:
        once = _piece(setup, work)
        _repeat(once, WARM_UP)
        began.wait(timeout=60)
        start = perf_counter()
        return start, len(_repeat(once, SECONDS)), perf_counter()

    with ThreadPoolExecutor(THREADS) as pool:
        ran = [one.result() for one in [pool.submit(run) for _ in range(THREADS)]]
    starts, counts, ends = zip(*ran, strict=True)
    return {"value": (max(ends) - min(starts)) / sum(counts)}


def _piece(setup: Setup, work: Threads) -> Callable[[], object]:
    if not work.size:
        return lambda: setup.connect().handshake()
    pair = setup.connect()
    pair.handshake()
    data = bytes(work.size)
    return lambda: pair.bulk(data, 1)


def _timed(work: Callable[[int], None], most: int) -> dict[str, float]:
    """Seconds for one of the things that `work` does as often as it is told: `most` at once, fewer if it is slow."""
    start = perf_counter()
    work(1)
    times = most if (perf_counter() - start) * most < SECONDS else 1
    _repeat(lambda: work(times), WARM_UP)
    return {"value": statistics.median(_repeat(lambda: work(times), SECONDS)) / times}


def _repeat(work: Callable[[], object], seconds: float) -> list[float]:
    found: list[float] = []
    end = perf_counter() + seconds
    while len(found) < MOST:
        start = perf_counter()
        work()
        now = perf_counter()
        found.append(now - start)
        if now > end:
            break
    return found


def measure(setup: Setup, work: AnyWork) -> dict[str, float]:
    gc.collect()
    gc.freeze()
    match work:
        case Handshakes():
            return handshakes(setup)
        case Bulk():
            return bulk(setup, work)
        case PingPong():
            return ping_pong(setup)
        case Threads():
            return in_threads(setup, work)
    raise TypeError(f"{work.title} is not measured in memory")


def sample(peer: str, role: str, work_name: str, identity: Identity) -> dict[str, float]:
    work = WORK[work_name]
    module = importlib.import_module(f".peers.{MODULES[peer]}", __package__)
    result = measure(module.Setup(identity, work.options_of(role)), work)
    if peer == OURS:
        result["floor"] = measure(floor.Setup(identity, work.options_of(role)), work)["value"]
    return result


if __name__ == "__main__":
    sys.exit(answer(sample))

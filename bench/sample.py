"""One sample, in a process of its own: `python -m bench.sample PEER WORK FOLDER`, answered by one line of JSON.

The work is repeated for a fixed time; the median of the repetitions is the sample.
"""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

from .identity import Identity
from .peers import MODULES, Setup
from .work import WORK, Bulk, Handshakes, PingPong

WARM_UP = 0.1  # seconds
SECONDS = 0.4  # that one sample lasts, warm-up not included
MOST = 20_000  # repetitions


def handshakes(setup: Setup, _work: Handshakes) -> dict[str, float]:
    rounds: list[tuple[float, float]] = []

    def once() -> None:
        rounds.append(setup.connect().handshake())

    _repeat(once, WARM_UP)
    rounds.clear()
    _repeat(once, SECONDS)
    return {
        "seconds": statistics.median([client + server for client, server in rounds]),
        "client": statistics.median([client for client, _ in rounds]),
        "server": statistics.median([server for _, server in rounds]),
    }


def bulk(setup: Setup, work: Bulk) -> dict[str, float]:
    pair = setup.connect()
    pair.handshake()
    data = bytes(work.size)
    times = max(1, (1 << 20) // work.size)
    return _timed(lambda: pair.bulk(data, times), times)


def ping_pong(setup: Setup, _work: PingPong) -> dict[str, float]:
    pair = setup.connect()
    pair.handshake()
    return _timed(lambda: pair.ping_pong(100), 100)


def _timed(work: Any, times: int) -> dict[str, float]:
    """Seconds for one of the `times` things that `work` does."""
    _repeat(work, WARM_UP)
    return {"seconds": statistics.median(_repeat(work, SECONDS)) / times}


def _repeat(work: Any, seconds: float) -> list[float]:
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


def main(peer: str, work_name: str, folder: str) -> int:
    work = WORK[work_name]
    module = importlib.import_module(f".peers.{MODULES[peer]}", __package__)
    setup = module.Setup(Identity(Path(folder)), work.options_of(peer))
    gc.collect()
    gc.freeze()
    match work:
        case Handshakes():
            result = handshakes(setup, work)
        case Bulk():
            result = bulk(setup, work)
        case PingPong():
            result = ping_pong(setup, work)
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

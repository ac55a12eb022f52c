"""A new connection beside many idle ones: `python -m bench.idle PEER ROLE WORK FOLDER`.

A server and a client, each with one event loop in a process of its own, hold so many open connections that say
nothing. Then the client makes more, one after the other; each sends one byte and ends.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import socket
import statistics
import sys
from resource import RLIMIT_NOFILE, getrlimit, setrlimit
from time import perf_counter
from typing import Any

from .answer import answer, in_child
from .doors import MODULES
from .identity import Identity
from .peers import CannotDo
from .work import WORK, Idle

NEW = 200  # connections that are measured
AT_ONCE = 50  # idle connections that are opened at the same time
SPARE = 200  # descriptors for everything else


def sample(peer: str, _role: str, work_name: str, identity: Identity) -> dict[str, float]:
    """Seconds for one new connection."""
    work = WORK[work_name]
    if not isinstance(work, Idle):
        raise TypeError(f"{work_name} is not measured beside idle connections")
    _, hard = getrlimit(RLIMIT_NOFILE)
    needed = work.open + SPARE
    if hard < needed:
        raise CannotDo(f"{needed} open files are needed, {hard} are allowed")
    setrlimit(RLIMIT_NOFILE, (needed, hard))
    module = importlib.import_module(f".doors.{MODULES['asyncio', peer]}", __package__)
    door = module.Door(identity)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        child = in_child(lambda: asyncio.run(_serve(door, listener)))
        try:
            return {"value": asyncio.run(_visit(door, listener.getsockname()[:2], work.open))}
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


async def _serve(door: Any, listener: socket.socket) -> None:
    """Until it is ended: every connection until its end."""
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    while True:
        accepted, _address = await loop.sock_accept(listener)
        task = asyncio.create_task(door.read_all(accepted))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _visit(door: Any, address: tuple[str, int], number: int) -> float:
    kept = []
    for start in range(0, number, AT_ONCE):
        count = min(AT_ONCE, number - start)
        kept += await asyncio.gather(*(door.open(address) for _ in range(count)))
    seconds = []
    for _ in range(NEW):
        start_time = perf_counter()
        await door.send(address, 1)
        seconds.append(perf_counter() - start_time)
    return statistics.median(seconds) if len(kept) == number else 0.0


if __name__ == "__main__":
    sys.exit(answer(sample))

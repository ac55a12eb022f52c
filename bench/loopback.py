"""One sample over loopback TCP, client and server in two processes: `python -m bench.loopback PEER ROLE WORK FOLDER`.

The first connection is not counted: it loads what is loaded once. Beside the time that passes there is the CPU time
of either side, which says more on a machine with other things to do.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

from .answer import answer, in_child, said_by
from .doors import MODULES
from .identity import Identity
from .work import WORK, Loopback

BULK = 256  # MiB
CONNECTIONS = 200
MESSAGES = 10_000


def sample(peer: str, _role: str, work_name: str, identity: Identity) -> dict[str, float]:
    """Seconds for a MiB, for a new connection with one byte of data, or for a message there and back."""
    work = WORK[work_name]
    if not isinstance(work, Loopback):
        raise TypeError(f"{work_name} is not measured over TCP")
    module = importlib.import_module(f".doors.{MODULES[work.door, peer]}", __package__)
    door = module.Door(identity)
    visit, serve, per = _work(door, work.what)
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        child = in_child(lambda: os.write(writer, json.dumps(_serve(serve, listener)).encode()))
        os.close(writer)
        address = listener.getsockname()[:2]
        visit(address, 1)
        cpu, start = _cpu(), perf_counter()
        visit(address, per)
        client = _cpu() - cpu
        server = said_by(child, reader)
    seconds = perf_counter() - start
    return {"value": seconds / per, "client": client / per, "server": server / per}


def _work(door: Any, what: str) -> tuple[Callable[[Any, int], None], Callable[[socket.socket, int], None], int]:
    """What the client does so often, what the server does meanwhile, and how often that is."""
    if what == "bulk":
        return (
            lambda address, times: door.visit(address, times << 20),
            lambda listener, _: door.serve(listener, 1),
            BULK,
        )
    if what == "talk":
        return door.talk, lambda listener, _: door.echo(listener), MESSAGES
    return lambda address, times: door.visit(address, 1, times), door.serve, CONNECTIONS


def _serve(serve: Callable[[socket.socket, int], None], listener: socket.socket) -> float:
    serve(listener, 1)
    cpu = _cpu()
    serve(listener, CONNECTIONS)
    return _cpu() - cpu


def _cpu() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(answer(sample))

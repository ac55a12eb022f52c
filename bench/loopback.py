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
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

from .answer import answer, in_child, said_by
from .doors import MODULES
from .identity import Identity
from .work import WORK, Loopback

BULK = 256  # MiB
CONNECTIONS = 200


def sample(peer: str, _role: str, work_name: str, identity: Identity) -> dict[str, float]:
    """Seconds for a MiB, or for a new connection with one byte of data."""
    work = WORK[work_name]
    if not isinstance(work, Loopback):
        raise TypeError(f"{work_name} is not measured over TCP")
    module = importlib.import_module(f".doors.{MODULES[work.door, peer]}", __package__)
    door = module.Door(identity)
    connections, size, per = (1, BULK << 20, BULK) if work.bulk else (CONNECTIONS, 1, CONNECTIONS)
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        child = in_child(lambda: os.write(writer, json.dumps(_serve(door, listener, connections)).encode()))
        os.close(writer)
        address = listener.getsockname()[:2]
        door.visit(address, 1)
        cpu, start = _cpu(), perf_counter()
        door.visit(address, size, connections)
        client = _cpu() - cpu
        server = said_by(child, reader)
    seconds = perf_counter() - start
    return {"value": seconds / per, "client": client / per, "server": server / per}


def _serve(door: Any, listener: socket.socket, connections: int) -> float:
    door.serve(listener, 1)
    cpu = _cpu()
    door.serve(listener, connections)
    return _cpu() - cpu


def _cpu() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(answer(sample))

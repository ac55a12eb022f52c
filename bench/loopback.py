"""One sample over loopback TCP, client and server in two processes: `python -m bench.loopback DOOR WORK FOLDER`.

The first connection is not counted: it loads what is loaded once. Beside the time that passes there is the CPU time
of either side, which says more on a machine with other things to do.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

from .doors import MODULES
from .identity import Identity

BULK = 256  # MiB
CONNECTIONS = 200


def main(door_name: str, work: str, folder: str) -> int:
    """`bulk`: seconds for a MiB; `connect`: seconds for a new connection with one byte of data."""
    module = importlib.import_module(f".doors.{MODULES[door_name]}", __package__)
    door = module.Door(Identity(Path(folder)))
    connections, size, per = (1, BULK << 20, BULK) if work == "bulk" else (CONNECTIONS, 1, CONNECTIONS)
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:
        if os.fork() == 0:
            os.write(writer, json.dumps(_serve(door, listener, connections)).encode())
            os._exit(0)
        os.close(writer)
        address = listener.getsockname()[:2]
        door.visit(address, 1)
        cpu, start = _cpu(), perf_counter()
        for _ in range(connections):
            door.visit(address, size)
        client = _cpu() - cpu
        with os.fdopen(reader) as pipe:
            server = json.loads(pipe.read())
    seconds = perf_counter() - start
    print(json.dumps({"seconds": seconds / per, "client": client / per, "server": server / per}))
    return 0


def _serve(door: Any, listener: socket.socket, connections: int) -> float:
    door.serve(listener, 1)
    cpu = _cpu()
    door.serve(listener, connections)
    return _cpu() - cpu


def _cpu() -> float:
    used = getrusage(RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""What an idle connection keeps in memory: `python -m bench.memory PEER ROLE WORK FOLDER`.

Connections are made in memory one after the other, each has its handshake and says 100 bytes both ways; of each only
one side is kept. What the resident set grows by, divided by their number, is what one of them costs.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from pathlib import Path

from .answer import answer, in_child, said_by
from .identity import Identity
from .peers import MODULES, CannotDo, Setup
from .work import WORK

CONNECTIONS = 600
WARM_UP = 50  # connections that fill what is filled once
STATM = Path("/proc/self/statm")


def sample(peer: str, role: str, work_name: str, identity: Identity) -> dict[str, float]:
    """KiB: of the client, of the server, and the mean of both."""
    if not STATM.exists():
        raise CannotDo("the resident set is read from /proc/self/statm, which only Linux has")
    module = importlib.import_module(f".peers.{MODULES[peer]}", __package__)
    setup = module.Setup(identity, WORK[work_name].options_of(role))
    _one(setup, "client")
    client, server = _in_child(setup, "client"), _in_child(setup, "server")
    return {"value": (client + server) / 2, "client": client, "server": server}


def _in_child(setup: Setup, side: str) -> float:
    """Each side in a process of its own, so that neither fills the gaps that the other left."""
    reader, writer = os.pipe()
    child = in_child(lambda: os.write(writer, json.dumps(_growth(setup, side)).encode()))
    os.close(writer)
    return said_by(child, reader)


def _growth(setup: Setup, side: str) -> float:
    kept = [_one(setup, side) for _ in range(WARM_UP)]
    gc.collect()
    before = _resident()
    kept += [_one(setup, side) for _ in range(CONNECTIONS)]
    gc.collect()
    return (_resident() - before) / CONNECTIONS


def _one(setup: Setup, side: str) -> object:
    pair = setup.connect()
    pair.handshake()
    pair.ping_pong(1)
    kept: object = getattr(pair, side)
    return kept


def _resident() -> float:
    """KiB."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1024


if __name__ == "__main__":
    sys.exit(answer(sample))

"""Does the code do more than it did? `python -m bench.guard` counts bytecode instructions: no clock, no noise.

Fixed pieces of work are done with fixed certificates, a clock that stands still, warm caches and a fixed hash seed.
Every instruction that Python executes for them is counted, those of the libraries included, those of the harness
not. The counts are kept in counts.toml. They differ between versions of Python, so each version has its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from . import identity
from .peers import PLAIN, Options, glass, shake_hands

KEPT = Path(__file__).parent / "counts.toml"
TOLERANCE = 0.02  # more than was kept
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
WARM_UP = 3  # times that a work is done before it counts
NOW = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)  # what every clock says
HARNESS = __name__.partition(".")[0]

Counts = dict[str, int]

HEAD = """\
# Bytecode instructions of fixed pieces of work, by version of Python. `make guard` compares, and fails where there are
# more; `python -m bench.guard --update` writes this file (its section of the version that runs).
"""


class Counter:
    """Counts every instruction while it is on, except in the harness itself."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> Counter:
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Callable[..., Any] | None:
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == HARNESS:
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return self._step

    def _step(self, _frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        if event == "opcode":
            self.count += 1
        return self._step

    def read(self) -> float:
        """So far: what a clock is to `shake_hands`."""
        return float(self.count)


def count() -> Counts:
    """Every work of the guard, counted now."""
    with tempfile.TemporaryDirectory() as folder:
        ours = identity.create(Path(folder), now=NOW)
        gc.collect()
        gc.disable()
        try:
            return {
                **_handshake("full", ours, PLAIN),
                **_handshake("resumed", ours, Options(resumed=True)),
                **_handshake("observed", ours, Options(observed=True)),
                "bulk": _data(ours, lambda pair: pair.bulk(bytes(1 << 20), 1)),
                "ping-pong": _data(ours, lambda pair: pair.ping_pong(10)),
            }
        finally:
            gc.enable()


def _handshake(name: str, ours: identity.Identity, options: Options) -> Counts:
    setup = glass.Setup(ours, options, clock=NOW.timestamp)
    for _ in range(WARM_UP):
        setup.connect().handshake()
    pair, counter = setup.connect(), Counter()
    with counter:
        _, _, client, server = shake_hands(pair.new_client, pair.new_server, clock=counter.read)
    return {f"{name}-client": int(client), f"{name}-server": int(server)}


def _data(ours: identity.Identity, work: Callable[[glass.Pair], None]) -> int:
    pair, counter = glass.Setup(ours, PLAIN, clock=NOW.timestamp).connect(), Counter()
    pair.handshake()
    for _ in range(WARM_UP):
        work(pair)
    with counter:
        work(pair)
    return counter.count


def judge(found: Counts, kept: Counts) -> tuple[list[str], bool]:
    """A line for each work, and whether all is well: nothing takes more than was kept, and nothing is missing."""
    lines, well = [], found.keys() == kept.keys()
    for name in sorted(found.keys() | kept.keys()):
        if name not in found or name not in kept:
            lines.append(f"{name:16} {'not kept yet' if name in found else 'kept, but not counted any more'}")
            continue
        change = found[name] / kept[name] - 1
        verdict = ""
        if found[name] > kept[name] * (1 + TOLERANCE):
            verdict, well = f"  MORE than {TOLERANCE:.0%} more: what got slower?", False
        elif change < -TOLERANCE:
            verdict = "  less: keep that with --update"
        lines.append(f"{name:16} {found[name]:8,} kept {kept[name]:8,} {change:+7.2%}{verdict}")
    return lines, well


def read(path: Path) -> dict[str, Counts]:
    """The counts that are kept, by version of Python."""
    versions: dict[str, Counts] = tomllib.loads(path.read_text())["python"] if path.exists() else {}
    return versions


def write(path: Path, versions: dict[str, Counts]) -> None:
    sections = [
        "\n".join([f'\n[python."{version}"]', *(f"{name} = {number}" for name, number in counts.items())])
        for version, counts in sorted(versions.items())
    ]
    path.write_text(HEAD + "\n".join(sections) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--update", action="store_true", help="keep what is counted now")
    parser.add_argument("--counts", type=Path, default=KEPT, help="the file of counts")
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # it can be set only before Python starts
        again = [sys.executable, "-m", __spec__.name, *sys.argv[1:]]
        return subprocess.run(again, env=os.environ | {"PYTHONHASHSEED": "0"}, check=False).returncode
    versions = read(arguments.counts)
    if not arguments.update and VERSION not in versions:
        print(f"SKIP guard: counts are kept for Python {', '.join(versions) or '(none)'}, and this is {VERSION}")
        return 0
    found = count()
    if arguments.update:
        write(arguments.counts, versions | {VERSION: found})
        print(f"kept for Python {VERSION}: {arguments.counts}")
        return 0
    lines, well = judge(found, versions[VERSION])
    print("\n".join(lines))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())

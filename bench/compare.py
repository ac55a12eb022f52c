"""Runs samples in pairs, baseline and peer in turn, each in a fresh process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .peers import BASELINE

HERE = Path(__file__).parent
TIMEOUT = 300  # seconds for one sample


class SampleFailed(Exception):
    """A sample ended with an error; the text is its last line."""


@dataclass(slots=True)
class Ratios:
    """All pairs of one peer and one work: the same key of both samples, divided."""

    pairs: list[tuple[dict[str, float], dict[str, float]]] = field(default_factory=list)

    def of(self, key: str = "seconds") -> list[float]:
        return sorted(peer[key] / baseline[key] for baseline, peer in self.pairs)

    def median(self, key: str = "seconds") -> float:
        return statistics.median(self.of(key))

    def spread(self, key: str = "seconds") -> tuple[float, float]:
        """The tenth and the ninetieth percentile."""
        found = self.of(key)
        last = len(found) - 1
        return found[round(last * 0.1)], found[round(last * 0.9)]

    def seconds(self, which: int, key: str = "seconds") -> float:
        """The median of what was measured itself: 0 of the baseline, 1 of the peer."""
        return statistics.median([pair[which][key] for pair in self.pairs])


def sample(peer: str, work: str, folder: Path, module: str = "sample") -> dict[str, float]:
    """One process."""
    environment = os.environ | {"OPENSSL_CONF": str(HERE / "openssl.cnf"), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", f"bench.{module}", peer, work, str(folder)]
    done = subprocess.run(
        command, cwd=HERE.parent, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    if done.returncode:
        raise SampleFailed((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    result: dict[str, float] = json.loads(done.stdout)
    return result


def pairs(peers: Iterable[str], work: str, folder: Path, rounds: int) -> tuple[dict[str, Ratios], dict[str, str]]:
    """`rounds` times baseline, peer, baseline, next peer...; and why those are missing that are."""
    found: dict[str, Ratios] = {}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for peer in peers:
            if peer in failed:
                continue
            baseline = sample(BASELINE, work, folder)
            try:
                measured = sample(peer, work, folder)
            except SampleFailed as problem:
                failed[peer] = str(problem)
                continue
            found.setdefault(peer, Ratios()).pairs.append((baseline, measured))
    return found, failed

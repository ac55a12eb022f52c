"""Runs samples in pairs, baseline and peer in turn, each in a fresh process."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from .answer import CANNOT
from .work import OURS, WORK, AnyWork

HERE = Path(__file__).parent
TIMEOUT = 300  # seconds for one sample
PATIENCE = 12  # seconds spent on one peer other than glasslock, after which no more pairs begin

Sample = dict[str, float]


class SampleFailed(Exception):
    """A sample ended with an error; the text is its last line."""


class NotToBeHad(SampleFailed):
    """A peer is not installed, or cannot do this work."""


@dataclass(slots=True)
class Pairs:
    """All pairs of one peer and one work: the same key of both samples, divided."""

    pairs: list[tuple[Sample, Sample]] = field(default_factory=list)

    def ratios(self, key: str = "value") -> list[float]:
        return sorted(peer[key] / baseline[key] for baseline, peer in self.pairs)

    def ratio(self, key: str = "value") -> float:
        """The median."""
        return statistics.median(self.ratios(key))

    def spread(self, key: str = "value") -> tuple[float, float]:
        """The tenth and the ninetieth percentile of the ratios."""
        found = self.ratios(key)
        last = len(found) - 1
        return found[round(last * 0.1)], found[round(last * 0.9)]

    def baseline(self, key: str = "value") -> float:
        """The median of what was measured itself."""
        return statistics.median([baseline[key] for baseline, _ in self.pairs])

    def peer(self, key: str = "value") -> float:
        """The same of the peer."""
        return statistics.median([peer[key] for _, peer in self.pairs])

    def floor(self) -> float | None:
        """The primitives alone, as a ratio to the baseline; they are measured in the peer's process."""
        if "floor" not in self.pairs[0][1]:
            return None
        return statistics.median([peer["floor"] / baseline["value"] for baseline, peer in self.pairs])


@dataclass(slots=True)
class Row:
    """What was found for one work: pairs by peer, and why some have none."""

    name: str
    work: AnyWork
    found: dict[str, Pairs] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def sample(peer: str, role: str, name: str, folder: Path) -> Sample:
    """One process."""
    environment = os.environ | {"OPENSSL_CONF": str(HERE / "openssl.cnf"), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", f"bench.{WORK[name].module}", peer, role, name, str(folder)]
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as problem:
        raise SampleFailed(f"took more than {TIMEOUT} seconds") from problem
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise (NotToBeHad if done.returncode == CANNOT else SampleFailed)(why)
    result: Sample = json.loads(done.stdout)
    return result


def compare(name: str, peers: list[str], folder: Path, rounds: int, others: int) -> Row:
    """`rounds` times baseline, glasslock, baseline, next peer...; `others` times for the other peers."""
    work = WORK[name]
    row = Row(name, work)
    spent = dict.fromkeys(peers, 0.0)
    most = min(rounds, work.rounds or rounds)
    for number in range(most):
        for peer in work.peers:
            if peer not in peers or peer in row.skipped or peer in row.failed:
                continue
            if peer != OURS and (number >= others or spent[peer] > PATIENCE):
                continue
            begun = monotonic()
            try:
                pair = sample(work.baseline_peer, "baseline", name, folder), sample(peer, "peer", name, folder)
            except NotToBeHad as problem:
                row.skipped[peer] = str(problem)
            except SampleFailed as problem:
                row.failed[peer] = str(problem)
            else:
                row.found.setdefault(peer, Pairs()).pairs.append(pair)
            spent[peer] += monotonic() - begun
    return row

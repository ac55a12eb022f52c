"""The guard against doing more than before: it counts the same twice, and fails when there is more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import guard

ROOT = Path(__file__).parents[2]


def run(*arguments: str, seed: str = "random") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.guard", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Counted now, with whatever Python this is."""
    file = tmp_path_factory.mktemp("guard") / "counts.toml"
    done = run("--update", "--counts", str(file))
    assert done.returncode == 0, done.stderr
    return file


def test_it_counts_the_same_in_another_process_with_another_hash_seed(kept: Path) -> None:
    again = kept.with_name("again.toml")
    assert run("--update", "--counts", str(again), seed="77").returncode == 0
    assert again.read_text() == kept.read_text()
    works = guard.read(kept)[guard.VERSION]
    assert {"full-client", "full-server", "resumed-client", "resumed-server", "bulk", "ping-pong"} <= works.keys()
    assert min(works.values()) > 100


def test_code_that_does_more_is_named(kept: Path, tmp_path: Path) -> None:
    doctored = tmp_path / "counts.toml"
    counts = guard.read(kept)[guard.VERSION]
    guard.write(doctored, {guard.VERSION: counts | {"bulk": int(counts["bulk"] / 1.03)}})
    done = run("--counts", str(doctored))
    assert done.returncode == 1
    slower = [line for line in done.stdout.splitlines() if "MORE" in line]
    assert len(slower) == 1
    assert slower[0].startswith("bulk ")


def test_another_version_of_python_is_skipped_by_name(tmp_path: Path) -> None:
    file = tmp_path / "counts.toml"
    guard.write(file, {"2.7": {"bulk": 1}})
    done = run("--counts", str(file))
    assert done.returncode == 0
    assert done.stdout == f"SKIP guard: counts are kept for Python 2.7, and this is {guard.VERSION}\n"


@pytest.mark.parametrize(
    ("found", "well", "words"),
    [
        ({"bulk": 1020}, True, "+2.00%"),
        ({"bulk": 1021}, False, "MORE"),
        ({"bulk": 900}, True, "--update"),
        ({"bulk": 1000, "new": 5}, False, "not kept yet"),
        ({}, False, "not counted any more"),
    ],
)
def test_what_is_tolerated(found: guard.Counts, well: bool, words: str) -> None:
    lines, judged = guard.judge(found, {"bulk": 1000})
    assert judged is well
    assert words in "\n".join(lines)


def test_the_counts_of_other_versions_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "counts.toml"
    guard.write(file, {"3.99": {"bulk": 7}, "3.11": {"bulk": 8, "ping-pong": 9}})
    assert guard.read(file) == {"3.99": {"bulk": 7}, "3.11": {"bulk": 8, "ping-pong": 9}}

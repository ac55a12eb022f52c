"""What decides whether a run of tlsfuzzer is as expected."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from .known import Known, Result

HERE = Path(__file__).parent
OUTPUT = """\
sanity ...
OK

old suite ...
Error while processing
AssertionError: Unexpected message from peer: Alert(fatal, handshake_failure)

"again" repeat 0...
OK

"again" repeat 1...
Error while processing
AssertionError: Timeout when waiting for peer message
"""


def known(**changes: Any) -> Known:
    entry = {
        "id": "suites",
        "runs": ["test-a.py*"],
        "conversations": ["old .*"],
        "says": ["handshake_failure"],
        "times": 1,
        "because": "-",
    }
    left_out = [{"scripts": ["test-c-*.py"], "because": "-"}]
    return Known({"failure": [entry | changes], "left_out": left_out})


def result(*failed: str, run: str = "test-a.py -d") -> Result:
    return Result("server", run, failed=list(failed), output=OUTPUT)


def read(status: int, *names: str, **counts: int) -> Result:
    """What comes of a script's last lines."""
    numbers = {"PASS": 5, "XFAIL": 0, "FAIL": len(names), "XPASS": 0} | counts
    summary = [f"{name}: {number}" for name, number in numbers.items()] + ["====="]
    read = Result("server", "test-a.py")
    read.read("\n".join([*summary, "FAILED:", *(f"\t{name!r}" for name in names), ""]), status)
    return read


def test_the_last_lines_of_a_script() -> None:
    fine, failed = read(0), read(1, "old suite", "it's")
    assert (fine.passed, fine.failed, fine.problem) == (5, [], "")
    assert (failed.passed, failed.failed, failed.problem) == (5, ["old suite", "it's"], "")
    assert read(0, XFAIL=3).passed == 8


@pytest.mark.parametrize(
    ("ended", "problem"),
    [
        (read(1, XPASS=1), "1 conversations passed that must fail"),
        (read(1, "old suite", FAIL=2), "2 conversations failed, but 1 are named"),
        (read(1), "it ended with status 1"),
        (read(0, "old suite"), "it ended with status 0"),
    ],
)
def test_an_end_that_does_not_fit(ended: Result, problem: str) -> None:
    assert ended.problem == problem


def test_a_script_that_breaks_off() -> None:
    broken = result()
    broken.read("Traceback (most recent call last):\nValueError: no key\n", 1)
    assert broken.problem == "ValueError: no key"
    broken.read("", 0)
    assert broken.problem == "no output"


def test_a_failure_that_is_explained() -> None:
    assert known().surprises(result("old suite")) == []


@pytest.mark.parametrize(
    "changes",
    [{"runs": ["test-b.py"]}, {"conversations": ["old"]}, {"says": ["protocol_version"]}],
)
def test_a_failure_of_another_script_name_or_kind_is_a_surprise(changes: dict[str, Any]) -> None:
    assert known(**changes).surprises(result("old suite")) == ["old suite"]


def test_each_repetition_counts() -> None:
    timeouts = known(conversations=["again"], says=["Timeout"])
    assert timeouts.surprises(result("again", "again")) == []
    assert known(conversations=["again"]).surprises(result("again")) == ["again"]


def test_a_name_of_which_the_output_says_nothing_is_a_surprise() -> None:
    assert known().surprises(result("old one")) == ["old one"]


def test_a_problem_is_a_surprise() -> None:
    broken = result()
    broken.problem = "the server said: ValueError"
    assert known().surprises(broken) == ["the server said: ValueError"]


def test_a_reason_explains_as_many_failures_as_it_says() -> None:
    assert known().miscounted([result("old suite")]) == []
    assert known().miscounted([result("again")]) == ["suites: 0 times, not 1"]
    assert known().miscounted([result("old suite"), result("old suite")]) == ["suites: 2 times, not 1"]
    assert known(sometimes=True).miscounted([]) == []


def test_each_script_is_run_or_left_out() -> None:
    scripts = ["test-a.py", "test-b.py", "test-c-1.py"]
    assert known().unmentioned(scripts, {"test-a.py", "test-b.py"}) == []
    assert known().unmentioned(scripts, {"test-a.py", "test-c-1.py"}) == ["test-b.py", "test-c-1.py"]


def test_the_reasons_are_about_runs_that_there_are() -> None:
    table = tomllib.loads((HERE / "expected.toml").read_text())
    servers = tomllib.loads((HERE / "runs.toml").read_text())["server"]
    runs = [run for server in servers for run in server["runs"]]
    for entry in table["failure"]:
        for glob in entry["runs"]:
            assert any(fnmatchcase(run, glob) for run in runs), glob
        for pattern in entry["conversations"]:
            re.compile(pattern)
        assert entry.get("times", 0) > 0 or entry["sometimes"]
        assert entry["because"]
        assert entry["says"]

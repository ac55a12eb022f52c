"""What is known to fail, and why; what came of a run; and where the two differ."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any


@dataclass
class Result:
    """What one script found."""

    server: str
    run: str
    passed: int = 0
    failed: list[str] = field(default_factory=list)  # conversations, as often as they failed
    seconds: float = 0.0
    problem: str = ""  # of the script or the server as a whole
    output: str = ""

    def read(self, output: str, status: int) -> None:
        """Takes what the script printed, and how it ended."""
        self.output = output
        counts = {name: int(n) for name, n in re.findall(r"^(PASS|XFAIL|FAIL|XPASS): (\d+)$", output, re.MULTILINE)}
        if not counts:
            self.problem = (output.strip().splitlines() or ["no output"])[-1]
            return
        # XFAIL: test-sslv2-connection.py tries SSL 2.0 and says itself that this must fail.
        self.passed = counts["PASS"] + counts["XFAIL"]
        _, _, failures = output.partition("\nFAILED:\n")
        self.failed = [ast.literal_eval(line.strip()) for line in failures.splitlines() if line.startswith("\t")]
        if counts["XPASS"]:
            self.problem = f"{counts['XPASS']} conversations passed that must fail"
        elif counts["FAIL"] != len(self.failed):
            self.problem = f"{counts['FAIL']} conversations failed, but {len(self.failed)} are named"
        elif bool(status) != bool(self.failed):
            self.problem = f"it ended with status {status}"

    @cached_property
    def told(self) -> dict[str, list[str]]:
        """What the script printed each time that a conversation failed."""
        found: dict[str, list[str]] = {}
        blocks = re.split(r"^(.+\.\.\.)$", self.output, flags=re.MULTILINE)
        for title, text in zip(blocks[1::2], blocks[2::2], strict=True):
            name = re.fullmatch(r'"?(.*?)"?( repeat \d+)? ?\.\.\.', title)
            if name is not None and "Error while processing" in text:
                found.setdefault(name[1], []).append(text)
        return found


class Known:
    """The failures that are expected, each with its reason."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.entries: list[dict[str, Any]] = table["failure"]
        self.left_out: list[dict[str, Any]] = table["left_out"]

    def reason(self, result: Result, conversation: str) -> dict[str, Any] | None:
        """The entry that explains why a conversation failed; None if it failed in another way, or nobody knows."""
        told = result.told.get(conversation)
        for entry in self.entries:
            if (
                any(fnmatchcase(result.run, glob) for glob in entry["runs"])
                and any(re.fullmatch(pattern, conversation) for pattern in entry["conversations"])
                and told
                and all(any(words in text for words in entry["says"]) for text in told)
            ):
                return entry
        return None

    def surprises(self, result: Result) -> list[str]:
        """What failed without a known reason, and a run that did not end as it should."""
        found = [name for name in dict.fromkeys(result.failed) if self.reason(result, name) is None]
        return found + ([result.problem] if result.problem else [])

    def explained(self, entry: dict[str, Any], results: list[Result]) -> int:
        """How many failures an entry explains."""
        return sum(self.reason(r, name) is entry for r in results for name in r.failed)

    def miscounted(self, results: list[Result]) -> list[str]:
        """Entries that explain more or fewer failures of a whole run than they should: a pattern may be too wide."""
        counts = {entry["id"]: self.explained(entry, results) for entry in self.entries if not entry.get("sometimes")}
        wanted = {entry["id"]: entry.get("times") for entry in self.entries}
        return [f"{name}: {n} times, not {wanted[name]}" for name, n in counts.items() if n != wanted[name]]

    def unmentioned(self, scripts: list[str], used: set[str]) -> list[str]:
        """Scripts that are neither run nor left out for a reason, or both."""
        globs = [glob for entry in self.left_out for glob in entry["scripts"]]
        return [name for name in scripts if (name in used) == any(fnmatchcase(name, glob) for glob in globs)]

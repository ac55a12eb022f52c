"""The traces of RFC 8448, step by step, as `tests/vectors/rfc8448` holds them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "vectors" / "rfc8448"
NAMES = ("simple-1rtt", "resumed-0rtt", "hello-retry-request", "client-authentication", "compatibility-mode")


@dataclass(frozen=True)
class Step:
    """What one side does, with the values that the RFC prints."""

    who: str
    what: str
    values: dict[str, bytes]


class Trace:
    """One handshake of the RFC."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = steps

    def find(self, pattern: str, who: str = ".*") -> list[dict[str, bytes]]:
        """The values of all steps that match, those left out as `same as …` excluded."""
        return [
            step.values
            for step in self.steps
            if step.values and re.fullmatch(who, step.who) and re.match(pattern, step.what)
        ]

    def message(self, name: str, who: str = ".*", occurrence: int = 0) -> bytes:
        return self.find(f"construct an? {name} ", who)[occurrence][name]

    def messages(self) -> list[tuple[str, bytes]]:
        return [next(iter(values.items())) for values in self.find("construct")]

    def records(self, who: str, kind: str = ".*") -> list[bytes]:
        return [values["complete record"] for values in self.find(f"send {kind} record", who)]

    def private_keys(self, who: str) -> list[bytes]:
        return [values["private key"] for values in self.find("create an ephemeral", who)]


@cache
def trace(name: str) -> Trace:
    text = json.loads((FOLDER / f"{name}.json").read_text())
    assert text["origin"].startswith("RFC 8448 section")
    return Trace(
        [
            Step(step["who"], step["what"], {key: bytes.fromhex(value) for key, value in step["values"].items()})
            for step in text["steps"]
        ]
    )

"""docs/trust.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from glasslock.trust import EXIT_CODES, Kind
from glasslock.trust.checks import CHECKS, constraints
from glasslock.trust.decide import MOST_RECEIVED
from glasslock.trust.lifetimes import LIFETIMES
from glasslock.trust.paths import MOST_PATHS, MOST_SIGNATURES
from glasslock.trust.text import TEXT_LIMIT
from glasslock.trust.verdict import ALERTS
from glasslock.trust.wording import CODES, FATAL_CODES

TEXT = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading."""
    below = TEXT.partition(f"\n## {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert table is not None
    return [[cell.strip(" `") for cell in line.strip("|\n").split("|")] for line in table.group().splitlines()[2:]]


def test_verdicts() -> None:
    expected = []
    for kind in Kind:
        code = CODES.get(kind, "")
        alert = ALERTS[kind].name.lower() if kind in ALERTS else ""
        proceed = "" if kind is Kind.TRUSTED else "no" if code in FATAL_CODES else "yes"
        expected.append([kind.value, code, alert, str(EXIT_CODES[kind]), proceed])
    assert rows("Verdicts") == expected


def test_checks() -> None:
    named = {row[0] for row in rows("Checks")}
    functions = {check.__name__.removeprefix("check_").replace("_", " ") for check in CHECKS}
    assert named == (functions - {"key", "anchor"}) | {"chain", "key strength", "trust anchor"}


def test_numbers() -> None:
    for since, days in LIFETIMES:
        assert f"{since:%Y-%m-%d}" in TEXT
        assert re.search(rf"\b{days}\b", TEXT)
    for number in (MOST_RECEIVED, MOST_SIGNATURES, MOST_PATHS, TEXT_LIMIT, constraints.MOST_COMPARISONS):
        assert f"{number:,}" in TEXT.partition("## Bounds")[2]

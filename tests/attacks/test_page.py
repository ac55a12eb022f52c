"""docs/attacks.md stays true: each attack has tests that exist and run, or says why it has none."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
NAME = re.compile(r"`(tests/[\w/]+\.py::(?:Test\w+::)?test_\w+)`")


def rows() -> list[list[str]]:
    """The cells of every attack."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] not in ("attack", "---") and not row[0].startswith("---")]


def named() -> list[str]:
    return [name for *_, tests in rows() for name in NAME.findall(tests)]


def test_each_attack_has_tests_or_a_reason() -> None:
    assert len(rows()) > 120
    for row in rows():
        assert len(row) == 4, row
        assert all(row), row
        *_, tests = row
        if tests.startswith("none: "):
            assert not NAME.findall(tests), row
        else:
            assert NAME.sub("", tests).replace("<br>", "") == "", row


def test_no_attack_stands_there_twice() -> None:
    attacks = [attack for attack, *_ in rows()]
    assert sorted(set(attacks)) == sorted(attacks)


def test_every_test_that_is_named_is_one() -> None:
    """The module can be imported, and what is named is there to be called."""
    assert len(set(named())) > 200
    for name in named():
        path, *names = name.split("::")
        found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
        for part in names:
            found = getattr(found, part, None)
        assert callable(found), name


def test_every_attack_that_is_mounted_is_on_the_page() -> None:
    written = set()
    for path in [*Path(__file__).parent.glob("test_*.py"), ROOT / "tests" / "https" / "test_attacks.py"]:
        if path.name != Path(__file__).name:
            source = path.read_text(encoding="utf-8")
            place = path.relative_to(ROOT).as_posix()
            written |= {f"{place}::{name}" for name in re.findall(r"^def (test_\w+)", source, re.MULTILINE)}
    assert len(written) > 80
    assert sorted(written - set(named())) == []

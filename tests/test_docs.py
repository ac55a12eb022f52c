"""What the documents say of the tests is true: each test that they name exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# In rfc9846.md, short: `test_order::test_x` or `wire/test_messages::test_x`, below tests/tls.
SHORT = re.compile(r"`((?:[\w-]+/)*test_\w+)::(test_\w+)`")
# Elsewhere as pytest has it: `tests/tls/test_order.py::test_x`, or the file alone.
LONG = re.compile(r"`(tests/[\w/-]+\.py)(?:::((?:Test\w+::)?test_\w+))?`")


@cache
def functions(path: Path) -> frozenset[str]:
    if not path.exists():
        return frozenset()
    return frozenset(names_in(ast.parse(path.read_text()).body))


def names_in(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{name}" for name in names_in(node.body))


def named_tests() -> list[tuple[str, Path, str]]:
    """Document, file of tests and name of the test (often none), for everything that the documents name."""
    rules = (ROOT / "docs/rfc9846.md").read_text()
    found = [("rfc9846.md", ROOT / "tests/tls" / f"{stem}.py", name) for stem, name in SHORT.findall(rules)]
    for document in sorted((ROOT / "docs").glob("*.md")):
        found += [(document.name, ROOT / path, name) for path, name in LONG.findall(document.read_text())]
    return found


def test_every_named_test_exists() -> None:
    assert {document for document, *_ in named_tests()} >= {"rfc9846.md", "attacks.md"}
    missing = [
        f"{document}: {path.relative_to(ROOT)} {name}"
        for document, path, name in named_tests()
        if not path.exists() or (name and name not in functions(path))
    ]
    assert missing == []


def test_no_name_of_a_test_is_written_so_that_nobody_looks_for_it() -> None:
    for document in sorted((ROOT / "docs").glob("*.md")):
        text = document.read_text()
        odd = [name for name in re.findall(r"`(tests/[^`]*\.py[^`]*)`", text) if not LONG.fullmatch(f"`{name}`")]
        assert odd == [], document.name


def test_the_rules_of_rfc_9846_are_in_order_and_have_tests() -> None:
    rows = re.findall(
        r"^\| ([\dA-F][\d.]*) \| (.*?) \| (.*?) \|$", (ROOT / "docs/rfc9846.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 150
    sections = [
        [int(part) if part.isdigit() else 100 + ord(part) for part in section.split(".")] for section, *_ in rows
    ]
    assert sections == sorted(sections)
    assert [rule for _, rule, tests in rows if not SHORT.search(tests)] == []

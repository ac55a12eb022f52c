"""The rules of the house that a machine can check: locks, direction of imports, sizes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = {"dev": ["tool", "server", "compression", "redis", "dev"], "interop": ["interop"], "bench": ["bench"]}

# Extras are named where they are meant: pip takes `x[y]` for something else than a pinned `x`.
NAME = re.compile(r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9, -]+\])?")


def locked_requirements(lock: str) -> list[str]:
    """Each requirement of a lock on one line, its hashes included, comments left out."""
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text()
    options = [line for line in locked_requirements(lock) if line.startswith("-")]
    assert options == []
    assert re.findall(r"\S*://\S*|file:\S*|\S* @ \S*|(?<![\w.-])/\S+", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_pins_and_hashes_everything(lock: str) -> None:
    requirements = locked_requirements(lock)
    assert requirements
    pin = re.compile(rf"{NAME.pattern}==[^\s;]+( ; [^=].*?)?( +--hash=sha256:[0-9a-f]{{64}})+ *")
    assert [line for line in requirements if not pin.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_satisfies_the_project(lock: str) -> None:
    pins = {}
    for line in locked_requirements(lock):
        name, _, rest = line.partition("==")
        pins[canonicalize_name(name.partition("[")[0])] = rest.split()[0]
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = PROJECT["project"]["dependencies"] + [text for extra in LOCKS[lock] for text in extras[extra]]
    for text in wanted:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_run_one_way() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("tls", "from glasslock import trust", "Imports run one way"),
        ("trust", "from glasslock import tls", "Imports run one way"),
        ("views", "from glasslock.tls import record", "Imports run one way"),
        ("tls", "import socket", "The engine does no input or output"),
        ("trust", "import httpx", "The core needs none of the extras"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path: Path, module: str, statement: str, contract: str) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "src" / "glasslock" / module / "wrong.py").write_text(f"{statement}\n")
    result = lint_imports(tmp_path)
    assert result.returncode == 1
    assert re.search(rf"{contract}.* BROKEN", result.stdout), result.stdout


def test_files_stay_small() -> None:
    lines = {path: path.read_text().count("\n") for path in (ROOT / "src").rglob("*.py")}
    assert lines
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > 600} == {}

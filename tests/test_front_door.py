"""`import glasslock`: light, honest about what it has."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

import glasslock


def test_version_is_that_of_the_distribution() -> None:
    assert glasslock.__version__ == metadata.version("glasslock")


def test_unknown_name_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'glasslock' has no attribute 'padlok'"):
        _ = glasslock.padlok


def test_a_name_is_imported_at_first_use_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(glasslock._HOMES, "AlertDescription", "glasslock.registry")
    assert "AlertDescription" in dir(glasslock)
    from glasslock.registry import AlertDescription

    assert glasslock.AlertDescription is AlertDescription
    assert vars(glasslock).pop("AlertDescription") is AlertDescription


def test_every_public_name_has_a_home() -> None:
    for name in glasslock._HOMES:
        assert getattr(glasslock, name) is not None


def test_import_brings_in_nothing_of_weight() -> None:
    code = "import sys; before = {*sys.modules}; import glasslock; print(*{*sys.modules} - before)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = run.stdout.split()
    assert [name for name in imported if name.startswith("glasslock")] == ["glasslock"]
    assert {"cryptography", "asyncio", "ssl", "http"}.isdisjoint(imported)

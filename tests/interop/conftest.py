"""Real peers: run by `make interop`, left alone by every other run of the tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .roster import PEERS, Present, Tournament, look_around

_PRESENT = pytest.StashKey[Present]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Asking the peers what they can do takes a second or two: not when they are not wanted."""
    return True if collection_path.is_file() and config.option.markexpr == "not interop" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "cell" in metafunc.fixturenames:
        metafunc.parametrize("cell", _present(metafunc.config).cells, ids=str)
    if "peer_name" in metafunc.fixturenames:
        metafunc.parametrize("peer_name", [peer.name for peer in PEERS])


@pytest.fixture(scope="session")
def present(pytestconfig: pytest.Config) -> Present:
    return _present(pytestconfig)


@pytest.fixture(scope="session")
def tournament(request: pytest.FixtureRequest) -> Iterator[Tournament]:
    """All selected cells, running in the background."""
    cells = [parameters["cell"] for parameters in map(_parameters, request.session.items) if "cell" in parameters]
    with Tournament(cells) as tournament:
        yield tournament


def _parameters(item: pytest.Item) -> dict[str, Any]:
    return item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}


def _present(config: pytest.Config) -> Present:
    if _PRESENT not in config.stash:
        config.stash[_PRESENT] = look_around()
    return config.stash[_PRESENT]

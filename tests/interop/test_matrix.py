"""Every cell of the matrix as a test. `python -m tests.interop.matrix` prints the same as tables."""

from __future__ import annotations

import pytest

from .cells import Cell
from .roster import Present, Tournament

# A test waits for its cell, which may be behind many others; each cell has time limits of its own.
pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]


def test_peer_is_here(peer_name: str, present: Present) -> None:
    if peer_name in present.absent:
        pytest.skip(f"{peer_name}: {present.absent[peer_name]}")
    assert any(cell.peer == peer_name for cell in present.cells)


def test_cell(cell: Cell, tournament: Tournament) -> None:
    problem = tournament.outcome(cell)
    if problem:
        pytest.fail(problem, pytrace=False)

"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glasslock.errors import ConfigurationError
from glasslock.https.saving import whole_file


def test_it_gets_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    with whole_file(target) as file:
        file.write(b"all of it")
        assert not target.exists()
    assert target.read_bytes() == b"all of it"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, ValueError])
def test_an_interruption_leaves_nothing(interruption: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    with pytest.raises(interruption), whole_file(target) as file:  # noqa: PT012 - the block is what is interrupted
        file.write(b"half of it")
        file.flush()
        raise interruption
    assert list(tmp_path.iterdir()) == []


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), whole_file(target) as file:  # noqa: PT012
        file.write(b"new")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    with whole_file(target) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_rights_are_those_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "a") as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_where_no_file_can_be(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere" / "file"):
        with pytest.raises(ConfigurationError), whole_file(place):
            pass


def test_a_very_long_name(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 250)
    with whole_file(target) as file:
        file.write(b"x")
    assert target.read_bytes() == b"x"

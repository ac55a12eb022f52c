"""The benchmark's own arithmetic, and what it does about peers that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.compare import Pairs, Row
from bench.work import OURS, WORK

from bench import compare, identity, report


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("identity")
    identity.create(place)
    return place


def pairs(*values: tuple[float, float]) -> Pairs:
    return Pairs([({"value": baseline}, {"value": peer, "floor": 1.0}) for baseline, peer in values])


def test_the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_medians() -> None:
    found = pairs((2.0, 1.0), (10.0, 20.0), (4.0, 4.0))
    assert found.ratio() == 1.0
    assert found.spread() == (0.5, 2.0)
    assert found.baseline() == 4.0
    assert found.floor() == 0.25


def test_a_sample_of_ours_has_both_sides_and_the_floor(folder: Path) -> None:
    found = compare.sample(OURS, "peer", "full", folder)
    assert found["floor"] < found["value"]
    assert 0 < found["client"] < found["value"]


def test_what_a_peer_cannot_do_is_said_by_name(folder: Path) -> None:
    with pytest.raises(compare.NotToBeHad, match="remember_chain"):
        compare.sample("ssl", "peer", "remembered", folder)


def test_a_sample_that_breaks_is_a_failure_and_not_a_skip(tmp_path: Path) -> None:
    with pytest.raises(compare.SampleFailed) as caught:
        compare.sample(OURS, "peer", "full", tmp_path)  # there are no certificates here
    assert not isinstance(caught.value, compare.NotToBeHad)


def test_ours_goes_first_and_others_are_asked_less(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked: list[tuple[str, str]] = []

    def sample(peer: str, role: str, _name: str, _folder: Path) -> compare.Sample:
        asked.append((peer, role))
        if peer == "siotls":
            raise compare.NotToBeHad("not installed: siotls")
        return {"value": 1.0}

    monkeypatch.setattr(compare, "sample", sample)
    row = compare.compare("full", [OURS, "pyrtls", "siotls"], folder, rounds=3, others=2)
    assert asked[:2] == [("ssl", "baseline"), (OURS, "peer")]
    assert [len(row.found[peer].pairs) for peer in (OURS, "pyrtls")] == [3, 2]
    assert row.skipped == {"siotls": "not installed: siotls"}
    assert "SKIP not installed: siotls" in "\n".join(report.lines(row))


def test_a_goal_that_was_missed_is_told_in_the_table() -> None:
    good, bad = (
        Row("full", WORK["full"], {OURS: pairs((1.0, 0.6))}),
        Row("full", WORK["full"], {OURS: pairs((1.0, 0.8))}),
    )
    assert "missed" not in report.document([good])
    assert "≤ 0.70 (missed)" in report.document([bad])
    assert f"- Goals missed: {WORK['full'].title}." in report.document([bad])


def test_who_is_better_is_told_in_words() -> None:
    row = Row("full", WORK["full"], {OURS: pairs((1.0, 1.1)), "pyrtls": pairs((1.0, 0.5)), "siotls": pairs((1.0, 2.0))})
    text = report.document([row])
    assert f"- Behind `ssl`: {row.work.title}." in text
    assert f"- Behind pyrtls: {row.work.title}." in text
    assert "Behind siotls" not in text


def test_only_what_is_between_the_markers_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write(page, [Row("full", WORK["full"], {OURS: pairs((1.0, 0.5))})])
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "**0.50**" in text
    page.write_text("no place")
    with pytest.raises(ValueError, match="no place for the tables"):
        report.write(page, [])


def test_memory_is_counted_by_side(folder: Path) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("the resident set is read from /proc/self/statm, which only Linux has")
    found = compare.sample(OURS, "peer", "memory", folder)
    assert 1 < found["client"] < 100
    assert 1 < found["server"] < 100

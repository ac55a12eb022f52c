"""The record of what was issued."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from glasslock.authority import Authority
from glasslock.errors import ConfigurationError

from .conftest import Clock


def test_everything_issued_is_listed_oldest_first(place: Path, clock: Clock) -> None:
    authority = Authority.open_or_create(place, clock=clock)
    assert authority.history().issued == ()
    first = authority.issue(["localhost", "::1"])
    clock.moment += dt.timedelta(days=1)
    second = authority.issue_client("Ann", email="ann@example.test", key_type="ed25519")
    issued = Authority.open(place).history().issued
    assert [(one.kind, one.names, one.key_type, one.time, one.certificate) for one in issued] == [
        ("server", ("localhost", "::1"), "ecdsa-p256", "2026-11-24T12:00:00Z", first.certificate),
        ("client", ("Ann", "ann@example.test"), "ed25519", "2026-11-25T12:00:00Z", second.certificate),
    ]
    assert [one.serial for one in issued] == [
        first.certificate.serial_number,
        second.certificate.serial_number,
    ]


def test_in_memory_too(clock: Clock) -> None:
    authority = Authority.ephemeral(clock=clock)
    certificate = authority.issue("localhost").certificate
    assert [one.certificate for one in authority.history().issued] == [certificate]


def test_status(clock: Clock) -> None:
    authority = Authority.ephemeral(clock=clock)
    authority.issue("localhost", days=10)
    (issued,) = authority.history().issued
    hour, day = dt.timedelta(hours=1), dt.timedelta(days=1)
    assert issued.status(clock.moment) == "valid"
    assert issued.status(clock.moment - 2 * hour) == "not yet valid"
    assert issued.status(clock.moment + 11 * day) == "expired"
    assert issued.status(issued.certificate.not_valid_after_utc) == "valid"


def test_the_file_is_json_lines(place: Path) -> None:
    authority = Authority.open_or_create(place)
    certificate = authority.issue("bücher.test").certificate
    (line,) = (place / "issued.jsonl").read_text().splitlines()
    event = json.loads(line)
    assert event["event"] == "issued"
    assert event["names"] == ["xn--bcher-kva.test"]
    assert int(event["serial"], 16) == certificate.serial_number


def test_a_line_that_was_cut_off_is_reported_and_hides_nothing(place: Path) -> None:
    authority = Authority.open_or_create(place)
    records = place / "issued.jsonl"
    authority.issue("one.test")
    whole = records.read_bytes()
    records.write_bytes(whole + whole[: len(whole) // 2])  # as after a power cut
    authority.issue("two.test")
    history = authority.history()
    assert [one.names for one in history.issued] == [("one.test",), ("two.test",)]
    assert history.damaged_lines == (2,)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "null",
        '{"event": "issued"}',
        '{"no": "event"}',
        '"issued"',
        '{"event":"issued","time":"","kind":"server","names":["a"],"key_type":"","certificate":"AAAA"}',
        '{"event":"issued","time":"","kind":"server","names":["a"],"key_type":"","certificate":"%%"}',
        '{"event":"issued","time":"","kind":"server","names":3,"key_type":"","certificate":""}',
    ],
)
def test_damage_is_counted(place: Path, line: str) -> None:
    authority = Authority.open_or_create(place)
    (place / "issued.jsonl").write_text(f"\n{line}\n")
    assert authority.history().damaged_lines == (2,)
    assert authority.history().issued == ()


def test_events_of_later_versions_are_not_damage(place: Path) -> None:
    authority = Authority.open_or_create(place)
    (place / "issued.jsonl").write_text('{"event": "revoked", "serial": "1"}\n')
    assert authority.history().damaged_lines == ()


def test_what_cannot_be_recorded_is_not_issued(place: Path) -> None:
    authority = Authority.open_or_create(place)
    (place / "issued.jsonl").unlink()
    (place / "issued.jsonl").mkdir()
    with pytest.raises(ConfigurationError, match="cannot write to"):
        authority.issue("localhost")
    with pytest.raises(ConfigurationError, match="cannot read"):
        authority.history()


def test_a_missing_file_is_an_empty_record(place: Path) -> None:
    authority = Authority.open_or_create(place)
    (place / "issued.jsonl").unlink()
    assert authority.history().issued == ()
    authority.issue("localhost")
    assert len(authority.history().issued) == 1


def test_a_disk_that_takes_half_a_line(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority.open_or_create(place)
    real = Path.open

    class Short:
        def __init__(self, file: object) -> None:
            self._file = file

        def __enter__(self) -> Short:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()  # type: ignore[attr-defined]

        def tell(self) -> int:
            return 0

        def write(self, data: bytes) -> int:
            return len(data) // 2

    monkeypatch.setattr(Path, "open", lambda *args, **options: Short(real(*args, **options)))
    with pytest.raises(ConfigurationError, match="No space left"):
        authority.issue("localhost")

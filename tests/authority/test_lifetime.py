"""The calendar of the Baseline Requirements, to the second."""

from __future__ import annotations

import datetime as dt

import pytest

from glasslock.authority import Authority, longest_days
from glasslock.authority.lifetime import validity
from glasslock.errors import ConfigurationError

from .conftest import Clock


def _utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("2018-03-01T00:00:00", 825),
        ("2020-08-31T23:59:59", 825),
        ("2020-09-01T00:00:00", 398),
        ("2026-03-14T23:59:59", 398),
        ("2026-03-15T00:00:00", 200),
        ("2027-03-14T23:59:59", 200),
        ("2027-03-15T00:00:00", 100),
        ("2029-03-14T23:59:59", 100),
        ("2029-03-15T00:00:00", 47),
        ("2040-01-01T00:00:00", 47),
    ],
)
def test_the_calendar(moment: str, days: int) -> None:
    assert longest_days(_utc(moment)) == days


def test_the_calendar_goes_by_utc() -> None:
    tokyo = dt.timezone(dt.timedelta(hours=9))
    assert longest_days(dt.datetime(2027, 3, 15, 8, 0, tzinfo=tokyo)) == 200  # 23:00 of the day before
    assert longest_days(dt.datetime(2027, 3, 15, 9, 0, tzinfo=tokyo)) == 100


@pytest.mark.parametrize("days", [1, 47, 90, 199, 200])
def test_both_ends_count_and_no_second_is_too_many(days: int) -> None:
    not_before, not_after = validity(_utc("2026-11-24T12:00:00.123456"), days)
    assert not_before.microsecond == 0
    inclusive = (not_after - not_before).total_seconds() + 1
    assert inclusive == days * 86_400


def test_too_long_and_too_short() -> None:
    with pytest.raises(ConfigurationError, match=r"allow 200 days .* issued on 2026-11-24"):
        validity(_utc("2026-11-24T12:00:00"), 201)
    with pytest.raises(ConfigurationError, match="at least 1"):
        validity(_utc("2026-11-24T12:00:00"), 0)


def test_the_limit_of_today_holds_although_notbefore_is_yesterday(clock: Clock) -> None:
    """Half an hour after a limit came into force, a backdated certificate must already keep to it."""
    clock.moment = _utc("2027-03-15T00:30:00")
    authority = Authority.ephemeral(clock=clock)
    with pytest.raises(ConfigurationError, match="allow 100 days"):
        authority.issue("localhost", days=101)
    issued = authority.issue("localhost", days=100).certificate
    assert issued.not_valid_before_utc < _utc("2027-03-15T00:00:00")


def test_valid_at_once_even_for_a_clock_that_is_late(clock: Clock) -> None:
    issued = Authority.ephemeral(clock=clock).issue("localhost")
    assert issued.certificate.not_valid_before_utc == clock.moment - dt.timedelta(hours=1)


def test_no_certificate_outlives_or_predates_its_issuer(clock: Clock) -> None:
    authority = Authority.ephemeral(clock=clock)
    end = authority.root.not_valid_after_utc
    assert authority.intermediate.not_valid_after_utc == end
    first = authority.issue("localhost").certificate
    assert first.not_valid_before_utc >= authority.intermediate.not_valid_before_utc
    clock.moment = end - dt.timedelta(days=10)
    assert authority.issue("localhost", days=40).certificate.not_valid_after_utc == end
    clock.moment = end + dt.timedelta(seconds=1)
    with pytest.raises(ConfigurationError, match="this authority expired on"):
        authority.issue("localhost", days=40)

"""The race itself, with a clock that only the test moves."""

from __future__ import annotations

import errno
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import ConnectFailed
from glasslock.tcp.race import MAX_ATTEMPTS, Race, code_of, error_from, interleave
from glasslock.tcp.resolve import Endpoint
from glasslock.trace import ConnectAttempted, Outcome, TraceRecord


def _v6(last: int) -> Endpoint:
    return Endpoint(socket.AF_INET6, (f"2001:db8::{last:x}", 443, 0, 0))


def _v4(last: int) -> Endpoint:
    return Endpoint(socket.AF_INET, (f"192.0.2.{last}", 443))


def _race(*endpoints: Endpoint, observer: list[TraceRecord] | None = None, delay: float = 0.25) -> Race:
    return Race(
        endpoints,
        host="example.test",
        port=443,
        started=100.0,
        deadline=110.0,
        attempt_delay=delay,
        observer=None if observer is None else observer.append,
    )


def test_families_alternate_from_the_resolvers_first() -> None:
    assert interleave([_v6(1), _v6(2), _v6(3), _v4(1), _v4(2)]) == [_v6(1), _v4(1), _v6(2), _v4(2), _v6(3)]
    assert interleave([_v4(1), _v4(2), _v6(1)]) == [_v4(1), _v6(1), _v4(2)]
    assert interleave([]) == []


@given(st.lists(st.builds(lambda six, last: _v6(last) if six else _v4(last), st.booleans(), st.integers(0, 255))))
def test_interleaving_loses_and_reorders_nothing_within_a_family(endpoints: list[Endpoint]) -> None:
    order = interleave(endpoints)
    for family in (socket.AF_INET, socket.AF_INET6):
        assert [e for e in order if e.family == family] == [e for e in endpoints if e.family == family]


def test_attempts_start_one_delay_apart() -> None:
    race = _race(_v6(1), _v4(1), _v6(2))
    first = race.next_due(100.0)
    assert first is not None
    assert first.endpoint == _v6(1)
    assert race.next_due(100.1) is None
    assert race.patience(100.1) == pytest.approx(0.15)
    second = race.next_due(100.25)
    assert second is not None
    assert second.endpoint == _v4(1)
    assert race.next_due(100.26) is None
    third = race.next_due(100.5)
    assert third is not None
    assert third.endpoint == _v6(2)
    assert race.next_due(101.0) is None
    assert race.patience(101.0) == pytest.approx(9.0)  # nothing waits: until the deadline
    assert race.running == [first, second, third]


def test_a_failure_starts_the_next_at_once() -> None:
    race = _race(_v6(1), _v4(1))
    first = race.next_due(100.0)
    assert first is not None
    race.failed(first, error_from(errno.ECONNREFUSED), 100.05)
    assert race.patience(100.05) == 0
    second = race.next_due(100.05)
    assert second is not None
    assert second.endpoint == _v4(1)


def test_the_delay_is_never_shorter_than_the_rfc_allows() -> None:
    race = _race(_v6(1), _v4(1), delay=0)
    assert race.next_due(100.0)
    assert race.next_due(100.009) is None
    assert race.next_due(100.01)


def test_the_winner_ends_the_others() -> None:
    story: list[TraceRecord] = []
    race = _race(_v6(1), _v4(1), observer=story)
    first, second = race.next_due(100.0), race.next_due(100.25)
    assert first
    assert second
    race.won(second, 100.3)
    assert race.running == []
    won, lost = story
    assert isinstance(won, ConnectAttempted)
    assert isinstance(lost, ConnectAttempted)
    assert (won.address, won.outcome, won.seconds) == ("192.0.2.1", Outcome.PASSED, pytest.approx(0.05))
    assert (lost.address, lost.outcome, lost.seconds) == ("2001:db8::1", Outcome.UNKNOWN, pytest.approx(0.3))
    assert lost.error


def test_a_name_with_countless_addresses_is_tried_a_bounded_number_of_times() -> None:
    race = _race(*(_v4(last) for last in range(200)))
    tried = 0
    while (attempt := race.next_due(100.0)) is not None:
        tried += 1
        race.failed(attempt, error_from(errno.ECONNREFUSED), 100.0)
    assert tried == MAX_ATTEMPTS
    with pytest.raises(ConnectFailed):
        race.raise_if_over(100.0)


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ([errno.ENETUNREACH, errno.ECONNREFUSED], "refused"),
        ([errno.ENETUNREACH, errno.ETIMEDOUT], "timeout"),
        ([errno.ENETUNREACH, errno.EHOSTUNREACH], "unreachable"),
        ([errno.EADDRNOTAVAIL, errno.EACCES], "unreachable"),
        ([errno.EACCES, errno.EACCES], "failed"),
    ],
)
def test_the_most_telling_failure_decides(numbers: list[int], code: str) -> None:
    race = _race(_v6(1), _v4(1))
    for number in numbers:
        attempt = race.next_due(100.0)
        assert attempt
        race.raise_if_over(100.0)  # not over yet
        race.failed(attempt, error_from(number), 100.0)
    with pytest.raises(ConnectFailed) as caught:
        race.raise_if_over(100.0)
    assert caught.value.code == code
    assert "2001:db8::1: " in caught.value.message
    assert "192.0.2.1: " in caught.value.message


def test_an_error_without_a_number_is_just_a_failure() -> None:
    assert code_of(OSError("something odd")) == "failed"

"""Dialling, blocking and on asyncio: each case is run through both."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glasslock.errors import ConfigurationError, ConnectFailed
from glasslock.tcp import dial, dial_async
from glasslock.tcp.dial import _Plan
from glasslock.trace import ConnectAttempted, NameResolved, Outcome, TcpConnected, TraceRecord

from .conftest import Listeners, needs_ipv6

Dial = Callable[..., socket.socket]


def _dial_with_asyncio(*args: Any, **options: Any) -> socket.socket:
    return asyncio.run(dial_async(*args, **options), debug=True)


@pytest.fixture(params=[dial, _dial_with_asyncio], ids=["blocking", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Dial:
    function: Dial = request.param
    return function


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_connects_and_tells_the_story(connect: Dial, listeners: Listeners, story: list[TraceRecord]) -> None:
    listener = listeners.listening()
    before = time.time()
    with connect("127.0.0.1", _port(listener), observer=story.append) as connection:
        accepted, peer = listener.accept()
        with accepted:
            assert connection.getsockname() == peer
            accepted.sendall(b"hello")
            connection.settimeout(5)
            assert connection.recv(5) == b"hello"
    resolved, attempted, connected = story
    assert isinstance(resolved, NameResolved)
    assert (resolved.host, resolved.addresses, resolved.error) == ("127.0.0.1", ("127.0.0.1",), "")
    assert isinstance(attempted, ConnectAttempted)
    assert attempted.outcome is Outcome.PASSED
    assert (attempted.address, attempted.port) == ("127.0.0.1", _port(listener))
    assert isinstance(connected, TcpConnected)
    assert connected.local == peer
    assert connected.remote == listener.getsockname()
    assert 0 < connected.seconds == attempted.seconds < 1
    assert before <= resolved.time <= attempted.time <= connected.time <= time.time()


def test_blocking_socket_blocks_and_async_socket_does_not(listeners: Listeners) -> None:
    port = _port(listeners.listening())
    with dial("127.0.0.1", port) as connection:
        assert connection.gettimeout() is None
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    with _dial_with_asyncio("127.0.0.1", port) as connection:
        assert connection.gettimeout() == 0
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_async_socket_suits_asyncio_streams(listeners: Listeners) -> None:
    listener = listeners.listening()

    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection(sock=await dial_async("localhost", _port(listener)))
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(b"over streams")
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
        return data

    assert asyncio.run(talk()) == b"over streams"


def test_refused(connect: Dial, listeners: Listeners, story: list[TraceRecord]) -> None:
    port = listeners.closed_port()
    with pytest.raises(ConnectFailed, match=f"nothing listens at 127.0.0.1 port {port}") as caught:
        connect("127.0.0.1", port, observer=story.append)
    assert caught.value.code == "refused"
    assert "Check the port" in caught.value.message
    (attempt,) = [record for record in story if isinstance(record, ConnectAttempted)]
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "connection refused")


def test_whether_somebody_is_told_changes_no_failure(connect: Dial, listeners: Listeners) -> None:
    for port, timeout in ((listeners.closed_port(), 5.0), (_port(listeners.silent()), 0.2)):
        started = time.monotonic()
        with pytest.raises(ConnectFailed) as told:
            connect("127.0.0.1", port, timeout=timeout, observer=lambda _: None)
        with pytest.raises(ConnectFailed) as untold:
            connect("127.0.0.1", port, timeout=timeout)
        assert (untold.value.code, untold.value.message) == (told.value.code, told.value.message)
        assert time.monotonic() - started < 2


def test_a_host_that_does_not_answer_costs_the_timeout_and_no_more(
    connect: Dial, listeners: Listeners, story: list[TraceRecord]
) -> None:
    port = _port(listeners.silent())
    started = time.monotonic()
    with pytest.raises(ConnectFailed, match=r"did not answer within 0\.4 s") as caught:
        connect("127.0.0.1", port, timeout=0.4, observer=story.append)
    assert 0.35 < time.monotonic() - started < 2
    assert caught.value.code == "timeout"
    (attempt,) = [record for record in story if isinstance(record, ConnectAttempted)]
    assert (attempt.outcome, attempt.error) == (Outcome.FAILED, "no answer in time")
    assert attempt.seconds == pytest.approx(0.4, abs=0.3)


@needs_ipv6
def test_a_dead_family_costs_only_the_attempt_delay(
    connect: Dial, listeners: Listeners, story: list[TraceRecord], names: Callable[..., None]
) -> None:
    dead = listeners.silent("::1")
    alive = listeners.listening("127.0.0.1", _port(dead))
    names("both.test", "::1", "127.0.0.1")
    started = time.monotonic()
    with connect("both.test", _port(alive), attempt_delay=0.2, observer=story.append) as connection:
        assert connection.family == socket.AF_INET
    assert 0.2 <= time.monotonic() - started < 1.5
    assert {record.address: record.outcome for record in story if isinstance(record, ConnectAttempted)} == {
        "127.0.0.1": Outcome.PASSED,
        "::1": Outcome.UNKNOWN,
    }
    (loser,) = [r for r in story if isinstance(r, ConnectAttempted) and r.outcome is Outcome.UNKNOWN]
    assert loser.error == "given up unfinished: 127.0.0.1 answered first"


@needs_ipv6
def test_a_refusing_family_costs_nothing(connect: Dial, listeners: Listeners) -> None:
    alive = listeners.listening("127.0.0.1")
    started = time.monotonic()
    with connect("localhost", _port(alive), attempt_delay=5) as connection:
        assert connection.family == socket.AF_INET
    assert time.monotonic() - started < 2


@needs_ipv6
def test_a_slow_address_may_still_win_while_later_ones_fail(
    connect: Dial, listeners: Listeners, names: Callable[..., None]
) -> None:
    """The first attempt stays in the race after its head start is over: here until its SYN is sent again."""
    listener = listeners.silent("::1")
    names("slow.test", "::1", "127.0.0.1")
    accepted: list[socket.socket] = []
    done = threading.Event()

    def make_room() -> None:
        time.sleep(0.3)
        listener.settimeout(0.05)
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                accepted.append(listener.accept()[0])

    helper = threading.Thread(target=make_room)
    helper.start()
    try:
        with connect("slow.test", _port(listener), attempt_delay=0.05, timeout=20) as connection:
            assert connection.family == socket.AF_INET6
    finally:
        done.set()
        helper.join()
        for one in accepted:
            one.close()


def test_every_failure_is_named_and_the_most_telling_decides(
    connect: Dial, listeners: Listeners, names: Callable[..., None]
) -> None:
    port = listeners.closed_port("127.0.0.1")
    names("three.test", "127.0.0.1", "127.0.0.2", "127.0.0.3")
    with pytest.raises(ConnectFailed) as caught:
        connect("three.test", port)
    assert caught.value.code == "refused"
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        assert f"{address}: connection refused" in caught.value.message


def test_some_refused_and_some_silent_at_the_deadline_is_a_timeout(
    connect: Dial, listeners: Listeners, names: Callable[..., None]
) -> None:
    port = _port(listeners.silent("127.0.0.1"))
    names("mixed.test", "127.0.0.2", "127.0.0.1")
    with pytest.raises(ConnectFailed, match=r"127\.0\.0\.2: connection refused; 127\.0\.0\.1: no answer") as caught:
        connect("mixed.test", port, timeout=0.3)
    assert caught.value.code == "timeout"


def test_unknown_name(connect: Dial, story: list[TraceRecord], names: Callable[..., None]) -> None:
    names("known.test", "127.0.0.1")
    with pytest.raises(ConnectFailed, match=r"there is no address for the name unknown\.test") as caught:
        connect("unknown.test", 443, observer=story.append)
    assert caught.value.code == "name-not-found"
    (resolved,) = story
    assert isinstance(resolved, NameResolved)
    assert resolved.addresses == ()
    assert resolved.error == caught.value.message


def test_a_hanging_resolver_does_not_hang_us(
    connect: Dial, monkeypatch: pytest.MonkeyPatch, story: list[TraceRecord]
) -> None:
    release = threading.Event()

    def getaddrinfo(*_: object, **__: object) -> list[object]:
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    started = time.monotonic()
    try:
        with pytest.raises(ConnectFailed, match=r"looking up slow.test took longer than 0\.3 s") as caught:
            connect("slow.test", 443, timeout=0.3, observer=story.append)
        assert time.monotonic() - started < 2
    finally:
        release.set()
    assert caught.value.code == "timeout"
    (resolved,) = story
    assert isinstance(resolved, NameResolved)
    assert resolved.seconds == pytest.approx(0.3, abs=0.3)


def test_lookup_and_attempts_share_one_deadline(
    connect: Dial, listeners: Listeners, names: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = _port(listeners.silent())
    names("late.test", "127.0.0.1")
    quick = socket.getaddrinfo

    def slow(*args: Any, **options: Any) -> Any:
        time.sleep(0.7)
        return quick(*args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with pytest.raises(ConnectFailed, match="did not answer"):
        connect("late.test", port, timeout=1)
    assert 0.95 < time.monotonic() - started < 1.6


def test_source_address(connect: Dial, listeners: Listeners) -> None:
    port = _port(listeners.listening("127.0.0.1"))
    with connect("127.0.0.1", port, source="127.0.0.9") as connection:
        assert connection.getsockname()[0] == "127.0.0.9"


def test_source_of_the_other_family(connect: Dial) -> None:
    with pytest.raises(ConnectFailed, match="no IPv6 address") as caught:
        connect("127.0.0.1", 443, source="::1")
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"port": 0}, "not a TCP port"),
        ({"port": 65_536}, "not a TCP port"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"attempt_delay": -1}, "attempt delay"),
        ({"source": "everywhere"}, "not an IP address"),
        ({"source": "203.0.113.1"}, "address of this computer"),
    ],
)
def test_what_cannot_be_is_refused(connect: Dial, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        connect("127.0.0.1", **{"port": 443, **options})


def test_a_socket_connected_to_itself_is_a_refusal(
    connect: Dial, listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bind our end to the very port that we dial: the kernel completes a simultaneous open."""
    port = listeners.closed_port("127.0.0.1")
    monkeypatch.setattr(_Plan, "open", _open_bound_to("127.0.0.2", port))
    with pytest.raises(ConnectFailed) as caught:
        connect("127.0.0.2", port)
    assert caught.value.code == "refused"


def _open_bound_to(address: str, port: int) -> Callable[..., socket.socket]:
    def open_bound(*_: object) -> socket.socket:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        connection.bind((address, port))
        return connection

    return open_bound


def test_out_of_file_descriptors_is_said(connect: Dial, listeners: Listeners, monkeypatch: pytest.MonkeyPatch) -> None:
    port = _port(listeners.listening())

    def open_none(*_: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(_Plan, "open", open_none)
    with pytest.raises(ConnectFailed, match="too many open files") as caught:
        connect("127.0.0.1", port)
    assert caught.value.code == "failed"


def test_an_observer_that_fails_leaves_no_socket_behind(connect: Dial, listeners: Listeners) -> None:
    listener = listeners.listening()

    class Broken(Exception):
        pass

    def observer(record: TraceRecord) -> None:
        if isinstance(record, TcpConnected):
            raise Broken

    with pytest.raises(Broken):
        connect("127.0.0.1", _port(listener), observer=observer)
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(5)
        assert accepted.recv(1) == b""


def test_cancelling_closes_everything(listeners: Listeners) -> None:
    port = _port(listeners.silent())
    gc.collect()  # whatever an earlier test left open
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0

    async def give_up() -> None:
        async with asyncio.timeout(0.2):
            await dial_async("127.0.0.1", port, timeout=30)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    if sys.platform == "linux":
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_without_a_network_a_host_is_unreachable() -> None:
    """In a network namespace whose loopback is down, every connection is ENETUNREACH."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare (util-linux) here")
    command = [unshare, "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("network namespaces are not permitted here")
    program = (
        "from glasslock.tcp import dial\n"
        "from glasslock.errors import ConnectFailed\n"
        "try: dial('127.0.0.1', 443, timeout=5)\n"
        "except ConnectFailed as error: print(error.code, error)\n"
    )
    done = subprocess.run(
        [*command, sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.stdout.startswith("unreachable there is no way to 127.0.0.1 port 443 from here")
    assert "network is unreachable" in done.stdout

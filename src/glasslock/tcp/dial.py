"""Reach a host: resolve its name, race its addresses, and say how it went.

`dial` blocks, `dial_async` does not; both take the same arguments, tell the same story and raise the same
exceptions. What is tried when is decided in `race.py`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ConfigurationError, ConnectFailed
from ..registry import Side
from ..trace import NameResolved, Observer, TcpConnected
from .capture import HandshakeCapture
from .kernel import endpoint_of, tcp_info
from .race import Attempt, Race, error_from
from .resolve import Endpoint, Resolution, resolve, resolve_async

MAX_TIMEOUT = 86_400.0  # seconds
_SOON = 0.001  # seconds: 0 would mean that a socket must not wait at all

_UNDER_WAY = frozenset({0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EINTR})


def dial(
    host: str,
    port: int,
    *,
    timeout: float = 15.0,
    attempt_delay: float = 0.25,
    observer: Observer | None = None,
    source: str | None = None,
) -> socket.socket:
    """Connect to a host, by name or address, and return a blocking socket (TCP_NODELAY set, no timeout).

    `timeout` in seconds limits everything: the lookup and all attempts. `attempt_delay` is the head start in
    seconds that each address has over the next (RFC 8305 section 5). `source` is the address of this computer
    to connect from. An observer is told NameResolved, one ConnectAttempted per address, and TcpConnected with
    what the kernel knows, and with the packets themselves where capturing them is permitted.

    Raises ConnectFailed (`name-not-found`, `refused`, `unreachable`, `timeout`, `failed`), and
    ConfigurationError for a port, timeout or source that cannot be.
    """
    plan = _plan(host, port, timeout, attempt_delay, observer, source)
    try:
        resolution = resolve(host, port, plan.deadline)
    except ConnectFailed as failure:
        plan.tell_unresolved(failure)
        raise
    if observer is None and source is None and len(resolution.endpoints) == 1:
        return _dial_alone(plan, resolution)
    race = plan.race(resolution)
    with plan.capture() as capture:
        connection, attempt = _run(race, plan)
        with _closed_on_error(connection):
            for pause in plan.collect(capture, connection):
                time.sleep(pause)
            plan.tell_connected(capture, connection, attempt)
            connection.setblocking(True)
    return connection


async def dial_async(
    host: str,
    port: int,
    *,
    timeout: float = 15.0,  # noqa: ASYNC109 - when it is reached, the message names it
    attempt_delay: float = 0.25,
    observer: Observer | None = None,
    source: str | None = None,
) -> socket.socket:
    """Do what `dial` does, on asyncio; the socket does not block, and suits `create_connection(sock=…)`."""
    plan = _plan(host, port, timeout, attempt_delay, observer, source)
    try:
        resolution = await resolve_async(host, port, plan.deadline)
    except ConnectFailed as failure:
        plan.tell_unresolved(failure)
        raise
    race = plan.race(resolution)
    with plan.capture() as capture:
        connection, attempt = await _run_async(race, plan)
        with _closed_on_error(connection):
            for pause in plan.collect(capture, connection):
                await asyncio.sleep(pause)
            plan.tell_connected(capture, connection, attempt)
    return connection


@dataclass(frozen=True, slots=True)
class _Plan:
    """What was asked for, and the parts of carrying it out that do not wait."""

    host: str
    port: int
    started: float
    deadline: float
    attempt_delay: float
    observer: Observer | None
    source: ipaddress.IPv4Address | ipaddress.IPv6Address | None

    def tell_unresolved(self, failure: ConnectFailed) -> None:
        self._tell_resolved(Resolution((), time.monotonic() - self.started), failure.message)

    def race(self, resolution: Resolution) -> Race:
        self._tell_resolved(resolution)
        endpoints = resolution.endpoints
        if self.source is not None:
            family = socket.AF_INET if self.source.version == 4 else socket.AF_INET6
            endpoints = tuple(endpoint for endpoint in endpoints if endpoint.family == family)
            if not endpoints:
                raise ConnectFailed(
                    "unreachable",
                    f"{self.host} has no IPv{self.source.version} address, so it cannot be reached from "
                    f"{self.source}. Choose a source address of the other kind, or none.",
                )
        return Race(
            endpoints,
            host=self.host,
            port=self.port,
            started=self.started,
            deadline=self.deadline,
            attempt_delay=self.attempt_delay,
            observer=self.observer,
        )

    def open(self, endpoint: Endpoint) -> socket.socket:
        """Open the socket for an attempt; raises OSError, or ConfigurationError if `source` is not ours."""
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.source is not None:
                self._bind(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bind(self, connection: socket.socket) -> None:
        try:
            connection.bind((str(self.source), 0))
        except OSError as error:
            raise ConfigurationError(
                f"cannot connect from {self.source}: {error.strerror}. The source must be an address of this computer."
            ) from None

    def capture(self) -> contextlib.AbstractContextManager[HandshakeCapture | None]:
        return HandshakeCapture(self.port) if self.observer is not None else contextlib.nullcontext()

    def collect(self, capture: HandshakeCapture | None, connection: socket.socket) -> Iterator[float]:
        if capture is not None:
            yield from capture.collect(*_endpoints(connection))

    def tell_connected(self, capture: HandshakeCapture | None, connection: socket.socket, attempt: Attempt) -> None:
        if self.observer is None or capture is None:
            return
        local, remote = _endpoints(connection)
        info, unknown = tcp_info(connection)
        self.observer(
            TcpConnected(
                time=time.time(),
                side=Side.CLIENT,
                rule="RFC 9293 section 3.5",
                local=local,
                remote=remote,
                seconds=attempt.seconds,
                info=info,
                packets=capture.packets,
                unknown="; ".join(filter(None, (unknown, capture.unknown))),
            )
        )

    def _tell_resolved(self, resolution: Resolution, error: str = "") -> None:
        if self.observer is not None:
            self.observer(
                NameResolved(
                    time=time.time(),
                    side=Side.CLIENT,
                    rule=resolution.rule,
                    host=self.host,
                    addresses=tuple(endpoint.address for endpoint in resolution.endpoints),
                    seconds=resolution.seconds,
                    error=error,
                )
            )


def _plan(
    host: str, port: int, timeout: float, attempt_delay: float, observer: Observer | None, source: str | None
) -> _Plan:
    if not 0 < port < 65_536:
        raise ConfigurationError(f"{port} is not a TCP port: it must be from 1 to 65535")
    if not 0 < timeout <= MAX_TIMEOUT:
        raise ConfigurationError(f"a timeout of {timeout} s cannot be: it must be more than 0, and a day at most")
    if not 0 <= attempt_delay <= MAX_TIMEOUT:
        raise ConfigurationError(f"an attempt delay of {attempt_delay} s cannot be: it must be from 0 to a day")
    try:
        address = ipaddress.ip_address(source) if source is not None else None
    except ValueError:
        raise ConfigurationError(f"cannot connect from {source!r}: that is not an IP address") from None
    started = time.monotonic()
    return _Plan(host, port, started, started + timeout, attempt_delay, observer, address)


def _run(race: Race, plan: _Plan) -> tuple[socket.socket, Attempt]:
    """Carry the race out with a selector."""
    attempts: dict[socket.socket, Attempt] = {}
    winner: socket.socket | None = None
    with selectors.DefaultSelector() as selector:
        try:
            while True:
                now = time.monotonic()
                while (attempt := race.next_due(now)) is not None:
                    try:
                        connection = plan.open(attempt.endpoint)
                        attempts[connection] = attempt
                        _begin(connection, attempt)
                        selector.register(connection, selectors.EVENT_WRITE, connection)
                    except OSError as error:
                        race.failed(attempt, error, now)
                race.raise_if_over(now)
                for key, _ in selector.select(race.patience(now)):
                    connection = key.data
                    problem = _problem(connection)
                    if problem is None:
                        winner = connection
                        race.won(attempts[winner], time.monotonic())
                        return winner, attempts[winner]
                    selector.unregister(connection)
                    race.failed(attempts[connection], problem, time.monotonic())
        finally:
            for connection in attempts:
                if connection is not winner:
                    connection.close()


def _dial_alone(plan: _Plan, resolution: Resolution) -> socket.socket:
    """Connect to the only address, with nobody to tell: there is no race then, unless it is lost."""
    (endpoint,) = resolution.endpoints
    connection: socket.socket | None = None
    try:
        connection = plan.open(endpoint)
        connection.settimeout(max(_SOON, plan.deadline - time.monotonic()))
        connection.connect(endpoint.sockaddr)
        if connection.getsockname()[1] == plan.port and (problem := _problem(connection)) is not None:
            raise problem
        connection.setblocking(True)
    except BaseException as problem:
        if connection is not None:
            connection.close()
        if isinstance(problem, OSError):
            _lose_alone(plan.race(resolution), plan, problem)
        raise
    return connection


def _lose_alone(race: Race, plan: _Plan, problem: OSError) -> None:
    """Raise ConnectFailed for an attempt that failed, or took too long."""
    attempt = race.next_due(plan.started)
    timed_out = isinstance(problem, TimeoutError) and problem.errno is None
    if attempt is not None and not timed_out:
        race.failed(attempt, problem, time.monotonic())
    race.raise_if_over(max(plan.deadline, time.monotonic()))


async def _run_async(race: Race, plan: _Plan) -> tuple[socket.socket, Attempt]:
    """Carry the race out with asyncio."""
    loop = asyncio.get_running_loop()
    attempts: dict[asyncio.Task[None], tuple[socket.socket, Attempt]] = {}
    winner: socket.socket | None = None
    try:
        while True:
            now = time.monotonic()
            while (attempt := race.next_due(now)) is not None:
                try:
                    connection = plan.open(attempt.endpoint)
                except OSError as error:
                    race.failed(attempt, error, now)
                else:
                    connecting = loop.sock_connect(connection, attempt.endpoint.sockaddr)
                    attempts[asyncio.ensure_future(connecting)] = connection, attempt
            race.raise_if_over(now)
            unfinished = [task for task, (_, attempt) in attempts.items() if attempt in race.running]
            done, _ = await asyncio.wait(unfinished, timeout=race.patience(now), return_when=asyncio.FIRST_COMPLETED)
            for task in (task for task in unfinished if task in done):
                connection, attempt = attempts[task]
                failure = task.exception()
                if isinstance(failure, OSError):
                    problem: OSError | None = error_from(failure.errno) if failure.errno else failure
                elif failure is not None:
                    raise failure
                else:
                    problem = _problem(connection)
                if problem is None:
                    winner = connection
                    race.won(attempt, time.monotonic())
                    return winner, attempt
                race.failed(attempt, problem, time.monotonic())
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        for connection, _ in attempts.values():
            if connection is not winner:
                connection.close()


def _begin(connection: socket.socket, attempt: Attempt) -> None:
    number = connection.connect_ex(attempt.endpoint.sockaddr)
    if number not in _UNDER_WAY:
        raise error_from(number)


def _problem(connection: socket.socket) -> OSError | None:
    """Return why a socket that is ready did not connect; None if it did."""
    number = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        return error_from(number)
    try:
        local, remote = _endpoints(connection)
    except OSError as error:
        return error
    # When the kernel picks the very port we dial as our own, a socket connects to itself (simultaneous open,
    # RFC 9293 section 3.5): nobody is there, and we would talk to ourselves.
    return error_from(errno.ECONNREFUSED) if local == remote else None


def _endpoints(connection: socket.socket) -> tuple[tuple[str, int], tuple[str, int]]:
    return endpoint_of(connection.getsockname()), endpoint_of(connection.getpeername())


@contextlib.contextmanager
def _closed_on_error(connection: socket.socket) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise

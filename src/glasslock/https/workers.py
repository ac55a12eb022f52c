"""Several processes serve one site: one process is one core, for `cryptography` holds Python's lock while it computes.

The parent takes the port and makes the ticket keys, then forks. Each worker listens on the port for itself
(SO_REUSEPORT), and the kernel spreads the connections. Having the same ticket keys, each resumes what another began.
The parent serves nobody: it replaces a worker that dies, and stops all when it is told to. A worker whose parent is
gone stops by itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from ..errors import ConfigurationError, GlasslockError
from ..tls import MemoryReplayGuard, TicketKeys
from .accepting import reserve
from .server import Site, serve

STOPPING = 10.0  # seconds for all workers to end; then they are killed
SHORTEST_LIFE = 1.0  # seconds: a worker that lived shorter is replaced only after that time
_STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Say = Callable[[str], None]


class WorkerFailed(GlasslockError):
    """A worker ended before it could serve."""


def serve_workers(
    app: Any,
    *,
    workers: int,
    host: str = "localhost",
    port: int = 8443,
    engine: dict[str, Any] | None = None,
    ready: Callable[[Site], None] | None = None,
    say: Say = print,
    **options: Any,
) -> None:
    """`serve` in so many processes, until Ctrl-C or SIGTERM. Call it from the main thread, before others are started.

    `ready` is called once, in the parent, when all workers can be visited; `say` is told of workers that were
    replaced. ConfigurationError if there can be no workers here, or if 0-RTT data would be protected from replays
    in each of them alone; WorkerFailed if one cannot begin.
    """
    if workers < 1:
        raise ConfigurationError(f"{workers} workers cannot serve: at least one is needed")
    if not hasattr(socket, "SO_REUSEPORT") or not hasattr(os, "fork"):
        raise ConfigurationError("this system cannot share a port between processes (SO_REUSEPORT): serve with one")
    engine = {"ticket_keys": TicketKeys()} | (engine or {})
    if engine.get("max_early_data") and isinstance(engine.get("replay_guard"), MemoryReplayGuard):
        raise ConfigurationError(
            "early data can be replayed to another worker, for a MemoryReplayGuard knows only what its own process "
            "has seen: use a guard that all share, such as RedisReplayGuard, or serve without workers"
        )
    reserved = reserve(host, port)
    try:
        options |= {"host": host, "port": reserved[0].getsockname()[1], "engine": engine, "shared": True}
        _Crew(workers, app, options, say).run(ready)
    finally:
        for listener in reserved:
            listener.close()


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    answer: Connection  # says once where the site is, or why there is none
    since: float


class _Crew:
    """The parent's side."""

    def __init__(self, size: int, app: Any, options: dict[str, Any], say: Say) -> None:
        self._size = size
        self._app = app
        self._options = options
        self._say = say
        self._fork = multiprocessing.get_context("fork")
        self._workers: list[_Worker] = []
        self._stopped, self._stop = os.pipe()  # a signal writes, and wakes whoever waits
        os.set_blocking(self._stop, False)

    def run(self, ready: Callable[[Site], None] | None) -> None:
        """Until a signal. The first worker begins alone: if it cannot, the others could not either."""
        before = {number: signal.signal(number, self._on_signal) for number in _STOPPING_SIGNALS}
        try:
            site: Site | None = None
            while len(self._workers) < self._size:
                site = self._begin()
                if site is None:
                    return
            if ready is not None and site is not None:
                ready(site)
            while self._replace_the_dead():
                pass
        finally:
            self._end()
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._stopped)
            os.close(self._stop)

    def _on_signal(self, _number: int, _frame: object) -> None:
        os.write(self._stop, b"\0")

    def _begin(self) -> Site | None:
        """One more worker, once it serves; None if we are told to stop meanwhile."""
        answer, theirs = self._fork.Pipe(duplex=False)
        process = self._fork.Process(target=_work, args=(self._app, theirs, self._options), daemon=True)
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING_SIGNALS)
        try:
            process.start()  # with our handlers, which are not for it: no signal may come before it has its own
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
        worker = _Worker(process, answer, time.monotonic())
        self._workers.append(worker)
        if self._stopped in wait([answer, self._stopped]):
            return None
        try:
            place, problem = answer.recv()
        except EOFError:
            process.join()
            place, problem = None, f"a worker ended before it could serve ({_how(process)})"
        if place is None:
            raise WorkerFailed(problem)
        return Site(**place, _stop=lambda: self._on_signal(0, None))

    def _replace_the_dead(self) -> bool:
        """Waits for a worker's end, and begins another in its place; False if we are to stop."""
        ended = wait([*(worker.process.sentinel for worker in self._workers), self._stopped])
        if self._stopped in ended:
            return False
        for worker in [worker for worker in self._workers if worker.process.sentinel in ended]:
            worker.process.join()
            worker.answer.close()
            self._workers.remove(worker)
            self._say(f"worker {worker.process.pid} ended ({_how(worker.process)}): another takes its place")
            early = worker.since + SHORTEST_LIFE - time.monotonic()
            if wait([self._stopped], timeout=max(0.0, early)) or self._begin() is None:
                return False
        return True

    def _end(self) -> None:
        """All of them, in good order; whoever does not end in time is killed."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + STOPPING
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                self._say(f"worker {worker.process.pid} did not end in {STOPPING:g} seconds, and was killed")
                worker.process.kill()
                worker.process.join()
            worker.answer.close()


def _how(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _stop_as_orphan(sentinel: int, site: Site) -> None:
    asyncio.get_running_loop().remove_reader(sentinel)  # it can be read for ever
    site.stop()


def _work(app: Any, answer: Connection, options: dict[str, Any]) -> None:
    """The worker's side."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING_SIGNALS)
    parent = multiprocessing.parent_process()

    def begin(site: Site) -> None:
        if parent is not None:  # its end shows as something to read
            asyncio.get_running_loop().add_reader(parent.sentinel, _stop_as_orphan, parent.sentinel, site)
        place = {"url": site.url, "host": site.host, "port": site.port, "addresses": site.addresses}
        answer.send((place, ""))
        answer.close()

    try:
        serve(app, ready=begin, **options)
    except GlasslockError as problem:
        if answer.closed:
            raise
        answer.send((None, str(problem)))

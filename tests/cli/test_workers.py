"""`glasslock serve --workers`: several processes, one site."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPResponse
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from glasslock.errors import ConfigurationError
from glasslock.https import serve_workers, workers
from glasslock.tls import MemoryReplayGuard

from .command import glasslock
from .test_serve import served

TRIES = 60  # new connections until both of two workers must have answered: each goes to either by chance
PATIENCE = 15  # seconds

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
    await send({"type": "http.response.body", "body": b"%10d" % os.getpid()})
"""


class Visitor:
    """Asks the site who answers, each time on a new connection of Python's own `ssl`."""

    def __init__(self, url: str, root: Path) -> None:
        self.port = int(url.rstrip("/").rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=str(root))

    def ask(self, session: ssl.SSLSession | None = None) -> tuple[int, ssl.SSLSession | None, bool]:
        """The process that answered, what a later connection can resume, and whether this one did."""
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        with self.context.wrap_socket(raw, server_hostname="localhost", session=session) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            response = HTTPResponse(sock)
            response.begin()
            return int(response.read()), sock.session, bool(sock.session_reused)

    def workers(self) -> set[int]:
        """Everybody who answers. A worker that is killed takes along whoever waited in its queue."""
        found = set()
        for _ in range(TRIES):
            with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
                found.add(self.ask()[0])
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Visitor, object]]:
    (tmp_path / "who.py").write_text(APP)
    home = tmp_path / "ca"
    with served(home, "who:app", "--workers", "2", "-q", folder=tmp_path) as (url, process):
        yield Visitor(url, home / "root.pem"), process


def is_there(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def wait_until_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(is_there(pid) for pid in pids):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


@pytest.mark.slow
def test_each_resumes_what_another_began_and_all_stop_together(site) -> None:
    visitor, process = site
    workers = visitor.workers()
    assert len(workers) == 2
    assert process.pid not in workers
    resumed = set()
    for _ in range(TRIES):
        first, session, _ = visitor.ask()
        second, _, again = visitor.ask(session)
        assert again
        resumed.add((first, second))
        if len(resumed) == 4:  # each by itself, and each by the other
            break
    assert len(resumed) == 4
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert output == ""
    wait_until_gone(workers)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(site) -> None:
    visitor, process = site
    before = visitor.workers()
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while len(after := visitor.workers()) < 2 or victim in after:
        assert time.monotonic() < deadline, "nobody took its place"
    assert len(after & before) == 1
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f"worker {victim} ended (killed by SIGKILL): another takes its place" in output
    wait_until_gone(before | after)


@pytest.mark.slow
def test_workers_whose_parent_is_killed_do_not_stay(site) -> None:
    visitor, process = site
    workers = visitor.workers()
    process.kill()
    process.wait(PATIENCE)
    wait_until_gone(workers)


def test_what_keeps_a_worker_from_beginning_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text("import os\nos._exit(7)\n")
    for app, words in (("no_such_module:app", "no_such_module"), ("dies:app", "exit status 7")):
        command = ["serve", "--port", "0", "--workers", "2", app]
        with contextlib.chdir(tmp_path):
            result = glasslock(*command, GLASSLOCK_CA=tmp_path / "ca")
        assert result.returncode != 0
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_port_that_others_serve_is_not_shared_with_them(tmp_path: Path) -> None:
    with served(tmp_path / "ca", str(tmp_path), "--workers", "2") as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        for more in ([], ["--workers", "2"]):
            result = glasslock("serve", str(tmp_path), "--port", port, *more, GLASSLOCK_CA=tmp_path / "ca")
            assert result.returncode in (1, 2)
            assert port in result.stderr


def test_early_data_needs_a_guard_that_all_workers_share() -> None:
    engine = {"max_early_data": 1000, "replay_guard": MemoryReplayGuard()}
    with pytest.raises(ConfigurationError, match="replayed to another worker"):
        serve_workers(".", workers=2, credentials=[], engine=engine)


def test_no_signal_reaches_a_worker_before_it_knows_what_to_do_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be taken by the parent's handler, which the fork left to it, and be lost."""

    def begin(_app: object, answer: Connection, _options: object) -> None:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        answer.send((None, " ".join(sorted(signal.Signals(number).name for number in blocked))))

    monkeypatch.setattr(workers, "_work", begin)
    with pytest.raises(workers.WorkerFailed, match="SIGINT SIGTERM"):
        serve_workers(".", workers=1, port=0, credentials=[])
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_system_that_cannot_share_a_port_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with pytest.raises(ConfigurationError, match="SO_REUSEPORT"):
        serve_workers(".", workers=2, credentials=[])


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_there_is_at_least_one(number: str, tmp_path: Path) -> None:
    assert glasslock("serve", str(tmp_path), "--workers", number).returncode == 2
    with pytest.raises(ConfigurationError, match="at least one"):
        serve_workers(".", workers=0, credentials=[])

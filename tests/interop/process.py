"""A peer's process: bounded in time, its output kept, stopped by its own pid."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from .order import PATIENCE

_numbers = itertools.count()


class Unavailable(Exception):
    """A peer cannot be had on this machine; the message says why."""


class PeerFailed(Exception):
    """The peer refused, crashed or was too slow; the message has its own last words."""


def find(command: str, package: str) -> str:
    """The path of a command, those beside this Python first; Unavailable, naming what installs it, if there is none."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"]
    path = shutil.which(command, path=os.pathsep.join(places))
    if path is None:
        raise Unavailable(f"no {command} on the PATH ({package})")
    return path


def first_output(*command: str) -> str:
    """What a short command prints, on either stream; for versions and lists."""
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise Unavailable(f"{command[0]} does not run: {problem}") from problem
    return run.stdout + run.stderr


def free_port() -> int:
    """A port that is free now, for peers that cannot choose one themselves."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def wait_until_listening(port: int, process: Process) -> None:
    """Until somebody accepts connections, for servers that do not say when they are ready."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        process.check_running()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise PeerFailed(f"{process.name} does not listen on its port")


def _start(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    """Popen. Under many threads a sandbox fails an exec with EFAULT now and then, and not when it is repeated."""
    for _ in range(3):
        try:
            return subprocess.Popen(command, **options)
        except OSError as problem:
            if problem.errno != errno.EFAULT:
                raise
    return subprocess.Popen(command, **options)


class Process:
    """A running command with a socket in and files out. Leaving the block stops it."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: Path,
        env: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.name = Path(command[0]).name
        stem = f"{self.name}-{next(_numbers)}"
        self._out = folder / f"{stem}.out"
        self._err = folder / f"{stem}.err"
        self._patience = patience
        self._deadline = time.monotonic() + patience
        # A socket, because not every peer notices the end of a pipe.
        self._in, theirs = socket.socketpair()
        with self._out.open("wb") as out, self._err.open("wb") as err, theirs:
            try:
                self._popen = _start(
                    [str(part) for part in command],
                    stdin=theirs.fileno(),
                    stdout=out,
                    stderr=err,
                    cwd=folder,
                    env=None if env is None else {**os.environ, **env},
                )
            except BaseException:
                self._in.close()
                raise

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def output(self) -> bytes:
        """All of stdout so far."""
        return self._out.read_bytes()

    def errors(self) -> str:
        """All of stderr so far."""
        return self._err.read_text(errors="replace")

    def write(self, data: bytes) -> None:
        """Into the peer's stdin, as fast as it takes it."""
        self._in.settimeout(max(0.1, self._deadline - time.monotonic()))
        try:
            self._in.sendall(data)
        except OSError as problem:
            raise PeerFailed(f"{self.name} does not read its input: {problem}{self.last_words()}") from problem

    def close_input(self) -> None:
        """Tells the peer that no more input comes."""
        with suppress(OSError):  # it may have gone
            self._in.shutdown(socket.SHUT_WR)

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Until the condition holds, which is about the peer's output; PeerFailed if it ends or dawdles."""
        while not condition():
            if self._popen.poll() is not None and not condition():
                raise PeerFailed(f"{self.name} ended before {what}{self.last_words()}")
            if time.monotonic() > self._deadline:
                raise PeerFailed(f"{self.name}: no {what} within {self._patience:g} seconds{self.last_words()}")
            time.sleep(0.003)

    def wait_for_output(self, size: int, what: str) -> None:
        """Until so many bytes have come on stdout."""
        self.wait_for(lambda: len(self.output()) >= size, what)

    def check_running(self) -> None:
        if self._popen.poll() is not None:
            raise PeerFailed(f"{self.name} ended with status {self._popen.returncode}{self.last_words()}")

    def end(self, statuses: Sequence[int] = (0,)) -> bytes:
        """Waits until the peer ends by itself; its stdout. PeerFailed for another exit status."""
        try:
            status = self._popen.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"{self.name} does not end{self.last_words()}") from None
        if status not in statuses:
            raise PeerFailed(f"{self.name} ended with status {status}{self.last_words()}")
        return self.output()

    def stop(self) -> None:
        """Ends the process, gently first."""
        self._in.close()
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(2)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait(PATIENCE)

    def last_words(self) -> str:
        lines = [line for line in self.errors().splitlines() if line.strip()][-6:]
        return "".join(f"\n    {line[:200]}" for line in lines)

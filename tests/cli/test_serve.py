"""`glasslock serve`: HTTPS that programs which trust the root accept, told from the server's side."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .command import COMMAND, PLAIN, glasslock


@contextlib.contextmanager
def served(home: Path, *arguments: str, folder: Path | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Runs the command (in a folder) until the block ends; gives its URL."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | PLAIN | {"GLASSLOCK_CA": str(home)},
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=15)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "www"
    place.mkdir()
    (place / "index.html").write_text("<h1>Served</h1>")
    return place


def test_a_folder_is_served_with_a_certificate_of_the_local_authority(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ca"
    with served(home, str(folder), "-v") as (url, process):
        result = glasslock("visit", "-o", "-", "--ca", str(home / "root.pem"), url)
        assert result.returncode == 0, result.stderr
        assert result.stdout == "<h1>Served</h1>"
        assert "HTTP/2" in result.stderr
        refused = glasslock("visit", "-q", url)
        assert refused.returncode == 23, "the root is not trusted by the system, and the visitor says so"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=15)
    assert process.returncode == 0
    for words in ("asked for localhost", "GET", "200 OK", "unknown_ca"):
        assert words in output


def test_an_application_is_served(tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] == 'lifespan':\n"
        "        while True:\n"
        "            message = await receive()\n"
        "            await send({'type': message['type'] + '.complete'})\n"
        "            if message['type'] == 'lifespan.shutdown':\n"
        "                return\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'Hello from the application'})\n"
    )
    home = tmp_path / "ca"
    with served(home, "hello:app", folder=tmp_path) as (url, _):
        result = glasslock("visit", "-o", "-", "--ca", str(home / "root.pem"), url)
    assert result.stdout == "Hello from the application", result.stderr


def test_ones_own_certificate_is_shown(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ca"
    assert glasslock("ca", "issue", "localhost", "--out", str(tmp_path), GLASSLOCK_CA=home).returncode == 0
    own = ["--cert", str(tmp_path / "localhost.pem"), "--key", str(tmp_path / "localhost-key.pem")]
    with served(tmp_path / "unused", str(folder), *own) as (url, _):
        assert glasslock("visit", "-q", "--ca", str(home / "root.pem"), url).returncode == 0
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--cert", "x.pem"], "--key"),
        (["no-such-folder"], "no-such-folder"),
        (["--cert", "/nonexistent.pem", "--key", "/nonexistent.pem"], "/nonexistent.pem"),
        (["no_such_module:app"], "no_such_module"),
    ],
)
def test_what_cannot_be_served_is_explained(arguments: list[str], word: str, tmp_path: Path) -> None:
    result = glasslock("serve", "--port", "0", *arguments, GLASSLOCK_CA=tmp_path / "ca")
    assert result.returncode in (1, 2)
    assert word in result.stderr


def test_a_port_that_is_taken_is_explained(tmp_path: Path, folder: Path) -> None:
    with served(tmp_path / "ca", str(folder)) as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        result = glasslock("serve", str(folder), "--port", port, GLASSLOCK_CA=tmp_path / "ca")
    assert result.returncode in (1, 2)
    assert port in result.stderr

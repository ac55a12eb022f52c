"""`glasslock serve`: HTTPS that programs which trust the root accept, told from the server's side."""

from __future__ import annotations

import contextlib
import json
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


def test_only_visitors_with_a_certificate_are_admitted(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ca"
    issued = glasslock("ca", "issue", "--client", "Ada", "--out", str(tmp_path), GLASSLOCK_CA=home)
    assert issued.returncode == 0, issued.stderr
    root = str(home / "root.pem")
    with served(home, str(folder), "--client-ca", root) as (url, _):
        stranger = glasslock("visit", "--ca", root, url)
        assert stranger.returncode == 17
        assert "certificate_required" in stranger.stdout
        own = ["--cert", str(tmp_path / "Ada.pem"), "--key", str(tmp_path / "Ada-key.pem")]
        known = glasslock("visit", "-q", "--ca", root, *own, url)
        assert known.returncode == 0, known.stdout


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_one_version_only(version: str, tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ca"
    with served(home, str(folder), "--tls", version) as (url, _):
        result = glasslock("visit", "-q", "--ca", str(home / "root.pem"), url)
        assert f"TLS {version}" in result.stdout
        other = {"1.2": "1.3", "1.3": "1.2"}[version]
        assert glasslock("visit", "-q", "--tls", other, "--ca", str(home / "root.pem"), url).returncode == 17


def test_the_name_of_the_site_is_hidden_from_whoever_listens(tmp_path: Path, folder: Path) -> None:
    home, key = tmp_path / "ca", tmp_path / "ech.pem"
    made = glasslock("ca", "ech-key", "public.localhost", "--out", str(key))
    assert made.returncode == 0, made.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    config = next(line.split()[1] for line in made.stdout.splitlines() if line.startswith("publish"))
    names = ["--name", "secret.localhost", "--name", "public.localhost"]
    with served(home, str(folder), "--ech-key", str(key), *names) as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        root = str(home / "root.pem")
        hidden = glasslock("visit", "--ech", config, "--ca", root, f"https://secret.localhost:{port}/")
        assert hidden.returncode == 0, hidden.stdout
        assert "the name public.localhost" in hidden.stdout
        trace = glasslock("visit", "--json", "--ech", config, "--ca", root, f"https://secret.localhost:{port}/").stdout
        records = json.loads(trace)["records"]
        wire = "".join(record["raw"] for record in records if record["type"] == "RecordSent")
        assert b"secret.localhost".hex() not in wire
        assert b"public.localhost".hex() in wire


def test_a_site_can_be_dialled_somewhere_else(tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "ca"
    with served(home, str(folder), "--name", "site.test") as (url, _):
        port = url.rstrip("/").rpartition(":")[2]
        result = glasslock("visit", "-q", "--connect", f"127.0.0.1:{port}", "--ca", str(home / "root.pem"), "site.test")
        assert result.returncode == 0, result.stdout
    assert glasslock("visit", "--connect", "nonsense", "site.test").returncode == 2

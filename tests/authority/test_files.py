"""Files of an authority: modes whatever the umask, nothing half written, nothing overwritten."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from glasslock.authority import Authority, default_directory
from glasslock.authority import files as files_module
from glasslock.authority.files import make_directory, read_private, write_new
from glasslock.errors import ConfigurationError

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX systems")
FILES = {
    "root.key": 0o600,
    "root.pem": 0o644,
    "intermediate.key": 0o600,
    "intermediate.pem": 0o644,
    "issued.jsonl": 0o600,
}


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest, place: Path) -> Iterator[int]:
    assert place.parent.parent.exists()  # pytest makes its own directory before the umask changes
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix_only
@pytest.mark.usefixtures("umask")
def test_modes_do_not_depend_on_the_umask(place: Path) -> None:
    authority = Authority.open_or_create(place)
    assert {path.name: _mode(path) for path in place.iterdir()} == FILES
    assert _mode(place) == _mode(place.parent) == 0o700
    out = place / "out"
    make_directory(out)
    authority.issue("localhost").write(out / "chain.pem", out / "site.key")
    assert (_mode(out / "chain.pem"), _mode(out / "site.key")) == (0o644, 0o600)


@posix_only
def test_a_key_is_never_readable_by_others_not_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    opened: list[int] = []
    real_open = os.open

    def spy(path: str, flags: int, mode: int = 0o777, **options: int) -> int:
        opened.append(mode)
        assert flags & os.O_EXCL
        return real_open(path, flags, mode, **options)

    monkeypatch.setattr(os, "open", spy)
    before = os.umask(0)
    try:
        write_new(tmp_path / "key", b"secret", mode=0o600)
    finally:
        os.umask(before)
    assert opened == [0o600]
    assert seen == [0o600]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_new(path, b"first", mode=0o600)
    with pytest.raises(FileExistsError):
        write_new(path, b"second", mode=0o600)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]  # and no temporary file is left


@posix_only
def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "key", b"secret", mode=0o600)
    assert not (tmp_path / "elsewhere").exists()


def test_a_failure_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "key", b"secret", mode=0o600)
    assert list(tmp_path.iterdir()) == []


def test_of_many_who_write_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "key"
    outcomes: list[bytes] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        data = bytes([number]) * 1000
        start.wait()
        try:
            write_new(path, data, mode=0o600)
        except FileExistsError:
            return
        outcomes.append(data)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [path.read_bytes()]


def test_several_processes_make_one_authority(place: Path) -> None:
    program = (
        "import sys\n"
        "from glasslock.authority import Authority\n"
        "sys.stdin.readline()\n"
        "authority = Authority.open_or_create(sys.argv[1])\n"
        "authority.issue('localhost')\n"
        "print(authority.root.serial_number, authority.intermediate.serial_number)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=30)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(answers) == 1
    assert len(Authority.open(place).history().issued) == 4
    assert {path.name for path in place.iterdir()} == set(FILES)


@posix_only
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "site.key"
    key.write_bytes(b"secret")
    key.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {key}"):
        read_private(key)
    key.chmod(0o600)
    assert read_private(key) == b"secret"


@posix_only
def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match=f"chmod go-w {tmp_path}"):
        Authority.open_or_create(tmp_path)
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_the_mode_of_an_existing_directory_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_directory(tmp_path)
    assert _mode(tmp_path) == 0o755


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "ca").write_text("")
    with pytest.raises(ConfigurationError, match="is not a directory"):
        Authority.open_or_create(tmp_path / "ca")
    with pytest.raises(ConfigurationError, match="cannot make the directory"):
        Authority.open_or_create(tmp_path / "ca" / "below")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "HOME/.local/share/glasslock/ca"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/glasslock/ca"),
        ("linux", {"XDG_DATA_HOME": "relative"}, "HOME/.local/share/glasslock/ca"),
        ("linux", {"XDG_DATA_HOME": ""}, "HOME/.local/share/glasslock/ca"),
        ("darwin", {}, "HOME/Library/Application Support/glasslock/ca"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/glasslock/ca"),
        ("win32", {}, "HOME/AppData/Local/glasslock/ca"),
        ("linux", {"GLASSLOCK_CA": "/mine"}, "/mine"),
        ("darwin", {"GLASSLOCK_CA": "~/mine"}, "HOME/mine"),
        ("linux", {"GLASSLOCK_CA": ""}, "HOME/.local/share/glasslock/ca"),
    ],
)
def test_default_directories(
    platform: str, variables: dict[str, str], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_DATA_HOME", "LOCALAPPDATA", "GLASSLOCK_CA"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(files_module.sys, "platform", platform)
    assert default_directory() == Path(expected.replace("HOME", str(tmp_path)))


def test_the_default_directory_is_used(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSLOCK_CA", str(place))
    authority = Authority.open_or_create()
    assert authority.directory == place
    assert Authority.open().root == authority.root

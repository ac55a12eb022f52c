"""Files of an authority: private to their owner, written whole or not at all, and never overwritten."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from pathlib import Path

from ..errors import ConfigurationError

DIRECTORY_VARIABLE = "GLASSLOCK_CA"

_POSIX = os.name == "posix"


def default_directory() -> Path:
    """Return where the authority lives: $GLASSLOCK_CA, or `glasslock/ca` in the user's data directory."""
    chosen = os.environ.get(DIRECTORY_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        data = Path(local) if local else Path.home() / "AppData" / "Local"
    else:
        xdg = os.environ.get("XDG_DATA_HOME", "")
        # The XDG Base Directory Specification has relative paths ignored.
        data = Path(xdg) if Path(xdg).is_absolute() else Path.home() / ".local" / "share"
    return data / "glasslock" / "ca"


def make_directory(directory: Path) -> None:
    """Create a directory and its missing parents with mode 0700, whatever the umask.

    Raises ConfigurationError if it cannot be made, or if it exists and others may write to it.
    """
    try:
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):  # somebody else was quicker
                path.mkdir(mode=0o700)
                path.chmod(0o700)
        mode = directory.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"cannot make the directory {directory}: {error.strerror}") from None
    if not stat.S_ISDIR(mode):
        raise ConfigurationError(f"{directory} is not a directory: choose another place for the authority")
    if _POSIX and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigurationError(
            f"other users may write to {directory}, so they could swap the authority's keys. "
            f"Run: chmod go-w {directory}"
        )


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that must not exist yet, whole or not at all; raises FileExistsError if it does.

    The data go to a temporary name first (created exclusively, with its final mode whatever the umask), and
    are on the disk before the file gets its name, which linking does only if the name is free.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if _POSIX:
                os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if _POSIX:
            os.link(temporary, path)
        else:
            temporary.rename(path)  # on Windows, renaming fails if the name is taken
    finally:
        temporary.unlink(missing_ok=True)


def read_private(path: Path) -> bytes:
    """Read a private key's file; raises ConfigurationError if others may read it, or if it cannot be read."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if _POSIX and mode & 0o077:
                raise ConfigurationError(
                    f"other users may read the private key {path} (mode {stat.S_IMODE(mode):04o}), so it may "
                    f"not be a secret any more. If nobody but you had access, run: chmod 600 {path}"
                )
            return file.read()
    except OSError as error:
        raise ConfigurationError(f"cannot read the private key {path}: {error.strerror}") from None

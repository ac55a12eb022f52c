"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigurationError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when all is written.

    Until then it has another name in the same directory. Whatever interrupts, Ctrl-C too, removes it, and a file
    that had the name before is as it was. ConfigurationError if it cannot be made there.
    """
    if path.is_dir():
        raise ConfigurationError(f"{path} is a directory: name a file")
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        file = temporary.open("xb")
    except OSError as problem:
        raise ConfigurationError(f"cannot write to {path.parent}: {problem.strerror}") from problem
    try:
        with file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

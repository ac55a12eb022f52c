"""SSLKEYLOGFILE (RFC 9850): the secrets of a connection, so that Wireshark and the like can read along.

Whoever has this file and the recorded traffic can read everything. It is written only when asked for.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Self

from glasslock.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType


class KeyLogFile:
    """Appends a line for each secret; made to be handed to the engine as `key_log`.

    A new file can be read by its owner alone (0600); an existing one keeps its rights. Each line goes out in
    one write, so that threads and processes may share a file. Raises ConfigurationError if the file cannot
    be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._lock = threading.Lock()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        try:
            self._descriptor: int | None = os.open(path, flags, 0o600)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise ConfigurationError(f"cannot write the key log {os.fspath(path)}: {reason}") from problem

    def __call__(self, label: str, client_random: bytes, secret: bytes) -> None:
        """Write one line: a label of RFC 9850, the ClientHello's random (32 bytes), the secret."""
        line = f"{label} {client_random.hex()} {secret.hex()}\n".encode("ascii")
        with self._lock:
            if self._descriptor is not None:
                os.write(self._descriptor, line)

    def close(self) -> None:
        """Close the file; lines that come later are dropped. May be called twice."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

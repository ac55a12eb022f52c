"""What an authority has issued: one JSON object per line, only ever appended to.

    {"event": "issued", "time": "2026-11-24T08:00:00Z", "serial": "0a1b…", "kind": "server",
     "names": ["localhost"], "key_type": "ecdsa-p256", "certificate": "MIIB…"}

Each line is an event, and a certificate's state follows from its events: what is added later (revoked, …)
is a new kind of line, not a change to an old one. Lines are appended in one write, so that several processes
can share a file.
"""

from __future__ import annotations

import base64
import errno
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ..errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate that was issued."""

    time: str  # UTC, as in 2026-11-24T08:00:00Z
    kind: str  # server or client
    names: tuple[str, ...]
    key_type: str
    certificate: x509.Certificate

    @property
    def serial(self) -> int:
        """Return the serial number, by which an issuer names its certificates."""
        return self.certificate.serial_number

    def status(self, now: datetime) -> str:
        """Return `valid`, `expired` or `not yet valid`."""
        if now > self.certificate.not_valid_after_utc:
            return "expired"
        return "valid" if now >= self.certificate.not_valid_before_utc else "not yet valid"


@dataclass(frozen=True, slots=True)
class History:
    """All that was recorded, oldest first; and the numbers of lines that could not be read."""

    issued: tuple[Issued, ...]
    damaged_lines: tuple[int, ...] = ()


class Records:
    """The record of an authority, in a file, or in memory if there is no path."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._memory = b""

    def add(self, issued: Issued) -> None:
        """Append one line. It is on the disk when this returns; raises ConfigurationError if it cannot be."""
        event = {
            "event": "issued",
            "time": issued.time,
            "serial": f"{issued.serial:x}",
            "kind": issued.kind,
            "names": issued.names,
            "key_type": issued.key_type,
            "certificate": base64.b64encode(issued.certificate.public_bytes(Encoding.DER)).decode("ascii"),
        }
        line = json.dumps(event, ensure_ascii=False).encode() + b"\n"
        if self._path is None:
            self._memory += line
            return
        try:
            _append(self._path, line)
        except OSError as error:
            raise ConfigurationError(f"cannot write to {self._path}: {error.strerror}") from None

    def read(self) -> History:
        """Return everything that was recorded."""
        data = self._memory
        if self._path is not None:
            try:
                data = self._path.read_bytes()
            except FileNotFoundError:
                return History(())
            except OSError as error:
                raise ConfigurationError(f"cannot read {self._path}: {error.strerror}") from None
        issued: list[Issued] = []
        damaged: list[int] = []
        for number, line in enumerate(data.split(b"\n"), 1):
            if not line:
                continue
            try:
                event = json.loads(line)
                if event["event"] == "issued":
                    issued.append(_issued(event))
            except (ValueError, KeyError, TypeError):
                damaged.append(number)
        return History(tuple(issued), tuple(damaged))


def _issued(event: dict[str, Any]) -> Issued:
    return Issued(
        time=str(event["time"]),
        kind=str(event["kind"]),
        names=tuple(map(str, event["names"])),
        key_type=str(event["key_type"]),
        certificate=x509.load_der_x509_certificate(base64.b64decode(event["certificate"], validate=True)),
    )


def _append(path: Path, line: bytes) -> None:
    with path.open("a+b", buffering=0) as file:
        if file.tell() and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            line = b"\n" + line  # an earlier line was cut off: leave it alone and begin a new one
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())

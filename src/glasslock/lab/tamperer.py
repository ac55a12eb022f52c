"""The man in the middle who cannot pretend to be the site, but can change what passes."""

from __future__ import annotations

from ..registry import ContentType
from ..tls.protection import HEADER_LENGTH
from .relay import Attacker


class Tamperer(Attacker):
    """Flips one bit in the body of one protected record on its way to the visitor; everything else passes as it is.

    `record` counts the protected records of that direction from 1.
    """

    def __init__(self, record: int) -> None:
        self._target = record
        self._count = 0
        self._buffer = b""
        self.changed: tuple[bytes, bytes] | None = None  # the record before and after

    def to_client(self, data: bytes) -> bytes:
        """Holds bytes back until a whole record is there, since that is where the byte to change is."""
        self._buffer += data
        out = b""
        while len(self._buffer) >= HEADER_LENGTH:
            end = HEADER_LENGTH + int.from_bytes(self._buffer[3:5], "big")
            if len(self._buffer) < end:
                break
            record, self._buffer = self._buffer[:end], self._buffer[end:]
            out += self._maybe_change(record)
        return out

    def _maybe_change(self, record: bytes) -> bytes:
        if record[0] != ContentType.APPLICATION_DATA:
            return record
        self._count += 1
        if self._count != self._target:
            return record
        middle = HEADER_LENGTH + (len(record) - HEADER_LENGTH) // 2
        changed = record[:middle] + bytes((record[middle] ^ 1,)) + record[middle + 1 :]
        self.changed = (record, changed)
        return changed

"""Memory for records on their way, lent to whoever moves data just now: who waits, maybe for long, holds none."""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 4  # buffers that nobody uses; fresh ones cost more than the records that are made in them


class Buffers:
    """Buffers of `size` bytes, for whichever thread asks."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._spare: deque[bytearray] = deque(maxlen=KEPT)

    def borrow(self) -> bytearray:
        """A buffer with anything in it: only for what everybody may see."""
        try:
            return self._spare.pop()
        except IndexError:
            return bytearray(self._size)

    def give_back(self, buffer: bytearray) -> None:
        """Once nothing reads or writes it any more. Nobody has to: a buffer that is lost is just memory freed."""
        self._spare.append(buffer)

"""Numbers and vectors of the presentation language (RFC 9846 section 3), read and written.

Reading never trusts a length: whatever does not fit raises `PeerMisbehaved` with decode_error.
"""

from __future__ import annotations

from ...errors import PeerMisbehaved
from ...registry import AlertDescription


def decode_error(message: str, rule: str = "RFC 9846 section 6.2", code: str = "decode-error") -> PeerMisbehaved:
    """The exception for bytes that do not have the form the protocol gives them."""
    return PeerMisbehaved(AlertDescription.DECODE_ERROR, code, message, rule)


class Reader:
    """Reads numbers and vectors from the front of `data`, in network byte order."""

    __slots__ = ("_data", "_end", "_position", "_what")

    def __init__(self, data: bytes, what: str, start: int = 0) -> None:
        self._data = data
        self._position = start
        self._end = len(data)
        self._what = what

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self._position
        stop = start + length
        if stop > self._end:
            raise decode_error(f"{self._what} ends early: {length} bytes expected, {self._end - start} left")
        self._position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        position = self._position
        if position >= self._end:
            raise decode_error(f"{self._what} ends early: 1 byte expected, none left")
        self._position = position + 1
        return self._data[position]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u24(self) -> int:
        return int.from_bytes(self.take(3), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def vector8(self, minimum: int = 0, maximum: int = 0xFF) -> bytes:
        """A vector with a one-byte length, in bytes, between `minimum` and `maximum`."""
        return self._vector(self.u8(), minimum, maximum)

    def vector16(self, minimum: int = 0, maximum: int = 0xFFFF) -> bytes:
        """A vector with a two-byte length."""
        return self._vector(self.u16(), minimum, maximum)

    def vector24(self, minimum: int = 0, maximum: int = 0xFFFFFF) -> bytes:
        """A vector with a three-byte length."""
        return self._vector(self.u24(), minimum, maximum)

    def _vector(self, length: int, minimum: int, maximum: int) -> bytes:
        if not minimum <= length <= maximum:
            raise decode_error(f"{self._what} has a vector of {length} bytes; {minimum} to {maximum} are allowed")
        return self.take(length)

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self._end - self._position

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._position

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self._end - self._position)

    def finish(self) -> None:
        """Nothing may be left over."""
        if self._position != self._end:
            raise decode_error(f"{self._what} has {self._end - self._position} bytes too many")


def u16_list(data: bytes, what: str) -> tuple[int, ...]:
    """The 16-bit numbers of a vector's content."""
    if len(data) % 2:
        raise decode_error(f"{what} has an odd number of bytes")
    return tuple([data[i] << 8 | data[i + 1] for i in range(0, len(data), 2)])


def u8(number: int) -> bytes:
    return number.to_bytes(1, "big")


def u16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def u24(number: int) -> bytes:
    return number.to_bytes(3, "big")


def u32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def u64(number: int) -> bytes:
    return number.to_bytes(8, "big")


def vector8(data: bytes) -> bytes:
    """`data` behind its length in one byte; OverflowError above 255 bytes."""
    return len(data).to_bytes(1, "big") + data


def vector16(data: bytes) -> bytes:
    """`data` behind its length in two bytes; OverflowError above 65,535 bytes."""
    return len(data).to_bytes(2, "big") + data


def vector24(data: bytes) -> bytes:
    """`data` behind its length in three bytes; OverflowError above 16 MiB."""
    return len(data).to_bytes(3, "big") + data


def u16_vector(numbers: tuple[int, ...]) -> bytes:
    """A two-byte length and the numbers, two bytes each."""
    return vector16(b"".join([u16(number) for number in numbers]))

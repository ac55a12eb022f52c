"""Numbers and vectors of the presentation language (RFC 9846 section 3), read and written.

Reading never trusts a length: whatever does not fit raises `PeerMisbehaved` with decode_error.
"""

from __future__ import annotations

from struct import Struct, pack, unpack
from typing import Any

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
            raise self._short(length, start)
        self._position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        start = self._position
        if start >= self._end:
            raise self._short(1, start)
        self._position = start + 1
        return self._data[start]

    def u16(self) -> int:
        start = self._position
        stop = start + 2
        if stop > self._end:
            raise self._short(2, start)
        self._position = stop
        return self._data[start] << 8 | self._data[start + 1]

    def fields(self, layout: Struct) -> tuple[Any, ...]:
        """Several fields of fixed sizes at once."""
        start = self._position
        stop = start + layout.size
        if stop > self._end:
            raise self._short(layout.size, start)
        self._position = stop
        return layout.unpack_from(self._data, start)

    def u24(self) -> int:
        return int.from_bytes(self.take(3), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    # Each of the three reads its length and its content in one go: a hello has dozens of them.

    def vector8(self, minimum: int = 0, maximum: int = 0xFF) -> bytes:
        """A vector with a one-byte length, in bytes, between `minimum` and `maximum`."""
        data, start = self._data, self._position + 1
        if start > self._end:
            raise self._short(1, start - 1)
        length = data[start - 1]
        if minimum <= length <= maximum:
            stop = start + length
            if stop <= self._end:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(length, start, minimum, maximum)

    def vector16(self, minimum: int = 0, maximum: int = 0xFFFF) -> bytes:
        """A vector with a two-byte length."""
        data, start = self._data, self._position + 2
        if start > self._end:
            raise self._short(2, start - 2)
        length = data[start - 2] << 8 | data[start - 1]
        if minimum <= length <= maximum:
            stop = start + length
            if stop <= self._end:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(length, start, minimum, maximum)

    def vector24(self, minimum: int = 0, maximum: int = 0xFFFFFF) -> bytes:
        """A vector with a three-byte length."""
        data, start = self._data, self._position + 3
        if start > self._end:
            raise self._short(3, start - 3)
        length = data[start - 3] << 16 | data[start - 2] << 8 | data[start - 1]
        if minimum <= length <= maximum:
            stop = start + length
            if stop <= self._end:
                self._position = stop
                return data[start:stop]
        raise self._bad_vector(length, start, minimum, maximum)

    def _short(self, length: int, start: int) -> PeerMisbehaved:
        left = self._end - start
        return decode_error(f"{self._what} ends early: {length} bytes expected, {left} left")

    def _bad_vector(self, length: int, start: int, minimum: int, maximum: int) -> PeerMisbehaved:
        if minimum <= length <= maximum:
            return self._short(length, start)
        return decode_error(f"{self._what} has a vector of {length} bytes; {minimum} to {maximum} are allowed")

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
            raise self.too_long()

    def too_long(self) -> PeerMisbehaved:
        """The exception for what is left over."""
        return decode_error(f"{self._what} has {self._end - self._position} bytes too many")


def whole_vector8(data: bytes, what: str, minimum: int = 0, maximum: int = 0xFF) -> bytes:
    """The content of a vector with a one-byte length that is all there is in `data`."""
    length = len(data) - 1
    if minimum <= length <= maximum and data[0] == length:
        return data[1:]
    reader = Reader(data, what)  # knows what is wrong
    content = reader.vector8(minimum, maximum)
    reader.finish()
    return content


def whole_vector16(data: bytes, what: str, minimum: int = 0) -> bytes:
    """The content of a vector with a two-byte length that is all there is in `data`."""
    length = len(data) - 2
    if length >= minimum and data[0] << 8 | data[1] == length:
        return data[2:]
    reader = Reader(data, what)
    content = reader.vector16(minimum)
    reader.finish()
    return content


def u16_list(data: bytes, what: str) -> tuple[int, ...]:
    """The 16-bit numbers of a vector's content."""
    if len(data) % 2:
        raise decode_error(f"{what} has an odd number of bytes")
    return unpack(f">{len(data) // 2}H", data)


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
    return vector16(pack(f">{len(numbers)}H", *numbers))

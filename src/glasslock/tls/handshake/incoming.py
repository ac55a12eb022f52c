"""Handshake messages out of records: one may hold several, and a message may need several (RFC 9846 section 5.1)."""

from __future__ import annotations

from ...errors import TLSError
from ...registry import AlertDescription, HandshakeType, name_of
from ..config import Limits
from ..wire.messages import HEADER_LENGTH


class IncomingMessages:
    """Takes fragments, gives whole messages. A message that is too large is refused by what its header announces."""

    __slots__ = ("_bytes", "_harmless", "_limits", "_position")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._harmless = min(limits.client_hello, limits.certificate_message, limits.handshake_message)
        self._bytes: bytes | bytearray = b""
        self._position = 0

    @property
    def unread(self) -> int:
        """Bytes that were fed and not taken yet."""
        return len(self._bytes) - self._position

    def feed(self, fragment: bytes) -> None:
        """Adds the content of one record."""
        if self._position == len(self._bytes):
            self._bytes, self._position = fragment, 0
            return
        # A bytearray grows without being copied each time, however small the pieces are that a peer sends.
        if not isinstance(self._bytes, bytearray):
            self._bytes = bytearray(self._bytes)
        del self._bytes[: self._position]
        self._position = 0
        self._bytes += fragment

    def next(self) -> bytes | None:
        """The next whole message, header included; None until more is fed."""
        data, start = self._bytes, self._position
        available = len(data)
        if start == available:
            self._bytes, self._position = b"", 0
            return None
        if start + HEADER_LENGTH > available:
            return None
        length = int.from_bytes(data[start + 1 : start + HEADER_LENGTH], "big")
        if length > self._harmless:
            self._check_size(data[start], length)
        end = start + HEADER_LENGTH + length
        if end > available:
            return None
        self._position = end
        return bytes(data[start:end])

    def _check_size(self, kind: int, length: int) -> None:
        match kind:
            case HandshakeType.CLIENT_HELLO:
                limit = self._limits.client_hello
            case HandshakeType.CERTIFICATE | HandshakeType.COMPRESSED_CERTIFICATE:
                limit = self._limits.certificate_message
            case _:
                limit = self._limits.handshake_message
        if length > limit:
            raise TLSError(
                AlertDescription.DECODE_ERROR,
                "message-too-large",
                f"{name_of(HandshakeType, kind)} announces {length} bytes; {limit} are allowed",
            )

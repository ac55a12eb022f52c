"""Handshake messages out of records: one may hold several, and a message may need several (RFC 9846 section 5.1)."""

from __future__ import annotations

from ...errors import TLSError
from ...registry import AlertDescription, HandshakeType, name_of
from ..config import Limits
from ..wire.messages import HEADER_LENGTH


class IncomingMessages:
    """Takes fragments, gives whole messages. A message that is too large is refused by what its header announces."""

    __slots__ = ("_bytes", "_harmless", "_limits", "_position", "unread")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._harmless = min(limits.client_hello, limits.certificate_message, limits.handshake_message)
        self._bytes: bytes | bytearray = b""
        self._position = 0
        self.unread = 0  # bytes that were fed and not taken yet

    def feed(self, fragment: bytes) -> None:
        """Adds the content of one record."""
        if not self.unread:
            self._bytes, self._position, self.unread = fragment, 0, len(fragment)
            return
        # A bytearray grows without being copied each time, however small the pieces are that a peer sends.
        if not isinstance(self._bytes, bytearray):
            self._bytes = bytearray(self._bytes)
        del self._bytes[: self._position]
        self._position = 0
        self._bytes += fragment
        self.unread = len(self._bytes)

    def next(self) -> bytes | None:
        """The next whole message, header included; None until more is fed."""
        unread = self.unread
        if unread < HEADER_LENGTH:
            if not unread:
                self._bytes = b""
            return None
        data, start = self._bytes, self._position
        length = data[start + 1] << 16 | data[start + 2] << 8 | data[start + 3]
        if length > self._harmless:
            self._check_size(data[start], length)
        whole = HEADER_LENGTH + length
        if whole > unread:
            return None
        self.unread = unread - whole
        self._position = end = start + whole
        return bytes(data[start:end])

    def put_back(self, message: bytes) -> None:
        """The message that `next` gave last is for somebody else to take."""
        self._position -= len(message)
        self.unread += len(message)

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

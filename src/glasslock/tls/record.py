"""The record layer: bytes of a stream to typed records and back, protected once there are keys.

    struct {
        ContentType type;
        ProtocolVersion legacy_record_version;
        uint16 length;
        opaque fragment[TLSPlaintext.length];
    } TLSPlaintext;                                   RFC 9846 section 5.1

Each direction has a `Protection` or none. A protection owns one key: replacing it is how keys change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag

from ..errors import PeerMisbehaved, TLSError
from ..registry import AlertDescription, ContentType
from .keys.suites import TAG_LENGTH, Aead, Suite, Suite12

HEADER_LENGTH = 5
MAX_FRAGMENT = 1 << 14
MAX_CIPHERTEXT_13 = MAX_FRAGMENT + 256
MAX_CIPHERTEXT_12 = MAX_FRAGMENT + 2048
# How many records without any content in a row are harmless; more are a way to keep us busy.
MAX_EMPTY_RECORDS = 32

Record = tuple[int, bytes]
# content type, fragment length, protected, epoch, the whole record: whoever follows the story.
Listener = Callable[[int, int, bool, str, bytes], None]

_SEQUENCE_LIMIT = (1 << 64) - 1
_CONTENT_TYPES = frozenset(ContentType)


class BadRecordMac(Exception):
    """The AEAD refused a record; the reader decides whether that is fatal."""


class Protection(Protocol):
    """One direction's key: seals records to send or opens records received."""

    epoch: str
    sequence: int
    record_limit: int
    max_ciphertext: int
    max_plaintext: int

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        """A whole record, header included."""
        ...

    def open(self, header: bytes, body: bytes) -> Record:
        """The content type and the content; BadRecordMac if it was not made with this key."""
        ...


class Protection13:
    """AEAD protection of TLS 1.3: the content type is encrypted too (RFC 9846 section 5.2)."""

    __slots__ = ("_aead", "_iv", "epoch", "max_ciphertext", "max_plaintext", "record_limit", "sequence")

    def __init__(self, suite: Suite, key: bytes, iv: bytes, epoch: str) -> None:
        self._aead: Aead = suite.aead(key)
        self._iv = int.from_bytes(iv, "big")
        self.sequence = 0
        self.epoch = epoch
        self.record_limit = suite.record_limit
        self.max_ciphertext = MAX_CIPHERTEXT_13
        self.max_plaintext = MAX_FRAGMENT + 1  # content, type and padding

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:
        inner = b"%b%c" % (fragment, content_type)
        if padding:
            inner += bytes(padding)
        header = b"\x17\x03\x03%b" % (len(inner) + TAG_LENGTH).to_bytes(2, "big")
        nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return header + self._aead.encrypt(nonce, inner, header)

    def open(self, header: bytes, body: bytes) -> Record:
        nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        try:
            inner = self._aead.decrypt(nonce, body, header)
        except InvalidTag:
            raise BadRecordMac from None
        self.sequence += 1
        if len(inner) > self.max_plaintext:
            raise _overflow("plaintext-too-long", f"a record holds {len(inner)} bytes after decryption")
        content_type = inner[-1] if inner else 0
        if content_type == 0:
            inner = inner.rstrip(b"\0")
            if not inner:
                raise unexpected("padding-only", "a protected record has no content type", "RFC 9846 section 5.4")
            content_type = inner[-1]
        return content_type, inner[:-1]


class Protection12:
    """AEAD protection of TLS 1.2 (RFC 5246 section 6.2.3.3): GCM (RFC 5288) and ChaCha20 (RFC 7905)."""

    __slots__ = ("_aead", "_explicit", "_iv", "epoch", "max_ciphertext", "max_plaintext", "record_limit", "sequence")

    def __init__(self, suite: Suite12, key: bytes, fixed_iv: bytes) -> None:
        self._aead: Aead = suite.aead(key)
        self._explicit = suite.explicit_nonce_length
        self._iv = int.from_bytes(fixed_iv, "big") << 8 * self._explicit
        self.sequence = 0
        self.epoch = "application"
        self.record_limit = suite.record_limit
        self.max_ciphertext = MAX_CIPHERTEXT_12
        self.max_plaintext = MAX_FRAGMENT

    def seal(self, content_type: int, fragment: bytes, padding: int = 0) -> bytes:  # noqa: ARG002
        sequence = self.sequence.to_bytes(8, "big")
        nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        associated = b"%b%c\x03\x03%b" % (sequence, content_type, len(fragment).to_bytes(2, "big"))
        body = nonce[12 - self._explicit :] + self._aead.encrypt(nonce, fragment, associated)
        return b"%c\x03\x03%b%b" % (content_type, len(body).to_bytes(2, "big"), body)

    def open(self, header: bytes, body: bytes) -> Record:
        explicit = self._explicit
        length = len(body) - explicit - TAG_LENGTH
        if length < 0:
            raise BadRecordMac
        if explicit:
            nonce = ((self._iv >> 64 << 64) | int.from_bytes(body[:explicit], "big")).to_bytes(12, "big")
        else:
            nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        # The version in the associated data is the negotiated one, whatever the header says.
        associated = b"%b%c\x03\x03%b" % (
            self.sequence.to_bytes(8, "big"),
            header[0],
            length.to_bytes(2, "big"),
        )
        try:
            fragment = self._aead.decrypt(nonce, body[explicit:], associated)
        except InvalidTag:
            raise BadRecordMac from None
        self.sequence += 1
        if length > self.max_plaintext:
            raise _overflow("plaintext-too-long", f"a record holds {length} bytes after decryption")
        return header[0], fragment


class RecordWriter:
    """Fragments, protects and queues what goes out."""

    __slots__ = ("_out", "closed", "initial_version", "listener", "max_fragment", "padding", "protection")

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self.closed = False  # after close_notify or a fatal alert nothing goes out any more (RFC 9846 section 6)
        self.protection: Protection | None = None
        self.listener: Listener | None = None
        self.max_fragment = MAX_FRAGMENT
        self.padding: Callable[[int], int] | None = None
        # An initial ClientHello looks like TLS 1.0, for middleboxes (RFC 9846 section 5.1).
        self.initial_version = b"\x03\x03"

    def write(self, content_type: int, data: bytes) -> None:
        """Queues `data` in as many records as it needs; an empty `data` makes one empty record."""
        limit = self.max_fragment
        if self.closed:
            return
        if len(data) <= limit:
            self._write_one(content_type, data)
        else:
            for start in range(0, len(data), limit):
                self._write_one(content_type, data[start : start + limit])

    def _write_one(self, content_type: int, fragment: bytes) -> None:
        protection = self.protection
        if protection is None or content_type == ContentType.CHANGE_CIPHER_SPEC:
            record = b"%c%b%b%b" % (
                content_type,
                self.initial_version,
                len(fragment).to_bytes(2, "big"),
                fragment,
            )
            self._queue(content_type, len(fragment), False, "plaintext", record)
            return
        if protection.sequence >= _SEQUENCE_LIMIT:
            raise TLSError(None, "sequence-exhausted", "the record sequence number would wrap", "RFC 9846 section 5.3")
        padding = 0
        if self.padding is not None:
            room = self.max_fragment - len(fragment)
            padding = max(0, min(self.padding(len(fragment)), room))
        record = protection.seal(content_type, fragment, padding)
        self._queue(content_type, len(fragment), True, protection.epoch, record)

    def _queue(self, content_type: int, length: int, protected: bool, epoch: str, record: bytes) -> None:
        self._out.append(record)
        if self.listener is not None:
            self.listener(content_type, length, protected, epoch, record)

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        if len(self._out) == 1:
            return self._out.pop()
        data = b"".join(self._out)
        self._out.clear()
        return data


class RecordReader:
    """Finds records in what comes in, opens and checks them."""

    __slots__ = (
        "_buffer",
        "_empty",
        "_position",
        "_started",
        "listener",
        "may_receive_plain_alert",
        "mid_message",
        "protection",
        "skippable",
        "tls13",
    )

    def __init__(self) -> None:
        self._buffer = b""
        self._position = 0
        self._empty = 0
        self._started = False
        self.protection: Protection | None = None
        self.listener: Listener | None = None
        self.tls13 = False  # set once the version is agreed
        # Bytes of refused 0-RTT data that may still be passed over (RFC 9846 section 4.3.10); None: none at all.
        self.skippable: int | None = None
        self.mid_message = False  # whether the last record left a handshake message unfinished
        # A client that cannot follow the server's flight has no key yet to say so.
        self.may_receive_plain_alert = False

    def feed(self, data: bytes) -> None:
        """Adds what came from the peer."""
        if self._position < len(self._buffer):
            self._buffer = self._buffer[self._position :] + data
        else:
            self._buffer = bytes(data)
        self._position = 0

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their record, or to be looked at."""
        return len(self._buffer) - self._position

    def next(self) -> Record | None:
        """The next record, or None until more is fed. Raises PeerMisbehaved for what must not come."""
        while True:
            buffer, start = self._buffer, self._position
            body = start + HEADER_LENGTH
            if body > len(buffer):
                if not self._started and start < len(buffer):
                    self._check_beginning(buffer)
                return None
            if not self._started:
                self._check_beginning(buffer)
            end = body + (buffer[start + 3] << 8 | buffer[start + 4])
            self._check_header(buffer[start], end - body)
            if end > len(buffer):
                return None
            self._position = end
            record = self._open(buffer[start:body], buffer[body:end])
            if record is not None:
                self._started = True
                return record

    def _open(self, header: bytes, body: bytes) -> Record | None:
        """The content of one record; None if it is to be passed over."""
        protection = self.protection
        outer = header[0]
        if protection is None:
            if self.skippable is not None and outer == ContentType.APPLICATION_DATA:
                self._skip(len(body))
                return None
            if outer != ContentType.APPLICATION_DATA and not body:
                raise unexpected("empty-fragment", "an empty record of a type that must not be empty")
            return self._accept(outer, body, False, "plaintext", header + body)
        if self.tls13 and outer != ContentType.APPLICATION_DATA:
            if outer == ContentType.CHANGE_CIPHER_SPEC:
                return self._accept(outer, body, False, "plaintext", header + body)
            if outer == ContentType.ALERT and self.may_receive_plain_alert and len(body) == 2:
                return self._accept(outer, body, False, "plaintext", header + body)
            raise unexpected("plaintext-record", "an unprotected record after keys were agreed", "RFC 9846 section 5")
        if not self.tls13 and outer == ContentType.CHANGE_CIPHER_SPEC and len(body) == 1:
            raise unexpected("unexpected-change-cipher-spec", "a second ChangeCipherSpec")
        try:
            content_type, fragment = protection.open(header, body)
        except BadRecordMac:
            if self.skippable is not None:
                self._skip(len(body))
                return None
            raise PeerMisbehaved(
                AlertDescription.BAD_RECORD_MAC,
                "bad-record-mac",
                "a record was not made with the agreed key: it was changed on the way, or the keys differ",
                "RFC 9846 section 5.2",
            ) from None
        self.skippable = None
        self.may_receive_plain_alert = False
        if self.tls13 and content_type == ContentType.CHANGE_CIPHER_SPEC:
            raise unexpected("protected-change-cipher-spec", "a protected ChangeCipherSpec", "RFC 9846 section 5")
        return self._accept(content_type, fragment, True, protection.epoch, header + body)

    def _accept(self, content_type: int, fragment: bytes, protected: bool, epoch: str, raw: bytes) -> Record:
        if fragment:
            if content_type != ContentType.CHANGE_CIPHER_SPEC:
                self._empty = 0
        elif content_type == ContentType.APPLICATION_DATA:
            self._empty += 1
            if self._empty > MAX_EMPTY_RECORDS:
                raise unexpected("too-many-empty-records", f"more than {MAX_EMPTY_RECORDS} empty records in a row")
        else:
            raise unexpected("empty-fragment", "an empty record of a type that must not be empty")
        if self.listener is not None:
            self.listener(content_type, len(fragment), protected, epoch, raw)
        return content_type, fragment

    def _skip(self, length: int) -> None:
        if self.mid_message:
            raise unexpected("interleaved", "application data inside a handshake message", "RFC 9846 section 5.1")
        # What is shorter than any protected record counts as one, or records of nothing would never end.
        cost = max(length, TAG_LENGTH + 1)
        if self.skippable is None or cost > self.skippable:
            raise unexpected(
                "too-much-skipped-early-data",
                "more 0-RTT data than a refusal has to pass over",
                "RFC 9846 section 4.3.10",
            )
        self.skippable -= cost

    def _check_header(self, outer: int, length: int) -> None:
        if outer not in _CONTENT_TYPES:
            raise unexpected("unknown-record-type", f"a record of the unknown type {outer}", "RFC 9846 section 5")
        if self.protection is None:
            limit = MAX_CIPHERTEXT_13 if outer == ContentType.APPLICATION_DATA else MAX_FRAGMENT
        else:
            limit = self.protection.max_ciphertext
        if length > limit:
            raise _overflow("record-too-long", f"a record announces {length} bytes; {limit} are allowed")

    def _check_beginning(self, buffer: bytes) -> None:
        """The first bytes tell whether the peer speaks TLS at all."""
        start = bytes(buffer[:8])
        if start[0] in _CONTENT_TYPES:
            return
        for method in (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE "):
            if start.startswith(method) or (len(start) >= 4 and method.startswith(start)):
                raise unexpected("http-request", "the peer sent an HTTP request without TLS")
        if start.startswith(b"CONNE"):
            raise unexpected("https-proxy-request", "the peer sent an HTTP CONNECT request, as to a proxy")
        if start.startswith(b"HTTP/"):
            raise unexpected("plain-http", "the peer answered in plain HTTP: this port does not speak TLS")
        if len(start) >= HEADER_LENGTH:
            raise unexpected("not-tls", f"the peer does not speak TLS: it begins with {start!r}")


def unexpected(code: str, message: str, rule: str = "RFC 9846 section 5") -> PeerMisbehaved:
    """The exception for a record or message that must not come now."""
    return PeerMisbehaved(AlertDescription.UNEXPECTED_MESSAGE, code, message, rule)


def _overflow(code: str, message: str) -> PeerMisbehaved:
    return PeerMisbehaved(AlertDescription.RECORD_OVERFLOW, code, message, "RFC 9846 section 5")

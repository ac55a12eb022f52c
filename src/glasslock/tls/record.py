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
from typing import Final

from ..errors import PeerMisbehaved, TLSError
from ..registry import AlertDescription, ContentType
from .keys.suites import TAG_LENGTH
from .protection import (
    APPLICATION_DATA,
    HEADER_LENGTH,
    MAX_CIPHERTEXT_13,
    MAX_FRAGMENT,
    BadRecordMac,
    Content,
    Protection,
    Protection13,
    Received,
    Record,
    overflow,
    unexpected,
)

# How many records without any content in a row are harmless; more are a way to keep us busy.
MAX_EMPTY_RECORDS: Final = 32

# content type, fragment length, protected, epoch, the whole record: whoever follows the story.
Listener = Callable[[int, int, bool, str, bytes], None]

# Plain numbers: every record is compared with them.
CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
_CONTENT_TYPES: Final = frozenset(int(kind) for kind in ContentType)
HANDSHAKE: Final = int(ContentType.HANDSHAKE)
ALERT: Final = int(ContentType.ALERT)
_NO_PROGRESS: Final = frozenset({CHANGE_CIPHER_SPEC, ALERT})  # between empty records
_SMALL: Final = 2048  # bytes that are copied faster than looked at through a view
_SEQUENCE_LIMIT: Final = (1 << 64) - 1


class RecordWriter:
    """Fragments, protects and queues what goes out."""

    __slots__ = (
        "_held",
        "_out",
        "closed",
        "initial_version",
        "listener",
        "max_fragment",
        "padding",
        "protection",
        "short",
        "short_header",
        "short_length",
    )

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._held = b""  # a record that leaves together with the next one
        self.closed = False  # after close_notify or a fatal alert nothing goes out any more (RFC 9846 section 6)
        self.protection: Protection | None = None
        self.listener: Listener | None = None
        self.max_fragment = MAX_FRAGMENT
        self.padding: Callable[[int], int] | None = None
        # An initial ClientHello looks like TLS 1.0, for middleboxes (RFC 9846 section 5.1).
        self.initial_version = b"\x03\x03"
        # The key while the short way is open (`short_way`), and how long the data was that went there last, with the
        # header that goes with it: many messages are as long as the one before.
        self.short: Protection13 | None = None
        self.short_length = -1
        self.short_header = b""

    def write(self, content_type: int, data: Content) -> None:
        """Queues `data` in as many records as it needs; an empty `data` makes one empty record."""
        self.short = None
        if self.closed:
            return
        if self._held:
            self._out.append(self._held)
            self._held = b""
        limit = self.max_fragment
        if len(data) <= limit:
            self._write_one(content_type, data)
        else:
            whole = memoryview(data)
            for start in range(0, len(data), limit):
                self._write_one(content_type, whole[start : start + limit])

    def hold_back(self) -> None:
        """What was queued last waits for the next record: alone on its way, a small one would keep the kernel from
        sending what follows until it is acknowledged (RFC 896).
        """
        if self._out:
            self._held = self._out.pop()

    def _write_one(self, content_type: int, fragment: Content) -> None:
        protection = self.protection
        if protection is None or content_type == CHANGE_CIPHER_SPEC:
            header = b"%c%b%b" % (content_type, self.initial_version, len(fragment).to_bytes(2, "big"))
            record = b"".join((header, fragment))
            self._out.append(record)
            if self.listener is not None:
                self.listener(content_type, len(fragment), False, "plaintext", record)
            return
        if protection.sequence >= _SEQUENCE_LIMIT:
            raise TLSError(None, "sequence-exhausted", "the record sequence number would wrap", "RFC 9846 section 5.3")
        padding = 0
        if self.padding is not None:
            room = self.max_fragment - len(fragment)
            padding = max(0, min(self.padding(len(fragment)), room))
        record = protection.seal(content_type, fragment, padding)
        self._out.append(record)
        if self.listener is not None:
            self.listener(content_type, len(fragment), True, protection.epoch, record)

    @property
    def queued(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._out)

    def data_to_send(self) -> bytes:
        """Everything queued since the last call."""
        out = self._out
        if len(out) == 1:
            return out.pop()
        data = b"".join(out)
        out.clear()
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
        "short",
        "short_header",
        "short_length",
        "skippable",
        "tls13",
        "version",
    )

    def __init__(self) -> None:
        self._buffer: Received = b""
        self._position = 0
        self._empty = 0
        self._started = False
        self.protection: Protection | None = None
        self.listener: Listener | None = None
        self.tls13 = False  # set once the version is agreed
        self.version = b""  # that every record has to carry: TLS 1.3 ignores it, and before that it is not agreed
        # Bytes of refused 0-RTT data that may still be passed over (RFC 9846 section 4.3.10); None: none at all.
        self.skippable: int | None = None
        self.mid_message = False  # whether the last record left a handshake message unfinished
        # A client that cannot follow the server's flight has no key yet to say so.
        self.may_receive_plain_alert = False
        # As for the writer, but the length of the whole record.
        self.short: Protection13 | None = None
        self.short_length = -1
        self.short_header = b""

    def feed(self, data: Content) -> None:
        """Adds what came from the peer; to be followed by `next` until that has no more."""
        rest = self._buffer[self._position :]
        buffer = b"".join((rest, data)) if rest else bytes(data)
        self._buffer = buffer if len(buffer) < _SMALL else memoryview(buffer)
        self._position = 0

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their record, or to be looked at."""
        return len(self._buffer) - self._position

    def begin(self, data: memoryview) -> bool:
        """Keeps the beginning of a record of data, if that is all there is; for `complete`."""
        if len(data) >= HEADER_LENGTH:
            length = data[3] << 8 | data[4]
            whole = len(data) >= HEADER_LENGTH + length
            if whole or data[0] != APPLICATION_DATA or length > MAX_CIPHERTEXT_13:
                return False
        self._buffer, self._position = bytes(data), 0
        return True

    def complete(self, data: memoryview) -> tuple[bytes, memoryview]:
        """The record that has begun, if `data` has the rest of it, and what follows; b"" if it has not."""
        begun = bytes(self._buffer[self._position :])
        header = b"".join((begun[:HEADER_LENGTH], data[: max(0, HEADER_LENGTH - len(begun))]))
        if len(header) == HEADER_LENGTH:
            missing = HEADER_LENGTH + (header[3] << 8 | header[4]) - len(begun)
            if 0 < missing <= len(data):
                return b"".join((begun, data[:missing])), data[missing:]
        return b"", data

    def forget(self) -> None:
        """What had begun was dealt with."""
        self._buffer, self._position = b"", 0

    def note_progress(self) -> None:
        """Data was read past us: records that hold nothing may come again."""
        self._empty = 0

    def next(self) -> Record | None:
        """The next record, or None until more is fed. Raises PeerMisbehaved for what must not come."""
        while True:
            buffer, start = self._buffer, self._position
            available = len(buffer)
            if start == available:
                self._buffer, self._position = b"", 0  # an idle connection holds on to nothing
                return None
            if not self._started:
                check_beginning(buffer)
            body = start + HEADER_LENGTH
            if body > available:
                break
            outer = buffer[start]
            length = buffer[start + 3] << 8 | buffer[start + 4]
            if outer != APPLICATION_DATA or length > MAX_CIPHERTEXT_13:
                self._check_header(outer, length)
            end = body + length
            if end > available:
                break
            self._position = end
            protection = self.protection
            if protection is None or (self.tls13 and outer != APPLICATION_DATA):
                record = self._read_unprotected(outer, buffer[start:body], bytes(buffer[body:end]))
            else:
                record = self._read_protected(protection, buffer[start:body], buffer[body:end])
            if record is not None:
                self._started = True
                return record
        self._buffer, self._position = bytes(buffer[start:]), 0
        return None

    def _read_protected(self, protection: Protection, header: Received, body: Received) -> Record | None:
        """The content of one record; None if it is to be passed over."""
        if not self.tls13:
            if self.version:
                self._check_version(header)
            if header[0] == CHANGE_CIPHER_SPEC and len(body) == 1:
                raise unexpected("unexpected-change-cipher-spec", "a second ChangeCipherSpec")
        try:
            record = protection.open(header, body)
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
        content_type, fragment = record
        if fragment and content_type not in _NO_PROGRESS:
            self._empty = 0
        elif self.tls13 and content_type == CHANGE_CIPHER_SPEC:
            raise unexpected("protected-change-cipher-spec", "a protected ChangeCipherSpec", "RFC 9846 section 5")
        elif not fragment:
            self._count_empty(content_type)
        if self.listener is not None:
            self.listener(content_type, len(fragment), True, protection.epoch, b"".join((header, body)))
        return record

    def _read_unprotected(self, outer: int, header: Received, body: bytes) -> Record | None:
        """Before there are keys, and the two kinds of record that TLS 1.3 leaves in plaintext after that."""
        if self.version:
            self._check_version(header)
        if self.protection is None:
            if self.skippable is not None and outer == APPLICATION_DATA:
                self._skip(len(body))
                return None
        elif outer != CHANGE_CIPHER_SPEC:
            alert = outer == ALERT and self.may_receive_plain_alert and len(body) == 2
            if not alert:
                raise unexpected(
                    "plaintext-record", "an unprotected record after keys were agreed", "RFC 9846 section 5"
                )
        if not body:
            self._count_empty(outer)
        elif outer not in _NO_PROGRESS:
            self._empty = 0
        if self.listener is not None:
            self.listener(outer, len(body), False, "plaintext", b"".join((header, body)))
        return outer, body

    def _check_version(self, header: Received) -> None:
        if header[1:3] != self.version:
            raise PeerMisbehaved(
                AlertDescription.PROTOCOL_VERSION,
                "record-version",
                f"a record of version 0x{bytes(header[1:3]).hex()} in a connection of 0x{self.version.hex()}",
                "RFC 5246 section 6.2.1",
            )

    def _count_empty(self, content_type: int) -> None:
        if content_type != APPLICATION_DATA:
            raise _empty_fragment()
        self._empty += 1
        if self._empty > MAX_EMPTY_RECORDS:
            raise unexpected("too-many-empty-records", f"more than {MAX_EMPTY_RECORDS} empty records in a row")

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
        if self.protection is not None:
            limit = self.protection.max_ciphertext
        else:
            limit = MAX_CIPHERTEXT_13 if outer == APPLICATION_DATA else MAX_FRAGMENT
        if length > limit:
            raise overflow("record-too-long", f"a record announces {length} bytes; {limit} are allowed")


def check_beginning(buffer: Received) -> None:
    """The first bytes tell whether the peer speaks TLS at all."""
    start = bytes(buffer[:8])
    if start[0] in _CONTENT_TYPES:
        return
    for method in (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"TRACE "):
        if start.startswith(method) or (len(start) >= 4 and method.startswith(start)):
            raise _plain_http("http-request", "the peer sent an HTTP request without TLS")
    if start.startswith(b"CONNE"):
        raise _plain_http("https-proxy-request", "the peer sent an HTTP CONNECT request, as to a proxy")
    if start.startswith(b"HTTP/"):
        raise _plain_http("plain-http", "the peer answered in plain HTTP: this port does not speak TLS")
    if len(start) >= HEADER_LENGTH:
        raise unexpected("not-tls", f"the peer does not speak TLS: it begins with {start!r}")


def _plain_http(code: str, message: str) -> PeerMisbehaved:
    """Without an alert, which the peer could not read: the program may still answer it in plain HTTP."""
    return PeerMisbehaved(None, code, message, "RFC 9846 section 5")


def _empty_fragment() -> PeerMisbehaved:
    return unexpected("empty-fragment", "an empty record of a type that must not be empty")

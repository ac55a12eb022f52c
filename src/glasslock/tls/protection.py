"""What protects one direction's records: an AEAD key, its sequence number and its nonces.

    struct {                                    struct {
        opaque content[length];                     ContentType opaque_type = application_data;
        ContentType type;             --AEAD-->     ProtocolVersion legacy_record_version = 0x0303;
        uint8 zeros[length_of_padding];             uint16 length;
    } TLSInnerPlaintext;                            opaque encrypted_record[length];
                                                } TLSCiphertext;            RFC 9846 section 5.2

A record costs a microsecond or two, most of it in the AEAD; so what surrounds that is done with as few calls and
copies as there can be.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag

from ..errors import PeerMisbehaved
from ..registry import AlertDescription, ContentType
from .keys.suites import TAG_LENGTH, Suite, Suite12

APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
HEADER_LENGTH: Final = 5
MAX_FRAGMENT: Final = 1 << 14
OVERHEAD_13: Final = HEADER_LENGTH + 1 + TAG_LENGTH  # bytes that a TLS 1.3 record adds to its content
MAX_CIPHERTEXT_13: Final = MAX_FRAGMENT + 256
MAX_CIPHERTEXT_12: Final = MAX_FRAGMENT + 2048

_HEADER: Final = Struct(">BHH")  # content type, version, length
_TYPE: Final = tuple(bytes((number,)) for number in range(256))

Record = tuple[int, bytes]  # content type, content
Content = bytes | bytearray | memoryview  # what is to be sent
Received = bytes | memoryview  # what came


class BadRecordMac(Exception):
    """The AEAD refused a record; the reader decides whether that is fatal."""


class Protection(Protocol):
    """One direction's key: seals records to send or opens records received."""

    epoch: str
    sequence: int
    record_limit: int
    max_ciphertext: int
    max_plaintext: int

    def seal(self, content_type: int, fragment: Content, padding: int = 0) -> bytes:
        """A whole record, header included."""
        ...

    def open(self, header: Received, body: Received) -> Record:
        """The content type and the content; BadRecordMac if it was not made with this key."""
        ...


class Protection13:
    """AEAD protection of TLS 1.3: the content type is encrypted too (RFC 9846 section 5.2)."""

    __slots__ = (
        "aead",
        "epoch",
        "iv",
        "last_header",
        "max_ciphertext",
        "max_plaintext",
        "record_limit",
        "sequence",
    )

    def __init__(self, suite: Suite, key: bytes, iv: bytes, epoch: str) -> None:
        self.aead = suite.aead(key)
        self.iv = int.from_bytes(iv, "big")
        self.sequence = 0
        self.last_header = b"", 0  # and the length that goes with it: most records are as long as the one before
        self.epoch = epoch
        self.record_limit = suite.record_limit
        self.max_ciphertext = MAX_CIPHERTEXT_13
        self.max_plaintext = MAX_FRAGMENT + 1  # content, type and padding

    def seal(self, content_type: int, fragment: Content, padding: int = 0) -> bytes:
        inner = b"".join((fragment, _TYPE[content_type]))
        if padding:
            inner += bytes(padding)
        header = b"\x17\x03\x03" + (len(inner) + TAG_LENGTH).to_bytes(2, "big")
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        return header + self.aead.encrypt(nonce, inner, header)

    def open(self, header: Received, body: Received) -> Record:
        nonce = (self.iv ^ self.sequence).to_bytes(12, "big")
        try:
            inner = self.aead.decrypt(nonce, body, header)
        except InvalidTag:
            raise BadRecordMac from None
        self.sequence += 1
        if len(inner) > self.max_plaintext:
            raise overflow("plaintext-too-long", f"a record holds {len(inner)} bytes after decryption")
        if not inner or inner[-1] == 0:
            inner = inner.rstrip(b"\0")
            if not inner:
                raise unexpected("padding-only", "a protected record has no content type", "RFC 9846 section 5.4")
        return inner[-1], inner[:-1]

    def seal_into(self, data: memoryview, buffer: memoryview, max_fragment: int) -> int:
        """Records of all of this application data; how many bytes of `buffer` they take.

        0 if it has too few, or if the key may not protect so many records more.
        """
        size, records = len(data), -(-len(data) // max_fragment)
        if size + records * OVERHEAD_13 > len(buffer) or self.sequence + records > self.record_limit:
            return 0
        encrypt_into = self.aead.encrypt_into
        header, inner_length = self.last_header
        written = 0
        for start in range(0, size, max_fragment):
            inner = b"".join((data[start : start + max_fragment], b"\x17"))
            if len(inner) != inner_length:
                inner_length = len(inner)
                header = b"\x17\x03\x03" + (inner_length + TAG_LENGTH).to_bytes(2)
                self.last_header = header, inner_length
            body = written + HEADER_LENGTH
            buffer[written:body] = header
            written = body + inner_length + TAG_LENGTH
            sequence = self.sequence
            self.sequence = sequence + 1  # before the nonce is used, lest anything could use it twice
            encrypt_into((self.iv ^ sequence).to_bytes(12), inner, header, buffer[body:written])
        return written

    def open_into(self, data: memoryview, buffer: memoryview) -> tuple[int, int]:
        """The content of whole records at the front of `data`, as far as there is room: bytes dealt with, bytes got.

        Each content type lands behind its content, where the next record's content overwrites it. Whatever is not
        plain application data (another type, padding, a bad tag) stays for `open`.
        """
        decrypt_into = self.aead.decrypt_into
        available, room = len(data), len(buffer)
        header, body_length = self.last_header
        used = received = 0
        while used + HEADER_LENGTH <= available:
            outer, version, length = _HEADER.unpack_from(data, used)
            if outer != APPLICATION_DATA or version != 0x0303:
                break
            if length != body_length:
                header, body_length = self.last_header = _HEADER.pack(APPLICATION_DATA, 0x0303, length), length
            body = used + HEADER_LENGTH
            end = body + length
            last = received + length - TAG_LENGTH - 1  # where the content type will be
            if end > available or last >= room or not received < last < received + self.max_plaintext:
                break
            nonce = (self.iv ^ self.sequence).to_bytes(12)
            try:
                decrypt_into(nonce, data[body:end], header, buffer[received : last + 1])
            except InvalidTag:
                buffer[received : last + 1] = bytes(last + 1 - received)  # nothing of a forgery stays
                break
            if buffer[last] != APPLICATION_DATA:
                break
            self.sequence += 1
            used, received = end, last
        return used, received


class Protection12:
    """AEAD protection of TLS 1.2 (RFC 5246 section 6.2.3.3): GCM (RFC 5288) and ChaCha20 (RFC 7905)."""

    __slots__ = ("_aead", "_explicit", "_iv", "epoch", "max_ciphertext", "max_plaintext", "record_limit", "sequence")

    def __init__(self, suite: Suite12, key: bytes, fixed_iv: bytes) -> None:
        self._aead = suite.aead(key)
        self._explicit = suite.explicit_nonce_length
        self._iv = int.from_bytes(fixed_iv, "big") << 8 * self._explicit
        self.sequence = 0
        self.epoch = "application"
        self.record_limit = suite.record_limit
        self.max_ciphertext = MAX_CIPHERTEXT_12
        self.max_plaintext = MAX_FRAGMENT

    def seal(self, content_type: int, fragment: Content, padding: int = 0) -> bytes:  # noqa: ARG002
        sequence = self.sequence.to_bytes(8, "big")
        nonce = (self._iv ^ self.sequence).to_bytes(12, "big")
        self.sequence += 1
        associated = b"%b%c\x03\x03%b" % (sequence, content_type, len(fragment).to_bytes(2, "big"))
        body = nonce[12 - self._explicit :] + self._aead.encrypt(nonce, fragment, associated)
        return b"%c\x03\x03%b%b" % (content_type, len(body).to_bytes(2, "big"), body)

    def open(self, header: Received, body: Received) -> Record:
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
            raise overflow("plaintext-too-long", f"a record holds {length} bytes after decryption")
        return header[0], fragment


def unexpected(code: str, message: str, rule: str = "RFC 9846 section 5") -> PeerMisbehaved:
    """The exception for a record or message that must not come now."""
    return PeerMisbehaved(AlertDescription.UNEXPECTED_MESSAGE, code, message, rule)


def overflow(code: str, message: str) -> PeerMisbehaved:
    """The exception for a record that is too long."""
    return PeerMisbehaved(AlertDescription.RECORD_OVERFLOW, code, message, "RFC 9846 section 5")

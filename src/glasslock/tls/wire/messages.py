"""Handshake messages of TLS 1.3 and TLS 1.2 (RFC 9846 section 4, RFC 5246 section 7.4).

    struct {
        HandshakeType msg_type;    /* handshake type */
        uint24 length;             /* bytes in message */
        select (Handshake.msg_type) { ... };
    } Handshake;

Each class has `type`, `parse(raw)` and `encode()`; `raw` and the result include the four-byte header.
Extensions stay bytes in a dict, keyed by code point in order of appearance, until somebody needs one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import ClassVar, Protocol, Self

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, ExtensionType, HandshakeType, KeyUpdateRequest, name_of
from .codec import Reader, decode_error, u8, u16, u16_list, u16_vector, vector8, vector16, vector24

Extensions = dict[int, bytes]

HEADER_LENGTH = 4
_EXTENSION_HEADER = Struct(">HH")  # type, length
_HELLO = Struct(">H32s")  # legacy_version, random
_CHOICES = Struct(">HB")  # cipher_suite, legacy_compression_method
_TICKET = Struct(">II")  # ticket_lifetime, ticket_age_add

# SHA-256 of "HelloRetryRequest": a ServerHello with this random is one (RFC 9846 section 4.2.3).
HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class Message(Protocol):
    """What every handshake message can do."""

    type: ClassVar[HandshakeType]

    @classmethod
    def parse(cls, raw: bytes) -> Self: ...

    def encode(self) -> bytes: ...


def frame(kind: HandshakeType, body: bytes) -> bytes:
    """A handshake message: type, length, body."""
    return b"%c%b%b" % (kind, len(body).to_bytes(3, "big"), body)


def read_extensions(reader: Reader, what: str) -> Extensions:
    """`Extension extensions<0..2^16-1>`; no type may appear twice (RFC 9846 section 4.3)."""
    data = reader.vector16()
    extensions: Extensions = {}
    position, end = 0, len(data)
    while position < end:
        start = position + _EXTENSION_HEADER.size
        if start > end:
            raise decode_error(f"an extension of {what} ends early")
        kind, length = _EXTENSION_HEADER.unpack_from(data, position)
        position = start + length
        if position > end:
            raise decode_error(f"the extension {name_of(ExtensionType, kind)} of {what} ends early")
        if kind in extensions:
            raise PeerMisbehaved(
                AlertDescription.ILLEGAL_PARAMETER,
                "duplicate-extension",
                f"{what} has the extension {name_of(ExtensionType, kind)} twice",
                "RFC 9846 section 4.3",
            )
        extensions[kind] = data[start:position]
    return extensions


def write_extensions(extensions: Extensions) -> bytes:
    """`Extension extensions<0..2^16-1>` in the order of the dict."""
    header = _EXTENSION_HEADER.pack
    return vector16(b"".join([header(kind, len(data)) + data for kind, data in extensions.items()]))


@dataclass(slots=True)
class ClientHello:
    """What the client can do (RFC 9846 section 4.2.2).

    struct {
        ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
        Random random;
        opaque legacy_session_id<0..32>;
        CipherSuite cipher_suites<2..2^16-2>;
        opaque legacy_compression_methods<1..2^8-1>;
        Extension extensions<8..2^16-1>;
    } ClientHello;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CLIENT_HELLO
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    extensions: Extensions
    legacy_version: int = 0x0303
    compression_methods: bytes = b"\x00"
    has_extensions: bool = True

    @classmethod
    def parse(cls, raw: bytes) -> ClientHello:
        reader = Reader(raw, "ClientHello", HEADER_LENGTH)
        hello = cls.read(reader)
        reader.finish()
        return hello

    @classmethod
    def read(cls, reader: Reader) -> ClientHello:
        """The message without its header, as an EncodedClientHelloInner begins (RFC 9849 section 5.1)."""
        version, random = reader.fields(_HELLO)
        session_id = reader.vector8(0, 32)
        suites = u16_list(reader.vector16(2), "the cipher suites of ClientHello")
        compression = reader.vector8(1)
        has_extensions = reader.remaining > 0  # TLS 1.2 clients may leave the whole block out
        extensions = read_extensions(reader, "ClientHello") if has_extensions else {}
        return cls(random, session_id, suites, extensions, version, compression, has_extensions)

    def encode(self) -> bytes:
        return frame(self.type, self.body())

    def body(self) -> bytes:
        """The message without its header, as EncryptedClientHello needs it too (RFC 9849 section 5.1)."""
        return b"".join(
            (
                _HELLO.pack(self.legacy_version, self.random),
                vector8(self.session_id),
                u16_vector(self.cipher_suites),
                vector8(self.compression_methods),
                write_extensions(self.extensions) if self.has_extensions else b"",
            )
        )


@dataclass(slots=True)
class ServerHello:
    """What the server chose; with a fixed random, a HelloRetryRequest (RFC 9846 sections 4.2.3, 4.2.4).

    struct {
        ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
        Random random;
        opaque legacy_session_id_echo<0..32>;
        CipherSuite cipher_suite;
        uint8 legacy_compression_method = 0;
        Extension extensions<6..2^16-1>;
    } ServerHello;
    """

    type: ClassVar[HandshakeType] = HandshakeType.SERVER_HELLO
    random: bytes
    session_id: bytes
    cipher_suite: int
    extensions: Extensions
    legacy_version: int = 0x0303
    compression_method: int = 0
    has_extensions: bool = True

    @property
    def is_retry_request(self) -> bool:
        return self.random == HELLO_RETRY_REQUEST_RANDOM

    @classmethod
    def parse(cls, raw: bytes) -> ServerHello:
        reader = Reader(raw, "ServerHello", HEADER_LENGTH)
        version, random = reader.fields(_HELLO)
        session_id = reader.vector8(0, 32)
        suite, compression = reader.fields(_CHOICES)
        has_extensions = reader.remaining > 0
        extensions = read_extensions(reader, "ServerHello") if has_extensions else {}
        reader.finish()
        return cls(random, session_id, suite, extensions, version, compression, has_extensions)

    def encode(self) -> bytes:
        return frame(
            self.type,
            b"".join(
                (
                    _HELLO.pack(self.legacy_version, self.random),
                    vector8(self.session_id),
                    _CHOICES.pack(self.cipher_suite, self.compression_method),
                    write_extensions(self.extensions) if self.has_extensions else b"",
                )
            ),
        )


@dataclass(slots=True)
class EncryptedExtensions:
    """The server's other answers, the first encrypted message (RFC 9846 section 4.4.1).

    struct { Extension extensions<0..2^16-1>; } EncryptedExtensions;
    """

    type: ClassVar[HandshakeType] = HandshakeType.ENCRYPTED_EXTENSIONS
    extensions: Extensions

    @classmethod
    def parse(cls, raw: bytes) -> EncryptedExtensions:
        reader = Reader(raw, "EncryptedExtensions", HEADER_LENGTH)
        extensions = read_extensions(reader, "EncryptedExtensions")
        reader.finish()
        return cls(extensions)

    def encode(self) -> bytes:
        return frame(self.type, write_extensions(self.extensions))


@dataclass(slots=True)
class CertificateRequest:
    """The server asks who the client is (RFC 9846 section 4.4.2).

    struct {
        opaque certificate_request_context<0..2^8-1>;
        Extension extensions<0..2^16-1>;
    } CertificateRequest;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_REQUEST
    context: bytes
    extensions: Extensions

    @classmethod
    def parse(cls, raw: bytes) -> CertificateRequest:
        reader = Reader(raw, "CertificateRequest", HEADER_LENGTH)
        context = reader.vector8()
        extensions = read_extensions(reader, "CertificateRequest")
        reader.finish()
        return cls(context, extensions)

    def encode(self) -> bytes:
        return frame(self.type, vector8(self.context) + write_extensions(self.extensions))


@dataclass(slots=True)
class CertificateEntry:
    """One certificate (DER) or raw public key with what vouches for it (RFC 9846 section 4.5.1)."""

    data: bytes
    extensions: Extensions = field(default_factory=dict)


@dataclass(slots=True)
class Certificate:
    """Who I claim to be, leaf first (RFC 9846 section 4.5.1).

    struct {
        opaque cert_data<1..2^24-1>;
        Extension extensions<0..2^16-1>;
    } CertificateEntry;

    struct {
        opaque certificate_request_context<0..2^8-1>;
        CertificateEntry certificate_list<0..2^24-1>;
    } Certificate;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE
    entries: tuple[CertificateEntry, ...]
    context: bytes = b""

    @classmethod
    def parse(cls, raw: bytes) -> Certificate:
        return cls.parse_body(raw[HEADER_LENGTH:])

    @classmethod
    def parse_body(cls, body: bytes) -> Certificate:
        """The message without its header, as a CompressedCertificate holds it (RFC 8879).

        Most peers are met again, and all connections to one then share the bytes of its chain.
        """
        context, entries = _read_certificate(body) if len(body) > _USUAL_CERTIFICATE else _read_again(body)
        return cls(tuple([CertificateEntry(data, extensions.copy()) for data, extensions in entries]), context)

    def body(self) -> bytes:
        entries = [vector24(entry.data) + write_extensions(entry.extensions) for entry in self.entries]
        return vector8(self.context) + vector24(b"".join(entries))

    def encode(self) -> bytes:
        return frame(self.type, self.body())


_USUAL_CERTIFICATE = 1 << 14  # bytes of a message that may be remembered


def _read_certificate(body: bytes) -> tuple[bytes, list[tuple[bytes, Extensions]]]:
    reader = Reader(body, "Certificate")
    context = reader.vector8()
    entries = Reader(reader.vector24(), "Certificate")
    reader.finish()
    found: list[tuple[bytes, Extensions]] = []
    while entries.remaining:
        data = entries.vector24(1)
        found.append((data, read_extensions(entries, "Certificate")))
    return context, found


_read_again = lru_cache(maxsize=128)(_read_certificate)


@dataclass(slots=True)
class CompressedCertificate:
    """A Certificate message, smaller (RFC 8879 section 4).

    struct {
        CertificateCompressionAlgorithm algorithm;
        uint24 uncompressed_length;
        opaque compressed_certificate_message<1..2^24-1>;
    } CompressedCertificate;
    """

    type: ClassVar[HandshakeType] = HandshakeType.COMPRESSED_CERTIFICATE
    algorithm: int
    uncompressed_length: int
    compressed: bytes

    @classmethod
    def parse(cls, raw: bytes) -> CompressedCertificate:
        reader = Reader(raw, "CompressedCertificate", HEADER_LENGTH)
        algorithm = reader.u16()
        length = reader.u24()
        compressed = reader.vector24(1)
        reader.finish()
        return cls(algorithm, length, compressed)

    def encode(self) -> bytes:
        length = self.uncompressed_length.to_bytes(3, "big")
        return frame(self.type, u16(self.algorithm) + length + vector24(self.compressed))


@dataclass(slots=True)
class CertificateVerify:
    """Proof that the sender holds the certificate's key (RFC 9846 section 4.5.2).

    struct {
        SignatureScheme algorithm;
        opaque signature<0..2^16-1>;
    } CertificateVerify;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_VERIFY
    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, raw: bytes) -> CertificateVerify:
        reader = Reader(raw, "CertificateVerify", HEADER_LENGTH)
        scheme = reader.u16()
        signature = reader.vector16()
        reader.finish()
        return cls(scheme, signature)

    def encode(self) -> bytes:
        return frame(self.type, u16(self.scheme) + vector16(self.signature))


@dataclass(slots=True)
class Finished:
    """A MAC over everything said so far: nobody changed it (RFC 9846 section 4.5.3).

    struct { opaque verify_data[Hash.length]; } Finished;
    """

    type: ClassVar[HandshakeType] = HandshakeType.FINISHED
    verify_data: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Finished:
        return cls(raw[HEADER_LENGTH:])

    def encode(self) -> bytes:
        return frame(self.type, self.verify_data)


@dataclass(slots=True)
class EndOfEarlyData:
    """No more 0-RTT data follows (RFC 9846 section 4.6)."""

    type: ClassVar[HandshakeType] = HandshakeType.END_OF_EARLY_DATA

    @classmethod
    def parse(cls, raw: bytes) -> EndOfEarlyData:
        Reader(raw, "EndOfEarlyData", HEADER_LENGTH).finish()
        return cls()

    def encode(self) -> bytes:
        return frame(self.type, b"")


@dataclass(slots=True)
class NewSessionTicket:
    """A pre-shared key for the next connection (RFC 9846 section 4.7.1).

    struct {
        uint32 ticket_lifetime;    /* seconds */
        uint32 ticket_age_add;
        opaque ticket_nonce<0..255>;
        opaque ticket<1..2^16-1>;
        Extension extensions<0..2^16-1>;
    } NewSessionTicket;
    """

    type: ClassVar[HandshakeType] = HandshakeType.NEW_SESSION_TICKET
    lifetime: int
    age_add: int
    nonce: bytes
    ticket: bytes
    extensions: Extensions

    @classmethod
    def parse(cls, raw: bytes) -> NewSessionTicket:
        reader = Reader(raw, "NewSessionTicket", HEADER_LENGTH)
        lifetime, age_add = reader.fields(_TICKET)
        nonce = reader.vector8()
        ticket = reader.vector16(1)
        extensions = read_extensions(reader, "NewSessionTicket")
        reader.finish()
        return cls(lifetime, age_add, nonce, ticket, extensions)

    def encode(self) -> bytes:
        return frame(
            self.type,
            b"".join(
                (
                    _TICKET.pack(self.lifetime, self.age_add),
                    vector8(self.nonce),
                    vector16(self.ticket),
                    write_extensions(self.extensions),
                )
            ),
        )


@dataclass(slots=True)
class KeyUpdate:
    """From the next record on I use new keys (RFC 9846 section 4.7.3).

    struct { KeyUpdateRequest request_update; } KeyUpdate;
    """

    type: ClassVar[HandshakeType] = HandshakeType.KEY_UPDATE
    request: int

    @classmethod
    def parse(cls, raw: bytes) -> KeyUpdate:
        reader = Reader(raw, "KeyUpdate", HEADER_LENGTH)
        request = reader.u8()
        reader.finish()
        if request not in (KeyUpdateRequest.UPDATE_NOT_REQUESTED, KeyUpdateRequest.UPDATE_REQUESTED):
            raise PeerMisbehaved(
                AlertDescription.ILLEGAL_PARAMETER,
                "bad-key-update",
                f"KeyUpdate asks for {request}; only 0 and 1 have a meaning",
                "RFC 9846 section 4.7.3",
            )
        return cls(request)

    def encode(self) -> bytes:
        return frame(self.type, u8(self.request))

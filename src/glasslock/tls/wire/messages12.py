"""Handshake messages as only TLS 1.2 has them (RFC 5246 section 7.4, RFC 8422, RFC 5077, RFC 6066).

ClientHello, ServerHello, CertificateVerify and Finished are those of `messages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...registry import CertificateType, HandshakeType
from .codec import Reader, decode_error, u8, u16, u16_list, u16_vector, u32, vector8, vector16, vector24
from .extensions import read_ocsp_status, write_ocsp_status
from .messages import HEADER_LENGTH, frame

NAMED_CURVE = 3  # the only ECCurveType in use (RFC 8422 section 5.4)


@dataclass(slots=True)
class HelloRequest:
    """The server would like to negotiate anew; nobody should (RFC 5246 section 7.4.1.1)."""

    type: ClassVar[HandshakeType] = HandshakeType.HELLO_REQUEST

    @classmethod
    def parse(cls, raw: bytes) -> HelloRequest:
        Reader(raw, "HelloRequest", HEADER_LENGTH).finish()
        return cls()

    def encode(self) -> bytes:
        return frame(self.type, b"")


@dataclass(slots=True)
class Certificate12:
    """Who I claim to be, leaf first (RFC 5246 section 7.4.2).

    struct { ASN.1Cert certificate_list<0..2^24-1>; } Certificate;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE
    chain: tuple[bytes, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Certificate12:
        reader = Reader(raw, "Certificate", HEADER_LENGTH)
        certificates = Reader(reader.vector24(), "Certificate")
        reader.finish()
        chain = []
        while certificates.remaining:
            chain.append(certificates.vector24(1))
        return cls(tuple(chain))

    def encode(self) -> bytes:
        return frame(self.type, vector24(b"".join([vector24(certificate) for certificate in self.chain])))


@dataclass(slots=True)
class RawPublicKey12(Certificate12):
    """The same with a key in place of the chain, where both sides agreed on that (RFC 7250 section 3).

    struct { opaque ASN.1_subjectPublicKeyInfo<1..2^24-1>; } Certificate;    /* empty: none */
    """

    @classmethod
    def parse(cls, raw: bytes) -> RawPublicKey12:
        reader = Reader(raw, "Certificate", HEADER_LENGTH)
        key = reader.vector24()
        reader.finish()
        return cls((key,) if key else ())

    def encode(self) -> bytes:
        return frame(self.type, vector24(b"".join(self.chain)))


def certificate12(certificate_type: int) -> type[Certificate12]:
    """The form of a TLS 1.2 Certificate message."""
    return RawPublicKey12 if certificate_type == CertificateType.RAW_PUBLIC_KEY else Certificate12


@dataclass(slots=True)
class CertificateStatus:
    """The stapled OCSP response (RFC 6066 section 8)."""

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_STATUS
    ocsp_response: bytes

    @classmethod
    def parse(cls, raw: bytes) -> CertificateStatus:
        return cls(read_ocsp_status(raw[HEADER_LENGTH:]))

    def encode(self) -> bytes:
        return frame(self.type, write_ocsp_status(self.ocsp_response))


@dataclass(slots=True)
class ServerKeyExchange:
    """The server's ECDHE share, signed with its certificate's key (RFC 8422 section 5.4).

    struct {
        ECCurveType curve_type = named_curve;
        NamedCurve namedcurve;
        opaque point<1..2^8-1>;
        SignatureScheme algorithm;
        opaque signature<0..2^16-1>;
    } ServerKeyExchange;
    """

    type: ClassVar[HandshakeType] = HandshakeType.SERVER_KEY_EXCHANGE
    group: int
    share: bytes
    scheme: int
    signature: bytes

    @classmethod
    def parse(cls, raw: bytes) -> ServerKeyExchange:
        reader = Reader(raw, "ServerKeyExchange", HEADER_LENGTH)
        if reader.u8() != NAMED_CURVE:
            raise decode_error("ServerKeyExchange names no curve", "RFC 8422 section 5.4")
        group = reader.u16()
        share = reader.vector8(1)
        scheme = reader.u16()
        signature = reader.vector16()
        reader.finish()
        return cls(group, share, scheme, signature)

    @staticmethod
    def parameters(group: int, share: bytes) -> bytes:
        """ServerECDHParams: the part that is signed."""
        return u8(NAMED_CURVE) + u16(group) + vector8(share)

    def encode(self) -> bytes:
        return frame(self.type, self.parameters(self.group, self.share) + u16(self.scheme) + vector16(self.signature))


# ClientCertificateType (RFC 5246 section 7.4.4, RFC 8422 section 5.5), and what a key for it signs.
CLIENT_CERTIFICATE_TYPES = {1: "rsa", 64: "ecdsa"}


@dataclass(slots=True)
class CertificateRequest12:
    """The server asks who the client is (RFC 5246 section 7.4.4).

    struct {
        ClientCertificateType certificate_types<1..2^8-1>;
        SignatureAndHashAlgorithm supported_signature_algorithms<2..2^16-2>;
        DistinguishedName certificate_authorities<0..2^16-1>;
    } CertificateRequest;
    """

    type: ClassVar[HandshakeType] = HandshakeType.CERTIFICATE_REQUEST
    certificate_types: tuple[int, ...]
    schemes: tuple[int, ...]
    authorities: tuple[bytes, ...]

    @classmethod
    def parse(cls, raw: bytes) -> CertificateRequest12:
        reader = Reader(raw, "CertificateRequest", HEADER_LENGTH)
        kinds = tuple(reader.vector8(1))
        schemes = u16_list(reader.vector16(2), "the signature algorithms of CertificateRequest")
        names = Reader(reader.vector16(), "CertificateRequest")
        reader.finish()
        authorities = []
        while names.remaining:
            authorities.append(names.vector16(1))
        return cls(kinds, schemes, tuple(authorities))

    def encode(self) -> bytes:
        names = b"".join([vector16(name) for name in self.authorities])
        return frame(self.type, vector8(bytes(self.certificate_types)) + u16_vector(self.schemes) + vector16(names))


@dataclass(slots=True)
class ServerHelloDone:
    """The server's turn ends (RFC 5246 section 7.4.5)."""

    type: ClassVar[HandshakeType] = HandshakeType.SERVER_HELLO_DONE

    @classmethod
    def parse(cls, raw: bytes) -> ServerHelloDone:
        Reader(raw, "ServerHelloDone", HEADER_LENGTH).finish()
        return cls()

    def encode(self) -> bytes:
        return frame(self.type, b"")


@dataclass(slots=True)
class ClientKeyExchange:
    """The client's half: an ECDHE share behind one length byte, or an RSA-encrypted secret behind two.

    Which of the two depends on the cipher suite, so the body stays bytes (RFC 8422 section 5.7,
    RFC 5246 section 7.4.7.1).
    """

    type: ClassVar[HandshakeType] = HandshakeType.CLIENT_KEY_EXCHANGE
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> ClientKeyExchange:
        return cls(raw[HEADER_LENGTH:])

    def encode(self) -> bytes:
        return frame(self.type, self.body)

    @classmethod
    def with_share(cls, share: bytes) -> ClientKeyExchange:
        return cls(vector8(share))

    def share(self) -> bytes:
        reader = Reader(self.body, "ClientKeyExchange")
        share = reader.vector8(1)
        reader.finish()
        return share

    @classmethod
    def with_encrypted_secret(cls, ciphertext: bytes) -> ClientKeyExchange:
        return cls(vector16(ciphertext))

    def encrypted_secret(self) -> bytes:
        reader = Reader(self.body, "ClientKeyExchange")
        ciphertext = reader.vector16(1)
        reader.finish()
        return ciphertext


@dataclass(slots=True)
class NewSessionTicket12:
    """What the client needs to resume (RFC 5077 section 3.3); an empty ticket means: never mind."""

    type: ClassVar[HandshakeType] = HandshakeType.NEW_SESSION_TICKET
    lifetime: int  # seconds
    ticket: bytes

    @classmethod
    def parse(cls, raw: bytes) -> NewSessionTicket12:
        reader = Reader(raw, "NewSessionTicket", HEADER_LENGTH)
        lifetime = reader.u32()
        ticket = reader.vector16()
        reader.finish()
        return cls(lifetime, ticket)

    def encode(self) -> bytes:
        return frame(self.type, u32(self.lifetime) + vector16(self.ticket))

"""Every handshake message as a table, beside the presentation block of its standard.

TLS 1.3 and 1.2 give some messages the same number and another form; `MESSAGES_13` and `MESSAGES_12` hold
each version's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from glasslock.registry import (
    CertificateCompressionAlgorithm,
    CipherSuite,
    HandshakeType,
    KeyUpdateRequest,
    NamedGroup,
    ProtocolVersion,
    SignatureScheme,
)

from .dissect_extensions import Extensions, Place
from .dissect_parts import Bytes, Either, Group, List, Number, Opaque, Parts
from .dissect_shared import CERTIFICATE_STATUS
from .dissect_show import certificate, code, distinguished_name, hexadecimal_number, seconds, word

# SHA-256 of "HelloRetryRequest": the random that turns a ServerHello into one (RFC 9846 section 4.2.3).
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_DOWNGRADES = {
    b"DOWNGRD\x01": "the server could have spoken TLS 1.3, but was asked for 1.2",
    b"DOWNGRD\x00": "the server could have spoken TLS 1.2 or newer, but was asked for less",
}


def server_random(data: bytes) -> str:
    """Show the server's random, and what its last bytes may say (RFC 9846 section 4.2.3)."""
    if data == RETRY_RANDOM:
        return f"{data.hex()} (SHA-256 of “HelloRetryRequest”)"
    warning = _DOWNGRADES.get(data[-8:])
    return f"{data.hex()} ({warning})" if warning else data.hex()


@dataclass(frozen=True, slots=True)
class Message:
    """One handshake message: its name in the standard, its body, and what it is for."""

    name: str
    parts: Parts
    note: str


_LEGACY_VERSION = "Always TLS 1.2 since TLS 1.3: old middleboxes stumble over anything newer."
_SUITE = Number("cipher_suite", 2, show=code(CipherSuite))

# struct {
#     ProtocolVersion legacy_version = 0x0303;
#     Random random;
#     opaque legacy_session_id<0..32>;
#     CipherSuite cipher_suites<2..2^16-2>;
#     opaque legacy_compression_methods<1..2^8-1>;
#     Extension extensions<8..2^16-1>;
# } ClientHello                                                                     (RFC 9846 section 4.2.2)
CLIENT_HELLO = Message(
    "ClientHello",
    (
        Number("legacy_version", 2, _LEGACY_VERSION, code(ProtocolVersion)),
        Bytes("random", 32, "Fresh for each connection, so that no two are alike and none can be replayed."),
        Opaque("legacy_session_id", 1, "Means nothing in TLS 1.3; filled so that it looks like a TLS 1.2 hello."),
        List("cipher_suites", 2, _SUITE, "The ciphers that this client can use, best first."),
        Opaque("legacy_compression_methods", 1, "Always “none”: compressing secrets gives them away (CRIME)."),
        Extensions(Place.CLIENT_HELLO, optional=True),
    ),
    "The client says what it can do, and makes a first offer of keys. Unless it travels inside another one, "
    "everyone on the path can read this.",
)


def _hello_of_server(name: str, place: Place, note: str) -> Message:
    # struct {
    #     ProtocolVersion legacy_version = 0x0303;
    #     Random random;
    #     opaque legacy_session_id_echo<0..32>;
    #     CipherSuite cipher_suite;
    #     uint8 legacy_compression_method = 0;
    #     Extension extensions<6..2^16-1>;
    # } ServerHello                                                                 (RFC 9846 section 4.2.3)
    return Message(
        name,
        (
            Number("legacy_version", 2, _LEGACY_VERSION, code(ProtocolVersion)),
            Bytes("random", 32, "The server's share of freshness.", server_random),
            Opaque("legacy_session_id_echo", 1, "What the client sent, sent back."),
            Number("cipher_suite", 2, "The one cipher that the server took.", code(CipherSuite)),
            Number("legacy_compression_method", 1, "Always 0: none."),
            Extensions(place, optional=True),
        ),
        note,
    )


SERVER_HELLO = _hello_of_server(
    "ServerHello",
    Place.SERVER_HELLO,
    "The server chooses, and adds its half of the key exchange; in TLS 1.3 all that follows is encrypted.",
)
HELLO_RETRY_REQUEST = _hello_of_server(
    "HelloRetryRequest",
    Place.HELLO_RETRY_REQUEST,
    "“I can talk with you, but please try again with another key share.” Costs one round trip.",
)

# struct { Extension extensions<0..2^16-1>; } EncryptedExtensions                   (RFC 9846 section 4.4.1)
ENCRYPTED_EXTENSIONS = Message(
    "EncryptedExtensions",
    (Extensions(Place.ENCRYPTED_EXTENSIONS),),
    "The rest of the server's answers: the first bytes that nobody between can read.",
)

# struct { opaque certificate_request_context<0..2^8-1>; Extension extensions<0..2^16-1>; } CertificateRequest
#                                                                                   (RFC 9846 section 4.4.2)
CERTIFICATE_REQUEST_13 = Message(
    "CertificateRequest",
    (
        Opaque("certificate_request_context", 1, "Ties the answer to this question; empty in the handshake."),
        Extensions(Place.CERTIFICATE_REQUEST),
    ),
    "The server asks the client to show a certificate too.",
)

# struct {
#     ClientCertificateType certificate_types<1..2^8-1>;
#     SignatureAndHashAlgorithm supported_signature_algorithms<2..2^16-2>;
#     DistinguishedName certificate_authorities<0..2^16-1>;
# } CertificateRequest                                                              (RFC 5246 section 7.4.4)
_CLIENT_CERTIFICATE_TYPES = {
    1: "rsa_sign",
    2: "dss_sign",
    64: "ecdsa_sign",
    65: "rsa_fixed_ecdh",
    66: "ecdsa_fixed_ecdh",
}
CERTIFICATE_REQUEST_12 = Message(
    "CertificateRequest",
    (
        List("certificate_types", 1, Number("type", 1, show=word(_CLIENT_CERTIFICATE_TYPES))),
        List("supported_signature_algorithms", 2, Number("scheme", 2, show=code(SignatureScheme))),
        List(
            "certificate_authorities",
            2,
            Opaque("name", 2, show=distinguished_name),
            "Whose certificates it takes.",
        ),
    ),
    CERTIFICATE_REQUEST_13.note,
)

# struct { opaque cert_data<1..2^24-1>; Extension extensions<0..2^16-1>; } CertificateEntry
# struct {
#     opaque certificate_request_context<0..2^8-1>;
#     CertificateEntry certificate_list<0..2^24-1>;
# } Certificate
#                                                                                   (RFC 9846 section 4.5.1)
CERTIFICATE_13 = Message(
    "Certificate",
    (
        Opaque("certificate_request_context", 1, "Empty unless the server asked for this certificate."),
        List(
            "certificate_list",
            3,
            Group(
                "entry",
                (
                    Opaque("cert_data", 3, "Who this is, whose key it is, and who vouches for it.", certificate),
                    Extensions(Place.CERTIFICATE, note="Proofs that belong to this certificate."),
                ),
            ),
            "The leaf first, then those who vouch for it, one after the other.",
        ),
    ),
    "The identity card. Anyone can copy a certificate: the next message proves that it is one's own.",
)

# opaque ASN.1Cert<1..2^24-1>; struct { ASN.1Cert certificate_list<0..2^24-1>; } Certificate
#                                                                                   (RFC 5246 section 7.4.2)
CERTIFICATE_12 = Message(
    "Certificate",
    (
        List(
            "certificate_list",
            3,
            Opaque("certificate", 3, "Who this is, whose key it is, and who vouches for it.", certificate),
            "The leaf first, then those who vouch for it, one after the other.",
        ),
    ),
    "The identity card; in TLS 1.2 everyone on the path can read it.",
)

# struct { SignatureScheme algorithm; opaque signature<0..2^16-1>; } CertificateVerify
#                                                        (RFC 9846 section 4.5.2, RFC 5246 section 7.4.8)
CERTIFICATE_VERIFY = Message(
    "CertificateVerify",
    (
        Number("algorithm", 2, show=code(SignatureScheme)),
        Opaque("signature", 2, "Over everything said so far: a copy of it is worth nothing in another handshake."),
    ),
    "Proof that the certificate is one's own: only the holder of its private key can make this signature.",
)

# opaque verify_data[Hash.length], in TLS 1.2 12 bytes    (RFC 9846 section 4.5.3, RFC 5246 section 7.4.9)
FINISHED = Message(
    "Finished",
    (Bytes("verify_data", None, "A keyed checksum (HMAC) over every message of the handshake."),),
    "Both sides saw the same messages, none changed, none missing, and both have the same key.",
)

# struct {
#     uint32 ticket_lifetime; uint32 ticket_age_add; opaque ticket_nonce<0..255>;
#     opaque ticket<1..2^16-1>; Extension extensions<0..2^16-1>;
# } NewSessionTicket                                                                (RFC 9846 section 4.7.1)
NEW_SESSION_TICKET_13 = Message(
    "NewSessionTicket",
    (
        Number("ticket_lifetime", 4, "At most a week.", seconds),
        Number("ticket_age_add", 4, "Hides the ticket's age from those who watch.", hexadecimal_number(8)),
        Opaque("ticket_nonce", 1, "Gives each ticket a key of its own."),
        Opaque("ticket", 2, "Readable only to the server."),
        Extensions(Place.NEW_SESSION_TICKET),
    ),
    "A ticket for next time: with it the handshake needs no certificate.",
)

# struct { uint32 ticket_lifetime_hint; opaque ticket<0..2^16-1>; } NewSessionTicket    (RFC 5077 section 3.3)
NEW_SESSION_TICKET_12 = Message(
    "NewSessionTicket",
    (Number("ticket_lifetime_hint", 4, show=seconds), Opaque("ticket", 2, "Readable only to the server.")),
    NEW_SESSION_TICKET_13.note,
)

# struct { KeyUpdateRequest request_update; } KeyUpdate                             (RFC 9846 section 4.7.3)
KEY_UPDATE = Message(
    "KeyUpdate",
    (Number("request_update", 1, "Whether the other side should change its keys too.", code(KeyUpdateRequest)),),
    "From the next record on, the sender uses new keys.",
)

# struct {} EndOfEarlyData                                                            (RFC 9846 section 4.6)
END_OF_EARLY_DATA = Message("EndOfEarlyData", (), "The early data (0-RTT) ends here.")

# struct {} HelloRequest, ServerHelloDone                              (RFC 5246 sections 7.4.1.1 and 7.4.5)
HELLO_REQUEST = Message("HelloRequest", (), "The server wishes to start over; refused here.")
SERVER_HELLO_DONE = Message("ServerHelloDone", (), "The server has said all it has to say; your turn.")

# struct {
#     ECCurveType curve_type = named_curve(3); NamedCurve namedcurve; opaque point <1..2^8-1>;
# } ServerECDHParams
# struct { opaque dh_p<1..2^16-1>; opaque dh_g<1..2^16-1>; opaque dh_Ys<1..2^16-1>; } ServerDHParams
# followed by SignatureAndHashAlgorithm and opaque signature<0..2^16-1>
#                                                        (RFC 8422 section 5.4, RFC 5246 section 7.4.3)
_SIGNATURE: Parts = (
    Number("algorithm", 2, show=code(SignatureScheme)),
    Opaque("signature", 2, "By the certificate's key, over both randoms and these parameters."),
)
SERVER_KEY_EXCHANGE = Message(
    "ServerKeyExchange",
    (
        Either(
            "parameters",
            (
                (
                    Number("curve_type", 1, show=word({3: "named_curve"})),
                    Number("namedcurve", 2, show=code(NamedGroup)),
                    Opaque("public", 1, "The public half of a key made for this connection."),
                    *_SIGNATURE,
                ),
                (
                    Opaque("dh_p", 2, "The prime to calculate with."),
                    Opaque("dh_g", 2, "The generator."),
                    Opaque("dh_Ys", 2, "The public half of a key made for this connection."),
                    *_SIGNATURE,
                ),
            ),
        ),
    ),
    "The server's half of the key exchange, signed, so that nobody can put another in its place.",
)

# opaque ecdh_Yc<1..2^8-1>  |  EncryptedPreMasterSecret or dh_Yc, opaque<0..2^16-1>
#                                                        (RFC 8422 section 5.7, RFC 5246 section 7.4.7)
CLIENT_KEY_EXCHANGE = Message(
    "ClientKeyExchange",
    (
        Either(
            "exchange_keys",
            (
                (Opaque("ecdh_Yc", 1, "The public half of a key made for this connection."),),
                (Opaque("encrypted secret or dh_Yc", 2, "RSA: the secret, locked to the certificate's key."),),
            ),
        ),
    ),
    "The client's half of the key exchange.",
)

# struct { CertificateStatusType status_type; OCSPResponse response; } CertificateStatus  (RFC 6066 section 8)
STATUS = Message("CertificateStatus", CERTIFICATE_STATUS, "Proof that the certificate was not revoked.")

# struct { CertificateCompressionAlgorithm algorithm; uint24 uncompressed_length;
#          opaque compressed_certificate_message<1..2^24-1>; } CompressedCertificate     (RFC 8879 section 4)
COMPRESSED_CERTIFICATE = Message(
    "CompressedCertificate",
    (
        Number("algorithm", 2, show=code(CertificateCompressionAlgorithm)),
        Number("uncompressed_length", 3, "In bytes; the receiver does not unpack more than that."),
        Opaque("compressed_certificate_message", 3),
    ),
    "A Certificate message, packed.",
)

# The hash of the first ClientHello, which stands for it after a retry; never sent    (RFC 9846 section 4.1)
MESSAGE_HASH = Message("message_hash", (Bytes("hash"),), "Stands for the first ClientHello in the transcript.")

_COMMON: dict[int, Message] = {
    HandshakeType.CLIENT_HELLO: CLIENT_HELLO,
    HandshakeType.SERVER_HELLO: SERVER_HELLO,
    HandshakeType.CERTIFICATE_VERIFY: CERTIFICATE_VERIFY,
    HandshakeType.FINISHED: FINISHED,
    HandshakeType.MESSAGE_HASH: MESSAGE_HASH,
    # These exist in one version only; found in the other they are still named for what they are.
    HandshakeType.ENCRYPTED_EXTENSIONS: ENCRYPTED_EXTENSIONS,
    HandshakeType.END_OF_EARLY_DATA: END_OF_EARLY_DATA,
    HandshakeType.KEY_UPDATE: KEY_UPDATE,
    HandshakeType.COMPRESSED_CERTIFICATE: COMPRESSED_CERTIFICATE,
    HandshakeType.HELLO_REQUEST: HELLO_REQUEST,
    HandshakeType.SERVER_KEY_EXCHANGE: SERVER_KEY_EXCHANGE,
    HandshakeType.SERVER_HELLO_DONE: SERVER_HELLO_DONE,
    HandshakeType.CLIENT_KEY_EXCHANGE: CLIENT_KEY_EXCHANGE,
    HandshakeType.CERTIFICATE_STATUS: STATUS,
}
MESSAGES_13 = _COMMON | {
    HandshakeType.CERTIFICATE: CERTIFICATE_13,
    HandshakeType.CERTIFICATE_REQUEST: CERTIFICATE_REQUEST_13,
    HandshakeType.NEW_SESSION_TICKET: NEW_SESSION_TICKET_13,
}
MESSAGES_12 = _COMMON | {
    HandshakeType.CERTIFICATE: CERTIFICATE_12,
    HandshakeType.CERTIFICATE_REQUEST: CERTIFICATE_REQUEST_12,
    HandshakeType.NEW_SESSION_TICKET: NEW_SESSION_TICKET_12,
}

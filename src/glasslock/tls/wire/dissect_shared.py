"""What several extensions and messages share, and the three larger structures that travel in one:
key shares, Encrypted Client Hello and QUIC's transport parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from glasslock.registry import CertificateType, NamedGroup, ProtocolVersion, SignatureScheme

from .dissect_parts import (
    Bytes,
    Field,
    Group,
    List,
    Number,
    Opaque,
    Part,
    Parts,
    Reader,
    Sized,
    Switch,
    read_items,
)
from .dissect_show import code, hexadecimal_number, ocsp_response, sct_time, text, word

SCHEME = Number("scheme", 2, show=code(SignatureScheme))
GROUP = Number("group", 2, show=code(NamedGroup))
VERSION = Number("version", 2, show=code(ProtocolVersion))
CERTIFICATE_TYPE = Number("type", 1, show=code(CertificateType))
STATUS_TYPE = Number("status_type", 1, "Which kind of status: OCSP is the only one.", word({1: "ocsp"}))

# struct { CertificateStatusType status_type; opaque OCSPResponse<1..2^24-1>; } CertificateStatus
# (RFC 6066 section 8)
CERTIFICATE_STATUS: Parts = (
    STATUS_TYPE,
    Opaque("response", 3, "The issuer's own signed word, fetched by the server beforehand.", ocsp_response),
)

# struct { ProtocolName name<1..2^8-1>; } ProtocolNameList<2..2^16-1>
# (RFC 7301 section 3.1)
PROTOCOLS: Parts = (List("protocols", 2, Opaque("protocol", 1, show=text), "In order of preference."),)

# SignatureScheme supported_signature_algorithms<2..2^16-2>  (RFC 9846 section 4.3.3)
SCHEMES: Parts = (List("schemes", 2, SCHEME, "In order of preference."),)

# struct { Version sct_version; LogID id; uint64 timestamp; CtExtensions extensions; digitally-signed … }
# SerializedSCT sct_list<1..2^16-1>  (RFC 6962 sections 3.2 and 3.3)
SCT = Sized(
    "sct",
    2,
    (
        Number("version", 1, show=word({0: "v1"})),
        Bytes("log_id", 32, "SHA-256 of the log's public key: which log."),
        Number("timestamp", 8, "When the log saw the certificate.", sct_time),
        Opaque("extensions", 2),
        Number("algorithm", 2, show=code(SignatureScheme)),
        Opaque("signature", 2, "The log's promise to publish the certificate, signed."),
    ),
)
SCT_LIST: Parts = (List("sct_list", 2, SCT, "One promise for each log."),)

# --- key shares -------------------------------------------------------------------------------------


def key_share(*, of_client: bool) -> Part:
    """struct { NamedGroup group; opaque key_exchange<1..2^16-1>; } KeyShareEntry  (RFC 9846 section 4.3.8).

    A hybrid share is two shares glued together (RFC 10024 section 4): from the client an ML-KEM
    encapsulation key, from the server the ciphertext made with it.
    """
    kem = "encapsulation key" if of_client else "ciphertext"
    kem_note = (
        "The public key that the server locks a secret to; no quantum computer is known to open it."
        if of_client
        else "A secret locked to the client's ML-KEM key."
    )
    size768, size1024 = (1184, 1568) if of_client else (1088, 1568)
    ml_kem_768 = Bytes(f"ML-KEM-768 {kem}", size768, kem_note)
    ml_kem_1024 = Bytes(f"ML-KEM-1024 {kem}", size1024, kem_note)
    note = "The public half of a key that is made for this connection and thrown away after it."
    hybrids: dict[int, Parts] = {
        NamedGroup.X25519MLKEM768: (ml_kem_768, Bytes("X25519 public key", 32, note)),
        NamedGroup.SECP256R1MLKEM768: (Bytes("P-256 public key", 65, note), ml_kem_768),
        NamedGroup.SECP384R1MLKEM1024: (Bytes("P-384 public key", 97, note), ml_kem_1024),
    }
    cases: dict[int, Parts] = {
        group: (Sized("key_exchange", 2, parts, "Two public values, one classical and one post-quantum."),)
        for group, parts in hybrids.items()
    }
    return Switch("key share", GROUP, cases, (Opaque("key_exchange", 2, note),))


# --- Encrypted Client Hello -------------------------------------------------------------------------

KEMS = {
    0x0010: "DHKEM(P-256, HKDF-SHA256)",
    0x0011: "DHKEM(P-384, HKDF-SHA384)",
    0x0012: "DHKEM(P-521, HKDF-SHA512)",
    0x0020: "DHKEM(X25519, HKDF-SHA256)",
    0x0021: "DHKEM(X448, HKDF-SHA512)",
}
KDFS = {1: "HKDF-SHA256", 2: "HKDF-SHA384", 3: "HKDF-SHA512"}
AEADS = {1: "AES-128-GCM", 2: "AES-256-GCM", 3: "ChaCha20Poly1305"}

# struct { HpkeKdfId kdf_id; HpkeAeadId aead_id; } HpkeSymmetricCipherSuite
# (RFC 9849 section 4)
HPKE_SUITE = Group(
    "cipher_suite",
    (Number("kdf_id", 2, show=word(KDFS, 4)), Number("aead_id", 2, show=word(AEADS, 4))),
    "How the inner ClientHello is locked.",
)

# struct { uint16 version; uint16 length; select (version) { case 0xfe0d: ECHConfigContents; }; } ECHConfig
ECH_CONFIG = Switch(
    "ECHConfig",
    Number("version", 2, show=hexadecimal_number(4)),
    {
        0xFE0D: (
            Sized(
                "contents",
                2,
                (
                    Number("config_id", 1, "A short name for the key."),
                    Number("kem_id", 2, show=word(KEMS, 4)),
                    Opaque("public_key", 2, "The key that clients lock their real ClientHello to."),
                    List("cipher_suites", 2, HPKE_SUITE),
                    Number("maximum_name_length", 1, "How far clients pad names, so that length tells nothing."),
                    Opaque("public_name", 1, "The name that everyone on the path may see.", text),
                    List(
                        "extensions",
                        2,
                        Group("extension", (Number("type", 2, show=hexadecimal_number(4)), Opaque("data", 2))),
                    ),
                ),
            ),
        )
    },
    (Opaque("contents", 2, "A version that is not known here."),),
)

# struct { ECHClientHelloType type; select (type) { case outer: …; case inner: Empty; }; } ECHClientHello
# (RFC 9849 section 5)
ECH_OFFER = Switch(
    "ECHClientHello",
    Number("type", 1, "outer: for everyone's eyes; inner: the real one.", word({0: "outer", 1: "inner"})),
    {
        0: (
            HPKE_SUITE,
            Number("config_id", 1, "Which of the server's keys was used."),
            Opaque("enc", 2, "The client's half of the key agreement that locks the payload."),
            Opaque("payload", 2, "The real ClientHello, encrypted: only the server can read the name in it."),
        ),
        1: (),
    },
    (Bytes("data"),),
)

# --- QUIC -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Varint:
    """A QUIC variable-length integer: the two highest bits give the length (RFC 9000 section 16)."""

    name: str

    def read(self, r: Reader) -> Field:
        start = r.position
        first = r.take(1)
        size = 1 << (first[0] >> 6)
        number = int.from_bytes(bytes([first[0] & 0x3F]) + r.take(size - 1), "big")
        return Field(self.name, str(number), start, size)


@dataclass(frozen=True, slots=True)
class QuicParameter:
    """`Transport Parameter { ID (i), Length (i), Value (..) }` (RFC 9000 section 18)."""

    def read(self, r: Reader) -> Field:
        start = r.position
        number = Varint("id").read(r)
        length = Varint("length").read(r)
        data = Bytes("value", int(length.value)).read(r)
        children = (number, length, data) if data.length else (number, length)
        return Field("parameter", number.value, start, r.position - start, children=children)


@dataclass(frozen=True, slots=True)
class QuicParameters:
    """`Transport Parameters { Transport Parameter (..) ... }`."""

    def read(self, r: Reader) -> Field:
        start = r.position
        items = read_items(r.window(r.left), QuicParameter())
        return Field("parameters", f"{len(items)} in all", start, r.position - start, children=items)

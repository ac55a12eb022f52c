"""Every extension as a table: what its bytes mean in the message that it stands in.

The same code point means different things in different places: a ClientHello offers several values, the
answer (ServerHello, EncryptedExtensions, Certificate) takes one. Each `Extension` has a form for both, and
`elsewhere` for the messages that differ again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from glasslock.registry import (
    CertificateCompressionAlgorithm,
    ExtensionType,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    SignatureScheme,
)

from .dissect_parts import Bytes, Field, Group, List, Number, Opaque, Parts, Reader, read_parts
from .dissect_shared import (
    CERTIFICATE_STATUS,
    CERTIFICATE_TYPE,
    ECH_CONFIG,
    ECH_OFFER,
    GROUP,
    PROTOCOLS,
    SCHEMES,
    SCT_LIST,
    STATUS_TYPE,
    VERSION,
    QuicParameters,
    key_share,
)
from .dissect_show import code, distinguished_name, hexadecimal_number, seconds, text, word, zeros

if TYPE_CHECKING:
    from collections.abc import Mapping


class Place(Enum):
    """The message that an extension stands in."""

    CLIENT_HELLO = auto()
    SERVER_HELLO = auto()
    HELLO_RETRY_REQUEST = auto()
    ENCRYPTED_EXTENSIONS = auto()
    CERTIFICATE = auto()
    CERTIFICATE_REQUEST = auto()
    NEW_SESSION_TICKET = auto()


@dataclass(frozen=True, slots=True)
class Extension:
    """What an extension is for, and how its bytes read where it is offered and where it is answered."""

    note: str
    offer: Parts = ()
    answer: Parts = ()
    elsewhere: Mapping[Place, Parts] = field(default_factory=dict)

    def parts(self, place: Place) -> Parts:
        offers = place in (Place.CLIENT_HELLO, Place.CERTIFICATE_REQUEST, Place.NEW_SESSION_TICKET)
        return self.elsewhere.get(place, self.offer if offers else self.answer)


@dataclass(frozen=True, slots=True)
class Extensions:
    """`Extension extensions<..2^16-1>`: type, length and data of each (RFC 9846 section 4.3)."""

    place: Place
    name: str = "extensions"
    note: str = "Everything that was added to TLS since 1999 travels here."
    optional: bool = False  # TLS 1.2 may leave the whole list out (RFC 5246 section 7.4.1.2)

    def read(self, r: Reader) -> Field:
        if self.optional and not r.left:
            return Field(self.name, "(absent)", r.position, 0, self.note)
        extensions = List(self.name, 2, OneExtension(self.place), self.note).read(r)
        names = [child.name for child in extensions.children[1:]]
        return replace(extensions, value=", ".join(names) or "(none)")


@dataclass(frozen=True, slots=True)
class OneExtension:
    """`struct { ExtensionType extension_type; opaque extension_data<0..2^16-1>; } Extension`."""

    place: Place

    def read(self, r: Reader) -> Field:
        start = r.position
        number = r.number(2)
        size = r.number(2)
        known = EXTENSIONS.get(number)
        window = r.window(size)
        if known is None:
            name, note = _unknown(number)
            body: tuple[Field, ...] = (Field("data", window.take(size).hex(), start + 4, size),) if size else ()
        else:
            name, note = ExtensionType(number).name.lower(), known.note
            body = read_parts(window, known.parts(self.place))
        value = ", ".join(part.value for part in body) if body else "(empty)"
        head = (
            Field("extension_type", code(ExtensionType)(number), start, 2),
            Field("length", str(size), start + 2, 2),
        )
        return Field(name, value, start, 4 + size, note, (*head, *body))


def _unknown(number: int) -> tuple[str, str]:
    shown = code(ExtensionType)(number)
    if shown.startswith("grease"):
        return (
            "grease",
            "A value that means nothing: it keeps servers used to ignoring what they do not know.",
        )
    return f"extension 0x{number:04x}", "Not known here; a peer that does not know an extension ignores it."


EXTENSIONS: dict[int, Extension] = {
    # struct { NameType name_type; select (name_type) { case host_name: HostName; } name; } ServerName
    # ServerName server_name_list<1..2^16-1>  (RFC 6066 section 3)
    ExtensionType.SERVER_NAME: Extension(
        "Which site is wanted, so that one address can serve many; in an open hello everyone on the path can read it.",
        offer=(
            List(
                "server_name_list",
                2,
                Group(
                    "server_name",
                    (Number("name_type", 1, show=word({0: "host_name"})), Opaque("host_name", 2, show=text)),
                    title=1,
                ),
            ),
        ),
    ),
    # enum { 2^9(1), 2^10(2), 2^11(3), 2^12(4) } MaxFragmentLength  (RFC 6066 section 4)
    ExtensionType.MAX_FRAGMENT_LENGTH: Extension(
        "A wish for smaller records, from devices with little memory; record_size_limit replaced it.",
        offer=((size := Number("length", 1, show=word({n: f"{1 << (n + 8)} bytes" for n in range(1, 5)}))),),
        answer=(size,),
    ),
    # struct { CertificateStatusType status_type; OCSPStatusRequest request; }  (RFC 6066 section 8)
    ExtensionType.STATUS_REQUEST: Extension(
        "Asks for proof that the certificate was not revoked, stapled to it by the server itself.",
        offer=(
            STATUS_TYPE,
            List("responder_ids", 2, Opaque("responder", 2)),
            Opaque("request_extensions", 2),
        ),
        elsewhere={Place.CERTIFICATE: CERTIFICATE_STATUS, Place.CERTIFICATE_REQUEST: ()},
    ),
    # NamedGroup named_group_list<2..2^16-1>  (RFC 9846 section 4.3.7)
    ExtensionType.SUPPORTED_GROUPS: Extension(
        "The key exchange groups that this side can use, best first.",
        offer=(groups := List("groups", 2, GROUP, "Curves, and hybrids with ML-KEM."),),
        answer=(groups,),
    ),
    # ECPointFormat ec_point_format_list<1..2^8-1>  (RFC 8422 section 5.1.2)
    ExtensionType.EC_POINT_FORMATS: Extension(
        "How points on a curve are written; TLS 1.2 needs `uncompressed`, TLS 1.3 ignores this.",
        offer=(
            formats := List(
                "formats",
                1,
                Number(
                    "format",
                    1,
                    show=word({0: "uncompressed", 1: "compressed prime", 2: "compressed char2"}),
                ),
            ),
        ),
        answer=(formats,),
    ),
    ExtensionType.SIGNATURE_ALGORITHMS: Extension(
        "Which signatures this side can verify in the handshake; in certificates too, unless said apart.",
        offer=SCHEMES,
    ),
    # SRTPProtectionProfile profiles<2..2^16-1>; opaque srtp_mki<0..255>  (RFC 5764 section 4.1.1)
    ExtensionType.USE_SRTP: Extension(
        "For telephony over DTLS: how to protect the media afterwards.",
        offer=(
            srtp := Group(
                "srtp",
                (List("profiles", 2, Number("profile", 2, show=hexadecimal_number(4))), Opaque("mki", 1)),
            ),
        ),
        answer=(srtp,),
    ),
    # enum { peer_allowed_to_send(1), peer_not_allowed_to_send(2) } HeartbeatMode  (RFC 6520 section 2)
    ExtensionType.HEARTBEAT: Extension(
        "Keep-alive messages, known for the Heartbleed bug; not needed over TCP and never sent here.",
        offer=(mode := Number("mode", 1, show=word({1: "peer_allowed_to_send", 2: "peer_not_allowed_to_send"})),),
        answer=(mode,),
    ),
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: Extension(
        "Which protocol is spoken inside (h2 is HTTP/2), agreed without an extra round trip.",
        offer=PROTOCOLS,
        answer=PROTOCOLS,
    ),
    ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP: Extension(
        "Proof that the certificate was published in a transparency log, where its owner can see it.",
        answer=SCT_LIST,
    ),
    # CertificateType client_certificate_types<1..2^8-1>; the answer is one  (RFC 7250 section 3)
    ExtensionType.CLIENT_CERTIFICATE_TYPE: Extension(
        "What the client can show of itself: a certificate or a bare public key.",
        offer=(List("types", 1, CERTIFICATE_TYPE),),
        answer=(CERTIFICATE_TYPE,),
    ),
    ExtensionType.SERVER_CERTIFICATE_TYPE: Extension(
        "What the client accepts from the server: a certificate or a bare public key.",
        offer=(List("types", 1, CERTIFICATE_TYPE),),
        answer=(CERTIFICATE_TYPE,),
    ),
    ExtensionType.PADDING: Extension(
        "Bytes that mean nothing: they make the message a size that old middleboxes can bear.",
        offer=(Bytes("padding", show=zeros),),
    ),
    ExtensionType.ENCRYPT_THEN_MAC: Extension(
        "A repair for the CBC suites of TLS 1.2; suites with authenticated encryption do not need it."
    ),
    ExtensionType.EXTENDED_MAIN_SECRET: Extension(
        "Ties the secret of TLS 1.2 to the whole handshake, against the triple-handshake attack."
    ),
    # CertificateCompressionAlgorithm algorithms<2..2^8-2>  (RFC 8879 section 3)
    ExtensionType.COMPRESS_CERTIFICATE: Extension(
        "Certificates are big; this side can unpack compressed ones.",
        offer=(List("algorithms", 1, Number("algorithm", 2, show=code(CertificateCompressionAlgorithm))),),
    ),
    # uint16 RecordSizeLimit  (RFC 8449 section 4)
    ExtensionType.RECORD_SIZE_LIMIT: Extension(
        "The largest record, in bytes of plaintext, that this side wants to receive.",
        offer=(limit := Number("limit", 2),),
        answer=(limit,),
    ),
    # offer: SignatureScheme list; in Certificate: struct { Credential cred; SignatureScheme algorithm; opaque
    # signature<1..2^16-1>; } DelegatedCredential  (RFC 9345 section 4)
    ExtensionType.DELEGATED_CREDENTIAL: Extension(
        "A short-lived key that the certificate's owner lends to a front-end server.",
        offer=SCHEMES,
        answer=(
            Number("valid_time", 4, "How long after the certificate's start it is good.", seconds),
            Number("dc_cert_verify_algorithm", 2, show=code(SignatureScheme)),
            Opaque("public_key", 3),
            Number("algorithm", 2, show=code(SignatureScheme)),
            Opaque("signature", 2, "By the certificate's own key."),
        ),
    ),
    # the ticket itself, without a length of its own  (RFC 5077 section 3.2)
    ExtensionType.SESSION_TICKET: Extension(
        "TLS 1.2 only: a ticket from last time, or (empty) the wish for one.",
        offer=(Bytes("ticket"),),
        answer=(Bytes("ticket"),),
    ),
    # struct { PskIdentity identities<7..2^16-1>; PskBinderEntry binders<33..2^16-1>; } OfferedPsks
    # uint16 selected_identity  (RFC 9846 section 4.3.11)
    ExtensionType.PRE_SHARED_KEY: Extension(
        "A secret that both sides know already, from an earlier connection or by arrangement.",
        offer=(
            List(
                "identities",
                2,
                Group(
                    "identity",
                    (
                        Opaque("identity", 2, "The ticket: readable only to the server that made it."),
                        Number("obfuscated_ticket_age", 4, "Its age in milliseconds, plus a secret number."),
                    ),
                ),
                "Which secrets the client has.",
            ),
            List(
                "binders",
                2,
                Opaque("binder", 1, "Shows that the client really knows the secret, without saying it."),
                "One for each identity; they also seal everything before them.",
            ),
        ),
        answer=(Number("selected_identity", 2, "Which one the server took, counted from 0."),),
    ),
    # struct { select (msg_type) { case new_session_ticket: uint32 max_early_data_size; … Empty } }
    # (RFC 9846 section 4.3.10)
    ExtensionType.EARLY_DATA: Extension(
        "Data in the very first flight (0-RTT): fast, but an attacker can send it again.",
        elsewhere={Place.NEW_SESSION_TICKET: (Number("max_early_data_size", 4, "In bytes."),)},
    ),
    # ProtocolVersion versions<2..254>; the answer is one  (RFC 9846 section 4.3.1)
    ExtensionType.SUPPORTED_VERSIONS: Extension(
        "The versions really offered or chosen; the old field stays at TLS 1.2 for the sake of middleboxes.",
        offer=(List("versions", 1, VERSION, "In order of preference."),),
        answer=(Number("selected_version", 2, show=code(ProtocolVersion)),),
    ),
    # opaque cookie<1..2^16-1>  (RFC 9846 section 4.3.2)
    ExtensionType.COOKIE: Extension(
        "The server's note to itself; the client brings it back, so the server need not remember.",
        offer=(cookie := Opaque("cookie", 2),),
        answer=(cookie,),
    ),
    # PskKeyExchangeMode ke_modes<1..255>  (RFC 9846 section 4.3.9)
    ExtensionType.PSK_KEY_EXCHANGE_MODES: Extension(
        "How a resumed connection gets its keys; with a fresh exchange (psk_dhe_ke) the past stays safe.",
        offer=(List("modes", 1, Number("mode", 1, show=code(PskKeyExchangeMode))),),
    ),
    # DistinguishedName authorities<3..2^16-1>  (RFC 9846 section 4.3.4)
    ExtensionType.CERTIFICATE_AUTHORITIES: Extension(
        "Whose certificates this side would accept.",
        offer=(List("authorities", 2, Opaque("name", 2, show=distinguished_name)),),
    ),
    # struct { opaque certificate_extension_oid<1..2^8-1>; opaque certificate_extension_values<0..2^16-1>; }
    # (RFC 9846 section 4.3.5)
    ExtensionType.OID_FILTERS: Extension(
        "What the client's certificate must contain to be considered.",
        offer=(List("filters", 2, Group("filter", (Opaque("oid", 1), Opaque("values", 2)))),),
    ),
    ExtensionType.POST_HANDSHAKE_AUTH: Extension(
        "The client is willing to show a certificate later, when a page asks for it."
    ),
    ExtensionType.SIGNATURE_ALGORITHMS_CERT: Extension(
        "Which signatures this side can verify inside certificates.",
        offer=SCHEMES,
    ),
    # KeyShareEntry client_shares<0..2^16-1> / KeyShareEntry server_share / NamedGroup selected_group
    # (RFC 9846 section 4.3.8)
    ExtensionType.KEY_SHARE: Extension(
        "Each side's public half of the key exchange; what both compute from them never travels.",
        offer=(List("client_shares", 2, key_share(of_client=True)),),
        answer=(key_share(of_client=False),),
        elsewhere={
            Place.HELLO_RETRY_REQUEST: (
                Number("selected_group", 2, "Please try again with this group.", code(NamedGroup)),
            )
        },
    ),
    ExtensionType.QUIC_TRANSPORT_PARAMETERS: Extension(
        "Settings of QUIC, which runs TLS inside itself (RFC 9001 section 8.2).",
        offer=(QuicParameters(),),
        answer=(QuicParameters(),),
    ),
    # struct { uint8 new_session_count; uint8 resumption_count; }; the answer is uint8 expected_count
    # (RFC 9149 section 3)
    ExtensionType.TICKET_REQUEST: Extension(
        "How many tickets the client has use for.",
        offer=(
            Number("new_session_count", 1, "If this is a full handshake."),
            Number("resumption_count", 1, "If this one is resumed."),
        ),
        answer=(Number("expected_count", 1, "How many will come."),),
    ),
    # ExtensionType OuterExtensions<2..254>  (RFC 9849 section 5.1)
    ExtensionType.ECH_OUTER_EXTENSIONS: Extension(
        "Inside an encrypted ClientHello: these extensions are the same as outside.",
        offer=(List("extensions", 1, Number("extension", 2, show=code(ExtensionType))),),
    ),
    # ECHConfig ECHConfigList<4..2^16-1> as retry_configs; opaque confirmation[8]  (RFC 9849 section 5)
    ExtensionType.ENCRYPTED_CLIENT_HELLO: Extension(
        "Hides the name of the wanted site from everyone on the path.",
        offer=(ECH_OFFER,),
        answer=(List("retry_configs", 2, ECH_CONFIG, "The server's current keys, to try again with."),),
        elsewhere={
            Place.HELLO_RETRY_REQUEST: (
                Bytes("confirmation", 8, "Tells the client, and nobody else, that the inner hello was read."),
            )
        },
    ),
    # opaque renegotiated_connection<0..255>  (RFC 5746 section 3.2)
    ExtensionType.RENEGOTIATION_INFO: Extension(
        "TLS 1.2 only: ties a renegotiation to the connection before it.",
        offer=(renegotiated := Opaque("renegotiated_connection", 1),),
        answer=(renegotiated,),
    ),
}

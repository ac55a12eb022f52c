"""The dissector: everything that honest peers send is named; nothing that hostile peers send breaks it."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from glasslock.registry import (
    AlertDescription,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
)
from glasslock.tls.wire.dissect import Field, dissect_alert, dissect_message, dissect_record
from glasslock.tls.wire.dissect_alerts import ALERTS
from glasslock.tls.wire.dissect_extensions import EXTENSIONS, OneExtension, Place
from glasslock.tls.wire.dissect_messages import MESSAGES_12, MESSAGES_13
from glasslock.tls.wire.dissect_parts import MAX_ITEMS, Reader
from glasslock.tls.wire.dissect_show import certificate as certificate_in_words
from glasslock.tls.wire.dissect_show import distinguished_name, ocsp_response, sct_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TLS12, TLS13 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3
DAY = dt.timedelta(days=1)
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(*names: str) -> x509.Certificate:
    name = x509.Name.from_rfc4514_string("CN=localhost,O=Test")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(START + 20000 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )


CERTIFICATE = certificate("localhost", "example.test")
DER = CERTIFICATE.public_bytes(serialization.Encoding.DER)


def walk(field: Field) -> Iterator[Field]:
    yield field
    for child in field.children:
        yield from walk(child)


def find(field: Field, *path: str) -> Field:
    """The field at the end of a path of names, each looked for anywhere below the one before."""
    for name in path:
        field = next(f for f in walk(field) if f.name == name)
    return field


def assert_covered(field: Field, raw: bytes) -> None:
    assert (field.offset, field.length) == (0, len(raw))
    for parent in walk(field):
        position = parent.offset
        for child in parent.children:
            assert child.offset == position, (parent.name, child.name)
            assert child.length >= 0
            position += child.length
        if parent.children:
            assert position == parent.offset + parent.length, parent.name


def problems(field: Field) -> list[str]:
    return [f.name for f in walk(field) if f.name in ("unreadable", "unexpected bytes", "fragment")]


# --- honest peers -----------------------------------------------------------------------------------


def messages_of_openssl(
    tmp_path: Path,
    version: ssl.TLSVersion,
    curve: str | None = None,
    *,
    ask_client: bool = False,
    resume: bool = False,
) -> list[tuple[str, bytes]]:
    """Every handshake message of a real handshake between OpenSSL and itself, as the client sees them."""
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        CERTIFICATE.public_bytes(serialization.Encoding.PEM)
        + KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    server.minimum_version = server.maximum_version = version
    server.set_alpn_protocols(["h2"])
    client = ssl.create_default_context(cafile=str(pem))
    client.set_alpn_protocols(["h2", "http/1.1"])
    if curve:
        server.set_ecdh_curve(curve)
    if ask_client:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(pem)
        client.load_cert_chain(pem)
    seen: list[tuple[str, bytes]] = []

    def note(_: object, direction: str, __: int, content_type: int, ___: int, data: bytes) -> None:
        if content_type == ContentType.HANDSHAKE:
            seen.append((direction, data))

    session = None
    for _ in range(2 if resume else 1):
        seen.clear()
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client._msg_callback = note
        near = client.wrap_bio(to_client, to_server, server_hostname="localhost", session=session)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (near, far, near, far, near, far, near):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        far.write(b"hello")
        assert near.read() == b"hello"
        session = near.session
        assert near.session_reused == (resume and _ == 1)
    return seen


def names_and_check(messages: list[tuple[str, bytes]], version: int) -> list[str]:
    names = []
    for _, raw in messages:
        field = dissect_message(raw, version)
        assert_covered(field, raw)
        assert problems(field) == [], field
        names.append(field.name)
    return names


def test_a_handshake_of_tls_1_3(tmp_path: Path) -> None:
    messages = messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_3)
    assert names_and_check(messages, TLS13) == [
        "ClientHello",
        "ServerHello",
        "EncryptedExtensions",
        "Certificate",
        "CertificateVerify",
        "Finished",
        "Finished",
        "NewSessionTicket",
        "NewSessionTicket",
    ]
    hello, answer, extensions, cert = (dissect_message(raw, TLS13) for _, raw in messages[:4])
    assert find(hello, "server_name", "host_name").value == "localhost"
    assert find(hello, "application_layer_protocol_negotiation").value == "h2, http/1.1"
    assert find(hello, "supported_versions").value == "tls_1_3 (0x0304), tls_1_2 (0x0303)"
    assert find(answer, "supported_versions").value == "tls_1_3 (0x0304)"
    assert find(answer, "legacy_version").value == "tls_1_2 (0x0303)"
    assert find(answer, "cipher_suite").value == "tls_aes_256_gcm_sha384 (0x1302)"
    assert find(answer, "key_share", "group").value == "x25519 (0x001d)"
    assert find(answer, "key_share", "key_exchange", "data").length == 32
    assert find(extensions, "protocol").value == "h2"
    assert find(cert, "cert_data").value == (
        "CN=localhost,O=Test; self-signed; names localhost, example.test; "
        "valid 2026-11-01 to 2081-08-04; ECDSA key on secp256r1"
    )
    raw = messages[0][1]
    random = find(hello, "random")
    assert raw[random.offset : random.offset + random.length].hex() == random.value


def test_a_retry_in_tls_1_3(tmp_path: Path) -> None:
    messages = messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_3, "secp384r1")
    names = names_and_check(messages, TLS13)
    assert names[:4] == ["ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello"]
    retry = dissect_message(messages[1][1], TLS13)
    assert find(retry, "key_share", "selected_group").value == "secp384r1 (0x0018)"


def test_client_certificates_and_resumption_in_tls_1_3(tmp_path: Path) -> None:
    messages = messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_3, ask_client=True)
    assert names_and_check(messages, TLS13).count("Certificate") == 2
    request = next(f for _, raw in messages if (f := dissect_message(raw, TLS13)).name == "CertificateRequest")
    assert "rsa_pss_rsae_sha256 (0x0804)" in find(request, "signature_algorithms").value

    resumed = messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_3, resume=True)
    assert "Certificate" not in names_and_check(resumed, TLS13)
    hello, answer = (dissect_message(raw, TLS13) for _, raw in resumed[:2])
    assert find(hello, "pre_shared_key", "binder", "data").length == 48
    assert find(answer, "pre_shared_key", "selected_identity").value == "0"


def test_a_handshake_of_tls_1_2(tmp_path: Path) -> None:
    messages = messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_2, ask_client=True)
    assert names_and_check(messages, TLS12) == [
        "ClientHello",
        "ServerHello",
        "Certificate",
        "ServerKeyExchange",
        "CertificateRequest",
        "ServerHelloDone",
        "Certificate",
        "ClientKeyExchange",
        "CertificateVerify",
        "Finished",
        "NewSessionTicket",
        "Finished",
    ]
    answer, cert, exchange, request = (dissect_message(raw, TLS12) for _, raw in messages[1:5])
    assert "asked for 1.2" not in find(answer, "random").value
    assert find(answer, "renegotiation_info").value == "(empty)"
    assert find(cert, "certificate").value.startswith("CN=localhost,O=Test; self-signed")
    assert find(exchange, "namedcurve").value == "x25519 (0x001d)"
    assert find(exchange, "signature", "data").length > 60
    assert "ecdsa_sign (64)" in find(request, "certificate_types").value


def test_a_server_that_could_do_better_says_so(tmp_path: Path) -> None:
    raw = bytearray(messages_of_openssl(tmp_path, ssl.TLSVersion.TLSv1_2)[1][1])
    raw[30:38] = b"DOWNGRD\x01"
    assert "could have spoken TLS 1.3" in find(dissect_message(bytes(raw), TLS12), "random").value


def test_rsa_and_dhe_key_exchange_of_tls_1_2() -> None:
    rsa = message(HandshakeType.CLIENT_KEY_EXCHANGE, opaque(2, bytes(256)))
    field = dissect_message(rsa, TLS12)
    assert problems(field) == []
    assert find(field, "encrypted secret or dh_Yc", "data").length == 256
    dhe = message(
        HandshakeType.SERVER_KEY_EXCHANGE,
        opaque(2, bytes(256)) + opaque(2, b"\2") + opaque(2, bytes(256)) + b"\x08\x04" + opaque(2, bytes(64)),
    )
    field = dissect_message(dhe, TLS12)
    assert problems(field) == []
    assert find(field, "dh_g").value == "02"
    assert find(field, "algorithm").value == "rsa_pss_rsae_sha256 (0x0804)"


# --- every message and every extension --------------------------------------------------------------


def opaque(prefix: int, data: bytes) -> bytes:
    return len(data).to_bytes(prefix, "big") + data


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + opaque(3, body)


def test_every_message_has_a_description_in_both_versions() -> None:
    assert set(MESSAGES_12) == set(MESSAGES_13) == set(HandshakeType)
    for kind in HandshakeType:
        assert MESSAGES_13[kind].note
        assert MESSAGES_12[kind].note


@pytest.mark.parametrize(
    ("kind", "body", "path", "value"),
    [
        (HandshakeType.KEY_UPDATE, b"\1", ["request_update"], "update_requested (1)"),
        (HandshakeType.END_OF_EARLY_DATA, b"", [], "4 bytes"),
        (HandshakeType.HELLO_REQUEST, b"", [], "4 bytes"),
        (HandshakeType.MESSAGE_HASH, b"\xaa" * 32, ["hash"], "aa" * 32),
        (
            HandshakeType.COMPRESSED_CERTIFICATE,
            b"\0\1\0\x12\x34" + opaque(3, b"zip"),
            ["uncompressed_length"],
            str(0x1234),
        ),
    ],
)
def test_small_messages(kind: HandshakeType, body: bytes, path: list[str], value: str) -> None:
    raw = message(kind, body)
    field = dissect_message(raw, TLS13)
    assert_covered(field, raw)
    assert problems(field) == []
    assert find(field, *path).value == value


def stapled() -> bytes:
    response = ocsp.OCSPResponseBuilder().add_response(
        CERTIFICATE, CERTIFICATE, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, START, START + DAY, None, None
    )
    signed = response.responder_id(ocsp.OCSPResponderEncoding.HASH, CERTIFICATE).sign(KEY, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


def test_a_stapled_status() -> None:
    raw = message(HandshakeType.CERTIFICATE_STATUS, b"\1" + opaque(3, stapled()))
    field = dissect_message(raw, TLS12)
    assert find(field, "response").value == ("good, as of 2026-11-01 00:00:00 UTC, good until 2026-11-02 00:00:00 UTC")


def test_other_keys_and_other_answers_are_summed_up() -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    for key, shown, digest in (
        (rsa.generate_private_key(65537, 1024), "RSA key of 1024 bits", hashes.SHA256()),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519 key", None),
    ):
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(x509.Name.from_rfc4514_string("CN=CA"))
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(START)
            .not_valid_after(START + DAY)
            .sign(key, digest)
        )
        assert certificate_in_words(made.public_bytes(serialization.Encoding.DER)) == (
            f"(no subject); issued by CN=CA; valid 2026-11-01 to 2026-11-02; {shown}"
        )
    refused = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
    der = refused.public_bytes(serialization.Encoding.DER)
    assert ocsp_response(der) == "the responder gave no status: try_later"
    assert distinguished_name(b"\x30") == "cannot be parsed as a name: 30"
    assert sct_time(2**64 - 1) == f"{2**64 - 1} milliseconds since 1970"


NAME = x509.Name.from_rfc4514_string("CN=Some CA").public_bytes()
SCT = b"\0" + bytes(32) + (1_790_000_000_000).to_bytes(8, "big") + b"\0\0" + b"\4\3" + opaque(2, b"sig")
ECH_CONFIG = b"\xfe\x0d" + opaque(
    2,
    b"\7\0\x20" + opaque(2, bytes(32)) + opaque(2, b"\0\1\0\1") + b"\x40" + opaque(1, b"public.test") + b"\0\0",
)
E = ExtensionType
P = Place
# (extension, place, data, value that the dissector must find)
EXAMPLES: list[tuple[ExtensionType, Place, bytes, str]] = [
    (E.SERVER_NAME, P.CLIENT_HELLO, opaque(2, b"\0" + opaque(2, b"a.test")), "a.test"),
    (E.SERVER_NAME, P.ENCRYPTED_EXTENSIONS, b"", "(empty)"),
    (E.MAX_FRAGMENT_LENGTH, P.CLIENT_HELLO, b"\2", "1024 bytes (2)"),
    (E.STATUS_REQUEST, P.CLIENT_HELLO, b"\1\0\0\0\0", "ocsp (1), (empty), (empty)"),
    (E.STATUS_REQUEST, P.SERVER_HELLO, b"", "(empty)"),
    (
        E.STATUS_REQUEST,
        P.CERTIFICATE,
        b"\1" + opaque(3, b"\x30"),
        "ocsp (1), cannot be parsed as an OCSP response: 30",
    ),
    (
        E.SUPPORTED_GROUPS,
        P.CLIENT_HELLO,
        opaque(2, b"\x11\xec\0\x1d"),
        "x25519mlkem768 (0x11ec), x25519 (0x001d)",
    ),
    (E.EC_POINT_FORMATS, P.SERVER_HELLO, opaque(1, b"\0"), "uncompressed (0)"),
    (E.SIGNATURE_ALGORITHMS, P.CERTIFICATE_REQUEST, opaque(2, b"\x08\x07"), "ed25519 (0x0807)"),
    (E.USE_SRTP, P.CLIENT_HELLO, opaque(2, b"\0\1") + b"\0", "0x0001"),
    (E.HEARTBEAT, P.CLIENT_HELLO, b"\1", "peer_allowed_to_send (1)"),
    (E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, P.ENCRYPTED_EXTENSIONS, opaque(2, opaque(1, b"h2")), "h2"),
    (E.SIGNED_CERTIFICATE_TIMESTAMP, P.CERTIFICATE, opaque(2, opaque(2, SCT)), "v1 (0)"),
    (E.CLIENT_CERTIFICATE_TYPE, P.CLIENT_HELLO, opaque(1, b"\2\0"), "raw_public_key (2), x509 (0)"),
    (E.SERVER_CERTIFICATE_TYPE, P.ENCRYPTED_EXTENSIONS, b"\2", "raw_public_key (2)"),
    (E.PADDING, P.CLIENT_HELLO, bytes(9), "9 zero bytes"),
    (E.ENCRYPT_THEN_MAC, P.CLIENT_HELLO, b"", "(empty)"),
    (E.EXTENDED_MAIN_SECRET, P.SERVER_HELLO, b"", "(empty)"),
    (E.COMPRESS_CERTIFICATE, P.CLIENT_HELLO, opaque(1, b"\0\1\0\2"), "zlib (1), brotli (2)"),
    (E.RECORD_SIZE_LIMIT, P.ENCRYPTED_EXTENSIONS, b"\x40\x01", "16385"),
    (E.DELEGATED_CREDENTIAL, P.CLIENT_HELLO, opaque(2, b"\4\3"), "ecdsa_secp256r1_sha256 (0x0403)"),
    (
        E.DELEGATED_CREDENTIAL,
        P.CERTIFICATE,
        (86400).to_bytes(4, "big") + b"\4\3" + opaque(3, b"k") + b"\4\3" + opaque(2, b"s"),
        "86400 seconds (1 day), ecdsa_secp256r1_sha256 (0x0403), 6b, ecdsa_secp256r1_sha256 (0x0403), 73",
    ),
    (E.SESSION_TICKET, P.CLIENT_HELLO, b"\xab", "ab"),
    (
        E.PRE_SHARED_KEY,
        P.CLIENT_HELLO,
        opaque(2, opaque(2, b"id") + bytes(4)) + opaque(2, opaque(1, b"\xbb" * 32)),
        f"{b'id'.hex()}, {'bb' * 32}",
    ),
    (E.PRE_SHARED_KEY, P.SERVER_HELLO, b"\0\1", "1"),
    (E.EARLY_DATA, P.CLIENT_HELLO, b"", "(empty)"),
    (E.EARLY_DATA, P.NEW_SESSION_TICKET, b"\0\0\x40\0", "16384"),
    (E.SUPPORTED_VERSIONS, P.CLIENT_HELLO, opaque(1, b"\x1a\x1a\3\4"), "grease (0x1a1a), tls_1_3 (0x0304)"),
    (E.COOKIE, P.HELLO_RETRY_REQUEST, opaque(2, b"\xc0"), "c0"),
    (E.PSK_KEY_EXCHANGE_MODES, P.CLIENT_HELLO, opaque(1, b"\1"), "psk_dhe_ke (1)"),
    (E.CERTIFICATE_AUTHORITIES, P.CERTIFICATE_REQUEST, opaque(2, opaque(2, NAME)), "CN=Some CA"),
    (E.OID_FILTERS, P.CERTIFICATE_REQUEST, opaque(2, opaque(1, b"\x55") + opaque(2, b"\1")), "55"),
    (E.POST_HANDSHAKE_AUTH, P.CLIENT_HELLO, b"", "(empty)"),
    (E.SIGNATURE_ALGORITHMS_CERT, P.CLIENT_HELLO, opaque(2, b"\x09\x05"), "mldsa65 (0x0905)"),
    (E.KEY_SHARE, P.SERVER_HELLO, b"\0\x1d" + opaque(2, bytes(32)), "x25519 (0x001d)"),
    (E.KEY_SHARE, P.HELLO_RETRY_REQUEST, b"\0\x17", "secp256r1 (0x0017)"),
    (E.QUIC_TRANSPORT_PARAMETERS, P.CLIENT_HELLO, b"\4\4\x80\x0f\x42\x40\x40\xff\0", "2 in all"),
    (E.TICKET_REQUEST, P.CLIENT_HELLO, b"\2\1", "2, 1"),
    (E.TICKET_REQUEST, P.ENCRYPTED_EXTENSIONS, b"\2", "2"),
    (E.ECH_OUTER_EXTENSIONS, P.CLIENT_HELLO, opaque(1, b"\0\x0a"), "supported_groups (0x000a)"),
    (
        E.ENCRYPTED_CLIENT_HELLO,
        P.CLIENT_HELLO,
        b"\0\0\1\0\1\7" + opaque(2, bytes(32)) + opaque(2, bytes(99)),
        "outer (0)",
    ),
    (E.ENCRYPTED_CLIENT_HELLO, P.CLIENT_HELLO, b"\1", "inner (1)"),
    (E.ENCRYPTED_CLIENT_HELLO, P.ENCRYPTED_EXTENSIONS, opaque(2, ECH_CONFIG), "0xfe0d"),
    (E.ENCRYPTED_CLIENT_HELLO, P.HELLO_RETRY_REQUEST, bytes(8), "00" * 8),
    (E.RENEGOTIATION_INFO, P.CLIENT_HELLO, b"\0", "(empty)"),
]


def test_every_extension_has_a_description_and_an_example() -> None:
    assert set(EXTENSIONS) == set(ExtensionType) == {kind for kind, *_ in EXAMPLES}
    assert all(known.note for known in EXTENSIONS.values())


@pytest.mark.parametrize(("kind", "place", "data", "value"), EXAMPLES)
def test_extensions(kind: ExtensionType, place: Place, data: bytes, value: str) -> None:
    raw = kind.to_bytes(2, "big") + opaque(2, data)
    field = OneExtension(place).read(Reader(raw, 0, len(raw)))
    assert_covered(field, raw)
    assert problems(field) == []
    assert (field.name, field.value) == (kind.name.lower(), value)


@pytest.mark.parametrize(("kind", "place", "data", "value"), EXAMPLES)
def test_extensions_cut_short_and_too_long_are_shown_as_such(
    kind: ExtensionType, place: Place, data: bytes, value: str
) -> None:
    assert value
    longer = kind.to_bytes(2, "big") + opaque(2, data + b"\xff\xff\xff")
    shorter = kind.to_bytes(2, "big") + opaque(2, data[:-1])
    for raw in (longer, shorter):
        field = OneExtension(place).read(Reader(raw, 0, len(raw)))
        assert_covered(field, raw)
        if raw is shorter and not data:
            assert problems(field) == []
        elif kind not in (E.PADDING, E.SESSION_TICKET):  # any bytes are a padding or a ticket
            assert problems(field), field


def test_a_hybrid_key_share_shows_both_halves() -> None:
    for place, kem, size in (
        (Place.CLIENT_HELLO, "ML-KEM-768 encapsulation key", 1184),
        (Place.SERVER_HELLO, "ML-KEM-768 ciphertext", 1088),
    ):
        share = NamedGroup.X25519MLKEM768.to_bytes(2, "big") + opaque(2, bytes(size + 32))
        data = opaque(2, share) if place is Place.CLIENT_HELLO else share
        raw = E.KEY_SHARE.to_bytes(2, "big") + opaque(2, data)
        field = OneExtension(place).read(Reader(raw, 0, len(raw)))
        assert problems(field) == []
        assert find(field, kem).length == size
        assert find(field, "X25519 public key").length == 32


def test_unknown_extensions_and_grease_are_named() -> None:
    raw = b"\x7a\x7a\0\1x"
    field = OneExtension(Place.CLIENT_HELLO).read(Reader(raw, 0, len(raw)))
    assert (field.name, field.value) == ("grease", "78")
    raw = b"\x12\x34\0\0"
    field = OneExtension(Place.CLIENT_HELLO).read(Reader(raw, 0, len(raw)))
    assert (field.name, field.value) == ("extension 0x1234", "(empty)")


# --- records and alerts -----------------------------------------------------------------------------


def test_every_alert_has_a_meaning() -> None:
    assert set(ALERTS) == set(AlertDescription)
    field = dissect_alert(b"\2\x2a")
    assert field.value == "bad_certificate"
    assert [child.value for child in field.children] == ["fatal (2)", "bad_certificate (42)"]
    assert field.note == ALERTS[42]


def test_records() -> None:
    two = message(20, bytes(32)) * 2
    field = dissect_record(b"\x16\3\3" + opaque(2, two))
    assert [child.name for child in field.children] == [
        "type",
        "legacy_record_version",
        "length",
        "Finished",
        "Finished",
    ]
    assert find(dissect_record(b"\x16\3\3" + opaque(2, two), protected=True), "encrypted_record").length == len(two)
    assert find(dissect_record(b"\x17\3\3\0\1x"), "encrypted_record").value == "78"
    assert find(dissect_record(b"\x15\3\3\0\2\1\0"), "alert").value == "close_notify"
    assert find(dissect_record(b"\x14\3\3\0\1\1"), "data").value == "01"
    assert find(dissect_record(b"\x16\3\3" + opaque(2, two[:-1])), "fragment").length == len(two) // 2 - 1
    assert problems(dissect_record(b"\x16\3\3\0\x05ab")) == ["unreadable"]
    assert problems(dissect_record(b"\x15\3\3\0\2\1\0more")) == ["unexpected bytes"]


# --- hostile peers ----------------------------------------------------------------------------------

versions = st.sampled_from([TLS12, TLS13, 0, 0xFFFF])


@given(st.binary(max_size=300), versions)
def test_any_bytes_as_anything(raw: bytes, version: int) -> None:
    assert_covered(dissect_message(raw, version), raw)
    assert_covered(dissect_record(raw, version), raw)
    assert_covered(dissect_alert(raw), raw)


@given(st.sampled_from(HandshakeType), st.binary(max_size=300), versions)
def test_any_bytes_as_the_body_of_each_message(kind: HandshakeType, body: bytes, version: int) -> None:
    raw = message(kind, body)
    assert_covered(dissect_message(raw, version), raw)


@given(st.sampled_from(ExtensionType), st.sampled_from(Place), st.binary(max_size=200))
def test_any_bytes_as_each_extension(kind: ExtensionType, place: Place, data: bytes) -> None:
    raw = kind.to_bytes(2, "big") + opaque(2, data)
    assert_covered(OneExtension(place).read(Reader(raw, 0, len(raw))), raw)


@given(st.data())
def test_a_real_certificate_message_with_some_bytes_changed(data: st.DataObject) -> None:
    raw = bytearray(message(HandshakeType.CERTIFICATE, b"\0" + opaque(3, opaque(3, DER) + b"\0\0")))
    for position in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=4)):
        raw[position] = data.draw(st.integers(0, 255))
    assert_covered(dissect_message(bytes(raw), TLS13), bytes(raw))


def test_what_is_cut_off_says_how_much_is_missing() -> None:
    field = dissect_message(b"\x0b\0\0\x09abc", TLS13)
    assert find(field, "unreadable").value == b"abc".hex()
    assert "9 more bytes" in find(field, "unreadable").note
    field = dissect_message(message(HandshakeType.CERTIFICATE_VERIFY, b"\4\3\0\x09abc"), TLS13)
    assert "9 bytes are announced here, but only 3 are left" in find(field, "unreadable").note


def test_a_list_of_a_million_items_stays_cheap() -> None:
    raw = message(HandshakeType.CERTIFICATE, b"\0" + opaque(3, bytes(5 * 1_000_000)))
    field = dissect_message(raw, TLS13)
    assert_covered(field, raw)
    items = find(field, "certificate_list").children
    assert len(items) == 1 + MAX_ITEMS + 1
    assert items[-1].name == "further items"

"""TLS 1.2, one rule at a time: each test breaks one field of one message and names the alert (RFC 5246)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from glasslock.registry import (
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    Side,
    SignatureScheme,
)
from glasslock.tls import ClientConfig, Limits, ServerConfig
from glasslock.tls.session import MemorySessionStore
from glasslock.tls.wire.messages import frame
from glasslock.tls.wire.messages12 import ClientKeyExchange
from glasslock.trace import AlertReceived, TraceRecord

from ..minted import client_credential, credential
from ..pair import Pair, assert_refused, pair, seeded
from ..puppet import puppet_client, puppet_server, replace, rewrite
from .puppet12 import change12
from .test_handshakes12 import ANYBODY, BOTH, RSA_TRANSPORT, client12, server12

A = AlertDescription
E = ExtensionType
H = HandshakeType


def against_server(kind: HandshakeType, edit: Callable[[Any], None], config: ServerConfig | None = None) -> Pair:
    """Our client, and a server that changes one message."""
    return Pair(pair(client12()).client, puppet_server(config or server12(), change12(kind, edit))).run()


def against_client(
    kind: HandshakeType,
    edit: Callable[[Any], None],
    server: ServerConfig | None = None,
    client: ClientConfig | None = None,
) -> Pair:
    """Our server, and a client that changes one message."""
    return Pair(
        puppet_client(client or client12(), change12(kind, edit)), pair(server=server or server12()).server
    ).run()


def setting(**values: Any) -> Callable[[Any], None]:
    def edit(message: Any) -> None:
        for name, value in values.items():
            setattr(message, name, value)

    edit.__name__ = " ".join(f"{name}={value!r:.24}" for name, value in values.items())
    return edit


def extending(kind: int, data: bytes | None) -> Callable[[Any], None]:
    def edit(message: Any) -> None:
        if data is None:
            message.extensions.pop(kind, None)
        else:
            message.extensions[kind] = data

    edit.__name__ = f"extension {kind}={data!r}"
    return edit


# --- ServerHello ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "alert", "code"),
    [
        (setting(compression_method=1), A.ILLEGAL_PARAMETER, "compression"),
        (setting(cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256), A.ILLEGAL_PARAMETER, "suite-not-offered"),
        (setting(cipher_suite=0x002F), A.ILLEGAL_PARAMETER, "suite-not-offered"),
        (setting(legacy_version=0x0302), A.PROTOCOL_VERSION, "unsupported-version"),
        (setting(legacy_version=0x0300), A.PROTOCOL_VERSION, "unsupported-version"),
        (extending(E.RENEGOTIATION_INFO, b"\x01x"), A.HANDSHAKE_FAILURE, "renegotiation-mismatch"),
        (extending(E.EC_POINT_FORMATS, b"\x01\x01"), A.ILLEGAL_PARAMETER, "point-formats"),
        (extending(E.EXTENDED_MAIN_SECRET, b"x"), A.DECODE_ERROR, None),
        (extending(E.SERVER_NAME, b"x"), A.DECODE_ERROR, None),
        (extending(E.SESSION_TICKET, b"x"), A.DECODE_ERROR, None),
        (extending(E.ENCRYPT_THEN_MAC, b""), A.UNSUPPORTED_EXTENSION, "unsolicited-extension"),
        (extending(E.SIGNED_CERTIFICATE_TIMESTAMP, b"\x00\x03\x00\x01x"), A.UNSUPPORTED_EXTENSION, None),
        (extending(0x1234, b""), A.UNSUPPORTED_EXTENSION, "unsolicited-extension"),
    ],
)
def test_server_hello(edit: Callable[[Any], None], alert: AlertDescription, code: str | None) -> None:
    assert_refused(against_server(H.SERVER_HELLO, edit), Side.CLIENT, alert, code)


def test_a_downgrade_is_noticed() -> None:
    """Somebody removes TLS 1.3 from the offer: the server's random tells (RFC 9846 section 4.2.3)."""
    from ..pair import client_config, server_config

    def only_tls12(hello: Any) -> None:
        del hello.extensions[E.SUPPORTED_VERSIONS]

    client = puppet_client(client_config(versions=BOTH), change12(H.CLIENT_HELLO, only_tls12))
    both = Pair(client, pair(server=server_config(versions=BOTH)).server).run()
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "downgrade")


def test_alpn_must_be_one_that_was_offered() -> None:
    def other(hello: Any) -> None:
        hello.extensions[E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = b"\x00\x04\x03foo"

    server = puppet_server(server12(alpn_protocols=("h2",)), change12(H.SERVER_HELLO, other))
    both = Pair(pair(client12(alpn_protocols=("h2",))).client, server).run()
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "alpn-not-offered")


def test_a_session_that_was_not_offered_cannot_be_resumed() -> None:
    from ..pair import client_config

    client = pair(client_config(versions=BOTH)).client

    class Echo:
        session_id = b""

    def echo(hello: Any) -> None:
        hello.session_id = Echo.session_id

    server = puppet_server(server12(), change12(H.SERVER_HELLO, echo))
    flight = client.data_to_send()
    Echo.session_id = flight[5 + 4 + 34 + 1 : 5 + 4 + 34 + 33]
    both = Pair(client, server)
    both.deliver(Side.SERVER, flight)
    both.run()
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "session-id-echo")


# --- the server's certificate and key exchange -----------------------------------------------------


def test_a_server_without_a_certificate() -> None:
    assert_refused(against_server(H.CERTIFICATE, setting(chain=())), Side.CLIENT, A.DECODE_ERROR, "no-certificate")


def test_a_certificate_of_another_kind_than_the_suite() -> None:
    both = against_server(H.CERTIFICATE, setting(chain=credential("rsa").chain))
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-certificate-type")


def test_too_many_certificates() -> None:
    both = against_server(H.CERTIFICATE, setting(chain=credential().chain * 17))
    assert_refused(both, Side.CLIENT, A.BAD_CERTIFICATE, "too-many-certificates")


def test_a_certificate_that_cannot_be_read() -> None:
    both = against_server(H.CERTIFICATE, setting(chain=(b"\x30\x03abc",)))
    assert_refused(both, Side.CLIENT, A.BAD_CERTIFICATE, "unreadable-certificate")


@pytest.mark.parametrize(
    ("edit", "alert", "code"),
    [
        (setting(group=NamedGroup.X448), A.ILLEGAL_PARAMETER, "wrong-group"),
        (setting(group=NamedGroup.X25519MLKEM768), A.ILLEGAL_PARAMETER, "wrong-group"),
        (setting(scheme=SignatureScheme.ECDSA_SHA1), A.ILLEGAL_PARAMETER, "wrong-signature-type"),
        (setting(scheme=SignatureScheme.RSA_PSS_RSAE_SHA256), A.ILLEGAL_PARAMETER, "wrong-signature-type"),
        (setting(signature=b"\x30\x06\x02\x01\x01\x02\x01\x01"), A.DECRYPT_ERROR, "bad-signature"),
        (setting(signature=b""), A.DECRYPT_ERROR, "bad-signature"),
        (setting(share=bytes(range(32))), A.DECRYPT_ERROR, "bad-signature"),
    ],
)
def test_server_key_exchange(edit: Callable[[Any], None], alert: AlertDescription, code: str) -> None:
    assert_refused(against_server(H.SERVER_KEY_EXCHANGE, edit), Side.CLIENT, alert, code)


@pytest.mark.parametrize("body", [b"", b"\x01\x00\x17", b"\x02\x00\x17\x01x", b"\x03\x00\x1d\x00"])
def test_server_key_exchange_of_another_form(body: bytes) -> None:
    server = puppet_server(server12(), rewrite(H.SERVER_KEY_EXCHANGE, lambda _: body))
    both = Pair(pair(client12()).client, server).run()
    assert_refused(both, Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize("kind", [H.CERTIFICATE, H.SERVER_KEY_EXCHANGE, H.SERVER_HELLO_DONE])
def test_the_servers_flight_is_whole(kind: HandshakeType) -> None:
    """A message left out is noticed at the next one, or waited for."""
    server = puppet_server(server12(), replace(kind))
    both = Pair(pair(client12()).client, server).run()
    if kind is H.SERVER_HELLO_DONE:
        assert not both.client.handshake_done
    else:
        assert_refused(both, Side.CLIENT, A.UNEXPECTED_MESSAGE, "unexpected-message")


def test_server_hello_done_is_empty() -> None:
    server = puppet_server(server12(), rewrite(H.SERVER_HELLO_DONE, lambda _: b"x"))
    assert_refused(Pair(pair(client12()).client, server).run(), Side.CLIENT, A.DECODE_ERROR)


def test_certificate_status_only_after_its_announcement() -> None:
    from glasslock.tls.wire.messages12 import CertificateStatus

    def add(kind: HandshakeType, raw: bytes) -> tuple[bytes, ...]:
        return (raw, CertificateStatus(b"x").encode()) if kind is H.CERTIFICATE else (raw,)

    both = Pair(pair(client12()).client, puppet_server(server12(), add)).run()
    assert_refused(both, Side.CLIENT, A.UNEXPECTED_MESSAGE)


# --- Finished and ChangeCipherSpec ----------------------------------------------------------------


@pytest.mark.parametrize("by", list(Side))
def test_a_finished_that_does_not_fit(by: Side) -> None:
    def spoil(message: Any) -> None:
        message.verify_data = bytes(12)

    both = against_server(H.FINISHED, spoil) if by is Side.CLIENT else against_client(H.FINISHED, spoil)
    assert_refused(both, by, A.DECRYPT_ERROR, "bad-finished")


@pytest.mark.parametrize("by", list(Side))
def test_a_finished_of_the_wrong_length(by: Side) -> None:
    def spoil(message: Any) -> None:
        message.verify_data = message.verify_data[:11]

    both = against_server(H.FINISHED, spoil) if by is Side.CLIENT else against_client(H.FINISHED, spoil)
    assert_refused(both, by, A.DECODE_ERROR, "bad-finished-length")


def test_finished_without_change_cipher_spec() -> None:
    """CVE-2014-0224 began with a ChangeCipherSpec out of its place; so must none be left out."""
    both = pair(client12(), server12())
    both.carry(Side.CLIENT)
    both.carry(Side.SERVER)
    flight = both.client.data_to_send()
    changed = flight.index(b"\x14\x03\x03\x00\x01\x01")
    both.deliver(Side.SERVER, flight[:changed] + flight[changed + 6 :])
    assert both.errors[Side.SERVER].alert in (A.UNEXPECTED_MESSAGE, A.BAD_RECORD_MAC, A.DECODE_ERROR)


def test_an_early_change_cipher_spec() -> None:
    """CVE-2014-0224: before there are keys it must not count."""
    both = pair(client12(), server12())
    both.carry(Side.CLIENT)
    both.deliver(Side.SERVER, b"\x14\x03\x03\x00\x01\x01")
    assert both.errors[Side.SERVER].alert == A.UNEXPECTED_MESSAGE


# --- ClientHello ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "alert", "code"),
    [
        (setting(compression_methods=b"\x01"), A.ILLEGAL_PARAMETER, "compression"),
        (setting(legacy_version=0x0302), A.PROTOCOL_VERSION, "unsupported-version"),
        (setting(legacy_version=0x0300), A.PROTOCOL_VERSION, "unsupported-version"),
        (setting(cipher_suites=(0x002F,)), A.HANDSHAKE_FAILURE, "no-common-suite"),
        (extending(E.RENEGOTIATION_INFO, b"\x01x"), A.HANDSHAKE_FAILURE, "renegotiation-mismatch"),
        (extending(E.EC_POINT_FORMATS, b"\x01\x01"), A.ILLEGAL_PARAMETER, "point-formats"),
        (extending(E.SUPPORTED_GROUPS, b"\x00\x02\x00\x17"), A.HANDSHAKE_FAILURE, "no-common-suite"),
        (extending(E.SIGNATURE_ALGORITHMS, None), A.HANDSHAKE_FAILURE, "no-common-signature-scheme"),
        (extending(E.EXTENDED_MAIN_SECRET, b"x"), A.DECODE_ERROR, None),
    ],
)
def test_client_hello(edit: Callable[[Any], None], alert: AlertDescription, code: str | None) -> None:
    assert_refused(against_client(H.CLIENT_HELLO, edit), Side.SERVER, alert, code)


def test_a_fallback_is_refused_by_a_server_that_speaks_better() -> None:
    from ..pair import server_config

    def fall_back(hello: Any) -> None:
        hello.cipher_suites = (*hello.cipher_suites, CipherSuite.TLS_FALLBACK_SCSV)

    both = against_client(H.CLIENT_HELLO, fall_back, server_config(versions=BOTH))
    assert_refused(both, Side.SERVER, A.INAPPROPRIATE_FALLBACK, "inappropriate-fallback")
    same = Pair(puppet_client(client12(), change12(H.CLIENT_HELLO, fall_back)), pair(server=server12()).server)
    same.run()
    assert same.errors.get(Side.SERVER) is not None or Side.SERVER not in same.errors


def test_a_hello_without_extensions_is_one_of_tls12() -> None:
    """Very old, but legal: the server answers without any extension, or finds nothing in common."""

    def strip(hello: Any) -> None:
        hello.extensions = {}
        hello.has_extensions = False

    assert_refused(against_client(H.CLIENT_HELLO, strip), Side.SERVER, A.HANDSHAKE_FAILURE)


# --- ClientKeyExchange and the client's certificate ------------------------------------------------


@pytest.mark.parametrize(
    ("body", "alert"),
    [
        (b"", A.DECODE_ERROR),
        (b"\x00", A.DECODE_ERROR),
        (b"\x20" + bytes(31), A.DECODE_ERROR),
        (b"\x1f" + bytes(31), A.ILLEGAL_PARAMETER),
        (b"\x20" + bytes(32), A.ILLEGAL_PARAMETER),
        (b"\x20" + bytes(32) + b"x", A.DECODE_ERROR),
    ],
    ids=["empty", "no share", "short", "wrong length", "all-zero secret", "too long"],
)
def test_client_key_exchange(body: bytes, alert: AlertDescription) -> None:
    both = against_client(H.CLIENT_KEY_EXCHANGE, setting(body=body))
    assert_refused(both, Side.SERVER, alert)


def test_a_client_certificate_that_is_not_proved() -> None:
    server = server12(client_verifier=ANYBODY, require_client_certificate=True)
    client = client12(credentials=(client_credential(),))

    def spoil(message: Any) -> None:
        message.signature = b"\x30\x06\x02\x01\x01\x02\x01\x01"

    both = against_client(H.CERTIFICATE_VERIFY, spoil, server, client)
    assert_refused(both, Side.SERVER, A.DECRYPT_ERROR, "bad-signature")
    left_out = Pair(puppet_client(client, replace(H.CERTIFICATE_VERIFY)), pair(server=server).server).run()
    assert left_out.errors[Side.SERVER].alert == A.UNEXPECTED_MESSAGE
    empty = against_client(H.CERTIFICATE, setting(chain=()), server, client)
    assert_refused(empty, Side.SERVER, A.HANDSHAKE_FAILURE, "certificate-required")
    many = against_client(H.CERTIFICATE, setting(chain=client_credential().chain * 17), server, client)
    assert_refused(many, Side.SERVER, A.BAD_CERTIFICATE, "too-many-certificates")


# --- RSA key transport: Bleichenbacher (RFC 5246 section 7.4.7.1) -----------------------------------


@pytest.mark.parametrize(
    "ciphertext",
    [bytes(256), b"\xff" * 256, b"\x01" * 255, b"x", bytes(300)],
    ids=["zeros", "too large a number", "short", "one byte", "long"],
)
def test_a_bad_ciphertext_fails_at_finished_like_any_other_wrong_secret(ciphertext: bytes) -> None:
    transport = {"cipher_suites": RSA_TRANSPORT}
    server = server12(credentials=(credential("rsa"),), **transport)
    body = ClientKeyExchange.with_encrypted_secret(ciphertext).body
    both = against_client(H.CLIENT_KEY_EXCHANGE, setting(body=body), server, client12(**transport))
    error = both.errors[Side.SERVER]
    assert error.alert == A.BAD_RECORD_MAC
    assert error.code == "bad-record-mac"


def test_a_premaster_of_another_version_fails_in_the_same_way() -> None:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    from ..minted import key

    transport = {"cipher_suites": RSA_TRANSPORT}
    server = server12(credentials=(credential("rsa"),), **transport)
    for premaster in (b"\x03\x01" + bytes(46), b"\x03\x03" + bytes(45)):
        body = ClientKeyExchange.with_encrypted_secret(key("rsa").public_key().encrypt(premaster, PKCS1v15())).body
        both = against_client(H.CLIENT_KEY_EXCHANGE, setting(body=body), server, client12(**transport))
        assert both.errors[Side.SERVER].code == "bad-record-mac"


# --- resumption -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "alert", "code"),
    [
        (
            setting(cipher_suite=CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
            A.ILLEGAL_PARAMETER,
            "resumed-suite",
        ),
        (extending(E.EXTENDED_MAIN_SECRET, None), A.HANDSHAKE_FAILURE, "resumed-ems-mismatch"),
    ],
)
def test_what_a_resumption_must_keep(edit: Callable[[Any], None], alert: AlertDescription, code: str) -> None:
    config = server12()
    session = pair(client12(), config).done().tickets()[0]
    server = puppet_server(config, change12(H.SERVER_HELLO, edit))
    both = Pair(pair(client12(), session=session).client, server).run()
    assert_refused(both, Side.CLIENT, alert, code)


def test_an_unknown_session_id_costs_a_full_handshake() -> None:
    config = server12(ticket_keys=None, session_store=MemorySessionStore())
    session = pair(client12(), config).done().tickets()[0]
    other = server12(ticket_keys=None, session_store=MemorySessionStore(), random=seeded(9))
    both = pair(client12(), other, session=session).done().talk()
    assert not both.client.agreed.resumed


def test_an_empty_ticket_means_no_session() -> None:
    both = against_server(H.NEW_SESSION_TICKET, setting(ticket=b""))
    assert both.errors == {}
    assert both.tickets() == []


# --- after the handshake --------------------------------------------------------------------------


def test_a_request_to_renegotiate_ends_the_connection_unless_it_is_to_be_ignored() -> None:
    both = pair(client12(), server12()).done()
    both.server._writer.write(ContentType.HANDSHAKE, frame(H.HELLO_REQUEST, b""))
    both.run()
    assert_refused(both, Side.CLIENT, A.NO_RENEGOTIATION, "no-renegotiation")
    patient = pair(client12(ignore_hello_requests=True), server12()).done()
    patient.server._writer.write(ContentType.HANDSHAKE, frame(H.HELLO_REQUEST, b""))
    patient.run().talk()


def ask_to_renegotiate(both: Pair) -> None:
    hello = pair(client12()).client.data_to_send()[5:]
    both.client._writer.write(ContentType.HANDSHAKE, hello)


def test_a_clients_renegotiation_is_refused_with_a_warning() -> None:
    """RFC 5246 section 7.2.2: it is always a warning, and the client decides whether to go on without."""
    trace: list[TraceRecord] = []
    both = pair(client12(observer=trace.append), server12()).done()
    agreed = both.server.agreed.main_secret
    ask_to_renegotiate(both)
    both.run().talk()
    alerts = [(record.level, record.description) for record in trace if isinstance(record, AlertReceived)]
    assert alerts == [(AlertLevel.WARNING, A.NO_RENEGOTIATION)]
    assert both.server.agreed.main_secret == agreed


@pytest.mark.parametrize("limit", [0, 2])
def test_who_asks_again_and_again_to_renegotiate(limit: int) -> None:
    both = pair(client12(), server12(limits=Limits(renegotiation_requests=limit))).done()
    for _ in range(limit):
        ask_to_renegotiate(both)
    both.run().talk()
    ask_to_renegotiate(both)
    assert_refused(both.run(), Side.SERVER, A.NO_RENEGOTIATION, "no-renegotiation")


def test_warning_alerts_are_borne_in_moderation() -> None:
    both = pair(client12(), server12()).done()
    for _ in range(4):
        both.server._writer.write(ContentType.ALERT, bytes((1, A.UNRECOGNIZED_NAME)))
    both.run()
    assert both.errors == {}
    both.server._writer.write(ContentType.ALERT, bytes((1, A.UNRECOGNIZED_NAME)))
    both.run()
    assert both.errors[Side.CLIENT].code == "too-many-warnings"


def test_keys_cannot_be_updated() -> None:
    from glasslock.errors import ConfigurationError

    both = pair(client12(), server12()).done()
    with pytest.raises(ConfigurationError, match=r"TLS 1\.3"):
        both.client.update_keys()


def test_a_changed_record_is_noticed() -> None:
    both = pair(client12(), server12()).done()
    both.client.send_data(b"a question")
    data = bytearray(both.client.data_to_send())
    data[-1] ^= 1
    both.deliver(Side.SERVER, bytes(data))
    assert both.errors[Side.SERVER].alert == A.BAD_RECORD_MAC


@pytest.mark.parametrize("length", range(24))
def test_a_record_too_short_for_its_tag(length: int) -> None:
    both = pair(client12(), server12()).done()
    both.deliver(Side.SERVER, b"\x17\x03\x03" + length.to_bytes(2, "big") + bytes(length))
    assert both.errors[Side.SERVER].alert == A.BAD_RECORD_MAC


def test_a_record_on_the_wire_must_be_in_order() -> None:
    both = pair(client12(), server12()).done()
    both.client.send_data(b"one")
    first = both.client.data_to_send()
    both.client.send_data(b"two")
    second = both.client.data_to_send()
    both.deliver(Side.SERVER, second + first)
    assert both.errors[Side.SERVER].alert == A.BAD_RECORD_MAC

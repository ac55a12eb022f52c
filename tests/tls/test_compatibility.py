"""How a handshake looks from outside: middlebox compatibility, GREASE, record versions (RFC 9846 appendix E.4)."""

from __future__ import annotations

import pytest

from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side
from glasslock.tls import Limits
from glasslock.tls.wire.messages import ClientHello, ServerHello

from .decryptor import records
from .early_world import World
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, plain_record, puppet_client, send_plain, send_record

A, H = AlertDescription, HandshakeType
CCS = plain_record(ContentType.CHANGE_CIPHER_SPEC, b"\1")


def outline(stream: bytes) -> list[str]:
    """What an onlooker sees: one word per record."""
    names = {20: "ccs", 21: "alert", 22: "hello", 23: "protected"}
    return [names[header[0]] for header, _ in records(stream)]


def sent(connected: Pair, side: Side) -> bytes:
    return b"".join(connected.wire[side])


# --- compatibility mode ----------------------------------------------------------------------------


def test_with_compatibility() -> None:
    connected = pair().done()
    assert outline(sent(connected, Side.CLIENT)) == ["hello", "ccs", "protected"]
    assert outline(sent(connected, Side.SERVER)) == ["hello", "ccs", "protected", "protected"]
    assert len(ClientHello.parse(sent(connected, Side.CLIENT)[5:][: hello_length(connected)]).session_id) == 32


def test_each_flight_leaves_in_one_piece() -> None:
    """However slowly the server's records come in: a small write of its own would keep the kernel from sending on."""
    connected = pair()
    assert connected.carry(Side.CLIENT)
    *before, last = [header + body for header, body in records(connected.server.data_to_send())]
    for record in before:
        connected.deliver(Side.CLIENT, record)
        assert connected.client.data_to_send() == b""
    connected.deliver(Side.CLIENT, last)
    assert outline(connected.client.data_to_send()) == ["ccs", "protected"]


def hello_length(connected: Pair) -> int:
    return int.from_bytes(sent(connected, Side.CLIENT)[3:5], "big")


@pytest.mark.parametrize("clients", [True, False])
def test_a_server_complies_with_the_clients_wish(clients: bool) -> None:
    """Appendix E.4: to a session id the server MUST answer with the record; without one it may send it."""
    connected = pair(
        client_config(middlebox_compatibility=clients), server_config(middlebox_compatibility=not clients)
    ).done()
    assert outline(sent(connected, Side.SERVER)) == ["hello", "ccs", "protected", "protected"]


def test_without_compatibility() -> None:
    connected = pair(client_config(middlebox_compatibility=False), server_config(middlebox_compatibility=False)).done()
    assert outline(sent(connected, Side.CLIENT)) == ["hello", "protected"]
    assert outline(sent(connected, Side.SERVER)) == ["hello", "protected", "protected"]
    assert ClientHello.parse(sent(connected, Side.CLIENT)[5:][: hello_length(connected)]).session_id == b""


@pytest.mark.parametrize("compatibility", [True, False])
def test_with_a_retry(compatibility: bool) -> None:
    """The client's record comes before its second ClientHello, the server's after its HelloRetryRequest."""
    client_side = client_config(key_shares=(), middlebox_compatibility=compatibility)
    connected = pair(client_side, server_config(middlebox_compatibility=compatibility)).done()
    client, server = outline(sent(connected, Side.CLIENT)), outline(sent(connected, Side.SERVER))
    if compatibility:
        assert client == ["hello", "ccs", "hello", "protected"]
        assert server == ["hello", "ccs", "hello", "protected", "protected"]
    else:
        assert client == ["hello", "hello", "protected"]
        assert server == ["hello", "hello", "protected", "protected"]


def test_with_early_data() -> None:
    """The client's record comes immediately after the first ClientHello."""
    connected = World().again()
    connected.client.send_early_data(b"x")
    connected.done()
    assert outline(sent(connected, Side.CLIENT)) == ["hello", "ccs", "protected", "protected", "protected"]


def test_the_session_id_comes_back() -> None:
    connected = pair().done()
    hello = ServerHello.parse(next(records(sent(connected, Side.SERVER)))[1])
    assert hello.session_id == ClientHello.parse(next(records(sent(connected, Side.CLIENT)))[1]).session_id


# --- change_cipher_spec (section 5) ----------------------------------------------------------------


def test_it_is_dropped_anywhere_in_the_handshake() -> None:
    """At any time after the first ClientHello and before the peer's Finished."""
    connected = pair()
    connected.deliver(Side.CLIENT, CCS)  # before ServerHello
    connected.carry(Side.CLIENT)
    connected.deliver(Side.SERVER, CCS)
    connected.deliver(Side.SERVER, CCS)
    flight = connected.server.data_to_send()
    for header, body in records(flight):
        connected.deliver(Side.CLIENT, header + body)
        if not connected.client.handshake_done:
            connected.deliver(Side.CLIENT, CCS)
    connected.deliver(Side.SERVER, CCS)
    connected.done().talk()


@pytest.mark.parametrize("side", list(Side))
def test_after_the_peers_finished_it_is_unexpected(side: Side) -> None:
    connected = pair().done()
    connected.deliver(side, CCS)
    assert_refused(connected.run(), side, A.UNEXPECTED_MESSAGE, "unexpected-change-cipher-spec")


def test_before_the_first_client_hello_it_is_unexpected() -> None:
    connected = pair()
    connected.deliver(Side.SERVER, CCS)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "unexpected-change-cipher-spec", told=False)


@pytest.mark.parametrize("body", [b"\0", b"\2", b"\1\1", b""])
@pytest.mark.parametrize("when", ["before keys", "under keys"])
def test_any_other_value_is_unexpected(body: bytes, when: str) -> None:
    connected = pair()
    connected.carry(Side.CLIENT)
    side = Side.CLIENT if when == "before keys" else Side.SERVER
    connected.deliver(side, plain_record(ContentType.CHANGE_CIPHER_SPEC, body))
    assert_refused(connected, side, A.UNEXPECTED_MESSAGE, told=False)


def test_a_protected_one_is_unexpected() -> None:
    connected = pair().done()
    send_record(connected.client, ContentType.CHANGE_CIPHER_SPEC, b"\1")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "protected-change-cipher-spec")


def test_it_may_not_come_inside_a_message() -> None:
    """Section 5.1: handshake messages MUST NOT be interleaved with other record types."""
    connected = pair()
    hello = connected.client.data_to_send()
    connected.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, hello[5:50]))
    connected.deliver(Side.SERVER, CCS)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "interleaved", told=False)
    connected = pair()
    connected.carry(Side.CLIENT)
    connected.deliver(Side.CLIENT, plain_record(ContentType.HANDSHAKE, connected.server.data_to_send()[5:50]))
    connected.deliver(Side.CLIENT, CCS)
    assert_refused(connected, Side.CLIENT, A.UNEXPECTED_MESSAGE, "interleaved", told=False)


def test_there_is_a_limit() -> None:
    connected = pair(server=server_config(limits=Limits(change_cipher_specs=3)))
    connected.carry(Side.CLIENT)
    for _ in range(3):
        connected.deliver(Side.SERVER, CCS)
    assert connected.errors == {}
    connected.deliver(Side.SERVER, CCS)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "too-many-change-cipher-specs", told=False)


# --- record versions (section 5.1) -----------------------------------------------------------------


@pytest.mark.parametrize("retried", [False, True])
def test_the_versions_that_we_write(retried: bool) -> None:
    """0x0301 in the record of the initial ClientHello, 0x0303 everywhere else."""
    connected = pair(client_config(key_shares=() if retried else None)).done()
    versions = [header[1:3] for header, _ in records(sent(connected, Side.CLIENT))]
    assert versions == [b"\3\1"] + [b"\3\3"] * (len(versions) - 1)
    assert {header[1:3] for header, _ in records(sent(connected, Side.SERVER))} == {b"\3\3"}


@pytest.mark.parametrize("version", [b"\3\0", b"\3\3", b"\3\4", b"\0\0", b"\xff\xff"])
def test_versions_of_plain_records_are_ignored(version: bytes) -> None:
    """legacy_record_version MUST be ignored for all purposes."""
    connected = pair()
    hello = connected.client.data_to_send()
    connected.deliver(Side.SERVER, hello[:1] + version + hello[3:])
    flight = connected.server.data_to_send()
    connected.deliver(Side.CLIENT, flight[:1] + version + flight[3:])
    connected.done().talk()


def test_versions_of_protected_records_are_authenticated() -> None:
    """They are part of the additional data (section 5.2)."""
    connected = pair().done()
    connected.client.send_data(b"x")
    record = connected.client.data_to_send()
    connected.deliver(Side.SERVER, record[:1] + b"\3\1" + record[3:])
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


# --- GREASE (RFC 8701) and unknown things ----------------------------------------------------------


def test_a_server_ignores_what_it_does_not_know() -> None:
    """Section 9.3: a server MUST ignore all unrecognized suites, extensions and other parameters."""

    def grease(hello: ClientHello) -> None:
        hello.cipher_suites = (0x0A0A, *hello.cipher_suites)
        extensions = hello.extensions
        for kind in (43, 45, 50):
            if kind in extensions:
                extensions[kind] = bytes((extensions[kind][0] + 2,)) + b"\x1a\x1a" + extensions[kind][1:]
        for kind in (10, 13):
            count = int.from_bytes(extensions[kind][:2], "big") + 2
            extensions[kind] = count.to_bytes(2, "big") + b"\x2a\x2a" + extensions[kind][2:]
        shares = b"\x2a\x2a\0\1\0" + extensions[51][2:]
        extensions[51] = len(shares).to_bytes(2, "big") + shares
        hello.extensions = {0x3A3A: b"", **extensions, 0x4A4A: b"\0"}

    Pair(puppet_client(client_config(), change(H.CLIENT_HELLO, grease)), pair().server).done().talk()


@pytest.mark.parametrize("extension", [1, 14, 15, 17, 21, 22, 34, 39, 57, 0xFD00, 0xFF55])
def test_extensions_that_we_do_not_speak_are_ignored(extension: int) -> None:
    def edit(hello: ClientHello) -> None:
        hello.extensions[extension] = b"\1\2\3"

    Pair(puppet_client(client_config(), change(H.CLIENT_HELLO, edit)), pair().server).done().talk()


def test_the_order_of_extensions_does_not_matter() -> None:
    """Section 4.3: extensions MAY appear in any order."""

    def edit(hello: ClientHello) -> None:
        hello.extensions = dict(reversed(hello.extensions.items()))

    Pair(puppet_client(client_config(), change(H.CLIENT_HELLO, edit)), pair().server).done().talk()


# --- what is no TLS at all -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "http-request"),
        (b"GET ", "http-request"),
        (b"POST /form HTTP/1.1\r\n", "http-request"),
        (b"HEAD / HTTP/1.0\r\n", "http-request"),
        (b"PUT /x HTTP/1.1\r\n", "http-request"),
        (b"DELETE /x HTTP/1.1\r\n", "http-request"),
        (b"OPTIONS * HTTP/1.1\r\n", "http-request"),
        (b"PATCH /x HTTP/1.1\r\n", "http-request"),
        (b"TRACE / HTTP/1.1\r\n", "http-request"),
        (b"CONNECT a:443 HTTP/1.1\r\n", "https-proxy-request"),
        (b"SSH-2.0-OpenSSH\r\n", "not-tls"),
        (b"\x80\x2e\x01\x03\x01\x00\x15\x00", "not-tls"),  # an SSL 2.0 CLIENT-HELLO
        (bytes(10), "not-tls"),
    ],
)
def test_a_client_that_speaks_something_else(begin: bytes, code: str) -> None:
    for chunks in ([begin], [bytes((byte,)) for byte in begin]):
        connected = pair()
        for chunk in chunks:
            connected.deliver(Side.SERVER, chunk)
        _assert_no_tls(connected, Side.SERVER, code)


@pytest.mark.parametrize(
    ("begin", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "plain-http"),
        (b"220 mail.example ESMTP\r\n", "not-tls"),
    ],
)
def test_a_server_that_speaks_something_else(begin: bytes, code: str) -> None:
    connected = pair()
    connected.deliver(Side.CLIENT, begin)
    _assert_no_tls(connected, Side.CLIENT, code)


def _assert_no_tls(connected: Pair, side: Side, code: str) -> None:
    """Whoever speaks plain HTTP is not sent an alert, so that a program can answer it in plain HTTP."""
    http = code != "not-tls"
    assert_refused(connected, side, None if http else A.UNEXPECTED_MESSAGE, code, told=False)
    if http and side is Side.SERVER:
        assert connected.server.data_to_send() == b""


@pytest.mark.parametrize("content_type", [0, 1, 19, 24, 99, 255])
def test_unknown_record_types(content_type: int) -> None:
    """Section 5: an unexpected record type: unexpected_message."""
    connected = pair()
    connected.deliver(Side.SERVER, plain_record(content_type, b"x"))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "not-tls", told=False)
    if content_type:  # a protected record of the type 0 has none (section 5.4)
        connected = pair().done()
        send_record(connected.client, content_type, b"x")
        assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "unknown-record-type")


@pytest.mark.parametrize("side", list(Side))
def test_unprotected_records_once_keys_are_in_use(side: Side) -> None:
    for content_type in (ContentType.HANDSHAKE, ContentType.ALERT):
        connected = pair().done()
        send_plain(connected.side(side), content_type, b"\1\0\0\0")
        assert_refused(connected.run(), side.peer, A.UNEXPECTED_MESSAGE, "plaintext-record")


@pytest.mark.parametrize("side", list(Side))
def test_application_data_in_the_clear(side: Side) -> None:
    """Section 5.1: Application Data records MUST NOT be written unprotected."""
    connected = pair()
    if side is Side.CLIENT:
        connected.carry(Side.CLIENT)
    connected.deliver(side, plain_record(ContentType.APPLICATION_DATA, b"x"))
    assert_refused(connected, side, A.UNEXPECTED_MESSAGE, "early-application-data", told=False)

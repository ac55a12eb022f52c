"""Blocking and non-blocking `ssl.SSLSocket`s, glasslock on one side or on both."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
import weakref

import pytest

from glasslock.adapters import EngineCertificateError, EngineEOFError, EngineError, SSLContext

from .conftest import PATIENCE, Makers, Pki, Submit

Ends = tuple[socket.socket, socket.socket]


def _shake_hands(
    sockets: Ends, client: ssl.SSLContext, server: ssl.SSLContext, background: Submit
) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    answer = background(server.wrap_socket, sockets[1], server_side=True)
    one = client.wrap_socket(sockets[0], server_hostname="localhost")
    return one, answer.result(PATIENCE)


@pytest.fixture
def ends(sockets: Ends, makers: Makers, background: Submit) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """A client and a server that have shaken hands."""
    one, other = _shake_hands(sockets, makers.client(), makers.server(), background)
    with one, other:
        yield one, other


Tls = tuple[ssl.SSLSocket, ssl.SSLSocket]


def test_they_are_genuine(ends: Tls, makers: Makers) -> None:
    for end in ends:
        assert isinstance(end, ssl.SSLSocket)
        assert isinstance(end, socket.socket)
        assert isinstance(end.context, ssl.SSLContext)


def test_send_takes_everything_where_it_may_block(ends: Tls, background: Submit) -> None:
    """As OpenSSL does: much code takes `send` of a blocking socket for `sendall`."""
    client, server = ends
    data = bytes(range(256)) * 8192  # 2 MiB

    def read_all() -> bytes:
        found = b""
        while len(found) < len(data):
            found += server.recv(1 << 16)
        return found

    read = background(read_all)
    assert client.send(data) == len(data)
    assert read.result(PATIENCE) == data


def test_a_second_thread_may_send_while_the_first_one_waits(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    much, little = b"a" * (1 << 23), b"b" * 10
    with client, server:
        first = background(client.send, much)
        time.sleep(0.2)  # until the kernel takes no more
        assert not first.done()
        second = background(client.send, little)
        time.sleep(0.1)
        received = b""
        while len(received) < len(much) + len(little):
            received += server.recv(1 << 20)
        assert first.result(PATIENCE) == len(much)
        assert second.result(PATIENCE) == len(little)
    assert received.replace(little, b"") == much


def test_a_write_that_timed_out_goes_on_where_it_was(ends: Tls, background: Submit) -> None:
    client, server = ends
    data = bytes(range(256)) * (1 << 16)  # 16 MiB: more than the kernel takes
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.send(data)

    def read_all() -> bytes:
        found = bytearray()
        while len(found) < len(data):
            found += server.recv(1 << 16)
        return bytes(found)

    read = background(read_all)
    client.settimeout(PATIENCE)
    assert client.send(data) == len(data)
    assert read.result(PATIENCE) == data


def test_a_round_trip(ends: Tls) -> None:
    client, server = ends
    client.sendall(b"hello")
    assert server.recv(100) == b"hello"
    server.sendall(b"a" * 100_000)
    received = bytearray(100_000)
    view = memoryview(received)
    count = 0
    while count < len(received):
        count += client.recv_into(view[count:])
    assert received == b"a" * 100_000


def test_what_they_say_of_themselves(ends: Tls) -> None:
    client, server = ends
    assert client.version() == server.version() == "TLSv1.3"
    name, protocol, bits = client.cipher()
    assert (name, protocol, bits) == server.cipher()
    assert name.startswith("TLS_")
    assert bits in (128, 256)
    assert client.compression() is None
    assert client.server_hostname == "localhost"
    assert (client.server_side, server.server_side) == (False, True)
    assert client.getpeercert()["subjectAltName"][0] == ("DNS", "localhost")
    assert server.getpeercert() is None
    assert client.shared_ciphers() is None
    assert name in [cipher[0] for cipher in server.shared_ciphers()]


def test_they_close_in_due_form(ends: Tls, background: Submit) -> None:
    client, server = ends

    def serve() -> None:
        assert server.recv(10) == b""
        server.unwrap().close()

    answer = background(serve)
    plain = client.unwrap()
    assert plain is client
    answer.result(PATIENCE)


def test_plaintext_may_follow(ends: Tls, background: Submit) -> None:
    client, server = ends
    answer = background(client.unwrap)
    assert server.recv(10) == b""
    server.unwrap()
    server.send(b"in the clear")
    answer.result(PATIENCE)
    assert client.recv(100) == b"in the clear"


def test_files(ends: Tls) -> None:
    client, server = ends
    with client.makefile("wb") as out, server.makefile("rb") as into:
        out.write(b"one\ntwo\n")
        out.flush()
        assert into.readline() == b"one\n"
        assert into.readline() == b"two\n"


def test_a_little_at_a_time(ends: Tls) -> None:
    client, server = ends
    client.sendall(b"0123456789")
    assert server.recv(4) == b"0123"
    assert server.pending() == 6
    assert server.recv(0) == b""
    assert server.recv(100) == b"456789"
    assert server.pending() == 0
    assert client.send(b"") == 0


def test_select_sees_the_second_record(ends: Tls) -> None:
    client, server = ends
    client.sendall(b"first")
    client.sendall(b"second")
    time.sleep(0.05)
    assert server.recv(100) == b"first"
    assert server.pending() == 0
    readable, _, _ = select.select([server], [], [], PATIENCE)
    assert readable == [server]
    assert server.recv(100) == b"second"


def test_two_megabytes_without_blocking(ends: Tls, background: Submit) -> None:
    client, server = ends
    size = 2 << 20

    def echo() -> None:
        left = size
        while left:
            data = server.recv(1 << 16)
            left -= len(data)
            server.sendall(data)

    answer = background(echo)
    client.setblocking(False)
    sent, received = memoryview(bytes(range(256)) * (size // 256)), bytearray()
    until = time.monotonic() + PATIENCE
    while len(received) < size:
        assert time.monotonic() < until
        select.select([client], [client] if sent else [], [], 1)
        if sent:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                sent = sent[client.send(sent) :]
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            received += client.recv(1 << 16)
    assert received == bytes(range(256)) * (size // 256)
    answer.result(PATIENCE)


def test_threads_both_ways(ends: Tls, background: Submit) -> None:
    size = 3 << 20

    def receive(end: ssl.SSLSocket) -> int:
        count = 0
        while count < size:
            count += len(end.recv(1 << 16))
        return count

    jobs = [background(end.sendall, b"x" * size) for end in ends] + [background(receive, end) for end in ends]
    assert [job.result(PATIENCE) for job in jobs] == [None, None, size, size]


def test_a_time_limit(ends: Tls) -> None:
    client, _ = ends
    client.settimeout(0.1)
    with pytest.raises(TimeoutError, match="The read operation timed out"):
        client.recv(1)


def test_nothing_there(ends: Tls) -> None:
    client, _ = ends
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError) as caught:
        client.recv(1)  # tickets may come first, and are no data
    assert caught.value.errno == ssl.SSL_ERROR_WANT_READ
    assert caught.value.strerror
    assert caught.value.reason is None
    assert caught.value.library is None


@pytest.mark.parametrize("suppressed", [True, False])
def test_a_ragged_end(
    suppressed: bool, sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    answer = background(server_context.wrap_socket, sockets[1], server_side=True)
    client = client_context.wrap_socket(sockets[0], server_hostname="localhost", suppress_ragged_eofs=suppressed)
    with client:
        answer.result(PATIENCE).close()
        if suppressed:
            assert client.recv(1) == b""
        else:
            with pytest.raises(EngineEOFError, match="UNEXPECTED_EOF_WHILE_READING") as caught:
                client.recv(1)
            assert caught.value.args[0] == ssl.SSL_ERROR_EOF
            assert "data may be missing" in caught.value.explanation


def test_a_ragged_end_that_is_allowed(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client_context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    answer = background(server_context.wrap_socket, sockets[1], server_side=True)
    client = client_context.wrap_socket(sockets[0], server_hostname="localhost", suppress_ragged_eofs=False)
    with client:
        answer.result(PATIENCE).close()
        assert client.recv(1) == b""


def test_a_reset(sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client:
        client.sendall(b"unread")
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        with pytest.raises(ConnectionResetError):
            client.recv(100)


def test_nothing_is_sent_after_close_notify(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client, server:
        engine = client._sslobj
        closing = background(client.unwrap)
        assert server.recv(10) == b""
        server.unwrap()
        closing.result(PATIENCE)
        with pytest.raises(EngineError) as caught:
            engine.write(b"late")
        assert caught.value.reason == "PROTOCOL_IS_SHUTDOWN"


def test_closing_while_data_is_under_way(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client, server:
        server.sendall(b"unread")
        with pytest.raises(EngineError) as caught:
            client.unwrap()
        assert caught.value.reason == "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"


def test_a_wrong_root(sockets: Ends, makers: Makers, pki: Pki, background: Submit) -> None:
    answer = background(makers.server().wrap_socket, sockets[1], server_side=True)
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        makers.client(cafile=pki.other_root).wrap_socket(sockets[0], server_hostname="localhost")
    assert caught.value.reason == "CERTIFICATE_VERIFY_FAILED"
    assert caught.value.verify_code == 20
    assert caught.value.verify_message == "unable to get local issuer certificate"
    # The alert, if it overtakes the reset that closing an unread socket causes.
    with pytest.raises(OSError, match=r"TLSV1_ALERT_UNKNOWN_CA|reset|Broken pipe"):
        answer.result(PATIENCE)


def test_a_wrong_root_is_explained(
    sockets: Ends, pki: Pki, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client_context.glasslock.trust_store = None
    client_context.glasslock.stores.clear()
    client_context.load_verify_locations(pki.other_root)
    answer = background(server_context.wrap_socket, sockets[1], server_side=True)
    with pytest.raises(EngineCertificateError) as caught:
        client_context.wrap_socket(sockets[0], server_hostname="localhost")
    error = caught.value
    assert str(error).startswith("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local")
    assert error.explanation
    assert error.explanation in str(error)
    assert error.evidence.received
    assert isinstance(answer.exception(PATIENCE), OSError)


def test_a_wrong_name(sockets: Ends, makers: Makers, background: Submit) -> None:
    answer = background(makers.server().wrap_socket, sockets[1], server_side=True)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch") as caught:
        makers.client().wrap_socket(sockets[0], server_hostname="elsewhere.test")
    assert caught.value.verify_code == 62
    assert isinstance(answer.exception(PATIENCE), OSError)


def test_a_listening_socket(listener: socket.socket, makers: Makers, background: Submit) -> None:
    with makers.server().wrap_socket(listener.dup(), server_side=True) as wrapped:

        def serve() -> bytes:
            accepted, _ = wrapped.accept()
            with accepted:
                return accepted.recv(100)

        answer = background(serve)
        with makers.client().wrap_socket(socket.socket(), server_hostname="localhost") as client:
            client.connect(listener.getsockname())
            client.sendall(b"connected later")
            assert answer.result(PATIENCE) == b"connected later"


def test_a_handshake_that_is_left_for_later(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    server = server_context.wrap_socket(sockets[1], server_side=True, do_handshake_on_connect=False)
    client = client_context.wrap_socket(sockets[0], server_hostname="localhost", do_handshake_on_connect=False)
    with client, server:
        assert client.cipher() is None
        assert client.version() is None
        assert client.selected_alpn_protocol() is None
        assert client.pending() == 0
        with pytest.raises(ValueError, match="handshake not done yet"):
            client.getpeercert()
        answer = background(server.recv, 100)  # shakes hands by itself
        client.sendall(b"implicit")
        assert answer.result(PATIENCE) == b"implicit"
        client.do_handshake()  # and once more does no harm
        client.do_handshake()


def test_nobody_holds_a_socket_but_its_user(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    server.close()
    client.close()
    gone = weakref.ref(client)
    del client
    assert gone() is None  # at once: no cycle


def test_garbage_is_named(sockets: Ends, client_context: SSLContext) -> None:
    sockets[1].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(EngineError, match="wrong version number") as caught:
        client_context.wrap_socket(sockets[0], server_hostname="localhost")
    assert caught.value.reason == "WRONG_VERSION_NUMBER"
    assert "plain HTTP" in str(caught.value)


def test_a_plain_request_to_a_server(sockets: Ends, server_context: SSLContext) -> None:
    sockets[0].sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(EngineError, match="http request") as caught:
        server_context.wrap_socket(sockets[1], server_side=True)
    assert caught.value.errno == 1


def test_a_client_that_leaves_in_mid_handshake(sockets: Ends, server_context: SSLContext, pki: Pki) -> None:
    from glasslock.tls import ClientConnection

    sockets[0].sendall(ClientConnection(pki.client(), "localhost").data_to_send())
    sockets[0].shutdown(socket.SHUT_WR)
    with pytest.raises(EngineEOFError, match="may not trust it"):
        server_context.wrap_socket(sockets[1], server_side=True)


def test_a_key_update_in_the_middle(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client, server:
        for end, other in ((client, server), (server, client)):
            end._sslobj.connection.update_keys(request_peer=True)
            end.sendall(b"new key")
            assert other.recv(100) == b"new key"
            other.sendall(b"here too")
            assert end.recv(100) == b"here too"


def test_a_record_in_pieces(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client, server:
        connection = server._sslobj.connection
        connection.send_data(b"in pieces")
        wire = connection.data_to_send()

        def trickle() -> None:
            for byte in wire:
                super(ssl.SSLSocket, server).send(bytes([byte]))
                time.sleep(0.001)

        answer = background(trickle)
        client.setblocking(False)
        until = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < until
            select.select([client], [], [], 1)
            try:
                assert client.recv(100) == b"in pieces"
                break
            except ssl.SSLWantReadError:
                continue
        answer.result(PATIENCE)


def test_an_error_holds_no_part_of_the_buffer(
    sockets: Ends, client_context: SSLContext, server_context: SSLContext, background: Submit
) -> None:
    """A bytearray cannot grow while somebody holds a view of it, and programs keep errors."""
    client, server = _shake_hands(sockets, client_context, server_context, background)
    with client:
        server.close()
        data, room = bytearray(10 << 20), bytearray(100)
        with pytest.raises((ConnectionError, ssl.SSLError)) as _sending:
            client.send(data)
        with pytest.raises((ConnectionError, ssl.SSLError)) as _receiving:
            client._sslobj.read(50, room)
        data.append(0)
        room.append(0)

"""The plain door."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time

import pytest

from glasslock.adapters import Stream, accept, connect
from glasslock.errors import (
    CertificateRefused,
    ConnectFailed,
    ConnectionTruncated,
    PeerAlert,
    PeerMisbehaved,
    TLSError,
)
from glasslock.registry import AlertDescription
from glasslock.tls import ClientConnection, ServerConnection, TicketKeys
from glasslock.trace import CertificatesReceived, HandshakeCompleted, Refused, TcpConnected, VerdictReached
from glasslock.trust import ServerCertificateVerifier, TrustStore, Verdict

from .conftest import PATIENCE, Pki, Submit


def _echo(listener: socket.socket, pki: Pki, **changes: object) -> int:
    """Answers one connection with what it says, in capitals; returns how many bytes that was."""
    sock, _ = listener.accept()
    count = 0
    with accept(sock, pki.server(**changes), timeout=PATIENCE) as stream:
        while data := stream.recv():
            count += len(data)
            stream.send(data.upper())
    return count


def test_a_round_trip(listener: socket.socket, pki: Pki, background: Submit) -> None:
    answer = background(_echo, listener, pki)
    with connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE) as stream:
        stream.send(b"hello")
        assert stream.recv() == b"HELLO"
        assert stream.agreed.server_name == "localhost"
        assert stream.session is not None
    assert answer.result(PATIENCE) == 5


def test_a_credential_is_config_enough(listener: socket.socket, pki: Pki, background: Submit) -> None:
    def serve() -> bytes:
        with accept(listener.accept()[0], pki.credential) as stream:
            return stream.recv()

    answer = background(serve)
    with connect("127.0.0.1", listener.getsockname()[1], pki.client()) as stream:
        stream.send(bytearray(b"to an address"))
    assert answer.result(PATIENCE) == b"to an address"


def test_neither_side_waits_with_small_writes(listener: socket.socket, pki: Pki, background: Submit) -> None:
    def serve() -> int:
        with accept(listener.accept()[0], pki.credential) as stream:
            return stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    answer = background(serve)
    with connect("localhost", listener.getsockname()[1], pki.client()) as stream:
        assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert answer.result(PATIENCE)


def test_what_was_sent_arrives_even_if_the_sender_never_read_its_tickets(
    listener: socket.socket, pki: Pki, background: Submit
) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)  # so that most waits on the sender's side
    agreed, closed = threading.Event(), threading.Event()

    def serve() -> int:
        with accept(listener.accept()[0], pki.server()) as stream:
            agreed.set()
            assert closed.wait(PATIENCE)
            return sum(len(data) for data in iter(stream.recv, b""))

    answer = background(serve)
    with connect("localhost", listener.getsockname()[1], pki.client()) as stream:
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
        stream.send(bytes(200_000))
        assert agreed.wait(PATIENCE)
    closed.set()
    assert answer.result(PATIENCE) == 200_000


def test_the_trace_has_the_whole_story(listener: socket.socket, pki: Pki, background: Submit) -> None:
    told: list[object] = []
    answer = background(_echo, listener, pki)
    port = listener.getsockname()[1]
    with connect("localhost", port, pki.client(observer=told.append), keep_trace=True) as stream:
        stream.send(b"x")
        stream.recv()
    answer.result(PATIENCE)
    kinds = {type(record) for record in stream.trace}
    assert {TcpConnected, CertificatesReceived, VerdictReached, HandshakeCompleted} <= kinds
    assert tuple(told) == stream.trace


def test_without_being_asked_nothing_is_kept(listener: socket.socket, pki: Pki, background: Submit) -> None:
    answer = background(_echo, listener, pki)
    with connect("localhost", listener.getsockname()[1], pki.client()) as stream:
        assert stream.trace == ()
    answer.result(PATIENCE)


def test_a_session_resumes(listener: socket.socket, pki: Pki, background: Submit) -> None:
    keys = TicketKeys()
    session = None
    for resumed in (False, True):
        answer = background(_echo, listener, pki, ticket_keys=keys)
        with connect("localhost", listener.getsockname()[1], pki.client(), session=session) as stream:
            stream.send(b"x")
            stream.recv()
            assert stream.agreed.resumed is resumed
            session = stream.session
            assert session is not None
        answer.result(PATIENCE)


def test_megabytes_both_ways_at_once(
    sockets: tuple[socket.socket, socket.socket], pki: Pki, background: Submit
) -> None:
    client = Stream(sockets[0], ClientConnection(pki.client(), "localhost"), timeout=PATIENCE)
    server = Stream(sockets[1], ServerConnection(pki.server()), timeout=PATIENCE)
    size = 3 << 20

    def send(stream: Stream) -> None:
        stream.send(b"d" * size)

    def receive(stream: Stream) -> int:
        count = 0
        while count < size:
            count += len(stream.recv(100_000))
        return count

    work = [background(send, client), background(send, server), background(receive, client)]
    assert receive(server) == size
    assert [job.result(PATIENCE) for job in work] == [None, None, size]


def test_a_wrong_root_is_refused_with_the_evidence(listener: socket.socket, pki: Pki, background: Submit) -> None:
    answer = background(_echo, listener, pki)
    config = pki.client(verifier=ServerCertificateVerifier(TrustStore.from_pem_file(pki.other_root)))
    with pytest.raises(CertificateRefused) as caught:
        connect("localhost", listener.getsockname()[1], config)
    assert isinstance(caught.value.evidence, Verdict)
    assert caught.value.evidence.received
    with pytest.raises(PeerAlert) as told:
        answer.result(PATIENCE)
    assert told.value.alert is AlertDescription.UNKNOWN_CA


def test_a_silent_peer_is_not_waited_for(listener: socket.socket, pki: Pki) -> None:
    records: list[object] = []
    began = time.monotonic()
    with pytest.raises(TLSError) as caught:
        connect("127.0.0.1", listener.getsockname()[1], pki.client(observer=records.append), timeout=0.3)
    assert caught.value.code == "timeout"
    assert "0.3 seconds" in str(caught.value)
    assert time.monotonic() - began < 3
    assert any(isinstance(record, Refused) and record.code == "timeout" for record in records)


def test_a_trickle_of_bytes_is_not_waited_for_either(listener: socket.socket, pki: Pki, background: Submit) -> None:
    enough = threading.Event()

    def trickle() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"\x16\x03\x03\x40\x00")
            while not enough.wait(0.05):
                sock.sendall(b"\x02")

    answer = background(trickle)
    began = time.monotonic()
    with pytest.raises(TLSError, match="within"):
        connect("127.0.0.1", listener.getsockname()[1], pki.client(), timeout=0.5)
    assert 0.4 < time.monotonic() - began < 3
    enough.set()
    answer.result(PATIENCE)


def test_nobody_there(pki: Pki) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectFailed) as caught:
        connect("127.0.0.1", port, pki.client())
    assert caught.value.code == "refused"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "plain-http"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not-tls"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "peer-alert-handshake-failure"),
        (b"", "truncated"),
        (b"\x16\x03\x03", "truncated"),
    ],
)
def test_a_peer_that_does_not_shake_hands(
    said: bytes, code: str, listener: socket.socket, pki: Pki, background: Submit
) -> None:
    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 16)
            sock.sendall(said)

    answer = background(serve)
    with pytest.raises(TLSError) as caught:
        connect("127.0.0.1", listener.getsockname()[1], pki.client(), timeout=PATIENCE)
    assert caught.value.code == code
    answer.result(PATIENCE)


def _cut(listener: socket.socket, pki: Pki, *, reset: bool) -> None:
    sock, _ = listener.accept()
    stream = accept(sock, pki.server())
    stream.send(b"half of it")
    if reset:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("reset", [False, True])
def test_a_cut_is_no_end(reset: bool, listener: socket.socket, pki: Pki, background: Submit) -> None:
    answer = background(_cut, listener, pki, reset=reset)
    with connect("localhost", listener.getsockname()[1], pki.client(), keep_trace=True) as stream:
        answer.result(PATIENCE)
        with pytest.raises(ConnectionTruncated) as caught:  # noqa: PT012 - data may come before a reset, or not
            while stream.recv():
                pass
        assert ("reset" in str(caught.value).lower()) is reset
        with pytest.raises(TLSError):
            stream.send(b"more")


def test_data_before_a_mistake_is_delivered(
    sockets: tuple[socket.socket, socket.socket], pki: Pki, background: Submit
) -> None:
    client = Stream(sockets[0], ClientConnection(pki.client(), "localhost"), timeout=PATIENCE)
    server = Stream(sockets[1], ServerConnection(pki.server(tickets=0)), timeout=PATIENCE)
    shaken = background(server.handshake)
    client.handshake()
    shaken.result(PATIENCE)
    server.connection.send_data(b"good")
    server.connection.send_data(b"to be spoilt")
    wire = bytearray(server.connection.data_to_send())
    wire[-1] ^= 1
    sockets[1].sendall(wire)
    assert client.recv() == b"good"
    with pytest.raises(PeerMisbehaved):
        client.recv()
    with pytest.raises(PeerAlert) as told:
        server.recv()
    assert told.value.alert is AlertDescription.BAD_RECORD_MAC


def test_closing_does_not_wait_for_a_peer_that_does_not_read(
    sockets: tuple[socket.socket, socket.socket], pki: Pki, background: Submit
) -> None:
    client = Stream(sockets[0], ClientConnection(pki.client(), "localhost"), timeout=0.3)
    server = Stream(sockets[1], ServerConnection(pki.server()), timeout=PATIENCE)
    shaken = background(server.handshake)
    client.handshake()
    shaken.result(PATIENCE)
    with pytest.raises(TLSError, match="did not take"):
        client.send(bytes(64 << 20))
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 3


class Unanswered(socket.socket):
    """What the kernel says when a peer has not acknowledged anything for long."""

    def recv(self, *_: object) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


@pytest.mark.parametrize("timeout", [PATIENCE, None])
def test_a_peer_that_the_kernel_gave_up_is_lost(
    timeout: float | None, sockets: tuple[socket.socket, socket.socket], pki: Pki
) -> None:
    client = Stream(
        Unanswered(fileno=sockets[0].detach()), ClientConnection(pki.client(), "localhost"), timeout=timeout
    )
    sockets[1].send(b"x")  # poll says that there is something: the kernel has it say so of an error too
    with client, pytest.raises(ConnectionTruncated, match="timed out"):
        client.recv()


def test_closing_does_not_wait_for_whoever_sends(
    sockets: tuple[socket.socket, socket.socket], pki: Pki, background: Submit
) -> None:
    client = Stream(sockets[0], ClientConnection(pki.client(), "localhost"), timeout=None)
    server = Stream(sockets[1], ServerConnection(pki.server()), timeout=PATIENCE)
    shaken = background(server.handshake)
    client.handshake()
    shaken.result(PATIENCE)
    sending = background(client.send, bytes(50 << 20))  # nobody takes so much
    time.sleep(0.3)
    closing = background(client.close)
    try:
        closing.result(5)
    finally:
        server.close()
    with pytest.raises(TLSError):
        sending.result(PATIENCE)

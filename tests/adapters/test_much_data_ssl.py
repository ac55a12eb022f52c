"""Much data through sockets of ssl's shape: a record at a time, into the user's own buffer."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Self

import pytest

from glasslock.adapters import SSLContext, channel
from glasslock.adapters.transports import BorrowedSocket
from glasslock.tls import ServerConnection

from .conftest import PATIENCE, Pki, Submit
from .test_much_data import MUCH, Counted

RECORD = 1 << 14
Ends = tuple[socket.socket, socket.socket]
BIG = 1 << 16  # bytes of room: enough for the record to be decrypted right into it


@pytest.fixture
def sockets() -> Iterator[Ends]:
    """What one end sends is at the other at once: these are no TCP sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE)
        theirs.settimeout(PATIENCE)
        yield ours, theirs


class Meeting:
    """A socket of ssl's shape, and the bare engine at the other end."""

    def __init__(
        self,
        sockets: Ends,
        context: SSLContext,
        pki: Pki,
        background: Submit,
        *,
        suppress_ragged_eofs: bool = True,
    ) -> None:
        self.wire = sockets[1]
        self.server = ServerConnection(pki.server())
        answer = background(self._agree)
        self.client = context.wrap_socket(
            sockets[0], server_hostname="localhost", suppress_ragged_eofs=suppress_ragged_eofs
        )
        answer.result(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def _agree(self) -> None:
        while not self.server.handshake_done:
            self.server.receive_data(self.wire.recv(1 << 16))
            self.wire.sendall(self.server.data_to_send())


@pytest.mark.parametrize("room", [1, 1000, RECORD, 2 * RECORD, 2 * RECORD + 1, BIG, 1 << 18])
def test_buffers_of_all_sizes(
    server_context: SSLContext, client_context: SSLContext, listener: socket.socket, background: Submit, room: int
) -> None:
    data = MUCH[:1_000_000] if room > 1 else MUCH[:3000]

    def serve() -> bytes:
        received, buffer = bytearray(), bytearray(room)
        with server_context.wrap_socket(listener.accept()[0], server_side=True) as sock:
            while count := sock.recv_into(buffer):
                received += buffer[:count]
            sock.sendall(b"thanks")
        return bytes(received)

    answer = background(serve)
    plain = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
    with client_context.wrap_socket(plain, server_hostname="localhost") as client:
        client.sendall(data)
        client._sslobj._channel.close()  # type: ignore[union-attr]
        assert client.recv(100) == b"thanks"
    assert answer.result(PATIENCE) == data


def test_what_is_left_of_a_record_comes_first(
    sockets: Ends, client_context: SSLContext, pki: Pki, background: Submit
) -> None:
    with Meeting(sockets, client_context, pki, background) as meeting:
        meeting.wire.sendall(meeting.server.encrypt(b"0123456789") + meeting.server.encrypt(MUCH[:RECORD]))
        buffer = bytearray(BIG)
        assert meeting.client.recv(4) == b"0123"
        assert meeting.client.recv_into(buffer) == 6
        assert buffer[:6] == b"456789"
        assert meeting.client.recv_into(buffer) == RECORD
        assert buffer[:RECORD] == MUCH[:RECORD]


@pytest.mark.parametrize("cuts", [(1,), (4, 5), (5,), (6, 100, 16_000), (16_405,)])
def test_a_record_in_pieces(
    sockets: Ends,
    client_context: SSLContext,
    pki: Pki,
    background: Submit,
    cuts: tuple[int, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What came before it ran dry is kept, whichever way the rest is read; and nobody who waits keeps a buffer."""
    with Meeting(sockets, client_context, pki, background) as meeting:
        client, record, buffer = meeting.client, meeting.server.encrypt(MUCH[:RECORD]), bytearray(BIG)
        client.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):  # the tickets are not data
            client.recv(1)
        monkeypatch.setattr(channel, "WIRE", Counted(channel.WIRE_CHUNK))
        start = 0
        for cut in cuts:
            meeting.wire.sendall(record[start:cut])
            start = cut
            with pytest.raises(ssl.SSLWantReadError):
                client.recv_into(buffer)
        meeting.wire.sendall(record[start:])
        if len(cuts) == 2:
            assert client.recv(BIG) == MUCH[:RECORD]
        else:
            assert client.recv_into(buffer) == RECORD
            assert buffer[:RECORD] == MUCH[:RECORD]
        with pytest.raises(ssl.SSLWantReadError):
            client.recv_into(buffer)
        assert channel.WIRE.lent == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("part", [0, 3, 5, 1000])
@pytest.mark.parametrize("ragged", [True, False])
def test_an_end_without_close_notify(
    sockets: Ends,
    client_context: SSLContext,
    pki: Pki,
    background: Submit,
    part: int,
    ragged: bool,
) -> None:
    with Meeting(sockets, client_context, pki, background, suppress_ragged_eofs=ragged) as meeting:
        meeting.wire.sendall(meeting.server.encrypt(MUCH[:RECORD])[:part])
        meeting.wire.shutdown(socket.SHUT_WR)
        if ragged:
            assert meeting.client.recv_into(bytearray(BIG)) == 0
        else:
            with pytest.raises(ssl.SSLEOFError):
                meeting.client.recv_into(bytearray(BIG))


def test_a_forged_record_leaves_nothing(
    sockets: Ends, client_context: SSLContext, pki: Pki, background: Submit
) -> None:
    with Meeting(sockets, client_context, pki, background) as meeting:
        good, forged = meeting.server.encrypt(MUCH[:RECORD]), bytearray(meeting.server.encrypt(MUCH[:RECORD]))
        forged[-1] ^= 1
        meeting.wire.sendall(good + forged)
        buffer = bytearray(BIG)
        assert meeting.client.recv_into(buffer) == RECORD
        buffer[:] = bytes(BIG)
        with pytest.raises(ssl.SSLError, match="DECRYPTION_FAILED_OR_BAD_RECORD_MAC"):
            meeting.client.recv_into(buffer)
        assert not any(buffer)


def test_a_socket_that_knows_no_recv_into() -> None:
    class Bare:
        def recv(self, limit: int) -> bytes:
            return b"0123456789"[:limit]

        def send(self, data: memoryview) -> int:
            return len(data)

    buffer = bytearray(4)
    assert BorrowedSocket(Bare(), below=False).recv_into(memoryview(buffer)) == 4
    assert buffer == b"0123"

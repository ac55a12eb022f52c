"""Order and patience: what a `Channel` does when a transport gives little, takes little, or breaks."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

from glasslock.adapters.channel import Channel, WantRead, WantWrite
from glasslock.adapters.transports import SocketTransport
from glasslock.errors import ConfigurationError, ConnectionTruncated, TLSError
from glasslock.tls import ClientConnection, ServerConnection

from .conftest import PATIENCE, Pki, Submit


class Pipe:
    """One direction: bytes that were sent and not yet received."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False


class Transport:
    """Takes and gives at most so many bytes at a time, and none when it is told so."""

    def __init__(self, incoming: Pipe, outgoing: Pipe) -> None:
        self.incoming, self.outgoing = incoming, outgoing
        self.room: int | None = None  # bytes that may still be sent; None: any number
        self.at_once = 1 << 20
        self.asked: deque[int] = deque(maxlen=100)
        self.broken: OSError | None = None

    def recv(self, limit: int, deadline: float | None) -> bytes:
        self.asked.append(limit)
        if self.broken is not None:
            raise self.broken
        data = self.incoming.data[: min(limit, self.at_once)]
        if not data and not self.incoming.ended:
            raise BlockingIOError
        del self.incoming.data[: len(data)]
        return bytes(data)

    def send(self, data: memoryview, deadline: float | None) -> int:
        if self.broken is not None:
            raise self.broken
        count = min(len(data), self.at_once)
        if self.room is not None:
            count = min(count, self.room)
            self.room -= count
        if not count:
            raise BlockingIOError
        self.outgoing.data += data[:count]
        return count

    def timeout(self) -> float | None:
        return 0.0


class Pair:
    """A client and a server, each over its own transport."""

    def __init__(self, pki: Pki, **how: bool) -> None:
        up, down = Pipe(), Pipe()
        self.below = Transport(down, up)
        self.server_below = Transport(up, down)
        self.client = Channel(ClientConnection(pki.client(), "localhost"), self.below, **how)
        self.server = Channel(ServerConnection(pki.server(tickets=0)), self.server_below, **how)

    def shake_hands(self) -> None:
        for _ in range(20_000):
            done = 0
            for end in (self.client, self.server):
                try:
                    end.handshake()
                    done += 1
                except (WantRead, WantWrite):
                    pass
            if done == 2:
                return
        pytest.fail("no end of the handshake")


@pytest.fixture
def pair(pki: Pki) -> Pair:
    pair = Pair(pki, record_by_record=True)
    pair.shake_hands()
    return pair


@pytest.mark.parametrize("record_by_record", [True, False])
def test_a_byte_at_a_time(record_by_record: bool, pki: Pki) -> None:
    pair = Pair(pki, record_by_record=record_by_record)
    pair.below.at_once = pair.server_below.at_once = 1
    pair.shake_hands()
    pair.client.write(memoryview(b"slowly"))
    for _ in range(200):
        try:
            assert pair.server.read(100) == b"slowly"
            break
        except WantRead:
            continue
    else:
        pytest.fail("nothing came")


@pytest.mark.parametrize("version", ["0000", "0200", "0304", "9999", "ffff"])
@pytest.mark.parametrize("record_by_record", [True, False])
def test_the_version_of_a_record_is_ignored(record_by_record: bool, version: str, pki: Pki) -> None:
    """RFC 9846 section 5.1. A record of whatever version has an end to wait for, and none beyond it."""
    pair = Pair(pki, record_by_record=record_by_record)
    with pytest.raises(WantRead):
        pair.client.handshake()
    pair.below.outgoing.data[1:3] = bytes.fromhex(version)
    with pytest.raises(WantRead):
        pair.server.handshake()
    pair.below.incoming.data[1:3] = bytes.fromhex(version)
    pair.shake_hands()


def test_no_more_is_taken_than_one_record(pair: Pair) -> None:
    pair.client.write(memoryview(b"one"))
    length = len(pair.below.outgoing.data)
    pair.client.write(memoryview(b"two"))
    pair.server_below.asked.clear()
    assert pair.server.read(100) == b"one"
    assert sum(pair.server_below.asked) == length


def test_a_write_that_the_kernel_cuts_short_is_committed(pair: Pair) -> None:
    data = memoryview(bytes(range(256)) * 100)
    pair.below.room = 1000
    with pytest.raises(WantWrite):
        pair.client.write(data)
    with pytest.raises(WantWrite):
        pair.client.write(data)
    with pytest.raises(ConfigurationError, match="same data"):
        pair.client.write(data[:10])
    pair.below.room = None
    assert pair.client.write(data) == len(data)
    received = b""
    while len(received) < len(data):
        received += pair.server.read(1 << 16)
    assert received == data  # once, not twice
    with pytest.raises(WantRead):
        pair.server.read(1)


def test_a_socket_may_write_less(pair: Pair) -> None:
    data = memoryview(bytes(1 << 20))
    assert 0 < pair.client.write(data) < len(data)


def test_a_handshake_goes_on_where_the_kernel_stopped_it(pki: Pki) -> None:
    pair = Pair(pki)
    pair.server_below.room = 700
    with pytest.raises(WantRead):
        pair.client.handshake()
    with pytest.raises(WantWrite):
        pair.server.handshake()
    pair.server_below.room = None
    pair.shake_hands()


def test_a_reader_does_not_wait_for_the_wire(pair: Pair) -> None:
    """The answer to a key update may have to wait: reading goes on all the same."""
    pair.server.connection.update_keys(request_peer=True)
    pair.server.write(memoryview(b"data"))
    pair.below.room = 0
    assert pair.client.read(100) == b"data"
    pair.below.room = None
    pair.client.write(memoryview(b"answer"))
    assert pair.server.read(100) == b"answer"


@pytest.fixture
def full(pki: Pki) -> Iterator[tuple[Channel, Channel, int]]:
    """Both ends over sockets. So many dots are under way to the server, for the last of which there is no room yet."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least that there can be
        client = Channel(ClientConnection(pki.client(), "localhost"), SocketTransport(ours, PATIENCE))
        server = Channel(ServerConnection(pki.server(tickets=0)), SocketTransport(theirs, PATIENCE))
        answering = threading.Thread(target=server.handshake)
        answering.start()
        client.handshake()
        answering.join()
        dots = 0
        while not client._unsent:
            record = client.connection.encrypt(b".")
            dots += 1
            try:
                assert ours.send(record) == len(record)
            except BlockingIOError:
                client._unsent.append(memoryview(record))
        yield client, server, dots


def test_a_reader_does_not_wait_for_a_peer_that_does_not_read(full: tuple[Channel, Channel, int]) -> None:
    """Two that did would wait for each other for ever: each to be read, and neither reading."""
    client, server, _ = full
    server.write(memoryview(b"data"))
    started = time.monotonic()
    assert client.read(100) == b"data"
    assert time.monotonic() - started < PATIENCE / 2


def test_a_reader_sends_what_it_could_not_while_it_waits(
    full: tuple[Channel, Channel, int], background: Submit
) -> None:
    """There may be no writer to do it, and nothing more to read before the peer has it."""
    client, server, dots = full
    reading = background(client.read, 100)
    while dots:
        dots -= len(server.read(dots))
    server.write(memoryview(b"answer"))
    assert reading.result(PATIENCE) == b"answer"


def test_a_key_update_is_answered_in_order_while_another_thread_writes(pair: Pair, background: Submit) -> None:
    over = threading.Event()
    chunk = bytes(range(250)) * 4

    def write() -> int:
        count = 0
        while not over.is_set():
            pair.client.write(memoryview(chunk))
            count += 1
        return count

    received = 0
    writing = background(write)
    for _ in range(50):
        pair.server.connection.update_keys(request_peer=True)
        pair.server.write(memoryview(b"x"))
        assert pair.client.read(10) == b"x"
        with contextlib.suppress(WantRead):
            received += len(pair.server.read(1 << 16))
    over.set()
    count = writing.result(PATIENCE)
    while received < count * len(chunk):
        received += len(pair.server.read(1 << 16))
    assert received == count * len(chunk)


def test_a_broken_transport_is_told(pair: Pair) -> None:
    pair.below.broken = ConnectionResetError(104, "Connection reset by peer")
    with pytest.raises(ConnectionResetError):
        pair.client.read(1)
    failure = pair.client.connection.failure
    assert isinstance(failure, ConnectionTruncated)
    assert "Connection reset by peer" in str(failure)
    with pytest.raises(ConnectionTruncated):
        pair.client.read(1)


def test_the_end_inside_a_record(pair: Pair) -> None:
    pair.client.write(memoryview(b"cut"))
    del pair.below.outgoing.data[-1:]
    pair.below.outgoing.ended = True
    with pytest.raises(ConnectionTruncated):
        pair.server.read(10)


def test_after_closing(pair: Pair) -> None:
    pair.client.close()
    with pytest.raises(TLSError) as caught:
        pair.client.write(memoryview(b"late"))
    assert caught.value.code == "protocol-is-shutdown"
    assert pair.server.read(1) == b""
    pair.server.write(memoryview(b"half closed"))
    assert pair.client.read(100) == b"half closed"
    with pytest.raises(WantRead):
        pair.client.shutdown()
    pair.server.shutdown()
    pair.client.shutdown()


def test_closing_before_the_handshake(pki: Pki) -> None:
    pair = Pair(pki)
    pair.client.shutdown()
    with pytest.raises(TLSError) as caught:
        pair.client.read(1)
    assert caught.value.code == "protocol-is-shutdown"
    with pytest.raises(TLSError):
        pair.server.handshake()


def test_only_a_server_asks_for_certificates(pair: Pair) -> None:
    with pytest.raises(ConfigurationError, match="only a server"):
        pair.client.request_client_certificate()


def test_reading_into_a_buffer(pair: Pair) -> None:
    pair.client.write(memoryview(b"0123456789"))
    buffer = bytearray(4)
    assert pair.server.read_into(memoryview(buffer)) == 4
    assert buffer == b"0123"
    assert pair.server.inbox.pending == 6
    assert pair.server.read_into(memoryview(bytearray())) == 0
    assert pair.server.read(1) == b"4"
    assert pair.server.read(0) == b""
    assert pair.server.read(100) == b"56789"

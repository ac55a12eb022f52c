"""Buffers that are lent: nobody has one that somebody else has, and nothing is kept that nobody may need."""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from glasslock.adapters import Stream, accept, connect
from glasslock.adapters import asynchronous as asynchronous_door
from glasslock.adapters import channel as blocking_door
from glasslock.adapters.asynchronous import accept_stream, open_stream
from glasslock.adapters.buffers import KEPT, Buffers
from glasslock.adapters.channel import SMALL, WIRE_CHUNK, WRITE_CHUNK, Channel, WantWrite
from glasslock.errors import TLSError
from glasslock.tls import ClientConnection, Connection

from .conftest import PATIENCE, Pki, Submit
from .test_channel import Pair

MUCH = random.Random(8).randbytes(2_000_000)
RECORD = 1 << 14
MANY = KEPT + 2  # connections


class Watched(Buffers):
    """Knows who has what."""

    def __init__(self) -> None:
        super().__init__(WIRE_CHUNK)
        self.lent: list[bytearray] = []
        self.loans = 0
        self._lock = threading.Lock()

    def borrow(self) -> bytearray:
        with self._lock:
            buffer = super().borrow()
            assert not any(buffer is other for other in self.lent)
            self.lent.append(buffer)
            self.loans += 1
            return buffer

    def give_back(self, buffer: bytearray) -> None:
        with self._lock:
            assert any(buffer is other for other in self.lent)
            self.lent = [other for other in self.lent if other is not buffer]
            super().give_back(buffer)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    watched = Watched()
    for door in (blocking_door, asynchronous_door):
        monkeypatch.setattr(door, "WIRE", watched)
    return watched


@pytest.fixture
def sealed_in(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each call of `encrypt_into`: whether the records were made in the buffer that it was given."""
    found: list[bool] = []
    encrypt_into = Connection.encrypt_into

    def spy(self: Connection, data: memoryview, buffer: memoryview) -> memoryview:
        sealed = encrypt_into(self, data, buffer)
        found.append(sealed.obj is buffer.obj)
        return sealed

    monkeypatch.setattr(Connection, "encrypt_into", spy)
    return found


def shaken(pki: Pki, **how: Any) -> Pair:
    pair = Pair(pki, **how)
    pair.shake_hands()
    return pair


def read(channel: Channel, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += channel.read(1 << 20)
    return received


def test_buffers_are_used_again_and_few_are_kept() -> None:
    buffers = Buffers(100)
    many = [buffers.borrow() for _ in range(KEPT + 3)]
    assert len({id(one) for one in many}) == KEPT + 3
    assert {len(one) for one in many} == {100}
    for one in many:
        buffers.give_back(one)
    again = [buffers.borrow() for _ in range(KEPT + 3)]
    assert sum(any(one is other for other in many) for one in again) == KEPT


@pytest.mark.parametrize("whole_writes", [False, True])
@pytest.mark.parametrize("size", [SMALL + 1, RECORD, RECORD + 1, WRITE_CHUNK])
def test_a_write_goes_from_buffer_to_buffer(
    pki: Pki, watched: Watched, sealed_in: list[bool], whole_writes: bool, size: int
) -> None:
    pair = shaken(pki, whole_writes=whole_writes)
    for _ in range(3):
        assert pair.client.write(memoryview(MUCH[:size])) == size
        assert read(pair.server, size) == MUCH[:size]
        assert not watched.lent
    assert watched.loans == 3
    assert sealed_in == [True] * 3


@pytest.mark.parametrize("size", [1, SMALL])
def test_a_small_write_needs_no_buffer(pki: Pki, watched: Watched, size: int) -> None:
    pair = shaken(pki)
    pair.client.write(memoryview(MUCH[:size]))
    assert read(pair.server, size) == MUCH[:size]
    assert watched.loans == 0


def test_a_whole_write_of_any_length(pki: Pki) -> None:
    pair = shaken(pki, whole_writes=True)
    assert pair.client.write(memoryview(MUCH)) == len(MUCH)
    assert read(pair.server, len(MUCH)) == MUCH


def test_a_write_that_was_cut_short_keeps_its_buffer(pki: Pki, watched: Watched) -> None:
    """Another connection may write meanwhile, and must not write over what is still to be sent."""
    pair, other = shaken(pki), shaken(pki)
    data = memoryview(MUCH[:RECORD])
    pair.below.room = 1000
    with pytest.raises(WantWrite):
        pair.client.write(data)
    assert len(watched.lent) == 1
    assert other.client.write(memoryview(MUCH[-RECORD:])) == RECORD
    assert read(other.server, RECORD) == MUCH[-RECORD:]
    assert len(watched.lent) == 1
    pair.below.room = None
    assert pair.client.write(data) == RECORD
    assert not watched.lent
    assert read(pair.server, RECORD) == data


def test_a_broken_write_gives_nothing_back(pki: Pki, watched: Watched) -> None:
    """What is not sent is still to be sent: nobody else may have its memory."""
    pair = shaken(pki)
    pair.below.broken = BrokenPipeError(32, "Broken pipe")
    with pytest.raises(BrokenPipeError):
        pair.client.write(memoryview(MUCH[:RECORD]))
    assert len(watched.lent) == 1


def test_who_waits_has_no_buffer(
    sockets: tuple[socket.socket, socket.socket], pki: Pki, background: Submit, watched: Watched
) -> None:
    accepting = background(accept, sockets[1], pki.server(), timeout=PATIENCE)
    with open_over(sockets[0], pki) as client, accepting.result(PATIENCE) as server:
        server.send(MUCH[:RECORD])
        buffer, count = bytearray(1 << 18), 0
        while count < RECORD:
            count += client.recv_into(memoryview(buffer)[count:])
        client.timeout = 0.01
        with pytest.raises(TLSError, match="nothing came"):
            client.recv_into(buffer)
        assert watched.loans >= 2
        assert not watched.lent


def open_over(sock: socket.socket, pki: Pki) -> Stream:
    stream = Stream(sock, ClientConnection(pki.client(), "localhost"), timeout=PATIENCE)
    stream.handshake()
    return stream


def test_many_connections_at_once(listener: socket.socket, pki: Pki, watched: Watched) -> None:
    """More than there are buffers: everybody gets what was meant for them."""

    def serve(sock: socket.socket) -> bytes:
        received, buffer = bytearray(), bytearray(1 << 18)
        with accept(sock, pki.server(), timeout=PATIENCE) as stream:
            while count := stream.recv_into(buffer):
                received += buffer[:count]
            stream.send(received[::-1])
        return bytes(received)

    def visit(number: int) -> None:
        data = MUCH[number * 1000 :][:300_000]
        with connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE) as stream:
            for start in range(0, len(data), RECORD):
                stream.send(data[start : start + RECORD])
            stream._channel.close()
            received = b""
            while piece := stream.recv():
                received += piece
        assert received == data[::-1]

    with ThreadPoolExecutor(2 * MANY) as pool:
        visits = [pool.submit(visit, number) for number in range(MANY)]
        answers = [pool.submit(serve, listener.accept()[0]) for _ in visits]
        for one in [*visits, *answers]:
            one.result(PATIENCE)
    assert watched.loans > MANY


def test_asyncio_gives_back_what_was_sent_and_keeps_what_was_not(
    pki: Pki, watched: Watched, sealed_in: list[bool]
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            opening = asyncio.create_task(
                open_stream("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE)
            )
            accepted, _ = await loop.sock_accept(listener)
            async with await accept_stream(accepted, pki.server(), timeout=PATIENCE) as server, await opening as client:
                await client.send(MUCH[:SMALL])
                assert not watched.loans
                await client.send(MUCH[:RECORD])
                assert (watched.loans, watched.lent, sealed_in) == (1, [], [True])
                received = b""
                while len(received) < SMALL + RECORD:
                    received += await server.recv()
                assert received == MUCH[:SMALL] + MUCH[:RECORD]
                client.timeout = 0.1
                with pytest.raises(TLSError, match="did not take"):
                    await client.send(MUCH * 10)  # nobody reads it
                assert len(watched.lent) == 1

    asyncio.run(main())

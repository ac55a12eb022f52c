"""Much data through the plain doors: into the user's own buffer, of whatever size, and back to ordinary reads."""

from __future__ import annotations

import asyncio
import random
import socket

import pytest

from glasslock.adapters import accept, channel, connect
from glasslock.adapters.asynchronous import accept_stream, open_stream
from glasslock.adapters.buffers import Buffers
from glasslock.adapters.transports import SocketTransport
from glasslock.errors import ConnectionTruncated, PeerMisbehaved, TLSError
from glasslock.tls import ServerConnection

from .conftest import PATIENCE, Pki, Submit

MUCH = random.Random(7).randbytes(3_000_000)


@pytest.mark.parametrize("room", [1, 1000, 1 << 14, (1 << 15) + 1, 100_000, 1 << 18])
def test_much_data_into_buffers_of_all_sizes(listener: socket.socket, pki: Pki, background: Submit, room: int) -> None:
    data = MUCH if room > 1 else MUCH[:3000]

    def serve() -> bytes:
        received, buffer = bytearray(), bytearray(room)
        with accept(listener.accept()[0], pki.server(), timeout=PATIENCE) as stream:
            while count := stream.recv_into(buffer):
                received += buffer[:count]
            assert stream.recv_into(buffer) == 0
        return bytes(received)

    answer = background(serve)
    with connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE) as stream:
        stream.send(data)
    assert answer.result(PATIENCE) == data


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)])
def test_both_ways_of_reading_can_be_mixed(
    listener: socket.socket, pki: Pki, background: Submit, versions: tuple[int, ...]
) -> None:
    def serve() -> bytes:
        received, buffer = b"", bytearray(70_000)
        with accept(listener.accept()[0], pki.server(versions=versions), timeout=PATIENCE) as stream:
            while True:
                data = stream.recv(30_000)
                count = stream.recv_into(buffer)
                received += data + buffer[:count]
                if not data or not count:
                    return received

    answer = background(serve)
    config = pki.client(versions=versions)
    with connect("localhost", listener.getsockname()[1], config, timeout=PATIENCE) as stream:
        stream.send(MUCH[:100])
        stream.send(MUCH[100:])
    assert answer.result(PATIENCE) == MUCH


class Counted(Buffers):
    """Knows how many are out."""

    lent = 0

    def borrow(self) -> bytearray:
        self.lent += 1
        return super().borrow()

    def give_back(self, buffer: bytearray) -> None:
        self.lent -= 1
        super().give_back(buffer)


def test_who_waits_holds_no_buffer(
    listener: socket.socket, pki: Pki, background: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffers = Counted(channel.WIRE_CHUNK)
    monkeypatch.setattr(channel, "WIRE", buffers)
    lent_to_whoever_waited: list[int] = []
    wait_to_read = SocketTransport.wait_to_read

    def wait(transport: SocketTransport, deadline: float | None) -> None:
        lent_to_whoever_waited.append(buffers.lent)
        wait_to_read(transport, deadline)

    def serve() -> None:
        with accept(listener.accept()[0], pki.server(), timeout=PATIENCE) as stream:
            stream.send(MUCH)
            with pytest.raises(ConnectionTruncated):
                stream.recv()  # the client gave up

    answer = background(serve)
    with connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE) as stream:
        buffer, count = bytearray(1 << 18), 0
        while count < len(MUCH):
            count += stream.recv_into(buffer)
        monkeypatch.setattr(SocketTransport, "wait_to_read", wait)
        stream.timeout = 0.05
        with pytest.raises(TLSError, match="nothing came"):
            stream.recv_into(buffer)
        assert stream._channel._wire_out is None
    assert lent_to_whoever_waited
    assert not any(lent_to_whoever_waited)
    answer.result(PATIENCE)


@pytest.mark.parametrize("cut", [True, False])
def test_what_came_before_the_end_is_read_first(
    listener: socket.socket, pki: Pki, background: Submit, cut: bool
) -> None:
    """Whole records, then one that was changed, or nothing more."""

    def serve() -> None:
        connection = ServerConnection(pki.server())
        with listener.accept()[0] as sock:
            sock.settimeout(PATIENCE)
            while not connection.handshake_done:
                connection.receive_data(sock.recv(5000))
                sock.sendall(connection.data_to_send())
            wire = bytearray(connection.encrypt(MUCH[:40_000]))
            if not cut:
                wire[-1] ^= 1
            sock.sendall(wire[:-1] if cut else wire)
            if not cut:
                assert sock.recv(5000)  # the alert

    answer = background(serve)
    with connect("localhost", listener.getsockname()[1], pki.client(), timeout=PATIENCE) as stream:
        buffer, received = bytearray(1 << 17), b""
        while len(received) < 1 << 15:
            received += buffer[: stream.recv_into(buffer)]
        assert received == MUCH[: 1 << 15]
        with pytest.raises(ConnectionTruncated if cut else PeerMisbehaved):
            stream.recv_into(buffer)
    answer.result(PATIENCE)


def test_much_data_with_asyncio(pki: Pki) -> None:
    async def serve(listener: socket.socket) -> bytes:
        accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
        received = bytearray()
        async with await accept_stream(accepted, pki.server(), timeout=PATIENCE) as stream:
            while data := await stream.recv(100_000):
                received += data
                await stream.send(b"." * len(data))
        return bytes(received)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            answer = asyncio.create_task(serve(listener))
            port = listener.getsockname()[1]
            async with await open_stream("localhost", port, pki.client(), timeout=PATIENCE) as stream:
                sending = asyncio.create_task(stream.send(MUCH))
                echoed = 0
                while echoed < len(MUCH):
                    echoed += len(await stream.recv())
                await sending
            assert await answer == MUCH

    asyncio.run(main())

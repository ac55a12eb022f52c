"""The plain door for asyncio."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Awaitable
from typing import Any

import pytest

from glasslock.adapters import AsyncStream, accept_stream, open_stream
from glasslock.errors import (
    CertificateRefused,
    ConnectFailed,
    ConnectionTruncated,
    PeerAlert,
    PeerMisbehaved,
    TLSError,
)
from glasslock.tls import ClientConnection, ServerConnection
from glasslock.trace import HandshakeCompleted, TcpConnected
from glasslock.trust import ServerCertificateVerifier, TrustStore, Verdict

from .conftest import PATIENCE, Pki


def run(work: Awaitable[Any]) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(work, PATIENCE)

    return asyncio.run(limited())


class Site:
    """A listening socket and what it does with each connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]

    async def __aenter__(self) -> Site:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.listener.close()

    async def accept(self) -> socket.socket:
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        return sock


async def _echo(site: Site, pki: Pki) -> None:
    async with await accept_stream(await site.accept(), pki.credential) as stream:
        while data := await stream.recv():
            await stream.send(data)


def test_neither_side_waits_with_small_writes(pki: Pki) -> None:
    async def scene() -> tuple[int, int]:
        async with Site() as site:
            served = asyncio.create_task(_accept(site, pki))
            async with await open_stream("localhost", site.port, pki.client()) as client, await served as server:
                ends = client.socket, server.socket
                ours, theirs = (end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for end in ends)
                return ours, theirs

    assert all(run(scene()))


async def _accept(site: Site, pki: Pki) -> AsyncStream:
    return await accept_stream(await site.accept(), pki.credential)


def test_what_was_sent_arrives_even_if_the_sender_never_read_its_tickets(pki: Pki) -> None:
    async def scene() -> int:
        async with Site() as site:
            site.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)  # most waits on the sender's side
            closed = asyncio.Event()

            async def serve() -> int:
                async with await accept_stream(await site.accept(), pki.credential) as stream:
                    await closed.wait()
                    count = 0
                    while data := await stream.recv():
                        count += len(data)
                    return count

            served = asyncio.create_task(serve())
            async with await open_stream("localhost", site.port, pki.client()) as stream:
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
                await stream.send(bytes(200_000))
                await asyncio.sleep(0.2)  # the tickets arrive
            closed.set()
            return await served

    assert run(scene()) == 200_000


def test_a_round_trip(pki: Pki) -> None:
    async def go() -> None:
        async with Site() as site:
            serving = asyncio.create_task(_echo(site, pki))
            async with await open_stream("localhost", site.port, pki.client(), keep_trace=True) as stream:
                data = bytes(range(256)) * 2000
                sending = asyncio.create_task(stream.send(data))
                received = b""
                while len(received) < len(data):
                    received += await stream.recv()
                assert received == data
                await sending
                assert stream.session is not None
                assert stream.agreed.server_name == "localhost"
                kinds = {type(record) for record in stream.trace}
                assert {TcpConnected, HandshakeCompleted} <= kinds
            await serving

    run(go())


async def _pair(pki: Pki) -> tuple[AsyncStream, AsyncStream]:
    one, other = socket.socketpair()
    client = AsyncStream(one, ClientConnection(pki.client(), "localhost"))
    server = AsyncStream(other, ServerConnection(pki.server(tickets=0)))
    await asyncio.gather(client.handshake(), server.handshake())
    return client, server


def test_megabytes_both_ways_at_once(pki: Pki) -> None:
    async def receive(stream: AsyncStream, size: int) -> None:
        while size:
            size -= len(await stream.recv(100_000))

    async def go() -> None:
        client, server = await _pair(pki)
        async with client, server:
            size = 3 << 20
            await asyncio.gather(
                client.send(bytes(size)), server.send(bytes(size)), receive(client, size), receive(server, size)
            )

    run(go())


def test_the_end_in_due_form_and_otherwise(pki: Pki) -> None:
    async def go() -> None:
        for reset in (False, True):
            client, server = await _pair(pki)
            async with client:
                await server.send(b"half of it")
                if reset:
                    server.socket.close()
                else:
                    await server.close()
                assert await client.recv() == b"half of it"
                if reset:
                    with pytest.raises(ConnectionTruncated):
                        await client.recv()
                else:
                    assert await client.recv() == b""

    run(go())


def test_a_reset(pki: Pki) -> None:
    async def go() -> None:
        async with Site() as site:
            serving = asyncio.create_task(site.accept())
            opening = asyncio.create_task(open_stream("127.0.0.1", site.port, pki.client()))
            sock = await serving
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.sleep(0.05)
            sock.close()
            with pytest.raises(ConnectionTruncated, match="reset"):
                await opening

    run(go())


def test_data_before_a_mistake_is_delivered(pki: Pki) -> None:
    async def go() -> None:
        client, server = await _pair(pki)
        async with client, server:
            server.connection.send_data(b"good")
            server.connection.send_data(b"to be spoilt")
            wire = bytearray(server.connection.data_to_send())
            wire[-1] ^= 1
            await asyncio.get_running_loop().sock_sendall(server.socket, wire)
            assert await client.recv() == b"good"
            with pytest.raises(PeerMisbehaved):
                await client.recv()
            with pytest.raises(PeerAlert):
                await server.recv()

    run(go())


def test_a_wrong_root(pki: Pki) -> None:
    async def go() -> None:
        async with Site() as site:
            serving = asyncio.create_task(_echo(site, pki))
            verifier = ServerCertificateVerifier(TrustStore.from_pem_file(pki.other_root))
            with pytest.raises(CertificateRefused) as caught:
                await open_stream("localhost", site.port, pki.client(verifier=verifier))
            assert isinstance(caught.value.evidence, Verdict)
            with pytest.raises(TLSError):
                await serving

    run(go())


def test_a_silent_peer_is_not_waited_for(pki: Pki) -> None:
    async def go() -> None:
        async with Site() as site:
            with pytest.raises(TLSError, match=r"within 0\.2 seconds") as caught:
                await open_stream("127.0.0.1", site.port, pki.client(), timeout=0.2)
            assert caught.value.code == "timeout"

    run(go())


def test_nobody_there(pki: Pki) -> None:
    async def go() -> None:
        async with Site() as site:
            port = site.port
        with pytest.raises(ConnectFailed):
            await open_stream("127.0.0.1", port, pki.client())

    run(go())


def test_an_outer_time_limit_stays_the_outers(pki: Pki) -> None:
    async def go() -> None:
        client, server = await _pair(pki)
        async with client, server:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.recv(), 0.05)

    run(go())


class Unanswered(socket.socket):
    """What the kernel says when a peer has not acknowledged anything for long."""

    def recv(self, *_: object) -> bytes:
        raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")


@pytest.mark.parametrize("timeout", [PATIENCE, None])
def test_a_peer_that_the_kernel_gave_up_is_lost(timeout: float | None, pki: Pki) -> None:
    async def scene() -> None:
        async with Site() as site:
            sock = socket.create_connection(("127.0.0.1", site.port))
            lost = Unanswered(fileno=sock.detach())
            async with AsyncStream(lost, ClientConnection(pki.client(), "localhost"), timeout=timeout) as stream:
                with pytest.raises(ConnectionTruncated, match="timed out"):
                    await stream.recv()

    run(scene())


def test_closing_closes_the_socket_even_if_it_is_cancelled(pki: Pki) -> None:
    async def scene() -> None:
        async with Site() as site:
            server = asyncio.create_task(_echo(site, pki))
            stream = await open_stream("localhost", site.port, pki.client())
            await stream._wire.acquire()  # as a sender does whom the peer keeps waiting
            closing = asyncio.create_task(stream.close())
            await asyncio.sleep(0.05)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert stream.socket.fileno() == -1
            with pytest.raises(ConnectionTruncated):
                await server

    run(scene())


def test_a_sender_also_sends_what_a_reader_had_to_say_meanwhile(pki: Pki) -> None:
    """The alert is not left until somebody closes."""

    async def scene() -> None:
        async with Site() as site:
            accepting = asyncio.create_task(_accept(site, pki))
            client = await open_stream("localhost", site.port, pki.client())
            server = await accepting
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 12)
            sending = asyncio.create_task(client.send(bytes(100_000)))  # one write
            await asyncio.sleep(0.05)
            assert not sending.done()
            await asyncio.get_running_loop().sock_sendall(server.socket, b"\x17\x03\x03\x00\x20" + bytes(32))
            with pytest.raises(PeerMisbehaved):
                await client.recv()
            assert not sending.done()
            with pytest.raises(PeerAlert):  # noqa: PT012 - the data comes first
                while await server.recv():
                    pass
            await sending
            await client.close()
            await server.close()

    async def _accept(site: Site, pki: Pki) -> AsyncStream:
        site.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        return await accept_stream(await site.accept(), pki.credential)

    run(scene())

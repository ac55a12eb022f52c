"""asyncio's streams over `ssl`."""

from __future__ import annotations

import asyncio
import socket

from ..identity import SERVER_NAME, Identity
from ..peers import PLAIN
from ..peers.stdlib import contexts
from . import CHUNK, READ


class Door:
    """Two contexts."""

    def __init__(self, identity: Identity) -> None:
        self.client, self.server = contexts(identity, PLAIN)

    def serve(self, listener: socket.socket, connections: int) -> None:
        """Reads whatever each visitor sends to its end."""
        asyncio.run(self._serve(listener, connections))

    async def _serve(self, listener: socket.socket, connections: int) -> None:
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            accepted, _address = await loop.sock_accept(listener)
            await self.read_all(accepted)

    async def read_all(self, accepted: socket.socket) -> None:
        """One connection, to its end."""
        reader = asyncio.StreamReader(limit=READ)
        protocol = asyncio.StreamReaderProtocol(reader)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self.server)
        while await reader.read(READ):
            pass
        transport.close()

    def visit(self, address: tuple[str, int], size: int, times: int = 1) -> None:
        """So many connections with `size` bytes each, one after the other."""
        asyncio.run(self._visit(address, size, times))

    async def _visit(self, address: tuple[str, int], size: int, times: int) -> None:
        for _ in range(times):
            await self.send(address, size)

    async def open(self, address: tuple[str, int]) -> asyncio.StreamWriter:
        """A connection that is left open."""
        _reader, writer = await asyncio.open_connection(*address, ssl=self.client, server_hostname=SERVER_NAME)
        return writer

    async def send(self, address: tuple[str, int], size: int) -> None:
        """A connection with `size` bytes."""
        data = memoryview(bytes(min(size, CHUNK)))
        writer = await self.open(address)
        for start in range(0, size, CHUNK):
            writer.write(data[: size - start])
            await writer.drain()
        writer.close()
        await writer.wait_closed()

"""`glasslock.adapters.asynchronous`."""

from __future__ import annotations

import asyncio
import socket

from glasslock.adapters.asynchronous import AsyncStream, accept_stream, open_stream

from ..identity import SERVER_NAME, Identity
from ..peers import PLAIN
from ..peers.glass import configs
from . import CHUNK, READ


class Door:
    """Two configs."""

    def __init__(self, identity: Identity) -> None:
        self.client, self.server = configs(identity, PLAIN)

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
        async with await accept_stream(accepted, self.server) as stream:
            while await stream.recv(READ):
                pass

    def visit(self, address: tuple[str, int], size: int, times: int = 1) -> None:
        """So many connections with `size` bytes each, one after the other."""
        asyncio.run(self._visit(address, size, times))

    async def _visit(self, address: tuple[str, int], size: int, times: int) -> None:
        for _ in range(times):
            await self.send(address, size)

    async def open(self, address: tuple[str, int]) -> AsyncStream:
        """A connection that is left open."""
        return await open_stream(*address, self.client, server_name=SERVER_NAME)

    async def send(self, address: tuple[str, int], size: int) -> None:
        """A connection with `size` bytes."""
        data = memoryview(bytes(min(size, CHUNK)))
        async with await self.open(address) as stream:
            for start in range(0, size, CHUNK):
                await stream.send(data[: size - start])

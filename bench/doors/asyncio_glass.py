"""`glasslock.adapters.asynchronous`."""

from __future__ import annotations

import asyncio
import socket

from glasslock.adapters.asynchronous import accept_stream, open_stream

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
            async with await accept_stream(accepted, self.server) as stream:
                while await stream.recv(READ):
                    pass

    def visit(self, address: tuple[str, int], size: int) -> None:
        """One connection with `size` bytes."""
        asyncio.run(self._visit(address, size))

    async def _visit(self, address: tuple[str, int], size: int) -> None:
        data = memoryview(bytes(min(size, CHUNK)))
        async with await open_stream(*address, self.client, server_name=SERVER_NAME) as stream:
            for start in range(0, size, CHUNK):
                await stream.send(data[: size - start])

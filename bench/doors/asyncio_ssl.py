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
            reader = asyncio.StreamReader(limit=READ)
            protocol = asyncio.StreamReaderProtocol(reader)
            transport, _ = await loop.connect_accepted_socket(lambda p=protocol: p, accepted, ssl=self.server)
            while await reader.read(READ):
                pass
            transport.close()

    def visit(self, address: tuple[str, int], size: int) -> None:
        """One connection with `size` bytes."""
        asyncio.run(self._visit(address, size))

    async def _visit(self, address: tuple[str, int], size: int) -> None:
        data = memoryview(bytes(min(size, CHUNK)))
        _reader, writer = await asyncio.open_connection(*address, ssl=self.client, server_hostname=SERVER_NAME)
        for start in range(0, size, CHUNK):
            writer.write(data[: size - start])
            await writer.drain()
        writer.close()
        await writer.wait_closed()

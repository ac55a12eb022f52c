"""`glasslock.adapters.blocking`."""

from __future__ import annotations

import socket

from glasslock.adapters.blocking import accept, connect

from ..identity import SERVER_NAME, Identity
from ..peers import PLAIN, REQUEST
from ..peers.glass import configs
from . import CHUNK, READ


class Door:
    """Two configs."""

    def __init__(self, identity: Identity) -> None:
        self.client, self.server = configs(identity, PLAIN)

    def serve(self, listener: socket.socket, connections: int) -> None:
        """Reads whatever each visitor sends to its end."""
        buffer = bytearray(READ)
        for _ in range(connections):
            accepted, _address = listener.accept()
            with accept(accepted, self.server) as stream:
                while stream.recv_into(buffer):
                    pass

    def echo(self, listener: socket.socket) -> None:
        """Gives back what one visitor sends."""
        accepted, _address = listener.accept()
        with accept(accepted, self.server) as stream:
            while data := stream.recv():
                stream.send(data)

    def talk(self, address: tuple[str, int], times: int) -> None:
        """One connection with so many small messages, each of which comes back."""
        with connect(*address, self.client, server_name=SERVER_NAME) as stream:
            for _ in range(times):
                stream.send(REQUEST)
                stream.recv()

    def visit(self, address: tuple[str, int], size: int, times: int = 1) -> None:
        """So many connections with `size` bytes each, one after the other."""
        for _ in range(times):
            self._send(address, size)

    def _send(self, address: tuple[str, int], size: int) -> None:
        data = memoryview(bytes(min(size, CHUNK)))
        with connect(*address, self.client, server_name=SERVER_NAME) as stream:
            for start in range(0, size, CHUNK):
                stream.send(data[: size - start])

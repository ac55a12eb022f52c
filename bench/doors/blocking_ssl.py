"""`ssl.SSLSocket`, as programs use it: without a time limit, and closed without a word.

The other door does more for the same call: each operation has a time limit, both ends say close_notify, and the client
waits for the tickets that would reset its connection. An `unwrap()` on both ends, which is as much as `ssl` can say,
makes a connection here one or two percent slower.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from ..identity import SERVER_NAME, Identity
from ..peers import PLAIN, REQUEST
from ..peers.stdlib import contexts
from . import CHUNK, READ


class Door:
    """Two contexts."""

    def __init__(self, identity: Identity) -> None:
        self.client, self.server = contexts(identity, PLAIN)

    def serve(self, listener: socket.socket, connections: int) -> None:
        """Reads whatever each visitor sends to its end."""
        buffer = bytearray(READ)
        for _ in range(connections):
            accepted, _address = listener.accept()
            # A visitor that is gone before the tickets come resets the connection, which not every Python tells.
            with self.server.wrap_socket(accepted, server_side=True) as stream, contextlib.suppress(ConnectionError):
                while stream.recv_into(buffer):
                    pass

    def echo(self, listener: socket.socket) -> None:
        """Gives back what one visitor sends."""
        accepted, _address = listener.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.server.wrap_socket(accepted, server_side=True) as stream:
            while data := stream.recv(READ):
                stream.sendall(data)

    def talk(self, address: tuple[str, int], times: int) -> None:
        """One connection with so many small messages, each of which comes back."""
        with self._connect(address) as stream:
            for _ in range(times):
                stream.sendall(REQUEST)
                stream.recv(READ)

    def visit(self, address: tuple[str, int], size: int, times: int = 1) -> None:
        """So many connections with `size` bytes each, one after the other."""
        for _ in range(times):
            self._send(address, size)

    def _send(self, address: tuple[str, int], size: int) -> None:
        data = memoryview(bytes(min(size, CHUNK)))
        with self._connect(address) as stream:
            for start in range(0, size, CHUNK):
                stream.sendall(data[: size - start])

    def _connect(self, address: tuple[str, int]) -> ssl.SSLSocket:
        return self.client.wrap_socket(socket.create_connection(address), server_hostname=SERVER_NAME)

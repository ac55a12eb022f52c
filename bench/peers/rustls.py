"""pyrtls: rustls with ring. It cannot be pinned: TLS_AES_256_GCM_SHA384 and X25519, and four tickets."""

from __future__ import annotations

from importlib.metadata import version as version_of

import pyrtls

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, only, shake_hands

NAME = "pyrtls (rustls)"
READ = 1 << 15  # bytes that are moved at once: more, and its own buffers grow


def version() -> str:
    """Of the package."""
    return f"pyrtls {version_of('pyrtls')} (rustls, ring)"


class Setup:
    """Two configs; the client's remembers sessions by itself and resumes whenever it can."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "resumed", "intermediates")
        self.resumed = options.resumed
        self.root = identity.root.read_text()
        chain = identity.chain(options.intermediates).read_text().split("-----BEGIN")[1:]
        key = identity.key(options.intermediates).read_text()
        self.server = pyrtls.ServerConfig(["-----BEGIN" + one for one in chain], key)
        self.client = self.new_client()
        if self.resumed:
            self.connect().handshake()

    def new_client(self) -> pyrtls.ClientConfig:
        """One that remembers nothing yet."""
        return pyrtls.ClientConfig(platform_verifier=False, custom_roots=[self.root])

    def connect(self) -> Pair:
        """A full handshake needs a client that has no session."""
        return Pair(self.client if self.resumed else self.new_client(), self.server)


BUFFER = bytearray(READ)  # for what a connection has to send; one for all
PLAIN = bytearray(READ)  # to read into


class Side:
    """One connection."""

    def __init__(self, connection: pyrtls.ClientConnection | pyrtls.ServerConnection) -> None:
        self.tls = connection

    def step(self, received: bytes) -> bytes:
        """Read, process, write."""
        if received:
            self.tls.read_tls(received)
            self.tls.process_new_packets()
        return self.take()

    def take(self) -> bytes:
        """What is to be sent; the other side takes nothing but bytes."""
        return bytes(memoryview(BUFFER)[: self.tls.write_tls_into(BUFFER)])


class Pair:
    """Both ends."""

    client: Side
    server: Side

    def __init__(self, client: pyrtls.ClientConfig, server: pyrtls.ServerConfig) -> None:
        self.configs = client, server

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        client, server = self.configs
        self.client, self.server, client_seconds, server_seconds = shake_hands(
            lambda: Side(pyrtls.ClientConnection(client, SERVER_NAME)),
            lambda: Side(pyrtls.ServerConnection(server)),
        )
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it. Its send buffer holds 64 KiB, so it is fed in pieces of 16."""
        client, server = self.client, self.server
        for _ in range(times):
            received = 0
            for start in range(0, len(data), 1 << 14):
                client.tls.write(data[start : start + (1 << 14)])
                record = client.take()
                while record:  # it takes only a part of what it is given
                    record = record[server.tls.read_tls(record) :]
                    server.tls.process_new_packets()
                received += server.tls.read_into(PLAIN)
            if received != len(data):
                raise RuntimeError(f"{received} bytes arrived instead of {len(data)}")

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client, self.server
        for _ in range(times):
            client.tls.write(REQUEST)
            server.tls.read_tls(client.take())
            server.tls.process_new_packets()
            server.tls.read_into(PLAIN)
            server.tls.write(REQUEST)
            client.tls.read_tls(server.take())
            client.tls.process_new_packets()
            client.tls.read_into(PLAIN)

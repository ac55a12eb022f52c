"""The standard library's `ssl`: what everything is compared with. openssl.cnf pins suite and group."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Any

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, check_resumed, only, shake_hands

NAME = "ssl"
READ = 1 << 16  # bytes that are moved at once
BUFFER = bytearray(READ)  # to read into; one for all


def version() -> str:
    """Which OpenSSL is below."""
    return ssl.OPENSSL_VERSION


def contexts(identity: Identity, options: Options) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The client's and the server's."""
    client = ssl.create_default_context(cafile=str(identity.root))
    server = _server(identity.chain(options.intermediates), identity.key(options.intermediates))
    if options.client_certificate:
        client.load_cert_chain(identity.client_chain, identity.client_key)
        server.load_verify_locations(identity.root)
        server.verify_mode = ssl.CERT_REQUIRED
    return client, server


def _server(chain: Path, key: Path) -> ssl.SSLContext:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    return server


class Setup:
    """Contexts, and a session to resume."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "resumed", "intermediates", "client_certificate", "fresh")
        self.client, server = contexts(identity, options)
        self.servers = [server]
        if options.fresh:
            self.servers = [_server(*files) for files in identity.fresh()]
        self.used = 0
        self.session: ssl.SSLSession | None = None
        if options.resumed:
            first = self.connect()
            first.handshake()
            self.session = first.client.tls.session

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        self.used += 1
        return Pair(self, self.servers[self.used % len(self.servers)])


class Side:
    """One `SSLObject` over two memory BIOs."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None, *, server: bool = False) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else SERVER_NAME
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server, name, session)
        self.agreed = False

    def step(self, received: bytes) -> bytes:
        """Handshake, then whatever comes after it: tickets."""
        self.incoming.write(received)
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.agreed:
                self.tls.do_handshake()
                self.agreed = True
            if self.incoming.pending:
                self.tls.read(1)
        return self.outgoing.read()


class Pair:
    """Both ends."""

    client: Side
    server: Side

    def __init__(self, setup: Setup, server: ssl.SSLContext) -> None:
        self.setup = setup
        self.context = server

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        setup = self.setup
        self.client, self.server, client_seconds, server_seconds = shake_hands(
            lambda: Side(setup.client, setup.session), lambda: Side(self.context, server=True)
        )
        check_resumed(setup.session is not None, bool(self.client.tls.session_reused))
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        write = self.client.tls.write
        read: Any = self.server.tls.read
        take, give = self.client.outgoing.read, self.server.incoming.write
        size = len(data)
        for _ in range(times):
            write(data)
            received = 0
            while received < size:
                give(take(READ))
                try:
                    while received < size:
                        received += read(READ, BUFFER)
                except ssl.SSLWantReadError:
                    pass

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client, self.server
        client_write, client_read, client_take = client.tls.write, client.tls.read, client.outgoing.read
        server_write, server_read, server_take = server.tls.write, server.tls.read, server.outgoing.read
        to_server, to_client = server.incoming.write, client.incoming.write
        for _ in range(times):
            client_write(REQUEST)
            to_server(client_take())
            server_read(1024)
            server_write(REQUEST)
            to_client(server_take())
            client_read(1024)

"""tlslite-ng, arithmetic in Python and all. It checks the server's signature but no chain and no name."""

from __future__ import annotations

import errno
from importlib.metadata import version as version_of
from typing import Any

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, check_resumed, only, shake_hands

NAME = "tlslite-ng"


def version() -> str:
    """Of the package."""
    return f"tlslite-ng {version_of('tlslite-ng')}"


class Setup:
    """Settings, the server's certificate and a session to resume."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "resumed", "intermediates")
        self.client, self.server = _settings(), _settings()
        self.server.ticketKeys = [bytes(range(32))]
        self.chain = X509CertChain()
        self.chain.parsePemList(identity.chain(options.intermediates).read_text())
        self.key = parsePEMKey(identity.key(options.intermediates).read_text(), private=True)
        self.session: Any = None
        if options.resumed:
            first = self.connect()
            first.handshake()
            first.ping_pong(1)
            self.session = first.client.tls.session

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        return Pair(self)


def _settings() -> HandshakeSettings:
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 4)
    settings.cipherNames = ["aes128gcm"]
    settings.eccCurves = settings.keyShares = ["x25519"]
    return settings


class Wire:
    """What looks like a socket that never waits."""

    def __init__(self) -> None:
        self.incoming, self.outgoing = bytearray(), bytearray()

    def recv(self, size: int) -> bytes:
        """What is there, or EWOULDBLOCK."""
        if not self.incoming:
            raise OSError(errno.EWOULDBLOCK, "nothing there")
        data = bytes(self.incoming[:size])
        del self.incoming[:size]
        return data

    def send(self, data: bytes) -> int:
        """Takes everything."""
        self.outgoing += data
        return len(data)

    sendall = send


class Side:
    """One connection and the generator that is its handshake."""

    def __init__(self, setup: Setup, *, server: bool) -> None:
        self.wire = Wire()
        self.tls = TLSConnection(self.wire)
        if server:
            self.work = self.tls.handshakeServerAsync(
                certChain=setup.chain, privateKey=setup.key, settings=setup.server
            )
        else:
            self.work = self.tls.handshakeClientCert(
                session=setup.session, settings=setup.client, serverName=SERVER_NAME, async_=True
            )

    def step(self, received: bytes) -> bytes:
        """On until it has to wait."""
        self.wire.incoming += received
        for waits_for in self.work:
            if waits_for == 0:
                break
        return self.take()

    def take(self) -> bytes:
        """What is to be sent."""
        data = bytes(self.wire.outgoing)
        self.wire.outgoing.clear()
        return data

    def read(self, size: int) -> bytes:
        """Decrypted bytes; none if there are none yet."""
        for found in self.tls.readAsync(size, 1):
            return b"" if found in (0, 1) else bytes(found)
        return b""


class Pair:
    """Both ends."""

    client: Side
    server: Side

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        setup = self.setup
        self.client, self.server, client_seconds, server_seconds = shake_hands(
            lambda: Side(setup, server=False), lambda: Side(setup, server=True)
        )
        check_resumed(setup.session is not None, bool(self.client.tls.resumed))
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        for _ in range(times):
            self._carry(self.client, self.server, data)

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        for _ in range(times):
            self._carry(self.client, self.server, REQUEST)
            self._carry(self.server, self.client, REQUEST)

    def _carry(self, sender: Side, receiver: Side, data: bytes) -> None:
        sender.tls.write(data)
        receiver.wire.incoming += sender.take()
        received = 0
        while received < len(data):
            received += len(receiver.read(1 << 16))

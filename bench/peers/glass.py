"""glasslock's engine, used as a program that has no socket would use it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cryptography
from cryptography.hazmat.backends.openssl import backend

import glasslock
from glasslock.adapters.channel import RECORD, WIRE, WIRE_CHUNK, WRITE_CHUNK
from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    Connection,
    Credential,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
)
from glasslock.trust import ClientCertificateVerifier, ServerCertificateVerifier, TrustStore, VerifiedChainCache

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, check_resumed, shake_hands

NAME = "glasslock"
BUFFER = bytearray(WIRE_CHUNK + RECORD)  # to read into; one for all, as with the others


def version() -> str:
    """Who does the arithmetic."""
    openssl = backend.openssl_version_text()
    return f"glasslock {glasslock.__version__} on cryptography {cryptography.__version__} ({openssl})"


def configs(
    identity: Identity, options: Options, clock: Callable[[], float] = time.time
) -> tuple[ClientConfig, ServerConfig]:
    """The client's and the server's."""
    store = TrustStore.from_pem_file(identity.root)
    remember = VerifiedChainCache() if options.remember_chain else None
    common: dict[str, Any] = {
        "cipher_suites": (CipherSuite.TLS_AES_128_GCM_SHA256,),
        "groups": (NamedGroup[options.group],),
        "versions": (ProtocolVersion.TLS_1_3,),
        "verify_resumed": options.judge_again,
        "clock": clock,
        "observer": _listen if options.observed else None,
    }
    client, server = dict(common), dict(common)
    if options.client_certificate:
        client["credentials"] = (credential(identity.client_chain, identity.client_key),)
        server["client_verifier"] = ClientCertificateVerifier(store, clock=clock)
        server["require_client_certificate"] = True
    ours = credential(identity.chain(options.intermediates), identity.key(options.intermediates))
    return (
        ClientConfig(verifier=ServerCertificateVerifier(store, clock=clock, remember=remember), **client),
        ServerConfig(credentials=(ours,), **server),
    )


def credential(chain: Path, key: Path) -> Credential:
    """From its two files."""
    return Credential.from_pem(chain.read_bytes(), key.read_bytes())


def _listen(_record: object) -> None:
    """The cheapest observer: what is measured is the telling."""


class Setup:
    """Configs, and a session to resume."""

    def __init__(self, identity: Identity, options: Options, clock: Callable[[], float] = time.time) -> None:
        self.client, server = configs(identity, options, clock)
        self.servers = [server]
        if options.fresh:
            fresh = [(credential(chain, key),) for chain, key in identity.fresh()]
            self.servers = [dataclasses.replace(server, credentials=one) for one in fresh]
        self.used = 0
        self.session: Session | None = None
        if options.resumed:
            first = self.connect()
            first.handshake()
            tickets = [event.session for event in first.client.events if isinstance(event, TicketReceived)]
            self.session = dataclasses.replace(tickets[-1])

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        self.used += 1
        return Pair(self, self.servers[self.used % len(self.servers)])


class Side:
    """One connection."""

    def __init__(self, connection: Connection) -> None:
        self.tls = connection
        self.events: list[Any] = []

    def step(self, received: bytes) -> bytes:
        """Events are looked at, as every program does."""
        if received:
            self.events += self.tls.receive_data(received)
        return self.tls.data_to_send()


class Pair:
    """Both ends."""

    client: Side
    server: Side

    def __init__(self, setup: Setup, server: ServerConfig) -> None:
        self.setup = setup
        self.config = server

    def new_client(self) -> Side:
        """Begins, with a session to resume if there is one."""
        return Side(ClientConnection(self.setup.client, SERVER_NAME, session=self.setup.session))

    def new_server(self) -> Side:
        """Waits."""
        return Side(ServerConnection(self.config))

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        setup = self.setup
        self.client, self.server, client_seconds, server_seconds = shake_hands(self.new_client, self.new_server)
        check_resumed(setup.session is not None, self.client.tls.agreed.resumed)
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        encrypt_into, decrypt_into = self.client.tls.encrypt_into, self.server.tls.decrypt_into
        records = WIRE.borrow()
        view, wire, buffer, received = memoryview(data), memoryview(records), memoryview(BUFFER), 0
        # As the doors do it: pieces of at most so many bytes, whose records are made in a buffer that is lent.
        for start in [*range(0, len(data), WRITE_CHUNK)] * times:
            received += decrypt_into(encrypt_into(view[start : start + WRITE_CHUNK], wire), buffer)
        WIRE.give_back(records)
        if received != times * len(data):
            raise RuntimeError(f"{received} bytes arrived instead of {times * len(data)}")

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client.tls, self.server.tls
        client_encrypt, client_decrypt = client.encrypt, client.decrypt
        server_encrypt, server_decrypt = server.encrypt, server.decrypt
        for _ in range(times):
            server_decrypt(client_encrypt(REQUEST))
            client_decrypt(server_encrypt(REQUEST))

"""siotls, another sans-IO TLS 1.3 in Python. It has no resumption."""

from __future__ import annotations

from importlib.metadata import version as version_of

import siotls.crypto
from siotls import TLSConfiguration, TLSConnection
from siotls.iana import CipherSuites, NamedGroup
from siotls.pem import decode_pem_certificate_chain, decode_pem_private_key
from siotls.trust.backends.openssl import OpensslTrustStore

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, only, shake_hands

NAME = "siotls"
siotls.crypto.install("openssl")
PIECE = 16_000  # a full fragment is longer than its own limit for records


def version() -> str:
    """Of the package."""
    return f"siotls {version_of('siotls')}"


class Setup:
    """Two configurations."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "intermediates")
        common = {
            "cipher_suites": [CipherSuites.TLS_AES_128_GCM_SHA256],
            "key_exchanges": [NamedGroup.x25519],
        }
        roots = decode_pem_certificate_chain(identity.root.read_bytes())
        self.client = TLSConfiguration("client", truststore=OpensslTrustStore(roots), **common)
        self.server = TLSConfiguration(
            "server",
            certificate_chain=decode_pem_certificate_chain(identity.chain(options.intermediates).read_bytes()),
            private_key=decode_pem_private_key(identity.key(options.intermediates).read_bytes()),
            **common,
        )

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        return Pair(self)


class Side:
    """One connection."""

    def __init__(self, connection: TLSConnection) -> None:
        self.tls = connection
        connection.initiate_connection()

    def step(self, received: bytes) -> bytes:
        """In, then out."""
        if received:
            self.tls.receive_data(received)
        return bytes(self.tls.data_to_send())


class Pair:
    """Both ends."""

    client: Side
    server: Side

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        self.client, self.server, client_seconds, server_seconds = shake_hands(
            lambda: Side(TLSConnection(self.setup.client, server_hostname=SERVER_NAME)),
            lambda: Side(TLSConnection(self.setup.server)),
        )
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client.tls, self.server.tls
        for _ in range(times):
            received = 0
            for start in range(0, len(data), PIECE):
                client.send_data(data[start : start + PIECE])
                server.receive_data(client.data_to_send())
                received += len(server.data_to_read())
            if received != len(data):
                raise RuntimeError(f"{received} bytes arrived instead of {len(data)}")

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client.tls, self.server.tls
        for _ in range(times):
            client.send_data(REQUEST)
            server.receive_data(client.data_to_send())
            server.data_to_read()
            server.send_data(REQUEST)
            client.receive_data(server.data_to_send())
            client.data_to_read()

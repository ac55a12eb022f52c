"""aioquic's handshake (QUIC has its own records, so there is no bulk and no ping-pong).

It offers a key share for every group it knows; here only X25519, as everybody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aioquic
from aioquic import tls
from aioquic.buffer import Buffer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ..identity import SERVER_NAME, Identity
from . import CannotDo, Options, check_resumed, only, shake_hands

NAME = "aioquic.tls"


def version() -> str:
    """Of the package."""
    return f"aioquic {aioquic.__version__}"


class Setup:
    """What a context is made of; the tickets of all connections."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "resumed", "intermediates")
        self.root = identity.root.read_bytes()
        self.chain = x509.load_pem_x509_certificates(identity.chain(options.intermediates).read_bytes())
        self.key: Any = load_pem_private_key(identity.key(options.intermediates).read_bytes(), None)
        self.tickets: dict[bytes, tls.SessionTicket] = {}
        self.session: tls.SessionTicket | None = None
        if options.resumed:
            first = self.connect()
            first.handshake()
            self.session = first.session

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        return Pair(self)


class Side:
    """One context; its three epochs share one buffer, for here they travel unencrypted."""

    def __init__(self, context: tls.Context, made: Callable[[tls.SessionTicket], None]) -> None:
        self.tls = context
        context.new_session_ticket_cb = made
        context._cipher_suites = [tls.CipherSuite.AES_128_GCM_SHA256]  # noqa: SLF001
        context._supported_groups = [tls.Group.X25519]  # noqa: SLF001

    def step(self, received: bytes) -> bytes:
        """One call does everything that can be done."""
        out = Buffer(capacity=8192)
        self.tls.handle_message(received, dict.fromkeys(tls.Epoch, out))
        return bytes(out.data)


class Pair:
    """Both ends."""

    session: tls.SessionTicket | None = None

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        client, _, client_seconds, server_seconds = shake_hands(self._client, self._server)
        check_resumed(self.setup.session is not None, client.tls.session_resumed)
        return client_seconds, server_seconds

    def _client(self) -> Side:
        context = tls.Context(is_client=True, cadata=self.setup.root, server_name=SERVER_NAME)
        context.handshake_extensions = [(tls.ExtensionType.QUIC_TRANSPORT_PARAMETERS, b"bench")]
        context.session_ticket = self.setup.session
        return Side(context, self._keep)

    def _server(self) -> Side:
        setup = self.setup
        context = tls.Context(is_client=False, max_early_data=None)
        context.certificate, *context.certificate_chain = setup.chain
        context.certificate_private_key = setup.key
        context.handshake_extensions = [(tls.ExtensionType.QUIC_TRANSPORT_PARAMETERS, b"bench")]
        context.get_session_ticket_cb = setup.tickets.get
        return Side(context, lambda ticket: setup.tickets.__setitem__(ticket.ticket, ticket))

    def _keep(self, ticket: tls.SessionTicket) -> None:
        self.session = ticket

    def bulk(self, data: bytes, times: int) -> None:
        """Not in there."""
        raise CannotDo("QUIC's records are not TLS's")

    def ping_pong(self, times: int) -> None:
        """Not in there."""
        raise CannotDo("QUIC's records are not TLS's")

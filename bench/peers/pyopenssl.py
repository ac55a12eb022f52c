"""pyOpenSSL on the OpenSSL inside `cryptography`: about what `ssl` will be on a new OpenSSL, plus pyOpenSSL's calls.

It has no call for the groups, which openssl.cnf pins, and none for the name to be verified, so that is set below it.
"""

from __future__ import annotations

import contextlib
from typing import Any

import OpenSSL
from OpenSSL import SSL

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options, check_resumed, only, shake_hands

NAME = "pyOpenSSL"
LIBRARY: Any = vars(SSL)["_lib"]  # there is no other way to have the name verified by OpenSSL
READ = 1 << 16  # bytes that are moved at once
BUFFER = bytearray(READ)  # to read into; one for all


def version() -> str:
    """And the OpenSSL that came with cryptography."""
    return f"pyOpenSSL {OpenSSL.__version__} ({SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()})"


class Setup:
    """Two contexts, and a session to resume."""

    def __init__(self, identity: Identity, options: Options) -> None:
        only(options, "resumed", "intermediates", "client_certificate")
        self.client, self.server = _context(), _context()
        self.client.load_verify_locations(str(identity.root))
        self.client.set_verify(SSL.VERIFY_PEER)
        self.server.use_certificate_chain_file(str(identity.chain(options.intermediates)))
        self.server.use_privatekey_file(str(identity.key(options.intermediates)))
        self.server.set_session_id(b"bench")
        if options.client_certificate:
            self.client.use_certificate_chain_file(str(identity.client_chain))
            self.client.use_privatekey_file(str(identity.client_key))
            self.server.load_verify_locations(str(identity.root))
            self.server.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        self.session: Any = None
        if options.resumed:
            self.first = self.connect()  # OpenSSL forgets the session of a connection that goes away unclosed
            self.first.handshake()
            self.session = self.first.client.tls.get_session()

    def connect(self) -> Pair:
        """Nothing is made before the handshake."""
        return Pair(self)


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_tls13_ciphersuites(b"TLS_AES_128_GCM_SHA256")
    return context


class Side:
    """One `Connection` without a socket."""

    def __init__(self, context: SSL.Context, session: Any = None, *, server: bool = False) -> None:
        self.tls = SSL.Connection(context, None)
        self.agreed = False
        if server:
            self.tls.set_accept_state()
            return
        self.tls.set_connect_state()
        name = SERVER_NAME.encode()
        self.tls.set_tlsext_host_name(name)
        library = LIBRARY
        parameters = library.SSL_get0_param(self.tls._ssl)  # noqa: SLF001
        if not library.X509_VERIFY_PARAM_set1_host(parameters, name, len(name)):
            raise RuntimeError("the name cannot be set")
        if session is not None:
            self.tls.set_session(session)

    def step(self, received: bytes) -> bytes:
        """Handshake, then whatever comes after it: tickets."""
        if received:
            self.tls.bio_write(received)
        with contextlib.suppress(SSL.WantReadError):
            if not self.agreed:
                self.tls.do_handshake()
                self.agreed = True
            self.tls.read(1)
        with contextlib.suppress(SSL.WantReadError):
            return bytes(self.tls.bio_read(READ))
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
            lambda: Side(setup.client, setup.session), lambda: Side(setup.server, server=True)
        )
        check_resumed(setup.session is not None, bool(LIBRARY.SSL_session_reused(self.client.tls._ssl)))  # noqa: SLF001
        return client_seconds, server_seconds

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client.tls, self.server.tls
        size = len(data)
        view = memoryview(data)
        for _ in range(times):
            received = 0
            while received < size:
                client.send(view[received:])  # one record at a time
                server.bio_write(client.bio_read(READ))
                received += server.recv_into(BUFFER)

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        client, server = self.client.tls, self.server.tls
        for _ in range(times):
            client.send(REQUEST)
            server.bio_write(client.bio_read(READ))
            server.recv(1024)
            server.send(REQUEST)
            client.bio_write(server.bio_read(READ))
            client.recv(1024)

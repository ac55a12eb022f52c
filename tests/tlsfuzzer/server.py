"""A server for tlsfuzzer's scripts: our engine, one thread per connection, a switch for every setting they need.

    python tests/tlsfuzzer/server.py --credential cert.pem key.pem --port 4433

Prints `listening on PORT` once it does. Answers each HTTP request with one page and closes; with `--echo`, sends
back what it gets. Only for tests: it listens on loopback, and any client certificate will do.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from glasslock.errors import ConfigurationError, NegotiationFailed, TLSError
from glasslock.registry import (
    AlertDescription,
    CertificateCompressionAlgorithm,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
)
from glasslock.tls import (
    CertificateDeclined,
    ClientAuthenticated,
    Credential,
    DangerousAcceptAnyCertificate,
    Data,
    ExternalPsk,
    HandshakeDone,
    MemoryReplayGuard,
    ServerConfig,
    ServerConnection,
    TicketKeys,
)
from glasslock.tls.config import DEFAULT_SUITES_12, DEFAULT_SUITES_13
from glasslock.tls.session import MemorySessionStore

PATIENCE = 10.0  # seconds without a byte from the client
BODY = b"<!DOCTYPE html><title>glasslock</title><p>You asked, and here is the answer."
PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)

RSA_KEY_TRANSPORT = (CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256, CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384)
KEYS: dict[str, Any] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "mldsa44": mldsa.MLDSA44PrivateKey.generate,
    "mldsa65": mldsa.MLDSA65PrivateKey.generate,
    "mldsa87": mldsa.MLDSA87PrivateKey.generate,
}
CLIENT_CERTIFICATE = ("ask", "require", "after-handshake", "late", "late-required")  # late: when a page needs it
VERSIONS = {"1.2": ProtocolVersion.TLS_1_2, "1.3": ProtocolVersion.TLS_1_3}


def minted(kind: str) -> Credential:
    """A certificate for localhost that signs itself."""
    key = KEYS[kind]()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    digest = hashes.SHA256() if kind in ("rsa", "p256") else None
    return Credential.from_key([builder.sign(key, digest).public_bytes(Encoding.DER)], key)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 picks a free one")
    add("--credential", nargs=2, action="append", type=Path, default=[], metavar=("CERT", "KEY"))
    add("--minted", nargs="+", choices=KEYS, default=[], help="certificates made for the occasion")
    add("--versions", nargs="+", choices=VERSIONS, default=["1.3", "1.2"])
    add("--groups", nargs="+", type=lambda name: NamedGroup[name.upper()], help="names of the registry")
    add("--rsa-key-transport", action="store_true", help="also the TLS 1.2 suites without forward secrecy")
    add("--client-certificate", choices=CLIENT_CERTIFICATE, help="when to ask for one")
    add("--psk", nargs=3, metavar=("IDENTITY", "HEX", "HASH"), help="an external pre-shared key")
    add("--psk-ke", action="store_true", help="also a pre-shared key without key exchange")
    add("--cookie", action="store_true", help="a HelloRetryRequest takes the state along")
    add("--tickets", type=int, default=1)
    add("--session-ids", action="store_true", help="TLS 1.2: resumption by session id too")
    add("--early-data", type=int, default=0, metavar="BYTES")
    add("--record-size-limit", type=int)
    add("--compression", nargs="+", type=lambda name: CertificateCompressionAlgorithm[name.upper()])
    add("--alpn", nargs="+", default=())
    add("--ocsp-response", type=Path, help="to be stapled; not looked into")
    add("--key-update", action="store_true", help="GET /keyupdate is answered under new keys")
    add("--echo", action="store_true")
    return parser.parse_args()


def configuration(options: argparse.Namespace) -> ServerConfig:
    status = options.ocsp_response.read_bytes() if options.ocsp_response else None
    asks = options.client_certificate
    settings: dict[str, Any] = {
        "credentials": (
            *(
                Credential.from_pem(certificate.read_bytes(), key.read_bytes(), ocsp_response=status)
                for certificate, key in options.credential
            ),
            *map(minted, options.minted),
        ),
        "versions": tuple(VERSIONS[version] for version in options.versions),
        "cipher_suites": DEFAULT_SUITES_13
        + DEFAULT_SUITES_12
        + (RSA_KEY_TRANSPORT if options.rsa_key_transport else ()),
        "client_verifier": DangerousAcceptAnyCertificate() if asks else None,
        "require_client_certificate": asks == "require",
        "ask_in_handshake": asks in ("ask", "require"),
        "psk_modes": (1, 0) if options.psk_ke else (1,),
        "tickets": options.tickets,
        "record_size_limit": options.record_size_limit,
        "alpn_protocols": tuple(options.alpn),
        "max_early_data": options.early_data,
        "replay_guard": MemoryReplayGuard() if options.early_data else None,
        "cookie_keys": TicketKeys() if options.cookie else None,
    }
    if options.groups:
        settings["groups"] = tuple(options.groups)
    if options.compression:
        settings["certificate_compression"] = tuple(options.compression)
        settings["compress_certificates_above"] = 0
    if options.psk:
        identity, key, hash_name = options.psk
        settings["external_psks"] = (
            ExternalPsk(identity=identity.encode(), key=bytes.fromhex(key), hash_name=hash_name),
        )
    if options.session_ids:
        settings["session_store"] = MemorySessionStore()
    return ServerConfig(**settings)


class Visit:
    """One connection: what comes is fed to the engine, requests are answered."""

    def __init__(self, wire: socket.socket, config: ServerConfig, options: argparse.Namespace) -> None:
        self._wire = wire
        self._connection = ServerConnection(config)
        self._options = options
        self._request = b""

    def run(self) -> None:
        try:
            with contextlib.suppress(OSError):
                self._converse()
                self._part()
        finally:
            self._wire.close()

    def _converse(self) -> None:
        self._wire.settimeout(PATIENCE)
        connection = self._connection
        while not connection.peer_closed and connection.failure is None:
            data = self._wire.recv(1 << 16)
            try:
                events = connection.receive_data(data)
                if not data:
                    connection.receive_eof()
            except TLSError:
                events = connection.take_events()
            if connection.failure is None:
                for event in events:
                    self._react(event)
            if connection.peer_closed:
                connection.close()
            self._wire.sendall(connection.data_to_send())

    def _react(self, event: object) -> None:
        connection, asks = self._connection, self._options.client_certificate
        match event:
            case HandshakeDone() if asks == "after-handshake":
                with contextlib.suppress(ConfigurationError):  # a client that did not offer it cannot be asked
                    connection.request_client_certificate()
            case Data(data) if self._options.echo:
                connection.send_data(data)
            case Data(data):
                self._request += data
                if b"\n\n" in self._request.replace(b"\r", b""):  # many scripts leave the returns out
                    self._answer()
            case CertificateDeclined() if asks == "late-required":
                connection.abort(
                    NegotiationFailed(AlertDescription.CERTIFICATE_REQUIRED, "declined", "no page for you")
                )
            case ClientAuthenticated() | CertificateDeclined() if asks in ("late", "late-required"):
                self._send_page()

    def _answer(self) -> None:
        connection, path = self._connection, self._request.split(b" ", 2)[1]
        self._request = b""
        if path == b"/secret" and self._options.client_certificate in ("late", "late-required"):
            connection.request_client_certificate()
            return
        if path == b"/keyupdate" and self._options.key_update:
            connection.update_keys(request_peer=True)
        self._send_page()

    def _send_page(self) -> None:
        self._connection.send_data(PAGE)
        self._connection.close()

    def _part(self) -> None:
        """Our last words must arrive: closing with bytes unread would reset the connection and lose them."""
        self._wire.shutdown(socket.SHUT_WR)
        self._wire.settimeout(1.0)
        for _ in range(64):
            if not self._wire.recv(1 << 16):
                break


def main() -> None:
    options = arguments()
    config = configuration(options)
    with socket.create_server(("127.0.0.1", options.port), backlog=64) as listener:
        print(f"listening on {listener.getsockname()[1]}", flush=True)
        while True:
            wire, _ = listener.accept()
            threading.Thread(target=Visit(wire, config, options).run, daemon=True).start()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
    sys.exit(0)

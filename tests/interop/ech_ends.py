"""Our ends of connections with Encrypted ClientHello, and what both ends need for them."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from glasslock.errors import CertificateRefused, TLSError
from glasslock.registry import AlertDescription, NamedGroup
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    Connection,
    Credential,
    Data,
    ECHKey,
    ServerConfig,
    ServerConnection,
    Session,
    TicketReceived,
)
from glasslock.tls.ech import encode_config_list

PUBLIC, SECRET = "public.example", "secret.example"
PATIENCE = 20.0  # seconds
X25519, P256 = NamedGroup.X25519, NamedGroup.SECP256R1
GROUPS = (X25519, P256)


# --- our end --------------------------------------------------------------------------------------


class Pinned:
    """Trusts one certificate, and remembers for which names."""

    def __init__(self, der: bytes) -> None:
        self._der = der
        self.names: list[str | None] = []

    def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
        if chain[0] != self._der:
            raise CertificateRefused(AlertDescription.UNKNOWN_CA, "unknown", "another certificate than the peer's")
        self.names.append(server_name)


@dataclass
class Outcome:
    """How one connection went on our side."""

    connection: Connection
    received: bytes = b""
    sessions: list[Session] = field(default_factory=list)
    error: TLSError | None = None


def converse(connection: Connection, wire: socket.socket, turn: Callable[[Outcome], bool]) -> Outcome:
    """Carries bytes until `turn`, called whenever something came, says that we are done."""
    outcome = Outcome(connection)
    wire.settimeout(PATIENCE)
    deadline = time.monotonic() + PATIENCE
    try:
        while time.monotonic() < deadline:
            send(connection, wire)
            try:
                data = wire.recv(65536)
            except ConnectionError:
                return outcome
            if not data:
                return outcome
            try:
                events = connection.receive_data(data)
            except TLSError as error:
                outcome.error = error
                return outcome
            for event in events:
                if isinstance(event, Data):
                    outcome.received += event.data
                elif isinstance(event, TicketReceived):
                    outcome.sessions.append(event.session)
            if turn(outcome):
                connection.close()
                return outcome
    finally:
        send(connection, wire)
        wire.close()
    raise AssertionError("the conversation takes too long")


def send(connection: Connection, wire: socket.socket) -> None:
    """What there is to send; a peer that has gone already may have left something to read."""
    with contextlib.suppress(ConnectionError):
        wire.sendall(connection.data_to_send())


def visit(port: int, verifier: Pinned, configs: bytes, session: Session | None = None, **settings: Any) -> Outcome:
    """Our client: says hello, waits for an answer."""
    config = ClientConfig(verifier=verifier, groups=GROUPS, **settings)
    connection = ClientConnection(config, SECRET, session=session, ech_configs=configs)
    asked = False

    def turn(outcome: Outcome) -> bool:
        nonlocal asked
        if connection.handshake_done and not asked:
            connection.send_data(b"GET / HTTP/1.0\r\n\r\n")
            asked = True
        return bool(outcome.received) and bool(outcome.sessions)

    return converse(connection, socket.create_connection(("127.0.0.1", port), PATIENCE), turn)


@contextmanager
def serving(config: ServerConfig, count: int = 1) -> Iterator[tuple[int, list[Outcome]]]:
    """Our server: sends back what it gets. Leaving the block waits for the end of all connections."""
    outcomes: list[Outcome] = []

    def turn(outcome: Outcome) -> bool:
        if outcome.received:
            outcome.connection.send_data(outcome.received)
        return bool(outcome.received)

    def work() -> None:
        for _ in range(count):
            wire, _ = listener.accept()
            outcomes.append(converse(ServerConnection(config), wire, turn))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], outcomes
        finally:
            thread.join(PATIENCE)
        assert not thread.is_alive()
    assert len(outcomes) == count


# --- what both ends need --------------------------------------------------------------------------


@dataclass(frozen=True)
class Site:
    """A certificate for both names, the files that peers read, and the keys of the hellos."""

    folder: Path
    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey
    key: ECHKey
    other: ECHKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    def server(self, *keys: ECHKey, groups: tuple[int, ...] = GROUPS) -> ServerConfig:
        credential = Credential.from_key([self.der], self.private_key)
        return ServerConfig(credentials=(credential,), ech_keys=keys, groups=groups)


def make_site(folder: Path) -> Site:
    """Fresh keys, a root, and a certificate from it for both names and `localhost`, as files in `folder` too."""
    root_key, private_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("root", root_key.public_key(), "root", root_key, x509.BasicConstraints(ca=True, path_length=0))
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in (PUBLIC, SECRET, "localhost")])
    certificate = _certificate("site", private_key.public_key(), "root", root_key, names)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (folder / "cert.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    pem = private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    key = ECHKey.generate(PUBLIC)
    return Site(folder, certificate, private_key, key, ECHKey.generate(PUBLIC, others=[key]))


def _certificate(
    subject: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.BasicConstraints | x509.SubjectAlternativeName,
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .issuer_name(_common_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=30))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    )
    return builder.sign(issuer_key, hashes.SHA256())


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def published(*keys: ECHKey) -> bytes:
    return encode_config_list([key.config for key in keys])


def text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def raw_key(key: ECHKey) -> bytes:
    return key.private_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())

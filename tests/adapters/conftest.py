"""What the tests of the adapters share: an authority, a site's files, sockets that are joined, a second thread."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glasslock.adapters import SSLContext, create_default_context
from glasslock.authority import Authority
from glasslock.tls import ClientConfig, Credential, ServerConfig
from glasslock.trust import ServerCertificateVerifier, TrustStore

PATIENCE = 20.0  # seconds after which a test gives up on its other thread


@dataclass(frozen=True)
class Pki:
    """A site's certificate as files and as a credential, the root that vouches for it, and one that does not."""

    authority: Authority
    chain: Path
    key: Path
    root: Path
    other_root: Path
    credential: Credential

    @property
    def store(self) -> TrustStore:
        return TrustStore.from_pem_file(self.root)

    def client(self, **changes: Any) -> ClientConfig:
        return ClientConfig(**{"verifier": ServerCertificateVerifier(self.store)} | changes)

    def server(self, **changes: Any) -> ServerConfig:
        return ServerConfig(**{"credentials": (self.credential,)} | changes)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    place = tmp_path_factory.mktemp("pki")
    authority = Authority.ephemeral()
    issued = authority.issue(["localhost", "127.0.0.1", "site.test", "*.site.test"])
    issued.write(place / "chain.pem", place / "key.pem")
    (place / "root.pem").write_bytes(authority.root_pem)
    (place / "other.pem").write_bytes(Authority.ephemeral().root_pem)
    return Pki(
        authority=authority,
        chain=place / "chain.pem",
        key=place / "key.pem",
        root=place / "root.pem",
        other_root=place / "other.pem",
        credential=Credential.from_pem(issued.chain_pem, issued.private_key_pem),
    )


@dataclass(frozen=True)
class Makers:
    """Who makes the contexts of a test: glasslock on at least one side."""

    pki: Pki
    make_client: Callable[..., ssl.SSLContext]
    make_server: Callable[..., ssl.SSLContext]

    def client(self, **changes: Any) -> ssl.SSLContext:
        return self.make_client(**{"cafile": self.pki.root} | changes)

    def server(self) -> ssl.SSLContext:
        context = self.make_server(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.pki.chain, self.pki.key)
        return context


@pytest.fixture(params=["ours-ours", "ours-openssl", "openssl-ours"])
def makers(request: pytest.FixtureRequest, pki: Pki) -> Makers:
    """Client and server contexts, in every combination that has us in it."""
    client, server = request.param.split("-")
    make = {"ours": create_default_context, "openssl": ssl.create_default_context}
    return Makers(pki, make[client], make[server])


@pytest.fixture
def client_context(pki: Pki) -> SSLContext:
    return create_default_context(cafile=pki.root)


@pytest.fixture
def server_context(pki: Pki) -> SSLContext:
    context = create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.chain, pki.key)
    return context


Submit = Callable[..., "Future[Any]"]


@pytest.fixture
def background() -> Iterator[Submit]:
    """Runs a function in another thread; its future must be asked for its result."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
        server, _ = listener.accept()
        server.settimeout(PATIENCE)
    with client, server:
        yield client, server


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener

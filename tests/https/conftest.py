"""What the tests of HTTP share: a site's certificate, a folder, a raw server that says what a test wants."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from glasslock.adapters import Stream, accept
from glasslock.authority import Authority
from glasslock.errors import GlasslockError
from glasslock.tls import Credential, ServerConfig
from glasslock.trust import TrustStore

PATIENCE = 20.0  # seconds


@dataclass(frozen=True)
class Trust:
    """A site's credential, and who vouches for it."""

    authority: Authority
    credential: Credential
    root: Path
    store: TrustStore


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    authority = Authority.ephemeral()
    issued = authority.issue(["localhost", "127.0.0.1", "site.test"])
    root = tmp_path_factory.mktemp("trust") / "root.pem"
    root.write_bytes(authority.root_pem)
    credential = Credential.from_pem(issued.chain_pem, issued.private_key_pem)
    return Trust(authority, credential, root, TrustStore.from_pem_file(root))


Answer = Callable[[Stream], None]


@contextlib.contextmanager
def raw_site(trust: Trust, answer: Answer, **config: Any) -> Iterator[str]:
    """A server that shakes hands and then does what the test says; yields its URL."""
    settings = ServerConfig(**{"credentials": (trust.credential,), "alpn_protocols": ("http/1.1",)} | config)
    over = threading.Event()

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(GlasslockError, OSError), accept(sock, settings, timeout=PATIENCE) as stream:
            answer(stream)

    def take() -> None:
        threads = []
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                sock, _ = listener.accept()
                threads.append(threading.Thread(target=serve, args=(sock,)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"https://localhost:{listener.getsockname()[1]}/"
        finally:
            over.set()
            thread.join()


def head(stream: Stream) -> bytes:
    """A request's head, as it came."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv()
        if not more:
            break
        data += more
    return data


def saying(response: bytes) -> Answer:
    """Answers one request with these bytes, and closes in due form."""

    def answer(stream: Stream) -> None:
        head(stream)
        stream.send(response)

    return answer


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An HTTP/1.1 response as bytes; `_` in a header's name is a hyphen."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

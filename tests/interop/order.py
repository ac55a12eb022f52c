"""What a peer is asked to do in one cell of the matrix, and what it says afterwards."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion
from glasslock.tls import ExternalPsk

from .credentials import Identity

PATIENCE = 20.0  # seconds that anything in a cell may take before it counts as hanging


@dataclass(frozen=True, kw_only=True)
class Order:
    """One task for a peer in one role. Each of `connections` carries the request and the reply once."""

    folder: Path  # for the peer's own files
    root: Path  # the certificate that vouches for everybody, PEM
    version: ProtocolVersion = ProtocolVersion.TLS_1_3
    suites: tuple[CipherSuite, ...]
    groups: tuple[NamedGroup, ...]  # most wanted first; a client sends a share for the first alone
    identity: Identity  # the server's
    other_identity: Identity | None = None  # the server's under another name
    client_identity: Identity | None = None  # set: the server insists on it
    server_name: str = "localhost"
    alpn: tuple[str, ...] = ()
    connections: int = 1  # 2: the second resumes the first
    early_data: bool = False  # the second connection's request goes as 0-RTT data
    early_data_unanswered: bool = False  # the server takes it but answers only what comes after
    psk: ExternalPsk | None = None
    rounds: int = 1  # 2: half of the request, half of the reply, then the other halves
    client_ends_first: bool = False
    update_keys: bool = False  # the peer updates keys between the rounds, and asks for ours
    post_handshake_auth: bool = False
    ocsp_response: Path | None = None
    request: bytes = field(repr=False)
    reply: bytes = field(repr=False)
    port: int = 0  # where a client has to connect

    @property
    def tls13(self) -> bool:
        return self.version is ProtocolVersion.TLS_1_3

    @property
    def turns(self) -> list[tuple[bytes, bytes]]:
        """What the client says and the server answers in each round."""
        return list(zip(_split(self.request, self.rounds), _split(self.reply, self.rounds), strict=True))

    @cached_property
    def request_file(self) -> Path:
        return self._file("request", self.request)

    @cached_property
    def reply_file(self) -> Path:
        return self._file("reply", self.reply)

    def _file(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the peer has seen: all application data it received, and whatever else it can tell.

    `facts` are compared with what our side has agreed on; several connections are joined by commas.
    """

    received: bytes | None = field(default=None, repr=False)  # None: this peer cannot show it
    facts: Mapping[str, str] = field(default_factory=dict)


def make_request(size: int, path: str = "/reply") -> bytes:
    """An HTTP request of about so many bytes in random header fields, which every peer can pass on unchanged."""
    lines = (f"X-{number}: {secrets.token_hex(32)}\r\n" for number in range(size // 72))
    return f"GET {path} HTTP/1.0\r\nHost: localhost\r\n{''.join(lines)}\r\n".encode()


def make_reply(size: int) -> bytes:
    """An HTTP response with about so many bytes of random lines.

    Of digits: s_server takes it on its stdin, where a letter at the wrong place would be a command.
    """
    body = "".join(f"{secrets.randbits(264):080}\n" for _ in range(size // 81)).encode()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


def _split(data: bytes, parts: int) -> list[bytes]:
    """Into parts of about the same size, each ending with a line."""
    cuts = [data.index(b"\n", len(data) * part // parts - 1) + 1 for part in range(1, parts + 1)]
    return [data[begin:end] for begin, end in itertools.pairwise([0, *cuts])]

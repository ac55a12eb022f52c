"""The eavesdropper: copies every byte that passes and makes of it what can be made without a key."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..errors import TLSError
from ..registry import ContentType, ExtensionType, HandshakeType, name_of
from ..tls.protection import HEADER_LENGTH
from ..tls.wire.extensions import read_protocols, read_server_name
from ..tls.wire.messages import ClientHello
from .relay import Attacker

MAX_COPY = 1 << 22  # bytes kept in each direction


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """One record as it looks from outside."""

    to_server: bool
    content_type: int
    length: int  # bytes, without the header
    raw: bytes

    @property
    def kind(self) -> str:
        return name_of(ContentType, self.content_type)


class Eavesdropper(Attacker):
    """Keeps what passes, up to MAX_COPY bytes each way, and can say what it learned from it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[bool, bytearray] = {True: bytearray(), False: bytearray()}

    def to_server(self, data: bytes) -> bytes:
        return self._copy(data, to_server=True)

    def to_client(self, data: bytes) -> bytes:
        return self._copy(data, to_server=False)

    def _copy(self, data: bytes, *, to_server: bool) -> bytes:
        with self._lock:
            copy = self._copies[to_server]
            copy += data[: MAX_COPY - len(copy)]
        return data

    def bytes_seen(self, *, to_server: bool) -> bytes:
        """Everything that went this way."""
        with self._lock:
            return bytes(self._copies[to_server])

    def records(self, *, to_server: bool) -> list[SeenRecord]:
        """The records of one direction; anybody can see where they begin and end."""
        data, position, found = self.bytes_seen(to_server=to_server), 0, []
        while position + HEADER_LENGTH <= len(data):
            end = position + HEADER_LENGTH + int.from_bytes(data[position + 3 : position + 5], "big")
            raw = data[position:end]
            found.append(SeenRecord(to_server, raw[0], len(raw) - HEADER_LENGTH, raw))
            position = end
        return found

    def client_hello(self) -> ClientHello | None:
        """The ClientHello, which travels in the clear; None if there was none."""
        messages = b"".join(
            record.raw[HEADER_LENGTH:]
            for record in self.records(to_server=True)
            if record.content_type == ContentType.HANDSHAKE
        )
        length = 4 + int.from_bytes(messages[1:4], "big")
        if messages[:1] != bytes((HandshakeType.CLIENT_HELLO,)) or len(messages) < length:
            return None
        try:
            return ClientHello.parse(messages[:length])
        except TLSError:
            return None

    def learned(self) -> list[str]:
        """What an eavesdropper knows after the visit, in sentences."""
        facts = []
        hello = self.client_hello()
        if hello is not None:
            names = hello.extensions.get(ExtensionType.SERVER_NAME)
            name = read_server_name(names) if names is not None else None
            if name is not None:
                facts.append(f"the name of the site: {name} (server_name is not encrypted)")
            protocols = hello.extensions.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
            if protocols is not None:
                spoken = ", ".join(protocol.decode("latin-1") for protocol in read_protocols(protocols))
                facts.append(f"that the visitor speaks {spoken}")
        for to_server, way in ((True, "to the site"), (False, "to the visitor")):
            protected = [r for r in self.records(to_server=to_server) if r.content_type == ContentType.APPLICATION_DATA]
            total = sum(record.length for record in protected)
            facts.append(f"that {total:,} encrypted bytes went {way}, in {len(protected)} records, and when")
        return facts

    def finds(self, secret: bytes) -> bool:
        """Whether some text that crossed the wire can be read from it."""
        return any(secret in self.bytes_seen(to_server=to_server) for to_server in (True, False))

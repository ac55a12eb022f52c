"""What the trace and the key log tell during a test: some expectations are about things that only they know."""

from __future__ import annotations

from collections.abc import Callable

from glasslock.registry import ContentType, Side
from glasslock.trace import (
    AlertReceived,
    AlertSent,
    Decided,
    InnerHello,
    MessageReceived,
    MessageSent,
    RecordReceived,
    RecordSent,
    TraceRecord,
)


class Story:
    """The observer and key log of one connection."""

    def __init__(self) -> None:
        self.decisions: dict[str, Decided] = {}  # the last one about each thing
        self.messages: list[str] = []  # as BoringSSL's message callback would list them
        self.received: dict[int, bytes] = {}  # the last handshake message of each type
        self.last_received = -1  # its type
        self.session_stored = False  # on the server, under an id
        self.offered_version = 0  # of the session that the client offers
        self.on_early_data_refused: Callable[[], None] = lambda: None
        self._secrets: dict[str, bytes] = {}

    def observe(self, record: TraceRecord) -> None:
        match record:
            case Decided():
                self.decisions[record.what] = record
                if record.what == "early_data" and record.chosen == "refused":
                    self.on_early_data_refused()
            case MessageSent():
                self.messages.append(f"write hs {record.raw[0]}")
            case InnerHello():
                self.messages.append(
                    "read clienthelloinner" if record.side is Side.SERVER else "write clienthelloinner"
                )
            case MessageReceived():
                self.last_received = record.raw[0]
                self.received[record.raw[0]] = record.raw
                self.messages.append(f"read hs {record.raw[0]}")
            case RecordSent() if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
                self.messages.append("write ccs")
            case RecordReceived() if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
                self.messages.append("read ccs")
            case AlertSent():
                self.messages.append(f"write alert {record.level} {record.description}")
            case AlertReceived():
                self.messages.append(f"read alert {record.level} {record.description}")

    def log_key(self, label: str, _client_random: bytes, secret: bytes) -> None:
        self._secrets[label] = secret

    def traffic_secrets(self, server: bool) -> tuple[bytes, bytes]:
        """The first application secrets, to read and to write with."""
        clients, servers = self._secrets["CLIENT_TRAFFIC_SECRET_0"], self._secrets["SERVER_TRAFFIC_SECRET_0"]
        return (clients, servers) if server else (servers, clients)

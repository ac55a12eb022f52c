"""Somebody on the way between a client and a server, who changes, drops, repeats or adds what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from glasslock.registry import ContentType, HandshakeType, Side
from glasslock.tls import ClientConfig, ClientConnection, ServerConfig, ServerConnection, Session
from glasslock.tls.wire.messages import ClientHello, ServerHello

from ..tls.pair import Pair, client_config, server_config
from ..tls.puppet import plain_record

TLS_1_2, TLS_1_3 = 0x0303, 0x0304
BOTH = (TLS_1_3, TLS_1_2)

# From what one side sends to what the other side gets.
Attack = Callable[[Side, bytes], bytes]


@dataclass(frozen=True)
class Record:
    """One record as anybody on the way sees it."""

    content_type: int
    body: bytes
    raw: bytes


def records(data: bytes) -> list[Record]:
    found = []
    while data:
        end = 5 + int.from_bytes(data[3:5], "big")
        found.append(Record(data[0], data[5:end], data[:end]))
        data = data[end:]
    return found


def messages(body: bytes) -> list[bytes]:
    """The handshake messages of one plaintext record, headers included."""
    found = []
    while body:
        end = 4 + int.from_bytes(body[1:4], "big")
        found.append(body[:end])
        body = body[end:]
    return found


class Middle(Pair):
    """A pair whose bytes pass through an attack; `wire` has what was sent, not what arrived."""

    def __init__(self, attack: Attack, client: ClientConnection, server: ServerConnection) -> None:
        super().__init__(client, server)
        self.attack = attack

    def carry(self, sender: Side) -> bool:
        data = self.side(sender).data_to_send()
        if data:
            self.wire[sender].append(data)
            self.deliver(sender.peer, self.attack(sender, data))
        return bool(data)


def middle(
    attack: Attack,
    client: ClientConfig | None = None,
    server: ServerConfig | None = None,
    *,
    session: Session | None = None,
) -> Middle:
    """A fresh pair with the attacker between them, not yet run."""
    return Middle(
        attack,
        ClientConnection(client or client_config(), "localhost", session=session),
        ServerConnection(server or server_config()),
    )


def tls12(**changes: Any) -> dict[str, Any]:
    """Settings of a side that speaks TLS 1.2 alone."""
    return {"versions": (TLS_1_2,), **changes}


def replace_messages(sender: Side, kind: HandshakeType, edit: Callable[[bytes], Iterable[bytes]]) -> Attack:
    """Replaces plaintext messages of one kind by others; what comes after ChangeCipherSpec cannot be read."""
    encrypted = False

    def attack(side: Side, data: bytes) -> bytes:
        nonlocal encrypted
        if side is not sender:
            return data
        out = []
        for record in records(data):
            encrypted = encrypted or record.content_type != ContentType.HANDSHAKE
            if encrypted:
                out.append(record.raw)
                continue
            passed = [new for raw in messages(record.body) for new in (edit(raw) if raw[0] == kind else (raw,))]
            if passed:
                out.append(plain_record(ContentType.HANDSHAKE, b"".join(passed)))
        return b"".join(out)

    return attack


def edit_client_hello(edit: Callable[[ClientHello], object]) -> Attack:
    """Changes the offer on the way, as every downgrade begins."""

    def change(raw: bytes) -> Iterable[bytes]:
        hello = ClientHello.parse(raw)
        edit(hello)
        return (hello.encode(),)

    return replace_messages(Side.CLIENT, HandshakeType.CLIENT_HELLO, change)


def edit_server_hello(edit: Callable[[ServerHello], object]) -> Attack:
    def change(raw: bytes) -> Iterable[bytes]:
        hello = ServerHello.parse(raw)
        edit(hello)
        return (hello.encode(),)

    return replace_messages(Side.SERVER, HandshakeType.SERVER_HELLO, change)


def one_after_the_other(*attacks: Attack) -> Attack:
    def attack(side: Side, data: bytes) -> bytes:
        for one in attacks:
            data = one(side, data)
        return data

    return attack


def edit_records(sender: Side, edit: Callable[[list[Record]], Iterable[Record | bytes]]) -> Attack:
    """Changes the sequence of one side's records."""

    def attack(side: Side, data: bytes) -> bytes:
        if side is not sender:
            return data
        return b"".join(one if isinstance(one, bytes) else one.raw for one in edit(records(data)))

    return attack

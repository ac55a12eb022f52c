"""The same bytes in other pieces mean the same (RFC 9846 section 5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side
from glasslock.tls import DangerousAcceptAnyCertificate, HandshakeDone
from glasslock.tls.protection import MAX_FRAGMENT

from .decryptor import records
from .early_world import World, early
from .minted import client_credential
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import plain_record, puppet_client, puppet_server, send_message, send_record, unchanged

A, C, H = AlertDescription, ContentType, HandshakeType


def both_authenticated(client: Any = None, server: Any = None) -> Pair:
    """A handshake with every message that there is."""
    return pair(
        client or client_config(credentials=(client_credential(),)),
        server or server_config(client_verifier=DangerousAcceptAnyCertificate()),
    )


def deliver(connected: Pair, to: Side, pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        connected.deliver(to, piece)


# --- the stream in other pieces ----------------------------------------------------------------------


def recorded() -> dict[Side, list[bytes]]:
    connected = both_authenticated().done()
    return connected.wire


@pytest.mark.parametrize("side", list(Side))
def test_two_pieces_cut_at_every_byte(side: Side) -> None:
    """Each flight of each side, cut once, at every position."""
    flights = len(recorded()[side])
    lengths = [len(flight) for flight in recorded()[side]]
    for number in range(flights):
        for cut in range(0, lengths[number] + 3, 3):
            connected = both_authenticated()
            seen = 0
            for _ in range(10):
                for sender in Side:
                    data = connected.side(sender).data_to_send()
                    if not data:
                        continue
                    if sender is side and seen == number:
                        deliver(connected, sender.peer, (data[:cut], data[cut:]))
                    else:
                        connected.deliver(sender.peer, data)
                    seen += sender is side
            assert connected.errors == {}
            assert connected.client.handshake_done
            assert connected.server.handshake_done


def test_one_byte_at_a_time() -> None:
    connected = both_authenticated()
    while not (connected.client.handshake_done and connected.server.handshake_done):
        for sender in Side:
            deliver(connected, sender.peer, (bytes((byte,)) for byte in connected.side(sender).data_to_send()))
    connected.run()
    assert connected.errors == {}
    connected.client.send_data(b"slowly")
    deliver(connected, Side.SERVER, (bytes((byte,)) for byte in connected.client.data_to_send()))
    assert connected.received(Side.SERVER) == b"slowly"
    assert len(connected.tickets()) == 1


def test_empty_pieces_change_nothing() -> None:
    connected = both_authenticated()
    for _ in range(5):
        for sender in Side:
            deliver(connected, sender.peer, (b"", connected.side(sender).data_to_send(), b""))
    connected.done().talk()


def test_everything_in_one_piece() -> None:
    """Flight, data and end together."""
    world = World()
    connected = world.again()
    connected.client.send_early_data(b"first ")
    connected.carry(Side.CLIENT)
    connected.carry(Side.SERVER)
    connected.client.send_data(b"second")
    connected.client.update_keys()
    connected.client.send_data(b" third")
    connected.client.close()
    connected.carry(Side.CLIENT)
    assert early(connected) == b"first "
    assert connected.received(Side.SERVER) == b"first second third"
    assert connected.server.peer_closed


# --- messages in other records -----------------------------------------------------------------------


def refragmented(stream: bytes, size: int) -> bytes:
    """Plain handshake records, cut into records of at most `size` bytes."""
    found = []
    for header, body in records(stream):
        if header[0] == C.HANDSHAKE:
            found += [plain_record(C.HANDSHAKE, body[i : i + size]) for i in range(0, len(body), size)]
        else:
            found.append(header + body)
    return b"".join(found)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 63, 100, MAX_FRAGMENT])
def test_plain_messages_in_small_records(size: int) -> None:
    connected = pair(client_config(key_shares=()))
    for _ in range(6):
        for sender in Side:
            data = connected.side(sender).data_to_send()
            connected.deliver(sender.peer, refragmented(data, size) if data else b"")
    connected.done().talk()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 63, 100])
def test_protected_messages_in_small_records(size: int) -> None:
    """What a peer does that writes tiny records."""
    client = puppet_client(client_config(credentials=(client_credential(),)), unchanged)
    server = puppet_server(server_config(client_verifier=DangerousAcceptAnyCertificate()), unchanged)
    for connection in (client, server):
        connection._writer.max_fragment = size
    Pair(client, server).done().talk()


def cuts(length: int) -> Iterator[int]:
    yield from range(1, length)


def test_a_ticket_cut_at_every_byte() -> None:
    """Records of a message may come with other events in between calls, never with other records."""
    connected = pair(server=server_config(tickets=0)).done()
    ticket = b"\4\0\0\x14" + bytes((0, 0, 0, 60)) + b"1234" + b"\1n" + b"\0\6ticket" + b"\0\0"
    for cut in cuts(len(ticket)):
        send_message(connected.server, ticket[:cut])
        connected.run()
        send_message(connected.server, ticket[cut:])
        connected.run()
        if len(connected.tickets()) == 60:
            break
    assert connected.errors == {}
    assert len(connected.tickets()) == len(ticket) - 1


def test_several_messages_in_one_record() -> None:
    connected = pair(server=server_config(tickets=0)).done()
    ticket = b"\4\0\0\x14" + bytes((0, 0, 0, 60)) + b"1234" + b"\1n" + b"\0\6ticket" + b"\0\0"
    send_message(connected.server, *[ticket] * 20)
    connected.run()
    assert len(connected.tickets()) == 20


@pytest.mark.parametrize("content_type", [C.APPLICATION_DATA, C.ALERT])
def test_nothing_comes_inside_a_message(content_type: int) -> None:
    """Section 5.1: there MUST NOT be any other records between the parts of a message."""
    connected = pair().done()
    send_message(connected.server, b"\4\0\0\x14\0")
    send_record(connected.server, content_type, b"\1\0")
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "interleaved")


@pytest.mark.parametrize("rest", [b"\x08", b"\x08\0\0\2\0\0"], ids=["part", "whole"])
def test_messages_do_not_span_a_change_of_keys(rest: bytes) -> None:
    """Section 5.1: ClientHello, ServerHello, Finished and KeyUpdate align with a record boundary."""
    # ServerHello
    connected = pair()
    connected.carry(Side.CLIENT)
    (header, body), *_ = records(connected.server.data_to_send())
    connected.deliver(Side.CLIENT, plain_record(header[0], body + rest))
    assert_refused(connected, Side.CLIENT, A.UNEXPECTED_MESSAGE, "excess-handshake-data", told=False)
    # ClientHello
    connected = pair()
    (header, body), *_ = records(connected.client.data_to_send())
    connected.deliver(Side.SERVER, plain_record(header[0], body + rest))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "excess-handshake-data", told=False)

    # Finished of both sides
    def alter(kind: HandshakeType, raw: bytes) -> Iterable[bytes]:
        return (raw + rest,) if kind is H.FINISHED else (raw,)

    for by, connected in (
        (Side.SERVER, Pair(puppet_client(client_config(), alter), pair().server)),
        (Side.CLIENT, Pair(pair().client, puppet_server(server_config(), alter))),
    ):
        assert_refused(connected.run(), by, A.UNEXPECTED_MESSAGE, "excess-handshake-data", told=False)


def test_the_events_come_once_whatever_the_pieces() -> None:
    connected = both_authenticated()
    for _ in range(5):
        for sender in Side:
            data = connected.side(sender).data_to_send()
            deliver(connected, sender.peer, (data[i : i + 11] for i in range(0, len(data), 11)))
    connected.done()
    assert connected.events[Side.SERVER] == [HandshakeDone()]

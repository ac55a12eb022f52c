"""Hostile bytes into both roles: nothing but our own errors, in bounded time and memory (hypothesis)."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslock.errors import TLSError
from glasslock.registry import Side
from glasslock.tls import Connection, DangerousAcceptAnyCertificate
from glasslock.tls.config import DEFAULT_GROUPS

from .minted import client_credential
from .pair import Pair, client_config, pair, server_config
from .puppet import puppet_client, puppet_server, send_record

BOTH = (0x0304, 0x0303)
CLIENT = client_config(
    versions=BOTH,
    groups=DEFAULT_GROUPS,
    key_shares=(0x1D,),
    alpn_protocols=("h2",),
    request_scts=True,
    record_size_limit=16385,
    credentials=(client_credential(),),
    post_handshake_auth=True,
)
SERVER = server_config(
    versions=BOTH,
    groups=DEFAULT_GROUPS[1:],
    alpn_protocols=("h2",),
    record_size_limit=16385,
    client_verifier=DangerousAcceptAnyCertificate(),
)


def feed(connection: Connection, chunks: list[bytes]) -> None:
    """Gives bytes to a connection until it refuses; anything but a TLSError is a failure of the test."""
    for chunk in chunks:
        try:
            connection.receive_data(chunk)
        except TLSError:
            break
        connection.data_to_send()
        assert connection.buffered <= 16384 + 2048 + 5 + len(chunk)
    else:
        return
    assert connection.failure is not None
    assert connection.failure.message
    connection.data_to_send()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    positions = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(positions)]


CUTS = st.lists(st.integers(0, 1 << 16), max_size=4)


# --- anything ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400), CUTS)
def test_random_bytes_into_a_server(data: bytes, cuts: list[int]) -> None:
    feed(pair(CLIENT, SERVER).server, pieces(data, cuts))


@given(st.binary(max_size=400), CUTS)
def test_random_bytes_into_a_client(data: bytes, cuts: list[int]) -> None:
    feed(pair(CLIENT, SERVER).client, pieces(data, cuts))


RECORDS = st.lists(
    st.tuples(st.sampled_from((20, 21, 22, 23)), st.sampled_from((0x0301, 0x0303)), st.binary(max_size=60)), max_size=8
).map(lambda items: b"".join(bytes((t, v >> 8, v & 255)) + len(b).to_bytes(2, "big") + b for t, v, b in items))


@given(RECORDS, CUTS)
def test_random_records(data: bytes, cuts: list[int]) -> None:
    for side in Side:
        feed(pair(CLIENT, SERVER).side(side), pieces(data, cuts))


MESSAGES = st.lists(st.tuples(st.sampled_from(range(26)), st.binary(max_size=80)), min_size=1, max_size=5).map(
    lambda items: b"".join(bytes((t,)) + len(b).to_bytes(3, "big") + b for t, b in items)
)


@given(MESSAGES)
def test_random_messages_before_keys(data: bytes) -> None:
    for side in Side:
        feed(pair(CLIENT, SERVER).side(side), [b"\x16\x03\x03" + len(data).to_bytes(2, "big") + data])


@given(MESSAGES, st.sampled_from(list(Side)))
def test_random_messages_after_the_handshake(data: bytes, side: Side) -> None:
    """Under the right keys, so that they are really read."""
    connected = pair(CLIENT, SERVER).done()
    send_record(connected.side(side.peer), 22, data)
    feed(connected.side(side), [connected.side(side.peer).data_to_send()])


@given(st.integers(0, 255), st.binary(max_size=60), st.sampled_from(list(Side)))
def test_random_protected_records(content_type: int, data: bytes, side: Side) -> None:
    connected = pair(CLIENT, SERVER).done()
    send_record(connected.side(side.peer), content_type, data)
    feed(connected.side(side), [connected.side(side.peer).data_to_send()])


# --- real flights, changed ------------------------------------------------------------------------------------------


EDITS = st.lists(
    st.tuples(
        st.sampled_from(("flip", "set", "delete", "insert", "duplicate")),
        st.integers(0, 1 << 16),
        st.binary(max_size=8),
    ),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for how, where, what in edits:
        if not data:
            return what
        position = where % len(data)
        before, rest = data[:position], data[position:]
        data = {
            "flip": before + bytes((rest[0] ^ (1 << where % 8),)) + rest[1:],
            "set": before + what + rest[len(what) :],
            "delete": before + rest[len(what) + 1 :],
            "insert": before + what + rest,
            "duplicate": before + rest[: len(what)] + rest,
        }[how]
    return data


@given(EDITS, CUTS)
def test_a_changed_client_hello(edits: list[tuple[str, int, bytes]], cuts: list[int]) -> None:
    hello = pair(CLIENT, SERVER).client.data_to_send()
    feed(pair(CLIENT, SERVER).server, pieces(edited(hello, edits), cuts))


@given(EDITS, CUTS)
def test_a_changed_flight_of_the_server(edits: list[tuple[str, int, bytes]], cuts: list[int]) -> None:
    connected = pair(CLIENT, SERVER)
    connected.carry(Side.CLIENT)
    feed(connected.client, pieces(edited(connected.server.data_to_send(), edits), cuts))


@given(EDITS, CUTS)
def test_a_changed_second_flight_of_the_client(edits: list[tuple[str, int, bytes]], cuts: list[int]) -> None:
    connected = pair(CLIENT, SERVER)
    connected.carry(Side.CLIENT)
    connected.carry(Side.SERVER)
    feed(connected.server, pieces(edited(connected.client.data_to_send(), edits), cuts))


@given(st.integers(0, 1 << 16), st.sampled_from(list(Side)))
def test_a_flight_cut_short_waits(cut: int, side: Side) -> None:
    """A part of a flight is no error, only its end is."""
    connected = pair(CLIENT, SERVER)
    if side is Side.CLIENT:
        connected.carry(Side.CLIENT)
    data = connected.side(side.peer).data_to_send()
    connected.deliver(side, data[: cut % len(data)])
    assert connected.errors == {}
    with pytest.raises(TLSError):
        connected.side(side).receive_eof()


@settings(max_examples=300)
@given(st.integers(0, 1 << 8), EDITS, st.sampled_from(list(Side)))
def test_changed_messages_under_the_right_keys(number: int, edits: list[tuple[str, int, bytes]], side: Side) -> None:
    """A puppet whose n-th message is changed at random, with its length made to fit or not."""
    count = 0

    def alter(kind: Any, raw: bytes) -> tuple[bytes, ...]:
        nonlocal count
        count += 1
        if count - 1 != number % 7:
            return (raw,)
        body = edited(raw[4:], edits)
        return (raw[:1] + len(body).to_bytes(3, "big") + body,)

    honest = pair(CLIENT, SERVER)
    if side is Side.CLIENT:
        connected = Pair(honest.client, puppet_server(SERVER, alter))
    else:
        connected = Pair(puppet_client(CLIENT, alter), honest.server)
    connected.run()  # deliver() lets nothing but a TLSError pass
    if connected.errors == {}:
        for one in Side:
            assert connected.side(one).handshake_done


@given(st.binary(min_size=1, max_size=300))
def test_random_tickets_and_identities(identity: bytes) -> None:
    """Whatever a client offers as a ticket, the server goes on without it."""
    session = pair(CLIENT, SERVER).done().tickets()[0]
    connected = pair(CLIENT, SERVER, session=replace(session, ticket=identity)).done()
    assert not connected.server.agreed.resumed


def test_nothing_grows_without_bound() -> None:
    """A million harmless bytes that lead nowhere end the connection early."""
    flood = [
        b"\x14\x03\x03\x00\x01\x01" * 1000,  # ChangeCipherSpec
        b"\x15\x03\x03\x00\x02\x01\x5a" * 1000,  # user_canceled
        b"\x16\x03\x03\x00\x01\x01" * 100_000,  # a message byte by byte
    ]
    for data in flood:
        connected = pair(CLIENT, SERVER)
        connected.carry(Side.CLIENT)
        for _ in range(10):
            connected.deliver(Side.CLIENT, data)
        assert Side.CLIENT in connected.errors

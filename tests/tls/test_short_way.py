"""The short way of application data: it must be the ordinary way in everything but the time it takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import ConfigurationError, PeerMisbehaved, TLSError
from glasslock.registry import ContentType
from glasslock.tls import Connection, Data, PeerClosed
from glasslock.tls.protection import Protection13
from glasslock.tls.wire.messages import KeyUpdate

from .pair import Pair, client_config, pair, server_config

OVERHEAD = 22  # bytes that a record adds
FULL = 1 << 14
DATA = bytes(range(256)) * 300  # four records and a bit


def connected(**changes: Any) -> Pair:
    return pair(client_config(**changes), server_config()).done()


def open_ways(**changes: Any) -> Pair:
    """A connection on which data has gone both ways."""
    ends = connected(**changes)
    for one, other in ((ends.client, ends.server), (ends.server, ends.client)):
        assert other.decrypt(one.encrypt(b"first")) == b"first"
    return ends


def encrypt_into(connection: Connection, data: bytes, room: int) -> bytes:
    return bytes(connection.encrypt_into(memoryview(data), memoryview(bytearray(room))))


def decrypt_into(connection: Connection, data: bytes) -> bytes:
    buffer = bytearray(len(data) + FULL + 1)
    received = connection.decrypt_into(memoryview(data), memoryview(buffer))
    return bytes(buffer[:received])


def send_data(connection: Connection, data: bytes) -> bytes:
    connection.send_data(data)
    return connection.data_to_send()


def receive_data(connection: Connection, data: bytes) -> bytes:
    return data_of(connection.receive_data(data))


def data_of(events: list[Any]) -> bytes:
    return b"".join(event.data for event in events if isinstance(event, Data))


SENDING = {
    "ordinary": send_data,
    "encrypt": lambda connection, data: connection.encrypt(data),
    "encrypt_into": lambda connection, data: encrypt_into(connection, data, 1 << 18),
    "encrypt_into, no room": lambda connection, data: encrypt_into(connection, data, 10),
}
RECEIVING = {"ordinary": receive_data, "decrypt": lambda c, data: c.decrypt(data), "decrypt_into": decrypt_into}
STEP = st.tuples(
    st.sampled_from(sorted(SENDING)),
    st.sampled_from(sorted(RECEIVING)),
    st.integers(0, 40_000),
    st.lists(st.integers(0, 60_000), max_size=3),
    st.sampled_from(["", "", "", "update", "update both", "empty"]),
)


@given(st.lists(STEP, max_size=8), st.booleans())
def test_all_ways_can_be_mixed(steps: list[tuple[str, str, int, list[int], str]], short_records: bool) -> None:
    limits = {"record_size_limit": 500} if short_records else {}
    ends = pair(client_config(record_size_limit=FULL + 1), server_config(**limits)).done()
    for sending, receiving, size, cuts, before in steps:
        wire = b""
        if before == "empty":
            ends.client._writer.write(ContentType.APPLICATION_DATA, b"")
        elif before:
            ends.client.update_keys(request_peer=before == "update both")
        data = (DATA * 2)[:size]
        wire += SENDING[sending](ends.client, data) + ends.client.data_to_send()
        got, start = b"", 0
        for cut in [*sorted(cuts), len(wire)]:
            got += RECEIVING[receiving](ends.server, wire[start:cut])
            start = max(start, cut)
        assert got == data
        assert ends.client.decrypt(ends.server.encrypt(b"answer") + ends.server.encrypt(data)) == b"answer" + data


@pytest.mark.parametrize("size", [1, 2, 100, FULL - 1, FULL])
def test_one_record_is_as_the_ordinary_way_makes_it(size: int) -> None:
    ends = open_ways()
    short = ends.client.encrypt(DATA[:size])
    key = ends.client._writer.protection
    assert key is not None
    assert ends.client._writer.short is key
    key.sequence -= 1
    assert send_data(ends.client, DATA[:size]) == short
    key.sequence -= 1
    assert encrypt_into(ends.client, DATA[:size], 1 << 15) == short
    assert ends.server.decrypt(short) == DATA[:size]


def test_messages_of_all_lengths_take_the_short_way() -> None:
    ends = open_ways()
    for size in (5, 5, 6, 5, 1000, 1):
        assert ends.server.decrypt(ends.client.encrypt(DATA[:size])) == DATA[:size]
        assert ends.client._writer.short is not None
        assert ends.server._reader.short is not None


def test_nothing_in_gives_nothing_out() -> None:
    for ends in (connected(), open_ways()):
        assert ends.client.encrypt(b"") == b""
        assert encrypt_into(ends.client, b"", 100) == b""
        assert ends.client.decrypt(b"") == b""
        assert decrypt_into(ends.client, b"") == b""


def test_what_must_go_before_goes_before() -> None:
    for way in ("encrypt", "encrypt_into"):
        ends = open_ways()
        ends.client.send_data(b"queued, ")
        assert ends.server.decrypt(SENDING[way](ends.client, b"then this")) == b"queued, then this"
        ends.client.update_keys(request_peer=True)
        wire = SENDING[way](ends.client, b"under new keys")
        assert len(wire) == len(KeyUpdate(1).encode()) + OVERHEAD + len(b"under new keys") + OVERHEAD
        assert ends.server.decrypt(wire) == b"under new keys"
        answer = SENDING[way](ends.server, b"as wished")
        assert len(answer) > 2 * OVERHEAD + len(b"as wished")
        assert ends.client.decrypt(answer) == b"as wished"


def test_a_key_that_is_used_up_is_replaced() -> None:
    for way in ("encrypt", "encrypt_into"):
        ends = open_ways()
        key = ends.client._writer.protection
        assert key is not None
        key.record_limit = key.sequence + 2
        for _ in range(5):
            assert ends.server.decrypt(SENDING[way](ends.client, b"again")) == b"again"
        assert key.sequence == key.record_limit + 1  # and the KeyUpdate
        assert ends.client._writer.protection is not key


@pytest.mark.parametrize("place", range(27))
@pytest.mark.parametrize("way", sorted(RECEIVING))
def test_no_byte_can_be_changed(way: str, place: int) -> None:
    """Type, version, length, content, tag. A record that claims to be longer waits for its end."""
    ends = open_ways()
    wire = bytearray(ends.client.encrypt(b"hello"))
    wire[place] ^= 1

    def receive() -> None:
        assert RECEIVING[way](ends.server, bytes(wire)) == b""
        RECEIVING[way](ends.server, bytes(256))

    with pytest.raises(PeerMisbehaved):
        receive()
    assert ends.server.failure is not None
    with pytest.raises(PeerMisbehaved):
        RECEIVING[way](ends.server, b"more")
    with pytest.raises(PeerMisbehaved):
        ends.server.encrypt(b"an answer")
    assert len(ends.server.data_to_send()) == 2 + OVERHEAD  # the alert


def test_nothing_of_a_forged_record_reaches_the_buffer() -> None:
    ends = open_ways()
    wire = bytearray(ends.client.encrypt(b"secret"))
    wire[-1] ^= 1
    buffer = bytearray(b"-" * (len(wire) + FULL))
    with pytest.raises(PeerMisbehaved):
        ends.server.decrypt_into(memoryview(wire), memoryview(buffer))
    assert b"secret" not in buffer


def test_what_came_before_an_error_is_kept() -> None:
    wire = bytearray((ends := open_ways()).client.encrypt(DATA))
    wire[FULL + OVERHEAD + 100] ^= 1
    assert decrypt_into(ends.server, bytes(wire)) == DATA[:FULL]
    assert ends.server.failure is not None
    with pytest.raises(PeerMisbehaved, match="not made with the agreed key"):
        decrypt_into(ends.server, b"more")

    wire = bytearray((ends := open_ways()).client.encrypt(DATA))
    wire[FULL + OVERHEAD + 100] ^= 1
    with pytest.raises(PeerMisbehaved, match="not made with the agreed key"):
        ends.server.decrypt(bytes(wire))
    assert data_of(ends.server.take_events()) == DATA[:FULL]


def test_an_outer_type_that_hides_nothing_is_refused() -> None:
    """A peer that has the key cannot mark data as something else."""
    for way in RECEIVING.values():
        ends = open_ways()
        key = ends.client._writer.protection
        assert isinstance(key, Protection13)
        header = b"\x15\x03\x03\x00\x16"
        wire = header + key.aead.encrypt((key.iv ^ key.sequence).to_bytes(12, "big"), b"hello\x17", header)
        with pytest.raises(PeerMisbehaved) as caught:
            way(ends.server, wire)
        assert caught.value.code == "plaintext-record"


@pytest.mark.parametrize("way", sorted(RECEIVING))
def test_too_long_a_record_is_refused(way: str) -> None:
    """A peer that was told to keep records small may not send large ones this way either."""
    ends = pair(client_config(record_size_limit=FULL + 1), server_config(record_size_limit=500)).done()
    assert ends.server.decrypt(ends.client.encrypt(b"first")) == b"first"
    protection = ends.client._writer.protection
    assert protection is not None
    wire = protection.seal(ContentType.APPLICATION_DATA, bytes(499))
    assert RECEIVING[way](ends.server, wire) == bytes(499)
    with pytest.raises(PeerMisbehaved) as caught:
        RECEIVING[way](ends.server, protection.seal(ContentType.APPLICATION_DATA, bytes(500)))
    assert caught.value.code == "plaintext-too-long"


@pytest.mark.parametrize("way", sorted(RECEIVING))
def test_floods_are_counted_as_ever(way: str) -> None:
    """Empty records and KeyUpdates count unless data comes between them, whichever way it came."""

    def empty(ends: Pair) -> bytes:
        ends.client._writer.write(ContentType.APPLICATION_DATA, b"")
        return ends.client.data_to_send()

    def update(ends: Pair) -> bytes:
        ends.client.update_keys()
        return ends.client.data_to_send()

    for make, code in ((empty, "too-many-empty-records"), (update, "too-many-key-updates")):
        ends = open_ways()
        for _ in range(100):
            RECEIVING[way](ends.server, make(ends))
            assert RECEIVING[way](ends.server, ends.client.encrypt(b"data")) == b"data"
            assert RECEIVING[way](ends.server, ends.client.encrypt(b"data")) == b"data"
        flood = [make(ends) for _ in range(100)]
        with pytest.raises(PeerMisbehaved) as caught:
            [RECEIVING[way](ends.server, record) for record in flood]
        assert caught.value.code == code


def test_padding_tls12_and_observers_have_no_short_way() -> None:
    heard: list[object] = []
    old = {"versions": (0x0303,)}
    for client, server in (
        ({"padding": lambda _: 9}, {"padding": lambda _: 9}),
        (old, old),
        ({"observer": heard.append}, {"observer": heard.append}),
    ):
        ends = pair(client_config(**client), server_config(**server)).done()
        for size in (5, 5, len(DATA)):
            for sending in SENDING.values():
                for receiving in RECEIVING.values():
                    assert receiving(ends.server, sending(ends.client, DATA[:size])) == DATA[:size]
                    assert ends.client._writer.short is None
                    assert ends.server._reader.short is None or client.keys() == {"padding"}
    assert sum(type(record).__name__ == "DataReceived" for record in heard) >= 3 * 12


def test_the_end() -> None:
    ends = open_ways()
    ends.client.close()
    with pytest.raises(ConfigurationError):
        ends.client.encrypt(b"too late")
    with pytest.raises(ConfigurationError):
        encrypt_into(ends.client, b"too late", 100)
    assert ends.server.decrypt(ends.client.data_to_send()) == b""
    assert ends.server.take_events() == [PeerClosed()]
    assert ends.client.decrypt(ends.server.encrypt(b"still here")) == b"still here"
    assert ends.server.decrypt(b"whatever") == b""
    ends.client.abort(TLSError(None, "policy", "enough"))
    with pytest.raises(TLSError, match="enough"):
        ends.client.decrypt(ends.server.encrypt(b"still here"))


def test_before_the_handshake() -> None:
    fresh = pair(client_config(), server_config())
    with pytest.raises(ConfigurationError):
        fresh.client.encrypt(b"too soon")
    assert fresh.server.decrypt(fresh.client.data_to_send()) == b""
    assert fresh.client.decrypt(fresh.server.data_to_send()) == b""
    assert fresh.client.handshake_done
    wire = fresh.client.data_to_send() + fresh.client.encrypt(b"with Finished")
    assert fresh.server.decrypt(wire) == b"with Finished"


def test_what_is_no_bytes_does_no_harm() -> None:
    """A mistake of the caller's is heard before it costs a sequence number, and the connection goes on."""
    connected = pair().done()
    for _ in range(2):  # the second goes the short way
        assert connected.server.decrypt(connected.client.encrypt(b"hello")) == b"hello"
    with pytest.raises(TypeError):
        connected.client.encrypt(memoryview(b"hello"))  # type: ignore[arg-type]
    assert connected.server.decrypt(connected.client.encrypt(b"hello")) == b"hello"

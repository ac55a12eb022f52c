"""One record from buffer to buffer: nothing is made anew for it, and whatever is odd goes the ordinary way."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, CipherSuite, ContentType
from glasslock.tls import Connection, PeerClosed, TicketReceived
from glasslock.tls.protection import Protection13
from glasslock.tls.wire.messages import NewSessionTicket

from .pair import Pair, client_config, pair, server_config

FULL = 1 << 14
OVERHEAD = 22  # bytes that a record adds
DATA = bytes(range(256)) * 64
TICKET = NewSessionTicket(lifetime=100, age_add=1, nonce=b"n", ticket=b"t" * 40, extensions={}).encode()
SUITES = list(CipherSuite)[:3]


@pytest.fixture(params=SUITES, ids=lambda suite: suite.name)
def ends(request: pytest.FixtureRequest) -> Pair:
    """A connection on which data has gone both ways, so that the short way is open."""
    return opened(request.param)


def opened(suite: CipherSuite = SUITES[0], **server: Any) -> Pair:
    config = client_config(cipher_suites=(suite,), record_size_limit=FULL + 1)
    ends = pair(config, server_config(cipher_suites=(suite,), **server)).done()
    for one, other in [(ends.client, ends.server), (ends.server, ends.client)] * 2:  # the first answer closes it again
        assert other.decrypt(one.encrypt(b"first")) == b"first"
        other.take_events()
    return ends


class Buffers:
    """Where records are made and where data is put: the same two all the time."""

    def __init__(self, wire: int = FULL + OVERHEAD, room: int = FULL + OVERHEAD) -> None:
        self.wire, self.data = memoryview(bytearray(wire)), memoryview(bytearray(room))

    def encrypt(self, connection: Connection, data: bytes) -> memoryview:
        return connection.encrypt_into(memoryview(data), self.wire)

    def decrypt(self, connection: Connection, wire: bytes | memoryview) -> bytes:
        return bytes(self.data[: connection.decrypt_into(memoryview(wire), self.data)])

    def carry(self, one: Connection, other: Connection, data: bytes) -> None:
        assert self.decrypt(other, self.encrypt(one, data)) == data


OTHER_WAYS = ("_encrypt_records_into", "_decrypt_records_into", "receive_data", "send_data")


def forbid_other_ways(monkeypatch: pytest.MonkeyPatch, *ways: str) -> None:
    def fail(*_: object) -> None:
        pytest.fail("this should have gone the short way")

    for name in ways or OTHER_WAYS:
        monkeypatch.setattr(Connection, name, fail)


def writing(ends: Pair) -> Protection13:
    key = ends.client._writer.protection
    assert isinstance(key, Protection13)
    return key


def reading(ends: Pair) -> Protection13:
    key = ends.server._reader.protection
    assert isinstance(key, Protection13)
    return key


def test_records_of_all_lengths(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    forbid_other_ways(monkeypatch)
    buffers, before = Buffers(), writing(ends).sequence
    sizes = (1, 1, 2, 100, FULL - 1, FULL, FULL, 3)
    for size in sizes:
        buffers.carry(ends.client, ends.server, DATA[:size])
    assert writing(ends).sequence == reading(ends).sequence == before + len(sizes)


def test_it_is_made_in_the_buffer_and_nothing_is_touched_behind_it(ends: Pair) -> None:
    buffers = Buffers(wire=300)
    buffers.wire[:] = b"w" * 300
    sealed = buffers.encrypt(ends.client, DATA[:100])
    assert sealed.obj is buffers.wire.obj
    assert len(sealed) == 100 + OVERHEAD
    assert buffers.wire[122:] == b"w" * 178
    buffers.data[:] = b"d" * len(buffers.data)
    assert buffers.decrypt(ends.server, sealed) == DATA[:100]
    assert set(buffers.data[101:]) == {ord("d")}  # the content type comes behind the content


def test_each_record_has_a_nonce_of_its_own(ends: Pair) -> None:
    buffers = Buffers()
    assert len({bytes(buffers.encrypt(ends.client, b"the same")) for _ in range(10)}) == 10


def test_an_aead_that_fails_has_used_its_nonce(ends: Pair) -> None:
    key, buffers = writing(ends), Buffers()
    working, before = key.aead, key.sequence

    class Failing:
        def encrypt_into(self, *_: object) -> int:
            raise MemoryError

    key.aead = Failing()  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        buffers.encrypt(ends.client, DATA)
    assert key.sequence == before + 1
    key.aead = working
    reading(ends).sequence += 1  # the lost one
    buffers.carry(ends.client, ends.server, DATA)


@pytest.mark.parametrize("place", [0, 1, 2, 5, 50, -17, -1])
def test_nothing_of_a_forgery_stays(ends: Pair, place: int) -> None:
    buffers = Buffers()
    buffers.carry(ends.client, ends.server, b"public" * 20)  # of the same length
    buffers.data[:] = bytes(len(buffers.data))
    wire = bytearray(buffers.encrypt(ends.client, b"secret" * 20))
    wire[place] ^= 1
    with pytest.raises(PeerMisbehaved):
        buffers.decrypt(ends.server, wire)
    assert not any(buffers.data)
    assert ends.server.failure is not None
    with pytest.raises(PeerMisbehaved):
        buffers.encrypt(ends.server, b"an answer")
    assert len(ends.server.data_to_send()) == 2 + OVERHEAD  # the alert
    with pytest.raises(PeerMisbehaved):
        buffers.decrypt(ends.server, wire)


@pytest.mark.parametrize("size", [1, 100, FULL])
def test_a_replay_is_a_forgery(ends: Pair, size: int) -> None:
    buffers = Buffers()
    wire = buffers.encrypt(ends.client, DATA[:size])
    assert buffers.decrypt(ends.server, wire) == DATA[:size]
    with pytest.raises(PeerMisbehaved) as caught:
        buffers.decrypt(ends.server, wire)
    assert caught.value.alert == AlertDescription.BAD_RECORD_MAC
    assert not any(buffers.data[:size])


def test_a_part_of_a_record_waits_for_the_rest(ends: Pair) -> None:
    buffers = Buffers()
    for cut in (1, 4, 5, 6, 100, 121):
        wire = bytes(buffers.encrypt(ends.client, DATA[:100]))
        assert buffers.decrypt(ends.server, wire[:cut]) == b""
        assert buffers.decrypt(ends.server, wire[cut:]) == DATA[:100]
        buffers.carry(ends.client, ends.server, b"and on")


def test_two_records_and_the_beginning_of_a_third(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    buffers = Buffers(room=3 * FULL)
    buffers.carry(ends.client, ends.server, b"one")
    forbid_other_ways(monkeypatch, "receive_data")
    one, two, three = (bytes(buffers.encrypt(ends.client, text)) for text in (b"one", b"two", b"three"))
    assert buffers.decrypt(ends.server, one + two + three[:9]) == b"onetwo"
    assert buffers.decrypt(ends.server, three[9:]) == b"three"


def test_a_header_that_lies_about_the_length(ends: Pair) -> None:
    """It has the length of the last record, but what came is not so long, or longer."""
    buffers = Buffers()
    buffers.carry(ends.client, ends.server, DATA[:100])
    wire = bytes(buffers.encrypt(ends.client, DATA[:100]))
    assert buffers.decrypt(ends.server, wire[:-1]) == b""
    with pytest.raises(PeerMisbehaved) as caught:
        buffers.decrypt(ends.server, bytes((wire[-1] ^ 1,)))
    assert caught.value.alert == AlertDescription.BAD_RECORD_MAC


@pytest.mark.parametrize("into", [False, True])
def test_a_record_without_its_header_is_none(ends: Pair, into: bool) -> None:
    """Not even from a peer that has the keys, and has made it as if the header were there."""
    buffers, key = Buffers(), writing(ends)
    buffers.carry(ends.client, ends.server, DATA[:100])
    inner = b"secret" * 17 + b"abc" + b"\x17"
    assert len(inner) + 16 == 100 + OVERHEAD
    header = b"\x17\x03\x03" + (100 + OVERHEAD - 5).to_bytes(2)
    wire = key.aead.encrypt((key.iv ^ key.sequence).to_bytes(12), inner, header)
    reader, before = reading(ends), reading(ends).sequence
    with contextlib.suppress(PeerMisbehaved):  # it may begin like the header of a record that is still to come
        received = buffers.decrypt(ends.server, wire) if into else ends.server.decrypt(wire)
        assert received == b""
    assert reader.sequence == before


def test_messages_that_are_not_as_long_as_the_one_before(ends: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way each took: they share the header that is kept."""
    forbid_other_ways(monkeypatch)
    buffers = Buffers()
    for size in (1, 100, 100, FULL, 99, 100):
        assert ends.server.decrypt(ends.client.encrypt(DATA[:size])) == DATA[:size]
        assert ends.server.decrypt(bytes(buffers.encrypt(ends.client, DATA[:50]))) == DATA[:50]
        assert buffers.decrypt(ends.server, ends.client.encrypt(DATA[:size])) == DATA[:size]
        buffers.carry(ends.client, ends.server, DATA[:size])


def test_nothing_in_gives_nothing_out(ends: Pair) -> None:
    before = writing(ends).sequence
    assert ends.client._writer.short is not None
    assert ends.client.encrypt(b"") == b""
    Buffers().carry(ends.client, ends.server, b"")
    assert ends.server.decrypt(b"") == b""
    assert writing(ends).sequence == before


def test_a_buffer_without_room_for_the_record(ends: Pair) -> None:
    buffers, tight = Buffers(), Buffers(wire=100 + OVERHEAD - 1)
    sealed = tight.encrypt(ends.client, DATA[:100])
    assert sealed.obj is not tight.wire.obj
    assert buffers.decrypt(ends.server, sealed) == DATA[:100]
    just = Buffers(wire=100 + OVERHEAD)
    assert just.encrypt(ends.client, DATA[:100]).obj is just.wire.obj


@pytest.mark.parametrize("room", [100 + OVERHEAD, 100 + OVERHEAD - 1, 101, 100])
def test_a_buffer_with_room_for_the_content_only(ends: Pair, room: int) -> None:
    Buffers().decrypt(ends.server, Buffers().encrypt(ends.client, DATA[:100]))
    Buffers(room=room).carry(ends.client, ends.server, DATA[:100])


def test_new_keys_between_records(ends: Pair) -> None:
    buffers = Buffers(room=3 * FULL)
    for request in (False, True):
        for one, other in ((ends.client, ends.server), (ends.server, ends.client)):
            buffers.carry(one, other, DATA)
            one.update_keys(request_peer=request)
            buffers.carry(one, other, DATA)  # and the KeyUpdate before it
            buffers.carry(one, other, DATA)
            buffers.carry(other, one, b"and the answer to it")
            buffers.carry(other, one, b"and on")


def test_a_key_update_alone(ends: Pair) -> None:
    buffers = Buffers()
    ends.client.update_keys()
    assert buffers.decrypt(ends.server, ends.client.data_to_send()) == b""
    buffers.carry(ends.client, ends.server, DATA)
    assert reading(ends).sequence == 1


def test_a_key_that_is_used_up(ends: Pair) -> None:
    buffers, key = Buffers(room=3 * FULL), writing(ends)
    key.record_limit = key.sequence + 3
    for _ in range(5):
        buffers.carry(ends.client, ends.server, DATA)
    assert key.sequence == key.record_limit + 1  # and the KeyUpdate
    assert writing(ends).sequence == 2


def test_what_is_queued_goes_before(ends: Pair) -> None:
    buffers = Buffers(room=3 * FULL)
    ends.client.send_data(b"queued, ")
    sealed = buffers.encrypt(ends.client, b"then this")
    assert buffers.decrypt(ends.server, sealed) == b"queued, then this"


def test_alerts_and_tickets_are_heard(ends: Pair) -> None:
    buffers, key = Buffers(), ends.server._writer.protection
    assert key is not None
    assert buffers.decrypt(ends.client, key.seal(ContentType.HANDSHAKE, TICKET)) == b""
    assert [type(event) for event in ends.client.take_events()] == [TicketReceived]
    buffers.carry(ends.server, ends.client, b"data")
    assert buffers.decrypt(ends.client, key.seal(ContentType.ALERT, b"\x01\x00")) == b""
    assert ends.client.take_events() == [PeerClosed()]
    assert buffers.decrypt(ends.client, key.seal(ContentType.APPLICATION_DATA, b"too late")) == b""


def test_padding_is_taken_off(ends: Pair) -> None:
    buffers, key = Buffers(), writing(ends)
    for padding in (1, 16, 200):
        assert buffers.decrypt(ends.server, key.seal(ContentType.APPLICATION_DATA, b"padded", padding)) == b"padded"
        buffers.carry(ends.client, ends.server, b"plain")
    with pytest.raises(PeerMisbehaved) as caught:
        buffers.decrypt(ends.server, key.seal(0, b"", 40))
    assert caught.value.code == "padding-only"


def test_too_long_a_record() -> None:
    ends = opened(record_size_limit=500)
    buffers, key = Buffers(), writing(ends)
    assert buffers.decrypt(ends.server, key.seal(ContentType.APPLICATION_DATA, DATA[:499])) == DATA[:499]
    with pytest.raises(PeerMisbehaved) as caught:
        buffers.decrypt(ends.server, key.seal(ContentType.APPLICATION_DATA, DATA[:500]))
    assert caught.value.code == "plaintext-too-long"


def test_a_peer_that_takes_small_records_gets_many() -> None:
    ends = opened(record_size_limit=500)
    buffers = Buffers(wire=4 * OVERHEAD + 1500, room=1500 + FULL)
    sealed = buffers.encrypt(ends.client, DATA[:1500])
    assert sealed.obj is buffers.wire.obj
    assert len(sealed) == 1500 + 4 * OVERHEAD
    assert buffers.decrypt(ends.server, sealed) == DATA[:1500]
    assert ends.client._writer.short is not None
    assert ends.server.decrypt(ends.client.encrypt(DATA[:1500])) == DATA[:1500]


def test_what_is_no_bytes_costs_no_sequence_number(ends: Pair) -> None:
    buffers, before = Buffers(), writing(ends).sequence
    with pytest.raises((BufferError, TypeError, ValueError)):
        ends.client.encrypt_into(memoryview(b"abcd"), memoryview(b"read only" * 10))
    with pytest.raises(TypeError):
        ends.client.encrypt_into("abcd", buffers.wire)  # type: ignore[arg-type]
    assert writing(ends).sequence == before
    buffers.carry(ends.client, ends.server, b"goes on")

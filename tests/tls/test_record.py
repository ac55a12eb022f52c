"""The record layer: sizes, padding, empty records, nonces, negotiated limits (RFC 9846 section 5, RFC 8449)."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.errors import ConfigurationError, PeerMisbehaved
from glasslock.registry import AlertDescription, CipherSuite, ContentType, HandshakeType, Side
from glasslock.tls.keys.suites import SUITES_13
from glasslock.tls.protection import HEADER_LENGTH, MAX_CIPHERTEXT_13, MAX_FRAGMENT, BadRecordMac, Protection13
from glasslock.tls.record import MAX_EMPTY_RECORDS, RecordReader, RecordWriter
from glasslock.tls.wire.messages import ClientHello, EncryptedExtensions, KeyUpdate

from .decryptor import records
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, plain_record, puppet_client, puppet_server, send_record

A, H, C = AlertDescription, HandshakeType, ContentType
SUITES = list(CipherSuite)[:3]


def protections(suite: int = 0x1301) -> tuple[Protection13, Protection13]:
    """The two ends of one direction."""
    row = SUITES_13[suite]
    key, iv = bytes(range(row.key_length)), bytes(range(12))
    return Protection13(row, key, iv, "test"), Protection13(row, key, iv, "test")


def reader(suite: int = 0x1301) -> tuple[Protection13, RecordReader]:
    sealing, opening = protections(suite)
    made = RecordReader()
    made.protection, made.tls13 = opening, True
    return sealing, made


# --- protection (sections 5.2, 5.3) ----------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 1000, MAX_FRAGMENT])
@pytest.mark.parametrize("padding", [0, 1, 100])
def test_sealing_and_opening(suite: int, length: int, padding: int) -> None:
    sealing, opening = protections(suite)
    padding = min(padding, MAX_FRAGMENT - length)
    content = bytes(number % 256 for number in range(length))
    for _ in range(3):
        record = sealing.seal(C.APPLICATION_DATA, content, padding)
        assert record[:3] == b"\x17\x03\x03"
        assert int.from_bytes(record[3:5], "big") == len(record) - 5 == length + 1 + padding + 16
        assert opening.open(record[:5], record[5:]) == (C.APPLICATION_DATA, content)
    assert sealing.sequence == opening.sequence == 3


@pytest.mark.parametrize("sequence", [0, 1, 255, 1 << 32, (1 << 64) - 1])
def test_the_nonce_of_a_record(sequence: int) -> None:
    """Section 5.3: the sequence number, padded to the left, XORed with the IV."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealing, _ = protections()
    sealing.sequence = sequence
    record = sealing.seal(C.HANDSHAKE, b"content")
    iv = bytes(range(12))
    nonce = bytes(a ^ b for a, b in zip(iv, bytes(4) + sequence.to_bytes(8, "big"), strict=True))
    assert AESGCM(bytes(range(16))).decrypt(nonce, record[5:], record[:5]) == b"content\x16"


def test_each_key_begins_at_zero() -> None:
    connected = pair().done().talk()
    for side in Side:
        connected.side(side).update_keys()
        writing = connected.side(side)._writer.protection
        assert writing is not None
        assert writing.sequence == 0


@pytest.mark.parametrize("position", [0, 1, 2, 5, 10, -1])
def test_a_changed_byte_does_not_open(position: int) -> None:
    """bad_record_mac for all deprotection failures (section 6.2)."""
    connected = pair().done()
    connected.client.send_data(b"a few bytes")
    record = bytearray(connected.client.data_to_send())
    record[position] ^= 0x80 if position in (1, 2) else 1
    expected = A.BAD_RECORD_MAC if position else A.UNEXPECTED_MESSAGE
    connected.deliver(Side.SERVER, bytes(record))
    assert_refused(connected.run(), Side.SERVER, expected, told=True)


@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_record_too_short_for_its_tag(length: int) -> None:
    connected = pair().done()
    connected.deliver(Side.SERVER, plain_record(C.APPLICATION_DATA, bytes(length)))
    assert_refused(connected.run(), Side.SERVER, A.BAD_RECORD_MAC)


@pytest.mark.parametrize("trick", ["replay", "reorder", "drop"])
def test_records_in_another_order(trick: str) -> None:
    connected = pair().done()
    sent = []
    for number in range(3):
        connected.client.send_data(b"%d" % number)
        sent.append(connected.client.data_to_send())
    order = {"replay": (0, 0), "reorder": (1, 0), "drop": (0, 2)}[trick]
    for number in order:
        connected.deliver(Side.SERVER, sent[number])
    assert_refused(connected.run(), Side.SERVER, A.BAD_RECORD_MAC)


def test_a_reflected_record() -> None:
    connected = pair().done()
    connected.client.send_data(b"mirror")
    connected.deliver(Side.CLIENT, connected.client.data_to_send())
    assert_refused(connected, Side.CLIENT, A.BAD_RECORD_MAC, told=False)


def test_an_opened_record_is_told_apart_by_its_own_exception() -> None:
    _, opening = protections()
    with pytest.raises(BadRecordMac):
        opening.open(b"\x17\x03\x03\x00\x20", bytes(32))


# --- sizes (sections 5.1, 5.2) ---------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [C.HANDSHAKE, C.ALERT, C.CHANGE_CIPHER_SPEC])
def test_the_greatest_plain_record(content_type: int) -> None:
    """The length MUST NOT exceed 2^14 bytes: record_overflow."""
    plain = RecordReader()
    plain.feed(plain_record(content_type, bytes(MAX_FRAGMENT)))
    assert plain.next() == (content_type, bytes(MAX_FRAGMENT))
    plain.feed(plain_record(content_type, bytes(MAX_FRAGMENT + 1))[:HEADER_LENGTH])
    with pytest.raises(PeerMisbehaved) as caught:
        plain.next()
    assert (caught.value.alert, caught.value.code) == (A.RECORD_OVERFLOW, "record-too-long")


def test_the_greatest_protected_record() -> None:
    """The length MUST NOT exceed 2^14 + 256 bytes; what is inside not 2^14 + 1 (sections 5.2, 5.4)."""
    assert MAX_CIPHERTEXT_13 == 2**14 + 256
    sealing, opening = reader()
    opening.feed(sealing.seal(C.APPLICATION_DATA, bytes(MAX_FRAGMENT)))
    assert opening.next() == (C.APPLICATION_DATA, bytes(MAX_FRAGMENT))
    opening.feed(sealing.seal(C.APPLICATION_DATA, b"", MAX_FRAGMENT))
    assert opening.next() == (C.APPLICATION_DATA, b"")


@pytest.mark.parametrize(("content", "padding"), [(MAX_FRAGMENT + 1, 0), (MAX_FRAGMENT, 1), (0, MAX_FRAGMENT + 1)])
def test_more_than_fits_inside(content: int, padding: int) -> None:
    sealing, opening = reader()
    opening.feed(sealing.seal(C.APPLICATION_DATA, bytes(content), padding))
    with pytest.raises(PeerMisbehaved) as caught:
        opening.next()
    assert caught.value.alert == A.RECORD_OVERFLOW


def test_a_longer_header_is_refused_before_the_body_comes() -> None:
    _, opening = reader()
    opening.feed(b"\x17\x03\x03" + MAX_CIPHERTEXT_13.to_bytes(2, "big"))
    assert opening.next() is None
    _, opening = reader()
    opening.feed(b"\x17\x03\x03" + (MAX_CIPHERTEXT_13 + 1).to_bytes(2, "big"))
    with pytest.raises(PeerMisbehaved) as caught:
        opening.next()
    assert (caught.value.alert, caught.value.code) == (A.RECORD_OVERFLOW, "record-too-long")


def test_large_data_is_cut_into_records() -> None:
    connected = pair().done()
    data = bytes(3 * MAX_FRAGMENT + 5)
    connected.client.send_data(data)
    wire = connected.client.data_to_send()
    assert [len(body) - 17 for _, body in records(wire)] == [MAX_FRAGMENT] * 3 + [5]
    connected.deliver(Side.SERVER, wire)
    assert connected.received(Side.SERVER) == data


# --- empty records and padding (section 5.4) --------------------------------------------------------


def test_empty_application_data_is_harmless_in_small_numbers() -> None:
    connected = pair().done()
    for _ in range(2):
        for _ in range(MAX_EMPTY_RECORDS):
            send_record(connected.client, C.APPLICATION_DATA, b"", padding=3)
        connected.client.send_data(b"x")
    assert connected.run().errors == {}
    assert connected.received(Side.SERVER) == b"xx"
    assert len(connected.events[Side.SERVER]) == 3
    for _ in range(MAX_EMPTY_RECORDS + 1):
        send_record(connected.client, C.APPLICATION_DATA, b"")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-many-empty-records")


@pytest.mark.parametrize("padding", [0, 5])
def test_empty_handshake_records(padding: int) -> None:
    """Handshake and Alert records of zero length: unexpected_message."""
    connected = pair().done()
    send_record(connected.client, C.HANDSHAKE, b"", padding)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "empty-fragment")
    connected = pair()
    connected.deliver(Side.SERVER, plain_record(C.HANDSHAKE, b""))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "empty-fragment", told=False)


@pytest.mark.parametrize("length", [0, 1, 100])
def test_a_record_of_zeros_has_no_type(length: int) -> None:
    """If no non-zero octet is found: unexpected_message."""
    connected = pair().done()
    writing = connected.client._writer.protection
    assert writing is not None
    connected.client._writer._out.append(writing.seal(0, b"", length))
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "padding-only")


def test_an_inside_of_nothing_at_all() -> None:
    sealing, opening = reader()
    header = b"\x17\x03\x03\x00\x10"
    opening.feed(header + sealing.aead.encrypt(sealing.iv.to_bytes(12, "big"), b"", header))
    with pytest.raises(PeerMisbehaved) as caught:
        opening.next()
    assert caught.value.code == "padding-only"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (lambda length: 0, 12),
        (lambda length: 100, 112),
        (lambda length: -length % 64, 64),
        (lambda length: 1 << 20, MAX_FRAGMENT),
        (lambda length: -5, 12),
    ],
    ids=["none", "constant", "blocks", "too much", "negative"],
)
def test_padding_hides_the_length(policy: Any, expected: int) -> None:
    connected = pair(client_config(padding=policy)).done()
    connected.client.send_data(b"twelve bytes")
    record = connected.client.data_to_send()
    assert len(record) - 5 - 17 == expected
    connected.deliver(Side.SERVER, record)
    assert connected.received(Side.SERVER) == b"twelve bytes"


def test_content_that_ends_in_zeros_keeps_them() -> None:
    connected = pair(client_config(padding=lambda _: 3)).done()
    connected.client.send_data(bytes(10))
    connected.run()
    assert connected.received(Side.SERVER) == bytes(10)


# --- record_size_limit (RFC 8449) -------------------------------------------------------------------


@pytest.mark.parametrize(("client", "server"), [(64, 16385), (16385, 64), (100, 200), (64, 64)])
def test_both_sides_keep_to_what_the_other_takes(client: int, server: int) -> None:
    connected = pair(client_config(record_size_limit=client), server_config(record_size_limit=server)).done()
    assert connected.client.agreed.peer_record_size_limit == server
    assert connected.server.agreed.peer_record_size_limit == client
    connected.client.send_data(bytes(1000))
    connected.server.send_data(bytes(1000))
    connected.run()
    assert connected.errors == {}
    for side, limit in ((Side.CLIENT, server), (Side.SERVER, client)):
        assert connected.received(side.peer) == bytes(1000)
        lengths = [len(body) - 16 for header, body in records(b"".join(connected.wire[side])) if header[0] == 23]
        assert max(lengths) <= limit  # content, type and padding


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)])
def test_our_own_limit_holds_though_the_peer_takes_more(versions: tuple[int, ...]) -> None:
    both: dict[str, Any] = {"versions": versions, "groups": (0x001D, 0x0017), "record_size_limit": 5000}
    connected = pair(client_config(max_fragment=1000, **both), server_config(**both)).done()
    assert connected.client.agreed.peer_record_size_limit == 5000
    assert connected.client._writer.max_fragment == 1000
    assert connected.server._writer.max_fragment == 5000 - (versions == (0x0304,))
    assert connected.server.decrypt(connected.client.encrypt(bytes(3000))) == bytes(3000)


def test_padding_keeps_to_the_limit_too() -> None:
    connected = pair(client_config(record_size_limit=100), server_config(record_size_limit=16385, padding=lambda _: 90))
    connected.done()
    connected.server.send_data(bytes(50))
    assert len(connected.server.data_to_send()) == 5 + 100 + 16


@pytest.mark.parametrize("side", list(Side))
def test_a_larger_record_than_was_agreed(side: Side) -> None:
    """RFC 8449 section 4: an endpoint that receives a larger record MUST generate record_overflow."""
    limits = {"record_size_limit": 100}
    connected = pair(client_config(**limits), server_config(**limits)).done()
    send_record(connected.side(side), C.APPLICATION_DATA, bytes(99))
    send_record(connected.side(side), C.APPLICATION_DATA, bytes(50), padding=49)
    assert connected.run().errors == {}
    send_record(connected.side(side), C.APPLICATION_DATA, bytes(50), padding=50)
    assert_refused(connected.run(), side.peer, A.RECORD_OVERFLOW)


def test_the_limit_survives_new_keys() -> None:
    connected = pair(client_config(record_size_limit=100), server_config(record_size_limit=100)).done()
    connected.client.update_keys()
    connected.run()
    send_record(connected.client, C.APPLICATION_DATA, bytes(100))
    assert_refused(connected.run(), Side.SERVER, A.RECORD_OVERFLOW)


def test_a_limit_of_one_side_alone_is_none() -> None:
    """If this extension is not negotiated, endpoints can send records of any size."""
    for client, server in ((100, None), (None, 100)):
        connected = pair(client_config(record_size_limit=client), server_config(record_size_limit=server)).done()
        for side in Side:
            connected.side(side).send_data(bytes(MAX_FRAGMENT))
            assert connected.side(side).agreed.peer_record_size_limit is None
        assert connected.run().errors == {}


@pytest.mark.parametrize(
    ("data", "alert"),
    [(b"\0\x3f", A.ILLEGAL_PARAMETER), (b"\0", A.DECODE_ERROR), (b"\0\0\x40", A.DECODE_ERROR), (b"", A.DECODE_ERROR)],
    ids=["63", "short", "long", "empty"],
)
def test_the_form_of_the_limit(data: bytes, alert: AlertDescription) -> None:
    """A value smaller than 64: illegal_parameter."""

    def edit(message: ClientHello | EncryptedExtensions) -> None:
        message.extensions[28] = data

    client = puppet_client(client_config(), change(H.CLIENT_HELLO, edit))
    assert_refused(Pair(client, pair(server=server_config(record_size_limit=64)).server).run(), Side.SERVER, alert)
    server = puppet_server(server_config(), change(H.ENCRYPTED_EXTENSIONS, edit))
    assert_refused(Pair(pair(client_config(record_size_limit=64)).client, server).run(), Side.CLIENT, alert)


def test_a_limit_above_ours_is_no_error() -> None:
    """A server MUST NOT enforce the protocol's own maximum; nobody sends more than that anyway."""

    def edit(message: ClientHello) -> None:
        message.extensions[28] = b"\xff\xff"

    client = puppet_client(client_config(record_size_limit=16385), change(H.CLIENT_HELLO, edit))
    connected = Pair(client, pair(server=server_config(record_size_limit=16385)).server).done()
    connected.server.send_data(bytes(MAX_FRAGMENT + 1))
    assert [len(body) - 17 for _, body in records(connected.server.data_to_send())] == [MAX_FRAGMENT, 1]


@pytest.mark.parametrize("limit", [0, 63, 16386])
def test_what_cannot_be_a_limit(limit: int) -> None:
    with pytest.raises(ConfigurationError):
        client_config(record_size_limit=limit)


# --- feeding ---------------------------------------------------------------------------------------


def test_the_reader_tells_what_waits() -> None:
    sealing, opening = reader()
    first, second = sealing.seal(C.ALERT, b"12"), sealing.seal(C.ALERT, b"34")
    opening.feed(first + second[:7])
    assert opening.buffered == len(first) + 7
    assert opening.next() == (C.ALERT, b"12")
    assert opening.next() is None
    assert opening.buffered == 7
    opening.feed(second[7:])
    assert opening.next() == (C.ALERT, b"34")
    assert opening.buffered == 0


def test_the_writer_hands_out_what_it_has_once() -> None:
    writer = RecordWriter()
    assert writer.data_to_send() == b""
    writer.write(C.HANDSHAKE, b"one")
    writer.write(C.HANDSHAKE, b"")
    assert writer.data_to_send() == plain_record(C.HANDSHAKE, b"one") + plain_record(C.HANDSHAKE, b"")
    assert writer.data_to_send() == b""
    writer.closed = True
    writer.write(C.HANDSHAKE, b"two")
    assert writer.data_to_send() == b""


def test_one_large_message_in_many_tiny_records_takes_linear_time() -> None:
    import time

    connected = pair()
    raw = b"\1\0\xff\xff" + bytes(0xFFFF)
    begun = time.perf_counter()
    connected.deliver(Side.SERVER, b"".join(plain_record(C.HANDSHAKE, raw[i : i + 1]) for i in range(len(raw))))
    assert connected.errors[Side.SERVER].alert is not None
    assert time.perf_counter() - begun < 3


def test_messages_of_one_record_are_all_read() -> None:
    connected = pair().done()
    send_record(connected.client, C.HANDSHAKE, KeyUpdate(0).encode())
    assert connected.run().errors == {}

"""Whatever a peer with the keys may send, and however it arrives: the short way finds what the ordinary one finds."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslock.errors import PeerMisbehaved, TLSError
from glasslock.registry import ContentType, KeyUpdateRequest
from glasslock.tls import Connection, Data
from glasslock.tls.handshake.post_handshake import send_key_update
from glasslock.tls.protection import Protection13
from glasslock.tls.wire.messages import KeyUpdate, NewSessionTicket

from .pair import Pair, client_config, pair, server_config

FULL = 1 << 14
DATA = ContentType.APPLICATION_DATA
TICKET = NewSessionTicket(lifetime=100, age_add=1, nonce=b"n", ticket=b"t" * 40, extensions={}).encode()


class Peer:
    """A client, or a server, that keeps to no rule but has the right keys."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def key(self) -> Protection13:
        key = self._connection._writer.protection
        assert isinstance(key, Protection13)
        return key

    def record(self, kind: int, content: bytes, padding: int = 0, header: bytes = b"") -> bytes:
        """`header`: an outer type and version to be used in place of the usual ones."""
        if not header:
            return self.key.seal(kind, content, padding)
        key, inner = self.key, content + bytes((kind,)) + bytes(padding)
        header += (len(inner) + 16).to_bytes(2)
        sequence = key.sequence
        key.sequence += 1
        return header + key.aead.encrypt((key.iv ^ sequence).to_bytes(12), inner, header)

    def update_keys(self, *, request: bool) -> bytes:
        hs = self._connection._hs
        hs.key_update_awaited = False
        send_key_update(hs, request)
        return self._connection.data_to_send()


def forged(record: bytes) -> bytes:
    return record[:-1] + bytes((record[-1] ^ 1,))


SIZES = st.one_of(st.sampled_from([0, 1, 2, 17, FULL - 1, FULL]), st.integers(1, 300))
ACTIONS = {
    "data": lambda peer, size: peer.record(DATA, bytes(size)),
    "marked data": lambda peer, size: peer.record(DATA, bytes(size), header=b"\x17\x03\x01"),
    "padded data": lambda peer, size: peer.record(DATA, bytes(min(size, 300)), padding=9),
    "padding": lambda peer, size: peer.record(0, b"", padding=min(size, 300)),
    "too long": lambda peer, _: peer.record(DATA, bytes(FULL + 1)),
    "much too long": lambda peer, _: peer.record(DATA, bytes(FULL + 300)),
    "forged": lambda peer, size: forged(peer.record(DATA, bytes(size))),
    "mistyped": lambda peer, size: peer.record(DATA, bytes(size), header=b"\x16\x03\x03"),
    "update": lambda peer, _: peer.update_keys(request=False),
    "update both": lambda peer, _: peer.update_keys(request=True),
    "bad update": lambda peer, _: peer.record(
        ContentType.HANDSHAKE, KeyUpdate(KeyUpdateRequest(0)).encode()[:4] + b"\x07"
    ),
    "ticket": lambda peer, _: peer.record(ContentType.HANDSHAKE, TICKET),
    "begun": lambda peer, size: peer.record(ContentType.HANDSHAKE, TICKET[: 1 + size % len(TICKET)]),
    "warning": lambda peer, _: peer.record(ContentType.ALERT, b"\x01\x5a"),
    "alert": lambda peer, _: peer.record(ContentType.ALERT, b"\x02\x28"),
    "close": lambda peer, _: peer.record(ContentType.ALERT, b"\x01\x00"),
    "change": lambda _, __: b"\x14\x03\x03\x00\x01\x01",
    "inner change": lambda peer, _: peer.record(ContentType.CHANGE_CIPHER_SPEC, b"\x01"),
    "unknown": lambda peer, _: peer.record(77, b"?"),
    "short": lambda _, size: b"\x17\x03\x03" + (size % 17).to_bytes(2) + bytes(size % 17),
    "noise": lambda _, size: bytes([size % 256]) * (size % 40),
}
USUAL = ["data"] * 8 + ["marked data", "padded data", "ticket", "update", "update both", "warning"]
STREAM = st.lists(st.tuples(st.sampled_from(USUAL + sorted(ACTIONS)), SIZES), min_size=1, max_size=12)


@dataclass
class Seen:
    """All that a connection lets one see."""

    data: bytes = b""
    events: list[str] = field(default_factory=list)
    failure: str = ""
    answer: int = 0  # bytes
    counts: tuple[int, ...] = ()


def receive(connection: Connection, chunks: list[bytes], ways: list[str]) -> Seen:
    seen = Seen()
    for number, chunk in enumerate(chunks):
        way = ways[number % len(ways)]
        try:
            if way == "decrypt":
                seen.data += connection.decrypt(chunk)
            elif way == "decrypt_into":
                buffer = bytearray(b"\xff" * (len(chunk) + FULL))
                count = connection.decrypt_into(memoryview(chunk), memoryview(buffer))
                seen.data += buffer[:count]
            else:
                take(seen, connection.receive_data(chunk))
        except TLSError as problem:
            seen.failure = problem.code
        take(seen, connection.take_events())
    if connection.failure is not None:
        seen.failure = connection.failure.code
    elif not connection.peer_closed:
        seen.answer = len(connection.encrypt(b"answer"))
        seen.counts = connection._reader._empty, connection._warnings, connection._hs.key_updates_sent
    seen.answer += len(connection.data_to_send())
    return seen


def take(seen: Seen, events: list[object]) -> None:
    for event in events:
        if isinstance(event, Data):
            seen.data += event.data
        else:
            seen.events.append(type(event).__name__)


def connected(*, small: bool) -> Pair:
    ends = pair(
        client_config(record_size_limit=FULL + 1), server_config(record_size_limit=500 if small else None)
    ).done()
    assert ends.server.decrypt(ends.client.encrypt(b"first")) == b"first"
    assert ends.client.decrypt(ends.server.encrypt(b"first")) == b"first"
    ends.client.take_events(), ends.server.take_events()
    return ends


def play(stream: list[tuple[str, int]], cuts: list[int], ways: list[str], *, to_server: bool, small: bool) -> Seen:
    ends = connected(small=small)
    ours, theirs = (ends.server, ends.client) if to_server else (ends.client, ends.server)
    wire = b"".join(ACTIONS[name](Peer(theirs), size) for name, size in stream)
    places = sorted({cut % (len(wire) + 1) for cut in cuts})
    chunks = [wire[start:end] for start, end in zip([0, *places], [*places, len(wire)], strict=True)]
    return receive(ours, chunks, ways)


WAYS = st.lists(st.sampled_from(["ordinary", "decrypt", "decrypt_into"]), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(STREAM, st.lists(st.integers(0, 1 << 20), max_size=8), WAYS, st.booleans(), st.booleans())
def test_nobody_can_tell_the_ways_apart(
    stream: list[tuple[str, int]], cuts: list[int], ways: list[str], to_server: bool, small: bool
) -> None:
    ordinary = play(stream, [], ["ordinary"], to_server=to_server, small=small)
    assert play(stream, cuts, ways, to_server=to_server, small=small) == ordinary


@given(STREAM, WAYS, st.booleans())
def test_record_by_record_too(stream: list[tuple[str, int]], ways: list[str], to_server: bool) -> None:
    """Where each chunk is a record, the short way is taken most often."""
    ordinary = play(stream, [], ["ordinary"], to_server=to_server, small=False)
    ends = connected(small=False)
    ours, theirs = (ends.server, ends.client) if to_server else (ends.client, ends.server)
    chunks = [ACTIONS[name](Peer(theirs), size) for name, size in stream]
    assert receive(ours, chunks, ways) == ordinary


def test_nothing_opens_the_short_way_but_data() -> None:
    """Else KeyUpdates with data between them would count as a flood of them."""
    ends = connected(small=False)
    for _ in range(100):
        ends.server.decrypt(Peer(ends.client).update_keys(request=False))
        assert ends.server.decrypt_into(memoryview(b""), memoryview(bytearray(FULL))) == 0
        assert ends.server.decrypt(ends.client.encrypt(b"data")) == b"data"


@pytest.mark.parametrize("way", ["ordinary", "decrypt", "decrypt_into"])
def test_warnings_with_data_between_them_are_no_flood(way: str) -> None:
    ends = connected(small=False)
    peer = Peer(ends.client)
    warning = ACTIONS["warning"]
    stream = [record for _ in range(50) for record in (warning(peer, 0), peer.record(DATA, b"data"))]
    assert receive(ends.server, stream, [way]).failure == ""
    assert receive(ends.server, [warning(peer, 0) for _ in range(50)], [way]).failure == "too-many-warnings"


@pytest.mark.parametrize("way", ["decrypt", "decrypt_into"])
def test_nothing_may_come_inside_a_late_proof(way: str) -> None:
    """Certificate, CertificateVerify and Finished of a client that is asked late stand together."""
    ends = pair(client_config(post_handshake_auth=True), server_config()).done()
    ends.server.decrypt(ends.client.encrypt(b"first"))
    ends.server._hs.authenticating = True
    ends.server._reader.short = None  # as the Certificate leaves it
    seen = receive(ends.server, [ends.client.encrypt(b"between")], [way])
    assert (seen.data, seen.failure) == (b"", "interleaved")


def test_no_nonce_is_used_twice() -> None:
    """Whatever fails on the way: a number that has been used is never there again."""
    ends = connected(small=False)
    key = Peer(ends.client).key
    used: list[bytes] = []

    class Aead:
        def __init__(self) -> None:
            self.aead = key.aead

        def encrypt(self, nonce: bytes, data: bytes, header: bytes) -> bytes:
            used.append(nonce)
            if len(used) % 3 == 0:
                raise MemoryError
            return self.aead.encrypt(nonce, data, header)

        def encrypt_into(self, nonce: bytes, data: bytes, header: bytes, buffer: memoryview) -> int:
            used.append(nonce)
            if len(used) % 3 == 0:
                raise MemoryError
            return self.aead.encrypt_into(nonce, data, header, buffer)

    key.aead = Aead()  # type: ignore[assignment]
    for number in range(60):
        try:
            match number % 4:
                case 0:
                    ends.client.encrypt(b"data")
                case 1:
                    ends.client.encrypt_into(memoryview(bytes(3 * FULL)), memoryview(bytearray(4 * FULL)))
                case 2:
                    ends.client.encrypt_into(memoryview(b"data"), memoryview(bytearray(3)))
                case 3:
                    ends.client.send_data(b"data")
        except MemoryError:
            pass
    assert len(used) > 60
    assert len(used) == len(set(used))


def test_a_forged_record_behind_data_leaves_nothing_in_the_buffer() -> None:
    ends = connected(small=False)
    wire = ends.client.encrypt(b"known") + forged(ends.client.encrypt(b"secret"))
    for buffer in (bytearray(b"-" * (len(wire) + FULL)),):
        assert ends.server.decrypt_into(memoryview(wire), memoryview(buffer)) == 5
        assert b"secret" not in buffer
        with pytest.raises(PeerMisbehaved):
            ends.server.decrypt_into(memoryview(b"more"), memoryview(buffer))

"""New keys after the handshake (RFC 9846 sections 4.7.3, 5.5, 7.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glasslock.errors import ConfigurationError, TLSError
from glasslock.registry import AlertDescription, CipherSuite, ContentType, HandshakeType, Side
from glasslock.tls import Connection, Limits
from glasslock.tls.handshake.keys13 import write_application
from glasslock.tls.handshake.post_handshake import MAX_KEY_UPDATES
from glasslock.tls.keys.key_schedule import next_traffic_secret
from glasslock.tls.keys.suites import SUITES_13
from glasslock.tls.wire.messages import KeyUpdate

from .early_world import World
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import before, puppet_client, puppet_server, send_message, send_record

A, H = AlertDescription, HandshakeType


def generation(connection: Connection) -> int:
    """How many KeyUpdates this side has sent."""
    return connection._hs.key_updates_sent


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("suite", list(CipherSuite)[:3])
def test_unrequested(side: Side, suite: int) -> None:
    """The sender's keys change, the peer's stay."""
    connected = pair(server=server_config(cipher_suites=(suite,))).done()
    sender, receiver = connected.side(side), connected.side(side.peer)
    old = sender._hs.write_secret
    sender.update_keys()
    connected.run().talk()
    assert sender._hs.write_secret == next_traffic_secret(SUITES_13[sender.agreed.cipher_suite].hash, old)
    assert receiver._hs.read_secret == sender._hs.write_secret
    assert (generation(sender), generation(receiver)) == (1, 0)


@pytest.mark.parametrize("side", list(Side))
def test_requested(side: Side) -> None:
    """The receiver MUST send a KeyUpdate of its own prior to its next Application Data record."""
    connected = pair().done()
    sender, receiver = connected.side(side), connected.side(side.peer)
    sender.update_keys(request_peer=True)
    connected.run()
    assert generation(receiver) == 0  # an implementation that is silent need not answer yet
    connected.talk()
    assert (generation(sender), generation(receiver)) == (1, 1)
    connected.talk()
    assert (generation(sender), generation(receiver)) == (1, 1)


def test_several_requests_while_silent_get_one_answer() -> None:
    connected = pair().done()
    for _ in range(5):
        send_message(connected.client, KeyUpdate(1).encode())
        hs = connected.client._hs
        hs.write_secret = next_traffic_secret(SUITES_13[hs.agreed.cipher_suite].hash, hs.write_secret)
        write_application(hs, hs.write_secret)
    connected.run()
    connected.talk()
    assert generation(connected.server) == 1


def test_crossing_requests() -> None:
    """If requests cross in flight, each side increments by two generations."""
    connected = pair().done()
    connected.client.update_keys(request_peer=True)
    connected.server.update_keys(request_peer=True)
    connected.run().talk()
    assert (generation(connected.client), generation(connected.server)) == (2, 2)


def test_a_request_is_not_repeated_before_the_answer() -> None:
    """Until receiving a KeyUpdate from the peer, the sender MUST NOT request another one."""
    connected = pair().done()
    sent = []
    for _ in range(3):
        connected.client.update_keys(request_peer=True)
        sent.append(connected.client.data_to_send())
    for record in sent:
        connected.deliver(Side.SERVER, record)
    assert connected.errors == {}
    connected.talk()
    assert (generation(connected.client), generation(connected.server)) == (3, 1)
    connected.client.update_keys(request_peer=True)
    connected.run().talk()
    assert (generation(connected.client), generation(connected.server)) == (4, 2)


def test_keys_change_before_they_are_used_up() -> None:
    """Section 5.5: implementations MUST do a key update prior to reaching the limit."""
    for side in Side:
        connected = pair().done()
        sender = connected.side(side)
        protection = sender._writer.protection
        assert protection is not None
        protection.record_limit = protection.sequence + 3
        for number in range(3):
            sender.send_data(b"%d" % number)
            assert generation(sender) == 0
        sender.send_data(b"3")
        assert generation(sender) == 1
        assert sender._writer.protection is not protection
        connected.run().talk()
        assert connected.received(side.peer).startswith(b"0123")


def test_one_large_write_counts_its_records() -> None:
    connected = pair().done()
    protection = connected.client._writer.protection
    assert protection is not None
    protection.record_limit = protection.sequence + 3
    connected.client.send_data(bytes(1 << 14) * 3)
    assert generation(connected.client) == 1
    connected.run()
    assert connected.received(Side.SERVER) == bytes(1 << 14) * 3


@pytest.mark.parametrize(("suite", "limit"), [(0x1301, 2**24.5), (0x1302, 2**24.5), (0x1303, 2**64)])
def test_the_limits_of_section_5_5(suite: int, limit: float) -> None:
    """2^24.5 full-size records for AES-GCM; for ChaCha20-Poly1305 the sequence number ends first."""
    assert limit - 1 <= SUITES_13[suite].record_limit + 1 <= limit + 1


def test_early_data_stops_where_a_key_would_be_used_up() -> None:
    """Section 5.5: for early data there is no KeyUpdate; implementations MUST NOT exceed the limits."""
    connected = World().again()
    protection = connected.client._writer.protection
    assert protection is not None
    protection.record_limit = 1
    assert connected.client.send_early_data(b"one") == 3
    assert connected.client.send_early_data(b"two") == 0
    connected.done().talk()


def test_the_sequence_number_never_wraps() -> None:
    """Section 5.3: rekey or terminate the connection."""
    suite = replace(SUITES_13[0x1303], record_limit=1 << 65)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SUITES_13, 0x1303, suite)
        connected = pair(server=server_config(cipher_suites=(0x1303,))).done()
    protection = connected.client._writer.protection
    assert protection is not None
    protection.sequence = (1 << 64) - 2
    connected.client.send_data(b"the last one")
    with pytest.raises(TLSError) as caught:
        connected.client.send_data(b"one too many")
    assert caught.value.code == "sequence-exhausted"
    assert connected.client.failure is caught.value
    assert b"one too many" not in connected.client.data_to_send()


def test_the_number_of_updates_is_limited() -> None:
    """Section 4.7.3: the number of key updates MUST NOT exceed 2^48-1."""
    assert MAX_KEY_UPDATES == 2**48 - 1
    connected = pair().done()
    connected.client._hs.key_updates_sent = MAX_KEY_UPDATES - 1
    connected.client.update_keys()
    connected.run().talk()
    # A request of the peer is ignored ...
    connected.server.update_keys(request_peer=True)
    connected.run().talk()
    assert generation(connected.client) == MAX_KEY_UPDATES
    # ... and where new keys cannot be done without, the connection ends.
    protection = connected.client._writer.protection
    assert protection is not None
    protection.record_limit = protection.sequence
    with pytest.raises(TLSError) as caught:
        connected.client.send_data(b"x")
    assert caught.value.code == "key-updates-exhausted"
    connected.run()
    assert_refused(connected_with_error(connected, Side.CLIENT), Side.CLIENT, A.INTERNAL_ERROR)


def test_no_update_beyond_the_last() -> None:
    connected = pair().done()
    connected.server._hs.key_updates_sent = MAX_KEY_UPDATES
    with pytest.raises(TLSError, match="as many keys") as caught:
        connected.server.update_keys()
    assert connected.server.failure is caught.value
    connected.run()
    assert_refused(connected_with_error(connected, Side.SERVER), Side.SERVER, A.INTERNAL_ERROR, "key-updates-exhausted")


def connected_with_error(connected: Pair, side: Side) -> Pair:
    failure = connected.side(side).failure
    assert failure is not None
    connected.errors[side] = failure
    return connected


def test_receivers_do_not_enforce_the_senders_limits() -> None:
    """Sections 4.7.3 and 5.5: receiving implementations MUST NOT (SHOULD NOT) enforce them."""
    connected = pair().done()
    reading = connected.server._reader.protection
    assert reading is not None
    reading.record_limit = 1
    for _ in range(5):
        connected.client.send_data(b"x")
    connected.run().talk()


@pytest.mark.parametrize("value", [2, 255])
def test_other_values_are_illegal(value: int) -> None:
    connected = pair().done()
    send_message(connected.client, KeyUpdate(value).encode())
    assert_refused(connected.run(), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-update")


@pytest.mark.parametrize("raw", [b"\x18\0\0\0", b"\x18\0\0\2\0\0"])
def test_the_length_is_one(raw: bytes) -> None:
    connected = pair().done()
    send_message(connected.server, raw)
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize("kind", [H.CERTIFICATE_VERIFY, H.FINISHED])
def test_before_finished_it_is_unexpected(kind: HandshakeType) -> None:
    """Section 4.7.3: a KeyUpdate received prior to Finished: unexpected_message."""
    update = KeyUpdate(0).encode()
    connected = Pair(pair().client, puppet_server(server_config(), before(kind, update)))
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE)
    connected = Pair(puppet_client(client_config(), before(H.FINISHED, update)), pair().server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE)


def test_it_must_end_a_record() -> None:
    """Section 5.1: messages before a key change align with a record boundary."""
    connected = pair().done()
    send_message(connected.client, KeyUpdate(0).encode(), KeyUpdate(0).encode())
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "excess-handshake-data")


def test_data_under_the_old_keys_after_it() -> None:
    """Section 4.7.3: after sending a KeyUpdate, all traffic is under the next keys."""
    connected = pair().done()
    send_message(connected.client, KeyUpdate(0).encode())
    send_record(connected.client, ContentType.APPLICATION_DATA, b"old")
    assert_refused(connected.run(), Side.SERVER, A.BAD_RECORD_MAC, told=True)


def test_data_under_new_keys_without_it() -> None:
    """Section 4.7.3: a KeyUpdate with the old key MUST be received before messages under the new one."""
    connected = pair().done()
    connected.client.update_keys()
    connected.client.data_to_send()  # an attacker takes it away
    connected.client.send_data(b"new")
    assert_refused(connected.run(), Side.SERVER, A.BAD_RECORD_MAC, told=True)


@pytest.mark.parametrize("with_empty_records", [False, True])
def test_updates_without_data_have_a_limit(with_empty_records: bool) -> None:
    limits = Limits(key_updates=4)
    connected = pair(client_config(limits=limits), server_config(limits=limits)).done()
    for side in Side:
        sender = connected.side(side)
        for _ in range(3):
            for _ in range(4):
                sender.update_keys()
                if with_empty_records:
                    send_record(sender, ContentType.APPLICATION_DATA, b"")
            sender.send_data(b"data, so that the updates have a purpose")
        assert connected.run().errors == {}
    for _ in range(5):
        connected.client.update_keys()
        if with_empty_records:
            send_record(connected.client, ContentType.APPLICATION_DATA, b"")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-many-key-updates")


def test_keys_change_only_while_there_is_a_connection() -> None:
    connected = pair()
    with pytest.raises(ConfigurationError):
        connected.client.update_keys()
    connected.done()
    connected.client.close()
    with pytest.raises(ConfigurationError):
        connected.client.update_keys()
    connected.server.abort(TLSError(A.GENERAL_ERROR, "policy", "not wanted"))
    with pytest.raises(TLSError, match="not wanted"):
        connected.server.update_keys()

"""Attacks on the protection of records: oracles, repeated nonces, replay, truncation, injection.

Those of TLS 1.3 are for the most part in tests/tls/test_record.py and its neighbours; here are those of TLS 1.2.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from glasslock.errors import TLSError
from glasslock.registry import AlertDescription, CipherSuite, ContentType, Side
from glasslock.tls.config import DEFAULT_SUITES_12
from glasslock.tls.keys.suites import SUITES_12
from glasslock.tls.wire.messages import ClientHello

from ..tls.pair import Pair, assert_refused, client_config, pair, server_config
from ..tls.puppet import plain_record, send_plain
from .middle import BOTH, TLS_1_2, TLS_1_3, Record, records

A = AlertDescription
GCM = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
CHACHA = CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256


def connected(suite: int = GCM, version: int = TLS_1_2) -> Pair:
    suites = (suite,) if version == TLS_1_2 else (CipherSuite.TLS_AES_128_GCM_SHA256,)
    settings = {"versions": (version,), "cipher_suites": suites}
    return pair(client_config(**settings), server_config(**settings, ticket_keys=None)).done()


def sent(connection: Pair, sender: Side, *texts: bytes) -> list[Record]:
    """Records of application data, on their way and not yet arrived."""
    for text in texts:
        connection.side(sender).send_data(text)
    return records(connection.side(sender).data_to_send())


# --- oracles --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("suite", [GCM, CHACHA])
def test_a_changed_record_tells_nothing_but_that_it_was_changed(version: int, suite: int) -> None:
    """What every padding oracle needs is a difference: between the places, between the kinds of change."""
    seen = set()
    whole = sent(connected(suite, version), Side.CLIENT, b"cookie=secret")[0].raw
    for position in range(5, len(whole)):
        for bits in (1, 0x80, 0xFF):
            attacked = connected(suite, version)
            raw = bytearray(sent(attacked, Side.CLIENT, b"cookie=secret")[0].raw)
            raw[position] ^= bits
            attacked.deliver(Side.SERVER, bytes(raw))
            error = attacked.errors[Side.SERVER]
            seen.add((error.alert, error.code, error.message, error.rule, len(attacked.server.data_to_send())))
    ((alert, code, _, _, length),) = seen
    assert (alert, code) == (A.BAD_RECORD_MAC, "bad-record-mac")
    assert length > 5


@pytest.mark.parametrize("length", [0, 1, 15, 16, 23, 24])
def test_a_record_too_short_for_a_tag_is_no_other_error(length: int) -> None:
    """A body that cannot even hold nonce and tag."""
    attacked = connected()
    send_plain(attacked.client, ContentType.APPLICATION_DATA, bytes(length))
    assert_refused(attacked.run(), Side.SERVER, A.BAD_RECORD_MAC, "bad-record-mac")


# --- nonces and keys ------------------------------------------------------------------------------------------------


def test_explicit_nonces_never_repeat_under_one_key() -> None:
    """Nonce-disrespecting adversaries (2016): servers whose nonces were random, or zero twice."""
    connection = connected()
    for sender in Side:
        found = sent(connection, sender, *[b"%d" % number for number in range(300)])
        nonces = [int.from_bytes(one.body[:8], "big") for one in found]
        assert all(after == before + 1 for before, after in pairwise(nonces))  # counted, so distinct
    keys = [connection.side(side)._writer.protection for side in Side]
    plain = [key.seal(23, b"the same") for key in keys if key is not None]
    assert plain[0][-24:] != plain[1][-24:]


def test_no_two_connections_have_a_key_in_common() -> None:
    """Nor the two directions of one: the same text looks different each time."""
    seen = set()
    for suite in (GCM, CHACHA):
        for _ in range(3):
            connection = connected(suite)
            seen |= {sent(connection, sender, b"the same text")[0].body[-29:] for sender in Side}
    assert len(seen) == 12


def test_a_tls_1_2_connection_ends_before_its_key_is_used_up() -> None:
    """TLS 1.2 has no KeyUpdate, and AES-GCM protects 2^24.5 records (RFC 9846 section 5.5)."""
    connection = connected()
    protection = connection.client._writer.protection
    assert protection is not None
    assert protection.record_limit == SUITES_12[GCM].record_limit < 2**24.5
    protection.record_limit = protection.sequence + 2
    connection.client.send_data(b"one")
    connection.client.send_data(b"two")
    with pytest.raises(TLSError, match="open a new connection") as caught:
        connection.client.send_data(b"three")
    assert caught.value.code == "key-used-up"
    connection.run()
    assert connection.received(Side.SERVER) == b"onetwo"


def test_every_tag_has_sixteen_bytes() -> None:
    """Paterson, Ristenpart and Shrimpton 2011: short MACs give away lengths. truncated_hmac is never offered."""
    for suite in DEFAULT_SUITES_12:
        if CipherSuite(suite).name.startswith("TLS_ECDHE_ECDSA"):
            explicit = SUITES_12[suite].explicit_nonce_length
            (record,) = sent(connected(suite), Side.CLIENT, b"x" * 10)
            assert len(record.body) == explicit + 10 + 16
    hello = ClientHello.parse(pair(client_config(versions=BOTH)).client.data_to_send()[5:])
    assert 4 not in hello.extensions


# --- the stream -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [GCM, CHACHA])
@pytest.mark.parametrize("order", [(1, 0), (0, 0), (1,), (0, 2)], ids=["swapped", "repeated", "first lost", "one lost"])
def test_records_of_tls_1_2_arrive_in_order_once_and_all(suite: int, order: tuple[int, ...]) -> None:
    attacked = connected(suite)
    found = sent(attacked, Side.CLIENT, b"pay 1 ", b"pay 2 ", b"pay 3 ")
    attacked.deliver(Side.SERVER, b"".join(found[number].raw for number in order))
    assert_refused(attacked, Side.SERVER, A.BAD_RECORD_MAC, told=False)
    assert b"pay 1 pay 1" not in attacked.received(Side.SERVER)


@pytest.mark.parametrize("suite", [GCM, CHACHA])
def test_a_record_comes_back_to_its_sender_as_nothing(suite: int) -> None:
    attacked = connected(suite)
    (record,) = sent(attacked, Side.CLIENT, b"mirror")
    attacked.deliver(Side.CLIENT, record.raw)
    assert_refused(attacked, Side.CLIENT, A.BAD_RECORD_MAC, told=False)


@pytest.mark.parametrize("suite", [GCM, CHACHA])
def test_a_record_of_one_connection_is_nothing_in_another(suite: int) -> None:
    (record,) = sent(connected(suite), Side.CLIENT, b"from elsewhere")
    attacked = connected(suite)
    attacked.deliver(Side.SERVER, record.raw)
    assert_refused(attacked, Side.SERVER, A.BAD_RECORD_MAC, told=False)


@pytest.mark.parametrize("version", BOTH)
def test_the_end_cannot_be_forged_or_hidden(version: int) -> None:
    """Truncation, cookie cutter (2014): close_notify is protected as data is; without it the end is an error."""
    attacked = connected(version=version)
    sent(attacked, Side.SERVER, b"Set-Cookie: id=1; secu")
    attacked.deliver(Side.CLIENT, plain_record(ContentType.ALERT, b"\1\0"))
    assert Side.CLIENT in attacked.errors
    attacked = connected(version=version)
    attacked.server.close()
    with pytest.raises(TLSError) as caught:  # the attacker swallows close_notify and ends TCP
        attacked.client.receive_eof()
    assert caught.value.code == "truncated"


@pytest.mark.parametrize("content_type", list(ContentType))
@pytest.mark.parametrize("version", BOTH)
def test_nothing_in_the_clear_counts_once_there_are_keys(version: int, content_type: ContentType) -> None:
    """Injected into the middle of the stream, whatever it claims to be."""
    for receiver in Side:
        attacked = connected(version=version)
        attacked.deliver(receiver, plain_record(content_type, b"\1" if content_type == 20 else b"\2\0"))
        assert attacked.errors[receiver].alert in (A.BAD_RECORD_MAC, A.UNEXPECTED_MESSAGE)
        assert attacked.received(receiver) == b""


@pytest.mark.parametrize("version", [TLS_1_2, TLS_1_3])
def test_bytes_before_the_handshake_do_not_become_data(version: int) -> None:
    """STARTTLS injection (2011), Opossum (2025): nothing from before TLS is read after it began."""
    settings = {"versions": (version,)}
    for receiver in Side:
        for early in (b"RCPT TO:<victim>\r\n", plain_record(23, b"GET / HTTP/1.1\r\n")):
            attacked = pair(client_config(**settings), server_config(**settings))
            attacked.deliver(receiver, early)
            assert_refused(attacked, receiver, A.UNEXPECTED_MESSAGE, told=False)


def test_lengths_are_seen_and_padding_hides_them() -> None:
    """Traffic analysis, Bicycle (2015): without padding the record tells the length; that is what padding is for."""
    plain = connected(version=TLS_1_3)
    assert {len(sent(plain, Side.CLIENT, b"x" * length)[0].body) for length in range(1, 100)} == set(range(18, 117))
    settings = {"padding": lambda length: -length % 128}
    hidden = pair(client_config(**settings), server_config()).done()
    assert len({len(sent(hidden, Side.CLIENT, b"x" * length)[0].body) for length in range(1, 129)}) == 1

"""How connections end: in order, half, cut, or with an alert (RFC 9846 section 6)."""

from __future__ import annotations

import pytest

from glasslock.errors import ConfigurationError, ConnectionTruncated, PeerAlert, TLSError
from glasslock.registry import AlertDescription, AlertLevel, ContentType, Side
from glasslock.tls import Data, Limits, PeerClosed

from .asking import asked_late, willing
from .pair import assert_refused, client_config, pair, server_config
from .puppet import plain_record, send_plain, send_record

A = AlertDescription


# --- close_notify (section 6.1) --------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
def test_close_notify_ends_one_direction(side: Side) -> None:
    """It has no effect on the read side: the other one may go on."""
    connected = pair().done()
    closing, other = connected.side(side), connected.side(side.peer)
    closing.send_data(b"the last words")
    closing.close()
    connected.run()
    assert connected.events[side.peer][-2:] == [Data(b"the last words"), PeerClosed()]
    assert other.peer_closed
    assert not closing.peer_closed
    with pytest.raises(ConfigurationError):
        closing.send_data(b"more")
    other.send_data(b"I am not done")
    other.send_data(b" yet")
    connected.run()
    assert connected.received(side) == b"I am not done yet"
    other.close()
    connected.run()
    assert closing.peer_closed
    assert connected.errors == {}
    for connection in (closing, other):
        connection.receive_eof()
        assert connection.failure is None


def test_close_notify_is_a_warning() -> None:
    """Section 6.1: it MUST be sent with AlertLevel=warning."""
    connected = pair().done()
    connected.client.close()
    record = connected.client.data_to_send()
    reading = connected.server._reader.protection
    assert reading is not None
    assert reading.open(record[:5], record[5:]) == (ContentType.ALERT, bytes((AlertLevel.WARNING, A.CLOSE_NOTIFY)))


def test_closing_twice_says_it_once() -> None:
    connected = pair().done()
    connected.client.close()
    assert connected.client.data_to_send()
    connected.client.close()
    assert connected.client.data_to_send() == b""


def test_data_after_close_notify_is_ignored() -> None:
    """Section 6.1: any data received after a closure alert MUST be ignored."""
    connected = pair().done()
    send_record(connected.client, ContentType.ALERT, bytes((1, 0)))
    send_record(connected.client, ContentType.APPLICATION_DATA, b"after the end")
    send_record(connected.client, 99, b"nonsense")
    connected.run()
    assert connected.errors == {}
    assert connected.received(Side.SERVER) == b""
    assert connected.server.receive_data(b"garbage") == []


def test_after_close_notify_nothing_goes_out() -> None:
    """Section 6.1: the sender will not send any more messages; not even an alert."""
    connected = pair().done()
    connected.client.close()
    connected.run()
    send_record(connected.server, 99, b"nonsense")
    connected.run()
    assert connected.errors[Side.CLIENT].alert == A.UNEXPECTED_MESSAGE
    assert connected.client.data_to_send() == b""
    assert Side.SERVER not in connected.errors


def test_a_late_question_after_close_is_not_answered() -> None:
    connected = asked_late(willing())
    connected.client.close()
    connected.run()
    assert connected.server.peer_closed
    assert connected.errors == {}
    connected.server.send_data(b"still there?")
    connected.run()
    assert connected.received(Side.CLIENT) == b"still there?"


# --- truncation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
def test_an_end_without_close_notify_is_an_error(side: Side) -> None:
    """Section 6.1: the receiver cannot know that all the data that was sent has been received."""
    connected = pair().done().talk()
    with pytest.raises(ConnectionTruncated, match="data may be missing"):
        connected.side(side).receive_eof()
    with pytest.raises(ConnectionTruncated):
        connected.side(side).send_data(b"x")
    with pytest.raises(ConnectionTruncated):
        connected.side(side).receive_data(b"x")
    connected.side(side).receive_eof()  # said once


@pytest.mark.parametrize("side", list(Side))
def test_an_end_in_mid_handshake(side: Side) -> None:
    connected = pair()
    connected.carry(Side.CLIENT)
    with pytest.raises(ConnectionTruncated, match="in the middle of the handshake"):
        connected.side(side).receive_eof()
    assert connected.side(side).failure is not None


def test_an_end_inside_a_record() -> None:
    connected = pair().done()
    connected.client.send_data(b"cut me")
    connected.server.receive_data(connected.client.data_to_send()[:-1])
    assert connected.server.buffered > 0
    with pytest.raises(ConnectionTruncated):
        connected.server.receive_eof()


# --- giving up -------------------------------------------------------------------------------------


def test_a_client_that_gives_up_in_the_handshake() -> None:
    """Section 6.1: user_canceled, followed by close_notify."""
    connected = pair()
    connected.carry(Side.CLIENT)
    connected.client.close()
    connected.run()
    heard = connected.errors[Side.SERVER]
    assert (heard.alert, heard.code) == (None, "closed-in-handshake")
    assert connected.server.peer_closed
    assert Side.CLIENT not in connected.errors
    assert not connected.client.handshake_done
    assert connected.client.receive_data(b"whatever") == []
    connected.client.receive_eof()


def test_a_server_that_gives_up_in_the_handshake() -> None:
    """It has said everything already, so for the client the handshake is complete, and the end in order."""
    connected = pair()
    connected.carry(Side.CLIENT)
    connected.server.close()
    connected.run()
    assert connected.errors == {}
    assert connected.client.handshake_done
    assert connected.client.peer_closed
    assert not connected.server.handshake_done
    connected.server.receive_eof()


def test_the_end_is_told_once() -> None:
    story: list[object] = []
    connected = pair(client_config(observer=story.append))
    connected.server.close()
    connected.run()
    assert connected.errors[Side.CLIENT].code == "closed-in-handshake"
    assert [type(record).__name__ for record in story].count("ConnectionClosed") == 1
    assert type(story[-1]).__name__ == "ConnectionClosed"


def test_closing_before_anything_was_said() -> None:
    connected = pair()
    connected.server.close()
    connected.run()
    assert connected.errors[Side.CLIENT].code == "closed-in-handshake"
    connected = pair()
    connected.client.close()
    connected.run()
    assert connected.errors[Side.SERVER].code == "closed-in-handshake"


@pytest.mark.parametrize("side", list(Side))
def test_ending_with_an_error_of_ones_own(side: Side) -> None:
    connected = pair().done()
    policy = TLSError(A.ACCESS_DENIED, "policy", "not on Sundays")
    connected.side(side).abort(policy)
    connected.run()
    assert connected.side(side).failure is policy
    heard = connected.errors[side.peer]
    assert isinstance(heard, PeerAlert)
    assert heard.description == A.ACCESS_DENIED
    connected.side(side).abort(TLSError(A.GENERAL_ERROR, "other", "again"))
    assert connected.side(side).failure is policy
    assert connected.side(side).data_to_send() == b""
    for call in (lambda: connected.side(side).send_data(b"x"), lambda: connected.side(side).receive_data(b"x")):
        with pytest.raises(TLSError, match="Sundays"):
            call()


# --- error alerts (section 6.2) --------------------------------------------------------------------


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("description", [d for d in A if d not in (A.CLOSE_NOTIFY, A.USER_CANCELED)] + [7, 255])
@pytest.mark.parametrize("side", list(Side))
def test_error_alerts_are_fatal_whatever_their_level(side: Side, description: int, level: int) -> None:
    """Section 6: they MUST be treated as error alerts regardless of the level; unknown ones too."""
    connected = pair().done()
    send_record(connected.side(side), ContentType.ALERT, bytes((level, description)))
    connected.run()
    error = connected.errors[side.peer]
    assert isinstance(error, PeerAlert)
    assert error.description == description
    assert connected.side(side.peer).data_to_send() == b""  # no alert in answer to an alert
    with pytest.raises(PeerAlert):
        connected.side(side.peer).send_data(b"x")


@pytest.mark.parametrize("side", list(Side))
def test_alerts_before_keys_are_agreed(side: Side) -> None:
    connected = pair()
    connected.carry(Side.CLIENT)
    connected.deliver(side, plain_record(ContentType.ALERT, bytes((2, A.HANDSHAKE_FAILURE))))
    error = connected.errors[side]
    assert isinstance(error, PeerAlert)
    assert error.description == A.HANDSHAKE_FAILURE


def test_a_client_that_cannot_follow_may_say_so_in_the_clear() -> None:
    """Appendix A.1: clients may send alerts that derive from post-ServerHello messages in the clear."""
    connected = pair()
    connected.carry(Side.CLIENT)
    send_plain(connected.client, ContentType.ALERT, bytes((2, A.DECODE_ERROR)))
    connected.carry(Side.CLIENT)
    assert isinstance(connected.errors[Side.SERVER], PeerAlert)


@pytest.mark.parametrize("side", list(Side))
def test_alerts_in_the_clear_once_keys_are_in_use(side: Side) -> None:
    connected = pair().done()
    connected.deliver(side, plain_record(ContentType.ALERT, bytes((2, A.DECODE_ERROR))))
    assert_refused(connected.run(), side, A.UNEXPECTED_MESSAGE, "plaintext-record")


def test_alerts_in_the_clear_after_the_clients_first_protected_record() -> None:
    connected = pair(client_config(credentials=()), server_config())
    connected.carry(Side.CLIENT)
    connected.carry(Side.SERVER)
    flight = connected.client.data_to_send()
    connected.deliver(Side.SERVER, flight)
    assert connected.server.handshake_done
    connected.deliver(Side.SERVER, plain_record(ContentType.ALERT, bytes((2, A.DECODE_ERROR))))
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "plaintext-record")


@pytest.mark.parametrize("body", [b"\2", b"\2\x28\2\x28", b"\2\x28\0"])
def test_a_record_holds_exactly_one_alert(body: bytes) -> None:
    """Section 5.1: alerts MUST NOT be fragmented across records, nor coalesced into one."""
    connected = pair().done()
    send_record(connected.client, ContentType.ALERT, body)
    assert_refused(connected.run(), Side.SERVER, A.DECODE_ERROR, "bad-alert")


@pytest.mark.parametrize("level", [0, 3, 255])
def test_an_alert_of_another_level(level: int) -> None:
    connected = pair().done()
    send_record(connected.client, ContentType.ALERT, bytes((level, A.USER_CANCELED)))
    assert_refused(connected.run(), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-alert-level")


def test_an_empty_alert() -> None:
    """Section 5.4: Alert records of zero length: unexpected_message."""
    connected = pair().done()
    send_record(connected.client, ContentType.ALERT, b"", padding=3)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "empty-fragment")


@pytest.mark.parametrize("with_empty_records", [False, True])
def test_user_canceled_is_passed_over_a_few_times(with_empty_records: bool) -> None:
    """Section 6.1: receiving implementations SHOULD continue to read until close_notify."""
    connected = pair(server=server_config(limits=Limits(warning_alerts=3))).done()
    for _ in range(3):
        for _ in range(3):
            send_record(connected.client, ContentType.ALERT, bytes((1, A.USER_CANCELED)))
            if with_empty_records:
                send_record(connected.client, ContentType.APPLICATION_DATA, b"")
        connected.client.send_data(b"data, so it goes on")
    assert connected.run().errors == {}
    for _ in range(4):
        send_record(connected.client, ContentType.ALERT, bytes((2, A.USER_CANCELED)))
        if with_empty_records:
            send_record(connected.client, ContentType.APPLICATION_DATA, b"")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-many-warnings")


def test_what_arrived_before_an_error_is_not_lost() -> None:
    connected = pair().done()
    connected.client.send_data(b"good")
    send_record(connected.client, 99, b"bad")
    data = connected.client.data_to_send()
    with pytest.raises(TLSError):
        connected.server.receive_data(data)
    assert Data(b"good") in connected.server.take_events()
    assert connected.server.take_events() == []


@pytest.mark.parametrize("side", list(Side))
def test_a_failed_connection_forgets_its_secrets(side: Side) -> None:
    """Section 6: servers and clients MUST forget the secret values and keys established in failed connections."""
    connected = pair().done().talk()
    assert connected.side(side).export_keying_material("label", 32)
    send_record(connected.side(side.peer), 99, b"nonsense")
    connected.run()
    for one in Side:
        connection = connected.side(one)
        assert connection.failure is not None
        with pytest.raises(ConfigurationError, match="nothing to export"):
            connection.export_keying_material("label", 32)
        hs = connection._hs
        assert (hs.read_secret, hs.write_secret, hs.resumption_secret) == (b"", b"", b"")
        assert (connection._reader.protection, connection._writer.protection) == (None, None)
        assert connection._script.gi_frame is None or not connection._script.gi_frame.f_locals


# --- before there is a connection ------------------------------------------------------------------


def test_data_cannot_be_sent_before_the_handshake() -> None:
    connected = pair()
    for connection in (connected.client, connected.server):
        with pytest.raises(ConfigurationError):
            connection.send_data(b"x")
    connected.done()
    connected.client.send_data(b"")
    assert connected.client.data_to_send() == b""

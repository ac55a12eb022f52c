"""Where a flight of TLS 1.2 ends, its record ends too; and what the header of a record has to say."""

from __future__ import annotations

import pytest

from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side
from glasslock.tls.wire.messages import frame

from ..pair import Pair, assert_refused, pair
from ..puppet import Alter, after, plain_record, puppet_client, puppet_server, send_record
from .test_handshakes12 import client12, server12

A = AlertDescription
H = HandshakeType
SOMETHING = frame(H.CLIENT_KEY_EXCHANGE, b"")[:2]  # the beginning of a message


def trailing(kind: HandshakeType) -> Alter:
    return after(kind, SOMETHING)


def test_nothing_follows_the_client_hello() -> None:
    both = pair(client12(), server12())
    hello = both.client.data_to_send()[5:]
    both.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, hello + SOMETHING))
    both.run()
    assert_refused(both, Side.SERVER, A.UNEXPECTED_MESSAGE, "excess-handshake-data")


def test_nothing_follows_server_hello_done() -> None:
    both = Pair(pair(client12()).client, puppet_server(server12(), trailing(H.SERVER_HELLO_DONE))).run()
    assert_refused(both, Side.CLIENT, A.UNEXPECTED_MESSAGE, "excess-handshake-data")


def test_nothing_follows_a_finished() -> None:
    server = Pair(pair(client12()).client, puppet_server(server12(), trailing(H.FINISHED))).run()
    assert_refused(server, Side.CLIENT, A.UNEXPECTED_MESSAGE, "excess-handshake-data")
    client = Pair(puppet_client(client12(), trailing(H.FINISHED)), pair(server=server12()).server).run()
    assert_refused(client, Side.SERVER, A.UNEXPECTED_MESSAGE, "excess-handshake-data")


@pytest.mark.parametrize("version", [b"\x03\x01", b"\x03\xff", b"\x7f\x03"])
def test_the_version_of_a_record_is_the_agreed_one(version: bytes) -> None:
    """RFC 5246 section 6.2.1; before the version is agreed, any will do (appendix E.1)."""
    both = pair(client12(), server12())
    hello = both.client.data_to_send()[5:]
    both.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, hello, version))
    flight = both.server.data_to_send()
    both.deliver(Side.CLIENT, flight)
    keys = both.client.data_to_send()
    both.deliver(Side.SERVER, keys[:1] + version + keys[3:])
    both.run()
    assert_refused(both, Side.SERVER, A.PROTOCOL_VERSION, "record-version")


def test_the_version_of_a_protected_record_too() -> None:
    both = pair(client12(), server12()).done()
    both.client.send_data(b"a question")
    record = both.client.data_to_send()
    both.deliver(Side.SERVER, record[:1] + b"\x03\x04" + record[3:])
    both.run()
    assert_refused(both, Side.SERVER, A.PROTOCOL_VERSION, "record-version")


def test_warnings_between_empty_records_make_them_no_better() -> None:
    """Records without content are counted until there is some."""
    both = pair(client12(), server12()).done()
    for number in range(33):
        send_record(both.server, ContentType.APPLICATION_DATA, b"")
        if number % 10 == 0:
            send_record(both.server, ContentType.ALERT, bytes((1, A.UNRECOGNIZED_NAME)))
    both.run()
    assert_refused(both, Side.CLIENT, A.UNEXPECTED_MESSAGE, "too-many-empty-records")

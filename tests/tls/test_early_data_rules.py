"""What a refusing server passes over, and the rules around early data (RFC 9846 sections 4.3.10, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, ContentType, HandshakeType, NamedGroup, Side
from glasslock.tls import (
    ExternalPsk,
    Limits,
    TicketKeys,
)
from glasslock.tls.protection import HEADER_LENGTH
from glasslock.tls.wire.messages import ClientHello, EncryptedExtensions, EndOfEarlyData, NewSessionTicket

from .early_world import World, assert_not_taken, assert_taken
from .pair import Pair, assert_refused, pair, server_config
from .puppet import before, change, plain_record, puppet_client, puppet_server, send_record
from .puppet import replace as replace_message

A, H = AlertDescription, HandshakeType
TAG = 16


# --- what a refusing server passes over ------------------------------------------------------------


def skipping(world: World, limit: int) -> Pair:
    """A server that refuses and skips at most `limit` bytes, after a ClientHello with early_data."""
    connected = world.again(server=world.server(max_early_data=0, limits=Limits(early_data_skipped=limit)))
    connected.carry(Side.CLIENT)
    return connected


def test_skipping_ends_at_its_limit() -> None:
    connected = skipping(World(), 100)
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(60)))
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    connected.done()
    connected = skipping(World(), 100)
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(60)))
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(41)))
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-much-skipped-early-data")


@pytest.mark.parametrize("length", [0, 1, 16, 17])
def test_skipping_tiny_records_ends_as_well(length: int) -> None:
    connected = skipping(World(), 1000)
    for _ in range(1000 // 17):
        connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(length)))
    assert connected.errors == {}
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(length)))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "too-much-skipped-early-data", told=False)


def test_skipping_ends_with_the_first_record_that_opens() -> None:
    """Section 4.3.10: once a record is deprotected, the server proceeds as with an ordinary handshake."""
    connected = skipping(World(), 1000)
    connected.done()
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


def test_between_two_hellos_only_protected_records_are_skipped() -> None:
    world = World()
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = world.client(groups=groups, key_shares=(NamedGroup.X25519,))
    connected = world.again(client, world.server(groups=(NamedGroup.SECP256R1,)))
    connected.carry(Side.CLIENT)
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    assert connected.errors == {}
    connected.run()
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


def test_nothing_is_skipped_inside_a_message() -> None:
    """Section 5.1: there MUST NOT be any other records between the parts of a message."""
    world = World()
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = world.client(groups=groups, key_shares=(NamedGroup.X25519,))
    connected = world.again(client, world.server(groups=(NamedGroup.SECP256R1,)))
    connected.carry(Side.CLIENT)
    connected.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, b"\1\0"))
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "interleaved", told=False)


def test_without_an_offer_nothing_is_skipped() -> None:
    connected = pair()
    connected.carry(Side.CLIENT)
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, bytes(40)))
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


# --- rules of the messages -------------------------------------------------------------------------


def test_a_record_of_accepted_early_data_that_does_not_open() -> None:
    """Section 4.3.10: bad_record_mac, as for all records."""
    connected = World().again()
    connected.client.send_early_data(b"abc")
    data = bytearray(connected.client.data_to_send())
    data[-1] ^= 1
    connected.deliver(Side.SERVER, bytes(data))
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


def test_end_of_early_data_must_come() -> None:
    """Section 4.6: if the server accepted, the client MUST send EndOfEarlyData."""
    world = World()
    client = puppet_client(world.client(), replace_message(H.END_OF_EARLY_DATA), session=world.session, early_data=True)
    connected = Pair(client, pair(server=world.server()).server)
    # Without it the client's Finished is under keys that the server does not expect yet.
    assert_refused(connected.run(), Side.SERVER, A.BAD_RECORD_MAC)


def test_finished_under_the_early_key() -> None:
    world = World()
    connected = world.again()
    connected.carry(Side.CLIENT)
    send_record(connected.client, ContentType.HANDSHAKE, b"\x14\x00\x00\x20" + bytes(32))
    connected.carry(Side.CLIENT)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "unexpected-message", told=False)


def test_end_of_early_data_must_end_a_record() -> None:
    """Section 5.1: EndOfEarlyData immediately precedes a key change."""
    connected = World().again()
    connected.carry(Side.CLIENT)
    send_record(connected.client, ContentType.HANDSHAKE, EndOfEarlyData().encode() + b"\x14\x00\x00")
    connected.carry(Side.CLIENT)
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "excess-handshake-data", told=False)


def test_end_of_early_data_has_no_body() -> None:
    connected = World().again()
    connected.carry(Side.CLIENT)
    send_record(connected.client, ContentType.HANDSHAKE, b"\x05\x00\x00\x01\x00")
    connected.carry(Side.CLIENT)
    assert_refused(connected, Side.SERVER, A.DECODE_ERROR, told=False)


def test_end_of_early_data_that_was_not_due() -> None:
    """Section 4.6: if the server did not accept, the client MUST NOT send it."""
    world = World()
    extra = before(H.FINISHED, EndOfEarlyData().encode())
    client = puppet_client(world.client(), extra, session=world.session, early_data=True)
    connected = Pair(client, pair(server=world.server(max_early_data=0)).server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "unexpected-message")


def test_early_data_after_its_end() -> None:
    """Section 4.6: the following records are protected under handshake traffic keys."""
    connected = World().again()
    connected.carry(Side.CLIENT)
    send_record(connected.client, ContentType.HANDSHAKE, EndOfEarlyData().encode())
    send_record(connected.client, ContentType.APPLICATION_DATA, b"more")
    connected.carry(Side.CLIENT)
    assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, told=False)


def test_application_data_between_the_end_of_early_data_and_finished() -> None:
    world = World()

    def alter(kind: HandshakeType, raw: bytes) -> Iterable[bytes]:
        if kind is H.FINISHED:
            client._hs.flush()
            send_record(client, ContentType.APPLICATION_DATA, b"under the handshake's key")
        return (raw,)

    client = puppet_client(world.client(), alter, session=world.session, early_data=True)
    connected = Pair(client, pair(server=world.server()).server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "early-application-data")


def test_early_data_in_encrypted_extensions_is_empty() -> None:
    world = World()

    def edit(message: EncryptedExtensions) -> None:
        message.extensions[42] = b"\0"

    server = puppet_server(world.server(), change(H.ENCRYPTED_EXTENSIONS, edit))
    connected = Pair(world.again().client, server)
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR)


def accepted_wrongly(world: World, server: Any, client: Any = None) -> Pair:
    """A server that says to take early data where it must not."""

    def edit(message: EncryptedExtensions) -> None:
        message.extensions[42] = b""

    made = puppet_server(server, change(H.ENCRYPTED_EXTENSIONS, edit))
    connected = Pair(world.again(client).client, made)
    connected.client.send_early_data(b"x")
    return connected.run()


def test_early_data_accepted_under_another_key() -> None:
    """Section 4.3.11: if early_data is supplied, the selected identity MUST be 0, else illegal_parameter."""
    other = ExternalPsk(identity=b"other", key=bytes(32))
    world = World()
    server = world.server(ticket_keys=TicketKeys(), find_external_psk=lambda name: other if name == b"other" else None)
    connected = accepted_wrongly(world, server, world.client(external_psks=(other,)))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "early-data-psk", told=False)
    connected = accepted_wrongly(world, world.server(ticket_keys=TicketKeys()))  # under no key at all
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "early-data-psk", told=False)


def test_early_data_accepted_under_another_suite() -> None:
    world = World()
    connected = accepted_wrongly(world, world.server(cipher_suites=(CipherSuite.TLS_CHACHA20_POLY1305_SHA256,)))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "early-data-suite", told=False)


def test_early_data_accepted_for_another_protocol() -> None:
    world = World(alpn_protocols=("h2", "http/1.1"))
    world.session = world.first_session(alpn_protocols=("h2",))
    client = world.client(alpn_protocols=("h2", "http/1.1"))
    connected = accepted_wrongly(world, world.server(alpn_protocols=("http/1.1",)), client)
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "early-data-alpn", told=False)


def test_early_data_needs_a_key_and_its_suite_on_offer() -> None:
    world = World()
    connected = pair(world.client(), world.server(), early_data=True)
    assert connected.client.early_data_room == 0
    connected.done()
    connected = world.again(world.client(cipher_suites=(CipherSuite.TLS_CHACHA20_POLY1305_SHA256,)))
    assert connected.client.early_data_room == 0
    connected.done()


def test_early_data_accepted_without_an_offer() -> None:
    def edit(message: EncryptedExtensions) -> None:
        message.extensions[42] = b""

    world = World()
    server = puppet_server(world.server(), change(H.ENCRYPTED_EXTENSIONS, edit))
    connected = Pair(pair(world.client(), session=world.session).client, server)
    assert_refused(connected.run(), Side.CLIENT, A.UNSUPPORTED_EXTENSION)


def test_early_data_in_a_ticket_is_four_bytes() -> None:
    def edit(message: NewSessionTicket) -> None:
        message.extensions[42] = b"\0\0\0"

    connected = Pair(pair().client, puppet_server(server_config(), change(H.NEW_SESSION_TICKET, edit)))
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR)


def test_an_external_key_may_carry_early_data_only_with_its_parameters() -> None:
    """Section 4.3.10: for externally provisioned PSKs the associated values are provisioned along with the key."""
    with pytest.raises(ConfigurationError, match="cipher_suite"):
        ExternalPsk(identity=b"us", key=bytes(32), max_early_data=10)
    psk = ExternalPsk(identity=b"us", key=bytes(32), max_early_data=10, cipher_suite=0x1301)
    world = World(find_external_psk=lambda _: psk)
    connected = pair(world.client(external_psks=(psk,)), world.server(), early_data=True)
    assert connected.client.send_early_data(b"x" * 20) == 10
    connected.done()
    assert connected.client.agreed.external_psk == b"us"
    assert_not_taken(connected)  # a key without a ticket's age has no protection against replays here


def test_early_data_records_are_padded_like_others_and_padding_does_not_count() -> None:
    world = World(max_early_data=4)
    connected = world.again(world.client(padding=lambda _: 64))
    connected.client.send_early_data(b"abcd")
    data = connected.client.data_to_send()
    assert data[-(64 + 4 + 1 + TAG + HEADER_LENGTH)] == 0x17
    connected.deliver(Side.SERVER, data)
    assert_taken(connected.done(), b"abcd")


def test_early_data_is_off_unless_it_is_asked_for() -> None:
    """Appendix F.5: implementations MUST NOT enable 0-RTT, either sending or accepting, unless requested."""
    assert server_config().max_early_data == 0
    world = World()
    connected = pair(world.client(), world.server(), session=world.session)
    assert connected.client.early_data_room == 0
    assert 42 not in ClientHello.parse(connected.client.data_to_send()[5:]).extensions


def test_a_replay_with_another_binder_of_a_key_that_is_not_used() -> None:
    """Section 8.2: the storage key MUST be derived from validated sections only."""
    other = ExternalPsk(identity=b"other", key=bytes(32))
    world = World()
    flight = world.again(world.client(external_psks=(other,)))
    hello = flight.client.data_to_send()
    changed = bytearray(hello)
    end = 5 + int.from_bytes(hello[3:5], "big")
    changed[end - 1] ^= 1  # in the binder of the second key
    first, second = pair(server=world.server()), pair(server=world.server())
    first.deliver(Side.SERVER, hello)
    assert first.server.agreed.early_data_accepted
    second.deliver(Side.SERVER, bytes(changed))
    assert second.errors == {}
    assert second.server.agreed.resumed
    assert not second.server.agreed.early_data_accepted


def test_a_server_that_goes_back_to_tls_1_2() -> None:
    """Appendix E.3: a client that attempts 0-RTT MUST fail if it receives a ServerHello with TLS 1.2 or older."""
    world = World()
    client = world.client(versions=(0x0304, 0x0303))
    connected = world.again(client, world.server(versions=(0x0303,)))
    assert_refused(connected.run(), Side.CLIENT, A.PROTOCOL_VERSION, "early-data-version", told=False)

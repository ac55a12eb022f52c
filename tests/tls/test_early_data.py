"""0-RTT data: taken, refused, replayed, too much (RFC 9846 sections 2.3, 4.3.10, 8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, ContentType, HandshakeType, NamedGroup, Side
from glasslock.tls import (
    ClientConfig,
    DangerousAcceptAnyCertificate,
    Data,
    EarlyDataRefused,
    ExternalPsk,
    Limits,
    MemoryReplayGuard,
    ServerConfig,
    Session,
    TicketKeys,
)
from glasslock.tls.record import HEADER_LENGTH
from glasslock.tls.wire.messages import ClientHello, EncryptedExtensions, EndOfEarlyData, NewSessionTicket

from .pair import Clock, Pair, assert_refused, client_config, pair, server_config
from .puppet import before, change, plain_record, puppet_client, puppet_server, send_record
from .puppet import replace as replace_message

A, H = AlertDescription, HandshakeType
TAG = 16


class World:
    """A client and a server with one clock, and a ticket that allows early data."""

    def __init__(self, max_early_data: int = 1000, **settings: Any) -> None:
        self.clock = Clock()
        self.guard = MemoryReplayGuard(clock=self.clock)
        self.settings: dict[str, Any] = {
            "clock": self.clock,
            "ticket_keys": TicketKeys(bytes(32), clock=self.clock),
            "max_early_data": max_early_data,
            "replay_guard": self.guard,
        } | settings
        self.session = self.first_session()

    def client(self, **changes: Any) -> ClientConfig:
        return client_config(**{"clock": self.clock} | changes)

    def server(self, **changes: Any) -> ServerConfig:
        return server_config(**self.settings | changes)

    def first_session(self, **changes: Any) -> Session:
        return pair(self.client(**changes), self.server()).done().tickets()[0]

    def again(self, client: ClientConfig | None = None, server: ServerConfig | None = None) -> Pair:
        """A resumption with early data, not yet run."""
        return pair(client or self.client(), server or self.server(), session=self.session, early_data=True)


def early(connected: Pair) -> bytes:
    return b"".join(e.data for e in connected.events[Side.SERVER] if isinstance(e, Data) and e.early)


def assert_taken(connected: Pair, data: bytes) -> None:
    assert early(connected) == data
    assert connected.client.agreed.early_data_accepted
    assert connected.server.agreed.early_data_accepted
    assert EarlyDataRefused() not in connected.events[Side.CLIENT]
    connected.talk()


def assert_not_taken(connected: Pair) -> None:
    """Refused, and the connection goes on without it."""
    assert early(connected) == b""
    assert not connected.client.agreed.early_data_accepted
    assert not connected.server.agreed.early_data_accepted
    assert connected.events[Side.CLIENT].count(EarlyDataRefused()) == 1
    assert connected.client.early_data_room == 0
    connected.talk()


# --- taken -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", list(CipherSuite)[:3])
@pytest.mark.parametrize("compatibility", [False, True])
def test_early_data_arrives_before_the_handshake_is_done(suite: int, compatibility: bool) -> None:
    world = World(cipher_suites=(suite,))
    connected = world.again(world.client(middlebox_compatibility=compatibility))
    assert connected.client.early_data_room == 1000
    assert connected.client.send_early_data(b"GET /") == 5
    assert connected.client.early_data_room == 995
    connected.carry(Side.CLIENT)
    assert connected.events[Side.SERVER] == [Data(b"GET /", early=True)]
    assert not connected.server.handshake_done
    assert_taken(connected.done(), b"GET /")
    assert connected.client.agreed.resumed


def test_early_data_streams_until_the_server_answers() -> None:
    """RFC 9846 section 4.3.11.3: clients may stream 0-RTT data until they receive the server's Finished."""
    connected = World().again()
    connected.carry(Side.CLIENT)
    connected.client.send_early_data(b"one ")
    connected.carry(Side.CLIENT)
    connected.client.send_early_data(b"two")
    assert_taken(connected.done(), b"one two")
    assert connected.client.send_early_data(b"too late") == 0


def test_no_early_data_at_all_is_taken_too() -> None:
    assert_taken(World().again().done(), b"")


def test_the_client_sends_no_more_than_the_ticket_allows() -> None:
    connected = World(max_early_data=10).again()
    assert connected.client.send_early_data(b"123456") == 6
    assert connected.client.send_early_data(b"7890!!") == 4
    assert connected.client.early_data_room == 0
    assert connected.client.send_early_data(b"!") == 0
    assert_taken(connected.done(), b"1234567890")


def test_the_server_takes_as_much_as_the_ticket_allowed_whatever_it_allows_now() -> None:
    world = World(max_early_data=1000)
    connected = world.again(server=world.server(max_early_data=10))
    connected.client.send_early_data(bytes(1000))
    assert_taken(connected.done(), bytes(1000))


def test_one_byte_more_than_the_ticket_allows() -> None:
    """RFC 9846 section 4.7.1: a server receiving more SHOULD terminate with unexpected_message."""
    world = World(max_early_data=10)
    connected = world.again()
    connected.client._hs.early_data_writable = 11
    connected.client.send_early_data(b"12345678901")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-much-early-data")
    connected = world.again()
    connected.client.send_early_data(b"1234567890")
    connected.client._hs.early_data_writable = 1
    connected.client.send_early_data(b"1")
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "too-much-early-data")
    assert early(connected) == b"1234567890"


def test_early_exporter_and_early_secrets() -> None:
    """RFC 9846 section 7.5: the early exporter is an interface of its own."""
    connected = World().again().done()
    exports = [
        side.export_early_keying_material("label", 40, b"context") for side in (connected.client, connected.server)
    ]
    assert exports[0] == exports[1]
    assert len(exports[0]) == 40
    assert exports[0] != connected.client.export_keying_material("label", 40, b"context")
    with pytest.raises(ConfigurationError):
        pair().done().client.export_early_keying_material("label", 40)


def test_a_server_answers_before_the_clients_finished() -> None:
    """Section 2.3: half a round trip sooner."""
    connected = World().again()
    connected.client.send_early_data(b"a question")
    connected.carry(Side.CLIENT)
    assert not connected.server.handshake_done
    assert connected.server.can_send
    connected.server.send_data(b"an answer")
    connected.carry(Side.SERVER)
    assert connected.received(Side.CLIENT) == b"an answer"
    connected.run()
    assert connected.server.handshake_done


def test_a_server_that_asks_who_the_client_is_waits_for_the_answer() -> None:
    connected = pair(server=server_config(client_verifier=DangerousAcceptAnyCertificate()))
    connected.carry(Side.CLIENT)
    assert not connected.server.can_send
    with pytest.raises(ConfigurationError):
        connected.server.send_data(b"too soon")
    assert connected.done().server.can_send


def test_the_alpn_protocol_must_be_the_tickets() -> None:
    world = World(alpn_protocols=("h2", "http/1.1"))
    world.session = world.first_session(alpn_protocols=("h2",))
    connected = world.again(world.client(alpn_protocols=("h2",)))
    connected.client.send_early_data(b"x")
    assert_taken(connected.done(), b"x")
    other = world.server(alpn_protocols=("http/1.1", "h2"))
    connected = world.again(world.client(alpn_protocols=("h2", "http/1.1")), other)
    connected.client.send_early_data(b"x")
    assert_not_taken(connected.done())
    assert connected.client.agreed.resumed


def test_a_client_offers_none_for_a_protocol_that_it_does_not_speak_any_more() -> None:
    world = World(alpn_protocols=("h2", "http/1.1"))
    world.session = world.first_session(alpn_protocols=("h2",))
    connected = world.again(world.client(alpn_protocols=("http/1.1",)))
    assert connected.client.early_data_room == 0
    assert connected.done().client.agreed.resumed


def test_the_cipher_suite_must_be_the_tickets() -> None:
    """Section 4.3.10: another suite of the same hash resumes, but takes no early data."""
    world = World()
    assert world.session.cipher_suite == CipherSuite.TLS_AES_128_GCM_SHA256
    connected = world.again(server=world.server(cipher_suites=(CipherSuite.TLS_CHACHA20_POLY1305_SHA256,)))
    connected.client.send_early_data(b"x" * 100)
    assert_not_taken(connected.done())
    assert connected.client.agreed.resumed


# --- refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0, 1, 1000])
def test_a_server_that_takes_none_passes_over_it(amount: int) -> None:
    world = World()
    connected = world.again(server=world.server(max_early_data=0))
    connected.client.send_early_data(bytes(amount))
    assert_not_taken(connected.done())
    assert connected.client.agreed.resumed


def test_a_server_that_lost_its_keys_passes_over_it() -> None:
    world = World()
    connected = world.again(server=world.server(ticket_keys=TicketKeys()))
    connected.client.send_early_data(b"x" * 500)
    assert_not_taken(connected.done())
    assert not connected.client.agreed.resumed


def test_a_retry_refuses_early_data() -> None:
    """Sections 4.2.4 and 4.3.10: the second ClientHello has no early_data, what was sent ahead is passed over."""
    world = World()
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = world.client(groups=groups, key_shares=(NamedGroup.X25519,))
    connected = world.again(client, world.server(groups=(NamedGroup.SECP256R1,)))
    connected.client.send_early_data(b"x" * 700)
    connected.carry(Side.CLIENT)
    connected.carry(Side.SERVER)
    assert connected.client.send_early_data(b"more") == 0
    assert_not_taken(connected.done())
    assert connected.client.agreed.resumed
    assert connected.client.agreed.retried


def test_a_ticket_that_allows_none() -> None:
    world = World(max_early_data=0)
    assert world.session.max_early_data == 0
    connected = world.again(server=world.server(max_early_data=100))
    assert connected.client.early_data_room == 0
    assert connected.client.send_early_data(b"x") == 0
    connected.done()
    assert not connected.server.agreed.early_data_accepted


def test_a_ticket_of_a_server_that_allows_more_than_the_ticket() -> None:
    """A client that claims a ticket for early data which allows none."""
    world = World(max_early_data=0)
    world.session = replace(world.session, max_early_data=100)
    connected = world.again(server=world.server(max_early_data=100))
    connected.client.send_early_data(b"x")
    assert_not_taken(connected.done())


# --- replays (section 8) ---------------------------------------------------------------------------


def test_a_replayed_flight_is_taken_once() -> None:
    world = World()
    flight = world.again()
    flight.client.send_early_data(b"pay 100")
    recorded = flight.client.data_to_send()
    first, second, elsewhere = pair(server=world.server()), pair(server=world.server()), pair(server=world.server())
    first.deliver(Side.SERVER, recorded)
    assert early(first) == b"pay 100"
    second.deliver(Side.SERVER, recorded)
    assert early(second) == b""
    assert second.errors == {}
    assert not second.server.agreed.early_data_accepted
    world.clock.now += 11  # so late that nobody remembers it, and it is not fresh any more
    elsewhere.deliver(Side.SERVER, recorded)
    assert early(elsewhere) == b""
    assert elsewhere.errors == {}


@pytest.mark.parametrize(("late", "taken"), [(0.0, True), (9.9, True), (10.1, False), (-9.9, True), (-10.1, False)])
def test_the_age_of_a_ticket_must_fit(late: float, taken: bool) -> None:
    """Section 8.3: the expected and the real time of arrival may differ by `early_data_window` seconds."""
    world = World()
    world.clock.now += 100
    theirs = Clock(world.clock.now - late)
    connected = world.again(world.client(clock=theirs))
    connected.client.send_early_data(b"x")
    connected.done()
    if taken:
        assert_taken(connected, b"x")
    else:
        assert_not_taken(connected)
        assert connected.client.agreed.resumed


def test_a_full_guard_refuses() -> None:
    world = World()
    connected = world.again(server=world.server(replay_guard=MemoryReplayGuard(capacity=0, clock=world.clock)))
    connected.client.send_early_data(b"x")
    assert_not_taken(connected.done())


def test_a_guard_that_fails_refuses() -> None:
    class Broken:
        def first_use(self, identifier: bytes, lifetime: float) -> bool:
            raise OSError("the store is away")

    world = World()
    connected = world.again(server=world.server(replay_guard=Broken()))
    connected.client.send_early_data(b"x")
    assert_not_taken(connected.done())


def test_early_data_needs_a_guard() -> None:
    with pytest.raises(ConfigurationError, match="replay_guard"):
        server_config(max_early_data=1)
    with pytest.raises(ConfigurationError, match="replay_guard"):
        server_config(max_early_data=1, replay_guard=MemoryReplayGuard(), ticket_keys=None)


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

"""0-RTT data: taken, refused, replayed (RFC 9846 sections 2.3, 4.3.10, 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, NamedGroup, Side
from glasslock.tls import (
    DangerousAcceptAnyCertificate,
    Data,
    MemoryReplayGuard,
    TicketKeys,
)

from .early_world import World, assert_not_taken, assert_taken, early
from .pair import Clock, assert_refused, pair, server_config

A, H = AlertDescription, HandshakeType
TAG = 16


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


@pytest.mark.parametrize("suite", list(CipherSuite)[:3])
def test_early_keying_material_is_there_with_the_early_data(suite: int) -> None:
    """Nobody has agreed on a suite yet: the one of the ticket counts."""
    connected = World(cipher_suites=(suite,)).again()
    connected.client.send_early_data(b"data")
    ours = connected.client.export_early_keying_material("label", 40)
    connected.carry(Side.CLIENT)
    assert connected.server.export_early_keying_material("label", 40) == ours
    assert connected.done().client.export_early_keying_material("label", 40) == ours


def test_there_is_no_early_keying_material_where_early_data_was_refused() -> None:
    """The more so as it would be of another hash than the suite's."""
    world = World(cipher_suites=(CipherSuite.TLS_AES_128_GCM_SHA256,))
    connected = world.again(server=world.server(cipher_suites=(CipherSuite.TLS_AES_256_GCM_SHA384,)))
    connected.client.send_early_data(b"data")
    connected.client.export_early_keying_material("label", 40)
    assert_not_taken(connected.done())
    for side in (connected.client, connected.server):
        with pytest.raises(ConfigurationError, match="nothing to export"):
            side.export_early_keying_material("label", 40)


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

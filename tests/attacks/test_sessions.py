"""Attacks on resumption and on 0-RTT data: forged, stolen, moved and replayed sessions."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from glasslock.errors import CertificateRefused, ConfigurationError
from glasslock.registry import AlertDescription, HandshakeType, Side
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    DangerousAcceptAnyCertificate,
    ServerConfig,
    Session,
    TicketKeys,
)
from glasslock.tls.handshake.tickets import TicketContent
from glasslock.tls.keys.hkdf import hash_function
from glasslock.tls.keys.key_schedule import SERVER_HANDSHAKE_TRAFFIC, KeySchedule
from glasslock.tls.session import MemorySessionStore
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello

from ..tls.minted import client_credential, credential
from ..tls.pair import Clock, Pair, assert_refused, client_config, pair, server_config
from ..tls.puppet import change, puppet_client
from ..tls.test_early_data import World
from .middle import BOTH, TLS_1_2, TLS_1_3, messages, records

A = AlertDescription
DAY = 24 * 3600  # seconds


def sides(version: int, **server: Any) -> tuple[ClientConfig, ServerConfig]:
    return client_config(versions=(version,)), server_config(versions=(version,), **server)


def session(version: int, client: ClientConfig, server: ServerConfig, name: str = "localhost") -> Session:
    return pair(client, server, name=name).done().tickets()[0]


class Name:
    """A verifier that knows which names a certificate is for, as every real one does."""

    def __init__(self, names: dict[bytes, str]) -> None:
        self.names = names

    def verify(self, chain: Any, server_name: str | None, **_: object) -> None:
        if self.names[chain[0]] != server_name:
            raise CertificateRefused(A.BAD_CERTIFICATE, "wrong-name", "for another name")


# --- tickets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("key", [bytes(32), b"\0" * 31 + b"\1", b"\xff" * 32])
def test_a_ticket_under_a_key_that_anybody_can_guess_opens_nothing(version: int, key: bytes) -> None:
    """CVE-2020-13777: servers whose ticket key was all zeros until its first rotation."""
    client, server = sides(version)
    good = session(version, client, server)
    content = TicketContent(
        version=version,
        cipher_suite=good.cipher_suite,
        psk=b"\x41" * (48 if version == TLS_1_2 else 32),
        issued_at=int(Clock()() * 1000),
        age_add=0,
        max_early_data=0,
        server_name="localhost",
        alpn="",
        client_chain=(),
    ).encode()
    for name in (bytes(16), good.ticket[:16]):
        forged = name + bytes(12) + AESGCM(key).encrypt(bytes(12), content, name)
        attacked = pair(client, server, session=replace(good, ticket=forged, psk=b"\x41" * len(good.psk))).run()
        assert not attacked.server.agreed.resumed
    # The same content under the server's own key is a ticket, so it was the key that made the difference.
    assert server.ticket_keys is not None
    genuine = replace(good, ticket=server.ticket_keys.seal(content), psk=b"\x41" * len(good.psk))
    assert pair(client, server, session=genuine).done().server.agreed.resumed


def test_every_server_has_ticket_keys_of_its_own() -> None:
    """Unless they are given one secret on purpose."""
    ticket = TicketKeys().seal(b"content")
    assert TicketKeys().open(ticket) is None
    first, second = server_config().ticket_keys, server_config().ticket_keys
    assert first is not None
    assert second is not None
    assert second.open(first.seal(b"content")) is None


def test_a_stolen_ticket_key_opens_tickets_of_its_time_only() -> None:
    """A leak of memory gives away the key of one period; older and newer tickets stay shut."""
    clock = Clock()
    keys = TicketKeys(b"s" * 32, rotation=3600, clock=clock)
    tickets = []
    for _ in range(5):
        tickets.append(keys.seal(b"content"))
        clock.now += 3600
    clock.now -= 3 * 3600
    name, stolen = keys._key(int(clock.now // 3600))
    opened = []
    for ticket in tickets:
        try:
            opened.append(stolen.decrypt(ticket[16:28], ticket[28:], ticket[:16]))
        except Exception:  # noqa: BLE001
            opened.append(b"")
    assert opened == [b"", b"", b"content", b"", b""]
    assert name == tickets[2][:16]


@pytest.mark.parametrize(("modes", "opens"), [((1,), False), ((0,), True)])
def test_a_stolen_ticket_does_not_open_the_recording_of_its_resumption(modes: tuple[int, ...], opens: bool) -> None:
    """psk_dhe_ke: a fresh exchange goes into the keys. With psk_ke, which is off, what the ticket holds is enough."""
    logged: dict[str, bytes] = {}
    client = client_config(psk_modes=modes, key_log=lambda label, _, secret: logged.__setitem__(label, secret))
    server = server_config(psk_modes=modes)
    good = session(TLS_1_3, client, server)
    again = pair(client, server, session=good).done()
    assert again.client.agreed.resumed
    hellos = [messages(records(again.wire[side][0])[0].body)[0] for side in Side]
    hash_ = hash_function("sha256")
    schedule = KeySchedule("sha256", good.psk)
    schedule.mix_shared_secret(None)
    guessed = schedule.derive(SERVER_HANDSHAKE_TRAFFIC, hash_.new(b"".join(hellos)).digest())
    assert (guessed == logged["SERVER_HANDSHAKE_TRAFFIC_SECRET"]) is opens
    assert ClientConfig(verifier=DangerousAcceptAnyCertificate()).psk_modes == server_config().psk_modes == (1,)


# --- one name's session at another ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("verify_resumed", [True, False])
def test_a_session_is_offered_to_its_own_name_only(version: int, verify_resumed: bool) -> None:
    """Virtual host confusion (2014), at the client: whoever gave it the session knows its secret."""
    evil = credential("p256", "evil.example")
    client = client_config(
        versions=(version,),
        verify_resumed=verify_resumed,
        verifier=Name({evil.chain[0]: "evil.example"}),
    )
    server = server_config(versions=(version,), credentials=(evil,))
    theirs = session(version, client, server, "evil.example")
    # The owner of evil.example sits on the way to bank.example, and would resume what he knows.
    attacked = pair(client, server, name="bank.example", session=theirs).run()
    assert not attacked.client.agreed.resumed
    assert_refused(attacked, Side.CLIENT, A.BAD_CERTIFICATE, "wrong-name")
    hello = ClientHello.parse(attacked.wire[Side.CLIENT][0][5:])
    assert theirs.ticket not in b"".join(hello.extensions.values())


@pytest.mark.parametrize("version", BOTH)
def test_a_server_resumes_no_session_of_another_name(version: int) -> None:
    """Virtual host confusion, at the server: a client certificate shown to one host is not shown to the other."""
    keys = TicketKeys()
    client = client_config(versions=(version,), credentials=(client_credential(),))
    server = server_config(versions=(version,), ticket_keys=keys, client_verifier=DangerousAcceptAnyCertificate())
    good = session(version, client, server, "members.example")
    thief = client_config(versions=(version,))
    attacked = pair(thief, server, name="admin.example", session=replace(good, server_name="admin.example")).run()
    assert not attacked.server.agreed.resumed
    assert attacked.server.agreed.peer_chain == ()
    assert pair(client, server, name="members.example", session=good).done().server.agreed.resumed


def test_a_session_of_the_store_is_bound_to_its_name_too() -> None:
    """TLS 1.2 without tickets."""
    store = MemorySessionStore()
    client, server = sides(TLS_1_2, ticket_keys=None, session_store=store)
    good = session(TLS_1_2, client, server, "a.example")
    assert good.session_id
    moved = replace(good, server_name="b.example")
    assert not pair(client, server, name="b.example", session=moved).done().server.agreed.resumed
    assert pair(client, server, name="a.example", session=good).done().server.agreed.resumed


# --- one kind of key in the place of another ------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
def test_a_ticket_of_one_version_is_none_in_the_other(version: int) -> None:
    """A main secret of TLS 1.2 must not become a PSK of TLS 1.3, nor the reverse."""
    keys = TicketKeys()
    client, server = sides(version, ticket_keys=keys)
    good = session(version, client, server)
    other = TLS_1_2 if version == TLS_1_3 else TLS_1_3
    suite = sides(other)[0].suites(other)[0]
    moved = replace(good, version=other, cipher_suite=suite)
    attacked = pair(*sides(other, ticket_keys=keys), session=moved).run()
    assert not attacked.server.agreed.resumed


def test_a_retry_cookie_is_no_ticket() -> None:
    """Even where somebody seals both with the same keys."""
    keys = TicketKeys()
    server = server_config(ticket_keys=keys, cookie_keys=keys, groups=(0x1D,))
    asking = pair(client_config(groups=(0x17, 0x1D), key_shares=(0x17,)), server)
    asking.carry(Side.CLIENT)
    asking.carry(Side.SERVER)
    hello = ClientHello.parse(asking.client.data_to_send()[-2000:][11:])
    cookie = ext.read_cookie(hello.extensions[44])
    good = session(TLS_1_3, client_config(), server)
    attacked = pair(client_config(), server, session=replace(good, ticket=cookie)).run()
    assert not attacked.server.agreed.resumed


def test_a_ticket_is_no_retry_cookie() -> None:
    keys = TicketKeys()
    server = server_config(ticket_keys=keys, cookie_keys=keys)
    good = session(TLS_1_3, client_config(), server)

    def put(hello: ClientHello) -> None:
        hello.extensions[44] = ext.write_cookie(good.ticket)

    attacked = Pair(
        puppet_client(client_config(), change(HandshakeType.CLIENT_HELLO, put)), pair(server=server).server
    ).run()
    assert not attacked.server.handshake_done
    assert attacked.errors[Side.SERVER].alert in (A.ILLEGAL_PARAMETER, A.DECODE_ERROR)


# --- age ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize(("age", "alive"), [(3599, True), (3600, False)])
def test_a_session_ends_on_both_sides(version: int, age: int, alive: bool) -> None:
    """A session that never ends is a key that never changes (Springall 2016)."""
    clock = Clock()
    client = client_config(versions=(version,), clock=clock)
    keys = TicketKeys(b"s" * 32, clock=clock)
    server = server_config(versions=(version,), clock=clock, ticket_lifetime=3600, ticket_keys=keys)
    good = session(version, client, server)
    clock.now += age
    assert pair(client, server, session=good).done().server.agreed.resumed is alive
    hoarded = replace(good, lifetime=7 * 24 * 3600)  # by a client that does not care
    assert pair(client, server, session=hoarded).done().server.agreed.resumed is alive


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("forgetful", [None, Side.CLIENT, Side.SERVER])
def test_a_session_ends_however_often_it_is_renewed(version: int, forgetful: Side | None) -> None:
    """Each resumption brings a new ticket for the old session. Each side ends it, also if the other would not."""
    clock = Clock()
    client = client_config(versions=(version,), clock=clock)
    keys = TicketKeys(b"s" * 32, clock=clock)
    server = server_config(versions=(version,), clock=clock, ticket_keys=keys, ticket_lifetime=DAY)
    latest, began = session(version, client, server), clock.now
    for day in range(1, 10):
        clock.now = began + day * (DAY - 1)
        connected = pair(client, server, session=latest).done()
        assert connected.server.agreed.resumed is connected.client.agreed.resumed is (day <= 7)
        if day > 7:
            break
        latest = connected.tickets()[0]
        if forgetful is not Side.SERVER:
            assert latest.lifetime == min(DAY, began + 7 * DAY - clock.now)
        if forgetful is Side.CLIENT:
            latest = replace(latest, began_at=0.0, lifetime=7 * DAY)
        elif forgetful is Side.SERVER:
            # It seals the ticket anew, as of a session that began just now.
            content = TicketContent.parse(keys.open(latest.ticket) or b"")
            assert content is not None
            latest = replace(latest, ticket=keys.seal(replace(content, began_at=0).encode()), lifetime=DAY)


# --- tracking -------------------------------------------------------------------------------------------------------


def test_two_connections_without_a_session_have_nothing_in_common() -> None:
    """Tracking (Sy and others 2018) needs something that comes back; nothing is kept but what the caller keeps."""
    config = ClientConfig(verifier=DangerousAcceptAnyCertificate())
    first, second = (ClientHello.parse(ClientConnection(config, "a.example").data_to_send()[5:]) for _ in range(2))
    assert first.random != second.random
    assert first.session_id != second.session_id
    assert 41 not in first.extensions
    differing = {kind for kind in first.extensions if first.extensions[kind] != second.extensions[kind]}
    assert differing == {51}  # the key shares


def test_the_age_of_a_ticket_is_disguised() -> None:
    """Or the ages of two connections would tell that they are of one client (RFC 9846 section 4.3.11.1)."""
    client, server = sides(TLS_1_3, tickets=2)
    ages = set()
    for one in pair(client, server).done().tickets():
        hello = ClientHello.parse(pair(client, server, session=one).client.data_to_send()[5:])
        ages.add(ext.read_offered_psks(hello.extensions[41]).identities[0][1])
    assert len(ages) == 2


# --- 0-RTT ----------------------------------------------------------------------------------------------------------


def test_early_data_is_off_on_both_sides_until_asked_for() -> None:
    client, server = sides(TLS_1_3)
    good = session(TLS_1_3, client, server)
    assert good.max_early_data == 0
    assert server.max_early_data == 0
    eager = pair(client, server, session=good, early_data=True)
    assert eager.client.early_data_room == 0
    assert eager.client.send_early_data(b"GET / HTTP/1.1") == 0
    world = World()
    assert 42 not in ClientHello.parse(pair(world.client(), session=world.session).client.data_to_send()[5:]).extensions
    with pytest.raises(ConfigurationError, match="replayed"):
        server_config(max_early_data=1000)


def test_a_recorded_early_request_is_acted_upon_once() -> None:
    """The whole first flight again, to the same server: at once, later, and in pieces."""
    world = World()
    server = world.server()
    original = pair(world.client(), server, session=world.session, early_data=True)
    original.client.send_early_data(b"POST /pay")
    flight = original.client.data_to_send()
    original.deliver(Side.SERVER, flight)
    assert original.received(Side.SERVER) == b"POST /pay"
    for later in (0, 1, 5, 60, 3600):
        world.clock.now += later
        replayed = pair(world.client(), server)
        replayed.deliver(Side.SERVER, flight)
        assert replayed.received(Side.SERVER) == b""
        assert not replayed.server.agreed.early_data_accepted


def test_a_binder_of_another_key_does_not_open_early_data() -> None:
    """PSK confusion: the ticket of one connection with the binder of another."""
    world = World()
    other = world.first_session()
    mixed = replace(world.session, ticket=other.ticket)
    attacked = pair(world.client(), world.server(), session=mixed, early_data=True)
    attacked.client.send_early_data(b"POST /pay")
    attacked.run()
    assert_refused(attacked, Side.SERVER, A.DECRYPT_ERROR, "bad-binder")
    assert attacked.received(Side.SERVER) == b""
    assert hmac.compare_digest(mixed.psk, world.session.psk)

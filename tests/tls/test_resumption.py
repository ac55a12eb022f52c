"""Tickets: what is resumed, when, and how (RFC 9846 sections 2.2, 4.3.11.1, 4.7.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import CertificateRefused, ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, NamedGroup, Side
from glasslock.tls import (
    DangerousAcceptAnyCertificate,
    Limits,
    Session,
    TicketKeys,
)
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello, NewSessionTicket

from .known_keys import first_and_server, knowing, psk
from .minted import client_credential
from .pair import Clock, Pair, assert_refused, client_config, pair, server_config
from .puppet import change, change_and_bind, puppet_client, puppet_server, rewrite, send_message

A, H = AlertDescription, HandshakeType
AES_128, AES_256, CHACHA = list(CipherSuite)[:3]
WEEK = 7 * 24 * 3600


# --- tickets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [AES_128, AES_256, CHACHA])
def test_resumption(suite: int) -> None:
    first, server = first_and_server(cipher_suites=(suite,))
    session = first.tickets()[0]
    again = pair(server=server, session=session).done().talk()
    for side in Side:
        agreed = again.side(side).agreed
        assert agreed.resumed
        assert agreed.group == NamedGroup.X25519  # psk_dhe_ke: a fresh key exchange too
        assert agreed.cipher_suite == suite
    assert again.client.agreed.peer_chain == first.client.agreed.peer_chain
    assert again.client.agreed.signature_scheme == first.client.agreed.signature_scheme
    assert again.client.agreed.exporter_secret != first.client.agreed.exporter_secret
    third = pair(server=server, session=again.tickets()[0]).done().talk()
    assert third.client.agreed.resumed


def test_a_resumption_shows_no_certificate() -> None:
    """Section 4.3.11: as the server authenticates via a PSK, it sends no Certificate."""

    class Never:
        def verify(self, *_: object, **__: object) -> None:
            raise AssertionError("nothing to verify")

    first, server = first_and_server()
    pair(client_config(verifier=Never(), verify_resumed=False), server, session=first.tickets()[0]).done()


def test_a_resumption_judges_the_first_handshakes_certificates_again() -> None:
    """What was good then may have expired, been revoked or lost our trust since."""
    seen: list[tuple[Any, ...]] = []

    class Verifier:
        refuse = False

        def verify(self, chain: Any, server_name: str | None, **_: object) -> None:
            seen.append((tuple(chain), server_name))
            if self.refuse:
                raise CertificateRefused(A.CERTIFICATE_REVOKED, "revoked", "revoked since")

    verifier = Verifier()
    first, server = first_and_server()
    client = client_config(verifier=verifier)
    pair(client, server, session=first.tickets()[0]).done()
    assert seen == [(first.client.agreed.peer_chain, "localhost")]
    verifier.refuse = True
    refused = pair(client, server, session=first.tickets()[0])
    assert_refused(refused.run(), Side.CLIENT, A.CERTIFICATE_REVOKED, "revoked")


@pytest.mark.parametrize("version", [0x0303, 0x0304])
def test_a_resumption_judges_the_clients_certificate_again(version: int) -> None:
    class Once:
        calls = 0

        def verify(self, *_: object, **__: object) -> None:
            self.calls += 1
            if self.calls > 1:
                raise CertificateRefused(A.CERTIFICATE_REVOKED, "revoked", "revoked since")

    config = client_config(versions=(version,), credentials=(client_credential("p256"),))
    server = server_config(versions=(version,), client_verifier=Once())
    first = pair(config, server).done()
    assert_refused(pair(config, server, session=first.tickets()[0]).run(), Side.SERVER, A.CERTIFICATE_REVOKED)


def test_a_ticket_of_the_same_hash_but_another_suite() -> None:
    """Section 4.7.1: any ticket MUST only be resumed with a cipher suite of the same hash."""
    keys = TicketKeys()
    first, _ = first_and_server(cipher_suites=(AES_128,), ticket_keys=keys)
    other = server_config(cipher_suites=(CHACHA,), ticket_keys=keys)
    assert pair(server=other, session=first.tickets()[0]).done().talk().client.agreed.resumed


def test_a_ticket_of_another_hash() -> None:
    keys = TicketKeys()
    first, _ = first_and_server(cipher_suites=(AES_128,), ticket_keys=keys)
    other = server_config(cipher_suites=(AES_256,), ticket_keys=keys)
    assert not pair(server=other, session=first.tickets()[0]).done().talk().client.agreed.resumed


def test_a_client_that_no_longer_has_a_suite_of_the_tickets_hash_does_not_offer_it() -> None:
    first, server = first_and_server(cipher_suites=(AES_256, AES_128))
    assert first.tickets()[0].cipher_suite == AES_256
    again = pair(client_config(cipher_suites=(AES_128,)), server, session=first.tickets()[0])
    assert 41 not in ClientHello.parse(again.client.data_to_send()[5:]).extensions


@pytest.mark.parametrize(("age", "offered"), [(-1.0, False), (0.0, True), (3599.9, True), (3600.0, False)])
def test_the_client_offers_a_ticket_no_longer_than_it_lives(age: float, offered: bool) -> None:
    """Section 4.3.11.1: clients MUST NOT use tickets older than the ticket_lifetime."""
    first, server = first_and_server(ticket_lifetime=3600)
    session = first.tickets()[0]
    assert session.lifetime == 3600
    again = pair(client_config(clock=Clock(session.issued_at + age)), server, session=session)
    hello = ClientHello.parse(again.client.data_to_send()[5:])
    assert (41 in hello.extensions) == offered


def test_the_client_keeps_no_ticket_longer_than_a_week() -> None:
    """Section 4.7.1: clients MUST NOT use tickets for longer than 7 days, regardless of the ticket_lifetime."""
    session = Session(version=0x0304, cipher_suite=AES_128, psk=b"", issued_at=0.0, lifetime=10 * WEEK)
    assert session.is_fresh(WEEK - 1)
    assert not session.is_fresh(WEEK)


@pytest.mark.parametrize(("age", "resumed"), [(-9.0, True), (-11.0, False), (3599.0, True), (3600.0, False)])
def test_the_server_takes_a_ticket_no_longer_than_it_lives(age: float, resumed: bool) -> None:
    keys = TicketKeys(clock=Clock())
    first, server = first_and_server(ticket_lifetime=3600, ticket_keys=keys)
    later = server_config(ticket_lifetime=3600, ticket_keys=keys, clock=Clock(server.clock() + age))
    again = pair(server=later, session=first.tickets()[0]).done().talk()
    assert again.client.agreed.resumed == resumed


@pytest.mark.parametrize(("later", "known"), [(0, True), (1, True), (2, True), (3, False)])
def test_ticket_keys_rotate(later: int, known: bool) -> None:
    """The newest key seals, the last three open."""
    clock = Clock()
    keys = TicketKeys(rotation=60, clock=clock)
    first, server = first_and_server(ticket_keys=keys)
    clock.now += 60 * later
    assert pair(server=server, session=first.tickets()[0]).done().client.agreed.resumed == known


def test_servers_with_one_secret_share_tickets() -> None:
    clock = Clock()
    first, _ = first_and_server(ticket_keys=TicketKeys(b"s" * 32, clock=clock))
    other = server_config(ticket_keys=TicketKeys(b"s" * 32, clock=clock))
    stranger = server_config(ticket_keys=TicketKeys(b"t" * 32, clock=clock))
    assert pair(server=other, session=first.tickets()[0]).done().client.agreed.resumed
    assert not pair(server=stranger, session=first.tickets()[0]).done().client.agreed.resumed


def test_a_session_is_bound_to_its_name() -> None:
    """Section 4.7.1: a client SHOULD only resume for the name of the session; the server checks it too."""
    first, server = first_and_server()
    session = first.tickets()[0]
    again = pair(server=server, session=session, name="other.example")
    assert 41 not in ClientHello.parse(again.client.data_to_send()[5:]).extensions
    forced = pair(server=server, session=replace(session, server_name="other.example"), name="other.example").done()
    assert not forced.client.agreed.resumed
    assert forced.server.agreed.server_name == "other.example"


@pytest.mark.parametrize("ticket", [b"x", b"x" * 43, b"x" * 44, b"x" * 300])
def test_an_unknown_ticket_is_ignored(ticket: bytes) -> None:
    """Section 4.3.11: any unknown PSKs SHOULD simply be ignored."""
    first, server = first_and_server()
    again = pair(server=server, session=replace(first.tickets()[0], ticket=ticket)).done().talk()
    assert not again.client.agreed.resumed


@pytest.mark.parametrize("content", [b"", b"\0", b"\2" + bytes(127), bytes(128)])
def test_a_ticket_of_another_releases_form_is_ignored(content: bytes) -> None:
    keys = TicketKeys(bytes(32))
    first, server = first_and_server(ticket_keys=keys)
    session = replace(first.tickets()[0], ticket=keys.seal(content))
    again = pair(server=server, session=session).done().talk()
    assert not again.server.agreed.resumed


def test_a_ticket_changed_by_one_bit_is_ignored() -> None:
    first, server = first_and_server()
    session = first.tickets()[0]
    for position in range(0, len(session.ticket), 7):
        ticket = bytearray(session.ticket)
        ticket[position] ^= 1
        again = pair(server=server, session=replace(session, ticket=bytes(ticket))).done()
        assert not again.client.agreed.resumed


def test_a_server_without_ticket_keys_gives_and_takes_none() -> None:
    first, _ = first_and_server()
    none = server_config(ticket_keys=None)
    again = pair(server=none, session=first.tickets()[0]).done()
    assert not again.client.agreed.resumed
    assert again.tickets() == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_tickets_as_configured_each_with_its_own_key(count: int) -> None:
    first, server = first_and_server(tickets=count)
    sessions = first.tickets()
    assert len(sessions) == count
    assert len({session.psk for session in sessions}) == count
    assert len({session.ticket for session in sessions}) == count
    assert len({session.age_add for session in sessions}) == count
    for session in sessions:
        assert pair(server=server, session=session).done().client.agreed.resumed


@pytest.mark.parametrize(("wanted", "first_count", "again_count"), [((2, 1), 2, 1), ((0, 0), 0, 0), ((255, 255), 8, 8)])
def test_ticket_request(wanted: tuple[int, int], first_count: int, again_count: int) -> None:
    """RFC 9149: how many tickets the client wants after a new session, and after a resumption."""
    keys = TicketKeys()
    first = pair(client_config(ticket_request=wanted), server_config(ticket_keys=keys)).done()
    assert len(first.tickets()) == first_count
    session = pair(server=server_config(ticket_keys=keys)).done().tickets()[0]
    again = pair(client_config(ticket_request=wanted), server_config(ticket_keys=keys), session=session).done()
    assert again.client.agreed.resumed
    assert len(again.tickets()) == again_count


def test_no_tickets_for_a_client_whose_modes_do_not_suit() -> None:
    """Section 4.3.9: servers SHOULD NOT send tickets that are not compatible with the advertised modes."""
    assert pair(client_config(psk_modes=(0,)), server_config(psk_modes=(1,))).done().tickets() == []
    assert pair(client_config(psk_modes=())).done().tickets() == []


def test_a_client_without_psk_modes_offers_no_key() -> None:
    """Section 4.3.9: a client MUST provide psk_key_exchange_modes if it offers pre_shared_key."""
    first, server = first_and_server()
    again = pair(client_config(psk_modes=()), server, session=first.tickets()[0])
    hello = ClientHello.parse(again.client.data_to_send()[5:])
    assert {41, 45}.isdisjoint(hello.extensions)


def test_lifetime_zero_means_discard_at_once() -> None:
    """Section 4.7.1."""

    def edit(message: NewSessionTicket) -> None:
        message.lifetime = 0

    connected = Pair(pair().client, puppet_server(server_config(), change(H.NEW_SESSION_TICKET, edit)))
    assert connected.done().talk().tickets() == []


def test_a_lifetime_above_a_week_is_refused() -> None:
    """Section 4.7.1: servers MUST NOT use any value greater than 604800 seconds."""

    def edit(seconds: int) -> Any:
        return change(H.NEW_SESSION_TICKET, lambda message: setattr(message, "lifetime", seconds))

    connected = Pair(pair().client, puppet_server(server_config(), edit(WEEK)))
    assert connected.done().tickets()[0].lifetime == WEEK
    connected = Pair(pair().client, puppet_server(server_config(), edit(WEEK + 1)))
    assert_refused(connected.run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "ticket-lifetime")
    with pytest.raises(ConfigurationError, match="604800"):
        server_config(ticket_lifetime=WEEK + 1)


def test_unknown_extensions_of_a_ticket_are_ignored() -> None:
    """Section 4.7.1: clients MUST ignore unrecognized extensions."""

    def edit(message: NewSessionTicket) -> None:
        message.extensions[0xFF55] = b"whatever"

    connected = Pair(pair().client, puppet_server(server_config(), change(H.NEW_SESSION_TICKET, edit)))
    assert len(connected.done().tickets()) == 1


def test_known_extensions_have_no_place_in_a_ticket() -> None:
    """Section 4.3: an extension that is recognized but not specified for the message is illegal_parameter."""

    def edit(message: NewSessionTicket) -> None:
        message.extensions[51] = b""

    connected = Pair(pair().client, puppet_server(server_config(), change(H.NEW_SESSION_TICKET, edit)))
    assert_refused(connected.run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "misplaced-extension")


def test_a_ticket_must_not_be_empty() -> None:
    """Section 4.7.1: opaque ticket<1..2^16-1>."""

    def edit(message: NewSessionTicket) -> None:
        message.ticket = b""

    connected = Pair(pair().client, puppet_server(server_config(), change(H.NEW_SESSION_TICKET, edit)))
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR)


def test_a_ticket_cut_short() -> None:
    connected = Pair(
        pair().client, puppet_server(server_config(), rewrite(H.NEW_SESSION_TICKET, lambda body: body[:-1]))
    )
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR)


def test_tickets_have_a_limit() -> None:
    client, server = client_config(limits=Limits(tickets=3)), server_config(tickets=3)
    connected = pair(client, server).done()
    assert len(connected.tickets()) == 3
    send_message(connected.server, NewSessionTicket(60, 0, b"more", b"ticket", {}).encode())
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "too-many-tickets")


def test_a_server_accepts_no_ticket() -> None:
    connected = pair().done()
    send_message(connected.client, NewSessionTicket(60, 0, b"", b"ticket", {}).encode())
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE)


def test_a_ticket_in_the_middle_of_the_handshake() -> None:
    ticket = NewSessionTicket(60, 0, b"", b"ticket", {}).encode()
    server = puppet_server(
        server_config(), lambda kind, raw: (raw, ticket) if kind is H.ENCRYPTED_EXTENSIONS else (raw,)
    )
    assert_refused(Pair(pair().client, server).run(), Side.CLIENT, A.UNEXPECTED_MESSAGE)


def test_a_client_chain_that_fits_in_no_ticket_means_no_ticket() -> None:
    """The client starts anew next time, instead of a failure now."""
    large = replace(client_credential(), chain=client_credential().chain * 15)
    chain = sum(len(der) for der in large.chain)
    huge = replace(large, chain=(*large.chain[:1], bytes(0xF000 - chain // 15)))
    for credential, count in ((large, 1), (huge, 0)):
        client = client_config(credentials=(credential,))
        connected = pair(client, server_config(client_verifier=DangerousAcceptAnyCertificate())).done().talk()
        assert len(connected.tickets()) == count


def test_a_server_name_of_the_greatest_length_fits_in_a_ticket() -> None:
    assert len(pair(name="a" * 255).done().tickets()) == 1


# --- resumption and everything else ----------------------------------------------------------------


@pytest.mark.parametrize("suite", [AES_128, AES_256])
def test_resumption_with_a_retry(suite: int) -> None:
    """Section 4.3.11.2: the second binder covers ClientHello1 (as its hash), HelloRetryRequest and ClientHello2."""
    first, server = first_and_server(cipher_suites=(suite,))
    groups = (NamedGroup.SECP256R1, NamedGroup.X25519)
    client = client_config(groups=groups, key_shares=(NamedGroup.SECP256R1,))
    again = pair(client, server, session=first.tickets()[0]).done().talk()
    assert again.client.agreed.resumed
    assert again.client.agreed.retried


def retried_with(edit: Any) -> Pair:
    """A resumption with a retry, whose second ClientHello is edited."""
    first, server = first_and_server()
    groups = (NamedGroup.SECP256R1, NamedGroup.X25519)
    config = client_config(groups=groups, key_shares=(NamedGroup.SECP256R1,))
    client = puppet_client(config, change(H.CLIENT_HELLO, edit, occurrence=1), session=first.tickets()[0])
    return Pair(client, pair(server=server).server).run()


def test_the_chosen_key_must_be_offered_again() -> None:
    """Section 4.2.2: only keys that are incompatible with the chosen suite may be removed."""

    def leave_out(hello: ClientHello) -> None:
        del hello.extensions[41]

    assert_refused(retried_with(leave_out), Side.SERVER, A.MISSING_EXTENSION)

    def exchange(hello: ClientHello) -> None:
        hello.extensions[41] = ext.write_offered_psks(((b"another", 0),), (bytes(32),))

    assert_refused(retried_with(exchange), Side.SERVER, A.ILLEGAL_PARAMETER, "psk-not-found")


def test_a_key_share_without_groups() -> None:
    """Section 9.2: supported_groups and key_share go together, with a pre-shared key as well."""
    ours = psk()

    def edit(hello: ClientHello) -> None:
        del hello.extensions[10]

    client = puppet_client(client_config(external_psks=(ours,)), change_and_bind(edit, ours))
    assert_refused(Pair(client, pair(server=knowing(ours)).server).run(), Side.SERVER, A.MISSING_EXTENSION)


def test_a_ticket_of_another_version_is_not_taken() -> None:
    keys = TicketKeys()
    settings = {"ticket_keys": keys, "versions": (0x0303,)}
    old = pair(client_config(versions=(0x0303,)), server_config(**settings)).done().tickets()[0]
    claimed = replace(old, version=0x0304, cipher_suite=AES_128, psk=bytes(32))
    assert not pair(server=server_config(ticket_keys=keys), session=claimed).done().client.agreed.resumed


def test_a_ticket_whose_suite_is_not_offered_any_more() -> None:
    first, server = first_and_server(cipher_suites=(AES_128, CHACHA))
    assert first.client.agreed.cipher_suite == AES_128
    again = pair(client_config(cipher_suites=(CHACHA,)), server, session=first.tickets()[0]).done()
    assert not again.server.agreed.resumed


def test_after_a_retry_only_keys_of_the_chosen_hash_are_offered() -> None:
    """Section 4.2.4: the client SHOULD NOT offer keys of another hash in its updated ClientHello."""
    client = client_config(
        groups=(NamedGroup.SECP256R1, NamedGroup.X25519),
        key_shares=(NamedGroup.SECP256R1,),
        external_psks=(psk(b"384", hash_name="sha384"), psk(b"256")),
    )
    connected = pair(client, server_config(cipher_suites=(AES_128,))).done()
    second = connected.wire[Side.CLIENT][1]
    hello = ClientHello.parse(second[second.index(b"\x16\x03\x03") + 5 :])
    assert [identity for identity, _ in ext.read_offered_psks(hello.extensions[41]).identities] == [b"256"]


def test_a_resumed_client_is_who_it_was() -> None:
    server = server_config(client_verifier=DangerousAcceptAnyCertificate(), require_client_certificate=True)
    client = client_config(credentials=(client_credential(),))
    session = pair(client, server).done().tickets()[0]
    again = pair(client_config(), server, session=session).done()
    assert again.server.agreed.resumed
    assert again.server.agreed.peer_chain == client_credential().chain


def test_a_ticket_without_the_client_certificate_that_is_required_is_not_taken() -> None:
    keys = TicketKeys()
    session = pair(server=server_config(ticket_keys=keys)).done().tickets()[0]
    strict = server_config(
        ticket_keys=keys, client_verifier=DangerousAcceptAnyCertificate(), require_client_certificate=True
    )
    again = pair(client_config(credentials=(client_credential(),)), strict, session=session).done()
    assert not again.server.agreed.resumed
    assert_refused(pair(client_config(), strict, session=session).run(), Side.SERVER, A.CERTIFICATE_REQUIRED)


def test_without_signature_algorithms_a_key_must_do() -> None:
    """Section 4.3.3: authenticating via a certificate without signature_algorithms: missing_extension."""
    ours = psk()

    def edit(hello: ClientHello) -> None:
        del hello.extensions[13]

    for known in (True, False):
        server = server_config(find_external_psk=lambda _, known=known: ours if known else None)
        client = puppet_client(client_config(external_psks=(ours,)), change_and_bind(edit, ours))
        connected = Pair(client, pair(server=server).server)
        if known:
            assert connected.done().client.agreed.resumed
        else:
            assert_refused(connected.run(), Side.SERVER, A.MISSING_EXTENSION)

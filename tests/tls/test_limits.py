"""Each line of `Limits` at the limit and one above; the other limits of the record layer are in test_record."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from glasslock.registry import AlertDescription, HandshakeType, Side
from glasslock.tls import DangerousAcceptAnyCertificate, Limits
from glasslock.tls.config import DEFAULT_GROUPS
from glasslock.tls.wire.messages import Certificate, CertificateEntry, ClientHello, NewSessionTicket

from .minted import client_credential
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, plain_record, puppet_client, puppet_server, send_message

A, H = AlertDescription, HandshakeType

# Where each limit is tested; a new one has to be added here, and tested.
TESTED = {
    "handshake_message": "here",
    "certificate_message": "here",
    "client_hello": "here",
    "certificates": "here",
    "change_cipher_specs": "test_compatibility.test_there_is_a_limit",
    "warning_alerts": "test_closing.test_user_canceled_is_passed_over_a_few_times",
    "key_updates": "test_key_update.test_updates_without_data_have_a_limit",
    "tickets": "test_resumption.test_tickets_have_a_limit",
    "certificate_requests": "test_late_certificates.test_late_questions_have_a_limit",
    "renegotiation_requests": "tls12.test_rules12.test_who_asks_again_and_again_to_renegotiate",
    "early_data_skipped": "test_early_data_rules.test_skipping_ends_at_its_limit",
}


def test_every_limit_has_a_test() -> None:
    assert set(Limits._fields) == set(TESTED)


def padded(length: int) -> Any:
    """A ClientHello of exactly this many bytes, its header not counted."""

    def edit(message: ClientHello) -> None:
        message.extensions[21] = bytes(length - len(message.body()) - 4)

    return change(H.CLIENT_HELLO, edit)


@pytest.mark.parametrize(("length", "fits"), [(1000, True), (1001, False)])
def test_client_hello(length: int, fits: bool) -> None:
    server = server_config(limits=Limits(client_hello=1000))
    connected = Pair(puppet_client(client_config(), padded(length)), pair(server=server).server)
    if fits:
        connected.done()
    else:
        assert_refused(connected.run(), Side.SERVER, A.DECODE_ERROR, "message-too-large")


def test_a_message_is_refused_by_its_header() -> None:
    """Before any of its content has come."""
    connected = pair()
    connected.deliver(Side.SERVER, plain_record(22, b"\1" + (131_397).to_bytes(3, "big")))
    assert_refused(connected, Side.SERVER, A.DECODE_ERROR, "message-too-large", told=False)
    connected = pair()
    connected.deliver(Side.SERVER, plain_record(22, b"\1" + (131_396).to_bytes(3, "big")))
    assert connected.errors == {}


def test_the_longest_client_hello_is_taken() -> None:
    """Every list as long as it can be (RFC 9846 section 4.2.2), in TLS 1.2 where compression may be a list too."""
    hello = ClientHello(bytes(32), bytes(32), (0x0A0A,) * 32766 + (0xC02B,), {}, 0x0303, bytes(255))
    hello.extensions = {10: b"\0\2\0\x17", 13: b"\0\2\4\3", 0x4321: b""}
    hello.extensions[0x4321] = bytes(131_396 - len(hello.body()))
    assert len(hello.encode()) == 4 + 131_396
    connected = pair(server=server_config(versions=(0x0303,), groups=(0x17,)))
    for start in range(0, len(hello.encode()), 1 << 14):
        connected.deliver(Side.SERVER, plain_record(22, hello.encode()[start : start + (1 << 14)]))
    assert connected.errors == {}
    assert connected.server.agreed.cipher_suite == 0xC02B


def test_the_limit_holds_after_the_handshake_too() -> None:
    connected = pair(client_config(limits=Limits(handshake_message=4000))).done()
    ticket = NewSessionTicket(60, 0, b"", b"", {})
    ticket.ticket = bytes(4000 - (len(ticket.encode()) - 4))
    send_message(connected.server, ticket.encode())
    assert connected.run().errors == {}
    ticket.ticket += b"x"
    send_message(connected.server, ticket.encode())
    assert_refused(connected.run(), Side.CLIENT, A.DECODE_ERROR, "message-too-large")


def of_length(length: int) -> Any:
    """A Certificate of exactly this many bytes."""

    def edit(message: Certificate) -> None:
        filler = CertificateEntry(b"")
        message.entries += (filler,)
        filler.data = bytes(length - len(message.body()))

    return change(H.CERTIFICATE, edit)


@pytest.mark.parametrize(("length", "fits"), [(5000, True), (5001, False)])
def test_certificate_message(length: int, fits: bool) -> None:
    limits = Limits(certificate_message=5000)
    plain = {"certificate_compression": ()}
    client = client_config(credentials=(client_credential(),), **plain)
    asking = server_config(client_verifier=DangerousAcceptAnyCertificate(), limits=limits, **plain)
    for by, connected in (
        (Side.CLIENT, Pair(pair(client_config(limits=limits)).client, plain_server(of_length(length)))),
        (Side.SERVER, Pair(puppet_client(client, of_length(length)), pair(server=asking).server)),
    ):
        if fits:
            connected.done()
        else:
            assert_refused(connected.run(), by, A.DECODE_ERROR, "message-too-large")


def plain_server(alter: Any) -> Any:
    return puppet_server(server_config(certificate_compression=()), alter)


@pytest.mark.parametrize(("count", "fits"), [(4, True), (5, False)])
def test_certificates(count: int, fits: bool) -> None:
    def edit(message: Certificate) -> None:
        message.entries *= count

    limits = Limits(certificates=4)
    client = client_config(credentials=(client_credential(),), certificate_compression=())
    asking = server_config(client_verifier=DangerousAcceptAnyCertificate(), limits=limits, certificate_compression=())
    for by, connected in (
        (Side.CLIENT, Pair(pair(client_config(limits=limits)).client, plain_server(change(H.CERTIFICATE, edit)))),
        (Side.SERVER, Pair(puppet_client(client, change(H.CERTIFICATE, edit)), pair(server=asking).server)),
    ):
        if fits:
            assert len(connected.done().side(by).agreed.peer_chain) == count
        else:
            assert_refused(connected.run(), by, A.BAD_CERTIFICATE, "too-many-certificates")


def test_the_largest_messages_that_our_own_configuration_makes_pass() -> None:
    """A default server takes the ClientHello of a default client with every group at once."""
    client = client_config(groups=DEFAULT_GROUPS, key_shares=DEFAULT_GROUPS)
    connected = pair(client).done()
    assert sum(map(len, connected.wire[Side.CLIENT])) > 4500


def test_memory_for_a_message_grows_with_what_has_come_and_not_with_what_is_announced() -> None:
    connected = pair()
    tracemalloc.start()
    connected.deliver(Side.SERVER, plain_record(22, b"\1\1\0\0" + bytes(10)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert connected.errors == {}
    assert peak < 1 << 14

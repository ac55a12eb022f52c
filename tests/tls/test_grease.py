"""Values that mean nothing (RFC 8701), extensions in another order, and records of another size."""

from __future__ import annotations

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, ExtensionType, HandshakeType, ProtocolVersion, Side, is_grease
from glasslock.tls import ClientConnection, DangerousAcceptAnyCertificate
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import CertificateRequest, ClientHello, EncryptedExtensions, NewSessionTicket
from glasslock.trace import MessageReceived, MessageSent, TraceRecord

from .pair import Pair, assert_refused, client_config, pair, seeded, server_config
from .puppet import change, puppet_server

A, E, H = AlertDescription, ExtensionType, HandshakeType


def hello_of(**settings: object) -> ClientHello:
    trace: list[TraceRecord] = []
    pair(client_config(observer=trace.append, **settings)).done().talk()
    return ClientHello.parse(next(record.raw for record in trace if isinstance(record, MessageSent)))


@pytest.mark.parametrize("seed", range(20))
def test_a_client_sends_it_wherever_a_list_is_long(seed: int) -> None:
    """RFC 8701 section 3.1."""
    hello = hello_of(grease=True, random=seeded(seed), versions=(ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2))
    lists = {
        "suites": hello.cipher_suites,
        "versions": ext.read_client_versions(hello.extensions[E.SUPPORTED_VERSIONS]),
        "groups": ext.read_u16_vector(hello.extensions[E.SUPPORTED_GROUPS], ""),
        "schemes": ext.read_u16_vector(hello.extensions[E.SIGNATURE_ALGORITHMS], ""),
        "shares": tuple(ext.read_client_shares(hello.extensions[E.KEY_SHARE])),
    }
    assert {name: sum(map(is_grease, values)) for name, values in lists.items()} == dict.fromkeys(lists, 1)
    first, *_, last = hello.extensions
    assert is_grease(first)
    assert is_grease(last)
    assert first != last


def test_none_is_sent_unasked() -> None:
    hello = hello_of()
    assert not any(map(is_grease, (*hello.cipher_suites, *hello.extensions)))


def test_a_second_hello_repeats_it() -> None:
    trace: list[TraceRecord] = []
    client = client_config(grease=True, groups=(0x1D, 0x17), key_shares=(0x1D,), observer=trace.append)
    assert pair(client, server_config(groups=(0x17,))).done().talk().client.agreed.retried
    first, second = (
        ClientHello.parse(record.raw)
        for record in trace
        if isinstance(record, MessageSent) and record.raw[0] == H.CLIENT_HELLO
    )
    assert first.cipher_suites == second.cipher_suites
    assert first.extensions[E.SUPPORTED_GROUPS] == second.extensions[E.SUPPORTED_GROUPS]


def test_a_server_sends_it_too() -> None:
    """RFC 8701 section 4.1."""
    trace: list[TraceRecord] = []
    server = server_config(grease=True, client_verifier=DangerousAcceptAnyCertificate())
    pair(client_config(observer=trace.append), server).done().talk()
    received = {record.raw[0]: record.raw for record in trace if isinstance(record, MessageReceived)}
    request = CertificateRequest.parse(received[H.CERTIFICATE_REQUEST])
    ticket = NewSessionTicket.parse(received[H.NEW_SESSION_TICKET])
    assert sum(map(is_grease, request.extensions)) == 2
    assert sum(map(is_grease, ticket.extensions)) == 1


def test_an_answer_to_it_is_refused() -> None:
    """RFC 8701 section 3.1: clients MUST reject GREASE values when negotiated by the server."""
    trace: list[TraceRecord] = []
    client = client_config(grease=True, observer=trace.append)

    def answer(message: EncryptedExtensions) -> None:
        sent = next(record.raw for record in trace if isinstance(record, MessageSent))
        message.extensions[next(iter(ClientHello.parse(sent).extensions))] = b""

    connected = Pair(
        ClientConnection(client, "localhost"), puppet_server(server_config(), change(H.ENCRYPTED_EXTENSIONS, answer))
    )
    assert_refused(connected.run(), Side.CLIENT, A.UNSUPPORTED_EXTENSION, "unsolicited-extension")


def test_permuted_extensions() -> None:
    orders = {tuple(hello_of(permute_extensions=True, random=seeded(seed)).extensions) for seed in range(10)}
    assert len(orders) == 10
    assert len({frozenset(order) for order in orders}) == 1


@pytest.mark.parametrize("limit", [64, 1000, 1 << 14])
def test_fragments_are_as_small_as_wanted(limit: int) -> None:
    connected = pair(client_config(max_fragment=limit)).done()
    connected.client.send_data(bytes(3 * limit + 1))
    sent, lengths = connected.client.data_to_send(), []
    while sent:
        length = int.from_bytes(sent[3:5], "big")
        lengths.append(length - 17)  # content type and tag
        sent = sent[5 + length :]
    assert lengths == [limit, limit, limit, 1]


@pytest.mark.parametrize("limit", [0, 63, (1 << 14) + 1])
def test_impossible_fragments(limit: int) -> None:
    with pytest.raises(ConfigurationError, match="max_fragment"):
        client_config(max_fragment=limit)

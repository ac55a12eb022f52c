"""Attacks on the order of the handshake and on who takes part in it: skipped, early, repeated, relayed, reflected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, CipherSuite, ContentType, HandshakeType, Side
from glasslock.tls import (
    ClientConnection,
    Credential,
    DangerousAcceptAnyCertificate,
    ExternalPsk,
    ServerConnection,
    import_psk,
)
from glasslock.tls import connection as connection_module
from glasslock.tls.handshake.context import Handshake
from glasslock.tls.keys.signatures import PrivateKeySigner
from glasslock.tls.wire.messages import Certificate, CertificateEntry, ClientHello, ServerHello, frame
from glasslock.tls.wire.messages12 import Certificate12, CertificateRequest12, ClientKeyExchange

from ..tls.minted import certificate, client_credential, credential, key
from ..tls.pair import Pair, assert_refused, client_config, pair, server_config
from ..tls.puppet import Alter, change, plain_record, puppet_client, send_message, send_record, unchanged
from .middle import (
    Record,
    edit_client_hello,
    edit_records,
    edit_server_hello,
    messages,
    middle,
    records,
    replace_messages,
    tls12,
)

A, H = AlertDescription, HandshakeType
CCS = plain_record(ContentType.CHANGE_CIPHER_SPEC, b"\1")
RSA_SUITE = CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256


def asked(**changes: Any) -> tuple[Any, Any]:
    """Both sides for a TLS 1.2 handshake with every message that it can have."""
    client = client_config(**tls12(credentials=(client_credential(),), **changes))
    return client, server_config(**tls12(client_verifier=DangerousAcceptAnyCertificate()))


# --- SMACK: messages skipped, early, repeated (TLS 1.2; TLS 1.3 is in tests/tls/test_order.py) ----------------------

SERVERS = (H.SERVER_HELLO, H.CERTIFICATE, H.SERVER_KEY_EXCHANGE, H.SERVER_HELLO_DONE)
CLIENTS = (H.CERTIFICATE, H.CLIENT_KEY_EXCHANGE, H.CERTIFICATE_VERIFY)


@pytest.mark.parametrize("left_out", SERVERS)
def test_no_message_of_the_server_can_be_skipped(left_out: HandshakeType) -> None:
    """SKIP-TLS: a server without ServerKeyExchange, without Certificate, without any of its messages."""
    attacked = middle(replace_messages(Side.SERVER, left_out, lambda raw: ()), *asked()).run()
    if left_out is H.SERVER_HELLO_DONE:  # the client still waits
        assert not attacked.client.handshake_done
        assert attacked.wire[Side.CLIENT][1:] == []
    else:
        assert_refused(attacked, Side.CLIENT, A.UNEXPECTED_MESSAGE, "unexpected-message")


@pytest.mark.parametrize("left_out", CLIENTS)
def test_no_message_of_the_client_can_be_skipped(left_out: HandshakeType) -> None:
    """A client that shows a certificate and leaves out the proof that it has the key."""
    attacked = middle(replace_messages(Side.CLIENT, left_out, lambda raw: ()), *asked()).run()
    assert_refused(attacked, Side.SERVER, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("repeated", [(Side.SERVER, kind) for kind in SERVERS] + [(Side.CLIENT, k) for k in CLIENTS])
def test_no_message_counts_twice(repeated: tuple[Side, HandshakeType]) -> None:
    sender, kind = repeated
    attacked = middle(replace_messages(sender, kind, lambda raw: (raw, raw)), *asked()).run()
    if kind is H.SERVER_HELLO_DONE:  # it lies where the server's ChangeCipherSpec is due
        assert not attacked.client.handshake_done
    assert_refused(attacked, sender.peer, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("sender", list(Side))
@pytest.mark.parametrize("place", [0, 1, 2])
def test_early_change_cipher_spec(sender: Side, place: int) -> None:
    """CCS injection (2014): keys made before there is a secret. In TLS 1.2 it may come at one moment only."""

    def inject(found: list[Record]) -> Iterable[Record | bytes]:
        singles = [one for record in found for one in split(record)]
        return [*singles[:place], CCS, *singles[place:]]

    attacked = middle(edit_records(sender, inject), *asked()).run()
    assert_refused(attacked, sender.peer, A.UNEXPECTED_MESSAGE, "unexpected-change-cipher-spec")


def split(record: Record) -> list[bytes]:
    """One record for each message, so that something can be put between them."""
    if record.content_type != ContentType.HANDSHAKE:
        return [record.raw]
    try:
        return [plain_record(ContentType.HANDSHAKE, raw) for raw in messages(record.body)]
    except IndexError:  # encrypted
        return [record.raw]


@pytest.mark.parametrize("sender", list(Side))
@pytest.mark.parametrize("intruder", [H.SERVER_HELLO_DONE, H.FINISHED, H.NEW_SESSION_TICKET, H.CLIENT_KEY_EXCHANGE])
def test_nothing_takes_the_place_of_change_cipher_spec(sender: Side, intruder: HandshakeType) -> None:
    def put(found: list[Record]) -> Iterable[Record | bytes]:
        other = plain_record(ContentType.HANDSHAKE, frame(intruder, b""))
        return [other if one.content_type == ContentType.CHANGE_CIPHER_SPEC else one for one in found]

    client, server = asked()
    attacked = middle(edit_records(sender, put), client, replace(server, ticket_keys=None)).run()
    assert_refused(attacked, sender.peer, A.UNEXPECTED_MESSAGE, "unexpected-message")


@pytest.mark.parametrize("sender", list(Side))
def test_change_cipher_spec_cannot_be_dropped(sender: Side) -> None:
    """Wagner and Schneier 1996: without it, everything would go on in the clear."""

    def drop(found: list[Record]) -> Iterable[Record]:
        return [one for one in found if one.content_type != ContentType.CHANGE_CIPHER_SPEC]

    attacked = middle(edit_records(sender, drop), *asked()).run()
    assert sender.peer in attacked.errors
    assert not attacked.side(sender.peer).handshake_done


@pytest.mark.parametrize("sender", list(Side))
def test_finished_in_the_clear_is_not_accepted(sender: Side) -> None:
    def expose(found: list[Record]) -> Iterable[Record | bytes]:
        plain = plain_record(ContentType.HANDSHAKE, frame(H.FINISHED, bytes(12)))
        after = [one.content_type for one in found].index(ContentType.CHANGE_CIPHER_SPEC) + 1 if len(found) > 1 else 0
        return [*found[:after], plain] if after else found

    attacked = middle(edit_records(sender, expose), *asked()).run()
    assert_refused(attacked, sender.peer, A.BAD_RECORD_MAC, told=sender is Side.SERVER)


def test_data_before_finished_is_refused() -> None:
    """Under the right keys, from a peer that has proved nothing yet (EarlyFinished and its kin)."""
    connected = pair(*asked())
    for sender in (Side.CLIENT, Side.SERVER):
        connected.carry(sender)
    flight = records(connected.client.data_to_send())
    assert connected.client._writer.protection is not None
    connected.client._writer.protection.sequence = 0  # in the place of Finished
    send_record(connected.client, ContentType.APPLICATION_DATA, b"too soon")
    connected.deliver(Side.SERVER, b"".join(one.raw for one in flight[:-1]))
    assert connected.errors == {}
    connected.deliver(Side.SERVER, connected.client.data_to_send())
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, told=False)
    assert connected.received(Side.SERVER) == b""


# --- renegotiation --------------------------------------------------------------------------------------------------


def test_a_victims_hello_cannot_be_spliced_into_the_attackers_connection() -> None:
    """Ray and Dispensa 2009: the attacker's request, then the victim's handshake as a renegotiation of it."""
    settings = client_config(**tls12()), server_config(**tls12())
    attacker = pair(*settings).done()
    attacker.client.send_data(b"GET /transfer?to=attacker HTTP/1.1\r\nX-Ignore: ")
    victim = ClientConnection(settings[0], "localhost")
    (hello,) = records(victim.data_to_send())
    send_message(attacker.client, hello.body)
    attacker.run()
    # The server says no, in the attacker's connection; the victim gets no ServerHello, and so sends nothing more.
    assert attacker.errors == {}
    assert attacker.received(Side.SERVER) == b"GET /transfer?to=attacker HTTP/1.1\r\nX-Ignore: "
    answers = [record for record in attacker.wire[Side.SERVER][-1:] if record[0] == ContentType.ALERT]
    assert len(answers) == 1
    assert attacker.server.agreed.client_random == attacker.client.agreed.client_random


def test_a_client_does_not_renegotiate_either() -> None:
    connected = pair(client_config(**tls12()), server_config(**tls12())).done()
    send_message(connected.server, frame(H.HELLO_REQUEST, b""))
    assert_refused(connected.run(), Side.CLIENT, A.NO_RENEGOTIATION, "no-renegotiation")


def test_who_believes_in_a_renegotiation_is_refused() -> None:
    """RFC 5746: renegotiation_info of a first handshake is empty, on both sides."""
    settings = client_config(**tls12()), server_config(**tls12())
    verify_data = b"\x0c" + bytes(12)
    attack = edit_client_hello(lambda hello: hello.extensions.__setitem__(0xFF01, verify_data))
    assert_refused(middle(attack, *settings).run(), Side.SERVER, A.HANDSHAKE_FAILURE, "renegotiation-mismatch")
    attack = edit_server_hello(lambda hello: hello.extensions.__setitem__(0xFF01, verify_data))
    assert_refused(middle(attack, *settings).run(), Side.CLIENT, A.HANDSHAKE_FAILURE, "renegotiation-mismatch")


def test_tls_1_3_has_no_renegotiation() -> None:
    connected = pair().done()
    (hello,) = records(ClientConnection(client_config(), "localhost").data_to_send())
    send_message(connected.client, hello.body)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE)


# --- triple handshake -----------------------------------------------------------------------------------------------


class Scripted:
    """`random` that gives what it is told to, in this order; then zeros."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)

    def __call__(self, length: int) -> bytes:
        value = self.values.pop(0) if self.values else bytes(length)
        assert len(value) == length
        return value


class EavesdroppingSigner(PrivateKeySigner):
    """The attacker's own key, through which the client's secret passes."""

    premaster = b""

    def decrypt(self, ciphertext: bytes) -> bytes | None:
        found = super().decrypt(ciphertext)
        self.premaster = found or b""
        return found


def without_ems() -> Alter:
    return change(H.CLIENT_HELLO, lambda hello: hello.extensions.pop(23))


def synchronised(ems: bool) -> tuple[ClientConnection, ServerConnection]:
    """Two connections of one attacker, with equal randoms and an equal RSA-encrypted secret."""
    settings = tls12(cipher_suites=(RSA_SUITE,))
    client = puppet_client(client_config(**settings), unchanged if ems else without_ems())
    hello = client.data_to_send()
    client_random = ClientHello.parse(records(hello)[0].body).random
    server = ServerConnection(server_config(**settings, credentials=(credential("rsa"),)))

    script = Scripted(client_random)
    towards_server = puppet_client(client_config(**settings, random=script), unchanged if ems else without_ems())
    server.receive_data(towards_server.data_to_send())
    flight = server.data_to_send()
    server_random = ServerHello.parse(messages(records(flight)[0].body)[0]).random

    own = rsa.generate_private_key(65537, 2048)
    signer = EavesdroppingSigner(own)
    mine = Credential.from_signer([certificate(own, "localhost")], signer)
    towards_client = ServerConnection(server_config(**settings, credentials=(mine,), random=Scripted(server_random)))
    towards_client.receive_data(hello)
    near = Pair(client, towards_client).run()
    assert near.errors == {}
    assert client.handshake_done

    script.values = [signer.premaster[2:]]
    towards_server.receive_data(flight)
    far = Pair(towards_server, server).run()
    assert far.errors == {}
    assert server.handshake_done
    for agreed in (client.agreed, server.agreed):
        assert (agreed.client_random, agreed.server_random) == (client_random, server_random)
    return client, server


def test_two_connections_cannot_be_given_one_secret() -> None:
    """Triple handshake (2014), first step: what it takes to make the second look like a resumption of the first."""
    client, server = synchronised(ems=True)
    assert client.agreed.main_secret != server.agreed.main_secret
    client, server = synchronised(ems=False)
    assert client.agreed.main_secret == server.agreed.main_secret  # so it was, before RFC 7627


def test_without_extended_main_secret_nothing_is_resumed_or_bound() -> None:
    """Triple handshake, second step; and neither does such a connection give a channel binding."""
    server = server_config(**tls12(session_store=None))
    first = Pair(puppet_client(client_config(**tls12()), without_ems()), pair(server=server).server).done()
    assert first.tickets() == []
    with pytest.raises(ConfigurationError, match="channel binding"):
        first.client.channel_binding()
    good = pair(client_config(**tls12()), server).done().tickets()[0]
    again = Pair(puppet_client(client_config(**tls12()), without_ems(), session=good), pair(server=server).server).run()
    assert_refused(again, Side.SERVER, A.HANDSHAKE_FAILURE, "resumed-ems-mismatch")


@pytest.mark.parametrize("sender", list(Side))
def test_extended_main_secret_cannot_be_added_to_a_session_or_taken_from_it(sender: Side) -> None:
    """RFC 7627 section 5.3: the session had it, so the resumption has it, whoever says otherwise."""
    settings = client_config(**tls12()), server_config(**tls12())
    session = pair(*settings).done().tickets()[0]
    assert session.extended_main_secret
    if sender is Side.CLIENT:
        attack = edit_client_hello(lambda hello: hello.extensions.pop(23))
    else:
        attack = edit_server_hello(lambda hello: hello.extensions.pop(23))
    attacked = middle(attack, *settings, session=session).run()
    assert_refused(attacked, sender.peer, A.HANDSHAKE_FAILURE, "resumed-ems-mismatch")
    weak = middle(lambda _, data: data, *settings, session=replace(session, extended_main_secret=False)).run()
    assert not weak.client.handshake_done
    assert weak.errors[Side.CLIENT].code == "resumed-ems-added"


# --- one party taken for another ------------------------------------------------------------------------------------


def switching(kind: HandshakeType, other: bytes) -> type[Handshake]:
    """A server that signs what it should say and says something else."""

    class Switching(Handshake):
        __slots__ = ()

        def send_raw(self, found: HandshakeType, raw: bytes) -> None:
            self.transcript.add(raw)
            self.queue(found, other if found is kind else raw)

    return Switching


@pytest.mark.parametrize("version", [0x0304, 0x0303])
def test_a_certificate_cannot_be_exchanged_for_another_with_the_same_key(
    version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Identity misbinding, duplicate signature keys: signature and Finished cover the certificate itself."""
    other = certificate(key("p256"), "bank.example", "localhost")
    shown = Certificate((CertificateEntry(other),)).encode() if version == 0x0304 else Certificate12((other,)).encode()
    client = client_config(versions=(version,))
    server = server_config(versions=(version,), certificate_compression=())
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "Handshake", switching(H.CERTIFICATE, shown))
        switched = ServerConnection(server)
    attacked = Pair(ClientConnection(client, "localhost"), switched).run()
    assert not attacked.client.handshake_done
    if version == 0x0304:
        assert_refused(attacked, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")
    else:
        assert_refused(attacked, Side.SERVER, A.BAD_RECORD_MAC)


def test_an_impostor_does_not_learn_who_the_client_is() -> None:
    """The client's certificate is shown to a server that was verified, and to nobody before."""

    class Refuser:
        def verify(self, *_: object, **__: object) -> None:
            raise ConfigurationError("not the one that was asked for")

    for version in (0x0304, 0x0303):
        client = client_config(
            versions=(version,), credentials=(client_credential(),), verifier=Refuser(), certificate_compression=()
        )
        server = server_config(versions=(version,), client_verifier=DangerousAcceptAnyCertificate())
        refused = pair(client, server).run()
        assert not refused.server.handshake_done
        assert refused.server.agreed.peer_chain == ()
        assert client_credential().chain[0] not in b"".join(refused.wire[Side.CLIENT])


def test_a_clients_certificate_is_not_used_for_static_diffie_hellman() -> None:
    """Key compromise impersonation (2015): a server that has stolen the client's key asks for rsa_fixed_ecdh."""

    def ask(raw: bytes) -> tuple[bytes]:
        request = CertificateRequest12.parse(raw)
        request.certificate_types = (65, 66)
        return (request.encode(),)

    attacked = middle(replace_messages(Side.SERVER, H.CERTIFICATE_REQUEST, ask), *asked()).run()
    flight = messages(records(attacked.wire[Side.CLIENT][1])[0].body)
    exchange = next(raw for raw in flight if raw[0] == H.CLIENT_KEY_EXCHANGE)
    assert len(ClientKeyExchange.parse(exchange).share()) == 32  # a fresh share, not an empty message
    assert attacked.server.agreed.peer_chain == ()  # and no certificate that somebody could hold the key of
    (request,) = [
        CertificateRequest12.parse(raw)
        for raw in messages(records(attacked.wire[Side.SERVER][0])[0].body)
        if raw[0] == H.CERTIFICATE_REQUEST
    ]
    assert set(request.certificate_types) == {1, 64}  # nor does our server ask for it


# --- Selfie ---------------------------------------------------------------------------------------------------------


def reflected(client_keys: tuple[ExternalPsk, ...], server_keys: tuple[ExternalPsk, ...]) -> Pair:
    """A node's own offer, sent back to the node itself as if it came from its partner."""
    client = client_config(external_psks=client_keys, verifier=None)
    server = server_config(external_psks=server_keys, credentials=())
    return pair(client, server).run()


def test_a_node_is_not_made_to_talk_to_itself() -> None:
    """Selfie (2019): keys imported with who is client and who is server in their context (RFC 9257, RFC 9258)."""
    as_client = import_psk(b"shared", b"k" * 32, b"client=alice,server=bob")
    as_server = import_psk(b"shared", b"k" * 32, b"client=bob,server=alice")
    assert_refused(reflected(as_client, as_server), Side.SERVER, A.HANDSHAKE_FAILURE, "psk-unknown")
    # One key for both roles is what the attack needs; that nobody does so is up to who hands out the keys.
    both = (ExternalPsk(identity=b"shared", key=b"k" * 32),)
    assert reflected(both, both).server.handshake_done

"""The story that an observer hears: complete, the same on both sides, and without influence on the wire."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import pytest

from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side, name_of
from glasslock.tls import Connection, DangerousAcceptAnyCertificate
from glasslock.tls.keys.key_schedule import fingerprint
from glasslock.trace import (
    AlertReceived,
    AlertSent,
    CertificatesReceived,
    ConnectionClosed,
    DataReceived,
    DataSent,
    Decided,
    HandshakeCompleted,
    KeyExchanged,
    KeysInstalled,
    MessageReceived,
    MessageSent,
    Outcome,
    RecordReceived,
    RecordSent,
    Refused,
    SecretDerived,
    SignatureChecked,
    Step,
    TraceRecord,
)

from .decryptor import records
from .early_world import World
from .minted import client_credential, credential
from .pair import Pair, client_config, pair, server_config
from .puppet import change, puppet_server, send_record

A, H = AlertDescription, HandshakeType


class Story:
    """What both observers of a pair heard."""

    def __init__(self, connected: Pair, heard: dict[Side, list[TraceRecord]]) -> None:
        self.pair = connected
        self.heard = heard

    def of(self, side: Side, kind: type[Any]) -> list[Any]:
        return [record for record in self.heard[side] if isinstance(record, kind)]


def observed(client: Any = None, server: Any = None, **arguments: Any) -> Story:
    """A pair with an observer on each side, not yet run."""
    heard: dict[Side, list[TraceRecord]] = {Side.CLIENT: [], Side.SERVER: []}
    connected = pair(
        client_config(observer=heard[Side.CLIENT].append, **client or {}),
        server_config(observer=heard[Side.SERVER].append, **server or {}),
        **arguments,
    )
    return Story(connected, heard)


VARIETIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "retry": ({"key_shares": ()}, {}),
    "client certificate": ({"credentials": True}, {"client_verifier": DangerousAcceptAnyCertificate()}),
    "small records": ({"record_size_limit": 64}, {"record_size_limit": 64}),
    "without compatibility": ({"middlebox_compatibility": False}, {}),
}


def variety(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    client, server = VARIETIES[name]
    if client.get("credentials"):
        client = client | {"credentials": (client_credential(),)}
    return client, server


def whole_life(story: Story) -> Story:
    """Handshake, data, new keys, and an end in order."""
    story.pair.done().talk()
    story.pair.client.update_keys(request_peer=True)
    story.pair.run()
    story.pair.talk()
    story.pair.client.close()
    story.pair.run()
    story.pair.server.close()
    story.pair.run()
    return story


# --- complete -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIETIES)
def test_every_record_is_told_on_both_sides(name: str) -> None:
    """What one side tells to have sent is what was on the wire, and what the other tells to have received."""
    story = whole_life(observed(*variety(name)))
    for side in Side:
        sent = [record.raw for record in story.of(side, RecordSent)]
        assert sent == [header + body for header, body in records(b"".join(story.pair.wire[side]))]
        received = story.of(side.peer, RecordReceived)
        assert [record.raw for record in received] == sent
        told = [(r.content_type, r.length, r.protected, r.epoch) for r in story.of(side, RecordSent)]
        assert told == [(r.content_type, r.length, r.protected, r.epoch) for r in received]


@pytest.mark.parametrize("name", VARIETIES)
def test_every_message_is_told_on_both_sides(name: str) -> None:
    story = whole_life(observed(*variety(name)))
    for side in Side:
        sent = [(m.message, m.raw, m.step) for m in story.of(side, MessageSent)]
        assert sent == [(m.message, m.raw, m.step) for m in story.of(side.peer, MessageReceived)]
        assert [name for name, _, _ in sent] == [name_of(HandshakeType, raw[0]) for _, raw, _ in sent]
        carried = sum(r.length for r in story.of(side, RecordSent) if r.content_type == ContentType.HANDSHAKE)
        assert carried == sum(len(raw) for _, raw, _ in sent)


def test_the_messages_of_a_full_handshake_in_order() -> None:
    story = whole_life(observed(*variety("client certificate")))
    assert [m.message for m in story.of(Side.CLIENT, MessageSent)] == [
        "client_hello",
        "compressed_certificate",
        "certificate_verify",
        "finished",
        "key_update",
    ]
    assert [m.message for m in story.of(Side.SERVER, MessageSent)] == [
        "server_hello",
        "encrypted_extensions",
        "certificate_request",
        "compressed_certificate",
        "certificate_verify",
        "finished",
        "new_session_ticket",
        "key_update",
    ]


def test_all_data_and_alerts_are_told() -> None:
    story = whole_life(observed())
    for side in Side:
        sent = b"".join(record.data for record in story.of(side, DataSent))
        assert sent == b"".join(record.data for record in story.of(side.peer, DataReceived)) != b""
        alerts = [(alert.level, alert.description) for alert in story.of(side, AlertSent)]
        assert alerts == [(alert.level, alert.description) for alert in story.of(side.peer, AlertReceived)] == [(1, 0)]
        assert [record.clean for record in story.of(side, ConnectionClosed)] == [True]


@pytest.mark.parametrize("name", VARIETIES)
def test_both_sides_derive_the_same_secrets(name: str) -> None:
    """Fingerprints agree, label by label, and none of them is told twice with another value."""
    story = whole_life(observed(*variety(name)))
    told = {side: {r.label: r.fingerprint for r in story.of(side, SecretDerived)} for side in Side}
    assert told[Side.CLIENT] == told[Side.SERVER]
    assert set(told[Side.CLIENT]) >= {
        "early secret",
        "handshake secret",
        "client handshake traffic",
        "server handshake traffic",
        "main secret",
        "client application traffic",
        "server application traffic",
        "exporter",
        "resumption",
        "next application traffic",
    }
    for side in Side:
        updates = [r.fingerprint for r in story.of(side, SecretDerived) if r.label.startswith("next")]
        assert len(set(updates)) == len(updates) == 2
    exchanged = {side: story.of(side, KeyExchanged)[0] for side in Side}
    assert exchanged[Side.CLIENT].fingerprint == exchanged[Side.SERVER].fingerprint
    assert exchanged[Side.CLIENT].own_share == exchanged[Side.SERVER].peer_share
    assert exchanged[Side.CLIENT].peer_share == exchanged[Side.SERVER].own_share


def test_secrets_are_told_as_fingerprints_only() -> None:
    story = whole_life(observed())
    secrets = [story.pair.client.agreed.exporter_secret, story.pair.client._hs.resumption_secret]
    text = repr(story.heard) + "".join(repr(getattr(r, "raw", b"")) for r in story.heard[Side.CLIENT])
    for secret in secrets:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
        assert fingerprint(secret) in text


def test_keys_are_told_when_they_are_installed() -> None:
    story = whole_life(observed())
    for side in Side:
        installed = [(record.direction, record.epoch) for record in story.of(side, KeysInstalled)]
        assert Counter(installed) == Counter(
            {
                ("send", "handshake"): 1,
                ("receive", "handshake"): 1,
                ("send", "application"): 2,
                ("receive", "application"): 2,
            }
        )


def test_early_data_is_told() -> None:
    heard: list[TraceRecord] = []
    world = World(observer=heard.append)
    heard.clear()
    connected = world.again()
    connected.client.send_early_data(b"early bird")
    connected.done()
    story = Story(connected, {Side.SERVER: heard, Side.CLIENT: []})
    assert [record.data for record in story.of(Side.SERVER, DataReceived)] == [b"early bird"]
    assert "early data" in {record.epoch for record in story.of(Side.SERVER, RecordReceived)}
    decided = {record.what: record.chosen for record in story.of(Side.SERVER, Decided)}
    assert decided["early_data"] == "accepted"
    assert decided["resumption"] == "session ticket"
    assert story.of(Side.SERVER, HandshakeCompleted)[0].early_data


# --- decisions -----------------------------------------------------------------------------------------------


def test_what_was_decided_and_from_what() -> None:
    story = whole_life(observed({"alpn_protocols": ("h2", "http/1.1")}, {"alpn_protocols": ("http/1.1",)}))
    for side in Side:
        decided = {record.what: record for record in story.of(side, Decided)}
        assert {"version", "cipher_suite", "group", "alpn"} <= set(decided)
        assert decided["version"].chosen == "tls_1_3"
        assert decided["cipher_suite"].chosen == "tls_aes_128_gcm_sha256"
        assert decided["group"].chosen == "x25519"
        assert decided["alpn"].chosen == "http/1.1"
        for record in decided.values():
            assert record.why
            assert not record.offered or record.chosen in record.offered or record.what == "certificate"
    certificate = next(r for r in story.of(Side.SERVER, Decided) if r.what == "certificate")
    assert (certificate.chosen, certificate.step) == ("localhost", Step.IDENTIFY)


def test_who_was_shown_and_whether_it_was_proved() -> None:
    story = whole_life(observed(*variety("client certificate")))
    for side, chain in ((Side.CLIENT, credential().chain), (Side.SERVER, client_credential().chain)):
        assert [record.chain for record in story.of(side, CertificatesReceived)] == [chain]
        checked = story.of(side, SignatureChecked)
        assert [(record.outcome, record.scheme) for record in checked] == [(Outcome.PASSED, 0x0403)]
        completed = story.of(side, HandshakeCompleted)
        assert len(completed) == 1
        assert completed[0].client_authenticated


def test_a_wrong_signature_is_told_as_failed() -> None:
    heard: list[TraceRecord] = []
    server = puppet_server(server_config(), change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "signature", b"x")))
    connected = Pair(pair(client_config(observer=heard.append)).client, server).run()
    story = Story(connected, {Side.CLIENT: heard, Side.SERVER: []})
    assert [record.outcome for record in story.of(Side.CLIENT, SignatureChecked)] == [Outcome.FAILED]
    refused = story.of(Side.CLIENT, Refused)
    assert [(r.code, r.alert, r.step) for r in refused] == [("bad-signature", "decrypt_error", Step.AGREE)]
    assert refused[0].rule.startswith("RFC 9846 section 4.5.2")
    assert [(a.level, a.description) for a in story.of(Side.CLIENT, AlertSent)] == [(2, A.DECRYPT_ERROR)]
    assert [record.clean for record in story.of(Side.CLIENT, ConnectionClosed)] == [False]
    assert story.of(Side.CLIENT, HandshakeCompleted) == []


def test_the_end_is_told_whatever_it_is() -> None:
    story = observed()
    story.pair.done()
    with pytest.raises(Exception, match="close_notify"):
        story.pair.client.receive_eof()
    assert [r.problem for r in story.of(Side.CLIENT, ConnectionClosed)] == [str(story.pair.client.failure.message)]  # type: ignore[union-attr]
    story = observed()
    story.pair.done()
    send_record(story.pair.client, ContentType.ALERT, bytes((2, A.INTERNAL_ERROR)))
    story.pair.run()
    closed = story.of(Side.SERVER, ConnectionClosed)
    assert [(record.clean, record.problem) for record in closed] == [
        (False, "the peer sent the fatal alert internal_error")
    ]


# --- the form of records ----------------------------------------------------------------------------------------


def test_every_record_knows_its_time_side_and_step() -> None:
    story = whole_life(observed(*variety("client certificate")))
    for side in Side:
        for record in story.heard[side]:
            assert record.side is side
            assert record.time == 1_800_000_000.0
            assert record.step in Step
            assert record.step is not Step.REACH


# --- no influence ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VARIETIES)
def test_an_observer_changes_nothing_on_the_wire(name: str) -> None:
    """The same number of writes, of records, of the same types and lengths (signatures vary, keys do as well)."""

    def shape(observer: bool) -> dict[Side, list[list[tuple[int, int]]]]:
        client, server = variety(name)
        fixed = {"credentials": (credential("ed25519"),)}  # signatures of one length
        if "credentials" in client:
            client = client | {"credentials": (client_credential("ed25519"),)}
        if observer:
            story = observed(client, server | fixed)
        else:
            story = Story(pair(client_config(**client), server_config(**server | fixed)), {})
        connected = whole_life(story).pair
        return {
            side: [[(header[0], len(body)) for header, body in records(data)] for data in connected.wire[side]]
            for side in Side
        }

    assert shape(observer=True) == shape(observer=False)


def test_an_observed_connection_leaves_nothing_to_the_garbage_collector() -> None:
    """Nothing of it leads back to it: it is freed when its user lets go of it."""

    def connections() -> int:
        return sum(isinstance(one, Connection) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = connections()
        story = whole_life(observed())
        assert connections() == before + 2
        del story
        assert connections() == before
    finally:
        gc.enable()

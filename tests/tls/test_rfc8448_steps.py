"""RFC 8448, each step for itself: secrets, keys, messages and records as the RFC prints them."""

from __future__ import annotations

import re

import pytest

from glasslock.registry import HandshakeType, Side
from glasslock.tls.keys.hkdf import hash_function
from glasslock.tls.keys.key_schedule import (
    EXTERNAL_BINDER,
    RESUMPTION_BINDER,
    KeySchedule,
    finished_mac,
    resumption_psk,
    traffic_key_and_iv,
)
from glasslock.tls.keys.signatures import signed_content, verify
from glasslock.tls.keys.suites import SUITES_13
from glasslock.tls.keys.transcript import Transcript
from glasslock.tls.protection import Protection13
from glasslock.tls.wire.messages import HELLO_RETRY_REQUEST_RANDOM, Certificate, CertificateVerify, ServerHello

from .puppet import CLASSES
from .traces import NAMES, trace

SHA256 = hash_function("sha256")
AES_128 = SUITES_13[0x1301]  # the suite of every trace


@pytest.mark.parametrize("name", NAMES)
def test_extract(name: str) -> None:
    """HKDF-Extract of the key schedule (RFC 9846 section 7.1)."""
    steps = trace(name).find("extract secret")
    assert len(steps) == 3
    for values in steps:
        assert SHA256.extract(values["salt"], values["IKM"]) == values["secret"]


@pytest.mark.parametrize("name", NAMES)
def test_derive_secret(name: str) -> None:
    """Derive-Secret with the label of the step, and the HkdfLabel that it stands for (RFC 9846 section 7.1)."""
    steps = [step for step in trace(name).steps if step.values and step.what.startswith("derive secret")]
    assert len(steps) >= 7
    for step in steps:
        label = re.search('"tls13 (.*?)"', step.what)
        assert label is not None
        values = step.values
        assert SHA256.derive_secret(values["PRK"], label[1].encode(), values["hash"]) == values["expanded"]
        assert SHA256.expand(values["PRK"], values["info"], 32) == values["expanded"]


@pytest.mark.parametrize("name", NAMES)
def test_traffic_keys(name: str) -> None:
    """Key and IV of each direction and epoch (RFC 9846 section 7.3)."""
    steps = trace(name).find("derive (read|write) traffic keys")
    assert len(steps) >= 3
    for values in steps:
        assert traffic_key_and_iv(AES_128, values["PRK"]) == (values["key expanded"], values["iv expanded"])


@pytest.mark.parametrize("name", NAMES)
def test_finished(name: str) -> None:
    """verify_data of both sides over the transcript of the trace (RFC 9846 section 4.5.3)."""
    found = trace(name)
    secrets = {step.what: step.values for step in found.steps if step.values}
    transcript = Transcript()
    transcript.start("sha256")
    checked = 0
    for kind, raw in transcript_of(name):
        if kind == "Finished":
            side = "s" if checked == 0 else "c"
            secret = secrets[f'derive secret "tls13 {side} hs traffic"']["expanded"]
            assert finished_mac(SHA256, secret, transcript.digest()) == raw[4:]
            checked += 1
        transcript.add(raw)
    assert checked == 2


@pytest.mark.parametrize("name", NAMES)
def test_transcript_hashes(name: str) -> None:
    """The hash at ServerHello, at the server's and at the client's Finished (RFC 9846 section 4.1)."""
    found = trace(name)
    transcript = Transcript()
    transcript.start("sha256")
    finished = 0
    for kind, raw in transcript_of(name):
        transcript.add(raw)
        if kind == "ServerHello":
            if raw[6:38] != HELLO_RETRY_REQUEST_RANDOM:
                for label in ("c hs traffic", "s hs traffic"):
                    assert found.find(f'derive secret "tls13 {label}"')[0]["hash"] == transcript.digest()
        elif kind == "Finished":
            finished += 1
            for label in ("c ap traffic", "s ap traffic", "exp master") if finished == 1 else ("res master",):
                assert found.find(f'derive secret "tls13 {label}"')[0]["hash"] == transcript.digest()
    assert finished == 2


def transcript_of(name: str) -> list[tuple[str, bytes]]:
    """The messages that are hashed: with a retry the first ClientHello is replaced by its hash."""
    messages = [(kind, raw) for kind, raw in trace(name).messages() if kind != "NewSessionTicket"]
    # The RFC prints ClientHello in 0-RTT before its binder is filled in; what is hashed is what was sent.
    sent = trace(name).find("send handshake record", "client")[0]["payload"]
    if name == "hello-retry-request":
        transcript = Transcript()
        transcript.add(sent)
        transcript.add(messages[1][1])
        transcript.retry("sha256")
        synthetic, request = transcript._messages
        assert synthetic[:4] == bytes((HandshakeType.MESSAGE_HASH, 0, 0, 32))
        return [("message_hash", synthetic), ("ServerHello", request), *messages[2:]]
    return [("ClientHello", sent), *messages[1:]]


def test_key_schedule_of_a_full_handshake() -> None:
    """`KeySchedule` from top to bottom with the inputs of section 3."""
    found = trace("simple-1rtt")
    shared = found.find('extract secret "handshake"')[0]["IKM"]

    def secret(label: str) -> tuple[bytes, bytes]:
        values = found.find(f'derive secret "tls13 {label}"')[0]
        return values["hash"], values["expanded"]

    schedule = KeySchedule("sha256")
    schedule.mix_shared_secret(shared)
    for label in ("c hs traffic", "s hs traffic"):
        digest, expected = secret(label)
        assert schedule.derive(label.encode(), digest) == expected
    schedule.mix_nothing()
    for label in ("c ap traffic", "s ap traffic", "exp master", "res master"):
        digest, expected = secret(label)
        assert schedule.derive(label.encode(), digest) == expected
    ticket = found.find("generate resumption secret")[0]
    assert resumption_psk(SHA256, ticket["PRK"], ticket["hash"]) == ticket["expanded"]
    assert ticket["PRK"] == secret("res master")[1]


def test_early_secrets_and_binder() -> None:
    """What is made of the PSK before the server answers (section 4; RFC 9846 section 4.3.11.2)."""
    found = trace("resumed-0rtt")
    psk = trace("simple-1rtt").find("generate resumption secret")[0]["expanded"]
    assert found.find('extract secret "early"')[0]["IKM"] == psk
    schedule = KeySchedule("sha256", psk)
    values = found.find("calculate PSK binder")[0]
    assert schedule.derive(RESUMPTION_BINDER, SHA256.empty) == values["PRK"]
    assert schedule.derive(EXTERNAL_BINDER, SHA256.empty) != values["PRK"]
    sent = found.find("send handshake record", "client")[0]["payload"]
    transcript = Transcript()
    transcript.add(sent)
    digest = transcript.digest_without_end("sha256", len(sent) - len(values["ClientHello prefix"]))
    assert digest == values["binder hash"]
    assert Transcript().digest_with("sha256", values["ClientHello prefix"]) == digest
    assert schedule.binder(RESUMPTION_BINDER, digest) == values["finished"] == sent[-32:]
    for label in ("c e traffic", "e exp master"):
        step = found.find(f'derive secret "tls13 {label}"')[0]
        assert step["hash"] == SHA256.new(sent).digest()
        assert schedule.derive(label.encode(), step["hash"]) == step["expanded"]


@pytest.mark.parametrize("name", NAMES)
def test_messages_parse_and_encode(name: str) -> None:
    """Every message, parsed and written again, is the same bytes."""
    seen = set()
    for _, raw in trace(name).messages():
        kind = HandshakeType(raw[0])
        if kind is HandshakeType.CLIENT_HELLO and name == "resumed-0rtt":
            raw = trace(name).find("send handshake record", "client")[0]["payload"]  # noqa: PLW2901 (with its binder)
        assert CLASSES[kind].parse(raw).encode() == raw
        seen.add(kind)
    assert {HandshakeType.CLIENT_HELLO, HandshakeType.SERVER_HELLO, HandshakeType.FINISHED} < seen


@pytest.mark.parametrize("name", [name for name in NAMES if name != "resumed-0rtt"])
def test_certificate_verify(name: str) -> None:
    """The signatures of the traces, over the transcript and the words around it (RFC 9846 section 4.5.2)."""
    from cryptography.x509 import load_der_x509_certificate

    transcript = Transcript()
    transcript.start("sha256")
    leaf = None
    signers = iter((Side.SERVER, Side.CLIENT))
    checked = 0
    for kind, raw in transcript_of(name):
        if kind == "Certificate":
            leaf = load_der_x509_certificate(Certificate.parse(raw).entries[0].data).public_key()
        if kind == "CertificateVerify":
            proof = CertificateVerify.parse(raw)
            key_kind = {0x0403: "p256", 0x0804: "rsa"}[proof.scheme]
            content = signed_content(next(signers), transcript.digest())
            verify(leaf, key_kind, proof.scheme, proof.signature, content, 0x0304)
            checked += 1
        transcript.add(raw)
    assert checked == (2 if name == "client-authentication" else 1)


def test_hello_retry_request_is_recognised() -> None:
    request = ServerHello.parse(trace("hello-retry-request").message("ServerHello"))
    assert request.is_retry_request
    assert not ServerHello.parse(trace("simple-1rtt").message("ServerHello")).is_retry_request


@pytest.mark.parametrize("name", NAMES)
def test_records(name: str) -> None:
    """Each protected record: our sealing gives its bytes, our opening its content (RFC 9846 section 5.2)."""
    keys: dict[tuple[str, str], tuple[bytes, bytes]] = {}
    for step in trace(name).steps:
        kind = re.match("derive (read|write) traffic keys for (.*? data)", step.what)
        if kind and step.values:
            writer = step.who if kind[1] == "write" else {"client": "server", "server": "client"}[step.who]
            keys[writer, kind[2]] = step.values["key expanded"], step.values["iv expanded"]
    sealing: dict[str, Protection13] = {}
    opening: dict[str, Protection13] = {}
    checked = 0
    for step in trace(name).steps:
        change = re.match("derive write traffic keys for (.*? data)", step.what)
        if change:
            sealing[step.who] = Protection13(AES_128, *keys[step.who, change[1]], "test")
            opening[step.who] = Protection13(AES_128, *keys[step.who, change[1]], "test")
        sent = re.match("send (.*) record", step.what)
        if not sent:
            continue
        record, payload = step.values["complete record"], step.values["payload"]
        if record[0] != 23:
            assert record[5:] == payload
            continue
        content_type = {"handshake": 22, "application_data": 23, "alert": 21}[sent[1]]
        assert sealing[step.who].seal(content_type, payload) == record
        assert opening[step.who].open(record[:5], record[5:]) == (content_type, payload)
        checked += 1
    assert checked >= 4

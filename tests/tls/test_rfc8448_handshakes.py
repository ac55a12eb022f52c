"""RFC 8448, whole handshakes: with the RFC's keys our client and our server send the RFC's records.

Where the RFC's stack writes something that we write in another order or not at all (the two hellos,
EncryptedExtensions, the ticket), the recorded message is sent in place of ours; everything that follows
from keys, transcript and messages has to come out by itself, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.registry import ExtensionType, HandshakeType, NamedGroup, Side
from glasslock.tls import Connection, Credential, DangerousAcceptAnyCertificate, MemoryReplayGuard, Session
from glasslock.tls.handshake.tickets import TicketContent
from glasslock.tls.keys import groups
from glasslock.tls.wire.messages import Certificate, CertificateVerify, ClientHello, NewSessionTicket, ServerHello

from .pair import Clock, Pair, client_config, server_config
from .puppet import Alter, puppet_client, puppet_server
from .traces import NAMES, Trace, trace

X25519, P256 = NamedGroup.X25519, NamedGroup.SECP256R1
NOW = 1_800_000_000.0


class FixedX25519:
    """One half of a key exchange with a private key from the RFC."""

    def __init__(self, private: bytes) -> None:
        self._key = x25519.X25519PrivateKey.from_private_bytes(private)
        self.share = self._key.public_key().public_bytes_raw()

    def finish(self, peer_share: bytes) -> bytes:
        return self._key.exchange(x25519.X25519PublicKey.from_public_bytes(peer_share))


class FixedP256:
    """The same on P-256."""

    def __init__(self, private: bytes) -> None:
        self._key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
        self.share = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def finish(self, peer_share: bytes) -> bytes:
        return self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), peer_share))


@dataclass
class Recorded:
    """Gives the recorded signature, if the recorded scheme is asked for (RSA-PSS and ECDSA are randomized)."""

    proof: CertificateVerify

    def sign(self, scheme: int, content: bytes) -> bytes:
        assert scheme == self.proof.scheme
        assert content.startswith(b" " * 64 + b"TLS 1.3, ")
        return self.proof.signature


def recorded_credential(found: Trace, who: str) -> Credential:
    chain = [entry.data for entry in Certificate.parse(found.message("Certificate", who)).entries]
    return Credential.from_signer(chain, Recorded(CertificateVerify.parse(found.message("CertificateVerify", who))))


def in_place(messages: dict[HandshakeType, list[bytes]], check: Callable[[bytes, bytes], None]) -> Alter:
    """Sends recorded messages in place of ours, one after the other."""
    waiting = {kind: iter(raws) for kind, raws in messages.items()}

    def alter(kind: HandshakeType, raw: bytes) -> Iterable[bytes]:
        if kind not in waiting:
            return (raw,)
        recorded = next(waiting[kind])
        check(raw, recorded)
        return (recorded,)

    return alter


def constant(*values: bytes) -> Callable[[int], bytes]:
    """`random` for a config: these values, one after the other; zeros afterwards."""
    rest = iter(values)
    return lambda length: next(rest, bytes(length))


def hello_payloads(found: Trace) -> list[bytes]:
    return [values["payload"] for values in found.find("send handshake record", "client") if values["payload"][0] == 1]


def close(connection: Connection) -> bytes:
    connection.close()
    return connection.data_to_send()


# --- our client ------------------------------------------------------------------------------------


def replaying_client(name: str, session: Session | None = None) -> Pair:
    """Our client against the recorded server; both hellos are the recorded ones."""
    found = trace(name)
    hellos = hello_payloads(found)
    first = ClientHello.parse(hellos[0])
    privates = found.private_keys("client")
    makers = {X25519: lambda: FixedX25519(privates[0]), P256: lambda: FixedP256(privates[1])}
    config = client_config(
        groups=(X25519, P256, NamedGroup.SECP384R1, NamedGroup.SECP521R1),
        key_shares=(X25519,),
        generate_key=lambda group: makers[NamedGroup(group)](),
        random=constant(first.random, first.session_id),
        record_size_limit=16385,
        middlebox_compatibility=name == "compatibility-mode",
        credentials=(recorded_credential(found, "client"),) if name == "client-authentication" else (),
        clock=Clock(NOW),
    )

    def check(ours: bytes, recorded: bytes) -> None:
        """The same shares; what differs are the extensions that either stack adds, and their order."""
        mine, theirs = ClientHello.parse(ours), ClientHello.parse(recorded)
        for extension in (0, 43, 45, 51, 42, 44, 28):  # of the ones that both have, values are equal
            if extension in theirs.extensions:
                assert mine.extensions[extension] == theirs.extensions[extension]
        assert (mine.random, mine.session_id) == (theirs.random, theirs.session_id)
        if 41 in theirs.extensions:
            assert mine.extensions[41][2:] != b""

    alter = in_place({HandshakeType.CLIENT_HELLO: hellos}, check)
    client = puppet_client(config, alter, name="server", session=session, early_data=session is not None)
    return Pair(client, server=None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "resumed-0rtt"])
def test_our_client_sends_the_records_of_the_rfc(name: str) -> None:
    found = trace(name)
    replay = replaying_client(name)
    theirs, ours = found.records("server"), b"".join(found.records("client"))
    sent = replay.client.data_to_send()
    data = [values["payload"] for values in found.find("send application_data record", "client")]
    for record in theirs[:-1]:
        replay.deliver(Side.CLIENT, record)
        sent += replay.client.data_to_send()
    assert replay.errors == {}
    assert replay.client.handshake_done
    for payload in data:
        replay.client.send_data(payload)
    sent += replay.client.data_to_send() + close(replay.client)
    assert sent == ours
    replay.deliver(Side.CLIENT, theirs[-1])
    assert replay.client.peer_closed
    received = b"".join(values["payload"] for values in found.find("send application_data record", "server"))
    assert replay.received(Side.CLIENT) == received
    assert replay.client.agreed.exporter_secret == found.find('derive secret "tls13 exp master"')[0]["expanded"]
    assert replay.client._hs.resumption_secret == found.find('derive secret "tls13 res master"')[0]["expanded"]


def test_our_client_reads_the_ticket_of_the_rfc() -> None:
    replay = replaying_client("simple-1rtt")
    for record in trace("simple-1rtt").records("server")[:3]:
        replay.deliver(Side.CLIENT, record)
    assert replay.errors == {}
    session = replay.tickets()[0]
    assert session == rfc_session()


def rfc_session() -> Session:
    """What the ticket of section 3 leaves for section 4."""
    found = trace("simple-1rtt")
    ticket = NewSessionTicket.parse(found.message("NewSessionTicket"))
    return Session(
        version=0x0304,
        cipher_suite=0x1301,
        psk=found.find("generate resumption secret")[0]["expanded"],
        ticket=ticket.ticket,
        server_name="server",
        issued_at=NOW,
        lifetime=30,
        age_add=ticket.age_add,
        max_early_data=1024,
        peer_chain=recorded_credential(found, "server").chain,
        group=X25519,
        signature_scheme=0x0804,
    )


def test_our_client_resumes_with_early_data_as_in_the_rfc() -> None:
    found = trace("resumed-0rtt")
    theirs, ours = found.records("server"), found.records("client")
    replay = replaying_client("resumed-0rtt", session=rfc_session())
    assert replay.client.early_data_room == 1024
    assert replay.client.send_early_data(b"ABCDEF") == 6
    sent = replay.client.data_to_send()
    assert sent == ours[0] + ours[1]
    for record in theirs[:-1]:
        replay.deliver(Side.CLIENT, record)
        sent += replay.client.data_to_send()
    assert replay.errors == {}
    assert replay.client.agreed.early_data_accepted
    assert replay.client.agreed.resumed
    replay.client.send_data(bytes(range(50)))
    sent += replay.client.data_to_send() + close(replay.client)
    assert sent == b"".join(ours)
    early = found.find('derive secret "tls13 e exp master"')[0]["expanded"]
    assert replay.client.agreed.early_exporter_secret == early


# --- our server ------------------------------------------------------------------------------------


class RecordedTicketKeys:
    """Opens the RFC's ticket, which only its own stack can open, to what it must hold."""

    def open(self, ticket: bytes) -> bytes:
        assert ticket == rfc_session().ticket
        session = rfc_session()
        return TicketContent(
            version=session.version,
            cipher_suite=session.cipher_suite,
            psk=session.psk,
            issued_at=int(NOW * 1000),
            age_add=session.age_add,
            max_early_data=session.max_early_data,
            server_name="server",
            alpn="",
            client_chain=(),
        ).encode()

    def seal(self, plaintext: bytes) -> bytes:
        return plaintext


class RecordedCookieKeys:
    """Seals every state into the RFC's cookie."""

    def seal(self, plaintext: bytes) -> bytes:
        request = ServerHello.parse(trace("hello-retry-request").message("ServerHello"))
        return request.extensions[ExtensionType.COOKIE][2:]


def replaying_server(name: str, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Our server against the recorded client."""
    found = trace(name)
    private = found.private_keys("server")[0]
    group = P256 if name == "hello-retry-request" else X25519
    fixed = FixedP256 if group is P256 else FixedX25519
    monkeypatch.setitem(groups.CLASSICAL, group, lambda: fixed(private))
    hellos = [values["ServerHello"] for values in found.find("construct a ServerHello")]
    resumed = name == "resumed-0rtt"
    settings: dict[str, Any] = {}
    if resumed:
        settings |= {"max_early_data": 1024, "replay_guard": MemoryReplayGuard(), "ticket_keys": RecordedTicketKeys()}
    if name == "hello-retry-request":
        settings["cookie_keys"] = RecordedCookieKeys()
    if name == "client-authentication":
        settings["client_verifier"] = DangerousAcceptAnyCertificate()
    config = server_config(
        middlebox_compatibility=False,
        groups=(group,),
        credentials=() if resumed else (recorded_credential(found, "server"),),
        random=constant(ServerHello.parse(hellos[-1]).random),
        tickets=1 if name == "simple-1rtt" else 0,
        clock=Clock(NOW),
        certificate_compression=(),
        **settings,
    )

    def check(ours: bytes, recorded: bytes) -> None:
        """Our ServerHello is the recorded one but for the order of its extensions."""
        if recorded[0] == HandshakeType.SERVER_HELLO:
            assert ServerHello.parse(ours) == ServerHello.parse(recorded)

    messages: dict[HandshakeType, list[bytes]] = {HandshakeType.SERVER_HELLO: hellos}
    for kind in ("EncryptedExtensions", "CertificateRequest", "NewSessionTicket"):
        values = found.find(f"construct an? {kind} ")
        if values:
            messages[HandshakeType(values[0][kind][0])] = [values[0][kind]]
    return Pair(client=None, server=puppet_server(config, in_place(messages, check)))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_our_server_sends_the_records_of_the_rfc(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = trace(name)
    replay = replaying_server(name, monkeypatch)
    theirs, ours = found.records("client"), b"".join(found.records("server"))
    sent = b""
    for record in theirs[:-1]:
        replay.deliver(Side.SERVER, record)
        sent += replay.server.data_to_send()
    assert replay.errors == {}
    assert replay.server.handshake_done
    for values in found.find("send application_data record", "server"):
        replay.server.send_data(values["payload"])
    sent += replay.server.data_to_send() + close(replay.server)
    assert sent == ours
    replay.deliver(Side.SERVER, theirs[-1])
    assert replay.server.peer_closed
    received = b"".join(values["payload"] for values in found.find("send application_data record", "client"))
    assert replay.received(Side.SERVER) == received
    agreed = replay.server.agreed
    assert agreed.server_name == "server"
    assert (agreed.resumed, agreed.early_data_accepted) == (name == "resumed-0rtt",) * 2
    assert agreed.retried == (name == "hello-retry-request")
    assert bool(agreed.peer_chain) == (name == "client-authentication")
    assert agreed.exporter_secret == found.find('derive secret "tls13 exp master"')[0]["expanded"]

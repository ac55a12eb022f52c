"""The server reads the outer hello only: the client learns the new keys in safety, and nothing else happens."""

from __future__ import annotations

import hashlib
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.errors import CertificateRefused, ECHRejected, PeerAlert
from glasslock.registry import AlertDescription, CertificateType, ExtensionType, HandshakeType, Side
from glasslock.tls import Credential, EarlyDataRefused, ECHKey, MemoryReplayGuard, TicketKeys, TicketReceived
from glasslock.tls.raw_keys import PinnedRawKeys
from glasslock.tls.wire.codec import u16, vector16
from glasslock.trace import TraceRecord

from .. import minted
from ..minted import client_credential, credential
from ..pair import Pair, assert_refused, client_config, server_config
from ..puppet import Alter, change, puppet_server
from .site import (
    P256,
    PUBLIC,
    SECRET,
    X25519,
    Verifier,
    assert_rejected,
    decisions,
    hellos,
    key,
    name_in,
    published,
    site,
    visit,
)

ECH = ExtensionType.ENCRYPTED_CLIENT_HELLO


@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
def test_rejection_and_the_way_back(retry: bool) -> None:
    trace: list[TraceRecord] = []
    theirs: list[TraceRecord] = []
    verifier = Verifier()
    groups = (X25519, P256)
    client = client_config(groups=groups, verifier=verifier, observer=trace.append)
    server = site(ech_keys=(key(1), key(2)), groups=(P256,) if retry else (X25519,), observer=theirs.append)
    pair = visit(client, server).run()
    error = assert_rejected(pair)
    assert error.public_name == PUBLIC
    assert error.retry_configs == published(key(1), key(2))
    assert "connect again" in str(error)
    assert verifier.names == [PUBLIC]
    assert pair.client.agreed.peer_chain == credential("p256", PUBLIC).chain
    assert pair.client.agreed.retried == retry
    # The server's handshake was one for the public name; then it heard why nothing follows.
    assert pair.server.agreed.server_name == PUBLIC
    assert not pair.server.agreed.ech_accepted
    heard = pair.errors[Side.SERVER]
    assert isinstance(heard, PeerAlert)
    assert heard.description == AlertDescription.ECH_REQUIRED
    assert decisions(trace) == ["offered", "rejected"]
    assert decisions(theirs) == ["rejected"]
    assert SECRET.encode() not in b"".join(pair.wire[Side.CLIENT] + pair.wire[Side.SERVER])
    # After a retry the second hello has the same extension: it is the outer one that counts now.
    assert len({hello.extensions[ECH] for hello in hellos(trace)}) == 1
    # And with the new keys it works.
    again = visit(client, server, configs=error.retry_configs).done().talk()
    assert again.client.agreed.ech_accepted
    assert verifier.names == [PUBLIC, SECRET]


def test_only_keys_marked_so_are_handed_out() -> None:
    old = ECHKey(config=key(1).config, private_key=key(1).private_key, retry=False)
    error = assert_rejected(visit(server=site(ech_keys=(old, key(2)))).run())
    assert error.retry_configs == published(key(2))
    # The old key still opens what was made for it.
    assert visit(server=site(ech_keys=(old, key(2))), configs=published(key(1))).done().client.agreed.ech_accepted


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)], ids=["1.3", "1.2"])
def test_a_server_that_knows_no_ech_has_switched_it_off(versions: tuple[int, ...]) -> None:
    verifier = Verifier()
    client = client_config(versions=(0x0304, 0x0303), verifier=verifier)
    pair = visit(client, site(ech_keys=(), versions=versions)).run()
    error = assert_rejected(pair)
    assert error.retry_configs == b""
    assert "without" in str(error)
    assert pair.client.agreed.version == versions[0]
    assert verifier.names == [PUBLIC]
    assert not [event for event in pair.events[Side.CLIENT] if isinstance(event, TicketReceived)]
    assert isinstance(pair.errors[Side.SERVER], PeerAlert)


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)], ids=["1.3", "1.2"])
def test_who_cannot_prove_the_public_name_hands_out_nothing(versions: tuple[int, ...]) -> None:
    class Refusing(Verifier):
        def verify(self, chain: object, server_name: str | None, **_: object) -> None:
            self.names.append(server_name)
            raise CertificateRefused(AlertDescription.UNKNOWN_CA, "unknown-ca", "nobody vouches for it")

    verifier = Refusing()
    client = client_config(versions=(0x0304, 0x0303), verifier=verifier)
    pair = visit(client, site(ech_keys=(), versions=versions)).run()
    error = assert_refused(pair, Side.CLIENT, AlertDescription.UNKNOWN_CA)
    assert not isinstance(error, ECHRejected)
    assert not hasattr(error, "retry_configs")
    assert verifier.names == [PUBLIC]


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)], ids=["1.3", "1.2"])
def test_the_public_name_does_not_learn_who_the_client_is(versions: tuple[int, ...]) -> None:
    """Section 6.1.7: an empty Certificate, whatever was asked for."""
    client = client_config(versions=(0x0304, 0x0303), credentials=(client_credential(),))
    pair = visit(client, site(ech_keys=(), versions=versions, client_verifier=Verifier())).run()
    assert_rejected(pair)
    assert pair.client.agreed.own_chain == ()
    assert pair.server.agreed.peer_chain == ()


def test_a_raw_public_key_is_not_shown_either() -> None:
    mine = minted.key("p256")
    spki = mine.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    asking = {
        "client_verifier": Verifier(),
        "peer_certificate_types": (CertificateType.RAW_PUBLIC_KEY, CertificateType.X509),
        "raw_key_verifier": PinnedRawKeys(hashlib.sha256(spki).digest()),
    }
    client = client_config(credentials=(Credential.from_raw_key(mine),))
    shown = visit(client, site(**asking)).done()
    assert shown.server.agreed.peer_chain == (spki,)
    pair = visit(client, site(ech_keys=(key(1),), **asking)).run()
    assert_rejected(pair)
    assert pair.server.agreed.peer_chain == ()


def test_early_data_goes_nowhere() -> None:
    keys, guard = TicketKeys(), MemoryReplayGuard()
    settings = {"max_early_data": 1000, "replay_guard": guard, "ticket_keys": keys}
    (session,) = visit(server=site(**settings)).done().tickets()
    for groups in ((X25519,), (P256,)):
        client = client_config(groups=(X25519, P256))
        pair = visit(client, site(ech_keys=(key(1),), groups=groups, **settings), session=session, early_data=True)
        assert pair.client.send_early_data(b"ahead") == 5
        pair.run()
        assert_rejected(pair)
        assert EarlyDataRefused() in pair.events[Side.CLIENT]
        assert not pair.client.agreed.resumed
        assert session.ticket not in b"".join(pair.wire[Side.CLIENT])


def test_a_tls_1_2_session_is_offered_in_neither_hello() -> None:
    versions = (0x0304, 0x0303)
    old = site(versions=(0x0303,), ech_keys=(), ticket_keys=TicketKeys())
    first = visit(client_config(versions=versions), old, configs=b"").done()
    (session,) = first.tickets()
    assert session.version == 0x0303
    assert session.ticket
    trace: list[TraceRecord] = []
    client = client_config(versions=versions, observer=trace.append)
    pair = visit(client, site(versions=versions), session=session).done()
    assert pair.client.agreed.ech_accepted
    assert not pair.client.agreed.resumed
    assert session.ticket not in b"".join(pair.wire[Side.CLIENT])
    (outer,) = hellos(trace)
    assert outer.extensions[ExtensionType.SESSION_TICKET] == b""
    assert name_in(outer) == PUBLIC


@pytest.mark.parametrize("configs", [b"", published()], ids=["open", "encrypted"])
def test_tls_1_2_resumes_nothing_that_was_not_offered(configs: bytes) -> None:
    """The session id is there for middleboxes; with ECH it stands in the outer hello as well."""
    trace: list[TraceRecord] = []
    client = visit(client_config(versions=(0x0304, 0x0303), observer=trace.append), configs=configs).client

    def edit(hello: Any) -> None:
        hello.session_id = hellos(trace)[0].session_id

    server = puppet_server(site(versions=(0x0303,), ech_keys=()), change(HandshakeType.SERVER_HELLO, edit))
    pair = Pair(client, server).run()
    assert_refused(pair, Side.CLIENT, AlertDescription.ILLEGAL_PARAMETER, "session-id-echo")


@pytest.mark.parametrize("extension", [ECH, ExtensionType.KEY_SHARE, ExtensionType.EARLY_DATA])
def test_tls_1_2_answers_nothing_that_tls_1_3_was_asked(extension: ExtensionType) -> None:
    client = visit(client_config(versions=(0x0304, 0x0303))).client

    def edit(hello: Any) -> None:
        hello.extensions[int(extension)] = published()

    server = puppet_server(site(versions=(0x0303,), ech_keys=()), change(HandshakeType.SERVER_HELLO, edit))
    pair = Pair(client, server).run()
    assert_refused(pair, Side.CLIENT, AlertDescription.UNSUPPORTED_EXTENSION, "unsolicited-extension")


# --- servers that misbehave -----------------------------------------------------------------------


def served_by(alter: Alter, *, configs: bytes | None = None, **settings: object) -> Pair:
    pair = visit(client_config(groups=(X25519, P256)), configs=configs)
    return Pair(pair.client, puppet_server(site(**settings), alter)).run()


def with_retry_configs(data: bytes) -> Alter:
    def edit(answers: Any) -> None:
        answers.extensions[int(ECH)] = data

    return change(HandshakeType.ENCRYPTED_EXTENSIONS, edit)


def test_retry_configs_of_unknown_versions_switch_ech_off() -> None:
    unknown = u16(0xBADD) + vector16(b"\x05\x04\x03")
    pair = served_by(with_retry_configs(vector16(unknown)), ech_keys=())
    assert assert_rejected(pair).retry_configs == b""
    mixed = vector16(unknown + key(1).config.encode())
    pair = served_by(with_retry_configs(mixed), ech_keys=())
    assert assert_rejected(pair).retry_configs == mixed


@pytest.mark.parametrize("data", [b"", b"\x00\x00", b"\xba\xdd\xec\xcc", published() + b"\x00", published()[:-1]])
def test_retry_configs_that_are_none(data: bytes) -> None:
    pair = served_by(with_retry_configs(data), ech_keys=())
    assert_refused(pair, Side.CLIENT, AlertDescription.DECODE_ERROR)


def test_retry_configs_with_an_accepted_hello() -> None:
    pair = served_by(with_retry_configs(published(key(1))))
    assert_refused(pair, Side.CLIENT, AlertDescription.UNSUPPORTED_EXTENSION, "unsolicited-extension")


def test_a_pre_shared_key_for_the_outer_hello() -> None:
    """Section 6.1.2: the one in the outer hello is no real one."""
    keys = TicketKeys()
    (session,) = visit(server=site(ticket_keys=keys)).done().tickets()

    def select(hello: Any) -> None:
        hello.extensions[int(ExtensionType.PRE_SHARED_KEY)] = u16(0)

    pair = visit(session=session)
    server = puppet_server(site(ech_keys=(key(1),)), change(HandshakeType.SERVER_HELLO, select))
    pair = Pair(pair.client, server).run()
    assert_refused(pair, Side.CLIENT, AlertDescription.ILLEGAL_PARAMETER, "psk-not-found", told=False)


def spoil_confirmation(occurrence: int) -> Alter:
    def edit(hello: Any) -> None:
        if hello.is_retry_request:
            hello.extensions[int(ECH)] = bytes(8)
        else:
            hello.random = hello.random[:24] + bytes(8)

    return change(HandshakeType.SERVER_HELLO, edit, occurrence)


def test_a_server_that_confirms_once_and_not_twice() -> None:
    pair = served_by(spoil_confirmation(1), groups=(P256,))
    assert_refused(pair, Side.CLIENT, AlertDescription.ILLEGAL_PARAMETER, "ech-not-confirmed", told=False)


@pytest.mark.parametrize("groups", [(X25519,), (P256,)], ids=["", "retry"])
def test_without_the_sign_the_inner_hello_was_not_read(groups: tuple[int, ...]) -> None:
    """The server goes on with the inner hello, the client with the outer one: they cannot understand each other."""
    pair = served_by(spoil_confirmation(0), groups=groups)
    assert pair.errors
    assert not pair.client.handshake_done
    assert not pair.client.agreed.ech_accepted


@pytest.mark.parametrize("length", [0, 7, 9])
@pytest.mark.parametrize("grease", [False, True])
def test_a_confirmation_of_the_wrong_length(length: int, grease: bool) -> None:
    def edit(hello: Any) -> None:
        hello.extensions[int(ECH)] = bytes(length)

    configs = b"" if grease else published()
    client = visit(client_config(groups=(X25519, P256), ech_grease=True), configs=configs).client
    server = puppet_server(server_config(groups=(P256,)), change(HandshakeType.SERVER_HELLO, edit))
    pair = Pair(client, server).run()
    assert_refused(pair, Side.CLIENT, AlertDescription.DECODE_ERROR)


def test_a_confirmation_that_nobody_asked_for() -> None:
    def edit(hello: Any) -> None:
        hello.extensions[int(ECH)] = bytes(8)

    client = visit(client_config(groups=(X25519, P256)), configs=b"").client
    server = puppet_server(server_config(groups=(P256,)), change(HandshakeType.SERVER_HELLO, edit))
    pair = Pair(client, server).run()
    assert_refused(pair, Side.CLIENT, AlertDescription.UNSUPPORTED_EXTENSION)


def test_a_random_confirmation_is_a_rejection() -> None:
    """Servers may send one so that nobody sees whether they read the hello (section 7.1): ours does."""
    trace: list[TraceRecord] = []
    client = client_config(groups=(X25519, P256), observer=trace.append)
    server = site(ech_keys=(key(1),), groups=(P256,))
    pair = visit(client, server).run()
    assert_rejected(pair)
    assert pair.client.agreed.retried
    first = pair.wire[Side.SERVER][0]
    assert u16(ECH) + u16(8) in first


def test_an_error_can_be_pickled() -> None:
    error = ECHRejected(PUBLIC, b"configs")
    again = pickle.loads(pickle.dumps(error))
    assert (again.public_name, again.retry_configs, again.alert, str(again)) == (
        PUBLIC,
        b"configs",
        AlertDescription.ECH_REQUIRED,
        str(error),
    )

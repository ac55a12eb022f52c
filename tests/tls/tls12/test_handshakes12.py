"""TLS 1.2 between our own two roles: every suite, group and key, resumption, client certificates, key transport."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import (
    AlertDescription,
    CipherSuite,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    Side,
    SignatureScheme,
)
from glasslock.tls import ClientConfig, Credential, DangerousAcceptAnyCertificate, ServerConfig, TicketKeys
from glasslock.tls.keys.suites import SUITES_12
from glasslock.tls.session import MemorySessionStore, Session
from glasslock.tls.wire.messages import ClientHello, ServerHello
from glasslock.tls.wire.messages12 import CertificateRequest12
from glasslock.trace import (
    CertificatesReceived,
    Decided,
    KeyExchanged,
    MessageReceived,
    SecretDerived,
    SignatureChecked,
    TraceRecord,
)

from ..minted import certificate, client_credential, credential, key
from ..pair import Pair, assert_refused, client_config, pair, server_config
from ..puppet import change, puppet_client
from .puppet12 import change12

TLS_1_2 = (0x0303,)
BOTH = (0x0304, 0x0303)
CURVES = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1, NamedGroup.SECP521R1, NamedGroup.X448)
ANYBODY = DangerousAcceptAnyCertificate()
RSA_TRANSPORT = (CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256, CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384)


def client12(**changes: Any) -> ClientConfig:
    return client_config(**{"versions": TLS_1_2} | changes)


def server12(**changes: Any) -> ServerConfig:
    return server_config(**{"versions": TLS_1_2} | changes)


def kind_for(suite: int) -> str:
    return "rsa" if SUITES_12[suite].signature == "rsa" else "p256"


# --- the full handshake ---------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES_12)
def test_every_suite(suite: int) -> None:
    settings = {"cipher_suites": (suite,)}
    server = server12(credentials=(credential(kind_for(suite)),), **settings)
    both = pair(client12(**settings), server).done().talk()
    assert both.client.agreed.version == both.server.agreed.version == 0x0303
    assert both.client.agreed.cipher_suite == suite
    assert both.client.agreed.extended_main_secret
    assert both.client.export_keying_material("EXPORTER-test", 40) == both.server.export_keying_material(
        "EXPORTER-test", 40
    )


@pytest.mark.parametrize("group", CURVES)
def test_every_classical_group(group: int) -> None:
    """With RSA certificates, or the group would have to be their curve too."""
    both = pair(client12(groups=(group,)), server12(groups=(group,), credentials=(credential("rsa"),))).done().talk()
    assert both.client.agreed.group == both.server.agreed.group == group


@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "ed25519", "ed448", "rsa", "rsassa-pss"])
def test_every_kind_of_certificate_key(kind: str) -> None:
    both = pair(client12(), server12(credentials=(credential(kind),))).done().talk()
    assert both.client.agreed.peer_chain == credential(kind).chain


def test_hybrid_groups_are_for_tls13_alone() -> None:
    groups = (NamedGroup.X25519MLKEM768, NamedGroup.SECP256R1)
    both = pair(client_config(versions=BOTH, groups=groups), server12(groups=groups)).done().talk()
    assert both.client.agreed.group == NamedGroup.SECP256R1


def test_the_certificate_goes_with_the_suite() -> None:
    """A server with both kinds of key shows the one that the client's suites can use."""
    server = server12(credentials=(credential("rsa"), credential("p256")))
    for suite, kind in (
        (CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "p256"),
        (CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "rsa"),
    ):
        both = pair(client12(cipher_suites=(suite,)), server).done()
        assert both.client.agreed.peer_chain == credential(kind).chain


def test_the_clients_order_wins_if_the_server_wants_it_so() -> None:
    suites = (
        CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    )
    both = pair(client12(cipher_suites=suites), server12(cipher_suites=suites[::-1], prefer_own_order=False)).done()
    assert both.client.agreed.cipher_suite == suites[0]


def test_application_protocol_and_name() -> None:
    client, server = client12(alpn_protocols=("h2", "http/1.1")), server12(alpn_protocols=("http/1.1",))
    both = pair(client, server).done().talk()
    assert both.client.agreed.alpn == both.server.agreed.alpn == "http/1.1"
    assert both.server.agreed.server_name == "localhost"


def test_a_stapled_answer_and_timestamps_arrive() -> None:
    scts = b"\x00\x05\x00\x03abc"
    shown = Credential.from_key(credential().chain, key("p256"), ocsp_response=b"an answer", sct_list=scts)
    both = pair(client12(request_scts=True), server12(credentials=(shown,))).done()
    assert both.client.agreed.peer_ocsp_response == b"an answer"
    assert both.client.agreed.peer_sct_list == scts
    silent = pair(client12(request_ocsp=False), server12(credentials=(shown,))).done()
    assert silent.client.agreed.peer_ocsp_response is None
    assert silent.client.agreed.peer_sct_list is None


def test_no_record_size_limit_above_what_a_record_can_hold() -> None:
    """RFC 8449 section 4: 2^14 in TLS 1.2; one more is for TLS 1.3."""
    both = pair(client12(record_size_limit=16385), server12(record_size_limit=16385)).done()
    assert both.client.agreed.peer_record_size_limit == both.server.agreed.peer_record_size_limit == 16384
    newer = client12(versions=BOTH, record_size_limit=16385)
    assert pair(newer, server12(record_size_limit=100)).done().server.agreed.peer_record_size_limit == 16385


def test_the_request_for_a_certificate_names_only_schemes_of_tls_1_2() -> None:
    trace: list[TraceRecord] = []
    pair(client12(observer=trace.append), server12(client_verifier=ANYBODY)).done()
    (raw,) = [r.raw for r in trace if isinstance(r, MessageReceived) and r.message == "certificate_request"]
    schemes = CertificateRequest12.parse(raw).schemes
    assert SignatureScheme.ECDSA_SECP256R1_SHA256 in schemes
    assert not {SignatureScheme.MLDSA44, SignatureScheme.MLDSA65, SignatureScheme.MLDSA87} & set(schemes)


def test_the_record_size_limit_counts_plaintext(monkeypatch: pytest.MonkeyPatch) -> None:
    both = pair(client12(record_size_limit=100), server12(record_size_limit=16384)).done()
    both.server.send_data(b"x" * 1000)
    data = both.server.data_to_send()
    sizes, position = [], 0
    while position < len(data):
        length = int.from_bytes(data[position + 3 : position + 5], "big")
        sizes.append(length - 24)
        position += 5 + length
    assert max(sizes) == 100
    assert sum(sizes) == 1000


def test_the_key_log_has_the_main_secret() -> None:
    lines: list[tuple[str, bytes, bytes]] = []
    both = pair(client12(key_log=lambda *line: lines.append(line)), server12()).done()
    assert [label for label, _, _ in lines] == ["CLIENT_RANDOM"]
    assert lines[0][1] == both.client.agreed.client_random
    assert lines[0][2] == both.server.agreed.main_secret
    assert len(lines[0][2]) == 48


def test_both_sides_tell_the_same_story() -> None:
    told: dict[Side, list[Any]] = {Side.CLIENT: [], Side.SERVER: []}
    pair(client12(observer=told[Side.CLIENT].append), server12(observer=told[Side.SERVER].append)).done()
    for kind in (KeyExchanged, SecretDerived):
        prints = [[r.fingerprint for r in told[side] if isinstance(r, kind)] for side in Side]
        assert prints[0] == prints[1] != []
    assert [r.what for r in told[Side.CLIENT] if isinstance(r, Decided)] == ["version", "cipher_suite", "group"]
    assert any(isinstance(r, CertificatesReceived) for r in told[Side.CLIENT])
    assert any(isinstance(r, SignatureChecked) for r in told[Side.CLIENT])


def test_an_exporter_tells_no_context_from_an_empty_one() -> None:
    """RFC 5705 section 4; in TLS 1.3 they are the same."""
    both = pair(client12(), server12()).done()
    without = both.client.export_keying_material("EXPORTER-test", 32)
    assert without != both.client.export_keying_material("EXPORTER-test", 32, b"")
    assert both.server.channel_binding() == both.client.channel_binding()


# --- extended_main_secret (RFC 7627) --------------------------------------------------------------


def without_ems(hello: ClientHello) -> None:
    del hello.extensions[ExtensionType.EXTENDED_MAIN_SECRET]


def test_a_client_without_extended_main_secret_is_served_but_cannot_resume_or_bind() -> None:
    alter = change(HandshakeType.CLIENT_HELLO, without_ems)
    client = puppet_client(client12(), alter)
    both = Pair(client, pair(server=server12()).server)
    both.run()
    # The puppet's own engine believes that it sent the extension; the server does not answer it.
    assert not both.server.agreed.extended_main_secret
    assert not both.tickets()
    with pytest.raises(ConfigurationError, match="channel binding"):
        both.server.channel_binding()


def test_extended_main_secret_can_be_required_of_clients() -> None:
    client = puppet_client(client12(), change(HandshakeType.CLIENT_HELLO, without_ems))
    both = Pair(client, pair(server=server12(require_extended_main_secret=True)).server).run()
    assert_refused(both, Side.SERVER, AlertDescription.HANDSHAKE_FAILURE, "no-extended-main-secret")


def test_extended_main_secret_can_be_required_of_servers() -> None:
    def forget(hello: ServerHello) -> None:
        del hello.extensions[ExtensionType.EXTENDED_MAIN_SECRET]

    from ..puppet import puppet_server

    server = puppet_server(server12(), change12(HandshakeType.SERVER_HELLO, forget))
    both = Pair(pair(client12(require_extended_main_secret=True)).client, server).run()
    assert_refused(both, Side.CLIENT, AlertDescription.HANDSHAKE_FAILURE, "no-extended-main-secret")


# --- RSA key transport ----------------------------------------------------------------------------


def test_rsa_key_transport_is_off_by_default() -> None:
    for config in (ClientConfig(verifier=ANYBODY), ServerConfig()):
        assert not set(config.cipher_suites) & set(RSA_TRANSPORT)
    both = pair(client12(cipher_suites=RSA_TRANSPORT), server12(credentials=(credential("rsa"),))).run()
    assert_refused(both, Side.SERVER, AlertDescription.HANDSHAKE_FAILURE, "no-common-suite")


@pytest.mark.parametrize("suite", RSA_TRANSPORT)
def test_rsa_key_transport_works_when_asked_for_and_is_named_as_what_it_is(suite: int) -> None:
    told: list[Any] = []
    server = server12(cipher_suites=(suite,), credentials=(credential("rsa"),))
    both = pair(client12(cipher_suites=(suite,), observer=told.append), server).done().talk()
    assert both.client.agreed.group is None
    reasons = [record.why for record in told if isinstance(record, Decided) and record.what == "group"]
    assert reasons == ["the suite has no ephemeral keys: no forward secrecy"]


def test_rsa_key_transport_needs_a_key_that_can_decrypt() -> None:
    class OnlySigns:
        def sign(self, scheme: int, content: bytes) -> bytes:
            return b""

    server = server12(
        cipher_suites=RSA_TRANSPORT,
        credentials=(Credential.from_signer(credential("rsa").chain, OnlySigns()),),
    )
    both = pair(client12(cipher_suites=RSA_TRANSPORT), server).run()
    assert_refused(both, Side.SERVER, AlertDescription.HANDSHAKE_FAILURE, "no-common-suite")


# --- resumption -----------------------------------------------------------------------------------


def resumed(client: ClientConfig, server: ServerConfig) -> tuple[Pair, Session]:
    session = pair(client, server).done().tickets()[0]
    return pair(client, server, session=session).done().talk(), session


def test_a_ticket_resumes_and_is_renewed() -> None:
    both, session = resumed(client12(), server12())
    assert both.client.agreed.resumed
    assert both.server.agreed.resumed
    assert both.client.agreed.peer_chain == credential().chain
    assert session.ticket
    assert not session.session_id
    assert both.tickets()[0].ticket != session.ticket


@pytest.mark.parametrize("content", [b"", b"\0", b"\2" + bytes(127), bytes(128)])
def test_a_ticket_of_another_releases_form_is_ignored(content: bytes) -> None:
    keys = TicketKeys(bytes(32))
    server = server12(ticket_keys=keys)
    session = replace(pair(client12(), server).done().tickets()[0], ticket=keys.seal(content))
    both = pair(client12(), server, session=session).done().talk()
    assert not both.server.agreed.resumed


def test_a_session_id_resumes_where_there_are_no_tickets() -> None:
    both, session = resumed(client12(), server12(ticket_keys=None, session_store=MemorySessionStore()))
    assert both.client.agreed.resumed
    assert session.session_id
    assert not session.ticket


def test_a_client_that_offers_tls13_too_resumes_tls12() -> None:
    server = server12()
    session = pair(client_config(versions=BOTH), server).done().tickets()[0]
    both = pair(client_config(versions=BOTH), server, session=session).done().talk()
    assert both.client.agreed.resumed


@pytest.mark.parametrize(
    ("second_client", "second_server", "name"),
    [
        ({"cipher_suites": (CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,)}, {}, "localhost"),
        ({}, {"ticket_keys": TicketKeys()}, "localhost"),
        ({}, {"clock": lambda: 1_800_000_000.0 + 25 * 3600}, "localhost"),
    ],
    ids=["another suite", "other keys", "too old"],
)
def test_a_session_that_does_not_fit_costs_a_full_handshake(
    second_client: dict[str, Any], second_server: dict[str, Any], name: str
) -> None:
    keys = TicketKeys()
    session = pair(client12(), server12(ticket_keys=keys)).done().tickets()[0]
    client = client12(**second_client)
    both = pair(client, server12(**{"ticket_keys": keys} | second_server), name=name, session=session).done().talk()
    assert not both.client.agreed.resumed


def test_a_session_of_one_name_is_not_offered_to_another() -> None:
    server = server12(credentials=(credential("p256", "one.test"), credential("p256", "two.test")))
    session = pair(client12(), server, name="one.test").done().tickets()[0]
    both = pair(client12(), server, name="two.test", session=session).done()
    assert not both.client.agreed.resumed


def test_a_session_without_extended_main_secret_is_not_resumed_with_it() -> None:
    """RFC 7627 section 5.3: the client that resumes must offer the extension."""
    server = server12()
    session = pair(client12(), server).done().tickets()[0]
    client = puppet_client(client12(), change(HandshakeType.CLIENT_HELLO, without_ems), session=session)
    both = Pair(client, pair(server=server).server).run()
    assert_refused(both, Side.SERVER, AlertDescription.HANDSHAKE_FAILURE, "resumed-ems-mismatch")


def test_a_session_of_tls12_is_not_resumed_in_tls13() -> None:
    keys = TicketKeys()
    session = pair(client12(), server12(ticket_keys=keys)).done().tickets()[0]
    both = pair(client_config(), server_config(ticket_keys=keys), session=session).done().talk()
    assert both.client.agreed.version == 0x0304
    assert not both.client.agreed.resumed


# --- client certificates --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_a_client_shows_its_certificate(kind: str) -> None:
    server = server12(client_verifier=ANYBODY, require_client_certificate=True)
    both = pair(client12(credentials=(client_credential(kind),)), server).done().talk()
    assert both.server.agreed.peer_chain == client_credential(kind).chain
    again = pair(client12(credentials=(client_credential(kind),)), server, session=both.tickets()[0]).done()
    assert again.server.agreed.resumed
    assert again.server.agreed.peer_chain == client_credential(kind).chain


def test_a_client_without_a_certificate_is_served_or_refused_as_configured() -> None:
    pair(client12(), server12(client_verifier=ANYBODY)).done().talk()
    both = pair(client12(), server12(client_verifier=ANYBODY, require_client_certificate=True)).run()
    assert_refused(both, Side.SERVER, AlertDescription.HANDSHAKE_FAILURE, "certificate-required")


def test_the_authorities_that_a_server_names_guide_the_choice() -> None:
    other, own = credential("p384"), client_credential()
    server = server12(client_verifier=ANYBODY, client_certificate_authorities=tuple(own.issuers))
    both = pair(client12(credentials=(other, own)), server).done()
    assert both.server.agreed.peer_chain == own.chain


# --- versions -------------------------------------------------------------------------------------


def test_two_that_speak_both_speak_tls13() -> None:
    both = pair(client_config(versions=BOTH), server_config(versions=BOTH)).done()
    assert both.client.agreed.version == 0x0304


def test_a_server_that_could_do_better_says_so_in_its_random() -> None:
    """RFC 9846 section 4.2.3: the last eight bytes are DOWNGRD 01."""
    both = pair(client12(), server_config(versions=BOTH)).done()
    assert both.client.agreed.server_random[-8:] == b"DOWNGRD\x01"
    plain = pair(client12(), server12()).done()
    assert plain.client.agreed.server_random[-8:-1] != b"DOWNGRD"


def test_a_certificate_whose_key_may_not_sign_is_refused() -> None:
    from ..minted import key_usage

    der = certificate(key("rsa"), "localhost", usage=key_usage(digital_signature=False))
    shown = Credential.from_key([der], key("rsa"))
    both = pair(client12(), server12(credentials=(shown,))).run()
    assert_refused(both, Side.CLIENT, AlertDescription.ILLEGAL_PARAMETER, "key-usage")
    transport = {"cipher_suites": RSA_TRANSPORT}
    pair(client12(**transport), server12(credentials=(shown,), **transport)).done().talk()

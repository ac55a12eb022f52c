"""Which certificate goes with a handshake of TLS 1.2: its curve, its kind, what the server asks for."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, NamedGroup, Side
from glasslock.tls.config import ClientHelloInfo
from glasslock.trace import Decided

from ..minted import client_credential, credential
from ..pair import Pair, assert_refused, client_config, pair, server_config
from ..puppet import puppet_client, puppet_server
from .puppet12 import change12
from .test_handshakes12 import ANYBODY, RSA_TRANSPORT, client12, server12

A = AlertDescription
H = HandshakeType
P256, P384, X25519 = NamedGroup.SECP256R1, NamedGroup.SECP384R1, NamedGroup.X25519


# --- the curve of an ECDSA key (RFC 8422 section 5.3) ----------------------------------------------


def test_a_server_shows_a_key_on_a_curve_that_the_client_knows() -> None:
    server = server12(groups=(P384, P256), credentials=(credential("p256"), credential("p384"), credential("rsa")))
    for groups, kind in (((P256,), "p256"), ((P384,), "p384")):
        both = pair(client12(groups=groups), server).done()
        assert both.client.agreed.peer_chain == credential(kind).chain
    both = pair(client12(groups=(X25519,)), server12(credentials=(credential("p256"), credential("rsa")))).done()
    assert both.client.agreed.peer_chain == credential("rsa").chain


def test_a_server_whose_keys_are_on_other_curves() -> None:
    both = pair(client12(groups=(X25519,)), server12()).run()
    assert_refused(both, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-curve")
    chosen = server12(choose_credential=lambda _: credential())
    assert_refused(pair(client12(groups=(X25519,)), chosen).run(), Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-curve")


def test_a_chooser_hears_of_the_curves() -> None:
    heard: list[ClientHelloInfo] = []

    def choose(info: ClientHelloInfo) -> Any:
        heard.append(info)
        return credential("p384" if P384 in info.groups else "p256")

    both = pair(client12(groups=(X25519, P384)), server12(choose_credential=choose)).done()
    assert heard[0].groups == (X25519, P384)
    assert both.client.agreed.peer_chain == credential("p384").chain


def test_a_client_refuses_a_curve_that_it_did_not_offer() -> None:
    def more(hello: Any) -> None:
        hello.extensions[10] = b"\x00\x04\x00\x1d\x00\x17"

    client = puppet_client(client12(groups=(X25519,)), change12(H.CLIENT_HELLO, more))
    both = Pair(client, pair(server=server12()).server).run()
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "certificate-curve")


def test_in_tls13_the_groups_say_nothing_of_certificates() -> None:
    """RFC 9846 section 4.3.7: signature algorithms are negotiated independently."""
    pair(client_config(groups=(X25519,)), server_config()).done().talk()


# --- the kind of key ------------------------------------------------------------------------------


def test_a_key_for_pss_alone_decrypts_nothing() -> None:
    """RFC 4055 section 1.2: it may be used with RSASSA-PSS only."""
    transport = {"cipher_suites": RSA_TRANSPORT}
    server = puppet_server(
        server12(credentials=(credential("rsa"),), **transport),
        change12(H.CERTIFICATE, lambda message: setattr(message, "chain", credential("rsassa-pss").chain)),
    )
    both = Pair(pair(client12(**transport)).client, server).run()
    assert_refused(both, Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-certificate-type")
    only = server12(credentials=(credential("rsassa-pss"),), **transport)
    assert Side.SERVER in pair(client12(**transport), only).run().errors


@pytest.mark.parametrize(
    ("types", "kind"),
    [((1,), "rsa"), ((64,), "p256"), ((64, 1), "p256"), ((1, 64), "p256"), ((2, 99), None)],
)
def test_a_client_shows_what_the_server_asks_for(types: tuple[int, ...], kind: str | None) -> None:
    """RFC 5246 section 7.4.6: the key must be compatible with the types in the request."""
    told: list[Any] = []
    client = client12(credentials=(client_credential("p256"), client_credential("rsa")), observer=told.append)
    server = puppet_server(
        server12(client_verifier=ANYBODY),
        change12(H.CERTIFICATE_REQUEST, lambda message: setattr(message, "certificate_types", types)),
    )
    both = Pair(pair(client).client, server).done()
    assert both.server.agreed.peer_chain == (client_credential(kind).chain if kind else ())
    chosen = [record.chosen for record in told if isinstance(record, Decided) and record.what == "client_certificate"]
    assert chosen == ["shown" if kind else "none"]


def test_eddsa_counts_as_ecdsa() -> None:
    """RFC 8422 section 5.5."""
    server = puppet_server(
        server12(client_verifier=ANYBODY),
        change12(H.CERTIFICATE_REQUEST, lambda message: setattr(message, "certificate_types", (64,))),
    )
    own = client_credential("ed25519")
    both = Pair(pair(client12(credentials=(client_credential("rsa"), own))).client, server).done()
    assert both.server.agreed.peer_chain == own.chain


# --- the key exchange -----------------------------------------------------------------------------


def test_without_groups_there_is_no_ephemeral_key_exchange() -> None:
    """RFC 8422 section 4 lets the server choose any curve then; we would have to guess what the client knows."""

    def silent(hello: Any) -> None:
        del hello.extensions[10]

    suites = (CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, *RSA_TRANSPORT)
    config = {"cipher_suites": suites}
    client = puppet_client(client12(**config), change12(H.CLIENT_HELLO, silent))
    both = Pair(client, pair(server=server12(credentials=(credential("rsa"),), **config)).server).done()
    assert both.server.agreed.cipher_suite == RSA_TRANSPORT[0]


def test_groups_that_only_tls13_can_use_are_not_offered_without_it() -> None:
    groups = (NamedGroup.X25519MLKEM768, X25519, P256)
    client = client12(groups=groups)
    assert client.offered_groups == (X25519, P256)
    both = pair(client, server12())
    assert b"\x00\x0a\x00\x06\x00\x04\x00\x1d\x00\x17" in both.client.data_to_send()
    assert client_config(groups=groups).offered_groups == groups


def test_a_resumption_remembers_the_group() -> None:
    server = server12()
    session = pair(client12(), server).done().tickets()[0]
    again = pair(client12(), server, session=session).done()
    assert again.server.agreed.resumed
    assert again.server.agreed.group == again.client.agreed.group == X25519

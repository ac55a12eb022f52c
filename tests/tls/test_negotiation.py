"""Version, suite, group, certificate and protocol: who chooses what, and what happens without overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import ConfigurationError, NegotiationFailed
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, NamedGroup, Side
from glasslock.tls import ClientConnection, Credential, DangerousAcceptAnyCertificate
from glasslock.tls.config import ClientHelloInfo
from glasslock.tls.wire.messages import ClientHello

from .minted import certificate, credential, key
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client

A = AlertDescription
AES_128, AES_256, CHACHA = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
)


def sent_hello(connected: Pair) -> ClientHello:
    return ClientHello.parse(connected.wire[Side.CLIENT][0][5:])


# --- cipher suite (RFC 9846 section 4.2.1) ---------------------------------------------------------


def test_the_servers_order_of_suites_wins() -> None:
    client = client_config(cipher_suites=(AES_128, CHACHA))
    server = server_config(cipher_suites=(AES_256, CHACHA, AES_128))
    assert pair(client, server).done().client.agreed.cipher_suite == CHACHA


def test_the_clients_order_of_suites_wins_if_the_server_wants_it_so() -> None:
    client = client_config(cipher_suites=(AES_128, CHACHA))
    server = server_config(cipher_suites=(AES_256, CHACHA, AES_128), prefer_own_order=False)
    assert pair(client, server).done().client.agreed.cipher_suite == AES_128


def test_no_common_suite() -> None:
    connected = pair(client_config(cipher_suites=(AES_128,)), server_config(cipher_suites=(AES_256,))).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-suite")


def test_unknown_suites_are_ignored() -> None:
    """Section 4.2.2: the server MUST ignore suites that it does not recognize."""

    def edit(hello: ClientHello) -> None:
        hello.cipher_suites = (0x0A0A, 0xFFFE, 0x1304, *hello.cipher_suites, 0x00FF, 0x5600)

    Pair(puppet_client(client_config(), change(HandshakeType.CLIENT_HELLO, edit)), pair().server).done()


def test_the_sentinel_of_a_server_that_could_do_better() -> None:
    """Section 4.2.3: a TLS 1.3 server that negotiates TLS 1.2 MUST say so in the last 8 bytes of its random."""
    both, old = (0x0304, 0x0303), (0x0303,)
    for versions, marked in ((both, True), (old, False)):
        connected = pair(client_config(versions=old), server_config(versions=versions)).done()
        assert connected.client.agreed.version == 0x0303
        assert (connected.client.agreed.server_random[-8:] == b"DOWNGRD\1") == marked


# --- group -----------------------------------------------------------------------------------------


def test_the_servers_order_of_groups_wins() -> None:
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = client_config(groups=groups, key_shares=groups)
    connected = pair(client, server_config(groups=groups[::-1])).done()
    assert connected.client.agreed.group == NamedGroup.SECP256R1
    assert not connected.client.agreed.retried


def test_the_clients_order_of_groups_wins_if_the_server_wants_it_so() -> None:
    groups = (NamedGroup.X25519, NamedGroup.SECP256R1)
    client = client_config(groups=groups, key_shares=groups)
    connected = pair(client, server_config(groups=groups[::-1], prefer_own_order=False)).done()
    assert connected.client.agreed.group == NamedGroup.X25519


def test_no_common_group() -> None:
    """Section 4.2.1: handshake_failure or insufficient_security."""
    connected = pair(client_config(groups=(NamedGroup.SECP384R1,)), server_config(groups=(NamedGroup.X448,))).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-group")


def test_default_offer() -> None:
    """X25519MLKEM768 first, with a share for it and for the first classical group."""
    from glasslock.tls import ClientConfig, DangerousAcceptAnyCertificate
    from glasslock.tls.wire import extensions as ext

    connection = ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost")
    hello = ClientHello.parse(connection.data_to_send()[5:])
    assert ext.read_u16_vector(hello.extensions[10], "")[0] == NamedGroup.X25519MLKEM768
    shares = ext.read_client_shares(hello.extensions[51])
    assert {group: len(share) for group, share in shares.items()} == {
        NamedGroup.X25519MLKEM768: 1216,
        NamedGroup.X25519: 32,
    }


# --- certificate by server_name (RFC 6066 section 3, RFC 9846 section 4.5.1.2) ----------------------


def names() -> tuple[Credential, ...]:
    return (
        credential("p256", "default.example"),
        credential("p256", "one.example"),
        credential("p256", "*.wild.example", "Two.Example"),
    )


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("one.example", 1),
        ("ONE.example", 1),
        ("two.example", 2),
        ("a.wild.example", 2),
        ("wild.example", 0),
        ("a.b.wild.example", 0),
        ("other.example", 0),
        (None, 0),
    ],
)
def test_certificate_by_name(name: str | None, chosen: int) -> None:
    connected = pair(server=server_config(credentials=names()), name=name).done()
    assert connected.client.agreed.peer_chain == names()[chosen].chain
    assert connected.server.agreed.server_name == name


def test_a_name_that_no_certificate_covers_is_refused_if_so_configured() -> None:
    server = server_config(credentials=names(), require_known_name=True)
    assert_refused(pair(server=server, name="other.example").run(), Side.SERVER, A.UNRECOGNIZED_NAME)
    pair(server=server, name="one.example").done()
    pair(server=server, name=None).done()


def test_a_key_that_the_client_can_check_goes_before_the_name() -> None:
    server = server_config(credentials=(credential("ed25519", "one.example"), credential("p256", "two.example")))
    connected = pair(client_config(signature_schemes=(0x0403,)), server, name="one.example").done()
    assert connected.client.agreed.peer_chain == credential("p256", "two.example").chain


def test_no_common_signature_scheme() -> None:
    connected = pair(client_config(signature_schemes=(0x0807,))).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-signature-scheme")


@pytest.mark.parametrize("schemes", [(0x0401, 0x0501, 0x0601), (0x0201, 0x0203)])
def test_pkcs1_and_sha1_never_sign_a_handshake(schemes: tuple[int, ...]) -> None:
    """Section 4.3.3: these values refer solely to signatures which appear in certificates."""
    server = server_config(credentials=(credential("rsa"), credential("p256")))
    assert_refused(pair(client_config(signature_schemes=schemes), server).run(), Side.SERVER, A.HANDSHAKE_FAILURE)


def test_a_credential_may_narrow_its_schemes() -> None:
    from dataclasses import replace

    narrow = replace(credential("rsa"), signature_schemes=(0x0806,))
    assert pair(server=server_config(credentials=(narrow,))).done().client.agreed.signature_scheme == 0x0806


def with_issuer(kind: str, issuer: bytes, **changes: Any) -> Credential:
    return replace(credential(kind), issuers=frozenset({issuer}), **changes)


@pytest.mark.parametrize(
    ("authorities", "chosen"), [((), 1), ((b"A",), 0), ((b"B",), 1), ((b"C", b"A"), 0)], ids=["none", "A", "B", "C, A"]
)
def test_a_client_certificate_by_the_authorities_that_the_server_names(
    authorities: tuple[bytes, ...], chosen: int
) -> None:
    """RFC 9846 section 4.3.4: they guide the choice; a credential may insist on being asked for."""
    ours = (with_issuer("p256", b"A", must_match_issuer=True), with_issuer("ed25519", b"B"))
    server = server_config(client_verifier=DangerousAcceptAnyCertificate(), client_certificate_authorities=authorities)
    connected = pair(client_config(credentials=ours), server).done()
    assert connected.client.agreed.credential is ours[chosen]
    assert connected.server.agreed.peer_chain == ours[chosen].chain


def test_a_server_certificate_that_nobody_asked_for() -> None:
    server = server_config(credentials=(with_issuer("p256", b"A", must_match_issuer=True),))
    assert_refused(pair(server=server).run(), Side.SERVER, A.HANDSHAKE_FAILURE, "no-matching-issuer")


def test_an_rsa_key_too_short_for_a_hash_is_not_asked_to_sign_with_it() -> None:
    """A PSS signature needs a modulus of two hashes and two bytes (RFC 8017 section 9.1.1)."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    short = rsa.generate_private_key(65537, 1024)
    theirs = Credential.from_key([certificate(short, "localhost")], short)
    assert theirs.schemes(0x0304) == (0x0804, 0x0805)
    connected = pair(client_config(signature_schemes=(0x0806,)), server_config(credentials=(theirs,))).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-signature-scheme")


def test_the_server_may_choose_by_itself() -> None:
    asked: list[ClientHelloInfo] = []

    def choose(info: ClientHelloInfo) -> Credential | None:
        asked.append(info)
        return credential("p384") if info.server_name == "chosen.example" else None

    server = server_config(choose_credential=choose)
    client = client_config(alpn_protocols=("h2", "http/1.1"))
    connected = pair(client, server, name="chosen.example").done()
    assert connected.client.agreed.peer_chain == credential("p384").chain
    assert asked[0].alpn_protocols == ("h2", "http/1.1")
    assert asked[0].version == 0x0304
    assert asked[0].cipher_suites == client.cipher_suites[:3]
    assert asked[0].signature_schemes == client.signature_schemes
    assert_refused(pair(client, server, name="other.example").run(), Side.SERVER, A.UNRECOGNIZED_NAME)


def test_a_choice_that_the_client_cannot_check_is_refused() -> None:
    server = server_config(choose_credential=lambda _: credential("ed448"))
    connected = pair(client_config(signature_schemes=(0x0403,)), server).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-signature-scheme")


def test_a_chooser_may_refuse_by_itself() -> None:
    def choose(_: ClientHelloInfo) -> Credential | None:
        raise NegotiationFailed(A.ACCESS_DENIED, "policy", "not for this one")

    connected = pair(server=server_config(choose_credential=choose)).run()
    assert_refused(connected, Side.SERVER, A.ACCESS_DENIED, "policy")


def test_a_chooser_that_fails_is_an_internal_error() -> None:
    def choose(_: ClientHelloInfo) -> Credential | None:
        raise KeyError("no such file")

    error = assert_refused(pair(server=server_config(choose_credential=choose)).run(), Side.SERVER, A.INTERNAL_ERROR)
    assert "no such file" in str(error)


def test_a_server_without_certificates_says_so() -> None:
    error = assert_refused(pair(server=server_config(credentials=())).run(), Side.SERVER, A.INTERNAL_ERROR)
    assert "ServerConfig credentials" in str(error)


# --- names on the wire (RFC 6066 section 3) ---------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "2001:db8::7"])
def test_addresses_are_not_sent_as_server_name(address: str) -> None:
    """Literal IPv4 and IPv6 addresses are not permitted in HostName; the verifier still gets them."""
    seen: list[str | None] = []

    class Verifier:
        def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
            seen.append(server_name)

    connected = pair(client_config(verifier=Verifier()), name=address).done()
    assert 0 not in sent_hello(connected).extensions
    assert connected.server.agreed.server_name is None
    assert seen == [address]


@pytest.mark.parametrize("name", ["host1", "a.example7", "1.2.3.4.5", "xn--bcher-kva.example", "a_b.example"])
def test_names_that_look_a_little_like_addresses_are_names(name: str) -> None:
    assert pair(name=name).done().server.agreed.server_name == name


def test_a_trailing_dot_is_not_sent() -> None:
    """The hostname is represented without a trailing dot."""
    connected = pair(name="localhost.").done()
    assert connected.server.agreed.server_name == "localhost"


@pytest.mark.parametrize("name", ["", "bücher.example", "a" * 256, "a\0b", "."])
def test_what_cannot_be_a_name_is_a_mistake_of_the_caller(name: str) -> None:
    with pytest.raises(ConfigurationError):
        ClientConnection(client_config(), name)


# --- application protocol (RFC 7301) ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "server", "chosen"),
    [
        (("h2", "http/1.1"), ("http/1.1", "h2"), "http/1.1"),
        (("h2", "http/1.1"), ("h3", "h2"), "h2"),
        ((), ("h2",), None),
        (("h2",), (), None),
        (("\xe9",), ("\xe9",), "\xe9"),
    ],
)
def test_application_protocol(client: tuple[str, ...], server: tuple[str, ...], chosen: str | None) -> None:
    connected = pair(client_config(alpn_protocols=client), server_config(alpn_protocols=server)).done()
    assert connected.client.agreed.alpn == connected.server.agreed.alpn == chosen


def test_no_common_application_protocol() -> None:
    """RFC 7301 section 3.2: no_application_protocol."""
    connected = pair(client_config(alpn_protocols=("h2",)), server_config(alpn_protocols=("http/1.1",))).run()
    assert_refused(connected, Side.SERVER, A.NO_APPLICATION_PROTOCOL, "no-application-protocol")
    server = server_config(alpn_protocols=("http/1.1",), require_common_protocol=False)
    connected = pair(client_config(alpn_protocols=("h2",)), server).done().talk()
    assert connected.client.agreed.alpn is connected.server.agreed.alpn is None


def test_alpn_stays_on_resumption_of_another_protocol() -> None:
    """RFC 9846 section 4.3: extensions are negotiated anew in each handshake."""
    server = server_config(alpn_protocols=("h2", "http/1.1"))
    first = pair(client_config(alpn_protocols=("h2",)), server).done()
    again = pair(client_config(alpn_protocols=("http/1.1",)), server, session=first.tickets()[0]).done()
    assert again.client.agreed.resumed
    assert again.client.agreed.alpn == again.server.agreed.alpn == "http/1.1"


# --- stapled status and timestamps (RFC 9846 section 4.5.1.1) ---------------------------------------


@pytest.mark.parametrize("ocsp", [False, True])
@pytest.mark.parametrize("scts", [False, True])
def test_stapled_evidence_goes_to_those_who_ask(ocsp: bool, scts: bool) -> None:
    scts_list = bytes.fromhex("0005 0003 616263".replace(" ", ""))
    theirs = Credential.from_key(
        [certificate(key("p256"), "localhost")], key("p256"), ocsp_response=b"an OCSP response", sct_list=scts_list
    )
    client = client_config(request_ocsp=ocsp, request_scts=scts)
    agreed = pair(client, server_config(credentials=(theirs,))).done().client.agreed
    assert agreed.peer_ocsp_response == (b"an OCSP response" if ocsp else None)
    assert agreed.peer_sct_list == (scts_list if scts else None)

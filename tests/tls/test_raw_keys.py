"""Raw public keys in place of certificates (RFC 7250), in TLS 1.3 and 1.2."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.errors import CertificateRefused, ConfigurationError
from glasslock.registry import AlertDescription, CertificateType, ExtensionType, HandshakeType, Side
from glasslock.tls import Credential, DangerousAcceptAnyCertificate, PinnedRawKeys, Session
from glasslock.tls.wire.messages import CertificateEntry
from glasslock.trace import CertificatesReceived, Decided, TraceRecord

from .minted import client_credential, credential, key
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client, puppet_server

A, E, H = AlertDescription, ExtensionType, HandshakeType
X509, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY
VERSIONS = pytest.mark.parametrize("version", [0x0304, 0x0303], ids=["1.3", "1.2"])


def raw(kind: str = "p256") -> Credential:
    return Credential.from_raw_key(key(kind))


def pins(*credentials: Credential) -> PinnedRawKeys:
    return PinnedRawKeys(*(hashlib.sha256(credential.chain[0]).digest() for credential in credentials))


def wanting(*types: int, **settings: Any) -> Any:
    """A client that takes these types from the server, of raw keys the one on P-256."""
    known = {"raw_key_verifier": pins(raw())} if RAW in types else {}
    verifier = DangerousAcceptAnyCertificate() if X509 in types else None
    return client_config(**{"peer_certificate_types": types, "verifier": verifier} | known | settings)


def asking(*types: int, **settings: Any) -> Any:
    """A server that takes these types from the client, of raw keys the one on P-256."""
    known = {"raw_key_verifier": pins(raw())} if RAW in types else {}
    verifier = DangerousAcceptAnyCertificate() if X509 in types else None
    return server_config(**{"peer_certificate_types": types, "client_verifier": verifier} | known | settings)


# --- the server's key ------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ((RAW,), (RAW,), RAW),
        ((RAW, X509), (RAW, X509), RAW),
        ((X509, RAW), (RAW, X509), RAW),
        ((RAW, X509), (X509, RAW), X509),
        ((RAW, X509), (X509,), X509),
        ((X509,), (RAW, X509), X509),
    ],
)
def test_which_the_server_shows(version: int, wanted: tuple[int, ...], offered: tuple[int, ...], chosen: int) -> None:
    ours = {RAW: raw(), X509: credential()}
    server = server_config(versions=(version,), credentials=tuple(ours[CertificateType(kind)] for kind in offered))
    connected = pair(wanting(*wanted, versions=(version,)), server).done().talk()
    agreed = connected.client.agreed
    assert (agreed.peer_certificate_type, agreed.peer_chain) == (chosen, ours[CertificateType(chosen)].chain)


@VERSIONS
@pytest.mark.parametrize("kind", ["rsa", "p384", "ed25519"])
def test_keys_of_every_kind(version: int, kind: str) -> None:
    server = server_config(versions=(version,), credentials=(raw(kind),))
    pair(wanting(RAW, versions=(version,), raw_key_verifier=pins(raw(kind))), server).done().talk()


@VERSIONS
def test_another_key_than_the_one_that_is_known(version: int) -> None:
    server = server_config(versions=(version,), credentials=(raw("ed25519"),))
    error = assert_refused(
        pair(wanting(RAW, versions=(version,)), server).run(), Side.CLIENT, A.CERTIFICATE_UNKNOWN, "unknown-raw-key"
    )
    assert isinstance(error, CertificateRefused)


@VERSIONS
def test_no_type_in_common(version: int) -> None:
    """RFC 7250 section 4.2: a fatal alert of type unsupported_certificate."""
    connected = pair(wanting(RAW, versions=(version,)), server_config(versions=(version,))).run()
    assert_refused(connected, Side.SERVER, A.UNSUPPORTED_CERTIFICATE, "no-common-certificate-type")
    connected = pair(client_config(versions=(version,)), server_config(versions=(version,), credentials=(raw(),)))
    assert_refused(connected.run(), Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-certificate-type")


@VERSIONS
def test_a_resumed_key_is_still_the_key(version: int) -> None:
    client = wanting(RAW, versions=(version,))
    server = server_config(versions=(version,), credentials=(raw(),))
    session = Session.from_json(pair(client, server).done().tickets()[0].to_json())
    agreed = pair(client, server, session=session).done().talk().client.agreed
    assert agreed.resumed
    assert (agreed.peer_certificate_type, agreed.peer_chain) == (RAW, raw().chain)
    other = wanting(RAW, versions=(version,), raw_key_verifier=pins(raw("ed25519")))
    assert_refused(pair(other, server, session=session).run(), Side.CLIENT, A.CERTIFICATE_UNKNOWN)


def test_the_trace_tells() -> None:
    trace: list[TraceRecord] = []
    pair(wanting(RAW, X509, observer=trace.append), server_config(credentials=(raw(),))).done()
    received = next(record for record in trace if isinstance(record, CertificatesReceived))
    assert (received.certificate_type, received.chain) == (RAW, raw().chain)
    chosen = [record.chosen for record in trace if isinstance(record, Decided) and "certificate_type" in record.what]
    assert chosen == ["raw_public_key"]


# --- the client's key ------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ((RAW,), (RAW,), RAW),
        ((RAW,), (X509, RAW), RAW),
        ((X509, RAW), (RAW, X509), X509),
        ((RAW, X509), (X509,), X509),
        ((X509,), (RAW, X509), X509),
    ],
)
def test_which_the_client_shows(version: int, wanted: tuple[int, ...], offered: tuple[int, ...], chosen: int) -> None:
    ours = {RAW: raw(), X509: client_credential()}
    client = client_config(versions=(version,), credentials=tuple(ours[CertificateType(kind)] for kind in offered))
    server = asking(*wanted, versions=(version,), require_client_certificate=True)
    connected = pair(client, server).done().talk()
    assert connected.server.agreed.peer_certificate_type == chosen
    assert connected.server.agreed.peer_chain == ours[CertificateType(chosen)].chain
    session = connected.tickets()[0]
    again = pair(client, server, session=session).done().server.agreed
    assert again.resumed
    assert (again.peer_certificate_type, again.peer_chain) == (chosen, ours[CertificateType(chosen)].chain)


@VERSIONS
def test_a_client_key_that_is_not_known(version: int) -> None:
    client = client_config(versions=(version,), credentials=(raw("ed25519"),))
    assert_refused(pair(client, asking(RAW, versions=(version,))).run(), Side.SERVER, A.CERTIFICATE_UNKNOWN)


@VERSIONS
def test_a_client_without_the_type_that_is_wanted(version: int) -> None:
    """RFC 7250 section 4.2; without the extension a client has X.509 and nothing else."""
    for credentials in ((), (client_credential(),)):
        client = client_config(versions=(version,), credentials=credentials)
        connected = pair(client, asking(RAW, versions=(version,))).run()
        assert_refused(connected, Side.SERVER, A.UNSUPPORTED_CERTIFICATE, "no-common-certificate-type")


@VERSIONS
def test_a_client_that_has_to_show_another_type_shows_nothing(version: int) -> None:
    """A server that does not know the extension means X.509."""
    client = client_config(versions=(version,), credentials=(raw(),))
    server = asking(X509, versions=(version,))
    drop = change(H.CLIENT_HELLO, lambda hello: hello.extensions.pop(E.CLIENT_CERTIFICATE_TYPE))
    connected = Pair(puppet_client(client, drop), pair(server=server).server).done()
    assert connected.server.agreed.peer_chain == ()


# --- a peer that does not keep to it ---------------------------------------------------------------


def altered_server(client: Any, server: Any, message: HandshakeType, edit: Callable[[Any], None]) -> Pair:
    connected = pair(client)
    connected.server = puppet_server(server, change(message, edit))
    return connected.run()


@pytest.mark.parametrize("extension", [E.SERVER_CERTIFICATE_TYPE, E.CLIENT_CERTIFICATE_TYPE])
@pytest.mark.parametrize(
    ("answer", "alert"), [(b"\1", A.ILLEGAL_PARAMETER), (b"", A.DECODE_ERROR), (b"\2\2", A.DECODE_ERROR)]
)
def test_answers_that_nobody_offered(extension: ExtensionType, answer: bytes, alert: AlertDescription) -> None:
    client = wanting(RAW, X509, credentials=(raw(), client_credential()))
    server = asking(RAW, credentials=(raw(),))
    connected = altered_server(
        client, server, H.ENCRYPTED_EXTENSIONS, lambda message: message.extensions.update({extension: answer})
    )
    assert_refused(connected, Side.CLIENT, alert)


def test_a_server_that_passes_over_the_question() -> None:
    connected = altered_server(
        wanting(RAW),
        server_config(credentials=(raw(),)),
        H.ENCRYPTED_EXTENSIONS,
        lambda message: message.extensions.pop(E.SERVER_CERTIFICATE_TYPE),
    )
    assert_refused(connected, Side.CLIENT, A.UNSUPPORTED_CERTIFICATE, "no-common-certificate-type")


@pytest.mark.parametrize(
    ("entries", "alert"),
    [((b"no key",), A.DECODE_ERROR), (credential().chain, A.DECODE_ERROR), ((raw().chain * 2), A.DECODE_ERROR)],
    ids=["no key", "a certificate", "two keys"],
)
def test_a_certificate_message_without_the_key(entries: tuple[bytes, ...], alert: AlertDescription) -> None:
    def edit(message: Any) -> None:
        message.entries = tuple(CertificateEntry(entry) for entry in entries)

    client = wanting(RAW, certificate_compression=())
    connected = altered_server(client, server_config(credentials=(raw(),)), H.CERTIFICATE, edit)
    assert_refused(connected, Side.CLIENT, alert)


@pytest.mark.parametrize("extension", [E.SERVER_CERTIFICATE_TYPE, E.CLIENT_CERTIFICATE_TYPE])
@pytest.mark.parametrize(("types", "alert"), [(b"\1\0", A.ILLEGAL_PARAMETER), (b"\0", A.DECODE_ERROR)])
def test_lists_that_must_not_be_sent(extension: ExtensionType, types: bytes, alert: AlertDescription) -> None:
    """RFC 7250 section 4.1: what offers X.509 only MUST be omitted; an empty list has not even the form."""
    edit = change(H.CLIENT_HELLO, lambda hello: hello.extensions.update({extension: types}))
    connected = Pair(puppet_client(client_config(), edit), pair().server)
    assert_refused(connected.run(), Side.SERVER, alert)


def test_a_raw_key_that_cannot_sign() -> None:
    key_exchange_only = x25519.X25519PrivateKey.generate().public_key()
    spki = key_exchange_only.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def edit(message: Any) -> None:
        message.entries = (CertificateEntry(spki),)

    client = wanting(RAW, certificate_compression=())
    connected = altered_server(client, server_config(credentials=(raw(),)), H.CERTIFICATE, edit)
    assert_refused(connected, Side.CLIENT, A.UNSUPPORTED_CERTIFICATE, "unsupported-key")


def test_a_chooser_that_chooses_a_type_which_the_client_does_not_take() -> None:
    connected = pair(server=server_config(choose_credential=lambda _: raw())).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-certificate-type")


def test_unknown_types_are_passed_over() -> None:
    edit = change(H.CLIENT_HELLO, lambda hello: hello.extensions.update({E.SERVER_CERTIFICATE_TYPE: b"\2\5\2"}))
    connected = Pair(puppet_client(wanting(RAW), edit), pair(server=server_config(credentials=(raw(),))).server)
    connected.done()


# --- mistakes of the caller ------------------------------------------------------------------------


MISTAKES: dict[str, Callable[[], object]] = {
    "no pin": PinnedRawKeys,
    "a short pin": lambda: PinnedRawKeys(b"short"),
    "nobody to judge": lambda: client_config(peer_certificate_types=(RAW,)),
    "nothing to judge": lambda: client_config(raw_key_verifier=pins(raw())),
    "an unknown type": lambda: client_config(peer_certificate_types=(1,)),
    "an unknown type of our own": lambda: client_config(own_certificate_types=(7,)),
    "nobody for X.509": lambda: server_config(peer_certificate_types=(RAW, X509), raw_key_verifier=pins(raw())),
    "no key": lambda: Credential.from_raw_signer(b"no key", raw().signer),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be(mistake: str) -> None:
    with pytest.raises(ConfigurationError):
        MISTAKES[mistake]()

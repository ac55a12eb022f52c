"""Who the client is, asked in the handshake (RFC 9846 sections 4.4.2, 4.5)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import CertificateRefused, ConfigurationError
from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side
from glasslock.tls import (
    Credential,
    ServerConfig,
)
from glasslock.tls.keys.signatures import PrivateKeySigner
from glasslock.tls.wire.messages import (
    Certificate,
    CertificateEntry,
    CertificateRequest,
    CertificateVerify,
)

from .asking import Judge, asking
from .minted import KINDS, certificate, client_credential, credential, key, key_usage, name
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import (
    after,
    before,
    change,
    puppet_client,
    puppet_server,
    send_record,
)
from .puppet import (
    replace as replace_message,
)

A, H = AlertDescription, HandshakeType
# --- in the handshake ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_key(kind: str) -> None:
    judge = Judge()
    ours = credential(kind) if kind == "rsassa-pss" else client_credential(kind)
    connected = pair(client_config(credentials=(ours,)), asking(client_verifier=judge)).done().talk()
    assert connected.server.agreed.peer_chain == connected.client.agreed.own_chain == ours.chain
    assert connected.server.agreed.client_signature_scheme == connected.client.agreed.client_signature_scheme
    assert connected.server.agreed.client_signature_scheme in ours.schemes(0x0304)
    assert judge.seen == [(ours.chain, None)]


def test_a_client_without_certificate_may_go_on_where_none_is_required() -> None:
    judge = Judge()
    connected = pair(server=asking(client_verifier=judge)).done().talk()
    assert connected.server.agreed.peer_chain == ()
    assert judge.seen == []


def test_a_required_certificate_that_is_not_there() -> None:
    """Section 4.5.1.3: the server MAY abort with certificate_required."""
    connected = pair(server=asking(require_client_certificate=True)).run()
    assert_refused(connected, Side.SERVER, A.CERTIFICATE_REQUIRED, "certificate-required")


def test_a_required_certificate_needs_a_verifier() -> None:
    with pytest.raises(ConfigurationError, match="client_verifier"):
        server_config(require_client_certificate=True)
    with pytest.raises(ConfigurationError, match="in the handshake"):
        asking(require_client_certificate=True, ask_in_handshake=False)


def test_a_certificate_that_is_refused() -> None:
    judge = Judge(CertificateRefused(A.UNKNOWN_CA, "unknown-root", "nobody vouches for it"))
    connected = pair(client_config(credentials=(client_credential(),)), asking(client_verifier=judge)).run()
    assert_refused(connected, Side.SERVER, A.UNKNOWN_CA, "unknown-root")
    assert connected.server.agreed.peer_chain == ()


def test_a_verifier_that_fails_refuses() -> None:
    class Broken:
        def verify(self, *_: object, **__: object) -> None:
            raise ZeroDivisionError

    for by, connected in (
        (Side.SERVER, pair(client_config(credentials=(client_credential(),)), asking(client_verifier=Broken()))),
        (Side.CLIENT, pair(client_config(verifier=Broken()))),
    ):
        assert_refused(connected.run(), by, A.CERTIFICATE_UNKNOWN, "verifier-failed")


def test_only_keys_that_the_server_can_check_are_shown() -> None:
    client = client_config(credentials=(client_credential("ed448"), client_credential("p256")))
    connected = pair(client, asking(signature_schemes=(0x0403,))).done()
    assert connected.server.agreed.peer_chain == client_credential("p256").chain
    connected = pair(client, asking(signature_schemes=(0x0807,))).done()
    assert connected.server.agreed.peer_chain == ()


def test_certificates_of_the_authorities_that_are_asked_for_come_first() -> None:
    """Section 4.5.1.2: at least one certificate of the chain SHOULD be issued by one of the listed CAs."""
    client = client_config(credentials=(credential("ed25519", "self"), client_credential("p256")))
    chains = {"Test CA": client_credential("p256").chain, "Other CA": credential("ed25519", "self").chain}
    for authority, chain in chains.items():
        server = asking(client_certificate_authorities=(name(authority).public_bytes(),))
        assert pair(client, server).done().server.agreed.peer_chain == chain


def test_a_certificate_may_be_only_for_those_who_ask_for_its_authority() -> None:
    client = client_config(credentials=(replace(client_credential(), must_match_issuer=True),))
    for authority, chain in (("Test CA", client_credential().chain), ("Other CA", ())):
        server = asking(client_certificate_authorities=(name(authority).public_bytes(),))
        assert pair(client, server).done().server.agreed.peer_chain == chain


def test_certificates_in_a_retried_handshake() -> None:
    client = client_config(credentials=(client_credential(),), key_shares=())
    connected = pair(client, asking()).done().talk()
    assert connected.server.agreed.peer_chain == client_credential().chain


def test_no_question_in_a_resumption() -> None:
    """Section 4.4.2: servers authenticating with a PSK MUST NOT send CertificateRequest in the main handshake."""
    server = asking()
    session = pair(client_config(credentials=(client_credential(),)), server).done().tickets()[0]
    connected = pair(client_config(credentials=(client_credential("ed25519"),)), server, session=session).done()
    assert connected.server.agreed.peer_chain == client_credential().chain


def test_a_question_in_a_resumption_is_refused() -> None:
    server = server_config()
    session = pair(server=server).done().tickets()[0]
    request = CertificateRequest(b"", {13: b"\0\2\4\3"}).encode()
    connected = Pair(pair(session=session).client, puppet_server(server, after(H.ENCRYPTED_EXTENSIONS, request)))
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE)


# --- CertificateRequest (section 4.4.2) ------------------------------------------------------------


def asked_with(edit: Any, **settings: Any) -> Pair:
    client = client_config(credentials=(client_credential(),), **settings)
    return Pair(pair(client).client, puppet_server(asking(), change(H.CERTIFICATE_REQUEST, edit)))


@pytest.mark.parametrize(
    ("edit", "alert"),
    [
        (lambda m: setattr(m, "context", b"x"), A.ILLEGAL_PARAMETER),
        (lambda m: m.extensions.pop(13), A.MISSING_EXTENSION),
        (lambda m: m.extensions.update({13: b"\0\0"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({13: b"\0\3\4\3\5"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({13: b"\0\2\4\3\0"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({50: b"\0\0"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({47: b"\0\0"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({47: b"\0\3\0\0\1"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({27: b"\0"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({27: b"\1\1"}), A.DECODE_ERROR),
        (lambda m: m.extensions.update({51: b""}), A.ILLEGAL_PARAMETER),
        (lambda m: m.extensions.update({16: b""}), A.ILLEGAL_PARAMETER),
        (lambda m: m.extensions.update({49: b""}), A.ILLEGAL_PARAMETER),
        (lambda m: m.extensions.update({42: b""}), A.ILLEGAL_PARAMETER),
    ],
    ids=[
        "context",
        "no schemes",
        "empty schemes",
        "odd schemes",
        "schemes and more",
        "empty schemes for certificates",
        "no authorities",
        "empty authority",
        "no compression",
        "odd compression",
        "key_share",
        "alpn",
        "post_handshake_auth",
        "early_data",
    ],
)
def test_one_corruption_of_a_certificate_request(edit: Any, alert: AlertDescription) -> None:
    assert_refused(asked_with(edit).run(), Side.CLIENT, alert)


@pytest.mark.parametrize("extension", [0, 5, 18, 34, 48, 0xFF55])
def test_other_extensions_of_a_request_are_permitted_or_unknown(extension: int) -> None:
    """Section 4.4.2: clients MUST ignore unrecognized extensions."""
    connected = asked_with(lambda m: m.extensions.update({extension: b""})).done()
    assert connected.server.agreed.peer_chain == client_credential().chain


@pytest.mark.parametrize("position", ["before", "after", "twice"])
def test_the_place_of_a_request(position: str) -> None:
    """It follows EncryptedExtensions, and comes once."""
    request = CertificateRequest(b"", {13: b"\0\2\4\3"}).encode()
    alter = {
        "before": before(H.ENCRYPTED_EXTENSIONS, request),
        "after": after(H.COMPRESSED_CERTIFICATE, request),
        "twice": before(H.CERTIFICATE_REQUEST, request),
    }[position]
    connected = Pair(pair().client, puppet_server(asking(), alter))
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE)


def test_a_client_sends_no_request() -> None:
    request = CertificateRequest(b"", {13: b"\0\2\4\3"}).encode()
    connected = Pair(puppet_client(client_config(), before(H.FINISHED, request)), pair().server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE)


# --- the client's proof ----------------------------------------------------------------------------


def showing(alter: Any, server: ServerConfig | None = None, **settings: Any) -> Pair:
    client = client_config(credentials=(client_credential(),), **settings)
    return Pair(puppet_client(client, alter), pair(server=server or asking()).server)


@pytest.mark.parametrize(
    ("alter", "alert"),
    [
        (change(H.CERTIFICATE, lambda m: setattr(m, "context", b"x")), A.ILLEGAL_PARAMETER),
        (change(H.CERTIFICATE, lambda m: m.entries[0].extensions.update({5: b""})), A.UNSUPPORTED_EXTENSION),
        (change(H.CERTIFICATE, lambda m: m.entries[0].extensions.update({18: b""})), A.UNSUPPORTED_EXTENSION),
        (change(H.CERTIFICATE, lambda m: m.entries[0].extensions.update({0xFF55: b""})), A.UNSUPPORTED_EXTENSION),
        (change(H.CERTIFICATE, lambda m: setattr(m.entries[0], "data", b"0")), A.BAD_CERTIFICATE),
        (change(H.CERTIFICATE, lambda m: setattr(m.entries[0], "data", b"")), A.DECODE_ERROR),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "scheme", 0x0804)), A.ILLEGAL_PARAMETER),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "scheme", 0x0203)), A.ILLEGAL_PARAMETER),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "scheme", 0xFFFF)), A.ILLEGAL_PARAMETER),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "signature", b"")), A.DECRYPT_ERROR),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "signature", m.signature + b"\0")), A.DECRYPT_ERROR),
        (replace_message(H.CERTIFICATE), A.UNEXPECTED_MESSAGE),
        (replace_message(H.CERTIFICATE_VERIFY), A.UNEXPECTED_MESSAGE),
        (after(H.CERTIFICATE_VERIFY, CertificateVerify(0x0403, b"").encode()), A.UNEXPECTED_MESSAGE),
        (replace_message(H.CERTIFICATE, Certificate(()).encode()), A.UNEXPECTED_MESSAGE),
        (change(H.FINISHED, lambda m: setattr(m, "verify_data", bytes(32))), A.DECRYPT_ERROR),
        (change(H.FINISHED, lambda m: setattr(m, "verify_data", bytes(31))), A.DECODE_ERROR),
    ],
    ids=[
        "context",
        "status nobody asked for",
        "timestamps nobody asked for",
        "unknown extension",
        "no certificate",
        "empty certificate",
        "scheme of another key",
        "SHA-1",
        "unknown scheme",
        "no signature",
        "longer signature",
        "Certificate left out",
        "CertificateVerify left out",
        "CertificateVerify twice",
        "proof for no certificate",
        "wrong Finished",
        "short Finished",
    ],
)
def test_one_corruption_of_the_clients_proof(alter: Any, alert: AlertDescription) -> None:
    connected = showing(alter, certificate_compression=())
    assert_refused(connected.run(), Side.SERVER, alert)
    assert not connected.server.handshake_done


def test_a_proof_with_somebody_elses_key() -> None:
    stolen = replace(client_credential(), chain=credential("p256", "victim").chain)
    thief = replace(stolen, signer=client_credential("p521").signer, key_kind="p256")
    connected = pair(client_config(credentials=(thief,)), asking())
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-signature")
    assert connected.server.agreed.peer_chain == ()


def test_a_proof_in_the_words_of_a_server() -> None:
    """Section 4.5.2: the context strings keep the two apart."""

    class Confused:
        def sign(self, scheme: int, content: bytes) -> bytes:
            return PrivateKeySigner(key("p256")).sign(scheme, content.replace(b"client", b"server"))

    ours = replace(client_credential("p256"), signer=Confused())
    assert_refused(pair(client_config(credentials=(ours,)), asking()).run(), Side.SERVER, A.DECRYPT_ERROR)


@pytest.mark.parametrize("usable", [True, False])
def test_the_key_must_be_allowed_to_sign(usable: bool) -> None:
    """Section 4.5.1.2: the digitalSignature bit MUST be set if the Key Usage extension is present."""
    der = certificate(key("p256"), "localhost", usage=key_usage(digital_signature=usable))
    ours = Credential.from_key([der], key("p256"))
    for by, connected in (
        (Side.SERVER, pair(client_config(credentials=(ours,)), asking())),
        (Side.CLIENT, pair(server=server_config(credentials=(ours,)))),
    ):
        if usable:
            connected.done()
        else:
            assert_refused(connected.run(), by, A.ILLEGAL_PARAMETER, "key-usage")


def test_a_certificate_that_nobody_asked_for() -> None:
    extra = Certificate((CertificateEntry(client_credential().chain[0]),)).encode()
    connected = Pair(puppet_client(client_config(), before(H.FINISHED, extra)), pair().server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE)


def test_data_before_the_proof_is_refused() -> None:
    """Section 2: Application Data MUST NOT be sent prior to sending Finished."""

    def alter(kind: HandshakeType, raw: bytes) -> Any:
        if kind is H.CERTIFICATE_VERIFY:
            client._hs.flush()
            send_record(client, ContentType.APPLICATION_DATA, b"GET /")
        return (raw,)

    client = puppet_client(client_config(credentials=(client_credential(),)), alter)
    connected = Pair(client, pair(server=asking()).server)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "early-application-data")

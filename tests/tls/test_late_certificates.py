"""Who the client is, asked after the handshake (RFC 9846 section 4.7.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from glasslock.errors import CertificateRefused, ConfigurationError, TLSError
from glasslock.registry import AlertDescription, ContentType, HandshakeType, Side
from glasslock.tls import (
    CertificateDeclined,
    ClientAuthenticated,
    ExternalPsk,
    Limits,
)
from glasslock.tls.handshake import client_certificate
from glasslock.tls.wire.extensions import write_certificate_authorities
from glasslock.tls.wire.messages import (
    Certificate,
    CertificateRequest,
    Finished,
    KeyUpdate,
)

from .asking import Judge, asked_late, asking, authenticated, willing
from .minted import client_credential, name
from .pair import assert_refused, client_config, pair
from .puppet import (
    after,
    before,
    change,
    send_message,
    send_record,
)
from .puppet import (
    replace as replace_message,
)

A, H = AlertDescription, HandshakeType
# --- after the handshake (section 4.7.2) -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_late_authentication(kind: str) -> None:
    connected = asked_late(willing(credentials=(client_credential(kind),))).run()
    assert authenticated(connected) == [ClientAuthenticated()]
    assert connected.server.agreed.peer_chain == client_credential(kind).chain
    connected.talk()


def test_late_authentication_twice_and_between_key_updates() -> None:
    connected = asked_late(willing())
    connected.client.update_keys()
    connected.server.update_keys(request_peer=True)
    connected.run()
    connected.server.request_client_certificate()
    connected.server.send_data(b"data in between")
    connected.run().talk()
    assert authenticated(connected) == [ClientAuthenticated()] * 2


def test_two_late_questions_at_once() -> None:
    connected = asked_late(willing())
    connected.server.request_client_certificate()
    connected.run().talk()
    assert authenticated(connected) == [ClientAuthenticated()] * 2


def test_a_late_question_may_be_declined() -> None:
    """Section 4.7.2: a Certificate without certificates, followed by Finished. Who the client is does not change."""
    connected = asked_late(willing(credentials=(client_credential("ed448"),)), signature_schemes=(0x0403,)).run()
    assert authenticated(connected) == [CertificateDeclined()]
    connected.talk()


def test_declining_later_does_not_take_back_who_one_is() -> None:
    connected = pair(willing(), asking()).done()
    connected.server.request_client_certificate()
    request = connected.server.data_to_send()
    with mock.patch.object(client_certificate, "choose_client_credential", return_value=None):
        connected.deliver(Side.CLIENT, request)
    connected.run()
    assert authenticated(connected) == [CertificateDeclined()]
    assert connected.server.agreed.peer_chain == client_credential().chain


def test_a_client_that_did_not_offer_is_not_asked() -> None:
    """Section 4.3.6: servers MUST NOT send a post-handshake CertificateRequest to such clients."""
    connected = pair(client_config(credentials=(client_credential(),)), asking(ask_in_handshake=False)).done()
    with pytest.raises(ConfigurationError, match="post_handshake_auth"):
        connected.server.request_client_certificate()
    with pytest.raises(ConfigurationError, match="client_verifier"):
        pair(willing()).done().server.request_client_certificate()


def test_a_client_that_did_not_offer_refuses_to_be_asked() -> None:
    """Section 4.7.2: it MUST send an unexpected_message fatal alert."""
    connected = pair(client_config(credentials=(client_credential(),))).done()
    send_message(connected.server, CertificateRequest(b"late", {13: b"\0\2\4\3"}).encode())
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "unwanted-certificate-request")


def test_late_questions_have_a_limit() -> None:
    connected = asked_late(willing(limits=Limits(certificate_requests=2)))
    connected.server.request_client_certificate()
    connected.run()
    assert authenticated(connected) == [ClientAuthenticated()] * 2
    connected.server.request_client_certificate()
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "too-many-certificate-requests")


def test_a_late_question_without_schemes() -> None:
    connected = pair(willing(), asking()).done()
    send_message(connected.server, CertificateRequest(b"late", {}).encode())
    assert_refused(connected.run(), Side.CLIENT, A.MISSING_EXTENSION)


@pytest.mark.parametrize(
    ("alter", "alert"),
    [
        (change(H.CERTIFICATE, lambda m: setattr(m, "context", b"other")), A.UNEXPECTED_MESSAGE),
        (change(H.CERTIFICATE_VERIFY, lambda m: setattr(m, "signature", b"x")), A.DECRYPT_ERROR),
        (change(H.FINISHED, lambda m: setattr(m, "verify_data", bytes(32)), 1), A.DECRYPT_ERROR),
        (change(H.FINISHED, lambda m: setattr(m, "verify_data", bytes(48)), 1), A.DECODE_ERROR),
        (replace_message(H.CERTIFICATE_VERIFY), A.UNEXPECTED_MESSAGE),
        (after(H.CERTIFICATE_VERIFY, KeyUpdate(0).encode()), A.UNEXPECTED_MESSAGE),
        (before(H.CERTIFICATE_VERIFY, Finished(bytes(32)).encode()), A.UNEXPECTED_MESSAGE),
    ],
    ids=["context", "signature", "wrong Finished", "long Finished", "no proof", "KeyUpdate between", "Finished early"],
)
def test_one_corruption_of_a_late_proof(alter: Any, alert: AlertDescription) -> None:
    """Nobody is taken for who they have not proved to be."""
    connected = asked_late(willing(certificate_compression=()), alter)
    assert_refused(connected.run(), Side.SERVER, alert)
    assert authenticated(connected) == []
    assert connected.server.agreed.peer_chain == ()


def test_data_inside_a_late_proof_is_refused() -> None:
    """Section 4.7.2: the messages MUST appear consecutively. Else data could pass under an unproved name."""

    def alter(kind: HandshakeType, raw: bytes) -> Any:
        if kind is H.CERTIFICATE_VERIFY:
            connected.client._hs.flush()
            send_record(connected.client, ContentType.APPLICATION_DATA, b"GET /secret")
        return (raw,)

    connected = asked_late(willing(), alter)
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "interleaved")
    assert connected.received(Side.SERVER) == b""


def test_an_answer_twice() -> None:
    connected = asked_late(willing())
    connected.run()
    assert connected.server._hs.certificate_requests == {}
    send_message(connected.client, Certificate((), b"again").encode())
    assert_refused(connected.run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "unwanted-certificate")


def test_a_late_proof_that_is_refused() -> None:
    judge = Judge(CertificateRefused(A.CERTIFICATE_REVOKED, "revoked", "it was revoked"))
    connected = asked_late(willing(), client_verifier=judge)
    assert_refused(connected.run(), Side.SERVER, A.CERTIFICATE_REVOKED, "revoked")
    assert authenticated(connected) == []


def test_the_server_may_speak_while_a_late_proof_comes_in() -> None:
    """What the server sends meanwhile is no part of the client's transcript."""
    connected = asked_late(willing())
    connected.carry(Side.SERVER)
    answer = connected.client.data_to_send()
    connected.deliver(Side.SERVER, answer[:60])
    connected.server.update_keys(request_peer=True)
    connected.server.send_data(b"meanwhile")
    connected.deliver(Side.SERVER, answer[60:])
    connected.run().talk()
    assert authenticated(connected) == [ClientAuthenticated()]


def test_the_authorities_of_a_late_question_count_as_well() -> None:
    shy = replace(client_credential(), must_match_issuer=True)
    connected = pair(willing(credentials=(shy,)), asking()).done()
    other = write_certificate_authorities((name("Other CA").public_bytes(),))
    request = CertificateRequest(b"late", {13: b"\0\2\4\3", 47: other})
    connected.server._hs.final_transcript.add(request.encode())
    connected.server._hs.certificate_requests[b"late"] = connected.server._hs.final_transcript
    send_message(connected.server, request.encode())
    connected.run()
    assert authenticated(connected) == [CertificateDeclined()]


def test_a_context_is_used_once() -> None:
    """Section 4.4.2: the context MUST be unique within the scope of the connection."""
    connected = pair(willing(), asking()).done()
    request = CertificateRequest(b"the same", {13: b"\0\2\4\3"}).encode()
    send_message(connected.server, request, request)
    assert_refused(connected.run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "certificate-context", told=False)


def test_an_external_key_says_who_one_is() -> None:
    """Section 4.4.2: with an external PSK a server MUST NOT ask for a certificate, in the handshake or later."""
    ours = ExternalPsk(identity=b"us", key=bytes(32))
    judge = Judge()
    server = asking(client_verifier=judge, find_external_psk=lambda _: ours)
    connected = pair(willing(external_psks=(ours,)), server).done()
    assert connected.server.agreed.external_psk == b"us"
    assert judge.seen == []
    with pytest.raises(ConfigurationError, match="by its key"):
        connected.server.request_client_certificate()
    send_message(connected.server, CertificateRequest(b"late", {13: b"\0\2\4\3"}).encode())
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "unwanted-certificate-request")


def test_a_resumed_client_may_be_asked_later() -> None:
    """Section 4.4.2: in a resumption MAY the server ask after the handshake."""
    server = asking(ask_in_handshake=False)
    session = pair(willing(), server).done().tickets()[0]
    connected = pair(willing(), server, session=session).done()
    assert connected.server.agreed.resumed
    connected.server.request_client_certificate()
    connected.run()
    assert authenticated(connected) == [ClientAuthenticated()]


def test_nobody_is_asked_on_a_connection_that_is_over() -> None:
    connected = asked_late(willing())
    connected.server.close()
    with pytest.raises(ConfigurationError, match="after close"):
        connected.server.request_client_certificate()
    connected = asked_late(willing())
    connected.server.abort(TLSError(A.GENERAL_ERROR, "policy", "not wanted"))
    with pytest.raises(TLSError, match="not wanted"):
        connected.server.request_client_certificate()

"""Decisions that somebody outside makes: signatures, verdicts, certificates, at once or later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import CertificateRefused, ConfigurationError, TLSError
from glasslock.registry import AlertDescription, Side
from glasslock.tls import Credential, Event, HandshakeDone, Undecided
from glasslock.tls.config import ClientHelloInfo
from glasslock.tls.handshake.authentication import SignatureRequest, VerificationRequest
from glasslock.tls.keys.signatures import PrivateKeySigner

from .minted import client_credential, credential, key
from .pair import Pair, assert_refused, client_config, pair, server_config

A = AlertDescription


class Later:
    """Answers nothing by itself: whoever drives the connection has to."""

    deferred = True

    def verify(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody asks a deferred verifier")

    def sign(self, *_: object) -> bytes:
        raise AssertionError("nobody asks a deferred signer")

    def __call__(self, _: ClientHelloInfo) -> Credential | None:
        raise AssertionError("nobody asks a deferred chooser")


def slow(ours: Credential) -> Credential:
    return replace(ours, signer=Later())


def question(connected: Pair, side: Side, what: str) -> Any:
    """The subject of the question that a side has just asked."""
    event = connected.events[side][-1]
    assert isinstance(event, Undecided)
    assert event.question.what == what  # type: ignore[attr-defined]
    return event.question.subject  # type: ignore[attr-defined]


def answer(connected: Pair, side: Side, value: object) -> None:
    try:
        connected.events[side] += connected.side(side).answer(value)
    except TLSError as error:
        connected.errors[side] = error
    connected.run()


def sign(kind: str, request: SignatureRequest) -> bytes:
    return PrivateKeySigner(key(kind)).sign(request.scheme, request.content)


@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519"])
def test_a_signature_that_takes_its_time(kind: str) -> None:
    connected = pair(server=server_config(credentials=(slow(credential(kind)),))).run()
    request = question(connected, Side.SERVER, "sign")
    assert isinstance(request, SignatureRequest)
    assert request.credential.chain == credential(kind).chain
    assert request.content.startswith(b" " * 64 + b"TLS 1.3, server CertificateVerify\0")
    answer(connected, Side.SERVER, sign(kind, request))
    connected.done().talk()


def test_a_verdict_that_takes_its_time() -> None:
    connected = pair(client_config(verifier=Later())).run()
    request = question(connected, Side.CLIENT, "verify")
    assert isinstance(request, VerificationRequest)
    assert (request.chain, request.server_name) == (credential().chain, "localhost")
    assert not connected.client.handshake_done
    answer(connected, Side.CLIENT, None)
    connected.done().talk()


def test_a_choice_that_takes_its_time() -> None:
    connected = pair(server=server_config(choose_credential=Later())).run()
    info = question(connected, Side.SERVER, "credential")
    assert isinstance(info, ClientHelloInfo)
    assert info.server_name == "localhost"
    answer(connected, Side.SERVER, credential())
    connected.done().talk()


def test_the_choice_may_be_none() -> None:
    connected = pair(server=server_config(choose_credential=Later())).run()
    answer(connected, Side.SERVER, None)
    assert_refused(connected, Side.SERVER, A.UNRECOGNIZED_NAME)


def test_everything_takes_its_time() -> None:
    client = client_config(verifier=Later(), credentials=(slow(client_credential()),))
    server = server_config(credentials=(slow(credential()),), client_verifier=Later())
    connected = pair(client, server)
    asked = []
    for _ in range(4):
        connected.run()
        for side in Side:
            event = connected.events[side][-1] if connected.events[side] else None
            if isinstance(event, Undecided):
                subject = event.question.subject  # type: ignore[attr-defined]
                asked.append((side, type(subject)))
                value = sign("p256", subject) if isinstance(subject, SignatureRequest) else None
                answer(connected, side, value)
                break
    assert asked == [
        (Side.SERVER, SignatureRequest),
        (Side.CLIENT, VerificationRequest),
        (Side.CLIENT, SignatureRequest),
        (Side.SERVER, VerificationRequest),
    ]
    connected.done().talk()


@pytest.mark.parametrize("pieces", [False, True])
def test_what_arrives_meanwhile_waits(pieces: bool) -> None:
    """The rest of the server's flight is read once the question is answered."""
    connected = pair(client_config(verifier=Later()))
    connected.carry(Side.CLIENT)
    flight = connected.server.data_to_send()
    if pieces:
        for byte in flight:
            connected.deliver(Side.CLIENT, bytes((byte,)))
    else:
        connected.deliver(Side.CLIENT, flight)
    assert connected.events[Side.CLIENT][-1:] == [Undecided(connected.client._waiting)]
    assert connected.client.data_to_send() == b""
    answer(connected, Side.CLIENT, None)
    connected.done().talk()


@pytest.mark.parametrize(
    ("refusal", "alert", "code"),
    [
        (CertificateRefused(A.CERTIFICATE_EXPIRED, "expired", "too old"), A.CERTIFICATE_EXPIRED, "expired"),
        (ConfigurationError("no store to ask"), A.INTERNAL_ERROR, "internal"),
        (OSError("the verifier's socket broke"), A.INTERNAL_ERROR, "internal"),
    ],
    ids=["refusal", "ours", "foreign"],
)
def test_an_exception_as_an_answer_refuses(refusal: Exception, alert: AlertDescription, code: str) -> None:
    connected = pair(client_config(verifier=Later())).run()
    answer(connected, Side.CLIENT, refusal)
    error = assert_refused(connected, Side.CLIENT, alert, code)
    assert str(refusal).split()[0] in str(error)
    assert not connected.client.handshake_done


def test_a_signer_that_fails() -> None:
    class Broken:
        def sign(self, scheme: int, content: bytes) -> bytes:
            raise OSError("the card was taken out")

    ours = replace(credential(), signer=Broken())
    error = assert_refused(pair(server=server_config(credentials=(ours,))).run(), Side.SERVER, A.INTERNAL_ERROR)
    assert "the card was taken out" in str(error)


def test_a_signer_that_refuses() -> None:
    class Strict:
        def sign(self, scheme: int, content: bytes) -> bytes:
            raise TLSError(A.ACCESS_DENIED, "policy", "not for this one")

    ours = replace(credential(), signer=Strict())
    assert_refused(pair(server=server_config(credentials=(ours,))).run(), Side.SERVER, A.ACCESS_DENIED, "policy")


@pytest.mark.parametrize("value", [None, "text", 7])
def test_an_answer_of_the_wrong_kind_is_an_internal_error(value: object) -> None:
    connected = pair(server=server_config(credentials=(slow(credential()),))).run()
    answer(connected, Side.SERVER, value)
    assert_refused(connected, Side.SERVER, A.INTERNAL_ERROR, "internal")


@pytest.mark.parametrize("value", [False, True, "fine"])
def test_a_verdict_is_given_by_raising_and_by_nothing_else(value: object) -> None:
    connected = pair(client_config(verifier=Later())).run()
    answer(connected, Side.CLIENT, value)
    assert_refused(connected, Side.CLIENT, A.INTERNAL_ERROR, "internal")
    assert not connected.client.handshake_done


def test_a_verifier_that_returns_something_has_not_consented() -> None:
    class Sloppy:
        def verify(self, *_: object, **__: object) -> bool:
            return True

    assert_refused(pair(client_config(verifier=Sloppy())).run(), Side.CLIENT, A.INTERNAL_ERROR, "internal")


def test_a_wrong_signature_is_found_by_the_peer() -> None:
    connected = pair(server=server_config(credentials=(slow(credential()),))).run()
    answer(connected, Side.SERVER, b"not a signature")
    assert_refused(connected, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_nobody_asked() -> None:
    connected = pair()
    with pytest.raises(ConfigurationError, match="no question"):
        connected.client.answer(None)
    connected.done()
    with pytest.raises(ConfigurationError, match="no question"):
        connected.server.answer(None)


def test_an_answer_after_giving_up_changes_nothing() -> None:
    connected = pair(client_config(verifier=Later())).run()
    connected.client.close()
    assert connected.client.answer(None) == []
    assert not connected.client.handshake_done
    connected = pair(client_config(verifier=Later())).run()
    connected.client.abort(TLSError(A.USER_CANCELED, "gone", "the user left"))
    assert connected.client.answer(None) == []
    assert not connected.client.handshake_done


def test_a_late_proof_that_takes_its_time_stays_together() -> None:
    """RFC 9846 section 4.7.2: consecutive on the wire, whatever is sent while the signer thinks."""
    server = server_config(client_verifier=Later(), ask_in_handshake=False)
    ours = client_config(credentials=(slow(client_credential()),), post_handshake_auth=True)
    connected = pair(ours, server).done()
    connected.server.request_client_certificate()
    connected.run()
    request = question(connected, Side.CLIENT, "sign")
    connected.client.send_data(b"meanwhile ")
    connected.client.update_keys(request_peer=True)
    connected.client.send_data(b"and more")
    connected.run()
    assert connected.received(Side.SERVER) == b"meanwhile and more"
    answer(connected, Side.CLIENT, sign("p256", request))
    assert connected.errors == {}
    shown = question(connected, Side.SERVER, "verify")
    assert shown.chain == client_credential().chain
    assert connected.server.agreed.peer_chain == ()
    answer(connected, Side.SERVER, None)
    assert connected.server.agreed.peer_chain == client_credential().chain
    connected.talk()


def events_without_questions(connected: Pair, side: Side) -> list[Event]:
    return [event for event in connected.events[side] if not isinstance(event, Undecided)]


def test_the_events_are_the_same_at_once_or_later() -> None:
    at_once = pair().done()
    later = pair(client_config(verifier=Later())).run()
    answer(later, Side.CLIENT, None)
    later.done()
    assert events_without_questions(later, Side.SERVER) == at_once.events[Side.SERVER] == [HandshakeDone()]
    assert len(events_without_questions(later, Side.CLIENT)) == len(at_once.events[Side.CLIENT])

"""Keys that both sides got outside of TLS (RFC 9846 section 4.3.11, RFC 9257)."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.errors import ConfigurationError, NegotiationFailed
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, Side
from glasslock.tls import (
    ExternalPsk,
    TicketKeys,
)
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello

from .known_keys import knowing, psk
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change_and_bind, puppet_client

A, H = AlertDescription, HandshakeType
AES_128, AES_256, CHACHA = list(CipherSuite)[:3]
WEEK = 7 * 24 * 3600


# --- external keys (section 4.3.11, RFC 9257) ------------------------------------------------------


@pytest.mark.parametrize(("suite", "hash_name"), [(AES_128, "sha256"), (AES_256, "sha384"), (CHACHA, "sha256")])
@pytest.mark.parametrize("modes", [(1,), (0,), (0, 1)])
def test_an_external_key(suite: int, hash_name: str, modes: tuple[int, ...]) -> None:
    ours = psk(hash_name=hash_name)
    client = client_config(external_psks=(ours,), psk_modes=modes, cipher_suites=(suite,))
    connected = pair(client, knowing(ours, psk_modes=modes)).done().talk()
    for side in Side:
        agreed = connected.side(side).agreed
        assert agreed.resumed
        assert agreed.external_psk == b"us"
        assert agreed.peer_chain == ()
        # psk_dhe_ke is preferred where both know it, for its forward secrecy.
        assert (agreed.group is None) == (modes == (0,))


def test_the_age_of_an_external_key_is_ignored() -> None:
    """Section 4.3.11: a value of 0 SHOULD be used, and servers MUST ignore it."""
    ours = psk()
    ages: list[int] = []

    def edit(hello: ClientHello) -> None:
        ((identity, age),) = ext.read_offered_psks(hello.extensions[41]).identities
        ages.append(age)
        hello.extensions[41] = ext.write_offered_psks(((identity, 0x12345678),), (bytes(32),))

    client = puppet_client(client_config(external_psks=(ours,)), change_and_bind(edit, ours))
    Pair(client, pair(server=knowing(ours)).server).done()
    assert ages == [0]


def test_the_second_of_several_external_keys() -> None:
    client = client_config(external_psks=(psk(b"one"), psk(b"two", b"2" * 32)))
    connected = pair(client, knowing(psk(b"two", b"2" * 32))).done().talk()
    assert connected.server.agreed.external_psk == connected.client.agreed.external_psk == b"two"


def test_a_wrong_external_key() -> None:
    connected = pair(client_config(external_psks=(psk(key=b"x" * 32),)), knowing(psk()))
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")


def test_an_unknown_external_key_and_no_certificate() -> None:
    connected = pair(client_config(external_psks=(psk(b"stranger"),)), knowing(psk()))
    assert_refused(connected.run(), Side.SERVER, A.HANDSHAKE_FAILURE, "psk-unknown")


def test_an_unknown_external_key_means_a_full_handshake() -> None:
    server = server_config(find_external_psk=lambda _: None)
    connected = pair(client_config(external_psks=(psk(),)), server).done()
    assert not connected.client.agreed.resumed
    assert connected.client.agreed.peer_chain


def test_an_external_key_of_another_hash_is_not_used() -> None:
    server = server_config(find_external_psk=lambda _: psk(), cipher_suites=(AES_256,))
    assert not pair(client_config(external_psks=(psk(),)), server).done().client.agreed.resumed


def test_an_external_key_is_no_ticket() -> None:
    """Section 7.1: the labels `ext binder` and `res binder` keep the two kinds of key apart."""
    keys = TicketKeys()
    session = pair(server=server_config(ticket_keys=keys)).done().tickets()[0]
    stolen = ExternalPsk(identity=session.ticket, key=session.psk)
    connected = pair(client_config(external_psks=(stolen,)), server_config(ticket_keys=keys))
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")


def test_a_ticket_goes_before_an_external_key() -> None:
    server = server_config(find_external_psk=lambda _: psk())
    session = pair(server=server).done().tickets()[0]
    again = pair(client_config(external_psks=(psk(),)), server, session=session).done()
    assert again.client.agreed.external_psk is None
    assert again.client.agreed.resumed


def test_a_search_may_refuse_by_itself() -> None:
    def find(_: bytes) -> ExternalPsk | None:
        raise NegotiationFailed(A.ACCESS_DENIED, "policy", "not for this one")

    connected = pair(client_config(external_psks=(psk(),)), server_config(find_external_psk=find))
    assert_refused(connected.run(), Side.SERVER, A.ACCESS_DENIED, "policy")


def test_a_search_that_fails_is_an_internal_error() -> None:
    def find(_: bytes) -> ExternalPsk | None:
        raise OSError("the database is away")

    connected = pair(client_config(external_psks=(psk(),)), server_config(find_external_psk=find))
    error = assert_refused(connected.run(), Side.SERVER, A.INTERNAL_ERROR)
    assert "the database is away" in str(error)


@pytest.mark.parametrize(
    "settings",
    [{"identity": b""}, {"identity": bytes(65536)}, {"key": b""}, {"hash_name": "md5"}],
    ids=["no identity", "long identity", "no key", "md5"],
)
def test_what_cannot_be_an_external_key(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ExternalPsk(**{"identity": b"us", "key": bytes(32)} | settings)

"""One corruption per test of what is said of pre-shared keys (RFC 9846 sections 4.3.9, 4.3.11)."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, Side
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello, ServerHello

from .known_keys import first_and_server, knowing, psk
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, change_and_bind, puppet_client, puppet_server

A, H = AlertDescription, HandshakeType
AES_128, AES_256, CHACHA = list(CipherSuite)[:3]
WEEK = 7 * 24 * 3600


# --- the offer (section 4.3.11) --------------------------------------------------------------------


def offering(edit: Any, **settings: Any) -> Pair:
    """A resumption whose pre_shared_key was edited as (identities, binders) before it left."""
    first, server = first_and_server(**settings)

    def change_offer(hello: ClientHello) -> None:
        offered = ext.read_offered_psks(hello.extensions[41])
        hello.extensions[41] = ext.write_offered_psks(*edit(offered.identities, offered.binders))

    client = puppet_client(client_config(), change(H.CLIENT_HELLO, change_offer), session=first.tickets()[0])
    return Pair(client, pair(server=server).server)


def test_a_wrong_binder() -> None:
    """Section 4.3.11: if the binder does not validate, the server MUST abort; decrypt_error (section 6.2)."""
    connected = offering(lambda identities, binders: (identities, (bytes(32),)))
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")


def test_the_binder_covers_the_hello() -> None:
    first, server = first_and_server()

    def edit(hello: ClientHello) -> None:
        hello.extensions = {0xFA7A: b"", **hello.extensions}

    client = puppet_client(client_config(), change(H.CLIENT_HELLO, edit), session=first.tickets()[0])
    connected = Pair(client, pair(server=server).server)
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-binder")


def test_binders_of_keys_that_are_not_used_are_not_checked() -> None:
    """Section 4.3.11: servers SHOULD validate solely the binder of the PSK that they select."""
    first, server = first_and_server()
    session = first.tickets()[0]

    def edit(hello: ClientHello) -> None:
        offered = ext.read_offered_psks(hello.extensions[41])
        identities = (*offered.identities, (b"other", 0))
        hello.extensions[41] = ext.write_offered_psks(identities, (*offered.binders, bytes(48)))

    client = puppet_client(client_config(), change_and_bind(edit, session), session=session)
    assert Pair(client, pair(server=server).server).done().client.agreed.resumed


@pytest.mark.parametrize(
    "edit",
    [
        lambda ids, binders: (ids, (*binders, bytes(32))),
        lambda ids, binders: ((*ids, (b"other", 0)), binders),
    ],
    ids=["more binders", "more identities"],
)
def test_as_many_binders_as_identities(edit: Any) -> None:
    assert_refused(offering(edit).run(), Side.SERVER, A.ILLEGAL_PARAMETER, "binder-count-mismatch")


@pytest.mark.parametrize(
    "edit",
    [
        lambda ids, binders: (ids, (binders[0][:31],)),
        lambda ids, binders: (ids, ()),
        lambda ids, binders: (((b"", 0),), binders),
        lambda ids, binders: ((), binders),
    ],
    ids=["short binder", "no binder", "empty identity", "no identity"],
)
def test_the_form_of_the_offer(edit: Any) -> None:
    """identity<1..>, identities<7..>, PskBinderEntry<32..255>, binders<33..>: decode_error."""
    assert_refused(offering(edit).run(), Side.SERVER, A.DECODE_ERROR)


def test_pre_shared_key_is_the_last_extension() -> None:
    """Section 4.3.11: servers MUST check that it is the last, otherwise illegal_parameter."""
    first, server = first_and_server()

    def edit(hello: ClientHello) -> None:
        hello.extensions[0xFA7A] = b""

    client = puppet_client(client_config(), change(H.CLIENT_HELLO, edit), session=first.tickets()[0])
    assert_refused(Pair(client, pair(server=server).server).run(), Side.SERVER, A.ILLEGAL_PARAMETER, "psk-not-last")


def test_pre_shared_key_needs_modes() -> None:
    """Section 4.3.9: otherwise servers MUST abort the handshake; missing_extension (section 9.2)."""
    first, server = first_and_server()

    def edit(hello: ClientHello) -> None:
        del hello.extensions[45]

    client = puppet_client(client_config(), change(H.CLIENT_HELLO, edit), session=first.tickets()[0])
    assert_refused(Pair(client, pair(server=server).server).run(), Side.SERVER, A.MISSING_EXTENSION)


@pytest.mark.parametrize("data", [b"", b"\0", b"\1", b"\1\1\1"])
def test_the_form_of_the_modes(data: bytes) -> None:
    """PskKeyExchangeMode ke_modes<1..255>."""

    def edit(hello: ClientHello) -> None:
        hello.extensions[45] = data

    connected = Pair(puppet_client(client_config(), change(H.CLIENT_HELLO, edit)), pair().server)
    assert_refused(connected.run(), Side.SERVER, A.DECODE_ERROR)


def test_unknown_modes_are_ignored() -> None:
    first, server = first_and_server()
    session = first.tickets()[0]

    def edit(hello: ClientHello) -> None:
        hello.extensions[45] = b"\x03\x0a\x01\xff"

    client = puppet_client(client_config(), change_and_bind(edit, session), session=session)
    assert Pair(client, pair(server=server).server).done().client.agreed.resumed


def test_without_a_mode_in_common_there_is_no_resumption() -> None:
    first, server = first_and_server()
    again = pair(client_config(psk_modes=(0,)), server, session=first.tickets()[0]).done()
    assert not again.client.agreed.resumed


def test_psk_dhe_ke_without_a_key_share_is_not_possible() -> None:
    """Section 4.3.9: in psk_dhe_ke client and server MUST supply key_share; psk_ke is left, if both want it."""
    ours = psk()

    def edit(hello: ClientHello) -> None:
        del hello.extensions[51], hello.extensions[10]

    for modes, resumed in (((0, 1), True), ((1,), False)):
        client = puppet_client(client_config(external_psks=(ours,), psk_modes=(0, 1)), change_and_bind(edit, ours))
        connected = Pair(client, pair(server=knowing(ours, psk_modes=modes)).server).run()
        assert (connected.errors == {}) == resumed
        if not resumed:
            assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-group")


# --- the server's selection ------------------------------------------------------------------------


def selecting(edit: Any, client: Any = None, **settings: Any) -> Pair:
    """A resumption in which the server's ServerHello is edited."""
    first, server = first_and_server(**settings)
    resuming = pair(client or client_config(), session=first.tickets()[0]).client
    return Pair(resuming, puppet_server(server, change(H.SERVER_HELLO, edit)))


@pytest.mark.parametrize("index", [b"\0\1", b"\xff\xff"])
def test_a_selected_identity_that_was_not_offered(index: bytes) -> None:
    """Section 4.3.11: clients MUST verify that selected_identity is within the range."""

    def edit(hello: ServerHello) -> None:
        hello.extensions[41] = index

    assert_refused(selecting(edit).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "psk-not-found")


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\0\0"])
def test_the_form_of_the_selected_identity(data: bytes) -> None:
    def edit(hello: ServerHello) -> None:
        hello.extensions[41] = data

    assert_refused(selecting(edit).run(), Side.CLIENT, A.DECODE_ERROR)


def test_a_selected_key_of_another_hash() -> None:
    """Section 4.3.11: clients MUST verify that the suite's hash is the PSK's."""

    def edit(hello: ServerHello) -> None:
        hello.cipher_suite = AES_256

    assert_refused(selecting(edit).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "psk-hash-mismatch")


def test_a_key_share_is_required_for_psk_dhe_ke() -> None:
    """Section 4.3.11: clients MUST verify that key_share is present if required by psk_key_exchange_modes."""

    def edit(hello: ServerHello) -> None:
        del hello.extensions[51]

    assert_refused(selecting(edit).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "psk-without-key-share")


def test_a_key_share_is_forbidden_for_psk_ke() -> None:
    """Section 4.3.9: in psk_ke the server MUST NOT supply a key_share."""
    first, server = first_and_server()
    session = first.tickets()[0]

    def edit(hello: ClientHello) -> None:  # the client wants psk_ke, the server is made to think otherwise
        hello.extensions[45] = b"\x01\x01"

    client = puppet_client(client_config(psk_modes=(0,)), change_and_bind(edit, session), session=session)
    connected = Pair(client, pair(server=server).server)
    assert_refused(connected.run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "psk-with-key-share")


def test_a_selected_key_that_nobody_offered() -> None:
    def edit(hello: ServerHello) -> None:
        hello.extensions[41] = b"\0\0"

    connected = Pair(pair().client, puppet_server(server_config(), change(H.SERVER_HELLO, edit)))
    assert_refused(connected.run(), Side.CLIENT, A.UNSUPPORTED_EXTENSION, "unsolicited-extension")

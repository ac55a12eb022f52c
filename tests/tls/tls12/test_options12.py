"""What can be set about TLS 1.2, and what a hello of both versions says in vain."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, ExtensionType, HandshakeType, Side
from glasslock.tls import MemorySessionStore
from glasslock.tls.wire.messages import ClientHello
from glasslock.trace import MessageSent

from ..pair import Pair, assert_refused, client_config, pair, server_config
from ..puppet import puppet_client, puppet_server
from .puppet12 import change12
from .test_handshakes12 import BOTH, client12, server12, without_ems

A = AlertDescription
E = ExtensionType
H = HandshakeType


# --- tickets --------------------------------------------------------------------------------------


def test_a_client_can_do_without_tickets() -> None:
    told: list[Any] = []
    store = MemorySessionStore()
    server = server12(session_store=store)
    first = pair(client12(session_tickets=False, observer=told.append), server).done()
    hello = ClientHello.parse(next(r.raw for r in told if isinstance(r, MessageSent)))
    assert E.SESSION_TICKET not in hello.extensions
    (session,) = first.tickets()
    assert session.session_id
    assert not session.ticket
    assert pair(client12(session_tickets=False), server, session=session).done().client.agreed.resumed


def test_nor_does_it_offer_one_that_it_has() -> None:
    server = server12()
    session = pair(client12(), server).done().tickets()[0]
    both = pair(client12(session_tickets=False), server, session=session)
    assert session.ticket not in both.client.data_to_send()


# --- RFC 5746 -------------------------------------------------------------------------------------


def test_a_server_without_secure_renegotiation_is_refused_unless_allowed() -> None:
    def forget(hello: Any) -> None:
        del hello.extensions[E.RENEGOTIATION_INFO]

    server = puppet_server(server12(), change12(H.SERVER_HELLO, forget))
    both = Pair(pair(client12()).client, server).run()
    assert_refused(both, Side.CLIENT, A.HANDSHAKE_FAILURE, "no-secure-renegotiation")
    server = puppet_server(server12(), change12(H.SERVER_HELLO, forget))
    lenient = Pair(pair(client12(require_secure_renegotiation=False)).client, server).done()
    assert not lenient.client.agreed.secure_renegotiation


# --- tls-unique (RFC 5929) -------------------------------------------------------------------------


def test_tls_unique_is_the_first_finished() -> None:
    sent: list[Any] = []
    both = pair(client12(observer=sent.append), server12())
    with pytest.raises(ConfigurationError, match="done"):
        both.client.tls_unique()
    both.done()
    finished = [record.raw for record in sent if isinstance(record, MessageSent) and record.message == "finished"]
    assert both.client.tls_unique() == both.server.tls_unique() == finished[0][4:]
    assert len(finished[0][4:]) == 12


def test_in_a_resumption_the_server_is_the_first() -> None:
    server = server12()
    session = pair(client12(), server).done().tickets()[0]
    sent: list[Any] = []
    again = pair(client12(observer=sent.append), server, session=session).done()
    (finished,) = [record.raw for record in sent if isinstance(record, MessageSent) and record.message == "finished"]
    assert again.client.agreed.resumed
    assert again.client.tls_unique() == again.server.tls_unique() != finished[4:]


def test_in_tls13_there_is_none() -> None:
    both = pair().done()
    with pytest.raises(ConfigurationError, match=r"TLS 1\.2"):
        both.client.tls_unique()


# --- extensions of TLS 1.3 -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [E.PRE_SHARED_KEY, E.KEY_SHARE, E.COOKIE, E.EARLY_DATA, E.PSK_KEY_EXCHANGE_MODES])
def test_a_server_that_speaks_tls12_does_not_look_at_extensions_of_tls13(kind: ExtensionType) -> None:
    def garble(hello: ClientHello) -> None:
        rest = dict(hello.extensions)
        hello.extensions.clear()
        hello.extensions[kind] = b"\xff"  # malformed, and pre_shared_key in the wrong place too
        hello.extensions.update({other: data for other, data in rest.items() if other != kind})

    client = puppet_client(client_config(versions=BOTH), change12(H.CLIENT_HELLO, garble))
    Pair(client, pair(server=server12()).server).done().talk()
    client = puppet_client(client_config(versions=BOTH), change12(H.CLIENT_HELLO, garble))
    both = Pair(client, pair(server=server_config(versions=BOTH)).server).run()
    assert_refused(both, Side.SERVER, A.DECODE_ERROR)


def test_groups_from_the_server_mean_nothing() -> None:
    """Nobody should send supported_groups in a ServerHello, but some do."""

    def add(hello: Any) -> None:
        hello.extensions[E.SUPPORTED_GROUPS] = b"\x00\x02\x00\x17"

    server = puppet_server(server12(), change12(H.SERVER_HELLO, add))
    Pair(pair(client12()).client, server).done().talk()


def test_a_session_without_extended_main_secret_is_not_kept() -> None:
    """RFC 7627 section 5.3: without it an attacker could make two connections out of one."""
    client = puppet_client(client12(), change12(H.CLIENT_HELLO, without_ems))
    both = Pair(client, pair(server=server12(session_store=MemorySessionStore())).server).done()
    assert both.tickets() == []
    assert len(both.client.tls_unique()) == 12

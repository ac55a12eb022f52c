"""Every message in every place where it does not belong (RFC 9846 section 4 and appendix A)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import Any

import pytest

from glasslock.registry import AlertDescription, HandshakeType, Side
from glasslock.tls import Connection, DangerousAcceptAnyCertificate
from glasslock.tls.wire.messages import frame

from .early_world import World
from .minted import client_credential
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import before, puppet_client, puppet_server, replace, send_message, twice

A, H = AlertDescription, HandshakeType
UNKNOWN = 0xEE
CLIENTS = (H.CLIENT_HELLO, H.CERTIFICATE, H.CERTIFICATE_VERIFY, H.FINISHED)
SERVERS = (
    H.SERVER_HELLO,
    H.ENCRYPTED_EXTENSIONS,
    H.CERTIFICATE_REQUEST,
    H.CERTIFICATE,
    H.CERTIFICATE_VERIFY,
    H.FINISHED,
)
EVERY = [*H, UNKNOWN]


def full(client_alter: Any = None, server_alter: Any = None) -> Pair:
    """A handshake with every message of a full one, one side of it a puppet."""
    client = client_config(credentials=(client_credential(),), certificate_compression=())
    server = server_config(client_verifier=DangerousAcceptAnyCertificate(), certificate_compression=())
    return Pair(
        puppet_client(client, client_alter) if client_alter else pair(client).client,
        puppet_server(server, server_alter) if server_alter else pair(server=server).server,
    ).run()


def sample(kind: int) -> bytes:
    """A message of this type; what is in it does not matter where the type is wrong already."""
    return frame(kind, b"")  # type: ignore[arg-type]


def due(script: tuple[HandshakeType, ...], kind: HandshakeType) -> set[int]:
    """Which messages may come where this one is about to come."""
    allowed = {int(kind)}
    if kind is H.CERTIFICATE_REQUEST:
        allowed |= {H.CERTIFICATE, H.COMPRESSED_CERTIFICATE}
    if kind is H.CERTIFICATE:
        allowed |= {H.COMPRESSED_CERTIFICATE}
    return allowed


@pytest.mark.parametrize("place", SERVERS)
@pytest.mark.parametrize("intruder", EVERY)
def test_a_message_from_the_server_where_another_is_due(place: HandshakeType, intruder: int) -> None:
    """A message in an unexpected order MUST be answered with unexpected_message."""
    if intruder in due(SERVERS, place):
        return
    connected = full(server_alter=before(place, sample(intruder)))
    assert_refused(connected, Side.CLIENT, A.UNEXPECTED_MESSAGE, "unexpected-message")


@pytest.mark.parametrize("place", CLIENTS)
@pytest.mark.parametrize("intruder", EVERY)
def test_a_message_from_the_client_where_another_is_due(place: HandshakeType, intruder: int) -> None:
    if intruder in due(CLIENTS, place):
        return
    connected = full(client_alter=before(place, sample(intruder)))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, "unexpected-message")


@pytest.mark.parametrize("left_out", SERVERS[1:-1])
def test_a_message_of_the_server_left_out(left_out: HandshakeType) -> None:
    connected = full(server_alter=replace(left_out))
    if left_out is H.CERTIFICATE_REQUEST:  # a client that is not asked does not answer
        assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE)
    else:
        assert_refused(connected, Side.CLIENT, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("left_out", CLIENTS[1:-1])
def test_a_message_of_the_client_left_out(left_out: HandshakeType) -> None:
    assert_refused(full(client_alter=replace(left_out)), Side.SERVER, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("repeated", SERVERS)
def test_a_message_of_the_server_twice(repeated: HandshakeType) -> None:
    """After Finished and after ServerHello the keys change, so there it is a matter of the record."""
    told = repeated not in (H.SERVER_HELLO, H.FINISHED)
    assert_refused(full(server_alter=twice(repeated)), Side.CLIENT, A.UNEXPECTED_MESSAGE, told=told)


@pytest.mark.parametrize("repeated", CLIENTS)
def test_a_message_of_the_client_twice(repeated: HandshakeType) -> None:
    assert_refused(full(client_alter=twice(repeated)), Side.SERVER, A.UNEXPECTED_MESSAGE, told=False)


@pytest.mark.parametrize(("first", "second"), list(combinations(SERVERS[1:], 2)))
def test_two_messages_of_the_server_swapped(first: HandshakeType, second: HandshakeType) -> None:
    assert_refused(full(server_alter=swap(first, second)), Side.CLIENT, A.UNEXPECTED_MESSAGE)


def swap(first: HandshakeType, second: HandshakeType) -> Callable[[HandshakeType, bytes], Iterable[bytes]]:
    """Holds the first back until the second has gone."""
    held: list[bytes] = []

    def alter(kind: HandshakeType, raw: bytes) -> Iterable[bytes]:
        if kind is first and not held:
            held.append(raw)
            return ()
        if kind is second:
            return (raw, *held)
        return (raw,)

    return alter


def resumption() -> tuple[Any, Any]:
    world = World()
    return world, pair(world.client(), world.server(), session=world.session)


@pytest.mark.parametrize("intruder", [H.CERTIFICATE_REQUEST, H.CERTIFICATE, H.CERTIFICATE_VERIFY])
def test_a_resumption_has_no_certificates(intruder: HandshakeType) -> None:
    world, connected = resumption()
    connected.server = puppet_server(world.server(), before(H.FINISHED, sample(intruder)))
    assert_refused(connected.run(), Side.CLIENT, A.UNEXPECTED_MESSAGE, "unexpected-message")


# --- after the handshake --------------------------------------------------------------------------------------

AFTER = {
    Side.CLIENT: {H.NEW_SESSION_TICKET, H.KEY_UPDATE, H.CERTIFICATE_REQUEST},  # what a client may receive
    Side.SERVER: {H.KEY_UPDATE, H.CERTIFICATE, H.COMPRESSED_CERTIFICATE},
}


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("kind", EVERY)
def test_a_message_after_the_handshake(side: Side, kind: int) -> None:
    """Renegotiation among them: a ClientHello at any other time, unexpected_message (section 4.2.2)."""
    if kind in AFTER[side]:
        return
    connected = pair().done()
    send_message(connected.side(side.peer), sample(kind))
    assert_refused(connected.run(), side, A.UNEXPECTED_MESSAGE, "unexpected-message")
    assert_dead(connected.side(side))


def assert_dead(connection: Connection) -> None:
    """Section 6: nothing is sent or received on the connection any more."""
    assert connection.data_to_send() == b""
    for call in (lambda: connection.receive_data(b""), lambda: connection.send_data(b"x")):
        with pytest.raises(type(connection.failure)):  # type: ignore[arg-type]
            call()
    connection.close()
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("kind", EVERY)
def test_the_first_message_to_a_server(kind: int) -> None:
    """It is REQUIRED to send the ClientHello as its first TLS message (section 4.2.2)."""
    if kind == H.CLIENT_HELLO:
        return
    client = puppet_client(client_config(), replace(H.CLIENT_HELLO, sample(kind)))
    assert_refused(Pair(client, pair().server).run(), Side.SERVER, A.UNEXPECTED_MESSAGE, "unexpected-message")

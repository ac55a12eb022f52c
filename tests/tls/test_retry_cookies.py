"""A server that remembers nothing between two ClientHellos (RFC 9846 sections 4.2.4, 4.3.2)."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.registry import AlertDescription, ContentType, HandshakeType, NamedGroup, Side
from glasslock.tls import ServerConnection, TicketKeys
from glasslock.tls.handshake.hello_retry import COOKIE_LIFETIME
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello

from .decryptor import records
from .pair import X25519, Clock, Pair, assert_refused, client_config, pair, server_config
from .puppet import change, plain_record, puppet_client

A, H = AlertDescription, HandshakeType
P256 = NamedGroup.SECP256R1


class World:
    """Servers that share cookie keys and a clock, and a client that has to retry."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.server = server_config(cookie_keys=TicketKeys(clock=self.clock), clock=self.clock, **settings)

    def client(self, **changes: Any) -> Any:
        return client_config(groups=(P256, X25519), key_shares=(P256,), clock=self.clock, **changes)

    def asked(self, alter: Any = None, **arguments: Any) -> Pair:
        """A client that was asked to retry by a server which is gone since; another one answers."""
        client = puppet_client(self.client(), alter) if alter else pair(self.client(), **arguments).client
        connected = Pair(client, ServerConnection(self.server))
        connected.carry(Side.CLIENT)
        connected.carry(Side.SERVER)
        connected.server = ServerConnection(self.server)
        return connected


@pytest.mark.parametrize("suite", [0x1301, 0x1302])
def test_another_server_goes_on_from_the_cookie(suite: int) -> None:
    connected = World(cipher_suites=(suite,)).asked().done().talk()
    assert connected.server.agreed.retried
    assert connected.client.agreed.cipher_suite == suite
    exports = [side.export_keying_material("x", 32) for side in (connected.client, connected.server)]
    assert exports[0] == exports[1]


def test_a_change_cipher_spec_between_the_hellos_is_ignored() -> None:
    """For a stateless server it seems to be the first message; it MUST be ignored."""
    connected = World().asked()
    second = connected.client.data_to_send()
    assert [header[0] for header, _ in records(second)] == [ContentType.CHANGE_CIPHER_SPEC, ContentType.HANDSHAKE]
    connected.deliver(Side.SERVER, second)
    connected.done()


def test_a_resumption_goes_on_from_the_cookie() -> None:
    world = World()
    session = pair(world.client(), world.server).done().tickets()[0]
    assert world.asked(session=session).done().talk().server.agreed.resumed


@pytest.mark.parametrize(
    ("age", "good"), [(0, True), (COOKIE_LIFETIME, True), (COOKIE_LIFETIME + 1, False), (-1, False)]
)
def test_a_cookie_does_not_keep(age: float, good: bool) -> None:
    world = World()
    connected = world.asked()
    world.clock.now += age
    connected.run()
    if good:
        connected.done()
    else:
        assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")


@pytest.mark.parametrize("cookie", [b"x", bytes(100)])
def test_a_cookie_that_is_not_ours(cookie: bytes) -> None:
    def edit(hello: ClientHello) -> None:
        hello.extensions[44] = ext.write_cookie(cookie)

    connected = World().asked(change(H.CLIENT_HELLO, edit, occurrence=1)).run()
    assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")


def test_a_cookie_in_the_first_hello() -> None:
    def edit(hello: ClientHello) -> None:
        hello.extensions[44] = ext.write_cookie(b"from elsewhere")

    world = World()
    client = puppet_client(world.client(), change(H.CLIENT_HELLO, edit))
    assert_refused(Pair(client, ServerConnection(world.server)).run(), Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")
    # A server without cookies does not know what it could be, and ignores it.
    client = puppet_client(client_config(), change(H.CLIENT_HELLO, edit))
    Pair(client, pair().server).done()


@pytest.mark.parametrize(
    "edit",
    [
        lambda hello: setattr(hello, "random", bytes(32)),
        lambda hello: hello.extensions.pop(5),
        lambda hello: hello.extensions.update({51: b"\0\0"}),
        lambda hello: hello.extensions.update({42: b""}),
    ],
    ids=["random", "status", "no share", "early data"],
)
def test_the_second_hello_is_held_to_the_first(edit: Any) -> None:
    connected = World().asked(change(H.CLIENT_HELLO, edit, occurrence=1)).run()
    assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER)


def test_a_server_that_prefers_another_suite_meanwhile() -> None:
    """Section 4.2.4: the cipher suite stays the same."""
    world = World(cipher_suites=(0x1301,))
    connected = world.asked()
    other = server_config(cookie_keys=world.server.cookie_keys, clock=world.clock, cipher_suites=(0x1303,))
    connected.server = ServerConnection(other)
    assert_refused(connected.run(), Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")


def test_the_same_server_wants_its_own_cookie_back() -> None:
    for edit in (
        lambda hello: hello.extensions.pop(44),
        lambda hello: hello.extensions.update({44: ext.write_cookie(b"another")}),
    ):
        world = World()
        client = puppet_client(world.client(), change(H.CLIENT_HELLO, edit, occurrence=1))
        connected = Pair(client, ServerConnection(world.server)).run()
        assert_refused(connected, Side.SERVER, A.ILLEGAL_PARAMETER, "wrong-cookie")


def test_a_record_before_the_first_hello_is_still_refused_where_it_is_no_change_cipher_spec() -> None:
    connected = Pair(pair().client, ServerConnection(World().server))
    connected.deliver(Side.SERVER, plain_record(ContentType.APPLICATION_DATA, b"x"))
    assert_refused(connected, Side.SERVER, A.UNEXPECTED_MESSAGE, told=False)

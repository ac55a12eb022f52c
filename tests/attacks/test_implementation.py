"""Attacks on how things are written rather than on what they mean: memory, control flow, comparisons, endless work."""

from __future__ import annotations

import ast
import hmac
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import glasslock
from glasslock.errors import PeerAlert, PeerMisbehaved
from glasslock.registry import AlertDescription, HandshakeType, Side
from glasslock.tls import ClientConnection, ExternalPsk, TicketKeys
from glasslock.tls.handshake.agreed import Agreed
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello, ServerHello, frame

from ..tls.minted import credential, key
from ..tls.pair import assert_refused, client_config, pair, server_config
from ..tls.puppet import plain_record, send_message, send_record
from .middle import BOTH, TLS_1_2, messages, middle, records, tls12

A, H = AlertDescription, HandshakeType
SOURCES = sorted(Path(glasslock.__file__).parent.rglob("*.py"))
HEARTBEAT = 24


# --- memory --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("side", list(Side))
def test_there_is_no_heartbeat(version: int, side: Side) -> None:
    """Heartbleed (2014): a request whose payload is said to have 16 KiB and has three bytes."""
    request = b"\1\x40\0abc" + bytes(16)
    early = pair(client_config(versions=(version,)), server_config(versions=(version,)))
    early.deliver(side, plain_record(HEARTBEAT, request))
    assert_refused(early, side, A.UNEXPECTED_MESSAGE, told=False)
    connected = pair(client_config(versions=(version,)), server_config(versions=(version,), ticket_keys=None)).done()
    send_record(connected.side(side.peer), HEARTBEAT, request)
    connected.run()
    assert connected.errors[side].alert is A.UNEXPECTED_MESSAGE
    assert len(b"".join(connected.wire[side][-1:])) < 100  # an alert, and no echo
    hello = ClientHello.parse(pair(client_config(versions=BOTH)).client.data_to_send()[5:])
    assert 15 not in hello.extensions


@pytest.mark.parametrize("length", [1, 15, 31, 32])
def test_a_session_id_comes_back_as_long_as_it_was(length: int) -> None:
    """Ticketbleed (2016): with a ticket, servers answered with 32 bytes however many had come."""
    client, server = client_config(**tls12()), server_config(**tls12())
    good = pair(client, server).done().tickets()[0]

    def shorten(side: Side, data: bytes) -> bytes:
        if side is Side.SERVER:
            return data
        hello = ClientHello.parse(records(data)[0].body)
        hello.session_id = bytes(range(length))
        return plain_record(22, hello.encode())

    attacked = middle(shorten, client, server, session=good)
    attacked.carry(Side.CLIENT)
    answer = ServerHello.parse(messages(records(attacked.server.data_to_send())[0].body)[0])
    assert attacked.server.agreed.resumed
    assert answer.session_id == bytes(range(length))


@pytest.mark.parametrize("claimed", [0xFFFFFF, 0x4000, 200])
def test_lengths_are_those_of_the_bytes_that_are_there(claimed: int) -> None:
    """Cloudbleed, and every over-read: inside a message that is whole, a vector that claims to be longer."""
    (record,) = records(pair().client.data_to_send())
    hello = ClientHello.parse(record.body)
    raw = bytearray(hello.encode())
    raw[38] = min(claimed, 255)  # the length of the session id
    attacked = pair()
    attacked.deliver(Side.SERVER, plain_record(22, bytes(raw)))
    assert_refused(attacked, Side.SERVER, A.DECODE_ERROR, told=False)


# --- secrets -------------------------------------------------------------------------------------------------------


def test_no_secret_shows_when_an_object_is_printed() -> None:
    """In a log, a traceback or a debugger's window; only those who ask a field for its value get it."""
    connected = pair().done()
    session = connected.tickets()[0]
    agreed = connected.client.agreed
    psk = ExternalPsk(identity=b"name", key=b"k" * 32)
    shown = "".join(map(repr, (session, agreed, psk, credential(), TicketKeys(b"s" * 32), connected.client)))
    shown += str(connected.client._config)
    secret_values = [session.psk, session.ticket, agreed.exporter_secret, psk.key, b"s" * 32]
    number = key("p256").private_numbers().private_value
    for value in secret_values:
        assert value
        assert repr(value)[2:-1] not in shown
        assert value.hex() not in shown
    assert str(number) not in shown
    assert isinstance(agreed, Agreed)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """What is compared in constant time while a test runs."""
    seen: list[tuple[Any, Any]] = []
    original = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        seen.append((bytes(a), bytes(b)))
        return original(a, b)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    return seen


@pytest.mark.parametrize("version", BOTH)
def test_macs_are_compared_in_constant_time(version: int, comparisons: list[tuple[bytes, bytes]]) -> None:
    """Finished of both sides, and the binder of a resumption: byte by byte they could be guessed byte by byte."""
    client, server = client_config(versions=(version,)), server_config(versions=(version,))
    first = pair(client, server).done()
    length = 12 if version == TLS_1_2 else 32
    assert [len(a) for a, _ in comparisons].count(length) == 2
    assert all(a == b for a, b in comparisons)
    comparisons.clear()
    session = first.tickets()[0]
    pair(client, server, session=session).done()
    wanted = 2 if version == TLS_1_2 else 3
    assert [len(a) for a, _ in comparisons].count(length) == wanted
    assert session.ticket[:16] in [b for _, b in comparisons]  # the name of the ticket's key


# --- control flow --------------------------------------------------------------------------------------------------


@cache
def nodes() -> list[tuple[Path, ast.AST]]:
    """Every piece of our own code."""
    trees = ((path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES)
    return [(path, node) for path, tree in trees for node in ast.walk(tree)]


def test_no_check_is_an_assertion() -> None:
    """`python -O` leaves assertions out, and with them every check that is one."""
    assert len(SOURCES) > 100
    assert [str(path) for path, node in nodes() if isinstance(node, ast.Assert)] == []


def test_nothing_that_a_peer_sends_is_run() -> None:
    """No pickle, no eval: a saved session or a trace from a stranger is data, whatever it holds."""
    forbidden = {"pickle", "marshal", "shelve", "dill"}
    found = set()
    for path, node in nodes():
        if isinstance(node, ast.Import):
            found |= {(path.name, alias.name) for alias in node.names if alias.name.split(".")[0] in forbidden}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in forbidden:
            found.add((path.name, node.module))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
            found.add((path.name, node.func.id))
    assert found == set()


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("answer", [False, True, 1, "yes", NotImplemented])
def test_only_an_exception_refuses_and_only_none_accepts(version: int, answer: object) -> None:
    """goto fail, GnuTLS (2014): a check whose outcome was a number that somebody took for another."""

    class Returning:
        def verify(self, *_: object, **__: object) -> object:
            return answer

    refused = pair(client_config(versions=(version,), verifier=Returning()), server_config(versions=(version,))).run()
    assert not refused.client.handshake_done
    assert not refused.server.handshake_done
    assert refused.errors[Side.CLIENT].code == "internal"


@pytest.mark.parametrize("version", BOTH)
def test_after_an_error_there_is_no_way_on(version: int) -> None:
    """Neither more data nor the rest of the handshake brings a refused connection back."""

    class Refusing:
        def verify(self, *_: object, **__: object) -> None:
            raise PeerMisbehaved(A.BAD_CERTIFICATE, "refused", "no")

    attacked = pair(client_config(versions=(version,), verifier=Refusing()), server_config(versions=(version,)))
    attacked.run()
    client = attacked.client
    for data in (b"", plain_record(22, frame(H.FINISHED, bytes(12))), bytes(100)):
        with pytest.raises(PeerMisbehaved, match="no"):
            client.receive_data(data)
    with pytest.raises(PeerMisbehaved):
        client.send_data(b"secret")
    assert not client.can_send
    assert client.data_to_send() == b""


# --- endless work --------------------------------------------------------------------------------------------------


def timed_hello(edit: Any) -> float:
    """Seconds that a server spends on one hostile ClientHello."""
    hello = ClientHello.parse(ClientConnection(client_config(), "localhost").data_to_send()[5:])
    edit(hello)
    raw = hello.encode()
    connected = pair(server=server_config(external_psks=(ExternalPsk(identity=b"x", key=b"k"),)))
    started = time.perf_counter()
    for start in range(0, len(raw), 16384):
        connected.deliver(Side.SERVER, plain_record(22, raw[start : start + 16384]))
    return time.perf_counter() - started


def many_identities(hello: ClientHello) -> None:
    hello.extensions[41] = ext.write_offered_psks(
        tuple((b"%d" % number, 0) for number in range(1300)), tuple(bytes(32) for _ in range(1300))
    )


def many_extensions(hello: ClientHello) -> None:
    known = set(range(64)) | {0xFD00, 0xFE0D, 0xFF01}
    hello.extensions = dict.fromkeys((kind for kind in range(15_000) if kind not in known), b"") | hello.extensions


def many_shares(hello: ClientHello) -> None:
    others = {0x2000 + number: b"\0" for number in range(8_000)}
    hello.extensions[10] = ext.write_u16_vector((*others, 0x1D))
    hello.extensions[51] = ext.write_client_shares(others | ext.read_client_shares(hello.extensions[51]))


def many_suites(hello: ClientHello) -> None:
    hello.cipher_suites = tuple(range(0x2000, 0x2000 + 30_000)) + hello.cipher_suites


@pytest.mark.parametrize("edit", [many_identities, many_extensions, many_shares, many_suites])
def test_no_hello_is_expensive(edit: Any) -> None:
    """Hash collisions (2011), quadratic searches: everything of which a hello can hold thousands."""
    assert timed_hello(edit) < 0.5


def test_a_client_gets_one_handshake_for_its_connection() -> None:
    """THC-SSL-DOS (2011): renegotiation makes the server sign again and again at no cost to the client."""
    signatures = 0

    class Counting:
        def sign(self, scheme: int, content: bytes) -> bytes:
            nonlocal signatures
            signatures += 1
            return credential().signer.sign(scheme, content)

    for version in BOTH:
        signatures = 0
        server = server_config(versions=(version,), credentials=(replace(credential(), signer=Counting()),))
        connected = pair(client_config(versions=(version,)), server).done()
        assert signatures == 1
        (hello,) = records(ClientConnection(client_config(versions=(version,)), "localhost").data_to_send())
        for _ in range(5):  # in TLS 1.2 the first four get a warning
            send_message(connected.client, hello.body)
        connected.run()
        assert signatures == 1
        assert Side.SERVER in connected.errors


@pytest.mark.parametrize("version", BOTH)
def test_warnings_do_not_keep_a_connection_busy(version: int) -> None:
    """SSL death alert (CVE-2016-8610): alerts without end before the handshake is done."""
    attacked = pair(client_config(versions=(version,)), server_config(versions=BOTH))
    for _ in range(10):
        attacked.deliver(Side.SERVER, plain_record(21, b"\1\x5a"))  # user_canceled
    assert not isinstance(attacked.errors[Side.SERVER], PeerAlert)
    assert attacked.errors[Side.SERVER].code == "too-many-warnings"

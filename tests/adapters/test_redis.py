"""A fleet that shares one Redis: tickets open everywhere, 0-RTT flights are taken once, by whichever server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from glasslock.adapters.redis import RedisReplayGuard, RedisSessionStore, shared_ticket_keys
from glasslock.errors import ConfigurationError
from glasslock.registry import ProtocolVersion
from glasslock.tls import ClientConfig, ClientConnection, Data, ServerConfig, ServerConnection, TicketReceived
from glasslock.tls.config import DangerousAcceptAnyCertificate
from glasslock.tls.session import MemoryReplayGuard, Session

from ..tls.minted import credential

redis = pytest.importorskip("redis", reason="the redis package is not installed")
from redis.backoff import NoBackoff  # noqa: E402
from redis.retry import Retry  # noqa: E402

pytestmark = pytest.mark.interop

TLS_1_2 = (ProtocolVersion.TLS_1_2,)


@pytest.fixture(scope="module")
def client() -> Iterator[object]:
    """A real redis-server of our own, in memory only."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        connection = redis.Redis(port=port, socket_timeout=2)
        for _ in range(100):
            try:
                connection.ping()
                break
            except redis.exceptions.ConnectionError:
                time.sleep(0.05)
        yield connection
        connection.close()
    finally:
        server.terminate()
        server.wait(timeout=10)


def exchange(client: ClientConnection, server: ServerConnection) -> list[object]:
    """Moves bytes until neither side has any; returns the client's events, then the server's."""
    ours: list[object] = []
    theirs: list[object] = []
    for _ in range(10):
        theirs += server.receive_data(client.data_to_send())
        ours += client.receive_data(server.data_to_send())
    return ours + theirs


def server_config(client: object) -> ServerConfig:
    return ServerConfig(
        credentials=(credential(),),
        ticket_keys=shared_ticket_keys(client),
        replay_guard=RedisReplayGuard(client),
        max_early_data=1024,
    )


def session_from(config: ServerConfig) -> Session:
    visitor = ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost")
    events = exchange(visitor, ServerConnection(config))
    return next(event.session for event in events if isinstance(event, TicketReceived))


def test_a_zero_rtt_flight_is_taken_once_in_the_whole_fleet(client: object) -> None:
    session = session_from(server_config(client))
    visitor = ClientConnection(
        ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost", session=session, early_data=True
    )
    assert visitor.send_early_data(b"pay 10") == 6
    flight = visitor.data_to_send()

    one, two = (ServerConnection(server_config(client)) for _ in range(2))
    taken = [event.data for event in one.receive_data(flight) if isinstance(event, Data)]
    replayed = [event.data for event in two.receive_data(flight) if isinstance(event, Data)]

    assert taken == [b"pay 10"]
    assert replayed == []
    assert two.agreed.resumed, "the replay costs the early data, not the resumption"
    assert not two.agreed.early_data_accepted


def test_without_the_shared_guard_the_same_flight_would_be_taken_twice(client: object) -> None:
    """What the guard is for: two servers that do not talk to each other both take it."""
    session = session_from(server_config(client))
    visitor = ClientConnection(
        ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost", session=session, early_data=True
    )
    visitor.send_early_data(b"pay 10")
    flight = visitor.data_to_send()
    for _ in range(2):
        alone = ServerConfig(
            credentials=(credential(),),
            ticket_keys=shared_ticket_keys(client),
            replay_guard=MemoryReplayGuard(),
            max_early_data=1024,
        )
        events = ServerConnection(alone).receive_data(flight)
        assert [event.data for event in events if isinstance(event, Data)] == [b"pay 10"]


def test_a_ticket_of_one_server_resumes_at_another(client: object) -> None:
    session = session_from(server_config(client))
    visitor = ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost", session=session)
    exchange(visitor, ServerConnection(server_config(client)))
    assert visitor.agreed.resumed


def test_a_session_id_of_one_server_resumes_at_another(client: object) -> None:
    def config() -> ServerConfig:
        return ServerConfig(
            credentials=(credential(),), ticket_keys=None, session_store=RedisSessionStore(client), versions=TLS_1_2
        )

    session = session_from(config())
    assert session.session_id
    visitor = ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate()), "localhost", session=session)
    exchange(visitor, ServerConnection(config()))
    assert visitor.agreed.resumed


def test_what_is_remembered_is_forgotten_in_time(client: object) -> None:
    guard = RedisReplayGuard(client, "test:")
    assert guard.first_use(b"flight", 0.05)
    assert not guard.first_use(b"flight", 0.05)
    time.sleep(0.1)
    assert guard.first_use(b"flight", 0.05)


def test_without_redis_nothing_is_taken_early_and_nothing_breaks() -> None:
    gone = redis.Redis(port=1, socket_timeout=0.2, retry=Retry(NoBackoff(), 0))
    assert not RedisReplayGuard(gone).first_use(b"flight", 10)
    assert RedisSessionStore(gone).get(b"id") is None
    RedisSessionStore(gone).put(b"id", b"content", 10)
    with pytest.raises(ConfigurationError, match="cannot be had from Redis"):
        shared_ticket_keys(gone)


def test_a_secret_that_is_none_is_refused(client: object) -> None:
    client.set("glasslock:short", b"short")  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="does not hold a ticket secret"):
        shared_ticket_keys(client, "glasslock:short")

"""What can be had of the secrets: exporters, channel binding, key log (RFC 9846 section 7.5, RFC 9266, RFC 9850)."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import CipherSuite, ContentType, Side
from glasslock.tls.keys.hkdf import hash_function
from glasslock.tls.keys.suites import SUITES_13

from .decryptor import Direction
from .early_world import World
from .minted import client_credential
from .pair import Pair, client_config, pair, server_config

SUITES = list(CipherSuite)[:3]

# --- exporters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_both_ends_export_the_same(suite: int) -> None:
    connected = pair(server=server_config(cipher_suites=(suite,))).done()
    exports = {
        (label, context, length): [
            side.export_keying_material(label, length, context) for side in (connected.client, connected.server)
        ]
        for label in ("EXPORTER-one", "EXPORTER-two")
        for context in (b"", b"context")
        for length in (1, 32, 33, 100)
    }
    for (_, _, length), (client, server) in exports.items():
        assert client == server
        assert len(client) == length
    assert len({values[0] for key, values in exports.items() if key[2] == 32}) == 4


def test_the_construction() -> None:
    """HKDF-Expand-Label(Derive-Secret(Secret, label, ""), "exporter", Hash(context_value), key_length)."""
    connected = pair().done()
    hash_ = hash_function(SUITES_13[connected.client.agreed.cipher_suite].hash_name)
    derived = hash_.derive_secret(connected.client.agreed.exporter_secret, b"EXPORTER-label", hash_.empty)
    expected = hash_.expand_label(derived, b"exporter", hash_.new(b"context").digest(), 48)
    assert connected.client.export_keying_material("EXPORTER-label", 48, b"context") == expected


def test_no_context_is_an_empty_context() -> None:
    connected = pair().done()
    exports = [connected.client.export_keying_material("EXPORTER-label", 32, *context) for context in ((), (b"",))]
    assert exports[0] == exports[1]


def test_channel_binding() -> None:
    """RFC 9266 section 2: label `EXPORTER-Channel-Binding`, empty context, 32 bytes."""
    connected = pair().done()
    binding = connected.client.channel_binding()
    assert len(binding) == 32
    assert binding == connected.server.channel_binding()
    assert binding == connected.client.export_keying_material("EXPORTER-Channel-Binding", 32, b"")
    assert binding != pair().done().client.channel_binding()


def test_there_is_nothing_to_export_before_the_handshake() -> None:
    connected = pair()
    for side in (connected.client, connected.server):
        with pytest.raises(ConfigurationError):
            side.export_keying_material("EXPORTER-label", 32)


@pytest.mark.parametrize(("label", "length"), [("é", 32), ("x" * 250, 32), ("x", 255 * 32 + 1), ("x", -1)])
def test_what_cannot_be_exported(label: str, length: int) -> None:
    with pytest.raises(ConfigurationError):
        pair().done().client.export_keying_material(label, length)


@pytest.mark.parametrize(("label", "length", "context"), [("é", 32, b""), ("x", -1, b""), ("x", 32, bytes(1 << 16))])
def test_what_cannot_be_exported_from_tls12(label: str, length: int, context: bytes) -> None:
    old: dict[str, Any] = {"versions": (0x0303,), "groups": (0x001D, 0x0017)}
    connected = pair(client_config(**old), server_config(**old)).done()
    with pytest.raises(ConfigurationError, match="cannot be exported"):
        connected.client.export_keying_material(label, length, context)


# --- key log ---------------------------------------------------------------------------------------


class Log:
    """Collects the lines of a key log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, bytes, bytes]] = []

    def __call__(self, label: str, client_random: bytes, secret: bytes) -> None:
        self.lines.append((label, client_random, secret))

    def secret(self, label: str) -> bytes:
        return next(secret for found, _, secret in self.lines if found == label)


ONE_RTT = [
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
]
ZERO_RTT = ["CLIENT_EARLY_TRAFFIC_SECRET", "EARLY_EXPORTER_SECRET"]


def logged(**settings: Any) -> tuple[Pair, Log]:
    """A connection with everything on it, and the client's key log."""
    logs = Log(), Log()
    client = client_config(key_log=logs[0], credentials=(client_credential(),), **settings)
    server = server_config(key_log=logs[1], **settings)
    connected = pair(client, server).done().talk()
    assert logs[0].lines == logs[1].lines
    return connected, logs[0]


def test_the_lines_of_a_full_handshake() -> None:
    connected, log = logged()
    assert [label for label, _, _ in log.lines] == ONE_RTT
    assert {client_random for _, client_random, _ in log.lines} == {connected.client.agreed.client_random}
    assert log.secret("EXPORTER_SECRET") == connected.client.agreed.exporter_secret
    assert len({secret for _, _, secret in log.lines}) == len(ONE_RTT)


def streams(connected: Pair) -> dict[Side, bytes]:
    return {side: b"".join(connected.wire[side]) for side in Side}


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("retried", [False, True])
def test_the_key_log_opens_the_recorded_traffic(suite: int, retried: bool) -> None:
    logs = Log()
    client = client_config(key_log=logs, key_shares=() if retried else None)
    connected = pair(client, server_config(cipher_suites=(suite,), padding=lambda length: length % 7)).done().talk()
    connected.client.update_keys(request_peer=True)
    connected.talk()
    connected.server.update_keys()
    connected.talk()
    connected.client.close()
    connected.run()
    for side in Side:
        name = side.name
        secrets = [logs.secret(f"{name}_HANDSHAKE_TRAFFIC_SECRET"), logs.secret(f"{name}_TRAFFIC_SECRET_0")]
        content = Direction(suite, secrets).read(streams(connected)[side])
        data = b"".join(body for kind, body in content if kind == ContentType.APPLICATION_DATA)
        assert data == connected.received(side.peer)
        types = b"".join(body[:1] for kind, body in content if kind == ContentType.HANDSHAKE)
        assert types[:1] == (b"\x01" if side is Side.CLIENT else b"\x02")
        assert types.count(24) == 1


def test_the_key_log_opens_early_data() -> None:
    logs = Log(), Log()
    world = World(key_log=logs[1])
    logs[1].lines.clear()
    connected = world.again(world.client(key_log=logs[0]))
    connected.client.send_early_data(b"GET /early")
    connected.done().talk()
    assert [label for label, _, _ in logs[0].lines] == ZERO_RTT + ONE_RTT
    assert sorted(logs[0].lines) == sorted(logs[1].lines)
    secrets = [
        logs[0].secret("CLIENT_EARLY_TRAFFIC_SECRET"),
        logs[0].secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
        logs[0].secret("CLIENT_TRAFFIC_SECRET_0"),
    ]
    content = Direction(connected.client.agreed.cipher_suite, secrets).read(streams(connected)[Side.CLIENT])
    assert b"".join(body for kind, body in content if kind == 23) == b"GET /early" + b"a question"


def test_without_a_key_log_nothing_is_logged() -> None:
    assert client_config().key_log is None
    assert server_config().key_log is None

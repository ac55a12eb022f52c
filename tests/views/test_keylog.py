"""SSLKEYLOGFILE."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from glasslock.errors import ConfigurationError
from glasslock.tls import ClientConfig, ClientConnection, Credential, ServerConfig, ServerConnection
from glasslock.tls.config import DangerousAcceptAnyCertificate
from glasslock.views.keylog import KeyLogFile

from .sample import authority

RANDOM, SECRET = bytes(range(32)), b"\xaa" * 48


def test_one_line_for_each_secret(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    with KeyLogFile(path) as log:
        log("CLIENT_HANDSHAKE_TRAFFIC_SECRET", RANDOM, SECRET)
        log("EXPORTER_SECRET", RANDOM, b"\1")
        # Each line is there at once, not when the file is closed.
        assert path.read_text() == (
            f"CLIENT_HANDSHAKE_TRAFFIC_SECRET {RANDOM.hex()} {'aa' * 48}\nEXPORTER_SECRET {RANDOM.hex()} 01\n"
        )


def test_only_the_owner_may_read_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    KeyLogFile(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_grows_and_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    path.write_text("# mine\n")
    path.chmod(0o640)
    with KeyLogFile(path) as log:
        log("LABEL", RANDOM, b"\2")
    assert path.read_text() == f"# mine\nLABEL {RANDOM.hex()} 02\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_closed_log_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    log = KeyLogFile(path)
    log.close()
    log.close()
    log("LABEL", RANDOM, SECRET)
    assert path.read_text() == ""


def test_lines_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    with KeyLogFile(path) as log:

        def write(number: int) -> None:
            for _ in range(200):
                log(f"LABEL_{number}", bytes([number]) * 32, bytes([number]) * 48)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = path.read_text().splitlines()
    assert len(lines) == 800
    for number in range(4):
        line = f"LABEL_{number} {bytes([number]).hex() * 32} {bytes([number]).hex() * 48}"
        assert lines.count(line) == 200


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot write the key log .*nowhere.*: No such file"):
        KeyLogFile(tmp_path / "nowhere" / "keys.log")


def test_both_ends_of_a_handshake_log_the_same(tmp_path: Path) -> None:
    chain, key = authority()
    paths = tmp_path / "client.log", tmp_path / "server.log"
    with KeyLogFile(paths[0]) as near, KeyLogFile(paths[1]) as far:
        client = ClientConnection(ClientConfig(verifier=DangerousAcceptAnyCertificate(), key_log=near), "a.test")
        credentials = (Credential.from_key(chain, key),)
        server = ServerConnection(ServerConfig(credentials=credentials, key_log=far))
        while not (client.handshake_done and server.handshake_done):
            server.receive_data(client.data_to_send())
            client.receive_data(server.data_to_send())
    logs = [sorted(path.read_text().splitlines()) for path in paths]
    assert logs[0] == logs[1]
    assert [line.split()[0] for line in logs[0]] == [
        "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        "CLIENT_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        "SERVER_TRAFFIC_SECRET_0",
    ]

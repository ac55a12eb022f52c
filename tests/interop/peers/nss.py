"""Mozilla's NSS, the library of Firefox, by its test tools: tstclnt and selfserv."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from glasslock.registry import CipherSuite, NamedGroup, Side

from ..credentials import PASSWORD, Identity
from ..order import PATIENCE, Order, Report
from ..peer import Abilities, Peer, Server
from ..process import PeerFailed, Process, Unavailable, find, first_output, free_port, wait_until_listening
from .pipes import talk_as_client

PACKAGE = "Debian package libnss3-tools"
GROUPS = {
    NamedGroup.X25519: "x25519",
    NamedGroup.SECP256R1: "P256",
    NamedGroup.SECP384R1: "P384",
    NamedGroup.SECP521R1: "P521",
}
CURVES = {"p256": NamedGroup.SECP256R1, "p384": NamedGroup.SECP384R1, "p521": NamedGroup.SECP521R1}
ANTI_REPLAY = 11.0  # seconds after its start in which selfserv takes no 0-RTT data: it could be a replay from before
STRSCLNT_REQUEST = b"GET /abc HTTP/1.0\r\n\r\n"
PSK_REMARK = re.compile(rb"Using External PSK:\n(?: +[0-9a-f:]+\n)+")  # among the data on stdout
KEYS = frozenset({"rsa", "p256", "p384", "p521"})


class NSS(Peer):
    """tstclnt and selfserv, with one database of keys for a whole run."""

    name = "nss"
    notes = (
        "tstclnt dies on the second of two connections: resumption is tried with strsclnt, 0-RTT with selfserv alone",
        "selfserv has no way to choose a certificate by name, and takes no external PSK even from tstclnt",
        "selfserv takes 0-RTT data ten seconds after its start",
        "selfserv answers 0-RTT data and is gone before the handshake ends: without close_notify",
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._databases: dict[Path, Path] = {}

    @cached_property
    def _client(self) -> str:
        return find("tstclnt", PACKAGE)

    @cached_property
    def _server(self) -> str:
        return find("selfserv", PACKAGE)

    def version(self) -> str:
        find("certutil", PACKAGE)
        find("pk12util", PACKAGE)
        package = first_output("dpkg-query", "--show", "--showformat", "${Version}", "libnss3-tools")
        found = re.search(r"(\d+\.\d+(?:\.\d+)?)", package)  # the tools themselves do not tell
        if found is None or not self._client:
            raise Unavailable(f"the version of the NSS tools is not known: {package.strip()}")
        return f"NSS {found[1]}"

    def abilities(self, role: Side) -> Abilities:
        features = {"defaults", "hrr", "client-certificate", "resumption", "key-update"}
        features |= {"post-handshake-auth", "record-size-limit"}
        return Abilities(
            suites=frozenset(CipherSuite)
            - {CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV, CipherSuite.TLS_FALLBACK_SCSV},
            groups=frozenset(GROUPS),
            keys=KEYS,
            features=frozenset(
                features | ({"bulk", "sni", "external-psk"} if role is Side.CLIENT else {"alpn", "0-rtt"})
            ),
            cuts=frozenset({"0-rtt"}) if role is Side.SERVER else frozenset(),  # it ends before the handshake does
            request_size=8_000,
            takes_turns=role is Side.CLIENT,
        )

    def _common(self, order: Order) -> list[str | Path]:
        version = "tls1.3" if order.tls13 else "tls1.2"
        command: list[str | Path] = ["-d", f"sql:{self._database(order)}", "-V", f"{version}:{version}", "-G"]
        command += ["-c", "".join(f":{suite:04X}" for suite in order.suites), "-u"]
        if order.groups:
            command += ["-I", ",".join(GROUPS[group] for group in order.groups)]
        if order.early_data:
            command += ["-Z"]
        if order.psk:
            command += ["-z", f"0x{order.psk.key.hex()}:{order.psk.identity.decode()}"]
        if order.post_handshake_auth:
            command += ["-E"]
        return command

    def _database(self, order: Order) -> Path:
        """The keys and certificates of a run, in the form that NSS reads; made once."""
        with self._lock:
            folder = order.root.parent / "nss"
            if not folder.exists():
                folder.mkdir()
                _tool("certutil", "-N", "-d", f"sql:{folder}", "--empty-password")
                _tool("certutil", "-A", "-d", f"sql:{folder}", "-n", "root", "-t", "CT,,", "-i", order.root)
                for name in (*(f"server-{kind}" for kind in sorted(KEYS)), "other.test", "client"):
                    file = order.root.with_name(f"{name}.p12")
                    _tool("pk12util", "-i", file, "-d", f"sql:{folder}", "-W", PASSWORD)
            return folder

    # --- client

    def request_is_right(self, order: Order, request: bytes) -> bool:
        return request == (STRSCLNT_REQUEST if order.connections > 1 else order.request)

    def connect(self, order: Order) -> Report:
        if order.connections > 1:
            return self._resume(order)
        command: list[str | Path] = [self._client, "-h", "localhost", "-4", "-p", str(order.port), *self._common(order)]
        command += ["-a", order.server_name]
        if order.client_identity:
            command += ["-n", order.client_identity.name]
        with Process(command, order.folder) as process:
            talk_as_client(process, order)
            return Report(received=PSK_REMARK.sub(b"", process.end()))

    def _resume(self, order: Order) -> Report:
        """By the tool for load tests, which does not show what it receives: tstclnt dies on a second connection."""
        version = "tls1.3" if order.tls13 else "tls1.2"
        command: list[str | Path] = [find("strsclnt", PACKAGE), "-p", str(order.port), "-4", "-q", "-u", "-D"]
        command += ["-d", f"sql:{self._database(order)}", "-V", f"{version}:{version}"]
        command += ["-C", "".join(f":{suite:04X}" for suite in order.suites)]
        command += ["-c", str(order.connections), "-t", "1", order.server_name]
        with Process(command, order.folder) as process:
            process.end()
            return Report()

    # --- server

    def reply_is_right(self, order: Order, reply: bytes) -> bool:
        """selfserv answers with the request itself, in a frame of its own."""
        return order.request in reply and reply.endswith(b"EOF\r\n\r\n\r\n")

    @contextmanager
    def serve(self, order: Order) -> Iterator[Server]:
        port = free_port()
        curve = CURVES.get(order.identity.kind)
        if not order.tls13 and curve is not None and curve not in order.groups:
            order = replace(order, groups=(*order.groups, curve))  # it wants the certificate's curve there too
        command: list[str | Path] = [self._server, "-p", str(port), *self._common(order)]
        command += _key_option(order.identity)
        if order.client_identity:
            command += ["-r"] * (4 if order.post_handshake_auth else 2)
        if order.alpn:
            command += ["-Q"]
        with Process(command, order.folder) as process:
            wait_until_listening(port, process)
            if order.early_data:
                time.sleep(ANTI_REPLAY)
            yield _SelfServ(process, port)


class _SelfServ:
    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self.port = port

    def report(self) -> Report:
        self._process.check_running()
        return Report()


def _key_option(identity: Identity) -> list[str]:
    return ["-n" if identity.name.endswith("rsa") else "-e", identity.name]


def _tool(command: str, *arguments: str | Path) -> None:
    run = subprocess.run(
        [command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if run.returncode:
        raise PeerFailed(f"{command} ended with status {run.returncode}: {run.stdout}{run.stderr}")

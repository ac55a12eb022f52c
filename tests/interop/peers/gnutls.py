"""GnuTLS's command line: gnutls-cli and gnutls-serv."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from glasslock.registry import NamedGroup, Side

from ..names import GNUTLS_SUITES
from ..order import Order, Report
from ..peer import Abilities, Peer, Server
from ..process import PeerFailed, Process, find, first_output, free_port
from .openssl import EVERY_FEATURE
from .pipes import talk_as_client

PACKAGE = "Debian package gnutls-bin"


class GnuTLS(Peer):
    """gnutls-cli and gnutls-serv."""

    name = "gnutls"
    notes = (
        "gnutls-serv echoes, so that its reply is our request; 0-RTT data it takes but does not echo",
        "gnutls-cli says nothing on the first of two connections, and loses what does not fit into one record",
    )

    @cached_property
    def _client(self) -> str:
        return find("gnutls-cli", PACKAGE)

    @cached_property
    def _server(self) -> str:
        return find("gnutls-serv", PACKAGE)

    def version(self) -> str:
        return "GnuTLS " + first_output(self._client, "--version").split()[1]

    @cached_property
    def _list(self) -> str:
        return first_output(self._client, "--list")

    def abilities(self, role: Side) -> Abilities:
        groups = re.findall(r"GROUP-([A-Z0-9-]+)", self._list)
        known = {group.name: group for group in NamedGroup}
        features = EVERY_FEATURE | {"external-psk", "ocsp", "0-rtt"}
        features |= {"post-handshake-auth", "peer-key-update"} if role is Side.CLIENT else {"record-size-limit"}
        return Abilities(
            suites=frozenset(GNUTLS_SUITES),
            groups=frozenset(known[name] for group in groups if (name := group.replace("-", "")) in known),
            keys=frozenset({"rsa", "p256", "p384", "p521", "ed25519", "ed448"}),
            features=features,
            echoes=role is Side.SERVER,
            answers_early=False,
            silent_first=role is Side.CLIENT,
            ends_first=role is Side.CLIENT,
        )

    def _priority(self, order: Order) -> str:
        words = ["NONE", "+VERS-TLS1.3" if order.tls13 else "+VERS-TLS1.2", "+SIGN-ALL", "+CTYPE-X509", "+COMP-NULL"]
        words += ["+AEAD"]
        for suite in order.suites:
            cipher, exchange = GNUTLS_SUITES[suite]
            words += [f"+{cipher}", *([f"+{exchange}"] if exchange else [])]
        words += [f"+GROUP-{group.name}" for group in order.groups]
        if order.psk:
            words += ["+ECDHE-PSK"]
        elif order.tls13:
            words += ["+ECDHE-ECDSA", "+ECDHE-RSA"]
        return ":".join(words)

    # --- client

    def connect(self, order: Order) -> Report:
        command: list[str | Path] = [self._client, "--port", str(order.port), "--priority", self._priority(order)]
        command += ["--x509cafile", order.root, "--logfile", order.folder / "gnutls.log", "--single-key-share"]
        command += ["--sni-hostname", order.server_name, "--verify-hostname", order.server_name]
        for protocol in order.alpn:
            command += ["--alpn", protocol]
        if order.client_identity:
            command += ["--x509certfile", order.client_identity.certificate_file]
            command += ["--x509keyfile", order.client_identity.key_file]
        if order.connections > 1:
            command += ["--resume", "--waitresumption"] if order.tls13 else ["--resume"]
        if order.early_data:
            command += ["--earlydata", order.request_file]
        if order.update_keys:
            command += ["--inline-commands"]
        if order.post_handshake_auth:
            command += ["--post-handshake-auth"]
        if order.psk:
            command += ["--pskusername", order.psk.identity.decode(), "--pskkey", order.psk.key.hex()]
        saved = order.folder / "stapled.der"
        if order.ocsp_response:
            command += ["--save-ocsp", saved]
        with Process([*command, "127.0.0.1"], order.folder) as process:
            talk_as_client(process, order, b"^rekey^\n" if order.update_keys else b"", sent=order.early_data)
            received = process.end()
        return Report(received=received, facts={"ocsp": sha256_of(saved)} if order.ocsp_response else {})

    # --- server

    @contextmanager
    def serve(self, order: Order) -> Iterator[Server]:
        port = free_port()
        command: list[str | Path] = [self._server, "--port", str(port), "--echo", "--crlf"]
        command += ["--priority", self._priority(order)]
        command += ["--x509certfile", order.identity.certificate_file, "--x509keyfile", order.identity.key_file]
        if order.other_identity:
            command += ["--x509certfile", order.other_identity.certificate_file]
            command += ["--x509keyfile", order.other_identity.key_file]
        for protocol in order.alpn:
            command += ["--alpn", protocol]
        if order.client_identity:
            command += ["--require-client-cert", "--verify-client-cert", "--x509cafile", order.root]
        else:
            command += ["--disable-client-cert"]
        if order.early_data:
            command += ["--earlydata", "--maxearlydata", "16384"]
        if order.psk:
            passwords = order.folder / "psk"
            passwords.write_text(f"{order.psk.identity.decode()}:{order.psk.key.hex()}\n")
            command += ["--pskpasswd", passwords]
        if order.ocsp_response:
            command += ["--ocsp-response", order.ocsp_response]
        with Process(command, order.folder) as process:
            process.wait_for(lambda: process.errors().count("...done"), "port")
            yield _GnuTLSServer(process, port)


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes() if file.exists() else b"").hexdigest()


class _GnuTLSServer:
    """It never ends by itself, and its echo shows what it received."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self.port = port

    def report(self) -> Report:
        self._process.check_running()
        problems = [line for line in self._process.errors().splitlines() if line.startswith("Error")]
        if problems:
            raise PeerFailed("; ".join(problems))
        return Report()

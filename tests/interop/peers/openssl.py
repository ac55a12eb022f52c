"""OpenSSL's command line: s_client and s_server."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from glasslock.registry import CipherSuite, NamedGroup, Side

from ..names import OPENSSL_GROUPS, OPENSSL_SUITES
from ..order import Order, Report
from ..peer import Abilities, Peer, Server
from ..process import PeerFailed, Process, Unavailable, find, first_output
from .pipes import SETTLING, talk_as_client

CLASSICAL = frozenset(
    {NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1, NamedGroup.SECP521R1, NamedGroup.X448}
)
HYBRID = frozenset({NamedGroup.X25519MLKEM768, NamedGroup.SECP256R1MLKEM768, NamedGroup.SECP384R1MLKEM1024})
CLASSICAL_KEYS = frozenset({"rsa", "p256", "p384", "p521", "ed25519", "ed448"})
MLDSA_KEYS = frozenset({"mldsa44", "mldsa65", "mldsa87"})
EVERY_FEATURE = frozenset({"defaults", "hrr", "alpn", "sni", "client-certificate", "resumption", "key-update", "bulk"})


def openssl_abilities(version: str, features: frozenset[str] = EVERY_FEATURE) -> Abilities:
    """What an OpenSSL of this version can do, whoever uses it; ML-KEM and ML-DSA came with 3.5."""
    numbers = re.search(r"(\d+)\.(\d+)", version)
    if numbers is None:
        raise Unavailable(f"no version number in {version!r}")
    post_quantum = (int(numbers[1]), int(numbers[2])) >= (3, 5)
    return Abilities(
        suites=frozenset(OPENSSL_SUITES),
        groups=CLASSICAL | HYBRID if post_quantum else CLASSICAL,
        keys=CLASSICAL_KEYS | MLDSA_KEYS if post_quantum else CLASSICAL_KEYS,
        features=features,
    )


def openssl_suites(suites: tuple[CipherSuite, ...]) -> str:
    return ":".join(OPENSSL_SUITES[suite] for suite in suites)


def openssl_groups(groups: tuple[NamedGroup, ...]) -> str:
    return ":".join(OPENSSL_GROUPS[group] for group in groups)


class OpenSSL(Peer):
    """s_client and s_server."""

    name = "openssl"

    @cached_property
    def _command(self) -> str:
        command = find("openssl", "Debian package openssl")
        if not first_output(command, "version").startswith("OpenSSL "):
            raise Unavailable(f"{command} is not OpenSSL but another one's command of that name")
        return command

    def version(self) -> str:
        return " ".join(first_output(self._command, "version").split()[:2])

    def abilities(self, role: Side) -> Abilities:
        features = EVERY_FEATURE | {"post-handshake-auth", "external-psk", "0-rtt", "peer-key-update"}
        return openssl_abilities(self.version(), features | ({"ocsp"} if role is Side.SERVER else set()))

    def _common(self, order: Order) -> list[str | Path]:
        command: list[str | Path] = ["-CAfile", order.root, "-no-CApath", "-no-CAstore"]
        command += ["-tls1_3" if order.tls13 else "-tls1_2"]
        command += ["-ciphersuites" if order.tls13 else "-cipher", openssl_suites(order.suites)]
        if order.groups:
            command += ["-groups", openssl_groups(order.groups)]
        if order.alpn:
            command += ["-alpn", ",".join(order.alpn)]
        if order.psk:
            command += ["-psk", order.psk.key.hex(), "-psk_identity", order.psk.identity.decode()]
        return command

    # --- client

    def connect(self, order: Order) -> Report:
        return Report(received=b"".join(self._connect_once(order, number) for number in range(order.connections)))

    def _connect_once(self, order: Order, number: int) -> bytes:
        command = [self._command, "s_client", "-connect", f"127.0.0.1:{order.port}", *self._common(order)]
        command += ["-servername", order.server_name, "-verify_hostname", order.server_name, "-verify_return_error"]
        command += ["-brief" if order.update_keys else "-quiet"]  # -quiet takes no commands
        if order.client_identity:
            command += ["-cert", order.client_identity.certificate_file, "-key", order.client_identity.key_file]
        if order.post_handshake_auth:
            command += ["-enable_pha"]
        session = order.folder / "session.pem"
        if order.connections > 1:
            command += ["-sess_in" if number else "-sess_out", session]
        early = order.early_data and number > 0
        if early:
            command += ["-early_data", order.request_file]
        with Process(command, order.folder) as process:
            talk_as_client(process, order, b"K\n" if order.update_keys else b"", sent=early)
            return process.end()

    # --- server

    @contextmanager
    def serve(self, order: Order) -> Iterator[Server]:
        command = [self._command, "s_server", "-accept", "127.0.0.1:0", *self._common(order)]
        command += ["-naccept", str(order.connections)]
        command += ["-cert", order.identity.certificate_file, "-key", order.identity.key_file]
        if order.other_identity:
            command += ["-servername", order.server_name]
            command += ["-cert2", order.other_identity.certificate_file, "-key2", order.other_identity.key_file]
        if order.client_identity and not order.post_handshake_auth:
            command += ["-Verify", "1", "-verify_return_error"]
        if order.ocsp_response:
            command += ["-status_file", order.ocsp_response]
        if order.early_data:
            command += ["-early_data", "-max_early_data", "16384"]
        with Process(command, order.folder) as process:
            server = _OpenSSLServer(process, order)
            yield server
            server.report()


class _OpenSSLServer:
    """Says the reply on each connection as soon as it has the request."""

    def __init__(self, process: Process, order: Order) -> None:
        self._process = process
        self._order = order
        process.wait_for(lambda: b"ACCEPT 127.0.0.1:" in process.output(), "port")
        self.port = int(re.findall(rb"ACCEPT 127\.0\.0\.1:(\d+)", process.output())[0])
        self._problem: Exception | None = None
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        try:
            for number in range(self._order.connections):
                self._answer_once(number)
        except PeerFailed as problem:
            self._problem = problem

    def _answer_once(self, number: int) -> None:
        for turn, (request, reply) in enumerate(self._order.turns):
            self._wait_for(request, number + 1)
            if not turn and (self._order.update_keys or self._order.post_handshake_auth):
                self._process.write(b"K\n" if self._order.update_keys else b"c\n")
                time.sleep(SETTLING)
            self._process.write(reply)

    def _wait_for(self, part: bytes, times: int) -> None:
        self._process.wait_for(lambda: self._process.output().count(part) >= times, "request")

    def report(self) -> Report:
        output = self._process.end()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        parts = "|".join(re.escape(request.decode()) for request, _ in self._order.turns)
        return Report(received=b"".join(re.findall(parts.encode(), output)))

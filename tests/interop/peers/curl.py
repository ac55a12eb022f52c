"""curl, built on OpenSSL: a client that speaks HTTP."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from glasslock.registry import Side

from ..order import Order, Report
from ..peer import Abilities, Peer
from ..process import Process, Unavailable, find, first_output
from .openssl import EVERY_FEATURE, openssl_abilities, openssl_groups, openssl_suites


class Curl(Peer):
    """curl as a client."""

    name = "curl"
    notes = ("sends its whole request before it reads, so it never has occasion to answer a KeyUpdate",)

    @cached_property
    def _command(self) -> str:
        return find("curl", "Debian package curl")

    def version(self) -> str:
        found = re.match(r"curl ([\d.]+) .*?OpenSSL/([\d.]+)", first_output(self._command, "--version"))
        if found is None:
            raise Unavailable(
                f"{self._command} is not built with OpenSSL, and other back ends take no suites or groups"
            )
        return f"curl {found[1]} (OpenSSL {found[2]})"

    def abilities(self, role: Side) -> Abilities | None:
        if role is Side.SERVER:
            return None
        library = self.version().partition("(")[2]
        # It sends its whole request before it reads, so it never has occasion to answer a KeyUpdate.
        return openssl_abilities(library, EVERY_FEATURE - {"key-update"} | {"ocsp"})

    def request_is_right(self, order: Order, request: bytes) -> bool:
        """curl writes the request itself; our header fields come in it unchanged."""
        return _fields(request) == _fields(order.request)

    def connect(self, order: Order) -> Report:
        version = "1.3" if order.tls13 else "1.2"
        command: list[str | Path] = [self._command, "--no-progress-meter", "--include", "--http1.1"]
        command += ["--cacert", order.root, f"--tlsv{version}", "--tls-max", version]
        command += ["--tls13-ciphers" if order.tls13 else "--ciphers", openssl_suites(order.suites)]
        if order.groups:
            command += ["--curves", openssl_groups(order.groups)]
        if order.client_identity:
            command += ["--cert", order.client_identity.certificate_file, "--key", order.client_identity.key_file]
        if order.ocsp_response:
            command += ["--cert-status"]
        headers = order.folder / "headers"
        headers.write_bytes(b"\r\n".join(_fields(order.request)))
        command += ["--header", f"@{headers}", "--resolve", f"{order.server_name}:{order.port}:127.0.0.1"]
        command += [f"https://{order.server_name}:{order.port}/reply"] * order.connections
        with Process(command, order.folder) as process:
            return Report(received=process.end())


def _fields(request: bytes) -> list[bytes]:
    return re.findall(rb"(?m)^X-\d+: \w+", request)

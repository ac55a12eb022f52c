"""nginx: a server that speaks HTTP and logs what it has negotiated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from glasslock.registry import Side

from ..names import SUITES_OF_OPENSSL, group_name
from ..order import Order, Report
from ..peer import Abilities, Peer, Server
from ..process import PeerFailed, Process, Unavailable, find, first_output, free_port, wait_until_listening
from .openssl import EVERY_FEATURE, openssl_abilities, openssl_groups, openssl_suites

LOG_FIELDS = [
    "ssl_protocol",
    "ssl_cipher",
    "ssl_curve",
    "ssl_server_name",
    "ssl_session_reused",
    "ssl_alpn_protocol",
    "request_length",
    "status",
]

MAIN = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    log_format facts "{log}";
    access_log access.log facts;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    large_client_header_buffers 8 32k;
    root .;
    ssl_protocols {version};
    {suites}
    {groups}
    {more}
{servers}
}}
"""
SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {name};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
    }}
"""


class Nginx(Peer):
    """nginx as a server, one process for each cell."""

    name = "nginx"

    @cached_property
    def _command(self) -> str:
        return find("nginx", "Debian package nginx")

    @cached_property
    def _build(self) -> str:
        return first_output(self._command, "-V")

    def version(self) -> str:
        found = re.search(r"nginx/([\d.]+).*?built with OpenSSL ([\d.]+)", self._build, re.DOTALL)
        if found is None:
            raise Unavailable(f"{self._command} says neither its version nor that of its OpenSSL")
        return f"nginx {found[1]} (OpenSSL {found[2]})"

    def abilities(self, role: Side) -> Abilities | None:
        if role is Side.CLIENT:
            return None
        found = openssl_abilities(self.version().partition("(")[2], EVERY_FEATURE | {"0-rtt", "ocsp"})
        return Abilities(
            suites=found.suites, groups=found.groups, keys=found.keys, features=found.features, takes_turns=False
        )

    def reply_is_right(self, order: Order, reply: bytes) -> bool:
        """It puts a response head of its own before the file that we gave it."""
        return reply.startswith(b"HTTP/1.1 200 OK\r\n") and reply.endswith(b"\r\n\r\n" + order.reply)

    @contextmanager
    def serve(self, order: Order) -> Iterator[Server]:
        port = free_port()
        config = order.folder / "nginx.conf"
        config.write_text(self._config(order, port))
        assert order.reply_file.name == "reply"
        with Process([self._command, "-p", order.folder, "-c", config], order.folder) as process:
            wait_until_listening(port, process)
            yield _NginxServer(process, order, port)

    def _config(self, order: Order, port: int) -> str:
        more = []
        if order.client_identity:
            more += ["ssl_verify_client on;", f"ssl_client_certificate {order.root};"]
        if order.early_data:
            more += ["ssl_early_data on;"]
        if order.ocsp_response:
            more += ["ssl_stapling on;", f"ssl_stapling_file {order.ocsp_response};"]
        identities = [("localhost", order.identity)]
        if order.other_identity:
            identities.append((order.server_name, order.other_identity))
        suites = openssl_suites(order.suites)
        return MAIN.format(
            log=" ".join(f"${name}" for name in LOG_FIELDS),
            version="TLSv1.3" if order.tls13 else "TLSv1.2",
            suites=f"ssl_conf_command Ciphersuites {suites};" if order.tls13 else f"ssl_ciphers {suites};",
            groups=f"ssl_ecdh_curve {openssl_groups(order.groups)};" if order.groups else "",
            more="\n    ".join(more),
            servers="".join(
                SERVER.format(port=port, name=name, certificate=one.certificate_file, key=one.key_file)
                for name, one in identities
            ),
        )


class _NginxServer:
    """Its access log says for each request what was negotiated and how long the request was."""

    def __init__(self, process: Process, order: Order, port: int) -> None:
        self._process = process
        self._order = order
        self._log: Path = order.folder / "access.log"
        self.port = port

    def _lines(self) -> list[dict[str, str]]:
        text = self._log.read_text() if self._log.exists() else ""
        return [dict(zip(LOG_FIELDS, line.split(), strict=True)) for line in text.splitlines()]

    def report(self) -> Report:
        self._process.wait_for(lambda: len(self._lines()) >= self._order.connections, "line in the access log")
        lines = self._lines()
        for line in lines:
            if int(line["request_length"]) != len(self._order.request) or line["status"] != "200":
                raise PeerFailed(f"nginx logs {line} for a request of {len(self._order.request)} bytes")
        facts = {
            "version": [line["ssl_protocol"].removeprefix("TLSv") for line in lines],
            "suite": [SUITES_OF_OPENSSL[line["ssl_cipher"]].name for line in lines],
            "server_name": [line["ssl_server_name"] for line in lines],
            "resumed": ["true" if line["ssl_session_reused"] == "r" else "false" for line in lines],
            "alpn": [line["ssl_alpn_protocol"].removeprefix("-") for line in lines],
        }
        if self._order.tls13:  # a resumed TLS 1.2 handshake has no group, and RSA key transport has none either
            facts["group"] = [group_name(line["ssl_curve"]) for line in lines]
        return Report(facts={name: ",".join(values) for name, values in facts.items()})

"""A peer on pyOpenSSL, which is OpenSSL 4 in cryptography's wheel. Takes orders on stdin (see peers/program.py)."""

from __future__ import annotations

import hashlib
import socket
import sys
import threading
from pathlib import Path

from OpenSSL import SSL
from OpenSSL._util import lib

PATIENCE = 20.0  # seconds
VERIFY_POST_HANDSHAKE = 8
Fields = dict[str, str]
_stdout = threading.Lock()


def answer(order: Fields, **fields: str) -> None:
    with _stdout:
        print("\t".join(f"{name}={value}" for name, value in {"id": order["id"], **fields}.items()), flush=True)


def context_for(order: Fields, which: str = "") -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    version = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}[order["version"]]
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    suite = order["openssl_suite"].encode()
    if version == SSL.TLS1_3_VERSION:
        context.set_tls13_ciphersuites(suite)
    else:
        context.set_cipher_list(suite)
    groups = order["openssl_groups"].encode()
    # pyOpenSSL has no call for this; its binding has.
    if groups and lib.SSL_CTX_set1_curves_list(context._context, groups) != 1:
        raise ValueError(f"OpenSSL does not know one of the groups {groups!r}")
    context.load_verify_locations(order["ca"])
    mode = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
    if order.get("want_client") == "later":
        mode |= VERIFY_POST_HANDSHAKE
    context.set_verify(mode if order["role"] == "client" or order.get("want_client") else SSL.VERIFY_NONE)
    if order.get(f"{which}cert"):
        context.use_certificate_chain_file(order[f"{which}cert"])
        context.use_privatekey_file(order[f"{which}key"])
    protocols = [protocol.encode() for protocol in order["alpn"].split(",") if protocol]
    if order["role"] == "client":
        if order["late"]:
            lib.SSL_CTX_set_post_handshake_auth(context._context, 1)
        if protocols:
            context.set_alpn_protos(protocols)
        return context
    context.set_session_id(b"interop")
    if order["ocsp"]:
        context.set_ocsp_server_callback(lambda *_: Path(order["ocsp"]).read_bytes())
    if protocols:
        context.set_alpn_select_callback(lambda _, theirs: next((p for p in theirs if p in protocols), b""))
    return context


def talk(order: Fields, connection: SSL.Connection, received: list[bytes]) -> None:
    """The conversation, in as many rounds as there are chunks; then the other side's close_notify, then ours."""
    data = Path(order["send"]).read_bytes()
    for chunk, size in zip(order["chunks"].split(","), order["sizes"].split(","), strict=True):
        ours, data = data[: int(chunk)], data[int(chunk) :]
        if order["role"] == "client":
            connection.sendall(ours)
        missing = int(size)
        while missing:
            got = connection.recv(missing)
            received.append(got)
            missing -= len(got)
        if order.get("want_client") == "later":
            lib.SSL_verify_client_post_handshake(connection._ssl)
            connection.do_handshake()
        if order["role"] == "server":
            connection.sendall(ours)
    try:
        extra = connection.recv(1)
    except SSL.ZeroReturnError:
        connection.shutdown()
        return
    raise ValueError(f"more data than expected: {extra!r}")


def look(connection: SSL.Connection, resumed: bool, facts: dict[str, list[str]]) -> None:
    seen = {
        "version": connection.get_protocol_version_name().removeprefix("TLSv"),
        "suite": connection.get_cipher_name() or "",
        "alpn": connection.get_alpn_proto_negotiated().decode(),
        "server_name": (connection.get_servername() or b"").decode(),
        "exporter": connection.export_keying_material(b"EXPORTER-glasslock-interop", 32).hex(),
        "resumed": str(resumed).lower(),
    }
    if seen["version"] == "1.3":
        seen["group"] = connection.get_group_name() or ""
    for name, value in seen.items():
        facts.setdefault(name, []).append(value)


def work(order: Fields) -> dict[str, list[str]]:
    facts: dict[str, list[str]] = {}
    received: list[bytes] = []
    context = context_for(order)
    try:
        if order["role"] == "client":
            connect(order, context, received, facts)
        else:
            serve(order, context, received, facts)
    finally:
        Path(order["received"]).write_bytes(b"".join(received))
    return facts


def connect(order: Fields, context: SSL.Context, received: list[bytes], facts: dict[str, list[str]]) -> None:
    session = None
    if order["ocsp"]:

        def stapled(_: SSL.Connection, response: bytes, __: None) -> bool:
            facts["ocsp"] = [hashlib.sha256(response).hexdigest()]
            return True

        context.set_ocsp_client_callback(stapled)
    for _ in range(int(order["connections"])):
        with socket.create_connection(("127.0.0.1", int(order["port"])), timeout=PATIENCE) as sock:
            sock.settimeout(None)  # pyOpenSSL does not like timeouts; the other side has one
            connection = SSL.Connection(context, sock)
            connection.set_tlsext_host_name(order["name"].encode())
            if order["ocsp"]:
                connection.request_ocsp()
            if session is not None:
                connection.set_session(session)
            connection.set_connect_state()
            connection.do_handshake()
            talk(order, connection, received)
            look(connection, lib.SSL_session_reused(connection._ssl) == 1, facts)
            session = connection.get_session()


def serve(order: Fields, context: SSL.Context, received: list[bytes], facts: dict[str, list[str]]) -> None:
    if order.get("other_cert"):
        other = context_for(order, "other_")

        def choose(connection: SSL.Connection) -> None:
            if connection.get_servername() == order["other_name"].encode():
                connection.set_context(other)

        context.set_tlsext_servername_callback(choose)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        answer(order, port=str(listener.getsockname()[1]))
        for _ in range(int(order["connections"])):
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(None)
                connection = SSL.Connection(context, sock)
                connection.set_accept_state()
                connection.do_handshake()
                talk(order, connection, received)
                look(connection, lib.SSL_session_reused(connection._ssl) == 1, facts)


def run(order: Fields) -> None:
    try:
        facts = work(order)
    except Exception as problem:  # noqa: BLE001 - all of it is told to whoever gave the order
        answer(order, error=" ".join(f"{type(problem).__name__}: {problem}".split()))
    else:
        answer(order, ok="1", **{name: ",".join(values) for name, values in facts.items()})


def main() -> None:
    for line in sys.stdin:
        order = dict(field.split("=", 1) for field in line.rstrip("\n").split("\t"))
        threading.Thread(target=run, args=(order,), daemon=True).start()


main()

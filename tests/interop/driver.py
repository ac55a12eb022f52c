"""Runs one cell: our side against the peer's, real data both ways, and both ends compared."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from glasslock.errors import GlasslockError
from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion, Side
from glasslock.tls import ClientConfig, ClientConnection, ServerConfig, ServerConnection, Session
from glasslock.trace import TraceRecord

from .cells import CURVES, Cell
from .credentials import Authority
from .ends import End
from .features.base import CellFailed, Feature, expect
from .features.catalogue import FEATURES
from .features.negotiation import Defaults, HelloRetry
from .order import PATIENCE, Order, Report, make_reply, make_request
from .peer import REPLY_SIZE, Abilities, Peer
from .process import PeerFailed
from .verifiers import Pinned

EXPORTER_LABEL = "EXPORTER-glasslock-interop"
EXPORTER_LENGTH = 32  # bytes


def run(cell: Cell, peer: Peer, authority: Authority, folder: Path) -> None:
    """Raises CellFailed, with what either side says, unless everything in the cell went as it must."""
    abilities = peer.abilities(cell.role)
    expect(abilities, f"{peer.name} plays this role")
    if abilities is None:
        return
    feature = FEATURES[cell.feature]
    order = make_order(cell, feature, authority, abilities, folder)
    if cell.role is Side.CLIENT:
        _serve(cell, order, peer, abilities)
    else:
        _visit(cell, order, peer, abilities)


def make_order(cell: Cell, feature: Feature, authority: Authority, abilities: Abilities, folder: Path) -> Order:
    groups = _client_groups(cell) if cell.role is Side.CLIENT else _server_groups(cell)
    values: dict[str, Any] = {
        "folder": folder,
        "root": authority.root_file,
        "version": cell.version,
        "suites": (cell.suite,),
        "groups": groups,
        "identity": authority.servers[cell.key],
        "request": make_request(abilities.request_size),
        "reply": make_reply(REPLY_SIZE),
        "early_data_unanswered": not abilities.answers_early,
        "client_ends_first": abilities.ends_first,
    }
    feature.order(values, authority, cell.role, abilities)
    if abilities.echoes:
        values["reply"] = values["request"]
    return Order(**values)


def _server_groups(cell: Cell) -> tuple[NamedGroup, ...]:
    return (cell.group,) if cell.group is not None else ()


def _client_groups(cell: Cell) -> tuple[NamedGroup, ...]:
    """In TLS 1.2 the list of groups is also that of the curves that a certificate may have (RFC 8422 section 5.1)."""
    groups = _server_groups(cell)
    curve = CURVES.get(cell.key)
    if cell.version is ProtocolVersion.TLS_1_2 and curve is not None and groups and curve not in groups:
        return (*groups, curve)
    return groups


def _common_options(order: Order, groups: tuple[NamedGroup, ...], trace: list[TraceRecord]) -> dict[str, Any]:
    options: dict[str, Any] = {"versions": (order.version,), "cipher_suites": order.suites, "observer": trace.append}
    return options | ({"groups": groups} if groups else {})


# --- the peer is the client


def _serve(cell: Cell, order: Order, peer: Peer, abilities: Abilities) -> None:
    feature = FEATURES[cell.feature]
    trace: list[TraceRecord] = []
    others = (order.other_identity.credential,) if order.other_identity else ()
    config = ServerConfig(
        **_common_options(order, _server_groups(cell), trace)
        | {"credentials": (order.identity.credential, *others)}
        | feature.server_options(order)
    )
    ends: list[End] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as helper:
        asked = helper.submit(peer.connect, replace(order, port=listener.getsockname()[1]))
        try:
            for _ in range(order.connections):
                with End(ServerConnection(config), _accept(listener, asked), trace) as end:
                    ends.append(end)
                    feature.answer(end, order)
        except (GlasslockError, CellFailed, OSError) as problem:
            listener.close()  # a second connection must not wait for us
            raise CellFailed(_both(problem, asked)) from problem
        report = _report(asked)
    _check_ends(ends, cell, abilities)
    feature.check_server(ends, order)
    silent = abilities.silent_first and order.connections > 1
    expect(not silent or not ends[0].data, "the first connection is silent")
    for end in ends[1:] if silent else ends:
        expect(peer.request_is_right(order, bytes(end.data)), f"we received the request (got {_seen(end.data)})")
    _check_report(report, ends, order.reply * (order.connections - silent))


def _accept(listener: socket.socket, asked: Future[Report]) -> socket.socket:
    listener.settimeout(0.1)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return listener.accept()[0]
        except TimeoutError:
            if asked.done():
                break
    raise TimeoutError("the peer does not connect")


def _both(problem: Exception, asked: Future[Report]) -> str:
    try:
        asked.result(2 * PATIENCE)
    except Exception as theirs:  # noqa: BLE001 - whatever it is, it is part of the story
        return f"ours: {_words(problem)}\n  theirs: {_words(theirs)}"
    return f"ours: {_words(problem)}\n  theirs: content"


def _report(asked: Future[Report]) -> Report:
    try:
        return asked.result(2 * PATIENCE)
    except (PeerFailed, OSError) as problem:
        raise CellFailed(f"we are content; theirs: {_words(problem)}") from problem


# --- the peer is the server


def _visit(cell: Cell, order: Order, peer: Peer, abilities: Abilities) -> None:
    feature = FEATURES[cell.feature]
    trace: list[TraceRecord] = []
    expected = order.identity if order.other_identity is None else order.other_identity
    config = ClientConfig(
        **_common_options(order, _client_groups(cell), trace)
        | {"verifier": Pinned(expected.der)}
        | feature.client_options(order)
    )
    ends: list[End] = []
    session: Session | None = None
    try:
        with peer.serve(order) as server:
            try:
                for _ in range(order.connections):
                    with _connect(order, config, server.port, session, trace) as end:
                        ends.append(end)
                        feature.visit(end, order, lambda reply: peer.reply_is_right(order, reply))
                        session = end.sessions[-1] if end.sessions else session
            except (GlasslockError, CellFailed, OSError) as problem:
                raise CellFailed(f"ours: {_words(problem)}\n  theirs: {_last_words(server)}") from problem
            report = server.report()
    except PeerFailed as problem:
        raise CellFailed(f"theirs: {_words(problem)}") from problem
    _check_ends(ends, cell, abilities)
    feature.check_client(ends, order)
    for end in ends:
        expect(peer.reply_is_right(order, bytes(end.data)), f"we received the reply (got {_seen(end.data)})")
    _check_report(report, ends, order.request * order.connections)


def _connect(order: Order, config: ClientConfig, port: int, session: Session | None, trace: list[TraceRecord]) -> End:
    early = order.early_data and session is not None
    connection = ClientConnection(config, order.server_name, session=session, early_data=early)
    end = End(connection, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE), trace)
    if early:
        end.early_sent = connection.send_early_data(order.request)
    return end


def _last_words(server: Any) -> str:
    try:
        server.report()
    except PeerFailed as problem:
        return _words(problem)
    return "content"


# --- what both sides must agree on


def _check_ends(ends: Sequence[End], cell: Cell, abilities: Abilities) -> None:
    for number, end in enumerate(ends):
        expected = "cut" if number and cell.feature in abilities.cuts else "close_notify"
        expect(end.closed == expected, f"the peer ended with {expected} (it was: {end.closed})")
        agreed = end.connection.agreed
        expect(agreed.version == cell.version, f"TLS version {cell.version.name}")
        expect(agreed.cipher_suite == cell.suite, f"the suite is {cell.suite.name}")
        retry = isinstance(FEATURES[cell.feature], HelloRetry)
        ours = isinstance(FEATURES[cell.feature], Defaults) and not abilities.chooses_groups
        resumed12 = agreed.resumed and cell.version is ProtocolVersion.TLS_1_2
        expect(
            retry or ours or resumed12 or agreed.group == cell.group,
            f"the group is {cell.group} (it was: {agreed.group})",
        )
        retry_wanted = retry or not abilities.chooses_groups
        expect(retry_wanted or not agreed.retried, "a HelloRetryRequest only where it is the subject")


def _check_report(report: Report, ends: Sequence[End], sent: bytes) -> None:
    if report.received is not None:
        seen = _seen(report.received)
        expect(report.received == sent, f"the peer received what we sent ({len(sent)} bytes; it has {seen})")
    for name, theirs in report.facts.items():
        ours = ",".join(_fact(end, name) for end in ends)
        expect(theirs == ours, f"both sides see the same {name} (ours: {ours}; theirs: {theirs})")


def _fact(end: End, name: str) -> str:
    agreed = end.connection.agreed
    match name:
        case "version":
            return "1.3" if agreed.version == ProtocolVersion.TLS_1_3 else "1.2"
        case "suite":
            return CipherSuite(agreed.cipher_suite).name
        case "group":
            return NamedGroup(agreed.group).name.lower() if agreed.group is not None else ""
        case "alpn":
            return agreed.alpn or ""
        case "server_name":
            return agreed.server_name or ""
        case "resumed":
            return str(agreed.resumed).lower()
        case "early":
            return str(agreed.early_data_accepted).lower()
        case "ocsp":
            own = agreed.credential.ocsp_response if agreed.credential is not None else None
            return hashlib.sha256(agreed.peer_ocsp_response or own or b"").hexdigest()
        case "exporter":
            return end.connection.export_keying_material(EXPORTER_LABEL, EXPORTER_LENGTH).hex()
    raise CellFailed(f"the peer reports {name}, which nobody here knows")


def _words(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}"


def _seen(data: bytes | bytearray) -> str:
    return f"{len(data)} bytes: {bytes(data[:60])!r}"

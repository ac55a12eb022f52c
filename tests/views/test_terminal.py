"""The story in a terminal: what must be on the page, and what must never be."""

from __future__ import annotations

import io
import re
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from glasslock.registry import HandshakeType, NamedGroup, Side, name_of
from glasslock.tls.wire.dissect import dissect_message
from glasslock.trace import (
    BodyReceived,
    CertificatesReceived,
    CheckRan,
    DataReceived,
    DataSent,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    KeyExchanged,
    MessageReceived,
    MessageSent,
    NameResolved,
    Note,
    Outcome,
    PathTried,
    RecordSent,
    SecretDerived,
    Step,
    TcpConnected,
    TraceRecord,
    VerdictReached,
)
from glasslock.views.json_view import RECORD_TYPES, from_json, to_json
from glasslock.views.terminal import Depth, make_console, picture, render
from glasslock.views.terminal.style import abbreviated, clean, duration, size

from .sample import HOST, SCENES, STORE, T0, URL, authority, expired, good, http2, run

if TYPE_CHECKING:
    from collections.abc import Sequence

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def page(
    records: Sequence[TraceRecord], depth: Depth = Depth.DEFAULT, *, width: int = 80, encoding: str = "utf-8"
) -> str:
    """What arrives in a file or a pipe."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    render(records, depth=depth, console=make_console(file, width=width))
    return raw.getvalue().decode(encoding)


def on_terminal(records: Sequence[TraceRecord], depth: Depth = Depth.DEFAULT) -> str:
    """What a terminal with colours gets."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="standard", highlight=False)
    render(records, depth=depth, console=console)
    return file.getvalue()


def words(text: str) -> str:
    """The page as one line, without the frame, so that line breaks do not matter."""
    return " ".join(re.sub(r"[│╭╮╰╯]", " ", text).split())


# --- what is on the page ----------------------------------------------------------------------------


def test_a_good_visit_tells_the_four_steps_in_order_with_real_values() -> None:
    told = good()
    text = page(told)
    places = [text.index(f"{step.value} {step.name}") for step in Step]
    assert places == sorted(places)
    assert text.startswith(f"🔒 {URL}\n")
    for value in (
        "127.0.0.1:51514 ⇄ 127.0.0.1:8443",
        "RTT 21 ms · MSS 1448 · windows \N{MULTIPLICATION SIGN}128 · SACK · timestamps",
        "[::1]:8443  connection refused",
        "capturing them needs root or CAP_NET_RAW",
        "└─ ✓ Glasslock Intermediate",
        "until 2027-01-23, 59 days left",
        STORE,
        "✓ signature, name, dates",
        "revocation (-v says why)",
        "its key signed this very handshake  ecdsa_secp256r1_sha256",
        "TLS_AES_128_GCM_SHA256    from AES-128-GCM, AES-256-GCM + 1",
        "X25519MLKEM768            from X25519MLKEM768, X25519 + 6",
        "1,216 bytes",
        "1,120 bytes",
        "→ GET /basket HTTP/1.1",
        "← HTTP/1.1 200 OK",
        "this is shop.localhost, says Glasslock Root",
        "TLS 1.3 · X25519MLKEM768 · AES-128-GCM · HTTP/1.1",
        "─ TCP 21 ms",
        "═ server 35 ms",
    ):
        assert value in text, value
    exchange = next(r for r in told if isinstance(r, KeyExchanged))
    assert " ".join(re.findall("....", exchange.fingerprint)) in text
    for secret in (r for r in told if isinstance(r, SecretDerived)):
        if secret.label != "early secret":
            assert f"{secret.fingerprint[:4]} {secret.fingerprint[4:8]}" in text, secret.label


def test_the_eavesdropper_s_column_is_what_went_over_the_wire() -> None:
    told = good()
    sent = next(r for r in told if isinstance(r, RecordSent) and r.epoch == "application" and r.content_type == 23)
    row = next(row for row in page(told).splitlines() if "GET /basket" in row)
    shown = bytes.fromhex(row.partition("│")[2])
    assert shown.startswith(b"\x17\x03\x03")
    assert sent.raw.startswith(shown)


def test_a_wide_terminal_gets_more_and_a_narrow_one_gets_everything_below_each_other() -> None:
    assert "what you read" in page(good(), width=80).split("│")[0]
    narrow = page(good(), width=60)
    assert "│ what an eavesdropper reads" not in narrow
    assert narrow.count("what an eavesdropper reads") == 2
    assert "ChaCha20-Poly1305" in page(good(), width=100)


def test_captured_packets_are_shown() -> None:
    text = page(http2())
    assert "→ SYN      MSS 1460, SACK, timestamps, scale 7" in text
    assert "← SYN ACK" in text
    assert "not known" not in text


def test_http_2_is_shown_as_it_was_meant() -> None:
    text = page(http2())
    assert "→ GET /basket HTTP/2" in text
    assert "cookie: session=4f1d; user=alice" in text
    assert "← HTTP/2 200" in text
    assert "HTTP/2 (h2)" in text


@pytest.mark.parametrize("scene", SCENES)
def test_one_screen(scene: str) -> None:
    limit = 6 if SCENES[scene]()[0].side is Side.SERVER else 56
    assert page(SCENES[scene]()).count("\n") <= limit


def test_a_good_visit_fits_a_terminal_of_fifty_lines() -> None:
    assert page(good()).count("\n") <= 50


def test_a_refused_certificate_says_what_who_and_how() -> None:
    text = words(page(expired()))
    for value in (
        f"🔓 {HOST}:8443 not secure",
        "🔓 Your connection is not private",
        f"Attackers might be trying to steal your information from {HOST}.",
        "✗ dates on shop.localhost: expired 12 days ago",
        "not after: 2026-11-12 09:30 UTC",
        f"why The certificate of {HOST} expired 12 days ago",
        f"failed check dates on {HOST}",
        "who can fix the site's operator",
        "how renew it and reload the server: certbot renew && nginx -s reload",
        "proceed? a browser would let you go on at your own risk",
        "Chrome says NET::ERR_CERT_DATE_INVALID",
        "Firefox SEC_ERROR_EXPIRED_CERTIFICATE",
        "curl curl: (60)",
        "Python [SSL: CERTIFICATE_VERIFY_FAILED]",
        "4 PROTECT not reached",
    ):
        assert value in text, value
    assert "Its security certificate expired" in words(page(expired(), Depth.VERBOSE))


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("unknown_name", "ERR_NAME_NOT_RESOLVED"),
        ("refused_port", "ERR_CONNECTION_REFUSED"),
        ("plain_http", "this port does not speak TLS"),
        ("alerted", "handshake_failure. No set of parameters suits both sides."),
        ("cut_in_handshake", "The peer cut the connection in the middle of the handshake"),
        ("truncated", "ended without close_notify: data may be missing"),
        ("tampered", "Something on the way changed what was sent"),
        ("no_padlock", "nobody checked who is at the other end"),
    ],
)
def test_every_failure_has_its_own_words(scene: str, expected: str) -> None:
    for depth in (Depth.DEFAULT, Depth.VERBOSE):
        text = words(page(SCENES[scene](), depth))
        assert expected in text
        assert "🔒" not in text


def test_what_an_attacker_did_is_told_in_its_step() -> None:
    text = page(SCENES["tampered"]())
    assert text.index("4 PROTECT") < text.index("attacker      changed one byte of the response")


def test_several_visits_are_told_one_after_the_other() -> None:
    text = page([*good(), *expired()])
    assert text.count("1 REACH") == 2
    assert text.index("Connection is secure") < text.index("Your connection is not private")


# --- three depths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
def test_quiet_is_one_line(scene: str) -> None:
    text = page(SCENES[scene](), Depth.QUIET, width=60)
    assert text.count("\n") == 1
    assert text.endswith("\n")


def test_quiet_says_the_essence() -> None:
    assert page(good(), Depth.QUIET) == (
        f"🔒 {URL}  TLS 1.3 · X25519MLKEM768 · AES-128-GCM · HTTP/1.1 · 200 OK · 86 ms\n"
    )
    assert page(expired(), Depth.QUIET) == (
        f"🔓 {HOST}:8443  NET::ERR_CERT_DATE_INVALID  The certificate of {HOST} expired 12 days ago\n"
    )


def test_verbose_has_every_message_with_its_fields_and_bytes() -> None:
    told = good()
    text = page(told, Depth.VERBOSE)
    messages = [r for r in told if isinstance(r, MessageSent | MessageReceived)]
    assert len(messages) == 8
    for record in messages:
        tree = dissect_message(record.raw, record.version)
        assert re.search(rf"[→←] {tree.name}  ", text)
        assert record.raw[:16].hex(" ") in text
        for field in tree.children:
            assert f"{field.offset}+{field.length} {field.name}" in text
    for check in (r for r in told if isinstance(r, CheckRan)):
        assert f"{check.name} on {check.subject}" in text
    for secret in (r for r in told if isinstance(r, SecretDerived)):
        assert " ".join(re.findall("....", secret.fingerprint)) in text
    assert "the server stapled no response" in text
    assert "alert close_notify" in text


def test_verbose_shows_all_bytes_of_a_message() -> None:
    told = good()
    hello = next(r for r in told if isinstance(r, MessageSent))
    text = page(told, Depth.VERBOSE)
    start = text.index("→ ClientHello")
    rows = re.findall(r"^ +[0-9a-f]{4}  ((?:[0-9a-f]{2} ?)+)  ", text[start:], re.MULTILINE)
    assert bytes.fromhex("".join(rows)).startswith(hello.raw)


def test_server_side_is_compact() -> None:
    text = page(SCENES["served"]())
    lines = text.splitlines()
    assert len(lines) == 3
    assert "🔒 127.0.0.1:51514  TLS 1.3 · X25519MLKEM768 · AES-128-GCM · HTTP/1.1" in lines[0]
    assert f"asked for {HOST} · handshake" in lines[1]
    assert "← GET" in lines[2]
    assert "200 OK" in lines[2]
    refused = words(page(SCENES["refused_by_client"]()))
    assert "🔓 127.0.0.1:51514 The client ended the connection" in refused
    assert "certificate_expired" in refused
    assert "→ ServerHello" in page(SCENES["served"](), Depth.VERBOSE)


# --- paper ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_too_wide_or_ends_in_blanks(scene: str, width: int) -> None:
    for depth in (Depth.DEFAULT, Depth.VERBOSE) if width == 60 else (Depth.DEFAULT,):
        for row in page(SCENES[scene](), depth, width=width).splitlines():
            assert cell_len(row) <= min(width, 100), row
            assert row == row.rstrip()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_plain_ascii_where_the_encoding_has_no_boxes(scene: str, encoding: str) -> None:
    for depth in Depth if encoding == "ascii" else (Depth.DEFAULT,):
        fancy, plain = page(SCENES[scene](), depth), page(SCENES[scene](), depth, encoding=encoding)
        assert plain.isascii()
        assert plain.count("\n") == fancy.count("\n")
        if SCENES[scene]()[0].side is Side.CLIENT:
            assert [cell_len(row) for row in plain.splitlines()] == [cell_len(row) for row in fancy.splitlines()]


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    assert "\x1b" not in page(good(), Depth.VERBOSE)
    coloured = on_terminal(good())
    assert "\x1b[1;32m" in coloured
    assert [r.rstrip() for r in ESCAPE.sub("", coloured).splitlines()] == page(good()).splitlines()


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for depth in Depth:
        codes = {
            code for codes in re.findall(r"\x1b\[([0-9;]*)m", on_terminal(good(), depth)) for code in codes.split(";")
        }
        assert not {code for code in codes if code and 30 <= int(code) <= 107}


def test_a_saved_trace_looks_the_same() -> None:
    for scene in ("good", "expired", "served"):
        told = SCENES[scene]()
        for depth in Depth:
            assert page(from_json(to_json(told)), depth) == page(told, depth)


# --- hostile text -----------------------------------------------------------------------------------

EVIL = "\x1b[2J\x1b]0;owned\x07\r\n🔒 all fine\u202egnp.exe\x9b31m[bold red]x[/]\u2028\x00"
LEFT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")


def poisoned(record: TraceRecord) -> TraceRecord:
    """The same record with hostile text in all its text, and hostile bytes as data."""

    def poison(value: Any) -> Any:
        if type(value) is str:
            return value + EVIL
        if isinstance(value, tuple):
            return tuple(poison(item) for item in value)
        return value

    return replace(record, **{f.name: poison(getattr(record, f.name)) for f in fields(record)})


@pytest.mark.parametrize("scene", ["good", "http2", "expired", "unknown_name", "tampered", "served"])
@pytest.mark.parametrize("depth", Depth)
def test_no_peer_can_write_to_the_terminal(scene: str, depth: Depth) -> None:
    told = [poisoned(record) for record in SCENES[scene]()]
    text = page(told, depth)
    assert LEFT.search(text) is None
    assert LEFT.search(ESCAPE.sub("", on_terminal(told, depth))) is None
    assert text.splitlines() == text.split("\n")[:-1]
    assert not re.search(r"^\W*🔒 all fine", text, re.MULTILINE)


def test_markup_in_a_name_is_only_a_name() -> None:
    told = [
        NameResolved(
            time=T0, side=Side.CLIENT, host="[bold red]h[/bold red]", addresses=(), seconds=0.1, error="[link=x]no[/]"
        )
    ]
    text = page(told)
    assert "[bold red]h[/bold red]" in text
    assert "[link=x]no[/]" in text


def test_clean_keeps_what_can_be_read() -> None:
    assert clean("münchen.example ✓ 東京 👋") == "münchen.example ✓ 東京 👋"
    assert clean("a\x1b[0mb\n\u202e") == "a\\x1b[0mb\\x0a\\u202e"


any_times = st.floats(min_value=0, max_value=4e9)
any_record = st.one_of(
    [
        st.builds(kind, time=any_times, **({"seconds": st.floats(0, 1e6)} if "seconds" in kind.__slots__ else {}))
        for kind in RECORD_TYPES.values()
    ]
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(any_record, max_size=12), st.sampled_from(Depth), st.sampled_from([60, 80, 100]))
def test_any_records_in_any_order_make_a_page(told: list[TraceRecord], depth: Depth, width: int) -> None:
    text = page(told, depth, width=width, encoding="ascii")
    assert LEFT.search(text) is None
    if depth is not Depth.QUIET:
        assert all(len(row) <= width for row in text.splitlines())


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_a_visit_with_records_missing_or_twice_makes_a_page(data: st.DataObject) -> None:
    whole = VISIT
    told = [whole[i] for i in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=60))]
    for depth in Depth:
        page(told, depth)


VISIT = [*run().seen, *run().served]


def test_secrets_that_lead_in_a_circle_do_not_hang() -> None:
    circle = [
        SecretDerived(time=T0, side=Side.CLIENT, label="root", parent="", fingerprint="00" * 8),
        SecretDerived(time=T0, side=Side.CLIENT, label="a", parent="root", fingerprint="00" * 8),
        SecretDerived(time=T0, side=Side.CLIENT, label="a", parent="a", fingerprint="11" * 8),
        SecretDerived(time=T0, side=Side.CLIENT, label="b", parent="a", fingerprint="22" * 8),
        SecretDerived(time=T0, side=Side.CLIENT, label="a", parent="b", fingerprint="33" * 8),
    ]
    for depth in Depth:
        page(circle, depth)


# --- units ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.0 ms"),
        (0.000_02, "20 µs"),
        (0.001, "1.0 ms"),
        (0.0043, "4.3 ms"),
        (0.00999, "10 ms"),
        (0.0436, "44 ms"),
        (0.9999, "1.00 s"),
        (1.239, "1.24 s"),
        (12.34, "12.3 s"),
        (None, "\N{EN DASH}"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (9_999, "9,999 bytes"),
        (12_345, "12.3 kB"),
        (999_999, "1 MB"),
        (1_234_567_890, "1.23 GB"),
        (5_000_000_000_000, "5.0 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@given(st.binary(min_size=1, max_size=200), st.integers(12, 90))
def test_abbreviated_bytes_fit(data: bytes, room: int) -> None:
    text = abbreviated(data, room)
    assert len(text) <= room
    start, _, end = text.partition(" … ")
    assert data.startswith(bytes.fromhex(start))
    assert data.endswith(bytes.fromhex(end))


def test_the_names_of_the_steps_are_used() -> None:
    note = Note(time=T0, side=Side.CLIENT, step=Step.REACH, who="lab", text="delayed the SYN")
    connected = TcpConnected(time=T0, side=Side.CLIENT, local=("::1", 1), remote=("::1", 443), seconds=0.1)
    text = page([connected, note])
    assert text.index("1 REACH") < text.index("lab           delayed the SYN") < text.index("2 IDENTIFY")
    assert name_of(HandshakeType, 1) == "client_hello"
    assert "[::1]:1 ⇄ [::1]:443" in text


def test_a_verdict_that_nobody_may_pass_says_so() -> None:
    told = [replace(r, may_proceed=False) if isinstance(r, VerdictReached) else r for r in expired()]
    assert "no: no browser would let you go on" in page(told)


def test_warnings_are_told_beside_the_padlock() -> None:
    warned = CheckRan(
        time=T0,
        rule="",
        side=Side.CLIENT,
        name="key_strength",
        outcome=Outcome.WARNED,
        certificate=1,
        explanation="short",
    )
    text = page([*good()[:-1], warned])
    assert "! key strength on certificate 1: short" in text


def test_a_resumed_connection_says_why_there_is_no_certificate() -> None:
    text = words(page(SCENES["resumed"]()))
    assert "it knows the secret of the earlier connection, where it showed this certificate" in text
    assert "resumption session ticket" in text
    unjudged = [r for r in SCENES["resumed"]() if not isinstance(r, CheckRan | PathTried | VerdictReached)]
    expected = "no certificate this time: both sides know each other from an earlier connection"
    assert expected in words(page(unjudged))
    assert "· resumed" in page(served_again(), Depth.QUIET)
    assert "asked for another key share" in words(page(run(groups=(NamedGroup.SECP384R1,)).served))


def served_again() -> list[TraceRecord]:
    return run(session=run().session).served


def test_details_that_a_server_tells_when_there_are_any() -> None:
    told = SCENES["served"]()
    done = next(r for r in told if isinstance(r, HandshakeCompleted))
    shown = CertificatesReceived(time=T0, side=Side.SERVER, chain=authority()[0])
    changed = [replace(done, early_data=True, client_authenticated=True) if r is done else r for r in told]
    text = words(page([*changed, shown]))
    assert "early data" in text
    assert f"client is {HOST}" in text
    assert "RTT 21 ms" in text
    bare = HandshakeCompleted(
        time=T0,
        side=Side.SERVER,
        version=0x0304,
        cipher_suite=0x1301,
        group=None,
        signature_scheme=None,
        alpn=None,
        server_name=None,
    )
    text = page([bare, HttpRequest(time=T0, side=Side.SERVER, http_version="HTTP/1.1", method="GET", url="/")])
    assert "🔒 a client  TLS 1.3 · AES-128-GCM" in text
    assert "0 messages" in text
    assert text.endswith("← GET /\n")


def test_data_without_http_and_data_that_is_not_text() -> None:
    told = [r for r in good() if not isinstance(r, HttpRequest | HttpResponse | BodyReceived)]
    binary = [replace(r, data=b"\0\1\2" * 100) if isinstance(r, DataReceived) else r for r in told]
    text = page(binary)
    assert "→ GET /basket HTTP/1.1" in text
    assert "(300 bytes that are not text)" in text
    assert "00 01 02" in text
    silent = [r for r in told if not isinstance(r, DataSent | DataReceived)]
    assert "nothing was sent" in page(silent)


def test_a_very_long_message_is_cut_and_says_so() -> None:
    huge = MessageReceived(
        time=T0,
        side=Side.CLIENT,
        step=Step.AGREE,
        message="certificate",
        version=0x0304,
        raw=b"\x0b\0\x20\0" + bytes(0x2000),
    )
    text = page([huge], Depth.VERBOSE)
    assert f"{0x2004 - 4096:,} bytes more; --json has them all" in text


def test_a_picture_loads_nothing_and_shows_the_page() -> None:
    svg = picture(good(), width=80)
    assert svg.startswith("<svg")
    assert "shop.localhost" in svg
    assert re.findall(r"url\((?!#)|@font-face|@import|<image|<script", svg) == []
    assert picture(good(), width=80) == svg


def test_more_requests_on_one_connection() -> None:
    told = good()
    again = [r for r in told if isinstance(r, HttpRequest | HttpResponse)]
    assert "and 1 more requests" in page([*told, *again])

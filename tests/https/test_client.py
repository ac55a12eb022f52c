"""`visit`: what comes back, what is told, and what each failure is called."""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glasslock.adapters import Stream, TraceRecorder
from glasslock.errors import (
    CertificateRefused,
    ConfigurationError,
    ConnectFailed,
    ConnectionTruncated,
    HttpFailed,
    PeerMisbehaved,
    TLSError,
)
from glasslock.https import VisitResult, parse_url, visit
from glasslock.trace import (
    BodyReceived,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    NameResolved,
    TcpConnected,
    VerdictReached,
)
from glasslock.trust import TrustStore, Verdict

from .conftest import PATIENCE, Trust, head, raw_site, response, saying


def _visit(url: str, trust: Trust, **options: Any) -> VisitResult:
    return visit(url, trust_store=trust.store, **{"timeout": PATIENCE} | options)


def test_a_page(trust: Trust) -> None:
    with raw_site(trust, saying(response("grüß".encode("latin-1"), Content_Type="text/plain; charset=latin-1"))) as url:
        result = _visit(url, trust)
    assert (result.status, result.reason, result.http_version) == (200, "OK", "1.1")
    assert result.text == "grüß"
    assert result.length == result.wire_length == 4
    assert result.redirects == ()
    assert result.saved_to is None
    assert ("content-type", "text/plain; charset=latin-1") in [(name.lower(), value) for name, value in result.headers]
    assert 0 < result.seconds < PATIENCE


def test_the_request_is_as_it_should_be(trust: Trust) -> None:
    requests = []

    def answer(stream: Stream) -> None:
        request = head(stream)
        while request.startswith(b"POST") and not request.endswith(b"data"):
            request += stream.recv()  # what is left unread when it closes would reset the connection
        requests.append(request)
        stream.send(response())

    with raw_site(trust, answer) as url:
        _visit(f"{url}a%20b?q=1#fragment", trust, headers={"X-Mine": "yes"})
        _visit(url, trust, method="POST", body=b"data", headers={"User-Agent": "other"})
    first, second = requests
    assert first.startswith(b"GET /a%20b?q=1 HTTP/1.1\r\n")
    assert b"\r\nX-Mine: yes\r\n" in first
    assert b"\r\nuser-agent: glasslock\r\n" in first
    assert b"\r\naccept-encoding: gzip, deflate, br, zstd\r\n" in first
    assert second.startswith(b"POST / HTTP/1.1\r\n")
    assert b": other\r\n" in second


def test_the_story_is_told_from_the_name_to_the_last_byte(trust: Trust) -> None:
    told = TraceRecorder()
    body = gzip.compress(b"a" * 1000)
    with raw_site(trust, saying(response(body, Content_Encoding="gzip"))) as url:
        result = _visit(url, trust, observer=told)
    assert result.content == b"a" * 1000
    kinds = [type(record) for record in told.records]
    order = [NameResolved, TcpConnected, VerdictReached, HandshakeCompleted, HttpRequest, HttpResponse, BodyReceived]
    assert [kind for kind in kinds if kind in order] == order
    request = next(record for record in told.records if isinstance(record, HttpRequest))
    assert (request.method, request.url, request.http_version) == ("GET", url, "1.1")
    answer = next(record for record in told.records if isinstance(record, HttpResponse))
    assert (answer.status, answer.reason) == (200, "OK")
    assert answer.seconds >= 0
    end = next(record for record in told.records if isinstance(record, BodyReceived))
    assert (end.length, end.wire_length) == (1000, len(body))


# --- redirects


def test_redirects_are_followed(trust: Trust) -> None:
    def answer(stream: Stream) -> None:
        target = head(stream).split()[1]
        if target == b"/":
            stream.send(response(status="302 Found", Location="/next"))
        else:
            stream.send(response(b"here"))

    with raw_site(trust, answer) as url:
        result = _visit(url, trust)
        assert (result.url, result.redirects, result.content) == (f"{url}next", (url,), b"here")
        stays = _visit(url, trust, max_redirects=0)
        assert (stays.status, stays.url) == (302, url)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://localhost/", "not-https"),
        ("ftp://localhost/", "not-https"),
        ("https://localhost:port/", "bad-redirect"),
        ("/again", "too-many-redirects"),
    ],
)
def test_redirects_that_are_not_followed(location: str, code: str, trust: Trust) -> None:
    with (
        raw_site(trust, saying(response(status="301 Moved Permanently", Location=location))) as url,
        pytest.raises(HttpFailed) as caught,
    ):
        _visit(url, trust, max_redirects=3)
    assert caught.value.code == code


# --- to a file


def test_to_a_file(trust: Trust, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    body = os.urandom(300_000)
    with raw_site(trust, saying(response(body))) as url:
        result = _visit(url, trust, output=tmp_path / "out", progress=lambda *now: seen.append(now))
    assert (tmp_path / "out").read_bytes() == body
    assert (result.saved_to, result.content, result.length) == (tmp_path / "out", b"", len(body))
    assert seen[-1] == (len(body), len(body))
    assert [count for count, _ in seen] == sorted(count for count, _ in seen)


def test_a_refusal_is_not_saved(trust: Trust, tmp_path: Path) -> None:
    with raw_site(trust, saying(response(b"no such page", status="404 Not Found"))) as url:
        result = _visit(url, trust, output=tmp_path / "out")
    assert (result.status, result.saved_to, result.content) == (404, None, b"no such page")
    assert list(tmp_path.iterdir()) == []


def test_half_a_response_is_not_saved(trust: Trust, tmp_path: Path) -> None:
    whole = response(b"x" * 1000)
    with raw_site(trust, saying(whole[:-1])) as url, pytest.raises(HttpFailed) as caught:
        _visit(url, trust, output=tmp_path / "out")
    assert caught.value.code == "truncated"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_no_file(trust: Trust, tmp_path: Path) -> None:
    going = threading.Event()

    def answer(stream: Stream) -> None:
        head(stream)
        stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            stream.send(bytes(1 << 16))
            going.set()

    program = (
        "import sys; from glasslock.https import visit; from glasslock.trust import TrustStore\n"
        "visit(sys.argv[1], trust_store=TrustStore.from_pem_file(sys.argv[2]), output=sys.argv[3])"
    )
    with raw_site(trust, answer) as url:
        arguments = [sys.executable, "-c", program, url, str(trust.root), str(tmp_path / "out")]
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
            assert going.wait(PATIENCE)
            until = time.monotonic() + PATIENCE
            while not list(tmp_path.iterdir()) and time.monotonic() < until:
                time.sleep(0.01)
            assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in errors
    assert list(tmp_path.iterdir()) == []


# --- what can go wrong, and what it is called


def test_a_certificate_that_is_not_trusted(trust: Trust) -> None:
    told = TraceRecorder()
    with raw_site(trust, saying(response())) as url, pytest.raises(CertificateRefused) as caught:
        visit(url, trust_store=TrustStore.from_certificates([], "nobody"), observer=told)
    assert isinstance(caught.value.evidence, Verdict)
    assert any(isinstance(record, VerdictReached) and not record.padlock for record in told.records)


def test_a_wrong_name(trust: Trust) -> None:
    other = trust.authority.issue(["elsewhere.test"])
    from glasslock.tls import Credential

    credential = Credential.from_pem(other.chain_pem, other.private_key_pem)
    elsewhere = Trust(trust.authority, credential, trust.root, trust.store)
    with raw_site(elsewhere, saying(response())) as url, pytest.raises(CertificateRefused) as caught:
        _visit(url, trust)
    assert caught.value.code == "wrong-name"


def test_an_end_without_close_notify(trust: Trust) -> None:
    """Without a length the end of the connection is the end of the content: only close_notify makes it one."""

    def answer(stream: Stream) -> None:
        head(stream)
        stream.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of")
        stream.socket.close()

    with raw_site(trust, answer) as url, pytest.raises(ConnectionTruncated):
        _visit(url, trust)
    with raw_site(trust, saying(b"HTTP/1.1 200 OK\r\n\r\nall of it")) as url:
        assert _visit(url, trust).content == b"all of it"


def test_a_server_that_answers_nothing(trust: Trust) -> None:
    def answer(stream: Stream) -> None:
        head(stream)
        time.sleep(1)

    with raw_site(trust, answer) as url, pytest.raises(TLSError) as caught:
        _visit(url, trust, timeout=0.3)
    assert caught.value.code == "timeout"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"nonsense\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000, "protocol"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "protocol"),
        (b"", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "content-coding"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnope", "content-coding"),
    ],
)
def test_a_server_that_does_not_speak_http(said: bytes, code: str, trust: Trust) -> None:
    with raw_site(trust, saying(said)) as url, pytest.raises(HttpFailed) as caught:
        _visit(url, trust)
    assert caught.value.code in (code, "truncated")


def test_too_much(trust: Trust) -> None:
    bomb = gzip.compress(bytes(10 << 20))
    with raw_site(trust, saying(response(bomb, Content_Encoding="gzip"))) as url, pytest.raises(HttpFailed) as caught:
        _visit(url, trust, max_length=1 << 20)
    assert caught.value.code == "too-large"


def test_a_server_that_is_not_there(trust: Trust) -> None:
    with raw_site(trust, saying(response())) as url:
        pass
    with pytest.raises(ConnectFailed) as caught:
        _visit(url, trust)
    assert caught.value.code == "refused"


def test_a_plain_server(trust: Trust) -> None:
    import http.server

    class Quiet(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as plain:
        thread = threading.Thread(target=plain.handle_request)
        thread.start()
        with pytest.raises(PeerMisbehaved) as caught:
            _visit(f"localhost:{plain.server_port}", trust)
        thread.join()
    assert caught.value.code in ("plain-http", "not-tls")


def test_hostile_bytes_end_in_errors_of_ours(trust: Trust) -> None:
    """Whatever a server says, nobody sees an exception of a library that they do not know."""
    said = b""

    def answer(stream: Stream) -> None:
        head(stream)
        stream.send(said)

    @given(data=st.binary(max_size=300), begin=st.sampled_from(BEGINNINGS))
    @settings(max_examples=60, deadline=None)
    def hold(data: bytes, begin: bytes) -> None:
        nonlocal said
        said = begin + data
        with contextlib.suppress(HttpFailed):
            _visit(url, trust, max_redirects=0)

    with raw_site(trust, answer) as url:
        hold()


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 50,
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x08\x07\x00" + bytes(12),  # SETTINGS, GOAWAY
        b"\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x01\x04\x00\x00\x00\x01\xff\xff\xff\xff",  # no HPACK
        b"",
    ],
)
def test_a_server_that_does_not_speak_http2(said: bytes, trust: Trust) -> None:
    def answer(stream: Stream) -> None:
        stream.recv()
        stream.send(said)
        stream._channel.close()
        while stream.recv():  # what the client still has to say, else closing resets the connection
            pass

    with raw_site(trust, answer, alpn_protocols=("h2",)) as url, pytest.raises(HttpFailed) as caught:
        _visit(url, trust)
    assert caught.value.code in ("protocol", "truncated")


BEGINNINGS = (
    b"",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
)


# --- URLs


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("example.org", "https://example.org"),
        (" https://example.org/a?b=c ", "https://example.org/a?b=c"),
        ("example.org:8443/x", "https://example.org:8443/x"),
        ("HTTPS://Example.ORG/", "https://example.org/"),
        ("[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_what_people_type(typed: str, meant: str) -> None:
    assert str(parse_url(typed)).rstrip("/") == meant.rstrip("/")


@pytest.mark.parametrize("typed", ["http://example.org", "ftp://example.org", "https://", "https:///x", "https://a:b/"])
def test_what_is_no_url_for_us(typed: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_url(typed)

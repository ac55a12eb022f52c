"""Serving folders and applications."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from glasslock.adapters import TraceRecorder, connect
from glasslock.errors import ConfigurationError, TLSError
from glasslock.https import Site, VisitResult, load_app, serve_async, serving, visit
from glasslock.https.accepting import listen
from glasslock.registry import AlertDescription, Side
from glasslock.tls import ClientConfig, Credential
from glasslock.trace import ConnectionClosed, HandshakeCompleted, HttpRequest, HttpResponse, TcpConnected
from glasslock.trust import ServerCertificateVerifier

from .conftest import PATIENCE, Trust


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    (place / "hello.txt").write_text("hello")
    (place / "a <b> & 'c'.txt").write_text("odd")
    (place / "with index").mkdir()
    (place / "with index" / "index.html").write_text("<title>the index</title>")
    (place / "without").mkdir()
    (place / "without" / "file").write_text("deeper")
    (place / ".git").mkdir()
    (place / ".git" / "config").write_text("secret")
    (place / ".env").write_text("secret")
    (place / ".well-known").mkdir()
    (place / ".well-known" / "security.txt").write_text("Contact: mailto:a@b.test")
    (place / "way out").symlink_to("/etc")
    return place


@pytest.fixture(scope="module")
def site(folder: Path, trust: Trust) -> Iterator[Site]:
    with serving(folder, credentials=[trust.credential]) as site:
        yield site


def _get(site: Site, trust: Trust, path: str = "", **options: Any) -> VisitResult:
    return visit(f"{site.url}{path}", trust_store=trust.store, **{"timeout": PATIENCE} | options)


@pytest.mark.parametrize("http2", [True, False])
def test_a_file(http2: bool, site: Site, trust: Trust) -> None:
    result = _get(site, trust, "hello.txt", http2=http2)
    assert result.content == b"hello"
    assert result.http_version == ("2" if http2 else "1.1")
    headers = {name.lower(): value for name, value in result.headers}
    assert headers["content-type"].startswith("text/plain")
    assert headers["server"] == "glasslock"
    assert "etag" in headers


def test_part_of_a_file(site: Site, trust: Trust) -> None:
    result = _get(site, trust, "hello.txt", headers={"Range": "bytes=1-2"})
    assert (result.status, result.content) == (206, b"el")


def test_an_index(site: Site, trust: Trust) -> None:
    result = _get(site, trust, "with%20index")
    assert b"the index" in result.content
    assert result.url.endswith("/with%20index/")


def test_a_list(site: Site, trust: Trust) -> None:
    page = _get(site, trust).text
    assert 'href="./a%20%3Cb%3E%20%26%20%27c%27.txt"' in page
    assert "a &lt;b&gt; &amp; &#x27;c&#x27;.txt" in page
    assert "<b>" not in page
    assert 'href="./without/"' in page
    assert ".git" not in page
    assert ".env" not in page
    assert _get(site, trust, "a%20%3Cb%3E%20%26%20%27c%27.txt").content == b"odd"


def test_a_list_below(site: Site, trust: Trust) -> None:
    result = _get(site, trust, "without")
    assert result.url == f"{site.url}without/"
    assert 'href="../"' in result.text
    policy = {name.lower(): value for name, value in result.headers}["content-security-policy"]
    assert "default-src 'none'" in policy


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        ".git/config",
        ".env",
        ".git/",
        "without/../.env",
        "%2e%2e/%2e%2e/etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "way%20out/passwd",
        "%00",
        "a" * 5000,
    ],
)
def test_what_is_not_there_for_visitors(path: str, site: Site, trust: Trust) -> None:
    result = _get(site, trust, path)
    assert result.status == 404
    assert b"secret" not in result.content
    assert b"root:" not in result.content


def test_well_known_is_served(site: Site, trust: Trust) -> None:
    assert b"Contact" in _get(site, trust, ".well-known/security.txt").content


def test_only_reading(site: Site, trust: Trust) -> None:
    assert _get(site, trust, "hello.txt", method="DELETE").status == 405
    assert _get(site, trust, "hello.txt", method="HEAD").content == b""


def test_a_large_file(folder: Path, site: Site, trust: Trust, tmp_path: Path) -> None:
    data = os.urandom(5 << 20)
    (folder / "large").write_bytes(data)
    for http2 in (True, False):
        _get(site, trust, "large", http2=http2, output=tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == data


# --- applications


async def echo_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says what was asked."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"yes")]})
    await send({"type": "http.response.body", "body": f"{scope['method']} {scope['path']} ".encode() + body})


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi ", environ["PATH_INFO"].encode()]


def test_an_asgi_application(trust: Trust) -> None:
    with serving(echo_app, credentials=[trust.credential]) as site:
        result = _get(site, trust, "path", method="POST", body=b"data")
    assert result.content == b"POST /path data"
    assert ("x-app", "yes") in result.headers


def test_a_wsgi_application(trust: Trust) -> None:
    with serving(wsgi_app, credentials=[trust.credential]) as site:
        assert _get(site, trust, "there").content == b"wsgi /there"


def test_an_application_by_name(trust: Trust, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "glasslock_test_site.py").write_text(
        "class make:\n"
        "    async def app(scope, receive, send):\n"
        "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "        await send({'type': 'http.response.body', 'body': b'by name'})\n"
    )
    monkeypatch.chdir(tmp_path)
    with serving("glasslock_test_site:make.app", credentials=[trust.credential]) as site:
        assert _get(site, trust).content == b"by name"
    for wrong, why in {
        "glasslock_test_site": "no 'app'",
        "glasslock_test_site:other": "no 'other'",
        "no_such_module:app": "no Python module",
        "no/such/folder": "no folder",
    }.items():
        with pytest.raises(ConfigurationError, match=why):
            load_app(wrong)
    with pytest.raises(ConfigurationError, match="cannot be called"):
        load_app(42)
    (tmp_path / "glasslock_broken_site.py").write_text("import no_such_module_at_all")
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        load_app("glasslock_broken_site:app")


def test_an_application_that_fails_is_the_servers_error(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    async def app(*_: object) -> None:
        raise ZeroDivisionError

    with serving(app, credentials=[trust.credential]) as site:
        assert _get(site, trust).status == 500
        assert _get(site, trust).status == 500
    assert "ZeroDivisionError" in caplog.text


# --- certificates, followers, ends


def test_the_certificate_for_the_name(trust: Trust) -> None:
    other = trust.authority.issue(["other.test"])
    credential = Credential.from_pem(other.chain_pem, other.private_key_pem)
    config = ClientConfig(verifier=ServerCertificateVerifier(trust.store))
    with serving(echo_app, credentials=[trust.credential, credential]) as site:
        for name in ("other.test", "site.test", "localhost"):
            with connect("127.0.0.1", site.port, config, server_name=name) as stream:
                assert stream.agreed.server_name == name
    with pytest.raises(ConfigurationError, match="at least one certificate"), serving(echo_app, credentials=[]):
        pass


@pytest.mark.parametrize("http2", [True, False])
def test_each_connection_has_its_own_follower(http2: bool, trust: Trust) -> None:
    stories: list[tuple[tuple[str, int], TraceRecorder]] = []

    def observer_for(peer: tuple[str, int]) -> TraceRecorder:
        stories.append((peer, TraceRecorder()))
        return stories[-1][1]

    with serving(echo_app, credentials=[trust.credential], observer_for=observer_for) as site:
        for path in ("one", "two"):
            _get(site, trust, path, http2=http2)
    assert len(stories) == 2
    for (peer, story), path in zip(stories, ("one", "two"), strict=True):
        kinds = [type(record) for record in story.records]
        order = [TcpConnected, HandshakeCompleted, HttpRequest, HttpResponse, ConnectionClosed]
        assert [kind for kind in kinds if kind in order] == order
        assert {record.side for record in story.records} == {Side.SERVER}
        first = story.records[0]
        assert isinstance(first, TcpConnected)
        assert first.remote == peer
        request = next(record for record in story.records if isinstance(record, HttpRequest))
        assert request.url == f"{site.url}{path}"
        assert request.http_version == ("2" if http2 else "1.1")


def test_a_follower_of_a_failed_handshake(trust: Trust, caplog: pytest.LogCaptureFixture) -> None:
    story = TraceRecorder()
    with serving(echo_app, credentials=[trust.credential], observer_for=lambda _: story) as site:
        with socket.create_connection(("127.0.0.1", site.port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
            sock.recv(1000)
        until = time.monotonic() + PATIENCE
        while len(story.records) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    assert isinstance(story.records[0], TcpConnected)
    assert any(getattr(record, "code", "") == "http-request" for record in story.records)
    assert caplog.text == ""


def test_engine_settings(trust: Trust) -> None:
    config = ClientConfig(verifier=ServerCertificateVerifier(trust.store), versions=(0x0303,))
    with serving(echo_app, credentials=[trust.credential], engine={"versions": (0x0304,)}) as site:
        with pytest.raises(TLSError):
            connect("localhost", site.port, config)
        assert _get(site, trust).status == 200
    with serving(echo_app, credentials=[trust.credential]) as site:
        assert _get(site, trust, config=config, http2=True).http_version == "2"


def test_engine_settings_that_cannot_be(trust: Trust) -> None:
    """Said at once, not to each visitor."""
    with (
        pytest.raises(ConfigurationError, match="replay_guard"),
        serving(echo_app, credentials=[trust.credential], engine={"max_early_data": 1}),
    ):
        pytest.fail("nothing to serve")


def test_nothing_has_to_be_loaded_for_the_first_visitors(trust: Trust) -> None:
    """As many as there may be files open, at once, would leave none for it."""
    chain, key = trust.root.with_name("chain.pem"), trust.root.with_name("key.pem")
    issued = trust.authority.issue(["localhost"])
    chain.write_bytes(issued.chain_pem)
    key.write_bytes(issued.private_key_pem)
    code = f"""
import socket, sys
from glasslock.https import serving
from glasslock.tls import Credential
def app(scope, receive, send): ...
credential = Credential.from_pem(open({str(chain)!r}, "rb").read(), open({str(key)!r}, "rb").read())
with serving(app, credentials=[credential]) as site:
    before = {{*sys.modules}}
    with socket.create_connection(("127.0.0.1", site.port)) as sock:
        sock.sendall(b"SSH-2.0-OpenSSH_9.9\\r\\n")
        assert sock.recv(100)
    print(*(name for name in {{*sys.modules}} - before if name.startswith("glasslock")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("offered", ["h2", "http/1.1", "http/1.0"])
def test_http_is_spoken(offered: str, site: Site, trust: Trust) -> None:
    config = ClientConfig(verifier=ServerCertificateVerifier(trust.store), alpn_protocols=(offered,))
    with connect("localhost", site.port, config, timeout=PATIENCE) as stream:
        assert stream.connection.agreed.alpn == offered
    with connect("localhost", site.port, replace(config, alpn_protocols=()), timeout=PATIENCE) as stream:
        stream.send(b"GET /hello.txt HTTP/1.0\r\n\r\n")
        assert b"".join(iter(stream.recv, b"")).endswith(b"hello")


def test_who_wants_to_speak_anything_else_is_refused(site: Site, trust: Trust) -> None:
    """RFC 7301 section 3.2: another service's visitor, whom somebody may have sent here."""
    config = ClientConfig(verifier=ServerCertificateVerifier(trust.store), alpn_protocols=("imap",))
    with pytest.raises(TLSError) as told:
        connect("localhost", site.port, config)
    assert told.value.alert == AlertDescription.NO_APPLICATION_PROTOCOL


def test_a_busy_connection_may_finish(trust: Trust) -> None:
    async def slow(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        stop()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.3)
        await send({"type": "http.response.body", "body": b"finished"})

    with serving(slow, credentials=[trust.credential]) as site:
        stop = site.stop
        assert _get(site, trust).content == b"finished"


def test_an_idle_connection_does_not_hold_it_up(trust: Trust) -> None:
    config = ClientConfig(verifier=ServerCertificateVerifier(trust.store))
    began = time.monotonic()
    with serving(echo_app, credentials=[trust.credential], graceful_timeout=0.5) as site:
        stream = connect("localhost", site.port, config)
    stream.close()
    assert time.monotonic() - began < 10


def test_a_port_that_is_taken(trust: Trust) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with (
            pytest.raises(ConfigurationError, match="Is another program using it"),
            serving(echo_app, credentials=[trust.credential], host="127.0.0.1", port=taken.getsockname()[1]),
        ):
            pass
        with pytest.raises(ConfigurationError, match="no such address"):
            listen("no-such-host.invalid", 0)


def test_addresses() -> None:
    for host in ("127.0.0.1", "localhost", ""):
        listeners = listen(host, 0)
        try:
            assert len({listener.getsockname()[1] for listener in listeners}) == 1
        finally:
            for listener in listeners:
                listener.close()


def test_the_url_names_a_host(trust: Trust) -> None:
    with serving(echo_app, credentials=[trust.credential], host="0.0.0.0") as site:
        assert site.url == f"https://localhost:{site.port}/"
        assert _get(site, trust).status == 200


def test_cancelling(trust: Trust) -> None:
    async def go() -> None:
        ready = asyncio.Event()
        serving = serve_async(echo_app, credentials=[trust.credential], port=0, ready=lambda _: ready.set())
        task = asyncio.create_task(serving)
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(go(), PATIENCE))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_in_good_order(number: int, tmp_path: Path) -> None:
    program = (
        "import sys; from glasslock.authority import Authority; from glasslock.https import serve\n"
        "from glasslock.tls import Credential\n"
        "issued = Authority.ephemeral().issue(['localhost'])\n"
        "credential = Credential.from_pem(issued.chain_pem, issued.private_key_pem)\n"
        "serve('.', credentials=[credential], port=0, ready=lambda site: print(site.url, flush=True))\n"
        "print('over')"
    )
    arguments = [sys.executable, "-c", program]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("https://localhost:")
        time.sleep(0.2)
        process.send_signal(number)
        out, errors = process.communicate(timeout=PATIENCE)
    assert (out, errors, process.returncode) == ("over\n", "", 0)

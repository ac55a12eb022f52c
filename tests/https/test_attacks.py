"""Attacks on HTTPS that lie above TLS: second attempts, connections for another name, secrets carried along."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from glasslock.errors import ConfigurationError, ConnectionTruncated
from glasslock.https import serving, visit
from glasslock.registry import Side
from glasslock.tls.wire.extensions import read_client_versions
from glasslock.tls.wire.messages import ClientHello
from glasslock.trace import HandshakeCompleted, TraceRecord

from .conftest import PATIENCE, Trust


def test_after_a_broken_attempt_there_is_no_weaker_one(trust: Trust) -> None:
    """The downgrade dance: browsers came back with TLS 1.0 where somebody had cut the connection."""
    hellos: list[bytes] = []

    def cut() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except TimeoutError:
                return
            with sock:
                sock.settimeout(PATIENCE)
                hellos.append(sock.recv(1 << 16))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(ConnectionTruncated):
            visit(f"https://127.0.0.1:{listener.getsockname()[1]}/", trust_store=trust.store, timeout=PATIENCE)
        thread.join()
    (hello,) = hellos
    assert 0x0304 in read_client_versions(ClientHello.parse(hello[5:]).extensions[43])


@pytest.mark.parametrize("http2", [False, True])
def test_a_connection_serves_the_name_that_it_was_verified_for(http2: bool, trust: Trust) -> None:
    """The certificate is for both names, and both are one address: another name is another connection all the same."""
    requests: list[dict[bytes, bytes]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        requests.append(dict(scope["headers"]))
        first = scope["path"] == "/"
        headers = [(b"location", f"https://127.0.0.1:{site.port}/second".encode())] if first else []
        await send({"type": "http.response.start", "status": 302 if first else 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"there"})

    seen: list[TraceRecord] = []
    with serving(app, credentials=[trust.credential]) as site:
        result = visit(
            f"https://localhost:{site.port}/",
            trust_store=trust.store,
            timeout=PATIENCE,
            http2=http2,
            headers={"authorization": "Bearer secret", "cookie": "id=secret"},
            observer=seen.append,
        )
    assert result.content == b"there"
    handshakes = [one for one in seen if isinstance(one, HandshakeCompleted) and one.side is Side.CLIENT]
    assert [one.alpn for one in handshakes] == ["h2" if http2 else "http/1.1"] * 2
    assert requests[0][b"authorization"] == b"Bearer secret"
    # What was for one name does not go to the other (CVE-2018-1000007).
    assert b"secret" not in b"".join(requests[1].values())


def test_plain_http_is_not_spoken() -> None:
    """SSL stripping (2009): there is no way to ask for it, and none to be led there."""
    for url in ("http://localhost/", "HTTP://localhost", "ftp://localhost/"):
        with pytest.raises(ConfigurationError, match="not encrypted"):
            visit(url)


def test_a_served_folder_is_not_compressed(trust: Trust, tmp_path: Path) -> None:
    """BREACH (2013): the length of a page would depend on whether a guess is in it."""
    (tmp_path / "page.html").write_text("<p>token=secret</p>" * 500)
    with serving(tmp_path, credentials=[trust.credential]) as site:
        result = visit(
            f"{site.url}page.html",
            trust_store=trust.store,
            timeout=PATIENCE,
            headers={"accept-encoding": "gzip, br, zstd"},
        )
    names = {name.lower() for name, _ in result.headers}
    assert "content-encoding" not in names
    assert len(result.content) == 19 * 500

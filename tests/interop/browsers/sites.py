"""What the browsers visit: a page that tells how it came, and from there one site for each thing to try.

The page uploads data to each site, gets them back, compares, and reports. All of it happens before it counts as
loaded, so that a browser that has taken its picture has also reported.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from glasslock.errors import GlasslockError
from glasslock.https import serving
from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion
from glasslock.tls import Credential, ServerConfig, ServerConnection
from glasslock.trace import HandshakeCompleted, MessageReceived, MessageSent, Observer, TraceRecord

from ..ends import End
from ..features.base import END_OF_REQUEST

UPLOAD = 100_000  # bytes

PAGE = """<!doctype html>
<meta charset="utf-8"><title>glasslock</title><link rel="icon" href="data:,">
<style>
body {{ font: 17px system-ui, sans-serif; margin: 2em; }} h1 {{ font-size: 1.5em; }}
td {{ padding: .25em 1.5em .25em 0; }} td:first-child {{ color: #666; }}
</style>
<h1>This page came over glasslock</h1>
<table>{rows}<tr><td>secure context<td id="secure"><tr><td>connections tried<td id="tried"></table>
<script>
const sites = {sites};
const load = (method, url, body) => {{
  const request = new XMLHttpRequest();
  request.open(method, url, false);
  request.send(body);
  return request.responseText;
}};
let upload = "";
while (upload.length < {upload}) upload += Math.random().toString(36).slice(2);
const report = {{ secure: isSecureContext, protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol,
                 loaded: {{}} }};
for (const [name, url, visits] of sites) {{
  try {{
    const good = [];
    for (let visit = 0; visit < visits; visit += 1) {{
      good.push(url.endsWith("echo") ? load("POST", url, upload) === upload : load("GET", url + visit) === "hello");
    }}
    report.loaded[name] = good.every(Boolean) ? "" : "other data than expected";
  }} catch (problem) {{
    report.loaded[name] = String(problem);
  }}
}}
document.getElementById("secure").textContent = report.secure ? "yes" : "no";
document.getElementById("tried").textContent =
  Object.values(report.loaded).filter((problem) => !problem).length + " of " + sites.length + " went well";
load("POST", "/report", JSON.stringify(report));
</script>
"""

HELLO = (
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nAccess-Control-Allow-Origin: *\r\n"
    "Connection: {connection}\r\nContent-Length: 5\r\n\r\nhello"
)

Send = Callable[[Mapping[str, Any]], Awaitable[None]]


@dataclass
class Seen:
    """What our side has seen of the connections to one site."""

    handshakes: list[HandshakeCompleted] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # the kinds of handshake messages
    received: list[int] = field(default_factory=list)

    def observer_for(self, peer: tuple[str, int]) -> Observer:
        """For `serving`, which asks once for each connection."""
        return self.take

    def take(self, record: TraceRecord) -> None:
        if isinstance(record, HandshakeCompleted):
            self.handshakes.append(record)
        elif isinstance(record, MessageSent):
            self.sent.append(record.raw[0])
        elif isinstance(record, MessageReceived):
            self.received.append(record.raw[0])


@dataclass
class FrontPage:
    """The page that a browser is sent to; `report` is what its script says."""

    sites: list[tuple[str, str, int]]
    seen: Seen = field(default_factory=Seen)
    report: dict[str, Any] = field(default_factory=dict)

    async def __call__(self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _body(receive)
        if scope["path"] == "/report":
            self.report = json.loads(body)
            await _reply(send, b"", "text/plain")
        else:
            await _reply(send, self._page(scope["http_version"]), "text/html")

    def _page(self, http_version: str) -> bytes:
        done = self.seen.handshakes[-1]
        rows = {
            "version": ProtocolVersion(done.version).name.replace("_", " ", 1).replace("_", "."),
            "key exchange": NamedGroup(done.group).name if done.group is not None else "",
            "cipher suite": CipherSuite(done.cipher_suite).name,
            "protocol": f"HTTP/{http_version}",
        }
        table = "".join(f"<tr><td>{name}<td>{value}" for name, value in rows.items())
        return PAGE.format(rows=table, sites=json.dumps(self.sites), upload=UPLOAD).encode()


async def echo(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]], send: Send) -> None:
    """Sends back what it got, to pages from anywhere."""
    if scope["type"] == "http":
        await _reply(send, await _body(receive), "text/plain")


async def _body(receive: Callable[[], Awaitable[Any]]) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _reply(send: Send, body: bytes, kind: str) -> None:
    headers = {"content-type": kind, "content-length": str(len(body)), "access-control-allow-origin": "*"}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def echo_site(credential: Credential, engine: dict[str, Any], seen: Seen) -> Iterator[str]:
    """An echoing site over HTTP/2; yields its URL."""
    with serving(echo, credentials=[credential], engine=engine, observer_for=seen.observer_for) as site:
        yield f"{site.url}echo"


@contextlib.contextmanager
def small_site(credential: Credential, engine: dict[str, Any], seen: Seen, *, new_keys: bool = False) -> Iterator[str]:
    """A site over HTTP/1.1 that ends each connection after one answer, so that the next one resumes.

    With `new_keys`, it answers twice, and changes the keys of both sides before the first answer.
    """
    config = ServerConfig(credentials=(credential,), alpn_protocols=("http/1.1",), observer=seen.take, **engine)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_accept, args=(listener, config, new_keys), daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def _accept(listener: socket.socket, config: ServerConfig, new_keys: bool) -> None:
    while True:
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        # A browser opens connections in reserve: none of them may hold up the others.
        threading.Thread(target=_answer, args=(sock, config, new_keys), daemon=True).start()


def _answer(sock: socket.socket, config: ServerConfig, new_keys: bool) -> None:
    with contextlib.suppress(OSError, GlasslockError), End(ServerConnection(config), sock, []) as end:
        end.handshake()
        for connection in ("keep-alive", "close") if new_keys else ("close",):
            end.pump_until(lambda: end.data.endswith(END_OF_REQUEST))
            if not end.data:
                break
            if connection == "keep-alive":
                end.update_keys()
            end.data.clear()
            end.send(HELLO.format(connection=connection).encode())
        end.finish()

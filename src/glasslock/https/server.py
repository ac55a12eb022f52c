"""Serve a folder or an application over HTTPS: hypercorn's HTTP/1.1 and HTTP/2 over our TLS.

hypercorn takes its sockets and its `ssl` context from a config object; ours hands it the listening sockets of
`accepting` and a context of `glasslock.adapters`. Nothing else of it is touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, cast

import hypercorn
import hypercorn.asyncio
from hypercorn.config import Sockets

from ..adapters import SSLContext
from ..errors import ConfigurationError, TLSError
from ..tcp import observe_accepted
from ..tls import Connection, Credential, ServerConfig, ServerConnection
from ..trace import Observer
from .accepting import ACCEPTED, NO_ROOM, AcceptedSocket, Listener, listen
from .loading import load_app
from .telling import App, Message, Receive, Scope, Send, Telling

# Given the peer's address, asked once per connection; None: nobody follows this one.
ObserverFor = Callable[[tuple[str, int]], Observer | None]

DEFAULT_HANDSHAKE_TIMEOUT = 15.0  # seconds
WARN_AGAIN = 60.0  # seconds
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site that is being served. `url` has the first of its names that a visitor can use."""

    url: str
    host: str
    port: int
    addresses: tuple[tuple[str, int], ...]
    _stop: Callable[[], None] = field(repr=False)

    def stop(self) -> None:
        """Stops in good order: no new connections, those that are busy have a few seconds to finish."""
        self._stop()


async def serve_async(
    app: Any,
    *,
    credentials: Sequence[Credential],
    host: str = "localhost",
    port: int = 8443,
    observer_for: ObserverFor | None = None,
    engine: dict[str, Any] | None = None,
    ready: Callable[[Site], None] | None = None,
    graceful_timeout: float = 3.0,
    handshake_timeout: float = DEFAULT_HANDSHAKE_TIMEOUT,
    shared: bool = False,
) -> None:
    """Serves until the site is stopped or the task is cancelled.

    `app` is what `load_app` takes: a folder, `module:app`, or an application. `credentials`: the one that covers
    the name which a visitor asks for is shown, else the first. `engine` has more fields of `ServerConfig`.
    `ready` is called with the site once it can be visited. `shared`: other processes serve the same port (see
    `serve_workers`). Times in seconds. ConfigurationError if `app`, `host`, `port` or `engine` cannot be.
    """
    application = load_app(app)
    context = server_context(credentials, observer_for, engine)
    listeners = listen(host, port, shared=shared)
    try:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        config = _Config(context, listeners)
        config.graceful_timeout = graceful_timeout
        config.ssl_handshake_timeout = handshake_timeout
        if ready is not None:
            ready(_site(host, listeners, functools.partial(_set_from_anywhere, loop, stop)))
        # SSLError: of a connection that fails while hypercorn waits for the last ones
        with _passing_over_peers(loop), contextlib.suppress(ssl.SSLError):
            await hypercorn.asyncio.serve(
                cast(Any, _undisturbed(Telling(application))), config, shutdown_trigger=stop.wait, mode="asgi"
            )
    finally:
        for listener in listeners:
            listener.close()


def _undisturbed(app: App) -> App:
    """Keeps a peer's mistake out of an application that is answering: hypercorn would log it as a failure of the app.

    The application hears of it as of every connection that ends: `receive` says `http.disconnect`.
    """

    async def undisturbed(scope: Scope, receive: Receive, send: Send) -> None:
        gone = False

        async def send_if_anyone_is_there(message: Message) -> None:
            nonlocal gone
            if not gone:
                try:
                    await send(message)
                except ssl.SSLError:
                    gone = True

        await app(scope, receive, send_if_anyone_is_there)

    return undisturbed


@contextlib.contextmanager
def _passing_over_peers(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """hypercorn lets a peer's mistake escape while it closes; whoever follows the connection knows of it already.

    And too many peers are no failure of the program either: they have to wait.
    """
    before = loop.get_exception_handler()
    warned = -math.inf

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal warned
        problem = context.get("exception")
        if isinstance(problem, ssl.SSLError):
            return
        if isinstance(problem, OSError) and problem.errno in NO_ROOM:
            if loop.time() > warned + WARN_AGAIN:
                warned = loop.time()
                _log.warning(
                    "no room for another connection (%s): visitors wait until others leave. "
                    "More files may be open after `ulimit -n`, or with more workers.",
                    problem.strerror,
                )
            return
        if before is not None:
            before(loop, context)
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


def _set_from_anywhere(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: it has stopped already
        loop.call_soon_threadsafe(event.set)


def serve(app: Any, *, ready: Callable[[Site], None] | None = None, **options: Any) -> None:
    """`serve_async`, until Ctrl-C or SIGTERM."""

    async def until_signal() -> None:
        import signal

        loop = asyncio.get_running_loop()

        def begin(site: Site) -> None:
            for number in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError, RuntimeError):
                    loop.add_signal_handler(number, site.stop)
            if ready is not None:
                ready(site)

        await serve_async(app, ready=begin, **options)

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_signal())


@contextlib.contextmanager
def serving(app: Any, *, port: int = 0, **options: Any) -> Iterator[Site]:
    """`serve_async` in a thread of its own, for as long as the block runs; port 0 picks a free one."""
    started = threading.Event()
    sites: list[Site] = []
    problems: list[BaseException] = []

    def begin(site: Site) -> None:
        sites.append(site)
        started.set()

    def run() -> None:
        try:
            asyncio.run(serve_async(app, port=port, ready=begin, **options))
        except BaseException as problem:  # noqa: BLE001 - handed to the thread that waits
            problems.append(problem)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="glasslock-serving", daemon=True)
    thread.start()
    started.wait()
    try:
        if sites:
            yield sites[0]
    finally:
        if sites:
            sites[0].stop()
        thread.join()
    if problems:
        raise problems[0]


def server_context(
    credentials: Sequence[Credential], observer_for: ObserverFor | None, engine: dict[str, Any] | None
) -> SSLContext:
    """The context of a site: HTTP and nothing else, these certificates, a follower for each connection."""
    if not credentials:
        raise ConfigurationError("a site needs at least one certificate with its key")
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1", "http/1.0"])
    settings = context.glasslock
    settings.credentials = {str(number): credential for number, credential in enumerate(credentials)}
    # A visitor to whom none of these will do wants another service than this one (RFC 7301 section 3.2).
    settings.engine |= {"require_common_protocol": True} | (engine or {})
    # Loads what an answer takes before anybody asks: with many visitors there may be no file left to open.
    ServerConnection(ServerConfig(**{"credentials": tuple(credentials)} | settings.engine))
    # A visitor who keeps an idle connection open must not hold up the end of the server.
    settings.await_close_notify = False
    settings.observer_for = _accompany(observer_for or (lambda _: None))
    return context


def _accompany(observer_for: ObserverFor) -> Callable[[Any], Observer | None]:
    """At the beginning of a connection: its socket learns whose last words to say, its story starts with step 1."""

    def begin(owner: Any) -> Observer | None:
        accepted = ACCEPTED.get()
        if accepted is None:  # an event loop that accepts in its own way: there is no peer to name
            return observer_for(("", 0))
        engine = owner._sslobj  # noqa: SLF001 (how a facade of `ssl` calls it)
        accepted.connection.last_words = functools.partial(_end, engine, time.monotonic())
        accepted.observer = observer_for(accepted.peer)
        if accepted.observer is not None:
            observe_accepted(accepted.connection, accepted.observer)
        return accepted.observer

    return begin


def _end(engine: Any, began: float, sock: AcceptedSocket) -> bytes:
    """What is left to say when the socket is closed. asyncio does not tell its TLS that a handshake ended halfway."""
    connection: Connection | None = engine.connection
    if connection is not None and not connection.handshake_done:
        if sock.peer_is_there:
            seconds = time.monotonic() - began
            connection.abort(TLSError(None, "timeout", f"the handshake was not done after {seconds:.1f} seconds"))
        else:
            with contextlib.suppress(TLSError):
                connection.receive_eof()
    return cast(bytes, engine.last_words)


class _Config(hypercorn.Config):
    """hypercorn's config with our sockets and our context in it."""

    def __init__(self, context: SSLContext, listeners: list[Listener]) -> None:
        self._context = context
        self._listeners = listeners
        self.errorlog = _log

    @property
    def ssl_enabled(self) -> bool:
        return True

    def create_ssl_context(self) -> ssl.SSLContext:
        return self._context

    def create_sockets(self) -> Sockets:
        return Sockets(secure_sockets=list(self._listeners), insecure_sockets=[], quic_sockets=[])

    def response_headers(self, protocol: str) -> list[tuple[bytes, bytes]]:  # noqa: ARG002
        return [(b"date", formatdate(usegmt=True).encode("ascii")), (b"server", b"glasslock")]


def _site(host: str, listeners: list[Listener], stop: Callable[[], Any]) -> Site:
    addresses = tuple((name[0], name[1]) for name in (listener.getsockname() for listener in listeners))
    port = addresses[0][1]
    named = "localhost" if host in ("", "0.0.0.0", "::") else host  # noqa: S104 - to name it, not to bind it
    bracketed = f"[{named}]" if ":" in named else named
    url = f"https://{bracketed}/" if port == 443 else f"https://{bracketed}:{port}/"
    return Site(url=url, host=named, port=port, addresses=addresses, _stop=stop)

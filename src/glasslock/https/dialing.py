"""Where httpcore meets our connections: a network backend that dials and speaks TLS the glasslock way.

httpcore knows HTTP and leaves bytes to a backend. Ours dials with `glasslock.tcp`, so that step 1 is told, and
hands TLS to `glasslock.adapters.Stream`, so that errors arrive as what they are, with their evidence.
"""

from __future__ import annotations

import dataclasses
import selectors
from collections.abc import Iterable
from typing import Any

import httpcore

from ..adapters.blocking import Stream
from ..errors import ConfigurationError
from ..tcp import dial
from ..tls import ClientConfig, ClientConnection


class NoContext:
    """httpcore insists on an `ssl` context, and tells it its protocols; ours are in the config already."""

    def set_alpn_protocols(self, protocols: list[str]) -> None:
        """Does nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How to get to a site, where its URL does not say it all.

    `connect_to` is the host and port to dial in place of the URL's, which TLS and HTTP go on to name;
    `ech_configs` the site's ECHConfigList; `dial_timeout` in seconds, for name and address together.
    """

    connect_to: tuple[str, int] | None = None
    ech_configs: bytes = b""
    dial_timeout: float = 15.0


class Backend(httpcore.NetworkBackend):
    """Makes connections for one config."""

    def __init__(self, config: ClientConfig, route: Route) -> None:
        self._config = config
        self._route = route

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - nobody sets any
    ) -> httpcore.NetworkStream:
        """Dials; ConnectFailed if there is nobody."""
        host, port = self._route.connect_to or (host, port)
        patience = timeout or self._route.dial_timeout
        sock = dial(host, port, timeout=patience, source=local_address, observer=self._config.observer)
        return Dialled(sock, self._config, self._route.ech_configs)


class Dialled(httpcore.NetworkStream):
    """A TCP connection on which nothing was said yet; all that it is good for is to start TLS."""

    def __init__(self, sock: Any, config: ClientConfig, ech_configs: bytes = b"") -> None:
        self._socket = sock
        self._config = config
        self._ech_configs = ech_configs

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Never: nothing is read before TLS."""
        raise ConfigurationError("this client speaks HTTP over TLS only")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Never: nothing is sent before TLS."""
        raise ConfigurationError("this client speaks HTTP over TLS only")

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self,
        ssl_context: Any,  # noqa: ARG002 - ours is in the config
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Shakes hands; TLSError if that fails."""
        connection = ClientConnection(self._config, server_hostname, ech_configs=self._ech_configs)
        stream = Stream(self._socket, connection, timeout=timeout)
        try:
            stream.handshake()
        except BaseException:
            stream.close()
            raise
        return Encrypted(stream)


class Encrypted(httpcore.NetworkStream):
    """What HTTP is spoken over."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """At most `max_bytes`; b"" once the peer has closed in due form."""
        self.stream.timeout = timeout
        return self.stream.recv(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.timeout = timeout
        self.stream.send(buffer)

    def close(self) -> None:
        self.stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks: `ssl_object` for the protocol that was chosen, `is_readable` before reuse."""
        if info == "ssl_object":
            return self
        if info == "socket":
            return self.stream.socket
        if info == "is_readable":
            return _is_readable(self.stream.socket)
        return None

    def selected_alpn_protocol(self) -> str | None:
        """As `ssl_object`: `h2`, `http/1.1` or None."""
        return self.stream.agreed.alpn


def _is_readable(sock: Any) -> bool:
    """Whether the peer has said something on an idle connection: it is most likely closing it."""
    if sock.fileno() < 0:
        return True
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0))


def with_protocols(config: ClientConfig, *, http2: bool) -> ClientConfig:
    """The config, offering HTTP/2 (if wanted) and HTTP/1.1 by ALPN."""
    protocols = ("h2", "http/1.1") if http2 else ("http/1.1",)
    return dataclasses.replace(config, alpn_protocols=protocols)

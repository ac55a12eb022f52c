"""A TLS socket over anything that behaves like a socket: gevent's, another TLS socket, an object with its methods.

`ssl.SSLSocket` takes a socket's file descriptor over, and whatever else the socket was is lost: a TLS socket that
is to carry another one, or one that cooperates with an event loop. This one leaves the given object as it is and
does everything through its methods. It is still an `ssl.SSLSocket` to all who ask.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any

# The classes as they are now: gevent, for one, puts others in their place later on.
_SOCKET, _SSL_SOCKET = socket.socket, ssl.SSLSocket


def is_plain(sock: object) -> bool:
    """Whether the socket is nothing but its file descriptor, so that `ssl.SSLSocket` can take that over."""
    return isinstance(sock, _SOCKET) and not isinstance(sock, _SSL_SOCKET)


class WrappedSocket(ssl.SSLSocket):
    """Made by `SSLContext.wrap_socket`. `inner` is what it wraps; the C socket in this one is never opened."""

    inner: Any
    _io_refs: int
    _closed: bool
    do_handshake_on_connect: bool
    suppress_ragged_eofs: bool
    _context: ssl.SSLContext
    _session: Any
    _sslobj: Any
    _connected: bool

    @classmethod
    def wrap(
        cls,
        inner: Any,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        do_handshake_on_connect: bool,
        suppress_ragged_eofs: bool,
        server_hostname: str | bytes | None,
        session: Any,
    ) -> WrappedSocket:
        """What `ssl.SSLSocket._create` does, but for taking over the file descriptor."""
        if inner.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) != socket.SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        if server_side and server_hostname:
            raise ValueError("server_hostname can only be specified in client mode")
        if server_side and session is not None:
            raise ValueError("session can only be specified in client mode")
        if context.check_hostname and not server_hostname:
            raise ValueError("check_hostname requires server_hostname")
        self = cls.__new__(cls)
        self._io_refs = 0
        self._closed = False
        self.inner = inner
        self._context = context
        self._session = session
        self._sslobj = None
        self.server_side = server_side
        self.server_hostname = context._encode_hostname(server_hostname)  # type: ignore[attr-defined] # noqa: SLF001
        self.do_handshake_on_connect = do_handshake_on_connect
        self.suppress_ragged_eofs = suppress_ragged_eofs
        self._connected = _is_connected(inner)
        if self._connected:
            try:
                self._begin()
            except (OSError, ValueError):
                self.close()
                raise
        return self

    def _begin(self) -> None:
        if self.do_handshake_on_connect and self.gettimeout() == 0.0:
            raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
        self._attach()
        if self.do_handshake_on_connect:
            self.do_handshake()

    def _attach(self) -> None:
        self._sslobj = self._context._wrap_socket(  # type: ignore[attr-defined] # noqa: SLF001
            self, self.server_side, self.server_hostname, owner=self, session=self._session
        )

    def _real_connect(self, address: Any, connect_ex: bool) -> Any:
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._connected or self._sslobj is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")
        self._attach()
        try:
            result = self.inner.connect_ex(address) if connect_ex else self.inner.connect(address)
            if not result:
                self._connected = True
                if self.do_handshake_on_connect:
                    self.do_handshake()
        except (OSError, ValueError):
            self._sslobj = None
            raise
        return result

    def accept(self) -> tuple[ssl.SSLSocket, Any]:
        """Accepts a connection and wraps it in the same context."""
        accepted, address = self.inner.accept()
        wrapped = self._context.wrap_socket(
            accepted,
            server_side=True,
            do_handshake_on_connect=self.do_handshake_on_connect,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
        )
        return wrapped, address

    # --- the socket below

    def shutdown(self, how: int) -> None:
        self._sslobj = None
        self.inner.shutdown(how)

    def _real_close(self) -> None:
        self._sslobj = None
        self.inner.close()

    def detach(self) -> int:
        self._closed = True
        return int(self.inner.detach())

    def fileno(self) -> int:
        return int(self.inner.fileno())

    def gettimeout(self) -> float | None:
        timeout: float | None = self.inner.gettimeout()
        return timeout

    def settimeout(self, value: float | None) -> None:
        self.inner.settimeout(value)

    def getblocking(self) -> bool:
        return self.gettimeout() != 0.0

    def setblocking(self, flag: bool) -> None:
        self.inner.setblocking(flag)

    def getpeername(self) -> Any:
        return self.inner.getpeername()

    def getsockname(self) -> Any:
        return self.inner.getsockname()

    def getsockopt(self, *arguments: Any) -> Any:
        return self.inner.getsockopt(*arguments)

    def setsockopt(self, *arguments: Any) -> None:
        self.inner.setsockopt(*arguments)

    def bind(self, address: Any) -> None:
        self.inner.bind(address)

    def listen(self, *backlog: int) -> None:
        self.inner.listen(*backlog)

    def get_inheritable(self) -> bool:
        return bool(self.inner.get_inheritable())

    def set_inheritable(self, inheritable: bool) -> None:
        self.inner.set_inheritable(inheritable)

    @property
    def family(self) -> Any:
        return self.inner.family

    @property
    def type(self) -> Any:
        return self.inner.type

    @property
    def proto(self) -> Any:
        return self.inner.proto

    @property
    def timeout(self) -> float | None:
        return self.gettimeout()


def _is_connected(inner: Any) -> bool:
    try:
        inner.getpeername()
    except OSError:
        return False
    return True

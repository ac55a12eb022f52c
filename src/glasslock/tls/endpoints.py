"""The two ends of a TLS connection, without a socket: bytes in, bytes out.

connection = ClientConnection(config, "example.org")
socket.sendall(connection.data_to_send())
while not connection.handshake_done:
    connection.receive_data(socket.recv(65536))
    socket.sendall(connection.data_to_send())
socket.sendall(connection.encrypt(b"GET / HTTP/1.0\\r\\n\\r\\n"))
while received := socket.recv(65536):
    print(connection.decrypt(received))
connection.receive_eof()
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from .. import trace
from ..errors import ConfigurationError
from ..registry import Side
from .config import ClientConfig, ServerConfig
from .connection import Connection
from .handshake.context import HandshakeScript
from .handshake.post_handshake import request_client_certificate
from .protection import APPLICATION_DATA
from .session import Session

# A server never loads the client's handshake, nor a client the server's.


@cache
def _client_handshake() -> Callable[..., HandshakeScript]:
    from .handshake.client import client_handshake

    return client_handshake


@cache
def _server_handshake() -> Callable[..., HandshakeScript]:
    from .handshake.server import server_handshake

    return server_handshake


class ClientConnection(Connection):
    """The side that opens the connection. `server_name` goes into server_name and is what the certificate must cover.

    `session` is offered for resumption; with `early_data`, `send_early_data` works at once if the session allows it.
    `ech_configs` is the ECHConfigList of this server, as its HTTPS record in the DNS has it: with that the hello is
    encrypted, and `receive_data` raises ECHRejected if the server could not read it (RFC 9849).
    """

    __slots__ = ()

    def __init__(
        self,
        config: ClientConfig,
        server_name: str | None,
        *,
        session: Session | None = None,
        early_data: bool = False,
        ech_configs: bytes = b"",
    ) -> None:
        super().__init__(config, Side.CLIENT)
        self._hs.agreed.server_name = server_name
        configs = None
        if ech_configs:
            from .ech.config import read_config_list

            configs = read_config_list(ech_configs)
        self._start(_client_handshake()(self._hs, config, session, early_data, configs))

    @property
    def early_data_room(self) -> int:
        """How many bytes of 0-RTT data may still be sent; 0 once the server has answered."""
        return self._hs.early_data_writable

    def send_early_data(self, data: bytes) -> int:
        """Sends as much as still has room as 0-RTT data, which an attacker can replay; returns how much that was."""
        count = min(len(data), self._hs.early_data_writable)
        if count and self._has_room(data):  # there is no KeyUpdate for early data (RFC 9846 section 5.5)
            self._hs.early_data_writable -= count
            if self._hs.observer is not None:
                self._hs.tell(trace.DataSent(time=self._hs.now(), side=self._side, data=data[:count]))
            self._writer.write(APPLICATION_DATA, data[:count])
            return count
        return 0


class ServerConnection(Connection):
    """The side that answers."""

    __slots__ = ("_server_config",)

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(config, Side.SERVER)
        self._server_config = config
        self._start(_server_handshake()(self._hs, config))

    @property
    def may_request_client_certificate(self) -> bool:
        """Whether the client offered to be asked after the handshake (post_handshake_auth), and that is done."""
        return self._hs.final_transcript is not None

    def request_client_certificate(self) -> None:
        """Asks the client who it is, after the handshake (RFC 9846 section 4.7.2).

        `ClientAuthenticated` or `CertificateDeclined` tells the answer. ConfigurationError if it cannot be asked.
        """
        if self._failure is not None:
            raise self._failure
        if self._sent_close:
            raise ConfigurationError("nothing can be sent after close")
        request_client_certificate(self._hs, self._server_config)

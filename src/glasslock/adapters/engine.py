"""What `ssl.SSLObject` and `ssl.SSLSocket` find behind `_sslobj`: our engine in the shape of `_ssl._SSLSocket`.

Both are thin facades of the standard library over such an object; so with this one behind them they are real
in every way that other code looks at, and yet every byte on the wire is ours.
"""

from __future__ import annotations

import dataclasses
import hashlib
import ssl
import sys
import threading
import types
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from cryptography import x509

from ..errors import ConnectionTruncated, GlasslockError, NegotiationFailed, TLSError
from ..registry import AlertDescription, ProtocolVersion
from ..tls import ClientConnection, Connection, Credential, ServerConfig, ServerConnection, Session
from ..tls.config import ClientHelloInfo
from ..tls.handshake.choices import from_config
from ..trace import PathTried, TraceRecord
from . import names
from .blocking import both
from .channel import Channel, Transport, WantRead, WantWrite
from .failures import forget_frames, refused, ssl_error, want_read, want_write
from .peercert import PeerCertificate, decode
from .recorder import TraceRecorder
from .settings import Settings, client_config, server_config
from .transports import BorrowedSocket, BufferTransport


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class EngineSession:
    """What `ssl.SSLSession` is to OpenSSL: to be handed to a later connection as its `session`."""

    session: Session = dataclasses.field(repr=False)
    context: ssl.SSLContext | None = dataclasses.field(default=None, repr=False, compare=False)  # that it came from

    @property
    def id(self) -> bytes:
        """What tells it from others. In TLS 1.2 a resumption may bring a new ticket, and goes on with the session."""
        session = self.session
        if session.version == ProtocolVersion.TLS_1_2:
            return session.session_id or hashlib.sha256(b"session id" + session.psk).digest()
        return hashlib.sha256(session.ticket).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EngineSession) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def time(self) -> int:
        """When it was made, in seconds since the epoch."""
        return int(self.session.issued_at)

    @property
    def timeout(self) -> int:
        """How long it is good for, in seconds."""
        return self.session.lifetime

    @property
    def ticket_lifetime_hint(self) -> int:
        return self.session.lifetime

    @property
    def has_ticket(self) -> bool:
        return bool(self.session.ticket)


class Engine:
    """One connection, over the two buffers of an event loop or over a socket.

    The connection begins with the first operation, so that until then its context, session and name can be set.
    References to the owner are weak: the owner holds the engine, and nothing holds the owner but its user.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        settings: Settings,
        transport: Transport,
        *,
        server_side: bool,
        server_hostname: str | None,
        owner: object | None = None,
        session: EngineSession | None = None,
    ) -> None:
        self._context = context
        self._settings = settings
        self._transport = transport
        self._owner = weakref.ref(owner) if owner is not None else None
        self._beginning = threading.Lock()
        self._channel: Channel | None = None
        self._server_config: ServerConfig | None = None
        self._offered: tuple[int, ...] = ()
        self._sni_called = False
        self._recorder = TraceRecorder() if settings.keep_trace else None
        self._session: EngineSession | None = None
        self._written = 0  # bytes of a write that was cut short: the next one goes on behind them
        # The alert of a connection that failed: asyncio closes without sending it, so whoever has the socket may do so.
        self.last_words = b""
        self.server_side = bool(server_side)
        self.server_hostname = _checked_hostname(server_hostname)
        if session is not None:
            self.session = session

    def __del__(self) -> None:
        """The owner lets go of its engine right before it closes the socket. A client may do that without having read
        the server's tickets; then the system would reset the connection, and what was sent last could be lost
        (RFC 9293 section 3.10.4).
        """
        channel: Channel | None = getattr(self, "_channel", None)
        if channel is None or channel.closed or not isinstance(self._transport, BorrowedSocket):
            return
        if channel.connection.tickets_expected:
            self._transport.discard()

    # --- operations: whatever goes wrong leaves them as `ssl` would raise it, for event loops wait for nothing else

    def do_handshake(self) -> None:
        """Agrees on keys; does nothing if that is done."""
        try:
            channel = self._begin()
            done = channel.connection.handshake_done
            channel.handshake()
            if not done:
                self._after_handshake(channel.connection)
        except Exception as error:
            self._translate(error, "handshake")
            raise

    def read(self, length: int = 1024, buffer: Any = None) -> bytes | int:
        """At most `length` decrypted bytes, or how many were put into `buffer`; none once the peer has closed."""
        if buffer is None:
            if length < 0:
                raise ValueError("size should not be negative")
            return self._read(length)
        with memoryview(buffer) as view, view.cast("B") as room:
            if room.readonly:
                raise TypeError("read-write bytes-like object expected")
            with room[:length] if 0 < length < len(room) else room as wanted:
                return self._read_into(wanted)

    def write(self, data: Any) -> int:
        """Encrypts bytes and returns how many: all of them, unless the socket does not block."""
        with memoryview(data) as view, view.cast("B") as flat:
            return self._write(flat)

    def _read(self, length: int) -> bytes:
        try:
            channel = self._channel or self._begin()
            data = channel.read(length)
            if not data and length:
                _refuse_if_both_closed(channel)
            return data
        except Exception as error:
            if self._is_ragged_end(error):
                return b""
            self._translate(error, "read")
            raise

    def _read_into(self, room: memoryview) -> int:
        try:
            channel = self._channel or self._begin()
            count = channel.read_into(room)
            if not count and room:
                _refuse_if_both_closed(channel)
            return count
        except Exception as error:
            if self._is_ragged_end(error):
                return 0
            self._translate(error, "read")
            raise

    def _is_ragged_end(self, error: Exception) -> bool:
        """Whether this is an end without close_notify that the context's options let pass for one with it."""
        if not isinstance(error, ConnectionTruncated) or self._channel is None:
            return False
        forget_frames(error)
        return self._channel.connection.handshake_done and bool(self._context.options & _IGNORE_UNEXPECTED_EOF)

    def _write(self, data: memoryview) -> int:
        """As OpenSSL does: where it may block, all of it. After a timeout the same data goes on where it was."""
        written, self._written = self._written, 0
        try:
            channel = self._channel or self._begin()
            written += _write_rest(channel, data, written)
            while written < len(data) and self._transport.timeout() != 0:
                written += _write_rest(channel, data, written)
            return written
        except Exception as error:
            if isinstance(error, (TimeoutError, WantWrite)):
                self._written = written
            self._translate(error, "write")
            raise

    def shutdown(self) -> Any:
        """Says close_notify and, if so set, waits for the peer's; returns the socket, if there is one."""
        try:
            if self._channel is not None:
                if self._settings.await_close_notify:
                    self._channel.shutdown()
                else:
                    self._channel.close()
            return self._transport.socket if isinstance(self._transport, BorrowedSocket) else None
        except Exception as error:
            self._translate(error, "shutdown")
            raise

    def verify_client_post_handshake(self) -> None:
        """Asks the client for its certificate now (TLS 1.3)."""
        try:
            self._ask_for_certificate(self._begin())
        except Exception as error:
            self._translate(error, "handshake")
            raise

    def _ask_for_certificate(self, channel: Channel) -> None:
        connection = channel.connection
        if not isinstance(connection, ServerConnection):
            raise refused("NOT_SERVER", "only a server asks for a client's certificate")
        if connection.agreed.version == ProtocolVersion.TLS_1_2:
            raise refused("WRONG_SSL_VERSION", "TLS 1.2 asks for a client's certificate in its handshake or not at all")
        if connection.handshake_done and not connection.may_request_client_certificate:
            raise refused("EXTENSION_NOT_RECEIVED", "the client did not offer post_handshake_auth, or used a key alone")
        channel.request_client_certificate()

    def _translate(self, error: Exception, operation: str) -> None:
        """Raises what `ssl` would; returns if the error is one of the socket's own, or right already."""
        if isinstance(error, WantRead):
            raise want_read() from None
        if isinstance(error, WantWrite):
            raise want_write() from None
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"The {operation} operation timed out") from None
        if isinstance(error, OSError):
            return
        if isinstance(error, GlasslockError):
            forget_frames(error)
        else:
            self.abandon(error)
        if isinstance(self._transport, BufferTransport):
            self.last_words = self._transport.unsent()
        raise ssl_error(error) from error

    def pending(self) -> int:
        """Decrypted bytes that can be read at once."""
        return self._channel.inbox.pending if self._channel is not None else 0

    def abandon(self, error: Exception) -> None:
        """Ends the connection over a mistake of our own, so that nobody waits for it."""
        if self._channel is not None:
            internal = TLSError(AlertDescription.INTERNAL_ERROR, "internal", f"internal error: {error!r}")
            self._channel.abort(internal)

    # --- what was agreed

    @property
    def connection(self) -> Connection | None:
        """The engine's connection; None before the first operation."""
        return self._channel.connection if self._channel is not None else None

    @property
    def trace(self) -> Sequence[TraceRecord]:
        """What happened on this connection, if the context's `keep_trace` is set."""
        return tuple(self._recorder.records) if self._recorder is not None else ()

    def getpeercert(self, binary_form: bool = False) -> dict[str, Any] | bytes | None:
        """The peer's certificate as DER or, if it was verified, as a dict; {} if not, None if there is none."""
        connection = self._done()
        if connection is None:
            raise ValueError("handshake not done yet")
        chain = connection.agreed.peer_chain
        if not chain:
            return None
        if binary_form:
            return chain[0]
        return {} if self._context.verify_mode == ssl.CERT_NONE else decode(chain[0])

    def get_unverified_chain(self) -> list[PeerCertificate]:
        """The peer's chain as it came, leaf first."""
        connection = self._done()
        return [PeerCertificate(der) for der in connection.agreed.peer_chain] if connection is not None else []

    def get_verified_chain(self) -> list[PeerCertificate]:
        """The path from the peer's certificate to one that is trusted; empty if none was asked for."""
        connection = self._done()
        if connection is None or not connection.agreed.peer_chain or self._context.verify_mode == ssl.CERT_NONE:
            return []
        paths: list[PathTried] = []
        verifier = self._verifier_again()
        agreed = connection.agreed
        try:
            verifier.verify(
                agreed.peer_chain,
                self.server_hostname,
                ocsp_response=agreed.peer_ocsp_response,
                sct_list=agreed.peer_sct_list,
                observer=lambda record: paths.append(record) if isinstance(record, PathTried) else None,
            )
        except GlasslockError:
            return []  # it was good when we connected, and is no more
        return [PeerCertificate(der) for path in paths if not path.problem for der in path.path]

    def cipher(self) -> tuple[str, str, int] | None:
        """(OpenSSL's name, protocol, bits) of the suite; None before the handshake."""
        connection = self._done()
        return names.cipher(connection.agreed.cipher_suite) if connection is not None else None

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """The client's suites that the server has too; None on the client's side."""
        if not self.server_side or self._done() is None:
            return None
        return names.shared_ciphers(self._offered, self._settings.cipher_suites or ())

    def version(self) -> str | None:
        """`TLSv1.3` or `TLSv1.2`; None before the handshake."""
        connection = self._done()
        return names.version_name(connection.agreed.version) if connection is not None else None

    def compression(self) -> None:
        """TLS has none any more."""

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol that both sides chose."""
        connection = self._done()
        return connection.agreed.alpn if connection is not None else None

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """`tls-unique`, `tls-server-end-point` (RFC 5929) or `tls-exporter` (RFC 9266); None before the handshake.

        `tls-unique` is not defined for TLS 1.3: there it is None.
        """
        if cb_type not in ("tls-unique", "tls-exporter", "tls-server-end-point"):
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        connection = self._done()
        if connection is None:
            return None
        if cb_type == "tls-unique":
            return connection.tls_unique() if connection.agreed.version == ProtocolVersion.TLS_1_2 else None
        if cb_type == "tls-exporter":
            return connection.channel_binding()
        chain = connection.agreed.own_chain if self.server_side else connection.agreed.peer_chain
        return _end_point(chain[0]) if chain else None

    # --- what can be set until the connection begins

    @property
    def owner(self) -> object | None:
        """The SSLObject or SSLSocket, as the SNI callback gets it."""
        return self._owner() if self._owner is not None else None

    @owner.setter
    def owner(self, owner: object) -> None:
        self._owner = weakref.ref(owner)

    @property
    def context(self) -> ssl.SSLContext:
        return self._context

    @context.setter
    def context(self, context: ssl.SSLContext) -> None:
        if not isinstance(context, ssl.SSLContext):
            raise TypeError("The value must be a SSLContext")
        settings: Settings | None = getattr(context, "glasslock", None)
        if settings is None:
            raise TypeError("the context must be one of glasslock's: OpenSSL's keys stay with OpenSSL")
        self._context, self._settings = context, settings

    @property
    def session(self) -> EngineSession | None:
        """What a later connection can resume. With TLS 1.3 it arrives with the first data after the handshake."""
        if self._channel is not None and self._channel.inbox.session is not None:
            return EngineSession(self._channel.inbox.session, self._context)
        return self._session

    @session.setter
    def session(self, session: EngineSession) -> None:
        if not isinstance(session, EngineSession):
            raise TypeError("Value is not a SSLSession.")
        if self.server_side:
            raise ValueError("Cannot set session for server-side SSLSocket.")
        if self._channel is not None:
            raise ValueError("Cannot set session after handshake.")
        if session.context is not None and session.context is not self._context:
            raise ValueError("Session refers to a different SSLContext.")
        self._session = session

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumed an earlier one."""
        connection = self._done()
        return connection is not None and connection.agreed.resumed

    # --- inside

    def _done(self) -> Connection | None:
        """The connection, once its handshake is done."""
        channel = self._channel
        return channel.connection if channel is not None and channel.connection.handshake_done else None

    def _begin(self) -> Channel:
        with self._beginning:
            if self._channel is None:
                buffers = isinstance(self._transport, BufferTransport)
                self._channel = Channel(
                    self._connect(),
                    self._transport,
                    record_by_record=True,
                    whole_writes=buffers,
                    require_certificate=self.server_side and self._context.verify_mode == ssl.CERT_REQUIRED,
                )
            return self._channel

    def _connect(self) -> Connection:
        settings = self._settings
        observer = both(settings.observer, self._recorder)
        if settings.observer_for is not None:
            observer = both(observer, settings.observer_for(self.owner))
        settings.count_connection(self.server_side)
        if self.server_side:
            self._server_config = server_config(self._context, settings, observer, _weakly(self._choose_credential))
            return ServerConnection(self._server_config)
        config = client_config(self._context, settings, observer)
        session = self._session.session if self._session is not None else None
        return ClientConnection(config, self.server_hostname, session=session)

    def _choose_credential(self, hello: ClientHelloInfo) -> Credential | None:
        """The SNI callback may put another context in place; its certificates count then."""
        self._offered = hello.cipher_suites
        self._call_sni(hello.server_name)
        credentials = tuple(self._settings.credentials.values())
        if not credentials:
            raise NegotiationFailed(
                AlertDescription.HANDSHAKE_FAILURE,
                "no-certificate-set",
                "the server's context has no certificate: call its load_cert_chain()",
            )
        config = self._server_config or ServerConfig()
        if config.credentials != credentials:
            config = dataclasses.replace(config, credentials=credentials)
        return from_config(config, hello)

    def _call_sni(self, server_name: str | None) -> None:
        callback = self._context.sni_callback
        if callback is None or self._sni_called:
            return
        self._sni_called = True
        try:
            alert = callback(self.owner, server_name, self._context)  # type: ignore[arg-type]
        except Exception as problem:
            report_unraisable(problem, callback)
            raise NegotiationFailed(
                AlertDescription.HANDSHAKE_FAILURE, "callback-failed", f"the sni_callback failed: {problem!r}"
            ) from problem
        if not isinstance(alert, int | None):
            wrong = TypeError(f"servername callback must return None or an integer, not {type(alert).__name__!r}")
            report_unraisable(wrong, callback)
            raise NegotiationFailed(AlertDescription.INTERNAL_ERROR, "callback-failed", str(wrong))
        if alert is not None:
            raise NegotiationFailed(
                AlertDescription(alert), "callback-refused", f"the sni_callback refused {server_name!r}"
            )

    def _after_handshake(self, connection: Connection) -> None:
        """A resumed connection needs no certificate, but the SNI callback wants to know of it all the same."""
        self._settings.count_handshake(self.server_side, connection.agreed.resumed)
        if self.server_side and not self._sni_called:
            self._call_sni(connection.agreed.server_name)

    def _verifier_again(self) -> Any:
        if self._server_config is not None:
            return self._server_config.client_verifier
        return client_config(self._context, self._settings, None).verifier


_IGNORE_UNEXPECTED_EOF = getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)


def _weakly(
    choose: Callable[[ClientHelloInfo], Credential | None],
) -> Callable[[ClientHelloInfo], Credential | None]:
    """The same method, without holding the engine that holds the configuration it goes into."""
    method = weakref.WeakMethod(choose)

    def choose_weakly(hello: ClientHelloInfo) -> Credential | None:
        alive = method()
        return alive(hello) if alive is not None else None

    return choose_weakly


def _write_rest(channel: Channel, data: memoryview, start: int) -> int:
    """An error would hold a part of the data that is not let go of, and a bytearray that is held cannot grow."""
    if not start:
        return channel.write(data)
    with data[start:] as rest:
        return channel.write(rest)


def _refuse_if_both_closed(channel: Channel) -> None:
    """The end of the peer's data is no data; once we have closed as well, it is an error, as with OpenSSL."""
    if channel.closed:
        raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF)")


def report_unraisable(error: Exception, where: object) -> None:
    """As `ssl` does with what a callback raised: the handshake fails, and the program hears of it in its own way."""
    arguments: Any = types.SimpleNamespace(
        exc_type=type(error), exc_value=error, exc_traceback=error.__traceback__, err_msg=None, object=where
    )
    sys.unraisablehook(arguments)


def _checked_hostname(name: str | None) -> str | None:
    if name is not None and (not name or name.startswith(".")):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    if name is not None and "\0" in name:
        raise TypeError("embedded null character")
    return name


def _end_point(der: bytes) -> bytes:
    """The hash of the server's certificate (RFC 5929 section 4.1)."""
    algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    name = algorithm.name if algorithm is not None and algorithm.name not in ("md5", "sha1") else "sha256"
    return hashlib.new(name, der).digest()

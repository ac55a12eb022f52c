"""`ssl.SSLContext` with our engine inside: hand it to any library that takes a context.

    context = glasslock.adapters.create_default_context()
    httpx.Client(verify=context);  urllib3.PoolManager(ssl_context=context);  asyncio.open_connection(…, ssl=context)

The sockets and objects that it wraps are genuine `ssl.SSLSocket`s and `ssl.SSLObject`s. The standard library
asks the context for what is behind them (`_wrap_socket`, `_wrap_bio`), and that is where the engine comes in.
What a context was told is read back from it when a connection begins; the OpenSSL inside never speaks to anybody.
"""

from __future__ import annotations

import _socket
import _ssl
import os
import ssl
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ..errors import ConfigurationError
from .engine import Engine
from .failures import bad_pem, ssl_error
from .loading import (
    FilePath,
    Password,
    data_store,
    directory_store,
    file_store,
    load_credential,
    system_store,
)
from .settings import Settings
from .transports import BorrowedSocket, BufferTransport
from .wrapped import WrappedSocket, is_plain

# The C class below `ssl.SSLContext`. Its methods are called by this name, not by `super()`, so that the same
# functions can be put into `ssl.SSLContext` itself (install.py).
_C: Any = _ssl._SSLContext  # noqa: SLF001

# OpenSSL's names of the groups that both have
_GROUPS = {"prime256v1": 0x0017, "secp384r1": 0x0018, "secp521r1": 0x0019, "X25519": 0x001D, "X448": 0x001E}


def _property(name: str, kind: Callable[[int], Any]) -> Any:
    """One of `ssl.SSLContext`'s settings, straight from the C class.

    The setters in ssl.py look their own class up by its name in the module, and recurse for ever once somebody
    (gevent, truststore) has put another class there.
    """
    below = getattr(_C, name)
    return property(lambda self: kind(below.__get__(self)), below.__set__)


class SSLContext(ssl.SSLContext):
    """Made, configured and used as `ssl.SSLContext` is.

    `glasslock` holds what `ssl` has no word for: `observer`, told everything that happens on every connection;
    `observer_for`, asked for one at the beginning of each; `keep_trace`, so that each connection keeps its story
    in `_sslobj.trace`; `trust_store` and `verifier`, instead of loaded certificates; `engine`, a dict of fields of
    `ClientConfig` or `ServerConfig`; `credentials`.
    """

    glasslock: Settings

    if not TYPE_CHECKING:
        options = _property("options", ssl.Options)
        verify_flags = _property("verify_flags", ssl.VerifyFlags)
        verify_mode = _property("verify_mode", ssl.VerifyMode)
        minimum_version = _property("minimum_version", ssl.TLSVersion)
        maximum_version = _property("maximum_version", ssl.TLSVersion)

    def __new__(cls, protocol: int = ssl.PROTOCOL_TLS_CLIENT) -> SSLContext:
        self = super().__new__(cls, protocol)
        self.glasslock = Settings()
        return self

    # --- what `ssl` lets one say and not read back

    def load_cert_chain(self, certfile: FilePath, keyfile: FilePath | None = None, password: Password = None) -> None:
        """Takes the certificate to show, with its key: one for each kind of key, as `ssl` does."""
        try:
            credential = load_credential(certfile, keyfile, password)
        except ConfigurationError as error:
            raise bad_pem(error) from error
        _settings(self).credentials[credential.key_kind] = credential

    def load_verify_locations(
        self,
        cafile: FilePath | None = None,
        capath: FilePath | None = None,
        cadata: Any = None,  # PEM text or DER bytes
    ) -> None:
        """Adds certificates to trust."""
        _C.load_verify_locations(self, cafile, capath, cadata)  # raises what `ssl` raises
        try:
            if cafile is not None:
                _settings(self).stores.append(file_store(cafile))
            if capath is not None:
                _settings(self).stores.append(directory_store(capath))
            if cadata is not None:
                _settings(self).stores.append(data_store(cadata))
        except ConfigurationError as error:
            raise ssl_error(error) from error

    def set_default_verify_paths(self) -> None:
        """Trusts what the operating system trusts."""
        _C.set_default_verify_paths(self)
        store = system_store()
        len(store)  # reads it now, as `ssl` does: in the middle of a handshake an event loop would wait for it
        _settings(self).stores.append(store)

    def _set_alpn_protocols(self, protocols: bytes | bytearray) -> None:
        _C._set_alpn_protocols(self, protocols)  # noqa: SLF001
        names, rest = [], bytes(protocols)
        while rest:
            names.append(rest[1 : 1 + rest[0]].decode("latin-1"))
            rest = rest[1 + rest[0] :]
        _settings(self).alpn_protocols = tuple(names)

    def set_ciphers(self, ciphers: str, /) -> None:
        """Chooses the suites of TLS 1.2, in OpenSSL's language."""
        _C.set_ciphers(self, ciphers)
        _settings(self).cipher_suites = None

    def session_stats(self) -> dict[str, int]:
        """How many connections began, how many handshakes were done, and how many of them resumed a session."""
        counted = _settings(self).statistics
        return {name: counted[name] for name in _C.session_stats(self)}

    def set_ecdh_curve(self, name: str | bytes, /) -> None:
        """Chooses the one group for the key exchange."""
        _C.set_ecdh_curve(self, name)
        curve = name.decode("ascii") if isinstance(name, bytes) else name
        if curve not in _GROUPS:
            raise ValueError(f"glasslock has no group {curve!r}: it has {', '.join(_GROUPS)}")
        _settings(self).group = _GROUPS[curve]

    def set_psk_client_callback(self, callback: object) -> None:
        """Raises NotImplementedError: in `ssl` these are the PSKs of TLS 1.2, which glasslock does not have."""
        raise NotImplementedError("use glasslock.engine['external_psks'], for TLS 1.3")

    def set_psk_server_callback(self, callback: object, identity_hint: str | None = None) -> None:
        """Raises NotImplementedError, as for clients."""
        raise NotImplementedError("use glasslock.engine['find_external_psk'], for TLS 1.3")

    # --- where the engine comes in

    def _wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | None = None,
        *,
        owner: object | None = None,
        session: Any = None,
    ) -> Any:
        transport = BufferTransport(incoming, outgoing)
        return _engine(self, transport, server_side, server_hostname, owner, session)

    def _wrap_socket(
        self,
        sock: Any,
        server_side: bool,
        server_hostname: str | None = None,
        *,
        owner: object | None = None,
        session: Any = None,
    ) -> Any:
        if isinstance(sock, WrappedSocket):
            transport = BorrowedSocket(sock.inner, below=False)
        else:
            transport = BorrowedSocket(sock, below=isinstance(sock, _socket.socket))
        return _engine(self, transport, server_side, server_hostname, owner, session)

    def wrap_socket(
        self,
        sock: Any,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: Any = None,
    ) -> ssl.SSLSocket:
        """Wraps a socket, or anything that behaves like one: another TLS socket too."""
        if is_plain(sock):
            return super().wrap_socket(
                sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
            )
        return WrappedSocket.wrap(
            sock,
            self,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            session=session,
        )


def _settings(context: ssl.SSLContext) -> Settings:
    return cast(Settings, context.glasslock)  # type: ignore[attr-defined]


def _engine(
    context: ssl.SSLContext,
    transport: BufferTransport | BorrowedSocket,
    server_side: bool,
    server_hostname: str | None,
    owner: object | None,
    session: Any,
) -> Engine:
    """The checks that the C layer makes, then the engine."""
    if server_side and context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise ssl.SSLError("Cannot create a server socket with a PROTOCOL_TLS_CLIENT context")
    if not server_side and context.protocol == ssl.PROTOCOL_TLS_SERVER:
        raise ssl.SSLError("Cannot create a client socket with a PROTOCOL_TLS_SERVER context")
    if context.check_hostname and not server_side and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")
    return Engine(
        context,
        _settings(context),
        transport,
        server_side=server_side,
        server_hostname=server_hostname,
        owner=owner,
        session=session,
    )


def create_default_context(
    purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH,
    *,
    cafile: FilePath | None = None,
    capath: FilePath | None = None,
    cadata: str | bytes | bytearray | None = None,
) -> SSLContext:
    """What `ssl.create_default_context` makes, with our engine inside.

    For a client (`Purpose.SERVER_AUTH`): certificates and names are checked, against the given certificates or
    the operating system's. For a server (`Purpose.CLIENT_AUTH`): no client certificate is asked for. Writes the
    secrets of each connection to the file that SSLKEYLOGFILE names.
    """
    if purpose == ssl.Purpose.SERVER_AUTH:
        context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    elif purpose == ssl.Purpose.CLIENT_AUTH:
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    else:
        raise ValueError(purpose)
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(purpose)
    key_log = os.environ.get("SSLKEYLOGFILE")
    if key_log and not sys.flags.ignore_environment:
        context.keylog_filename = key_log
    return context

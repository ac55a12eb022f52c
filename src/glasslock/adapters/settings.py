"""What an `ssl.SSLContext` wants, as the engine's configuration.

Most of it can be read back from the context when a connection begins, so there is no second copy that could
differ. What `ssl` only lets one write (keys, ALPN protocols, trusted certificates) is kept in `Settings`.
"""

from __future__ import annotations

import _ssl
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from ..errors import ConfigurationError
from ..registry import ProtocolVersion
from ..tls import ClientConfig, Credential, DangerousAcceptAnyCertificate, ServerConfig, TicketKeys
from ..tls.config import DEFAULT_SUITES_12, DEFAULT_SUITES_13, ClientHelloInfo, KeyLog, PeerVerifier
from ..trace import Observer
from ..trust import ClientCertificateVerifier, Policy, ServerCertificateVerifier, TrustStore
from ..views.keylog import KeyLogFile
from .blocking import both

T = TypeVar("T")
ObserverFor = Callable[[Any], Observer | None]  # given the SSLObject or SSLSocket


@dataclass
class Settings:
    """What has been said to a context and cannot be read back from it, and what only glasslock has."""

    # as `ssl` lets one say it
    credentials: dict[str, Credential] = field(default_factory=dict)  # one per kind of key, as OpenSSL keeps them
    alpn_protocols: tuple[str, ...] = ()
    stores: list[TrustStore] = field(default_factory=list)
    group: int | None = None  # of set_ecdh_curve
    cipher_suites: tuple[int, ...] | None = None  # what get_ciphers() says, until set_ciphers() is called
    ticket_keys: TicketKeys = field(default_factory=TicketKeys)
    key_logs: dict[str, KeyLogFile] = field(default_factory=dict)
    # as only glasslock does
    observer: Observer | None = None
    observer_for: ObserverFor | None = None
    keep_trace: bool = False
    trust_store: TrustStore | None = None
    verifier: PeerVerifier | None = None
    await_close_notify: bool = True  # whether unwrap() waits for the peer's: RFC 9846 section 6.1 leaves it open
    engine: dict[str, Any] = field(default_factory=dict)
    # what was made of all that last, and of what; see `again`
    _made: dict[type, tuple[object, Any]] = field(default_factory=dict, repr=False, compare=False)

    statistics: Counter[str] = field(default_factory=Counter)  # for session_stats()

    def count_connection(self, server_side: bool) -> None:
        self.statistics["accept" if server_side else "connect"] += 1

    def count_handshake(self, server_side: bool, resumed: bool) -> None:
        self.statistics["accept_good" if server_side else "connect_good"] += 1
        self.statistics["hits"] += resumed

    def store(self) -> TrustStore:
        """Whom the context believes: `trust_store`, or else everything that was loaded."""
        if self.trust_store is not None:
            return self.trust_store
        if len(self.stores) == 1:
            return self.stores[0]
        return self.again(TrustStore, list(self.stores), lambda: TrustStore.merged(*self.stores))

    def again(self, kind: type[T], facts: object, make: Callable[[], T]) -> T:
        """What `make` makes of these facts: the same object for every connection, as long as they are the same."""
        known, made = self._made.get(kind, (None, None))
        if made is None or known != facts:
            made = make()
            self._made[kind] = facts, made
        return cast(T, made)

    def key_log(self, path: str | None) -> KeyLog | None:
        """The writer of `keylog_filename`, opened once."""
        if path is None:
            return None
        if path not in self.key_logs:
            self.key_logs[path] = KeyLogFile(path)
        return self.key_logs[path]


_LEGACY_SERVER_CONNECT = 0x4  # ssl.OP_LEGACY_SERVER_CONNECT, which Python has a name for since 3.12
_OPENSSL_TICKETS = 2  # OpenSSL's default; one is enough for one later connection


def client_config(context: ssl.SSLContext, settings: Settings, observer: Observer | None) -> ClientConfig:
    """What a client with this context offers and insists on. ConfigurationError if that cannot be."""
    config = settings.again(ClientConfig, _facts(context, settings), lambda: _client_config(context, settings))
    return config if observer is None else config.observed_by(both(config.observer, observer))


def _client_config(context: ssl.SSLContext, settings: Settings) -> ClientConfig:
    values = _common(context, settings)
    values |= {
        "verifier": _server_verifier(context, settings),
        "credentials": tuple(settings.credentials.values()),
        "post_handshake_auth": context.post_handshake_auth,
        "session_tickets": not context.options & ssl.OP_NO_TICKET,
        "require_secure_renegotiation": not context.options & _LEGACY_SERVER_CONNECT,
    }
    return ClientConfig(**(values | settings.engine))


def server_config(
    context: ssl.SSLContext,
    settings: Settings,
    observer: Observer | None,
    choose: Callable[[ClientHelloInfo], Credential | None],
) -> ServerConfig:
    """What a server with this context accepts. ConfigurationError if that cannot be."""
    config = settings.again(ServerConfig, _facts(context, settings), lambda: _server_config(context, settings))
    if config.choose_credential is None:
        config = config.choosing(choose)
    return config if observer is None else config.observed_by(both(config.observer, observer))


def _server_config(context: ssl.SSLContext, settings: Settings) -> ServerConfig:
    options = context.options
    values = _common(context, settings)
    values |= {
        "credentials": tuple(settings.credentials.values()),
        "require_common_protocol": False,
        "prefer_own_order": bool(options & ssl.OP_CIPHER_SERVER_PREFERENCE),
        "ticket_keys": None if options & ssl.OP_NO_TICKET else settings.ticket_keys,
        "tickets": 1 if context.num_tickets == _OPENSSL_TICKETS else context.num_tickets,
    }
    if context.verify_mode != ssl.CERT_NONE:
        values["client_verifier"] = _client_verifier(context, settings)
        values["ask_in_handshake"] = not context.post_handshake_auth
        values["require_client_certificate"] = values["ask_in_handshake"] and context.verify_mode == ssl.CERT_REQUIRED
    return ServerConfig(**(values | settings.engine))


# The numbers below the enums of ssl.py, which cost more to make than they tell.
_C: Any = _ssl._SSLContext  # noqa: SLF001
_NAMES = (
    "options",
    "verify_flags",
    "verify_mode",
    "minimum_version",
    "maximum_version",
    "check_hostname",
    "post_handshake_auth",
    "num_tickets",
    "keylog_filename",
)
_READ_BACK = tuple(getattr(_C, name).__get__ for name in _NAMES)


def _facts(context: ssl.SSLContext, settings: Settings) -> tuple[object, ...]:
    """Everything that a config is made of: as long as it is the same, so is the config."""
    return (
        *[read(context) for read in _READ_BACK],
        _cipher_suites(context, settings),
        settings.alpn_protocols,
        settings.group,
        settings.ticket_keys,
        settings.trust_store,
        settings.verifier,
        [*settings.credentials.values()],
        [*settings.stores],
        dict(settings.engine),
    )


def _common(context: ssl.SSLContext, settings: Settings) -> dict[str, Any]:
    found: dict[str, Any] = {
        "versions": versions(context),
        "cipher_suites": _cipher_suites(context, settings),
        "alpn_protocols": settings.alpn_protocols,
        "key_log": settings.key_log(context.keylog_filename),
    }
    if settings.group is not None:
        found["groups"] = (settings.group,)
    return found


# --- versions and suites

_VERSIONS = (
    (ProtocolVersion.TLS_1_3, ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
    (ProtocolVersion.TLS_1_2, ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
)


def versions(context: ssl.SSLContext) -> tuple[int, ...]:
    """The versions that the context allows and the engine speaks, newest first."""
    low, high, options = context.minimum_version, context.maximum_version, context.options
    if high == ssl.TLSVersion.MAXIMUM_SUPPORTED:
        high = ssl.TLSVersion.TLSv1_3
    if context.protocol == ssl.PROTOCOL_TLSv1_2:
        low = high = ssl.TLSVersion.TLSv1_2
    found = tuple(ours for ours, theirs, forbidden in _VERSIONS if low <= theirs <= high and not options & forbidden)
    if not found:
        raise ConfigurationError("the context allows neither TLS 1.3 nor TLS 1.2: no protocols available")
    return found


def _cipher_suites(context: ssl.SSLContext, settings: Settings) -> tuple[int, ...]:
    """Those of TLS 1.3 in our order, which no cipher string changes; those of TLS 1.2 in the context's.

    OpenSSL reads its cipher strings for us.
    """
    if settings.cipher_suites is None:
        allowed = [cipher["id"] & 0xFFFF for cipher in context.get_ciphers()]
        suites13 = tuple(suite for suite in DEFAULT_SUITES_13 if suite in allowed)
        settings.cipher_suites = suites13 + tuple(suite for suite in allowed if suite in DEFAULT_SUITES_12)
    return settings.cipher_suites


# --- trust


def _server_verifier(context: ssl.SSLContext, settings: Settings) -> PeerVerifier:
    if settings.verifier is not None:
        return settings.verifier
    if context.verify_mode == ssl.CERT_NONE:
        return DangerousAcceptAnyCertificate()
    store, policy = settings.store(), _policy(context, any_name=not context.check_hostname)
    return settings.again(
        ServerCertificateVerifier, (store, policy), lambda: ServerCertificateVerifier(store, policy=policy)
    )


def _client_verifier(context: ssl.SSLContext, settings: Settings) -> PeerVerifier:
    if settings.verifier is not None:
        return settings.verifier
    store, policy = settings.store(), _policy(context, any_name=False)
    return settings.again(
        ClientCertificateVerifier, (store, policy), lambda: ClientCertificateVerifier(store, policy=policy)
    )


def _policy(context: ssl.SSLContext, *, any_name: bool) -> Policy:
    flags = context.verify_flags
    if flags & (ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_CRL_CHECK_CHAIN):
        raise ConfigurationError("the context demands revocation lists (VERIFY_CRL_CHECK_…), which are not read here")
    return Policy(strict=bool(flags & ssl.VERIFY_X509_STRICT), dangerous_any_name=any_name)

"""What a client or a server is willing to do. Immutable: made once, shared by any number of connections.

Nothing here depends on a connection. Time and randomness come in through `clock` and `random`, so that a
test can fix both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from ..errors import ConfigurationError
from ..registry import (
    TLS_1_2,
    TLS_1_3,
    CertificateCompressionAlgorithm,
    CertificateType,
    CipherSuite,
    NamedGroup,
    ProtocolVersion,
    PskKeyExchangeMode,
    Side,
    SignatureScheme,
)
from ..trace import Observer
from .credentials import Credential
from .keys import groups as key_groups
from .keys.signatures import SCHEMES
from .keys.suites import SUITES_12, SUITES_13
from .protection import MAX_FRAGMENT
from .session import MAX_TICKET_LIFETIME, ExternalPsk, ReplayGuard, SessionStore, TicketKeys
from .wire.compression import require_available

if TYPE_CHECKING:
    from .ech.keys import ECHKey
    from .raw_keys import RawKeyVerifier

DEFAULT_SUITES_13: tuple[int, ...] = (
    CipherSuite.TLS_AES_128_GCM_SHA256,
    CipherSuite.TLS_AES_256_GCM_SHA384,
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
)

DEFAULT_SUITES_12: tuple[int, ...] = (
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
)

DEFAULT_GROUPS: tuple[int, ...] = (
    NamedGroup.X25519MLKEM768,
    NamedGroup.X25519,
    NamedGroup.SECP256R1,
    NamedGroup.SECP384R1,
    NamedGroup.SECP521R1,
    NamedGroup.X448,
    NamedGroup.SECP256R1MLKEM768,
    NamedGroup.SECP384R1MLKEM1024,
)

DEFAULT_SIGNATURE_SCHEMES: tuple[int, ...] = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.ED25519,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.ECDSA_SECP521R1_SHA512,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PSS_PSS_SHA256,
    SignatureScheme.RSA_PSS_PSS_SHA384,
    SignatureScheme.RSA_PSS_PSS_SHA512,
    SignatureScheme.ED448,
    SignatureScheme.MLDSA44,
    SignatureScheme.MLDSA65,
    SignatureScheme.MLDSA87,
    # For certificate signatures, and for the handshake of TLS 1.2 (RFC 9846 section 4.3.3).
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PKCS1_SHA512,
)


class PeerVerifier(Protocol):
    """Whoever decides whether a certificate chain is acceptable; `glasslock.trust` has the real ones."""

    def verify(
        self,
        chain: Sequence[bytes],
        server_name: str | None,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
        observer: Observer | None = None,
        side: Side = Side.CLIENT,
    ) -> None:
        """Returns if the chain (DER, leaf first) is good; raises CertificateRefused otherwise."""
        ...


class DangerousAcceptAnyCertificate:
    """Accepts every certificate: whoever sits on the path can be the peer. For tests and labs only."""

    def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
        """Never refuses."""


# client random, label and secret: a line of SSLKEYLOGFILE (RFC 9850)
KeyLog = Callable[[str, bytes, bytes], None]


class Limits(NamedTuple):
    """Bounds on what a peer may make us do. All sizes in bytes."""

    client_hello: int = 131_396  # as long as it can be
    certificate_message: int = 1 << 17
    handshake_message: int = 1 << 16  # any other
    certificates: int = 16
    change_cipher_specs: int = 32  # per connection
    warning_alerts: int = 4  # in a row
    key_updates: int = 32  # in a row, without application data between them
    tickets: int = 64  # per connection
    certificate_requests: int = 16  # after the handshake, per connection
    renegotiation_requests: int = 4  # of a TLS 1.2 client, refused with a warning; one more ends the connection
    early_data_skipped: int = 1 << 16  # refused 0-RTT data that a server passes over


@dataclass(frozen=True, kw_only=True, eq=False)
class Config:
    """What both sides have to say. Without slots, so that what follows from it is worked out once.

    A config is equal to itself alone: it holds things that only are what they are, keys and callables.
    """

    versions: tuple[int, ...] = (TLS_1_3, TLS_1_2)
    cipher_suites: tuple[int, ...] = DEFAULT_SUITES_13 + DEFAULT_SUITES_12
    groups: tuple[int, ...] = DEFAULT_GROUPS
    signature_schemes: tuple[int, ...] = DEFAULT_SIGNATURE_SCHEMES
    alpn_protocols: tuple[str, ...] = ()
    external_psks: tuple[ExternalPsk, ...] = ()  # keys that both sides have from elsewhere (RFC 9257, RFC 9258)
    psk_modes: tuple[int, ...] = (1,)  # psk_dhe_ke; psk_ke (0) has no forward secrecy and is off
    # What the peer may show, best first; a raw public key needs somebody who knows the good ones (RFC 7250).
    peer_certificate_types: tuple[int, ...] = (CertificateType.X509,)
    raw_key_verifier: RawKeyVerifier | None = None
    verify_resumed: bool = True  # a resumption judges the first handshake's certificates again, as of now
    certificate_compression: tuple[int, ...] = (CertificateCompressionAlgorithm.ZLIB,)
    compress_certificates_above: int = 1200  # bytes of our Certificate message: what fits into a packet gains nothing
    record_size_limit: int | None = None  # bytes we are willing to receive in one record (RFC 8449)
    padding: Callable[[int], int] | None = None  # fragment length to padding length, both in bytes
    max_fragment: int = MAX_FRAGMENT  # bytes of content in one record that we send
    grease: bool = False  # send values that mean nothing, which peers have to ignore (RFC 8701)
    middlebox_compatibility: bool = True  # look like TLS 1.2 to what is in between (RFC 9846 appendix E.4)
    limits: Limits = field(default_factory=Limits)
    observer: Observer | None = None
    key_log: KeyLog | None = None
    clock: Callable[[], float] = time.time
    random: Callable[[int], bytes] = os.urandom
    generate_key: Callable[[int], key_groups.KeyExchange] = key_groups.generate

    def __post_init__(self) -> None:
        _require_known("versions", self.versions, {TLS_1_2, TLS_1_3})
        _require_known("cipher_suites", self.cipher_suites, SUITES_13.keys() | SUITES_12.keys())
        _require_known("groups", self.groups, key_groups.SUPPORTED)
        _require_known("signature_schemes", self.signature_schemes, SCHEMES.keys())
        _require_psk_modes(self.psk_modes)
        _require_known("peer_certificate_types", self.peer_certificate_types, frozenset(CertificateType))
        if (CertificateType.RAW_PUBLIC_KEY in self.peer_certificate_types) != (self.raw_key_verifier is not None):
            raise ConfigurationError("raw public keys from the peer and a raw_key_verifier need one another")
        if len(set(self.groups)) < len(self.groups):
            raise ConfigurationError("groups must not have duplicates (RFC 9846 section 4.3.7)")
        for algorithm in self.certificate_compression:
            require_available(algorithm)
        for protocol in self.alpn_protocols:
            if not 1 <= len(protocol.encode("latin-1")) <= 255:
                raise ConfigurationError(f"the protocol name {protocol!r} must have 1 to 255 bytes (RFC 7301)")
        if not 64 <= self.max_fragment <= MAX_FRAGMENT:
            raise ConfigurationError(f"max_fragment must be between 64 and {MAX_FRAGMENT} bytes (RFC 9846 section 5.1)")
        if self.record_size_limit is not None and not 64 <= self.record_size_limit <= (1 << 14) + 1:
            raise ConfigurationError("record_size_limit must be between 64 and 16385 bytes (RFC 8449)")

    def observed_by(self, observer: Observer | None) -> Self:
        """The same for a connection that this one observes."""
        return self._with(observer=observer)

    def _with(self, **changes: object) -> Self:
        """A copy with changes that nothing else follows from, so that nothing is checked or worked out again."""
        _ = self.suites_13, self.suites_12  # which every connection needs
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__, **changes)
        return made

    def suites(self, version: int) -> tuple[int, ...]:
        """Our cipher suites of one version, in order of preference."""
        return self.suites_13 if version >= TLS_1_3 else self.suites_12

    @cached_property
    def suites_13(self) -> tuple[int, ...]:
        """Our cipher suites of TLS 1.3, in order of preference."""
        return tuple(suite for suite in self.cipher_suites if suite in SUITES_13)

    @cached_property
    def suites_12(self) -> tuple[int, ...]:
        """Our cipher suites of TLS 1.2, in order of preference."""
        return tuple(suite for suite in self.cipher_suites if suite in SUITES_12)

    def record_limit(self, version: int) -> int | None:
        """`record_size_limit`, in bytes, but no more than a record of this version can hold (RFC 8449 section 4)."""
        type_length = 1 if version >= TLS_1_3 else 0
        return None if self.record_size_limit is None else min(self.record_size_limit, MAX_FRAGMENT + type_length)

    @cached_property
    def alpn_bytes(self) -> tuple[bytes, ...]:
        return tuple(protocol.encode("latin-1") for protocol in self.alpn_protocols)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientConfig(Config):
    """What a client offers and insists on. `verifier` has no default: trust is a decision.

    None in its place means that no certificate is good enough, only a raw public key or one of `external_psks`.
    """

    verifier: PeerVerifier | None
    # Groups to send a key share for at once; None: the first classical one and the first post-quantum one.
    key_shares: tuple[int, ...] | None = None
    credentials: tuple[Credential, ...] = ()
    own_certificate_types: tuple[int, ...] | None = None  # to offer, best first; None: those of `credentials`
    post_handshake_auth: bool = False
    request_ocsp: bool = True
    request_scts: bool = False
    ticket_request: tuple[int, int] | None = None  # wanted for a new session, for a resumption (RFC 9149)
    require_extended_main_secret: bool = False  # TLS 1.2: RFC 7627
    session_tickets: bool = True  # TLS 1.2: ask for tickets; without them a server may remember us by session id
    # TLS 1.2: RFC 5746. To a server without it somebody on the path can say things in our name, before we do.
    require_secure_renegotiation: bool = True
    ignore_hello_requests: bool = False  # TLS 1.2: pass over requests to renegotiate instead of ending
    permute_extensions: bool = False  # another order of extensions in each ClientHello
    ech_grease: bool = False  # where no ECH key is known, look as if there were one (RFC 9849 section 6.2)
    require_ech: bool = False  # refuse to connect where no usable ECH key is known: the name never goes out in clear

    def __post_init__(self) -> None:
        Config.__post_init__(self)
        keys_only = bool(self.external_psks) and self.versions == (TLS_1_3,)
        if self.verifier is None and not keys_only and CertificateType.X509 in self.peer_certificate_types:
            raise ConfigurationError("a client without a verifier needs external_psks and TLS 1.3 alone")
        if self.own_certificate_types is not None:
            _require_known("own_certificate_types", self.own_certificate_types, frozenset(CertificateType))
        if self.key_shares is not None and not set(self.key_shares) <= set(self.groups):
            raise ConfigurationError("key_shares may only name groups that are offered (RFC 9846 section 4.3.8)")
        if not self.offered_groups:
            raise ConfigurationError("TLS 1.2 alone needs a group that is not post-quantum")

    @cached_property
    def usual_extensions(self) -> dict[str | None, dict[int, bytes]]:
        """What ClientHello says in every connection to a host; kept here by whoever writes it."""
        return {}

    @cached_property
    def offered_groups(self) -> tuple[int, ...]:
        """TLS 1.2 has no key exchange for the post-quantum ones."""
        if TLS_1_3 in self.versions:
            return self.groups
        return tuple(group for group in self.groups if group in key_groups.CLASSICAL)

    @cached_property
    def own_types(self) -> tuple[int, ...]:
        """What we offer to show, if the server asks."""
        if self.own_certificate_types is not None:
            return self.own_certificate_types
        return tuple(dict.fromkeys(credential.certificate_type for credential in self.credentials))

    @cached_property
    def trusts_certificates(self) -> bool:
        """Whether the server can show us anything that somebody could find good."""
        return self.verifier is not None or self.raw_key_verifier is not None

    @cached_property
    def offered_suites(self) -> tuple[int, ...]:
        """Our cipher suites of all versions, those of our first version first."""
        of_version = {TLS_1_3: self.suites_13, TLS_1_2: self.suites_12}
        return sum((of_version[ProtocolVersion(version)] for version in self.versions), ())

    @cached_property
    def initial_key_shares(self) -> tuple[int, ...]:
        """The groups of the first ClientHello's key shares, in the order of `groups`."""
        if self.key_shares is not None:
            return tuple(group for group in self.groups if group in self.key_shares)
        classical = [group for group in self.groups if group in key_groups.CLASSICAL][:1]
        post_quantum = [group for group in self.groups if group in key_groups.POST_QUANTUM][:1]
        return tuple(group for group in self.groups if group in classical + post_quantum)


class ClientHelloInfo(NamedTuple):
    """What a server knows when it has to choose a certificate."""

    server_name: str | None
    version: int
    signature_schemes: tuple[int, ...]
    certificate_schemes: tuple[int, ...]  # for the signatures of certificates
    alpn_protocols: tuple[str, ...]
    certificate_authorities: tuple[bytes, ...]
    cipher_suites: tuple[int, ...]
    certificate_types: tuple[int, ...] = (CertificateType.X509,)  # that the client can make use of
    signatures: frozenset[str] = frozenset({"ecdsa", "rsa"})  # what a common TLS 1.2 suite can be signed with
    key_transport: bool = False  # a common TLS 1.2 suite wants an RSA key that decrypts, and no signature
    # In TLS 1.2 these are also the curves that ECDSA keys may be on; None: the client did not say.
    groups: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ServerConfig(Config):
    """What a server accepts. The first of `credentials` is the default for names that none covers."""

    credentials: tuple[Credential, ...] = ()
    choose_credential: Callable[[ClientHelloInfo], Credential | None] | None = None
    require_common_protocol: bool = True  # RFC 7301 section 3.2; or else go on without, as many servers do
    require_known_name: bool = False  # refuse names that no credential covers, instead of the default
    client_verifier: PeerVerifier | None = None  # set: clients are asked for a certificate
    ask_in_handshake: bool = True  # TLS 1.3; False: only when `request_client_certificate` is called
    require_client_certificate: bool = False
    client_certificate_authorities: tuple[bytes, ...] = ()  # DER names to send
    prefer_own_order: bool = True  # cipher suites and groups: our preference wins
    require_extended_main_secret: bool = False  # TLS 1.2: RFC 7627
    session_store: SessionStore | None = None  # TLS 1.2: resumption by session id, for clients without tickets
    ticket_keys: TicketKeys | None = field(default_factory=TicketKeys)
    tickets: int = 1  # how many to send after a full handshake
    ticket_lifetime: int = 24 * 3600  # seconds
    # By its identity, a key that is not among `external_psks`.
    find_external_psk: Callable[[bytes], ExternalPsk | None] | None = None
    max_early_data: int = 0  # bytes of 0-RTT data to accept; 0: none
    replay_guard: ReplayGuard | None = None  # needed for early data
    early_data_window: float = 10.0  # seconds that a ticket's age may be off
    # Set: the state of a HelloRetryRequest travels in a cookie; that of ECH does not, and stays in the connection.
    cookie_keys: TicketKeys | None = None
    ech_keys: tuple[ECHKey, ...] = ()  # for Encrypted ClientHello, in order of preference

    def __post_init__(self) -> None:
        Config.__post_init__(self)
        if self.max_early_data and (self.replay_guard is None or self.ticket_keys is None):
            raise ConfigurationError("early data needs a replay_guard and ticket_keys: without them it can be replayed")
        if not 0 < self.ticket_lifetime <= MAX_TICKET_LIFETIME:
            raise ConfigurationError("ticket_lifetime must be 1 to 604800 seconds, a week (RFC 9846 section 4.7.1)")
        if self.ech_keys and not any(key.retry for key in self.ech_keys):
            raise ConfigurationError(
                "at least one of ech_keys needs `retry`: clients must get it (RFC 9849 section 7.1)"
            )
        if self.ech_keys and TLS_1_3 not in self.versions:
            raise ConfigurationError("ech_keys need TLS 1.3 among the versions")
        x509 = CertificateType.X509 in self.peer_certificate_types
        if self.raw_key_verifier is not None and x509 and self.client_verifier is None:
            raise ConfigurationError("X.509 certificates from clients need a client_verifier")
        if self.require_client_certificate and not self.asks_clients:
            raise ConfigurationError("require_client_certificate needs a client_verifier")
        if self.require_client_certificate and not self.ask_in_handshake:
            raise ConfigurationError("require_client_certificate means that clients are asked in the handshake")

    def choosing(self, choose: Callable[[ClientHelloInfo], Credential | None]) -> Self:
        """The same for a connection whose certificate this one chooses."""
        return self._with(choose_credential=choose)

    @property
    def asks_clients(self) -> bool:
        """Whether clients have to say who they are, or may."""
        return self.client_verifier is not None or self.raw_key_verifier is not None


def _require_psk_modes(modes: tuple[int, ...]) -> None:
    if not set(modes) <= set(PskKeyExchangeMode):
        raise ConfigurationError("psk_modes may hold 0 (psk_ke) and 1 (psk_dhe_ke) only (RFC 9846 section 4.3.9)")


def _require_known(what: str, values: tuple[int, ...], known: Container[int]) -> None:
    if not values:
        raise ConfigurationError(f"{what} must not be empty")
    unknown = [value for value in values if value not in known]
    if unknown:
        raise ConfigurationError(f"{what} has values that this engine does not implement: {unknown}")

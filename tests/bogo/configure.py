"""Settings to glasslock's configuration: BoringSSL's defaults where a test leaves something open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from glasslock.registry import CertificateType, CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme
from glasslock.tls import ClientConfig, ECHKey, Limits, MemoryReplayGuard, MemorySessionStore, ServerConfig, TicketKeys
from glasslock.tls.config import DEFAULT_SUITES_12, DEFAULT_SUITES_13
from glasslock.tls.ech.config import read_config_list
from glasslock.tls.keys.signatures import SCHEMES
from glasslock.tls.session import SessionStore

from . import compression
from .credentials import Credentials
from .decisions import Decisions
from .flags import Settings
from .story import Story

SUITES = (
    *DEFAULT_SUITES_13,
    *DEFAULT_SUITES_12,
    CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384,
)

GROUPS = (NamedGroup.X25519MLKEM768, NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)

VERIFIED = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PKCS1_SHA512,
    SignatureScheme.RSA_PKCS1_SHA1,
)

LIMITS = Limits(certificates=100, certificate_message=100 << 10, early_data_skipped=1 << 14, renegotiation_requests=0)
MAX_EARLY_DATA = 14336  # bytes, as BoringSSL's server allows


class Clock:
    """Stands still; a test moves it on."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Fleet:
    """What the connections of one test share."""

    clock: Clock = field(default_factory=Clock)
    ticket_keys: TicketKeys = field(init=False)
    replay_guard: MemoryReplayGuard = field(init=False)
    session_store: MemorySessionStore = field(init=False)
    verified: bool = True  # how the last certificate was judged; who shows none is not judged

    def __post_init__(self) -> None:
        self.ticket_keys = TicketKeys(clock=self.clock)
        self.replay_guard = MemoryReplayGuard(clock=self.clock)
        self.session_store = MemorySessionStore(clock=self.clock)


class Noted:
    """A store of sessions that tells the story when one is put there."""

    def __init__(self, store: SessionStore, story: Story) -> None:
        self._story = story
        self._store = store
        self.get = store.get

    def put(self, session_id: bytes, content: bytes, lifetime: float) -> None:
        self._story.session_stored = True
        self._store.put(session_id, content, lifetime)


def common(
    settings: Settings, fleet: Fleet, story: Story, credentials: Credentials, decisions: Decisions
) -> dict[str, Any]:
    asks = not settings.server or settings.verify_peer or settings.require_any_client_certificate
    types = (tuple(settings.accepted_peer_cert_types) if asks else ()) or (CertificateType.X509,)
    limits = LIMITS
    if settings.max_cert_list:
        limits = LIMITS._replace(certificate_message=settings.max_cert_list)
    return {
        "versions": versions(settings),
        "cipher_suites": SUITES,
        "groups": tuple(settings.curves) or GROUPS,
        # What no TLS since 1.2 has (MD5 with SHA-1), nobody can be made to accept.
        "signature_schemes": tuple(scheme for scheme in settings.verify_prefs if scheme in SCHEMES) or VERIFIED,
        "verify_resumed": settings.reverify_on_resume,
        "certificate_compression": compression.installed(settings),
        "compress_certificates_above": 0,
        "max_fragment": settings.max_send_fragment or 1 << 14,
        "limits": limits,
        "observer": story.observe,
        "key_log": story.log_key,
        "clock": fleet.clock,
        "credentials": credentials.certificates,
        "external_psks": credentials.psks,
        "peer_certificate_types": types,
        "raw_key_verifier": decisions if CertificateType.RAW_PUBLIC_KEY in types else None,
    }


def client_config(
    settings: Settings, fleet: Fleet, story: Story, credentials: Credentials, decisions: Decisions
) -> ClientConfig:
    # BoringSSL's client that has pre-shared keys trusts no certificate, unless it is told to.
    keys_only = bool(credentials.psks) and not settings.verify_peer
    changes = {"versions": (ProtocolVersion.TLS_1_3,)} if keys_only else {}
    return ClientConfig(
        **common(settings, fleet, story, credentials, decisions) | changes,
        verifier=None if keys_only else decisions,
        alpn_protocols=split_protocols(settings.advertise_alpn),
        key_shares=key_shares(settings),
        request_ocsp=settings.enable_ocsp_stapling,
        request_scts=settings.enable_signed_cert_timestamps,
        grease=settings.enable_grease,
        permute_extensions=settings.permute_extensions,
        session_tickets=not settings.no_ticket,
        require_secure_renegotiation=settings.no_legacy_server_connect,
        ignore_hello_requests=settings.renegotiate_ignore,
        own_certificate_types=tuple(settings.available_client_cert_types) or None,
        ech_grease=settings.enable_ech_grease,
        require_ech=settings.reject_unusable_ech_config,
    )


def server_config(
    settings: Settings, fleet: Fleet, story: Story, credentials: Credentials, decisions: Decisions
) -> ServerConfig:
    asks = settings.verify_peer or settings.require_any_client_certificate
    config = ServerConfig(
        **common(settings, fleet, story, credentials, decisions),
        client_verifier=decisions if asks and settings.accepted_peer_cert_types != [2] else None,
        require_client_certificate=settings.require_any_client_certificate,
        client_certificate_authorities=authorities(settings.use_client_ca_list),
        alpn_protocols=server_protocols(settings),
        prefer_own_order=settings.server_preference or bool(settings.cipher),
        ticket_keys=None if settings.no_ticket else fleet.ticket_keys,
        tickets=2,
        ech_keys=ech_keys(settings),
        max_early_data=MAX_EARLY_DATA if settings.enable_early_data else 0,
        replay_guard=fleet.replay_guard,
        session_store=Noted(fleet.session_store, story),
        early_data_window=60.0,
        choose_credential=decisions.chooser,
        grease=True,  # BoringSSL's tickets always have some
    )
    decisions.server_config = config
    return config


def ech_keys(settings: Settings) -> tuple[ECHKey, ...]:
    keys = []
    material = zip(settings.ech_server_config, settings.ech_server_key, settings.ech_is_retry_config, strict=True)
    for config, private_key, retry in material:
        (parsed,) = read_config_list(len(config).to_bytes(2, "big") + config)
        key = X25519PrivateKey.from_private_bytes(private_key)
        keys.append(ECHKey(config=parsed, private_key=key, retry=bool(retry)))
    return tuple(keys)


def versions(settings: Settings) -> tuple[int, ...]:
    lowest = settings.min_version or ProtocolVersion.TLS_1_2
    highest = settings.max_version or ProtocolVersion.TLS_1_3
    wanted = []
    if not settings.no_tls13:
        wanted.append(ProtocolVersion.TLS_1_3)
    if not settings.no_tls12:
        wanted.append(ProtocolVersion.TLS_1_2)
    return tuple(version for version in wanted if lowest <= version <= highest)


def key_shares(settings: Settings) -> tuple[int, ...] | None:
    """What an application would do that knows the server's groups from elsewhere: one share, of the right group."""
    known = [group for group in settings.curves or GROUPS if group in settings.server_supported_groups_hint]
    if known:
        return (known[0],)
    return None if settings.key_shares is None else tuple(settings.key_shares)


def split_protocols(wire: str) -> tuple[str, ...]:
    """ALPN's list of names, each behind its length in one character."""
    names = []
    while wire:
        end = 1 + ord(wire[0])
        names.append(wire[1:end])
        wire = wire[end:]
    return tuple(names)


def server_protocols(settings: Settings) -> tuple[str, ...]:
    if settings.reject_alpn:
        return ("a protocol that nobody offers",)
    return () if settings.decline_alpn or not settings.select_alpn else (settings.select_alpn,)


def authorities(names: str) -> tuple[bytes, ...]:
    """DER names in hex with commas between them, or a word for none."""
    return () if names in ("", "<NULL>", "<EMPTY>") else tuple(bytes.fromhex(name) for name in names.split(","))

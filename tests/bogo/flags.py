"""The flags that BoringSSL's runner gives a shim, and the settings that they make.

A field of `Settings` or `CredentialSettings` is a flag of the same name (`resume_count` is `-resume-count`), its type
says what follows it:

    bool         nothing
    int, str     one value
    bytes        one value in base64
    list[...]    one value; the flag may be repeated

Only what the shim acts upon or really checks is a field. Any other flag raises `Unimplemented`, and the test is
counted as not run.

Values may hold any byte, so the whole command line is text in Latin-1: one character is one byte.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


class Unimplemented(Exception):
    """The test needs something that glasslock, or this shim, does not have."""


@dataclass
class CredentialSettings:
    """One certificate (or key, or pre-shared key) and what goes with it."""

    kind: str = "x509"
    cert_file: str = ""
    key_file: str = ""
    signing_prefs: list[int] = field(default_factory=list)
    ocsp_response: bytes = b""
    signed_cert_timestamps: bytes = b""
    must_match_issuer: bool = False
    psk_importer_key: bytes = b""
    psk_importer_identity: bytes = b""
    psk_importer_context: bytes = b""
    psk_importer_hash: str = ""


@dataclass
class Settings:
    """What one connection of a test is to do and to expect."""

    # the runner
    port: int = 0
    ipv6: bool = False
    shim_id: int = 0
    server: bool = False
    resume_count: int = 0

    # how the shim works with the connection
    is_async: bool = False
    shim_writes_first: bool = False
    shim_initial_write: str = "hello"
    repeat_shim_initial_write: int = 1
    shim_shuts_down: bool = False
    check_close_notify: bool = False
    read_with_unfinished_write: bool = False
    read_size: int = 512
    resumption_delay: int = 0
    send_alert: bool = False
    key_update: bool = False
    early_write_after_message: int = 0
    export_keying_material: int = 0
    export_label: str = ""
    export_context: str = ""
    use_export_context: bool = False
    export_traffic_secrets: bool = False
    tls_unique: bool = False

    # what both sides offer
    min_version: int = 0
    max_version: int = 0
    no_tls12: bool = False
    no_tls13: bool = False
    cipher: str = ""
    curves: list[int] = field(default_factory=list)
    verify_prefs: list[int] = field(default_factory=list)
    verify_peer: bool = False
    verify_fail: bool = False
    use_custom_verify_callback: bool = False
    reverify_on_resume: bool = False
    no_ticket: bool = False
    enable_early_data: bool = False
    max_send_fragment: int = 0
    max_cert_list: int = 0
    install_cert_compression_algs: bool = False
    install_one_cert_compression_alg: int = 0
    use_ocsp_callback: bool = False
    fail_ocsp_callback: bool = False

    accepted_peer_cert_types: list[int] = field(default_factory=list)

    # the client
    host_name: str = ""
    advertise_alpn: str = ""
    enable_ocsp_stapling: bool = False
    enable_signed_cert_timestamps: bool = False
    enable_grease: bool = False
    permute_extensions: bool = False
    key_shares: list[int] | None = None
    server_supported_groups_hint: list[int] = field(default_factory=list)
    available_client_cert_types: list[int] = field(default_factory=list)
    ech_config_list: bytes = b""
    enable_ech_grease: bool = False
    reject_unusable_ech_config: bool = False
    renegotiate_ignore: bool = False
    no_legacy_server_connect: bool = False

    # the server
    require_any_client_certificate: bool = False
    select_alpn: str = ""
    decline_alpn: bool = False
    reject_alpn: bool = False
    use_client_ca_list: str = ""
    server_preference: bool = False
    decline_ocsp_callback: bool = False
    ech_server_config: list[bytes] = field(default_factory=list)
    ech_server_key: list[bytes] = field(default_factory=list)
    ech_is_retry_config: list[int] = field(default_factory=list)

    # what has to be so in the end
    expect_version: int = 0
    expect_cipher: int = 0
    expect_cipher_aes: int = 0
    expect_cipher_no_aes: int = 0
    expect_curve_id: int = 0
    expect_hrr: bool = False
    expect_no_hrr: bool = False
    expect_server_name: str = ""
    expect_alpn: str = ""
    expect_advertised_alpn: str = ""
    expect_selected_credential: int | None = None
    expect_peer_cert_file: str = ""
    expect_no_peer_cert: bool = False
    expect_peer_signature_algorithm: int = 0
    expect_peer_certificate_type: int | None = None
    expect_peer_rpk_sha256: bytes = b""
    expect_peer_verify_pref: list[int] = field(default_factory=list)
    expect_client_ca_list: str = ""
    expect_certificate_types: bytes = b""
    expect_ocsp_response: bytes = b""
    expect_signed_cert_timestamps: bytes = b""
    expect_verify_result: bool = False
    expect_session_miss: bool = False
    expect_no_session: bool = False
    expect_session_id: bool = False
    expect_no_session_id: bool = False
    expect_ticket_renewal: bool = False
    expect_ticket_supports_early_data: bool = False
    expect_accept_early_data: bool = False
    expect_reject_early_data: bool = False
    expect_no_offer_early_data: bool = False
    expect_early_data_reason: str = ""
    expect_ticket_age_skew: int = 0
    expect_ech_accept: bool = False
    expect_ech_name_override: str = ""
    expect_no_ech_name_override: bool = False
    expect_ech_retry_configs: bytes = b""
    expect_no_ech_retry_configs: bool = False
    expect_extended_master_secret: bool = False
    expect_secure_renegotiation: bool = False
    expect_no_secure_renegotiation: bool = False
    expect_total_renegotiations: int = 0
    expect_msg_callback: str = ""

    credential: CredentialSettings = field(default_factory=CredentialSettings)
    credentials: list[CredentialSettings] = field(default_factory=list)


# Flags that change nothing that a test could see here, and why.
WITHOUT_EFFECT = {
    "trust-cert": "no test depends on path building: what is accepted is -verify-fail's business",
    "implicit-handshake": "the handshake is driven by reading and writing in any case",
    "use-early-callback": "there is one moment at which a server chooses its certificate",
    "use-old-client-cert-callback": "there is one way to give a client a certificate",
    "set-ocsp-in-callback": "a stapled response belongs to its certificate, whoever chooses that",
    "no-tls1": "TLS 1.0 is never spoken",
    "no-tls11": "TLS 1.1 is never spoken",
    "forbid-renegotiation-after-handshake": "there is no renegotiation at any time",
}

NEW_CREDENTIAL = {"new-x509-credential": "x509", "new-psk-credential": "psk", "new-rpk-credential": "rpk"}

# A value of its own, not one that follows.
FIXED = {
    "psk-importer-sha256": ("psk_importer_hash", "sha256"),
    "psk-importer-sha384": ("psk_importer_hash", "sha384"),
    "no-key-shares": ("key_shares", ()),
}

_SPELLED = {"async": "is_async"}  # Python keeps this word to itself
_TYPES = {
    kind: {item.name: str(item.type).removesuffix(" | None") for item in fields(kind)}
    for kind in (Settings, CredentialSettings)
}


def parse(arguments: Sequence[str]) -> tuple[Settings, Settings, Settings]:
    """The settings for the first connection, for those that resume, and for the rest of one after a refused 0-RTT."""
    initial, resume, retry = Settings(), Settings(), Settings()
    prefixes = {"on-initial": [initial], "on-resume": [resume], "on-retry": [retry]}
    words = iter(arguments)
    for word in words:
        name = word.removeprefix("-")
        ours = not name.startswith("on-handshaker-")  # a helper process that we do not have
        name = name.removeprefix("on-shim-").removeprefix("on-handshaker-")
        targets = [initial, resume, retry]
        for prefix, only in prefixes.items():
            if name.startswith(prefix + "-"):
                name, targets = name.removeprefix(prefix + "-"), only
        _apply(name, words, targets if ours else [Settings()])
    return initial, resume, retry


def _apply(name: str, words: Iterator[str], targets: list[Settings]) -> None:
    if name in WITHOUT_EFFECT:
        if name == "trust-cert":
            next(words)
        return
    if name in NEW_CREDENTIAL:
        for settings in targets:
            settings.credentials.append(CredentialSettings(NEW_CREDENTIAL[name]))
        return
    attribute, value = FIXED.get(name, (_SPELLED.get(name, name.replace("-", "_")), None))
    kind = Settings if attribute in _TYPES[Settings] else CredentialSettings
    type_name = _TYPES[kind].get(attribute)
    if type_name is None or attribute in ("credential", "credentials", "kind"):
        raise Unimplemented(f"-{name}")
    if name in FIXED:
        value = list(value) if isinstance(value, tuple) else value
    else:
        value = True if type_name == "bool" else _value(type_name, next(words))
    for settings in targets:
        holder: Any = settings
        if kind is CredentialSettings:
            holder = settings.credentials[-1] if settings.credentials else settings.credential
        if name not in FIXED and type_name.startswith("list"):
            value_so_far = getattr(holder, attribute) or []
            setattr(holder, attribute, [*value_so_far, value])
        else:
            setattr(holder, attribute, value)


def _value(type_name: str, text: str) -> int | str | bytes:
    if "int" in type_name:
        return int(text)
    return base64.b64decode(text, validate=True) if "bytes" in type_name else text

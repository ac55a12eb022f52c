"""What a server chooses for every version: its certificate and the application protocol."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from types import NoneType
from typing import Any

from ...errors import ConfigurationError, GlasslockError, NegotiationFailed
from ...registry import TLS_1_3, AlertDescription
from ...trace import Step
from ..config import ClientHelloInfo, ServerConfig
from ..credentials import Credential, best_chain
from ..keys.signatures import CURVE_OF_KEY, signature_of
from .authentication import choose_scheme, no_common_scheme
from .certificate_types import X509_ONLY, no_common_type
from .client_wishes import ClientWishes
from .context import Handshake, Question

_NO_TYPE = "none of our certificates is of a type that the client can make use of"


def choose_credential(
    hs: Handshake,
    config: ServerConfig,
    wishes: ClientWishes,
    schemes: tuple[int, ...],
    signatures: frozenset[str] = frozenset({"ecdsa", "rsa"}),
    key_transport: bool = False,
) -> Generator[Question, Any, Credential]:
    """The certificate for the name that the client asks for, with a key that it can check.

    `signatures` are the kinds of signature that a TLS 1.2 suite in common could use; with `key_transport` one of
    them needs none.
    """
    info = ClientHelloInfo(
        server_name=wishes.server_name,
        version=hs.agreed.version,
        signature_schemes=schemes,
        certificate_schemes=wishes.schemes_cert or schemes,
        alpn_protocols=tuple(protocol.decode("latin-1") for protocol in wishes.protocols),
        certificate_authorities=wishes.authorities,
        cipher_suites=wishes.hello.cipher_suites,
        certificate_types=wishes.server_certificate_types or X509_ONLY,
        signatures=signatures,
        key_transport=key_transport,
        groups=wishes.groups,
    )
    chooser = config.choose_credential
    if chooser is None:
        credential = from_config(config, info)
    else:
        now = partial(_ask_now, chooser, info)
        credential = yield from hs.ask(chooser, "credential", info, now, (Credential, NoneType))
        if credential is not None:
            _require_usable(credential, info)
    if credential is None:
        raise NegotiationFailed(
            AlertDescription.UNRECOGNIZED_NAME,
            "unrecognized-name",
            f"this server has no certificate for {info.server_name or 'a client that names no host'}",
            "RFC 6066 section 3",
        )
    hs.agreed.own_certificate_type = credential.certificate_type
    if hs.observer is not None:
        _tell_choice(hs, credential, info.server_name)
    return credential


def _require_usable(credential: Credential, info: ClientHelloInfo) -> None:
    """Somebody else chose it, and may have looked at less than `from_config` does."""
    if credential.certificate_type not in info.certificate_types:
        raise no_common_type(_NO_TYPE, told=info.certificate_types != X509_ONLY)
    if not _on_known_curve(credential, info):
        raise no_common_curve()
    if not (_can_sign(credential, info) or _need_not_sign(credential, info)):
        raise no_common_scheme()


def _tell_choice(hs: Handshake, credential: Credential, server_name: str | None) -> None:
    hs.decided(
        "certificate",
        ", ".join(sorted(credential.names)) or "a certificate without DNS names",
        offered=(server_name,) if server_name else (),
        why="it covers the name" if server_name and credential.covers(server_name) else "the default",
        rule="RFC 9846 section 4.5.1.2",
        step=Step.IDENTIFY,
    )


def _can_sign(credential: Credential, info: ClientHelloInfo) -> bool:
    """Whether its key can sign in a way that the client can check."""
    return choose_scheme(credential, info.signature_schemes, info.version) is not None


def _on_known_curve(credential: Credential, info: ClientHelloInfo) -> bool:
    """TLS 1.2: an ECDSA key has to be on a curve that the client offers (RFC 8422 section 5.3)."""
    curve = CURVE_OF_KEY.get(credential.key_kind)
    return info.version >= TLS_1_3 or curve is None or info.groups is None or curve in info.groups


def no_common_curve() -> NegotiationFailed:
    return NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "no-common-curve",
        "our certificates' keys are on curves that the client does not offer",
        "RFC 8422 section 5.3",
    )


def _need_not_sign(credential: Credential, info: ClientHelloInfo) -> bool:
    """Whether RSA key transport would do: the key shows itself by decrypting."""
    return info.key_transport and credential.can_decrypt


def _ask_now(chooser: Any, info: ClientHelloInfo) -> Any:
    try:
        return chooser(info)
    except GlasslockError:
        raise
    except Exception as problem:  # a chooser is foreign code: whatever it raises must not leave the engine
        raise ConfigurationError(f"the choice of a certificate failed: {problem!r}") from problem


def psk_unknown() -> NegotiationFailed:
    return NegotiationFailed(
        AlertDescription.HANDSHAKE_FAILURE,
        "psk-unknown",
        "the client offers no pre-shared key that this server knows, and a certificate will not do",
        "RFC 9846 section 4.2.1",
    )


def from_config(config: ServerConfig, info: ClientHelloInfo) -> Credential | None:
    """Among our certificates with a usable key: the first that covers the name, else the first."""
    if not config.credentials and (config.external_psks or config.find_external_psk):
        raise psk_unknown()
    if not config.credentials:
        raise ConfigurationError("the server has no certificate: give ServerConfig credentials")
    for credential in config.credentials:
        if _fits(credential, info):
            return credential
    return _next_best(config, info)


def _fits(credential: Credential, info: ClientHelloInfo) -> bool:
    """Whether there is nothing that another certificate could do better."""
    return (
        (info.server_name is None or credential.covers(info.server_name))
        and credential.certificate_type in info.certificate_types
        and signature_of(credential.key_kind) in info.signatures
        and _on_known_curve(credential, info)
        and _can_sign(credential, info)
        and credential.suits_authorities(info.certificate_authorities)
        and credential.chain_suits(info.certificate_schemes)
    )


def _next_best(config: ServerConfig, info: ClientHelloInfo) -> Credential | None:
    """One that will do, or why there is none."""
    suited = [c for c in config.credentials if c.certificate_type in info.certificate_types]
    if not suited:
        raise no_common_type(_NO_TYPE, told=info.certificate_types != X509_ONLY)
    suited = [c for c in suited if signature_of(c.key_kind) in info.signatures]
    if suited and not any(_on_known_curve(c, info) for c in suited):
        raise no_common_curve()
    suited = [c for c in suited if _on_known_curve(c, info)]
    usable = [c for c in suited if _can_sign(c, info)] or [c for c in suited if _need_not_sign(c, info)]
    if not usable:
        raise no_common_scheme()
    usable = [c for c in usable if c.suits_authorities(info.certificate_authorities)]
    if not usable:
        raise NegotiationFailed(
            AlertDescription.HANDSHAKE_FAILURE,
            "no-matching-issuer",
            "none of our certificates is from an authority that the client names",
            "RFC 9846 section 4.3.4",
        )
    name = info.server_name
    covering = [credential for credential in usable if name is not None and credential.covers(name)]
    if name is not None and config.require_known_name and not any(c.covers(name) for c in config.credentials):
        return None
    chosen = best_chain(covering or usable, info.certificate_schemes)
    if chosen is None:
        raise NegotiationFailed(
            AlertDescription.HANDSHAKE_FAILURE,
            "no-acceptable-chain",
            "our certificates are signed with SHA-1, which the client does not accept",
            "RFC 9846 section 4.5.1.2",
        )
    return chosen


def choose_protocol(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> None:
    """The first protocol of ours that the client offers (RFC 7301 section 3.2)."""
    if not wishes.protocols or not config.alpn_protocols:
        return
    offered = tuple(protocol.decode("latin-1") for protocol in wishes.protocols)
    for protocol in config.alpn_protocols:
        if protocol in offered:
            hs.agreed.alpn = protocol
            hs.decided(
                "alpn",
                protocol,
                offered=offered,
                supported=config.alpn_protocols,
                why="our first that the client offers",
                rule="RFC 7301 section 3.2",
            )
            return
    if not config.require_common_protocol:
        hs.decided("alpn", None, offered=offered, supported=config.alpn_protocols, why="none in common")
        return
    raise NegotiationFailed(
        AlertDescription.NO_APPLICATION_PROTOCOL,
        "no-application-protocol",
        f"the client offers {', '.join(offered)}; this server speaks {', '.join(config.alpn_protocols)}",
        "RFC 7301 section 3.2",
    )

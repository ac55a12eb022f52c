"""X.509 certificates or raw public keys: which of them each side shows (RFC 7250 section 4).

A hello without the extensions means X.509, so they are sent only where something else would do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import NegotiationFailed
from ...registry import AlertDescription, CertificateType, ExtensionType, members, name_of
from ...trace import Step
from ..config import ClientConfig, ServerConfig
from ..wire import extensions as ext
from ..wire.codec import u8
from ..wire.messages import Extensions
from .context import Handshake, illegal

if TYPE_CHECKING:
    from .client_wishes import ClientWishes

_E = members(ExtensionType)
X509_ONLY: tuple[int, ...] = (CertificateType.X509,)


# --- the client -----------------------------------------------------------------------------------


def offer_certificate_types(config: ClientConfig) -> Extensions:
    """What we accept from the server, and what we could show ourselves."""
    found: Extensions = {}
    if config.peer_certificate_types != X509_ONLY:
        found[_E.SERVER_CERTIFICATE_TYPE] = ext.write_u8_vector(config.peer_certificate_types)
    if config.own_types not in ((), X509_ONLY):
        found[_E.CLIENT_CERTIFICATE_TYPE] = ext.write_u8_vector(config.own_types)
    return found


def accept_certificate_types(hs: Handshake, config: ClientConfig, answers: Extensions) -> None:
    """The server's choices among those; in a resumption nobody shows anything."""
    agreed = hs.agreed
    if _E.CLIENT_CERTIFICATE_TYPE in answers:
        agreed.own_certificate_type = _chosen(hs, answers, _E.CLIENT_CERTIFICATE_TYPE, config.own_types)
    if _E.SERVER_CERTIFICATE_TYPE in answers:
        chosen = _chosen(hs, answers, _E.SERVER_CERTIFICATE_TYPE, config.peer_certificate_types)
        if not agreed.resumed:
            agreed.peer_certificate_type = chosen
    elif CertificateType.X509 not in config.peer_certificate_types and not agreed.resumed:
        raise no_common_type("the server would show an X.509 certificate, and this client wants a raw public key")


def _chosen(hs: Handshake, answers: Extensions, kind: ExtensionType, offered: tuple[int, ...]) -> int:
    chosen = ext.read_certificate_type(answers[kind], kind)
    if chosen not in offered:
        raise illegal(
            "certificate-type-not-offered",
            f"the server chose the {kind.name.lower()} {name_of(CertificateType, chosen)}, which was not offered",
            "RFC 7250 section 4.2",
        )
    _tell(hs, kind, chosen, offered, "the server's choice among what we offered")
    return chosen


# --- the server -----------------------------------------------------------------------------------


def choose_client_type(hs: Handshake, config: ServerConfig, wishes: ClientWishes) -> None:
    """The type to ask the client for: our first that it can show."""
    offered = wishes.client_certificate_types or X509_ONLY
    for kind in config.peer_certificate_types:
        if kind in offered:
            hs.agreed.peer_certificate_type = kind
            if wishes.client_certificate_types is not None:
                _tell(hs, _E.CLIENT_CERTIFICATE_TYPE, kind, offered, "our first that the client has")
            return
    raise no_common_type("the client has no certificate of a type that this server accepts")


def answer_certificate_types(hs: Handshake, wishes: ClientWishes, asked: bool) -> Extensions:
    """To who asked what we show, or showed in the handshake that is resumed; and what we ask for, if we ask."""
    found: Extensions = {}
    ours = hs.agreed.own_certificate_type
    if hs.agreed.external_psk is None and ours in (wishes.server_certificate_types or ()):
        found[_E.SERVER_CERTIFICATE_TYPE] = u8(ours)
    if wishes.client_certificate_types is not None and asked:
        found[_E.CLIENT_CERTIFICATE_TYPE] = u8(hs.agreed.peer_certificate_type)
    return found


def no_common_type(problem: str, *, told: bool = True) -> NegotiationFailed:
    """`told` is whether the peer said which types it knows: if so, it will know what the alert means."""
    alert = AlertDescription.UNSUPPORTED_CERTIFICATE if told else AlertDescription.HANDSHAKE_FAILURE
    return NegotiationFailed(alert, "no-common-certificate-type", problem, "RFC 7250 section 4.2")


def _tell(hs: Handshake, kind: ExtensionType, chosen: int, offered: tuple[int, ...], why: str) -> None:
    hs.decided(
        kind.name.lower(),
        chosen,
        offered=offered,
        kind=CertificateType,
        why=why,
        rule="RFC 7250 section 4.2",
        step=Step.IDENTIFY,
    )

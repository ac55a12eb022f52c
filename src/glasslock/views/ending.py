"""How a connection ended, in the words of a browser: padlock or not, why, who can fix it, and how.

When the trust decision said no, its verdict is the answer. Everything else that can go wrong (no address, no
TLS, an alert, a cut) is answered from the tables here, so that each failure has its own clear message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glasslock.registry import AlertDescription, Side, name_of
from glasslock.tls.wire.dissect import dissect_alert
from glasslock.trace import (
    BodyReceived,
    ConnectAttempted,
    HandshakeCompleted,
    HttpResponse,
    NameResolved,
    Outcome,
    Refused,
    Step,
    TcpConnected,
    VerdictReached,
)

if TYPE_CHECKING:
    from .story import Story

_NO_SITE = "This site can't be reached"
_CHANGED = "Something on the way changed what was sent"
_NOT_SECURE = "This site can't provide a secure connection"

VISITOR = "you"
OPERATOR = "the site's operator"
NETWORK = "whoever runs the network"


@dataclass(frozen=True, slots=True)
class Ending:
    """The answer to "is this connection private?", and what to do if not."""

    padlock: bool
    headline: str
    code: str = ""
    message: str = ""  # what a browser's page says first
    details: str = ""  # what it says when asked for more
    cause: str = ""
    who_can_fix: str = ""
    fix: str = ""
    others_say: tuple[tuple[str, str], ...] = ()
    may_proceed: bool | None = None  # None where the question does not arise
    stopped_at: Step | None = None  # the step that failed; None if all four are done
    warning: str = ""


def how_it_ended(story: Story) -> Ending:
    """Judge a connection by its trace; the first cause wins, not the last consequence."""
    verdict = story.last(VerdictReached)
    refused = story.first(Refused)
    closed = story.closed_badly
    if verdict is not None and not verdict.padlock:
        return _of_verdict(verdict)
    if story.is_unreached:
        return _unreached(story)
    if refused is not None:
        return _refused(refused, story)
    if story.fatal_alert is not None:
        return _alert(story.fatal_alert.description, story)
    if closed is not None and _is_cut(story):
        return _cut(closed.problem, story)
    return replace(_of_success(story, verdict), warning=closed.problem if closed is not None else "")


def _is_cut(story: Story) -> bool:
    """Whether an end without close_notify may have cost something (browsers leave servers like that)."""
    if story.first(HandshakeCompleted) is None:
        return True
    return story.side is Side.CLIENT and story.first(BodyReceived) is None


def _of_verdict(verdict: VerdictReached) -> Ending:
    return Ending(
        padlock=False,
        headline=verdict.headline,
        code=verdict.code,
        message=verdict.message,
        details=verdict.details,
        cause=verdict.cause,
        who_can_fix=verdict.who_can_fix,
        fix=verdict.fix,
        others_say=verdict.others_say,
        may_proceed=verdict.may_proceed,
        stopped_at=Step.IDENTIFY,
    )


def _of_success(story: Story, verdict: VerdictReached | None) -> Ending:
    done = story.first(HandshakeCompleted)
    if done is None:
        step = Step.AGREE if story.first(TcpConnected) is not None else Step.REACH
        return Ending(
            padlock=False,
            headline="The connection was not finished",
            cause="The trace ends before both sides had agreed on keys.",
            stopped_at=step,
        )
    if verdict is not None:
        return Ending(padlock=True, headline=verdict.headline or "Your connection is private", code=verdict.code)
    if story.side is Side.SERVER:
        return Ending(padlock=True, headline="Keys agreed")
    if done.resumed:
        return Ending(
            padlock=False,
            headline="Encrypted, but no certificate was checked on this connection",
            cause="It continues an earlier one: whoever was at the other end then is there now.",
        )
    return Ending(
        padlock=False,
        headline="Encrypted, but nobody checked who is at the other end",
        cause="No certificate was judged on this connection.",
    )


# --- step 1 -----------------------------------------------------------------------------------------

_REACH: tuple[tuple[str, str, str, str], ...] = (
    # (a word in the error, browser's code, who, fix)
    (
        "refused",
        "ERR_CONNECTION_REFUSED",
        OPERATOR,
        "The computer is there, but no program listens on that port. Check the port; start the server.",
    ),
    (
        "timed out",
        "ERR_CONNECTION_TIMED_OUT",
        NETWORK,
        "No answer came: check the address, the network, the firewall.",
    ),
    (
        "time",
        "ERR_CONNECTION_TIMED_OUT",
        NETWORK,
        "No answer came: check the address, the network, the firewall.",
    ),
    (
        "unreachable",
        "ERR_ADDRESS_UNREACHABLE",
        NETWORK,
        "There is no route to that address: check the network.",
    ),
    (
        "reset",
        "ERR_CONNECTION_RESET",
        NETWORK,
        "Something on the path cut the connection: try another network.",
    ),
)


def _unreached(story: Story) -> Ending:
    resolved = story.last(NameResolved)
    if resolved is not None and resolved.error:
        return Ending(
            padlock=False,
            headline=_NO_SITE,
            code="ERR_NAME_NOT_RESOLVED",
            cause=resolved.error,
            who_can_fix=VISITOR,
            fix="Check the spelling of the name, and that this computer is online.",
            stopped_at=Step.REACH,
        )
    errors = [a.error for a in story.all(ConnectAttempted) if a.outcome is Outcome.FAILED and a.error]
    cause = errors[-1] if errors else "no address answered"
    unknown = ("", "ERR_CONNECTION_FAILED", NETWORK, "Check the address and the network.")
    _, code, who, fix = next((row for row in _REACH if row[0] in cause.lower()), unknown)
    return Ending(
        padlock=False,
        headline=_NO_SITE,
        code=code,
        cause=cause,
        who_can_fix=who,
        fix=fix,
        stopped_at=Step.REACH,
    )


# --- steps 2 to 4: this side refused ----------------------------------------------------------------

_VERSIONS = "Offer TLS 1.3 (or at least 1.2): upgrade the server's TLS library, or change its list of versions."
_TAMPERED = "Try another network: a proxy, a filter or an attacker on this one changes what passes through it."


@dataclass(frozen=True, slots=True)
class _Advice:
    code: str
    who: str
    fix: str
    headline: str = _NOT_SECURE


# By the stable code of the refusal.
_REFUSALS: dict[str, _Advice] = {
    "plain-http": _Advice(
        "ERR_SSL_PROTOCOL_ERROR",
        OPERATOR,
        "This port speaks plain HTTP. Visit it as http://, or set up a certificate on it.",
    ),
    "unsupported-version": _Advice("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", OPERATOR, _VERSIONS),
    "downgrade": _Advice("ERR_TLS13_DOWNGRADE_DETECTED", NETWORK, _TAMPERED),
    "bad-record-mac": _Advice("ERR_SSL_PROTOCOL_ERROR", NETWORK, _TAMPERED, _CHANGED),
    "bad-finished": _Advice("ERR_SSL_PROTOCOL_ERROR", NETWORK, _TAMPERED, _CHANGED),
    "bad-signature": _Advice(
        "ERR_SSL_PROTOCOL_ERROR",
        NETWORK,
        "The server does not hold the certificate's key: it may be an impostor. Do not send it anything.",
    ),
    "timeout": _Advice(
        "ERR_TIMED_OUT",
        OPERATOR,
        "Try again later; if it stays so, the server takes connections but does not answer: its operator must look.",
        "This site can't be reached",
    ),
    "certificate-required": _Advice(
        "ERR_BAD_SSL_CLIENT_AUTH_CERT",
        VISITOR,
        "Show a certificate: glasslock visit --cert FILE --key FILE.",
    ),
    "unknown-record-type": _Advice(
        "ERR_SSL_PROTOCOL_ERROR",
        VISITOR,
        "This port does not speak TLS: is it the right port? HTTPS is usually on 443.",
    ),
    "truncated": _Advice(
        "ERR_CONNECTION_CLOSED",
        NETWORK,
        "Fetch it again: without the closing message nobody can tell whether the end is missing.",
    ),
}
_NOTHING_IN_COMMON = "Upgrade the client, or allow this server what it offers."
# The same where we are the server, and the client's side is the one to mend.
_REFUSED_CLIENTS: dict[str, str] = {
    "unsupported-version": "Upgrade the client: this server speaks nothing older than TLS 1.2.",
    "no-common-suite": _NOTHING_IN_COMMON,
    "no-common-group": _NOTHING_IN_COMMON,
    "no-common-curve": "Give this server a certificate for a key on another curve, or an RSA key as well.",
    "no-common-signature-scheme": "Give this server a certificate for another kind of key, or upgrade the client.",
    "no-application-protocol": "The client wants another service: was it sent here by mistake?",
    "http-request": "Visit it as https://.",
    "not-tls": "Scanners do this, and programs that were given the wrong port.",
    "unknown-record-type": "Scanners do this, and programs that were given the wrong port.",
    "timeout": "Scanners do this, and browsers that connect ahead of time; if it happens often, look at the network.",
    "certificate-required": "Give the client a certificate by an authority that this server accepts.",
    "bad-record-mac": _TAMPERED,
    "bad-finished": _TAMPERED,
}
_CLIENT_FAULT = "If this client should be let in, report the message above to whoever makes it."
_PEER_FAULT = _Advice(
    "ERR_SSL_PROTOCOL_ERROR",
    OPERATOR,
    "The peer broke a rule of the protocol: report the message above to its operator.",
)


def _refused(refused: Refused, story: Story) -> Ending:
    rule = f" ({refused.rule})" if refused.rule and refused.rule not in refused.message else ""
    cause = refused.message + rule
    if story.side is Side.SERVER:
        return Ending(
            padlock=False,
            headline="This connection was refused",
            code=refused.code,
            cause=cause,
            fix=_REFUSED_CLIENTS.get(refused.code, _CLIENT_FAULT),
            stopped_at=refused.step,
        )
    advice = _REFUSALS.get(refused.code, _PEER_FAULT)
    return Ending(
        padlock=False,
        headline=advice.headline,
        code=advice.code,
        cause=cause,
        who_can_fix=advice.who,
        fix=advice.fix,
        stopped_at=refused.step,
    )


# --- the peer refused -------------------------------------------------------------------------------

_LOGIN = "Show a certificate that the site accepts, or ask its operator for one."
_ALERTS: dict[int, _Advice] = {
    AlertDescription.HANDSHAKE_FAILURE: _Advice(
        "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
        OPERATOR,
        "Enable a cipher suite, a group and a signature scheme that today's clients have.",
    ),
    AlertDescription.PROTOCOL_VERSION: _Advice("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", OPERATOR, _VERSIONS),
    AlertDescription.INSUFFICIENT_SECURITY: _Advice("ERR_SSL_VERSION_OR_CIPHER_MISMATCH", OPERATOR, _VERSIONS),
    AlertDescription.UNRECOGNIZED_NAME: _Advice(
        "ERR_SSL_UNRECOGNIZED_NAME_ALERT",
        OPERATOR,
        "Set up this name on the server, or point the name elsewhere.",
    ),
    AlertDescription.BAD_RECORD_MAC: _Advice("ERR_SSL_BAD_RECORD_MAC_ALERT", NETWORK, _TAMPERED, _CHANGED),
    AlertDescription.DECRYPT_ERROR: _Advice("ERR_SSL_DECRYPT_ERROR_ALERT", NETWORK, _TAMPERED, _CHANGED),
    AlertDescription.CERTIFICATE_REQUIRED: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.BAD_CERTIFICATE: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.UNKNOWN_CA: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.CERTIFICATE_EXPIRED: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.CERTIFICATE_REVOKED: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.CERTIFICATE_UNKNOWN: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.ACCESS_DENIED: _Advice("ERR_BAD_SSL_CLIENT_AUTH_CERT", VISITOR, _LOGIN),
    AlertDescription.NO_APPLICATION_PROTOCOL: _Advice(
        "ERR_ALPN_NEGOTIATION_FAILED",
        OPERATOR,
        "Enable HTTP/2 or HTTP/1.1 on this port (ALPN h2 or http/1.1).",
    ),
    AlertDescription.INTERNAL_ERROR: _Advice("ERR_SSL_PROTOCOL_ERROR", OPERATOR, "Look into the server's own log."),
}
_ON_SERVER: dict[int, str] = {
    AlertDescription.UNKNOWN_CA: "The client does not trust the issuer: install the root there.",
    AlertDescription.CERTIFICATE_UNKNOWN: "The client did not accept the certificate: see what it says.",
    AlertDescription.BAD_CERTIFICATE: "The client did not accept the certificate: see what it says.",
    AlertDescription.CERTIFICATE_EXPIRED: "Renew the certificate, or set the client's clock.",
    AlertDescription.CERTIFICATE_REVOKED: "Get a new certificate.",
}


def _alert(description: int, story: Story) -> Ending:
    name = name_of(AlertDescription, description)
    meaning = dissect_alert(bytes([2, description & 0xFF])).note
    at_handshake = story.first(HandshakeCompleted) is None
    step = Step.AGREE if at_handshake else Step.PROTECT
    if story.side is Side.SERVER:
        return Ending(
            padlock=False,
            headline="The client ended the connection",
            code=name,
            cause=f"Its alert: {name}. {meaning}",
            who_can_fix="",
            fix=_ON_SERVER.get(description, ""),
            stopped_at=step,
        )
    advice = _ALERTS.get(description, _PEER_FAULT if at_handshake else replace(_PEER_FAULT, fix=_TAMPERED))
    return Ending(
        padlock=False,
        headline=advice.headline,
        code=advice.code,
        cause=f"The server ended the connection with the alert {name}. {meaning}",
        who_can_fix=advice.who,
        fix=advice.fix,
        stopped_at=step,
    )


def _cut(problem: str, story: Story) -> Ending:
    done = story.first(HandshakeCompleted)
    answered = story.first(HttpResponse) is not None
    if done is not None:
        cause = problem or "the connection ended without close_notify: data may be missing"
        return Ending(
            padlock=False,
            headline="The connection was cut" if answered else _NO_SITE,
            code="ERR_CONNECTION_CLOSED",
            cause=cause,
            who_can_fix=NETWORK,
            fix=_REFUSALS["truncated"].fix,
            stopped_at=Step.PROTECT,
        )
    if story.side is Side.SERVER:
        return Ending(
            padlock=False,
            headline="The client went away",
            cause=problem,
            fix="Scanners do this, and clients that do not trust a certificate and keep that to themselves.",
            stopped_at=Step.AGREE,
        )
    return Ending(
        padlock=False,
        headline=_NO_SITE,
        code="ERR_CONNECTION_CLOSED",
        cause=problem or "the connection was closed in the middle of the handshake",
        who_can_fix=OPERATOR,
        fix="Check that this port speaks TLS, and what the server's log says.",
        stopped_at=Step.AGREE,
    )

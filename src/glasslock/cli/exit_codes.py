"""What the exit status of a command says. Stable: scripts may rely on it.

0       padlock: the site is who it should be, and everything arrived
1       something went wrong that has no number of its own
2       the command line itself was wrong
10-13   step 1: name not found, refused, unreachable, no answer in time
14      the port speaks, but not TLS
15-19   the handshake: no answer in time, cut, ended by the peer's alert, against the protocol,
        nothing in common
20-35   the certificate; one number for each kind of verdict (`glasslock.trust.EXIT_CODES`)
40-42   after the handshake: no answer in time, not usable HTTP, data cut off without close_notify
130     interrupted (Ctrl-C)
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import (
    CertificateRefused,
    ConfigurationError,
    ConnectFailed,
    ConnectionTruncated,
    HttpFailed,
    NegotiationFailed,
    PeerAlert,
    TLSError,
)
from ..trace import HandshakeCompleted, TraceRecord
from ..trust import Verdict

PADLOCK = 0
OTHER = 1
USAGE = 2
REACH = {"name-not-found": 10, "refused": 11, "unreachable": 12, "timeout": 13}
NOT_TLS = 14
HANDSHAKE_TIMEOUT = 15
HANDSHAKE_CUT = 16
PEER_ALERT = 17
PROTOCOL_VIOLATED = 18
NOTHING_IN_COMMON = 19
RESPONSE_TIMEOUT = 40
NOT_HTTP = 41
TRUNCATED = 42
INTERRUPTED = 130

_NOT_TLS_CODES = {"plain-http", "http-request", "unknown-record-type", "not-tls"}


def of(error: BaseException, records: Sequence[TraceRecord] = ()) -> int:
    """The exit status for an error; the records tell a handshake cut off from data cut off."""
    done = any(isinstance(record, HandshakeCompleted) for record in records)
    match error:
        case KeyboardInterrupt():
            return INTERRUPTED
        case ConfigurationError():
            return USAGE
        case ConnectFailed():
            return REACH.get(error.code, REACH["unreachable"])
        case HttpFailed(code="timeout"):
            return RESPONSE_TIMEOUT
        case HttpFailed():
            return NOT_HTTP
        case CertificateRefused(evidence=Verdict() as verdict):
            return verdict.exit_code
        case TLSError():
            return _of_tls(error, done)
    return OTHER


def _of_tls(error: TLSError, done: bool) -> int:
    match error:
        case PeerAlert():
            return PEER_ALERT
        case ConnectionTruncated():
            return TRUNCATED if done else HANDSHAKE_CUT
        case NegotiationFailed():
            return NOTHING_IN_COMMON
        case TLSError(code="timeout"):
            return RESPONSE_TIMEOUT if done else HANDSHAKE_TIMEOUT
        case TLSError(code=code) if code in _NOT_TLS_CODES and not done:
            return NOT_TLS
        case TLSError(code="closed-in-handshake"):
            return HANDSHAKE_CUT
    return PROTOCOL_VIOLATED


def is_told(error: BaseException) -> bool:
    """Whether the story of the connection already says what this error says."""
    return not isinstance(error, HttpFailed | ConfigurationError)

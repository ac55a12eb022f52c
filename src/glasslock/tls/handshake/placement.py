"""Which extension may stand in which message (RFC 9846 section 4.3), and that nobody answers unasked."""

from __future__ import annotations

from collections.abc import Container

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, ExtensionType, is_grease, members, name_of
from ..wire.messages import Extensions
from .context import illegal

_E = members(ExtensionType)

# The rows of the table, read by column; HelloRetryRequest has its own.
ENCRYPTED_EXTENSIONS = frozenset(
    {
        _E.SERVER_NAME,
        _E.SUPPORTED_GROUPS,
        _E.USE_SRTP,
        _E.HEARTBEAT,
        _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
        _E.CLIENT_CERTIFICATE_TYPE,
        _E.SERVER_CERTIFICATE_TYPE,
        _E.MAX_FRAGMENT_LENGTH,
        _E.RECORD_SIZE_LIMIT,
        _E.EARLY_DATA,
        _E.TICKET_REQUEST,
        _E.QUIC_TRANSPORT_PARAMETERS,
        _E.ENCRYPTED_CLIENT_HELLO,
    }
)
SERVER_HELLO = frozenset({_E.SUPPORTED_VERSIONS, _E.KEY_SHARE, _E.PRE_SHARED_KEY})
HELLO_RETRY_REQUEST = frozenset({_E.SUPPORTED_VERSIONS, _E.KEY_SHARE, _E.COOKIE, _E.ENCRYPTED_CLIENT_HELLO})
CERTIFICATE = frozenset({_E.STATUS_REQUEST, _E.SIGNED_CERTIFICATE_TIMESTAMP, _E.DELEGATED_CREDENTIAL})
CERTIFICATE_REQUEST = frozenset(
    {
        _E.SERVER_NAME,
        _E.STATUS_REQUEST,
        _E.SIGNED_CERTIFICATE_TIMESTAMP,
        _E.SIGNATURE_ALGORITHMS,
        _E.SIGNATURE_ALGORITHMS_CERT,
        _E.COMPRESS_CERTIFICATE,
        _E.CERTIFICATE_AUTHORITIES,
        _E.OID_FILTERS,
        _E.DELEGATED_CREDENTIAL,
    }
)
NEW_SESSION_TICKET = frozenset({_E.EARLY_DATA})

_KNOWN = frozenset(ExtensionType)


def check_placement(extensions: Extensions, allowed: frozenset[ExtensionType], where: str) -> None:
    """illegal_parameter for an extension that we know and that has no place in this message."""
    for kind in extensions:
        if kind in _KNOWN and kind not in allowed:
            raise illegal(
                "misplaced-extension",
                f"the extension {name_of(ExtensionType, kind)} has no place in {where}",
                "RFC 9846 section 4.3",
            )


def check_solicited(
    extensions: Extensions,
    offered: Container[int],
    allowed: frozenset[ExtensionType],
    where: str,
    unasked: Container[int] = (),
) -> None:
    """unsupported_extension for an answer to something that we did not ask, `unasked` excepted."""
    for kind in extensions:
        if (kind not in offered and kind not in unasked) or is_grease(kind):
            raise PeerMisbehaved(
                AlertDescription.UNSUPPORTED_EXTENSION,
                "unsolicited-extension",
                f"{where} answers with the extension {name_of(ExtensionType, kind)}, which was not offered",
                "RFC 9846 section 4.3",
            )
    check_placement(extensions, allowed, where)

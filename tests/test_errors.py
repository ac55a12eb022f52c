"""One family of exceptions, each with what a person and a program need."""

from __future__ import annotations

import pickle

import pytest

from glasslock.errors import (
    CertificateRefused,
    ConfigurationError,
    ConnectFailed,
    ConnectionTruncated,
    GlasslockError,
    NegotiationFailed,
    PeerAlert,
    PeerMisbehaved,
    TLSError,
)
from glasslock.registry import AlertDescription

EXAMPLES: list[GlasslockError] = [
    TLSError(AlertDescription.GENERAL_ERROR, "code", "what happened", "RFC 9846 section 6"),
    PeerMisbehaved(AlertDescription.DECODE_ERROR, "code", "what happened"),
    NegotiationFailed(AlertDescription.HANDSHAKE_FAILURE, "code", "what happened"),
    CertificateRefused(AlertDescription.UNKNOWN_CA, "code", "what happened"),
    PeerAlert(AlertDescription.HANDSHAKE_FAILURE),
    PeerAlert(200),
    ConnectionTruncated(),
    ConnectionTruncated("cut off"),
    ConnectFailed("refused", "nobody listens"),
    ConfigurationError("that cannot be"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: f"{type(error).__name__} {error}"[:50])
def test_errors_travel(error: GlasslockError) -> None:
    """Between processes as well: pickled, they are the same."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error) != ""
    assert vars(again) == vars(error)


def test_the_rule_is_part_of_the_text() -> None:
    assert str(EXAMPLES[0]) == "what happened (RFC 9846 section 6)"
    assert str(EXAMPLES[1]) == "what happened"


def test_alerts_of_the_peer_keep_their_number() -> None:
    known, unknown = PeerAlert(AlertDescription.HANDSHAKE_FAILURE), PeerAlert(200)
    assert (known.alert, known.description, known.code) == (40, 40, "peer-alert-handshake-failure")
    assert (unknown.alert, unknown.description, unknown.code) == (None, 200, "peer-alert-0xc8")


def test_a_configuration_error_is_a_value_error_too() -> None:
    assert isinstance(EXAMPLES[-1], ValueError)

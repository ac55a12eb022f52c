"""The end of every handshake: both sides show that they saw the same one."""

from __future__ import annotations

import hmac

from ... import trace
from ...errors import PeerMisbehaved
from ...registry import AlertDescription, Side
from ..events import HandshakeDone
from ..wire.messages import Finished
from .context import Handshake


def check_finished(received: Finished, expected: Finished) -> None:
    """decode_error for a MAC of the wrong length, decrypt_error for a wrong one (RFC 9846 section 4.5.3)."""
    if len(received.verify_data) != len(expected.verify_data):
        raise PeerMisbehaved(
            AlertDescription.DECODE_ERROR,
            "bad-finished-length",
            "Finished has the wrong length",
            "RFC 9846 section 4.5.3",
        )
    if not hmac.compare_digest(received.verify_data, expected.verify_data):
        raise PeerMisbehaved(
            AlertDescription.DECRYPT_ERROR,
            "bad-finished",
            "the two sides did not see the same handshake: something was changed on the way",
            "RFC 9846 section 4.5.3",
        )


def complete(hs: Handshake) -> None:
    """Both sides have shown that they saw the same handshake."""
    agreed = hs.agreed
    hs.application_data = hs.may_send = True
    hs.events.append(HandshakeDone())
    if hs.observer is not None:
        hs.tell(
            trace.HandshakeCompleted(
                time=hs.now(),
                side=hs.side,
                version=agreed.version,
                cipher_suite=agreed.cipher_suite,
                group=agreed.group,
                signature_scheme=agreed.signature_scheme,
                alpn=agreed.alpn,
                server_name=agreed.server_name,
                resumed=agreed.resumed,
                early_data=agreed.early_data_accepted,
                retried=agreed.retried,
                ech_accepted=agreed.ech_accepted,
                client_authenticated=bool(agreed.own_chain if hs.side is Side.CLIENT else agreed.peer_chain),
            )
        )

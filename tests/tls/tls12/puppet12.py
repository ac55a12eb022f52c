"""What a TLS 1.2 puppet may do: messages that have another form in this version."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from glasslock.registry import HandshakeType
from glasslock.tls.wire import messages, messages12

from ..puppet import Alter

CLASSES: dict[HandshakeType, Any] = {
    HandshakeType.CLIENT_HELLO: messages.ClientHello,
    HandshakeType.SERVER_HELLO: messages.ServerHello,
    HandshakeType.CERTIFICATE: messages12.Certificate12,
    HandshakeType.CERTIFICATE_STATUS: messages12.CertificateStatus,
    HandshakeType.SERVER_KEY_EXCHANGE: messages12.ServerKeyExchange,
    HandshakeType.CERTIFICATE_REQUEST: messages12.CertificateRequest12,
    HandshakeType.CLIENT_KEY_EXCHANGE: messages12.ClientKeyExchange,
    HandshakeType.CERTIFICATE_VERIFY: messages.CertificateVerify,
    HandshakeType.FINISHED: messages.Finished,
    HandshakeType.NEW_SESSION_TICKET: messages12.NewSessionTicket12,
}


def change12(kind: HandshakeType, edit: Callable[[Any], None]) -> Alter:
    """Parses each message of this kind, lets `edit` change it in place, and sends that."""

    def alter(found: HandshakeType, raw: bytes) -> Iterable[bytes]:
        if found is not kind:
            return (raw,)
        message = CLASSES[kind].parse(raw)
        edit(message)
        return (message.encode(),)

    return alter

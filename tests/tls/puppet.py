"""A peer that misbehaves on purpose: our own engine whose messages can be altered on their way out.

A puppet keeps correct keys and a correct transcript (over the messages as altered), so the only thing wrong
with what it sends is what the test made wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

from glasslock.registry import ContentType, HandshakeType
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    Connection,
    ExternalPsk,
    ServerConfig,
    ServerConnection,
    Session,
)
from glasslock.tls import connection as connection_module
from glasslock.tls.handshake.context import Handshake
from glasslock.tls.keys.key_schedule import EXTERNAL_BINDER, RESUMPTION_BINDER, KeySchedule
from glasslock.tls.keys.suites import SUITES_13
from glasslock.tls.wire import extensions, messages

# From one message that is about to be sent to those that are sent in its place.
Alter = Callable[[HandshakeType, bytes], Iterable[bytes]]

CLASSES: dict[HandshakeType, Any] = {
    HandshakeType.CLIENT_HELLO: messages.ClientHello,
    HandshakeType.SERVER_HELLO: messages.ServerHello,
    HandshakeType.ENCRYPTED_EXTENSIONS: messages.EncryptedExtensions,
    HandshakeType.CERTIFICATE_REQUEST: messages.CertificateRequest,
    HandshakeType.CERTIFICATE: messages.Certificate,
    HandshakeType.COMPRESSED_CERTIFICATE: messages.CompressedCertificate,
    HandshakeType.CERTIFICATE_VERIFY: messages.CertificateVerify,
    HandshakeType.FINISHED: messages.Finished,
    HandshakeType.END_OF_EARLY_DATA: messages.EndOfEarlyData,
    HandshakeType.NEW_SESSION_TICKET: messages.NewSessionTicket,
    HandshakeType.KEY_UPDATE: messages.KeyUpdate,
}


def puppet_class(alter: Alter) -> type[Handshake]:
    class PuppetHandshake(Handshake):
        __slots__ = ()

        def send_raw(self, kind: HandshakeType, raw: bytes) -> None:
            for altered in alter(kind, raw):
                known = altered[0] in HandshakeType.__members__.values()
                super().send_raw(HandshakeType(altered[0]) if known else kind, altered)

        def send_at_once(self, message: messages.Message) -> None:
            for altered in alter(message.type, message.encode()):
                self.writer.write(ContentType.HANDSHAKE, altered)

    return PuppetHandshake


def puppet_client(
    config: ClientConfig,
    alter: Alter,
    *,
    name: str | None = "localhost",
    session: Session | None = None,
    early_data: bool = False,
) -> ClientConnection:
    with mock.patch.object(connection_module, "Handshake", puppet_class(alter)):
        return ClientConnection(config, name, session=session, early_data=early_data)


def puppet_server(config: ServerConfig, alter: Alter) -> ServerConnection:
    with mock.patch.object(connection_module, "Handshake", puppet_class(alter)):
        return ServerConnection(config)


# --- what a puppet may do -------------------------------------------------------------------------


def change(kind: HandshakeType, edit: Callable[[Any], None], occurrence: int = 0) -> Alter:
    """Parses one message (the `occurrence`-th of its kind), lets `edit` change it in place, and sends that."""
    count = 0

    def alter(found: HandshakeType, raw: bytes) -> Iterable[bytes]:
        nonlocal count
        if found is not kind:
            return (raw,)
        count += 1
        if count - 1 != occurrence:
            return (raw,)
        message = CLASSES[kind].parse(raw)
        edit(message)
        return (message.encode(),)

    return alter


def change_and_bind(edit: Callable[[Any], None], *keys: ExternalPsk | Session) -> Alter:
    """Changes the first ClientHello and makes the binders of these keys, the first ones offered, right again."""

    def alter(kind: HandshakeType, raw: bytes) -> Iterable[bytes]:
        if kind is not HandshakeType.CLIENT_HELLO:
            return (raw,)
        hello = messages.ClientHello.parse(raw)
        edit(hello)
        offered = extensions.read_offered_psks(hello.extensions[41])
        truncated = hello.encode()[: -offered.binders_length]
        binders = [_binder(key, truncated) for key in keys] + list(offered.binders[len(keys) :])
        hello.extensions[41] = extensions.write_offered_psks(offered.identities, tuple(binders))
        return (hello.encode(),)

    return alter


def _binder(key: ExternalPsk | Session, truncated: bytes) -> bytes:
    external = isinstance(key, ExternalPsk)
    secret = key.key if isinstance(key, ExternalPsk) else key.psk
    hash_name = key.hash_name if isinstance(key, ExternalPsk) else SUITES_13[key.cipher_suite].hash_name
    schedule = KeySchedule(hash_name, secret)
    return schedule.binder(EXTERNAL_BINDER if external else RESUMPTION_BINDER, schedule.hash.new(truncated).digest())


def replace(kind: HandshakeType, *others: bytes) -> Alter:
    """Sends other messages in place of one; none to leave it out."""
    return lambda found, raw: others if found is kind else (raw,)


def rewrite(kind: HandshakeType, edit: Callable[[bytes], bytes]) -> Alter:
    """Changes the bytes of one message's body; its length field is made to fit."""

    def alter(found: HandshakeType, raw: bytes) -> Iterable[bytes]:
        return (messages.frame(kind, edit(raw[4:])),) if found is kind else (raw,)

    return alter


def before(kind: HandshakeType, *others: bytes) -> Alter:
    """Sends other messages before one."""
    return lambda found, raw: (*others, raw) if found is kind else (raw,)


def after(kind: HandshakeType, *others: bytes) -> Alter:
    """Sends other messages after one."""
    return lambda found, raw: (raw, *others) if found is kind else (raw,)


def twice(kind: HandshakeType) -> Alter:
    return lambda found, raw: (raw, raw) if found is kind else (raw,)


def unchanged(_: HandshakeType, raw: bytes) -> Iterable[bytes]:
    return (raw,)


# --- straight into the record layer ---------------------------------------------------------------


def send_record(connection: Connection, content_type: ContentType | int, data: bytes, padding: int = 0) -> None:
    """One record under the current keys, whatever it holds."""
    writer = connection._writer
    if writer.protection is None:
        writer._out.append(plain_record(content_type, data))
    else:
        writer._out.append(writer.protection.seal(content_type, data, padding))


def send_message(connection: Connection, *raw: bytes) -> None:
    """Handshake messages under the current keys, in one record, outside of the transcript."""
    send_record(connection, ContentType.HANDSHAKE, b"".join(raw))


def send_plain(connection: Connection, content_type: ContentType | int, data: bytes) -> None:
    """One record without protection, whatever the keys are."""
    connection._writer._out.append(plain_record(content_type, data))


def plain_record(content_type: int, data: bytes, version: bytes = b"\x03\x03") -> bytes:
    return bytes((content_type,)) + version + len(data).to_bytes(2, "big") + data

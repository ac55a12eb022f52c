"""Takes messages, records and alerts apart into named fields, for a person to look at.

This is not how the engine reads them: the engine refuses what is wrong, the dissector shows it. It never
raises, whatever the bytes; what cannot be read becomes a field that says so and keeps the bytes.
"""

from __future__ import annotations

from glasslock.registry import (
    AlertDescription,
    AlertLevel,
    ContentType,
    HandshakeType,
    ProtocolVersion,
    name_of,
)

from .dissect_alerts import ALERTS
from .dissect_messages import HELLO_RETRY_REQUEST, MESSAGES_12, MESSAGES_13, RETRY_RANDOM, Message
from .dissect_parts import Bytes, Field, Reader, read_parts
from .dissect_show import code

__all__ = ["Field", "dissect_alert", "dissect_message", "dissect_record"]

_UNKNOWN = "Not a message that this program knows."


def dissect_message(raw: bytes, version: int) -> Field:
    """Take one handshake message apart, its four header bytes included.

    `version` is the negotiated protocol version; TLS 1.2 and 1.3 give some messages different forms.
    """
    return _message(Reader(raw, 0, len(raw)), version)


def dissect_record(raw: bytes, version: int = ProtocolVersion.TLS_1_3, *, protected: bool = False) -> Field:
    """Take one TLS record apart, its five header bytes included; if `protected`, its payload stays closed."""
    r = Reader(raw, 0, len(raw))
    if r.left < 5:
        return Field("record", "cut off", 0, len(raw), children=(r.rest("unreadable", "Less than a header."),))
    kind = r.number(1)
    version_field = Field(
        "legacy_record_version",
        code(ProtocolVersion)(r.number(2)),
        1,
        2,
        "Frozen: says TLS 1.2 (in a first ClientHello maybe 1.0) whatever is spoken.",
    )
    size = r.number(2)
    head = (
        Field("type", code(ContentType)(kind), 0, 1, _CONTENT.get(kind, "Not a type that TLS has.")),
        version_field,
        Field("length", str(size), 3, 2, "The size of what follows: all that an eavesdropper learns of it."),
    )
    tail: list[Field] = []
    payload = r.window(min(size, r.left))
    if payload.end < 5 + size:
        tail.append(payload.rest("unreadable", f"The record should be {size} bytes long, but it is cut off."))
    elif protected or kind == ContentType.APPLICATION_DATA:
        tail.append(payload.rest("encrypted_record", "Ciphertext: noise to all who lack the key."))
    else:
        tail.extend(_plaintext(kind, payload, version))
    if r.left:
        tail.append(r.rest("unexpected bytes", "It should have ended here, but more bytes follow."))
    return Field("record", name_of(ContentType, kind), 0, len(raw), children=(*head, *tail))


def dissect_alert(raw: bytes) -> Field:
    """Take the two bytes of an alert apart."""
    return _alert(Reader(raw, 0, len(raw)))


_CONTENT: dict[int, str] = {
    ContentType.CHANGE_CIPHER_SPEC: "TLS 1.2: new keys from here on. TLS 1.3: a show for middleboxes.",
    ContentType.ALERT: "Why a connection ends.",
    ContentType.HANDSHAKE: "The two sides getting to know each other.",
    ContentType.APPLICATION_DATA: "Encrypted; in TLS 1.3 handshake and alerts look like this too.",
}


def _message(r: Reader, version: int) -> Field:
    start = r.position
    if r.left < 4:
        return Field("message", "cut off", start, r.left, children=(r.rest("unreadable", "Less than a header."),))
    kind, size = r.number(1), r.number(3)
    message = _describe(kind, r, version)
    head = (
        Field("msg_type", code(HandshakeType)(kind), start, 1),
        Field("length", str(size), start + 1, 3),
    )
    body = r.window(min(size, r.left))
    tail: list[Field] = []
    if body.end < start + 4 + size:
        tail.append(body.rest("unreadable", f"The message should have {size} more bytes, but it is cut off."))
    else:
        tail.extend(read_parts(body, message.parts))
    if r.left:
        tail.append(r.rest("unexpected bytes", "It should have ended here, but more bytes follow."))
    return Field(message.name, f"{r.end - start} bytes", start, r.end - start, message.note, (*head, *tail))


def _describe(kind: int, r: Reader, version: int) -> Message:
    if kind == HandshakeType.SERVER_HELLO and r.raw[r.position + 2 : r.position + 34] == RETRY_RANDOM:
        return HELLO_RETRY_REQUEST
    messages = MESSAGES_13 if version >= ProtocolVersion.TLS_1_3 else MESSAGES_12
    known = messages.get(kind)
    return known or Message(f"message {kind}", (Bytes("body"),), _UNKNOWN)


def _alert(r: Reader) -> Field:
    start = r.position
    if r.left < 2:
        return Field("alert", "cut off", start, r.left, children=(r.rest("unreadable", "An alert has two bytes."),))
    level, description = r.number(1), r.number(1)
    meaning = ALERTS.get(description, "Not an alert that this program knows.")
    children = [
        Field("level", code(AlertLevel)(level), start, 1, "Kept for compatibility; the description decides."),
        Field("description", code(AlertDescription)(description), start + 1, 1, meaning),
    ]
    if r.left:
        children.append(r.rest("unexpected bytes", "An alert has two bytes, but more follow."))
    value = name_of(AlertDescription, description)
    return Field("alert", value, start, r.end - start, meaning, tuple(children))


def _plaintext(kind: int, payload: Reader, version: int) -> list[Field]:
    """Read the payload of a record that is not encrypted."""
    if kind == ContentType.HANDSHAKE:
        fields = []
        while payload.left:
            start = payload.position
            size = 4 + int.from_bytes(payload.raw[start + 1 : start + 4], "big")
            if payload.left < 4 or size > payload.left:
                fields.append(payload.rest("fragment", "Part of a message that goes on in the next record."))
            else:
                fields.append(_message(payload.window(size), version))
        return fields
    if kind == ContentType.ALERT:
        return [_alert(payload)]
    note = "One byte, always 1." if kind == ContentType.CHANGE_CIPHER_SPEC else "Not a type that TLS has."
    return [payload.rest("data", note)] if payload.left else []

"""The trace as JSON, and back: a saved trace can be shown again, by this program or by another.

One document: `{"schema": 1, "records": [...]}`. A record is an object with its `type` and its fields under
their own names; bytes are lower-case hex, `side` is "client" or "server", `step` a number from 1 to 4.
Handshake messages also carry `decoded`, a tree of named fields, for readers that cannot take messages apart;
it is ignored on the way back. `docs/trace.md` lists every type.
"""

from __future__ import annotations

import dataclasses
import json
import types
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from glasslock.errors import GlasslockError
from glasslock.registry import ProtocolVersion, Side
from glasslock.tls.wire.dissect import Field, dissect_message
from glasslock.trace import InnerHello, MessageReceived, MessageSent, TraceRecord, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SCHEMA = 1

# Every kind of record, by the name that stands in `type`.
RECORD_TYPES: dict[str, type[TraceRecord]] = {
    name: kind
    for name, kind in vars(records).items()
    if isinstance(kind, type) and issubclass(kind, TraceRecord) and kind is not TraceRecord
}


class UnreadableTrace(GlasslockError, ValueError):
    """A document is not a trace of this schema."""


def to_json(records: Iterable[TraceRecord], *, indent: int | None = None, decode: bool = True) -> str:
    """Write records as one JSON document; `decode` adds the fields of each handshake message."""
    document = {"schema": SCHEMA, "records": [to_object(record, decode=decode) for record in records]}
    return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)


def from_json(text: str | bytes) -> list[TraceRecord]:
    """Read what `to_json` wrote. Raises UnreadableTrace, saying where, for anything else."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise UnreadableTrace(f"this is not JSON: {problem}") from problem
    if not isinstance(document, dict) or "schema" not in document:
        raise UnreadableTrace("this JSON is not a trace: it has no schema number")
    if document["schema"] != SCHEMA:
        raise UnreadableTrace(f"schema {document['schema']!r} is not known here; this program reads {SCHEMA}")
    records = document.get("records")
    if not isinstance(records, list):
        raise UnreadableTrace("the trace has no list of records")
    return [from_object(entry, f"records[{position}]") for position, entry in enumerate(records)]


def to_object(record: TraceRecord, *, decode: bool = True) -> dict[str, Any]:
    """Turn one record into plain JSON values."""
    entry = {"type": type(record).__name__} | _fields_of(record)
    if decode and isinstance(record, MessageSent | MessageReceived | InnerHello):
        version = ProtocolVersion.TLS_1_3 if isinstance(record, InnerHello) else record.version
        entry["decoded"] = _decoded(dissect_message(record.raw, version))
    return entry


def from_object(entry: object, where: str = "record") -> TraceRecord:
    """Turn plain JSON values back into a record. Raises UnreadableTrace."""
    if not isinstance(entry, dict):
        raise UnreadableTrace(f"{where} is not an object")
    kind = RECORD_TYPES.get(str(entry.get("type")))
    if kind is None:
        raise UnreadableTrace(f"{where} has the unknown type {entry.get('type')!r}")
    rest = {name: value for name, value in entry.items() if name not in ("type", "decoded")}
    record = _read_dataclass(kind, rest, f"{where} ({kind.__name__})")
    if not isinstance(record, TraceRecord):  # pragma: no cover - RECORD_TYPES holds nothing else
        raise UnreadableTrace(f"{where} is not a record")
    return record


# --- writing ----------------------------------------------------------------------------------------


def _fields_of(value: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _plain(value: object) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Side):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _fields_of(value)
    return value


def _decoded(field: Field) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": field.name,
        "value": field.value,
        "offset": field.offset,
        "length": field.length,
    }
    if field.note:
        entry["note"] = field.note
    if field.children:
        entry["children"] = [_decoded(child) for child in field.children]
    return entry


# --- reading ----------------------------------------------------------------------------------------


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read_dataclass(kind: type, entry: object, where: str) -> object:
    if not isinstance(entry, dict):
        raise UnreadableTrace(f"{where} is not an object")
    hints = _hints(kind)
    unknown = entry.keys() - hints.keys()
    if unknown:
        raise UnreadableTrace(f"{where} has the unknown field {min(map(str, unknown))!r}")
    values = {name: _read(hints[name], value, f"{where}.{name}") for name, value in entry.items()}
    try:
        record: object = kind(**values)
    except TypeError as problem:
        raise UnreadableTrace(f"{where} lacks a field: {problem}") from problem
    return record


def _read(hint: Any, value: object, where: str) -> object:
    """Read a value that should be of type `hint`: one of the few kinds that records are made of."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(_without_none(hint), value, where)
    if origin is tuple:
        return _read_tuple(get_args(hint), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _read_dataclass(hint, value, where)
    read = _READERS.get(hint, lambda v: hint(v) if isinstance(v, str | int) else _wrong())
    try:
        return read(value)
    except (ValueError, KeyError, TypeError):
        expected = "hex" if hint is bytes else hint.__name__
        raise UnreadableTrace(f"{where} should be {expected}, not {_short(value)}") from None


def _read_tuple(items: tuple[Any, ...], value: object, where: str) -> object:
    if not isinstance(value, list):
        raise UnreadableTrace(f"{where} should be a list, not {_short(value)}")
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(items) != len(value):
        raise UnreadableTrace(f"{where} should have {len(items)} items, not {len(value)}")
    return tuple(_read(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(items, value, strict=True)))


def _without_none(hint: Any) -> Any:
    return next(part for part in get_args(hint) if part is not type(None))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _wrong() -> Any:
    raise ValueError


def _exactly(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if type(value) is kind else _wrong()


_READERS: dict[Any, Callable[[Any], Any]] = {
    bytes: bytes.fromhex,
    str: _exactly(str),
    bool: _exactly(bool),
    int: _exactly(int),
    float: lambda value: float(value) if type(value) in (int, float) else _wrong(),
    Side: lambda name: Side[name.upper()] if type(name) is str and name.islower() else _wrong(),
}

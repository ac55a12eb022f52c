"""The presentation language of RFC 9846 section 3, small enough to describe every message in a table.

A description is a tuple of parts (`Number`, `Bytes`, `Opaque`, `List`, ...); `read_parts` lays it over some
bytes and gives back fields. Whatever the bytes are, the fields cover all of them: what
does not fit the description becomes a field that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

# Values in words for a person.
ShowNumber = Callable[[int], str]
ShowBytes = Callable[[bytes], str]

# No honest message has longer lists; what follows is kept as one piece, so that a hostile one stays cheap.
MAX_ITEMS = 4096


@dataclass(frozen=True, slots=True)
class Field:
    """One named piece of a message.

    `offset` and `length` count bytes from the start of what was dissected. Children lie one behind the other
    and cover their parent exactly. `note` is one sentence for a learner.
    """

    name: str
    value: str
    offset: int
    length: int
    note: str = ""
    children: tuple[Field, ...] = ()


class Unreadable(Exception):
    """The bytes do not fit the description; never leaves the dissector."""


class Reader:
    """A window on the bytes: everything between `position` and `end`."""

    __slots__ = ("end", "position", "raw")

    def __init__(self, raw: bytes, position: int, end: int) -> None:
        self.raw = raw
        self.position = position
        self.end = end

    @property
    def left(self) -> int:
        return self.end - self.position

    def take(self, size: int) -> bytes:
        """Read the next `size` bytes."""
        if size > self.left:
            raise Unreadable(f"{size} bytes are announced here, but only {self.left} are left")
        self.position += size
        return self.raw[self.position - size : self.position]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def window(self, size: int) -> Reader:
        """Set the next `size` bytes apart as a window of their own."""
        self.take(size)
        return Reader(self.raw, self.position - size, self.position)

    def rest(self, name: str, note: str) -> Field:
        """Make one field of everything that is left."""
        start, data = self.position, self.take(self.left)
        return Field(name, data.hex(), start, len(data), note)


class Part(Protocol):
    """One line of a description."""

    def read(self, r: Reader) -> Field:
        """Read this part at the reader's position; raises Unreadable."""
        ...


Parts = tuple[Part, ...]


def read_parts(r: Reader, parts: Parts) -> tuple[Field, ...]:
    """Lay `parts` over the whole window. Never raises, and covers every byte."""
    fields: list[Field] = []
    for part in parts:
        start = r.position
        try:
            fields.append(part.read(r))
        except Unreadable as problem:
            r.position = start
            fields.append(r.rest("unreadable", f"This does not fit what the standard describes: {problem}."))
            return tuple(fields)
    if r.left:
        fields.append(r.rest("unexpected bytes", "It should have ended here, but more bytes follow."))
    return tuple(fields)


def hexadecimal(data: bytes) -> str:
    return data.hex()


def decimal(number: int) -> str:
    return str(number)


@dataclass(frozen=True, slots=True)
class Number:
    """`uint8`, `uint16`, `uint24`, `uint32`, or a code point of that `size` in bytes."""

    name: str
    size: int
    note: str = ""
    show: ShowNumber = decimal

    def read(self, r: Reader) -> Field:
        start = r.position
        return Field(self.name, self.show(r.number(self.size)), start, self.size, self.note)


@dataclass(frozen=True, slots=True)
class Bytes:
    """`opaque name[size]`; without a size, everything that is left."""

    name: str
    size: int | None = None
    note: str = ""
    show: ShowBytes = hexadecimal

    def read(self, r: Reader) -> Field:
        start = r.position
        data = r.take(r.left if self.size is None else self.size)
        return Field(self.name, self.show(data) if data else "(empty)", start, len(data), self.note)


@dataclass(frozen=True, slots=True)
class Opaque:
    """`opaque name<..>`: a length of `prefix` bytes, then that many bytes."""

    name: str
    prefix: int
    note: str = ""
    show: ShowBytes = hexadecimal

    def read(self, r: Reader) -> Field:
        start = r.position
        size = r.number(self.prefix)
        data = r.take(size)
        value = self.show(data) if data else "(empty)"
        length = Field("length", str(size), start, self.prefix)
        children = (length, Field("data", value, start + self.prefix, size)) if data else (length,)
        return Field(self.name, value, start, self.prefix + size, self.note, children)


@dataclass(frozen=True, slots=True)
class List:
    """`Item name<..>`: a length of `prefix` bytes, then items until it is used up."""

    name: str
    prefix: int
    item: Part
    note: str = ""

    def read(self, r: Reader) -> Field:
        start = r.position
        size = r.number(self.prefix)
        items = read_items(r.window(size), self.item)
        value = ", ".join(item.value for item in items) if items else "(empty)"
        children = (Field("length", str(size), start, self.prefix), *items)
        return Field(self.name, value, start, self.prefix + size, self.note, children)


def read_items(r: Reader, item: Part) -> tuple[Field, ...]:
    """Read the same part again and again until the window is used up. Never raises."""
    items: list[Field] = []
    while r.left:
        start = r.position
        if len(items) == MAX_ITEMS:
            items.append(r.rest("further items", f"Only the first {MAX_ITEMS} items are taken apart."))
            break
        try:
            items.append(item.read(r))
        except Unreadable as problem:
            r.position = start
            items.append(r.rest("unreadable", f"This does not fit what the standard describes: {problem}."))
    return tuple(items)


@dataclass(frozen=True, slots=True)
class Group:
    """A `struct` inside another: its parts follow each other without a length of their own."""

    name: str
    parts: Parts
    note: str = ""
    title: int = 0  # which part's value stands for the whole

    def read(self, r: Reader) -> Field:
        start = r.position
        children = tuple(part.read(r) for part in self.parts)
        value = children[self.title].value if children else ""
        return Field(self.name, value, start, r.position - start, self.note, children)


@dataclass(frozen=True, slots=True)
class Switch:
    """A `select`: what follows depends on the code point that `tag` reads."""

    name: str
    tag: Number
    cases: Mapping[int, Parts]
    otherwise: Parts
    note: str = ""

    def read(self, r: Reader) -> Field:
        case = int.from_bytes(r.raw[r.position : min(r.position + self.tag.size, r.end)], "big")
        return Group(self.name, (self.tag, *self.cases.get(case, self.otherwise)), self.note).read(r)


@dataclass(frozen=True, slots=True)
class Sized:
    """A `struct` behind a length of `prefix` bytes."""

    name: str
    prefix: int
    parts: Parts
    note: str = ""

    def read(self, r: Reader) -> Field:
        start = r.position
        size = r.number(self.prefix)
        inner = read_parts(r.window(size), self.parts)
        value = inner[0].value if inner else "(empty)"
        children = (Field("length", str(size), start, self.prefix), *inner)
        return Field(self.name, value, start, self.prefix + size, self.note, children)


@dataclass(frozen=True, slots=True)
class Either:
    """Several forms that only the context tells apart: the first that fits to the last byte."""

    name: str
    forms: tuple[Parts, ...]
    note: str = ""

    def read(self, r: Reader) -> Field:
        start = r.position
        for form in self.forms:
            attempt = Reader(r.raw, start, r.end)
            try:
                field = Group(self.name, form, self.note).read(attempt)
            except Unreadable:
                continue
            if not attempt.left:
                r.position = r.end
                return field
        raise Unreadable("none of the forms that this message can have fits")

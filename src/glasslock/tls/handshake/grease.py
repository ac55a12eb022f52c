"""Values that mean nothing, so that peers stay used to what they do not know (RFC 8701), and a shuffled ClientHello.

A server that chokes on an unknown suite, group or extension would choke on tomorrow's; one that minds the order
of extensions would make that order part of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..wire.messages import Extensions

_COUNT = 16  # 0x0a0a, 0x1a1a, … 0xfafa


class Grease(NamedTuple):
    """The values of one connection, fixed so that a second ClientHello repeats the first one; by default none."""

    cipher_suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    schemes: tuple[int, ...] = ()
    extensions: tuple[int, ...] = ()

    @classmethod
    def drawn(cls, random: Callable[[int], bytes]) -> Grease:
        """One value for each list, and two extensions, which have to differ."""
        suite, group, version, scheme, first, step = random(6)
        second = first + 1 + step % (_COUNT - 1)
        extensions = _value(first), _value(second)
        return cls((_value(suite),), (_value(group),), (_value(version),), (_value(scheme),), extensions)

    def around(self, extensions: Extensions) -> Extensions:
        """With an empty extension in front and one of a byte behind."""
        if not self.extensions:
            return extensions
        first, last = self.extensions
        return {first: b"", **extensions, last: b"\x00"}


NO_GREASE = Grease()


def _value(number: int) -> int:
    byte = number % _COUNT << 4 | 0x0A
    return byte << 8 | byte


def permuted(extensions: Extensions, random: Callable[[int], bytes]) -> Extensions:
    """In an order of its own, each one as likely as any other (as far as 32 random bits can tell)."""
    keys = [int.from_bytes(random(4), "big") for _ in extensions]
    shuffled = sorted(zip(keys, extensions.items(), strict=True), key=lambda pair: pair[0])
    return dict(item for _, item in shuffled)

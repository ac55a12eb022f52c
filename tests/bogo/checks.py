"""How the shim says that something is not as the test expects it."""

from __future__ import annotations


class Failed(Exception):
    """Something is not as the test expects it."""


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise Failed(f"{what} is {found!r}, but {wanted!r} is expected")

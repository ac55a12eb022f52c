"""Does a certificate name the host that we asked for? (RFC 9525)

Only subject alternative names count, never the common name; an address needs an iPAddress entry, a host name a
dNSName entry. A wildcard stands for exactly one whole label, the leftmost, and needs two labels after it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import idna
from cryptography import x509

from glasslock.errors import GlasslockError

from .text import printable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = "(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_DNS_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


class InvalidServerName(GlasslockError, ValueError):
    """No certificate can be for this name: the text says why."""


@dataclass(frozen=True)
class ServerName:
    """The host as certificates name it: lower-case A-labels without the final dot, or an address.

    Without slots, so that `subject` is made once.
    """

    text: str
    address: Address | None = None

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> ServerName:
        """Read what a person or a URL says: U-labels, a final dot, brackets, a zone. InvalidServerName otherwise."""
        bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
        if ":" in bare or bare[-1:].isdigit():
            with contextlib.suppress(ValueError):
                address = ipaddress.ip_address(bare.partition("%")[0])
                return ServerName(str(address), address)
        return ServerName(_host_name(bare))

    @cached_property
    def subject(self) -> x509.DNSName | x509.IPAddress:
        """The same for `cryptography.x509.verification`."""
        return x509.DNSName(self.text) if self.address is None else x509.IPAddress(self.address)

    @property
    def kind(self) -> str:
        return "host name" if self.address is None else f"IPv{self.address.version} address"


def _host_name(text: str) -> str:
    name = text.removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise InvalidServerName(f"{text!r} is not an internationalised host name: {error}") from error
    if not is_dns_name(name):
        extra = "; an underscore is not allowed in it" if "_" in name else ""
        raise InvalidServerName(
            f"{text!r} is not a host name: labels of 1 to 63 letters, digits and inner hyphens, "
            f"at most 253 characters in all{extra}"
        )
    return name.lower()


def is_dns_name(text: str) -> bool:
    """Whether `text` has the preferred name syntax (RFC 1034 section 3.5, RFC 1123 section 2.1), no final dot."""
    return len(text) <= 253 and _has_name_syntax(text)


@lru_cache(maxsize=1024)
def _has_name_syntax(text: str) -> bool:
    return _DNS_NAME.fullmatch(text) is not None


def split_wildcard(pattern: str) -> tuple[bool, str]:
    """Split a dNSName entry into whether it is a wildcard and the name that is left."""
    return (True, pattern[2:]) if pattern.startswith("*.") else (False, pattern)


def pattern_matches(pattern: str, host: str) -> bool:
    """Whether one dNSName entry covers a host name (RFC 9525 section 6.3)."""
    wildcard, base = split_wildcard(pattern)
    if not is_dns_name(base):
        return False
    if not wildcard:
        return base.lower() == host
    # No browser lets `*.com` or `*.localhost` stand for anything: a whole registry is nobody's to certify.
    return "." in base and host.partition(".")[2] == base.lower()


def matching_name(names: Iterable[x509.GeneralName], wanted: ServerName) -> str | None:
    """Find the entry of a subject alternative name extension that covers the host; None if none does."""
    for name in names:
        if wanted.address is not None:
            if isinstance(name, x509.IPAddress) and name.value == wanted.address:
                return str(name.value)
        elif isinstance(name, x509.DNSName) and pattern_matches(name.value, wanted.text):
            return name.value
    return None


def describe_names(names: Iterable[x509.GeneralName], limit: int = 10) -> str:
    """List the entries as a person reads them, at most `limit`, and how many more there are."""
    shown: list[str] = []
    more = 0
    for name in names:
        if len(shown) < limit:
            shown.append(describe_name(name))
        else:
            more += 1
    return (", ".join(shown) or "none") + (f" and {more:,} more" if more else "")


def describe_name(name: x509.GeneralName) -> str:
    """One entry as a person reads it: a dNSName bare, any other type with its name before it."""
    if isinstance(name, x509.DNSName):
        return printable(name.value)
    if isinstance(name, x509.IPAddress):
        return f"IP {name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"e-mail {printable(name.value)}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI {printable(name.value)}"
    return type(name).__name__

"""Names that a certificate can be for, and the constraints on which of them an authority may vouch for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import idna
from cryptography import x509

from ..errors import ConfigurationError

SubjectName = x509.DNSName | x509.IPAddress
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_NAMES = 100  # per certificate: as many as public authorities allow, and small enough for every handshake
_MAX_LENGTH = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

# Names and addresses that nobody on the Internet can own.
PRIVATE_DOMAINS = (
    "localhost",  # RFC 6761
    "test",  # RFC 6761
    "local",  # RFC 6762, multicast DNS
    "internal",  # reserved by ICANN in 2024
    "home.arpa",  # RFC 8375
)
PRIVATE_NETWORKS: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)


def parse_name(text: str) -> SubjectName:
    """Read a host name, a wildcard (`*.app.test`) or an IP address as a certificate holds it.

    Raises ConfigurationError for what no certificate can be for.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return x509.DNSName(_parse_dns(text))
    if "%" in bare:
        raise ConfigurationError(f"{text!r} has a zone, which has no place in a certificate: leave it out")
    return x509.IPAddress(address)


def parse_names(texts: str | Iterable[str]) -> list[SubjectName]:
    """Read one name or several, drop repetitions and keep the order; there must be one at least."""
    names = list(dict.fromkeys(parse_name(text) for text in ([texts] if isinstance(texts, str) else texts)))
    if not names:
        raise ConfigurationError("a certificate must be for something: give at least one name or IP address")
    if len(names) > MAX_NAMES:
        raise ConfigurationError(f"{len(names)} names are too many for one certificate: {MAX_NAMES} at most")
    return names


def _parse_dns(text: str) -> str:
    def refused(reason: str) -> ConfigurationError:
        shown = text if len(text) <= 60 else text[:59] + "…"
        return ConfigurationError(f"{shown!r} is not a name that a certificate can be for: {reason}")

    wildcard, base = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    if len(base) > _MAX_LENGTH + 1:
        raise refused(f"it is longer than {_MAX_LENGTH} characters")
    if not base.isascii():
        try:
            base = idna.encode(base, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise refused(str(error)) from None
    base = base.lower().removesuffix(".")
    labels = base.split(".")
    if "*" in base:
        raise refused("a wildcard stands for the whole first part, as in *.app.test")
    if wildcard and len(labels) < 2:
        raise refused("browsers do not accept a wildcard right below a top-level name; use one as in *.app.test")
    if len(wildcard + base) > _MAX_LENGTH:
        raise refused(f"it is longer than {_MAX_LENGTH} characters")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise refused(f"its part {label!r} may have letters, digits and inner hyphens only, 1 to 63 of them")
    if labels[-1].isdigit():
        raise refused("it looks like an IP address, but is none")
    return wildcard + base


@dataclass(frozen=True, slots=True)
class Constraints:
    """What an authority may vouch for: domains with all below, and networks (RFC 5280 section 4.2.1.10)."""

    domains: tuple[str, ...]
    networks: tuple[_Network, ...]

    @classmethod
    def private(cls, also: Sequence[str] = ()) -> Constraints:
        """Return the names and networks that nobody owns, and what the user adds to them."""
        domains, networks = list(PRIVATE_DOMAINS), list(PRIVATE_NETWORKS)
        for text in also:
            entry = _parse_entry(text)
            if isinstance(entry, str):
                domains.append(entry)
            else:
                networks.append(entry)
        return cls(tuple(dict.fromkeys(domains)), tuple(dict.fromkeys(networks)))

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Constraints | None:
        """Read a certificate's own constraints; None if it has none."""
        try:
            permitted = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees
        except x509.ExtensionNotFound:
            return None
        return cls(
            tuple(name.value for name in permitted or () if isinstance(name, x509.DNSName)),
            tuple(
                name.value
                for name in permitted or ()
                if isinstance(name, x509.IPAddress)
                and isinstance(name.value, ipaddress.IPv4Network | ipaddress.IPv6Network)
            ),
        )

    def as_extension(self) -> x509.NameConstraints:
        """Return them as they stand in a certificate."""
        permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in self.domains]
        permitted += [x509.IPAddress(network) for network in self.networks]
        return x509.NameConstraints(permitted, None)

    def permits(self, name: SubjectName) -> bool:
        """Tell whether a certificate for this name would be accepted under these constraints."""
        if isinstance(name, x509.IPAddress):
            return any(name.value in network for network in self.networks)
        bare = name.value.removeprefix("*.")
        return any(bare == domain or bare.endswith("." + domain) for domain in self.domains)

    def covers(self, other: Constraints) -> bool:
        """Tell whether all that `other` permits is permitted here too."""
        return all(self.permits(x509.DNSName(domain)) for domain in other.domains) and all(
            any(inner.network_address in outer and inner.prefixlen >= outer.prefixlen for outer in self.networks)
            for inner in other.networks
        )

    def __str__(self) -> str:
        return ", ".join((*self.domains, *map(str, self.networks)))


def _parse_entry(text: str) -> str | _Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        if "/" in text:
            raise ConfigurationError(
                f"{text!r} is not a network: write it as in 203.0.113.0/24, with zeros behind the prefix"
            ) from None
    if text.startswith(("*", ".")):
        raise ConfigurationError(f"permit the domain itself, {text.lstrip('*.')!r}: that permits all names below it")
    return _parse_dns(text)

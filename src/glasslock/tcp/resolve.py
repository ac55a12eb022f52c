"""From the name a person typed to the addresses it may be reached at.

getaddrinfo cannot be interrupted and may take as long as the resolver likes, so it runs in a thread of its
own, which is left behind (as a daemon) when our time is up. IP literals and `localhost` need no resolver.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import ipaddress
import re
import socket
import threading
import time
from dataclasses import dataclass

import idna

from ..errors import ConnectFailed
from .kernel import endpoint_of

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

MAX_NAME_LENGTH = 253  # RFC 1035 section 3.1, without the final dot
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address and port to connect to, in the form that the socket module wants."""

    family: int
    sockaddr: SocketAddress

    @property
    def address(self) -> str:
        """Return the IP address, with its zone if it has one."""
        return endpoint_of(self.sockaddr)[0]


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a lookup gave: the endpoints in the resolver's order (RFC 6724), and how long it took."""

    endpoints: tuple[Endpoint, ...]
    seconds: float
    rule: str = ""


def ascii_name(host: str) -> str:
    """Return a DNS name in the form that travels: lower case, A-labels (IDNA 2008, UTS #46), no final dot.

    Raises ConnectFailed (`name-not-found`) for what cannot be a host name.
    """
    too_long = _no_name(host[:40] + "…", f"it is longer than {MAX_NAME_LENGTH} characters")
    if len(host) > MAX_NAME_LENGTH + 1:
        raise too_long
    name = host
    if not host.isascii():
        try:
            name = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise _no_name(host, f"it cannot be written as a domain name: {error}") from None
    name = name.lower().removesuffix(".")
    if not name:
        raise _no_name(host, "it is empty")
    if len(name) > MAX_NAME_LENGTH:
        raise too_long
    for label in name.split("."):
        if not _LABEL.fullmatch(label):
            raise _no_name(host, f"{label!r} is not a part that a name may have" if label else "a part is empty")
    return name


def ip_literal(host: str) -> str | None:
    """Return the address if `host` is one (`::1`, `[::1]`, `fe80::1%eth0`, `127.0.0.1`), else None."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return None if bare is not host and address.version == 4 else bare


def resolve(host: str, port: int, deadline: float) -> Resolution:
    """Find the addresses of a host before `deadline` (on time.monotonic's clock).

    Raises ConnectFailed: `name-not-found` if there are none, `timeout` if the resolver is not done by then.
    """
    started = time.monotonic()
    known = _known_without_asking(host, port)
    if known is not None:
        return known
    answer = _ask_resolver(host, port)
    try:
        endpoints = answer.result(timeout=max(0.0, deadline - started))
    except TimeoutError:
        raise _too_slow(host, deadline - started) from None
    return Resolution(endpoints, time.monotonic() - started)


async def resolve_async(host: str, port: int, deadline: float) -> Resolution:
    """Do the same without blocking the event loop; nothing waits for the thread, not even the loop's end."""
    started = time.monotonic()
    known = _known_without_asking(host, port)
    if known is not None:
        return known
    answer = asyncio.wrap_future(_ask_resolver(host, port))
    try:
        endpoints = await asyncio.wait_for(answer, max(0.0, deadline - started))
    except TimeoutError:
        raise _too_slow(host, deadline - started) from None
    return Resolution(endpoints, time.monotonic() - started)


def _known_without_asking(host: str, port: int) -> Resolution | None:
    started = time.monotonic()
    plain = _plain_literal(host, port)
    if plain is not None:
        return Resolution((plain,), time.monotonic() - started)
    literal = ip_literal(host)
    if literal is not None:
        try:
            endpoints = _getaddrinfo(literal, port, socket.AI_NUMERICHOST)
        except OSError:
            zone = literal.partition("%")[2]
            reason = f"this computer has no network interface {zone!r}" if zone else "this computer cannot use it"
            raise _no_name(host, reason) from None
        return Resolution(endpoints, time.monotonic() - started)
    name = ascii_name(host)
    if name == "localhost" or name.endswith(".localhost"):
        loopback = (
            Endpoint(socket.AF_INET6, ("::1", port, 0, 0)),
            Endpoint(socket.AF_INET, ("127.0.0.1", port)),
        )
        return Resolution(loopback, time.monotonic() - started, "RFC 6761 section 6.3")
    return None


def _plain_literal(host: str, port: int) -> Endpoint | None:
    """The endpoint, if `host` is an address in the very form that this computer writes: there is nothing to look up."""
    family, rest = (socket.AF_INET6, (0, 0)) if ":" in host else (socket.AF_INET, ())
    try:
        if socket.inet_ntop(family, socket.inet_pton(family, host)) != host:
            return None
    except (OSError, ValueError):
        return None
    return Endpoint(family, (host, port, *rest))


def _ask_resolver(host: str, port: int) -> concurrent.futures.Future[tuple[Endpoint, ...]]:
    name = ascii_name(host)
    answer: concurrent.futures.Future[tuple[Endpoint, ...]] = concurrent.futures.Future()
    answer.set_running_or_notify_cancel()  # from here on the waiting side can no longer cancel it

    def look_up() -> None:
        try:
            answer.set_result(_getaddrinfo(name, port, 0))
        except socket.gaierror as error:
            answer.set_exception(_explain_resolver(host, name, error))
        except (OSError, UnicodeError, ValueError) as error:
            answer.set_exception(_no_name(host, f"the resolver of this computer failed: {error}"))

    threading.Thread(target=look_up, name=f"resolve {name}", daemon=True).start()
    return answer


def _getaddrinfo(name: str, port: int, flags: int) -> tuple[Endpoint, ...]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=flags)
    endpoints: dict[Endpoint, None] = {}  # a dict keeps the order and drops what some resolvers list twice
    for *_, sockaddr in found:
        match sockaddr:
            case (str() as address, int()):
                endpoints[Endpoint(socket.AF_INET, (address, port))] = None
            case (str() as address, int(), int() as flow, int() as scope):  # the zone travels as a number
                bare = address.partition("%")[0]
                endpoints[Endpoint(socket.AF_INET6, (bare, port, flow, scope))] = None
    if not endpoints:
        raise socket.gaierror(socket.EAI_NONAME, "no usable address")
    return tuple(endpoints)


def _no_name(host: str, reason: str) -> ConnectFailed:
    return ConnectFailed("name-not-found", f"{host!r} does not lead to an address: {reason}. Check how it is written.")


def _too_slow(host: str, seconds: float) -> ConnectFailed:
    return ConnectFailed(
        "timeout",
        f"looking up {host} took longer than {max(0.0, seconds):.3g} s: the name server does not answer. "
        "Check the network connection and the name server, or allow more time.",
    )


def _explain_resolver(host: str, name: str, error: socket.gaierror) -> ConnectFailed:
    if error.errno in {socket.EAI_AGAIN, socket.EAI_FAIL}:
        return ConnectFailed(
            "name-not-found",
            f"the address of {host} could not be looked up: the name server gave no answer "
            f"({error.strerror}). Check the network connection and the name server, then try again.",
        )
    spelled = f" (looked up as {name})" if name != host.lower().removesuffix(".") else ""
    return ConnectFailed(
        "name-not-found",
        f"there is no address for the name {host}{spelled}: the name server does not know it "
        f"({error.strerror}). Check the spelling; for a name of your own, its DNS entry or /etc/hosts.",
    )

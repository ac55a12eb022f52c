"""Listeners of every temper, all on loopback."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator

import pytest

from glasslock.trace import TraceRecord


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


class Listeners:
    """Opens sockets that close with the test."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack

    def listening(self, address: str = "127.0.0.1", port: int = 0, backlog: int = 16) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return self._stack.enter_context(socket.create_server((address, port), family=family, backlog=backlog))

    def silent(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """Return a listener whose queue is full: the kernel drops every further SYN, as a firewall would."""
        listener = self.listening(address, port, backlog=0)
        for _ in range(2):
            filler = self._stack.enter_context(socket.socket(listener.family, socket.SOCK_STREAM))
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname()[:2])
        return listener

    def closed_port(self, address: str = "127.0.0.1") -> int:
        """Return a port that is bound but not listened on, so that nobody else can take it meanwhile."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        holder = self._stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        holder.bind((address, 0))
        return int(holder.getsockname()[1])


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    with contextlib.ExitStack() as stack:
        yield Listeners(stack)


@pytest.fixture
def story() -> list[TraceRecord]:
    return []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says which addresses a name has: the resolver of the machine is never asked."""
    table: dict[str, tuple[str, ...]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: object, **options: object) -> list[object]:
        if host in table:
            return [
                entry
                for address in table[host]
                for entry in real(address, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
            ]
        if options.get("flags") == socket.AI_NUMERICHOST:
            return list(real(host, port, *args, **options))  # type: ignore[arg-type]
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def add(name: str, *addresses: str) -> None:
        table[name] = addresses

    return add

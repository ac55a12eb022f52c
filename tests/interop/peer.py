"""What every peer has: a version, abilities, and a way to be started in each role."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion, Side

from .order import Order, Report

REQUEST_SIZE = 20_000  # bytes: two records
REPLY_SIZE = 50_000  # bytes: four records


@dataclass(frozen=True, kw_only=True)
class Abilities:
    """What a peer can do in one role."""

    versions: frozenset[ProtocolVersion] = frozenset({ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3})
    suites: frozenset[CipherSuite]
    groups: frozenset[NamedGroup]
    keys: frozenset[str]  # kinds of server certificate that it can show, or as a client accept
    features: frozenset[str] = frozenset()
    chooses_groups: bool = True  # it can be told which groups to use; otherwise our side alone decides
    cuts: frozenset[str] = frozenset()  # features in which it ends the second connection without close_notify
    echoes: bool = False  # as a server its reply is the request
    answers_early: bool = True  # as a server it answers what came as 0-RTT data
    silent_first: bool = False  # as a client that resumes, it says nothing on its first connection
    ends_first: bool = False  # as a client it says close_notify of its own accord, but does not answer ours
    updates_after: int = 0  # bytes sent after which it updates keys, if it does so by volume and not by order
    takes_turns: bool = True  # it can hold a conversation of more than one round
    request_size: int = REQUEST_SIZE


class Server(Protocol):
    """A running server peer."""

    port: int

    def report(self) -> Report:
        """Once our side has ended all connections: what the peer saw. PeerFailed if it was not content."""
        ...


class Peer(ABC):
    """One implementation of TLS. `name` is how the matrix calls it."""

    name: str
    notes: tuple[str, ...] = ()  # what it cannot be asked for, and why

    @abstractmethod
    def version(self) -> str:
        """Name and version as the peer itself states them; Unavailable if it is not on this machine."""

    @abstractmethod
    def abilities(self, role: Side) -> Abilities | None:
        """What it can do; None if it has no such role."""

    def connect(self, order: Order) -> Report:
        """Plays the client against our server at `order.port`, all connections one after the other."""
        raise NotImplementedError(f"{self.name} is no client")

    def serve(self, order: Order) -> AbstractContextManager[Server]:
        """Plays the server."""
        raise NotImplementedError(f"{self.name} is no server")

    def request_is_right(self, order: Order, request: bytes) -> bool:
        """Whether what our server received is what this peer was told to send."""
        return request == order.request

    def reply_is_right(self, order: Order, reply: bytes) -> bool:
        """Whether what our client received is what this peer was told to send."""
        return reply == order.reply

    def close(self) -> None:
        """Stops whatever outlives one cell."""
        return

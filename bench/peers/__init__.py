"""The implementations that are compared, one module each.

A module has `NAME`, `version()` and a class `Setup`. What is not installed raises ImportError when its module is
imported; what an implementation cannot do raises `CannotDo` when it is asked for. Each is used in the way that is
best for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any, Protocol

from ..identity import Identity

BASELINE = "ssl"

# In the order of the table.
MODULES = {
    BASELINE: "stdlib",
    "glasslock": "glass",
    "pyopenssl": "pyopenssl",
    "pyrtls": "rustls",
    "aioquic": "aioquic_tls",
    "siotls": "siotls_peer",
    "tlslite-ng": "tlslite_ng",
}

REQUEST = bytes(100)  # what a ping-pong sends, both ways
MOST_FLIGHTS = 8  # of one side in a handshake


class CannotDo(Exception):
    """This implementation has no such thing; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Options:
    """What kind of connection is made."""

    group: str = "X25519"
    resumed: bool = False
    client_certificate: bool = False
    intermediates: int = 0
    remember_chain: bool = False  # the verifier may remember a chain that was good a moment ago
    judge_again: bool = False  # a resumption judges the remembered chain anew
    observed: bool = False  # somebody listens to every step
    fresh: bool = False  # the server shows another certificate each time


PLAIN = Options()


def only(options: Options, *known: str) -> None:
    """`CannotDo` for whatever else the connection shall be. `known` are names of options, beside the plain ones."""
    for name, plain in asdict(PLAIN).items():
        if name not in known and getattr(options, name) != plain:
            raise CannotDo(f"not compared: {name}")


class Side(Protocol):
    """One end while the handshake lasts."""

    def step(self, received: bytes) -> bytes:
        """Takes what came (at first nothing), returns what is to be sent; nothing at the end."""
        ...


class Pair(Protocol):
    """A client and a server in one process, and the bytes that go between them."""

    def handshake(self) -> tuple[float, float]:
        """To the end, the server's tickets included: seconds spent by the client and by the server."""
        ...

    def bulk(self, data: bytes, times: int) -> None:
        """The client writes `data` so often, and each time the server reads all of it."""
        ...

    def ping_pong(self, times: int) -> None:
        """`REQUEST` to the server and `REQUEST` back, so often."""
        ...


class Setup(Protocol):
    """What a program makes once: contexts, configs, credentials, trust stores."""

    def __init__(self, identity: Identity, options: Options) -> None: ...

    def connect(self) -> Pair:
        """Two ends of a new connection; nothing is sent yet."""
        ...


def shake_hands(
    make_client: Callable[[], Any], make_server: Callable[[], Any], clock: Callable[[], float] = perf_counter
) -> tuple[Any, Any, float, float]:
    """Makes both sides and carries their flights to and fro: the sides, and the seconds that each of them took."""
    start = clock()
    client = make_client()
    flight = client.step(b"")
    now = clock()
    client_seconds = now - start
    server = make_server()
    server_seconds = clock() - now
    for _ in range(MOST_FLIGHTS):
        start = clock()
        answer = server.step(flight)
        now = clock()
        server_seconds += now - start
        if not answer:
            break
        flight = client.step(answer)
        client_seconds += clock() - now
        if not flight:
            break
    return client, server, client_seconds, server_seconds


def check_resumed(wanted: bool, happened: bool) -> None:
    """A resumption that did not happen would look slow, one that did fast."""
    if wanted != happened:
        raise RuntimeError("the handshake was " + ("" if happened else "not ") + "resumed")

"""Two SSLObjects and what goes between them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any


class End:
    """One end of a connection: an SSLObject with its two buffers."""

    def __init__(self, context: ssl.SSLContext, **how: Any) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, **how)

    def try_to(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        """The result, or None if it wants to read first."""
        try:
            return operation(*arguments)
        except ssl.SSLWantReadError:
            return None


class Wire:
    """A client and a server in memory."""

    def __init__(
        self, client: ssl.SSLContext, server: ssl.SSLContext, name: str | bytes | None = "localhost", **how: Any
    ) -> None:
        self.client = End(client, server_hostname=name, **how)
        self.server = End(server, server_side=True)

    def move(self, *, at_once: int = 1 << 20) -> None:
        """Everything that waits, in pieces of this many bytes."""
        for one, other in ((self.client, self.server), (self.server, self.client)):
            while one.outgoing.pending:
                other.incoming.write(one.outgoing.read(at_once))

    def shake_hands(self) -> None:
        for _ in range(6):
            for end in (self.client, self.server):
                end.try_to(end.tls.do_handshake)
                self.move()
        assert self.client.tls.version()
        assert self.server.tls.version()

    def say(self, text: bytes = b"hello") -> bytes:
        """From the client to the server, and back."""
        self.client.tls.write(text)
        self.move()
        received = bytes(self.server.tls.read(100))
        self.server.tls.write(received)
        self.move()
        return bytes(self.client.tls.read(100))

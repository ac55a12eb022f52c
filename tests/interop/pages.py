"""Two small HTTPS servers on our engine, for browsers: one with a page, one that answers DNS questions (RFC 8484)."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glasslock.errors import TLSError
from glasslock.tls import Data, ServerConfig, ServerConnection
from glasslock.tls.handshake.agreed import Agreed

from .ech_ends import PATIENCE

A, HTTPS = 1, 65  # types of DNS records
_ANSWER = 0x8180  # the flags of an answer from a resolver that recurses

# From one whole request and what was agreed, the body of the answer and its type.
Answer = Callable[[bytes, Agreed], tuple[bytes, str]]


class Pages:
    """Serves HTTP/1.1 on the loopback interface, one request for each connection."""

    def __init__(self, config: ServerConfig, answer: Answer) -> None:
        self._config = config
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: list[ServerConnection] = []

    def run(self) -> None:
        """Until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def stop(self) -> None:
        # Closing alone would not wake up the thread that waits in `accept`.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, wire: socket.socket) -> None:
        connection = ServerConnection(self._config)
        self.connections.append(connection)
        request = b""
        with wire, contextlib.suppress(OSError, TLSError):
            wire.settimeout(PATIENCE)
            try:
                while not connection.peer_closed:
                    data = wire.recv(65536)
                    if not data:
                        return
                    for event in connection.receive_data(data):
                        request += event.data if isinstance(event, Data) else b""
                    if _is_whole(request):
                        connection.send_data(_response(*self._answer(request, connection.agreed)))
                        connection.close()
                        request = b""
                    wire.sendall(connection.data_to_send())
            finally:
                wire.sendall(connection.data_to_send())


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def _response(body: bytes, content_type: str) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


@contextmanager
def serving_pages(config: ServerConfig, answer: Answer) -> Iterator[Pages]:
    pages = Pages(config, answer)
    thread = threading.Thread(target=pages.run, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        pages.stop()
        thread.join(PATIENCE)


# --- DNS ------------------------------------------------------------------------------------------


class Zone:
    """Knows one site at 127.0.0.1, with an HTTPS record that publishes an ECHConfigList (RFC 9460, RFC 9848)."""

    def __init__(self, name: str, port: int, config_list: bytes) -> None:
        self._name = name
        service = _name(name) + _parameter(1, b"\x08http/1.1") + _parameter(3, struct.pack(">H", port))
        self._records = {
            (name, A): bytes((127, 0, 0, 1)),
            (f"_{port}._https.{name}", HTTPS): struct.pack(">H", 1) + service + _parameter(5, config_list),
        }

    def answer(self, request: bytes, _: Agreed) -> tuple[bytes, str]:
        """A question comes as the body of a POST, or in the path of a GET."""
        head, _, body = request.partition(b"\r\n\r\n")
        asked = re.search(rb"[?&]dns=([A-Za-z0-9_-]+)", head.partition(b"\r\n")[0])
        query = base64.urlsafe_b64decode(asked[1] + b"==") if asked else body
        return self._resolve(query), "application/dns-message"

    def _resolve(self, query: bytes) -> bytes:
        position, labels = 12, []
        while length := query[position]:
            labels.append(query[position + 1 : position + 1 + length].decode("ascii").lower())
            position += 1 + length
        (kind,) = struct.unpack(">H", query[position + 1 : position + 3])
        question = query[12 : position + 5]
        found = self._records.get((".".join(labels), kind))
        records = b""
        if found is not None:  # its name is a pointer to that of the question
            records = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(found)) + found
        counts = struct.pack(">HHHH", 1, int(found is not None), 0, 0)
        return query[:2] + struct.pack(">H", _ANSWER) + counts + question + records


def _name(name: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in name.split(".")) + b"\x00"


def _parameter(key: int, value: bytes) -> bytes:
    return struct.pack(">HH", key, len(value)) + value

"""A minimal HTTPS server on the standard library's ssl, for verifiers to look at our chain."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from glasslock.authority import IssuedCertificate

PAGE = b"<!doctype html><title>padlock</title><p>behind a padlock"


class Site:
    """Serves one page on a loopback port while it is open; `seen` is what came of each connection."""

    def __init__(self, issued: IssuedCertificate) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as directory:
            chain, key = Path(directory, "chain.pem"), Path(directory, "key.pem")
            issued.write(chain, key)
            self._context.load_cert_chain(chain, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen: list[str] = []
        self.first_seen = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Site:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection:
            try:
                with self._context.wrap_socket(connection, server_side=True) as secured:
                    request = secured.recv(4096)
                    self._note(request.split(b"\r\n")[0].decode("latin-1"))
                    secured.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
                    )
            except OSError as error:
                self._note(str(error))

    def _note(self, text: str) -> None:
        self.seen.append(text)
        self.first_seen.set()

    @property
    def was_visited(self) -> bool:
        """Tell whether a request came through, which takes a client that accepted the certificate."""
        return any(line.startswith("GET ") for line in self.seen)

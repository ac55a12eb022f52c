"""The protocols of the standard library that begin TLS in their own way: FTP, SMTP, IMAP, POP, tunnels."""

from __future__ import annotations

import contextlib
import ftplib
import http.client
import imaplib
import io
import poplib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from .conftest import PATIENCE, Site

Talk = Callable[["Lines"], None]


@contextlib.contextmanager
def _listening(talk: Talk) -> Iterator[int]:
    """Runs a dialogue with the one client that comes."""
    problems: list[BaseException] = []

    def serve() -> None:
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        lines = Lines(sock)
        try:
            talk(lines)
        except BaseException as problem:
            problems.append(problem)
            raise
        finally:
            lines.file.close()
            lines.sock.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE)
    assert problems == []


class Lines:
    """A line at a time, over whatever the socket is now."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = sock.makefile("rb")

    def hear(self) -> str:
        return self.file.readline().decode().rstrip("\r\n")

    def say(self, text: str) -> None:
        self.sock.sendall(f"{text}\r\n".encode())

    def begin_tls(self, context: ssl.SSLContext) -> None:
        self.go_on(context.wrap_socket(self.sock, server_side=True))

    def end_tls(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)
        self.go_on(self.sock.unwrap())

    def go_on(self, sock: socket.socket) -> None:
        self.file.close()
        self.sock, self.file = sock, sock.makefile("rb")


def test_ftp_with_a_protected_data_channel(files: Site) -> None:
    """ftplib looks at the class of its sockets to know whether they are encrypted."""
    stored = io.BytesIO()
    context = files.server()
    data_listener = socket.create_server(("127.0.0.1", 0))

    def talk(lines: Lines) -> None:
        lines.say("220 ready")
        answers = {"USER": "331 password", "PASS": "230 in", "PBSZ": "200 ok", "PROT": "200 ok", "TYPE": "200 ok"}
        while True:
            command = lines.hear()
            verb = command.split(" ")[0].upper()
            if verb == "AUTH":
                lines.say("234 begin")
                lines.begin_tls(context)
            elif verb in ("PASV", "EPSV"):
                port = data_listener.getsockname()[1]
                lines.say(f"227 here (127,0,0,1,{port >> 8},{port & 255})")
            elif verb == "STOR":
                lines.say("150 send")
                with context.wrap_socket(data_listener.accept()[0], server_side=True) as data:
                    while part := data.recv(1 << 16):
                        stored.write(part)
                    data.unwrap()
                lines.say("226 done")
            elif verb == "CCC":
                lines.say("200 in the clear")
                lines.end_tls()
            elif verb == "QUIT":
                lines.say("221 bye")
                return
            else:
                lines.say(answers.get(verb, "502 no"))

    with data_listener, _listening(talk) as port:
        client = ftplib.FTP_TLS(context=files.client(), timeout=PATIENCE)
        client.connect("localhost", port)
        client.login("user", "password")
        client.prot_p()
        client.storbinary("STOR file", io.BytesIO(b"contents " * 10_000))
        client.ccc()
        client.quit()
    assert stored.getvalue() == b"contents " * 10_000


def test_smtp_starttls(files: Site) -> None:
    def talk(lines: Lines) -> None:
        lines.say("220 ready")
        while command := lines.hear():
            command = command.lower()
            if command.startswith("ehlo"):
                lines.say("250-hello")
                lines.say("250 STARTTLS")
            elif command == "starttls":
                lines.say("220 go ahead")
                lines.begin_tls(files.server())
            elif command == "quit":
                lines.say("221 bye")
                return
            else:
                lines.say("250 ok")

    with _listening(talk) as port, smtplib.SMTP("localhost", port, timeout=PATIENCE) as client:
        client.starttls(context=files.client())
        assert client.ehlo()[0] == 250
        assert isinstance(client.sock, ssl.SSLSocket)


def test_imap(files: Site) -> None:
    def talk(lines: Lines) -> None:
        lines.begin_tls(files.server())
        lines.say("* OK ready")
        while command := lines.hear():
            tag, verb = command.split(" ")[:2]
            if verb == "CAPABILITY":
                lines.say("* CAPABILITY IMAP4rev1")
            if verb == "LOGOUT":
                lines.say("* BYE")
            lines.say(f"{tag} OK done")
            if verb == "LOGOUT":
                return

    with _listening(talk) as port:
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=files.client(), timeout=PATIENCE)
        assert client.noop()[0] == "OK"
        client.logout()


def test_pop3(files: Site) -> None:
    def talk(lines: Lines) -> None:
        lines.begin_tls(files.server())
        lines.say("+OK ready")
        while command := lines.hear():
            lines.say("+OK 0 0")
            if command == "QUIT":
                return

    with _listening(talk) as port:
        client = poplib.POP3_SSL("localhost", port, context=files.client(), timeout=PATIENCE)
        assert client.stat() == (0, 0)
        client.quit()


def test_a_tunnel(files: Site) -> None:
    """http.client through a proxy: CONNECT in the clear, then TLS on the same socket."""

    def talk(lines: Lines) -> None:
        assert lines.hear().startswith("CONNECT localhost:443")
        while lines.hear():
            pass
        lines.say("HTTP/1.1 200 go ahead\r\n")
        lines.begin_tls(files.server())
        while lines.hear():
            pass
        lines.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    with _listening(talk) as port:
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=files.client(), timeout=PATIENCE)
        connection.set_tunnel("localhost", 443)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
        connection.close()


def test_urllib3_through_an_https_proxy(files: Site) -> None:
    """TLS to the proxy, and TLS to the site inside it."""
    urllib3 = pytest.importorskip("urllib3", reason="the urllib3 package is not installed")

    def talk(lines: Lines) -> None:
        lines.begin_tls(files.server())
        assert lines.hear().startswith("CONNECT localhost:443")
        while lines.hear():
            pass
        lines.say("HTTP/1.1 200 go ahead\r\n")
        lines.begin_tls(files.server())  # inside the other
        while lines.hear():
            pass
        lines.sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        lines.hear()

    with (
        _listening(talk) as port,
        urllib3.ProxyManager(
            f"https://localhost:{port}", proxy_ssl_context=files.client(), ssl_context=files.client(), timeout=PATIENCE
        ) as pool,
    ):
        assert pool.request("GET", "https://localhost/", retries=False).data == b"x" * 100_000

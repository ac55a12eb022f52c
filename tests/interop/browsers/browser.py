"""Browsers without a window, each with a home of its own in which our root is trusted."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from glasslock.registry import CipherSuite, NamedGroup

from ..credentials import PASSWORD, Identity
from ..order import PATIENCE
from ..process import PeerFailed, Process, Unavailable, find, first_output

PATIENCE_FOR_A_BROWSER = 60.0  # seconds from its start to its end


@dataclass(frozen=True, kw_only=True)
class Can:
    """What a browser has that we have too; suites with forward secrecy are the same everywhere."""

    groups: frozenset[NamedGroup]
    keys: frozenset[str]
    compression: frozenset[str]
    early_data: bool
    client_certificate: bool  # without a person who picks one
    key_transport: tuple[CipherSuite, ...] = (
        CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384,
    )


class Browser(ABC):
    """One browser. `name` is how the matrix calls it."""

    name: str
    package: str
    can: Can

    @cached_property
    def _command(self) -> str:
        find("certutil", "Debian package libnss3-tools, to make a browser trust a root")
        return find(self.name, f"Debian package {self.package}")

    @abstractmethod
    def version(self) -> str:
        """As the browser itself states it; Unavailable if it is not on this machine."""

    @abstractmethod
    def command(self, url: str, home: Path, screenshot: Path) -> tuple[list[str], Mapping[str, str]]:
        """How it is started to load a page and take its picture: command and environment."""

    @abstractmethod
    def database(self, home: Path) -> Path:
        """Where it keeps the roots that it trusts."""

    def visit(self, url: str, root: Path, home: Path, screenshot: Path, identity: Identity | None = None) -> None:
        """Loads a page, trusting our root besides its own; PeerFailed if it does not come to an end.

        `identity` is the client certificate that it has.
        """
        self.trust(root, home)
        if identity is not None:
            database = f"sql:{self.database(home)}"
            _nss("pk12util", "-i", str(identity.pkcs12_file), "-d", database, "-W", PASSWORD)
        command, env = self.command(url, home, screenshot)
        run(command, home, env)

    def trust(self, root: Path, home: Path) -> None:
        """Makes a new home in which the browser trusts a root."""
        database = self.database(home)
        database.mkdir(parents=True)
        _nss("certutil", "-N", "-d", f"sql:{database}", "--empty-password")
        _nss("certutil", "-A", "-d", f"sql:{database}", "-n", "glasslock interop root", "-t", "C,,", "-i", str(root))


def run(command: list[str], home: Path, env: Mapping[str, str]) -> str:
    """A browser from its start to its end; its stdout."""
    with Process(command, home, {"HOME": str(home), **env}, PATIENCE_FOR_A_BROWSER) as process:
        return process.end().decode(errors="replace")


class Chromium(Browser):
    """Chromium, which has BoringSSL."""

    name = package = "chromium"
    can = Can(
        groups=frozenset({NamedGroup.X25519MLKEM768, NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1}),
        keys=frozenset({"rsa", "p256", "p384"}),
        compression=frozenset({"brotli"}),
        early_data=True,
        client_certificate=False,  # only by a policy for the whole machine
    )

    def version(self) -> str:
        words = first_output(self._command, "--version").split()
        return next((f"Chromium {word}" for word in words if word[0].isdigit()), "") or _no_version(self._command)

    def database(self, home: Path) -> Path:
        return home / ".pki" / "nssdb"

    def command(self, url: str, home: Path, screenshot: Path) -> tuple[list[str], Mapping[str, str]]:
        picture = [f"--screenshot={screenshot}", "--window-size=800,320", "--hide-scrollbars"]
        return [*self._quietly(home), *picture, url], {}

    def dom(self, url: str, root: Path, home: Path) -> str:
        """Loads a page, trusting our root; the document as its scripts have left it."""
        self.trust(root, home)
        return run([*self._quietly(home), "--dump-dom", url], home, {})

    def _quietly(self, home: Path) -> list[str]:
        without = ("gpu", "quic", "background-networking", "component-update", "sync", "extensions")
        command = [self._command, "--headless", "--no-sandbox", "--no-first-run", f"--user-data-dir={home / 'profile'}"]
        command.append("--enable-features=EnableTLS13EarlyData")
        return command + [f"--disable-{what}" for what in without]


class Firefox(Browser):
    """Firefox, which has NSS."""

    name = package = "firefox-esr"
    can = Can(
        groups=frozenset(
            {
                NamedGroup.X25519MLKEM768,
                NamedGroup.X25519,
                NamedGroup.SECP256R1,
                NamedGroup.SECP384R1,
                NamedGroup.SECP521R1,
            }
        ),
        keys=frozenset({"rsa", "p256", "p384", "p521"}),
        compression=frozenset({"zlib", "brotli", "zstd"}),
        early_data=True,
        client_certificate=True,
    )

    def version(self) -> str:
        words = first_output(self._command, "--version").split()
        return next((f"Firefox {word}" for word in words if word[0].isdigit()), "") or _no_version(self._command)

    def database(self, home: Path) -> Path:
        return home / "profile"

    def command(self, url: str, home: Path, screenshot: Path) -> tuple[list[str], Mapping[str, str]]:
        (home / "profile" / "user.js").write_text(PREFERENCES)
        command = [self._command, "--headless", "--profile", str(home / "profile"), "--window-size=800,320"]
        return [*command, "--screenshot", str(screenshot), url], {"MOZ_CRASHREPORTER_DISABLE": "1"}


# No traffic but to the page, and no questions.
PREFERENCES = """\
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.trr.mode", 5);
user_pref("security.OCSP.enabled", 0);
user_pref("security.default_personal_cert", "Select Automatically");
user_pref("toolkit.telemetry.enabled", false);
"""

BROWSERS: tuple[Browser, ...] = (Chromium(), Firefox())


def _no_version(command: str) -> str:
    raise Unavailable(f"{command} does not tell its version")


def _nss(tool: str, *arguments: str) -> None:
    command = find(tool, "Debian package libnss3-tools")
    run = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    if run.returncode:
        raise PeerFailed(f"{tool} ended with status {run.returncode}: {run.stdout}{run.stderr}")

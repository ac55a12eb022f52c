"""Where each operating system keeps the certificates that it trusts.

Linux and the BSDs: one file of all, or a directory of many. macOS and Windows have modules of their own.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .stores import Anchors, join, read_directory, read_file, with_public

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, Red Hat
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat, older
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/var/lib/ca-certificates/ca-bundle.pem",  # openSUSE, newer
    "/etc/ssl/cert.pem",  # Alpine, OpenBSD, FreeBSD
    "/usr/local/share/certs/ca-root-nss.crt",  # FreeBSD, older
    "/data/data/com.termux/files/usr/etc/tls/cert.pem",  # Android with Termux
)
DIRECTORIES = ("/etc/ssl/certs", "/etc/pki/tls/certs", "/system/etc/security/cacerts")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the system's list is, in words, and how to read it."""

    where: str
    read: Callable[[], Anchors]


def system_source(
    platform: str = sys.platform,
    environment: Mapping[str, str] = os.environ,
    root: Path = Path("/"),
) -> Source:
    """Find the system's list. Never fails: a system without one has an empty one, and says so."""
    chosen = _from_environment(environment)
    if chosen is not None:
        return chosen
    if platform == "darwin":
        from .macos import macos_roots

        return Source("macOS keychains", macos_roots)
    if platform == "win32":
        from .windows import windows_roots

        return Source("Windows ROOT store", windows_roots)
    for name in BUNDLES:
        if (root / name.lstrip("/")).is_file():
            return Source(name, functools.partial(_read, [root / name.lstrip("/")], []))
    for name in DIRECTORIES:
        if (root / name.lstrip("/")).is_dir():
            return Source(name, functools.partial(_read, [], [root / name.lstrip("/")]))
    return Source("none found; is the package ca-certificates installed?", Anchors)


def _from_environment(environment: Mapping[str, str]) -> Source | None:
    """The two variables by which OpenSSL, curl and Python let a person overrule the system's list."""
    file, directory = environment.get("SSL_CERT_FILE", ""), environment.get("SSL_CERT_DIR", "")
    given = [f"{name}={value}" for name, value in (("SSL_CERT_FILE", file), ("SSL_CERT_DIR", directory)) if value]
    if not given:
        return None
    files = [Path(file)] if file else []
    directories = [Path(name) for name in directory.split(os.pathsep) if Path(name).is_dir()] if directory else []
    return Source(" and ".join(given), functools.partial(_read, files, directories))


def _read(files: list[Path], directories: list[Path]) -> Anchors:
    return with_public(join([*map(read_file, files), *map(read_directory, directories)]))

"""The certificates that macOS trusts: Apple's own, and what an administrator added.

Asked for with `security`, as every program may. A user's own trust settings are not read: they ask for a password.
"""

from __future__ import annotations

import plistlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes

from .stores import Anchors, join, read_bundle

SYSTEM_ROOTS = "/System/Library/Keychains/SystemRootCertificates.keychain"
ADMIN_ROOTS = "/Library/Keychains/System.keychain"
SECURITY = "/usr/bin/security"
SECURITY_SECONDS = 20
# kSecTrustSettingsResult: 1 trust as root, 2 trust as root though not self-signed, 3 deny, 4 unspecified.
TRUSTING = (1, 2)
DENY = 3

Run = Callable[[Sequence[str]], bytes]


def _run(command: Sequence[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True, timeout=SECURITY_SECONDS).stdout  # noqa: S603


def macos_roots(run: Run = _run) -> Anchors:
    """Read Apple's roots, and of the system keychain what is trusted as a root."""
    try:
        apple = read_bundle(run([SECURITY, "find-certificate", "-a", "-p", SYSTEM_ROOTS]))
        added = read_bundle(run([SECURITY, "find-certificate", "-a", "-p", ADMIN_ROOTS]))
        trusted = _admin_trusted(run)
    except (OSError, subprocess.SubprocessError) as error:
        return Anchors(skipped=1, problems=(f"{SECURITY} cannot be asked: {error}",))
    kept = tuple(one for one in added.certificates if one.fingerprint(hashes.SHA1()).hex() in trusted)
    joined = join([apple, Anchors(kept, skipped=added.skipped, problems=added.problems)])
    return Anchors(joined.certificates, frozenset(apple.certificates), joined.skipped, joined.problems)


def _admin_trusted(run: Run) -> frozenset[str]:
    """SHA-1 fingerprints, in lower case, of what the administrator's settings trust as a root."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "settings.plist"
        try:
            run([SECURITY, "trust-settings-export", "-d", str(file)])
            settings = plistlib.loads(file.read_bytes())
        except (OSError, subprocess.CalledProcessError, plistlib.InvalidFileException):
            return frozenset()  # there are no such settings
    return frozenset(
        fingerprint.lower() for fingerprint, entry in settings.get("trustList", {}).items() if _trusts(entry)
    )


def _trusts(entry: Mapping[str, Any]) -> bool:
    """An entry without settings trusts for everything; else one must trust, and none deny."""
    results = [setting.get("kSecTrustSettingsResult", 1) for setting in entry.get("trustSettings", [])]
    return not results or (any(result in TRUSTING for result in results) and DENY not in results)

"""How to make a system or a program trust the root, and how to take that back: words, not deeds."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .names import Constraints

ANYWHERE = ""

_CHROMIUM_DATABASE = "sql:$HOME/.pki/nssdb"
_FIREFOX_PROFILES = " ".join(
    f"~/{folder}/*/cert9.db"
    for folder in (".mozilla/firefox", ".config/mozilla/firefox", "snap/firefox/common/.mozilla/firefox")
)


@dataclass(frozen=True, slots=True)
class Instruction:
    """For one system or program: the commands, the commands that undo them, and what to know besides."""

    who: str
    system: str  # a value of sys.platform, or ANYWHERE
    commands: tuple[str, ...]
    undo: tuple[str, ...] = ()
    note: str = ""


def instructions(root: Path, name: str) -> tuple[Instruction, ...]:
    """Return what is known; `root` is the PEM file of the root certificate, `name` its common name."""
    path, label, file = shlex.quote(str(root)), shlex.quote(name), name.replace(" ", "-")
    windows_path = f'"{root}"'
    return (
        Instruction(
            "Debian, Ubuntu, Alpine",
            "linux",
            (f"sudo cp {path} /usr/local/share/ca-certificates/{file}.crt", "sudo update-ca-certificates"),
            (f"sudo rm /usr/local/share/ca-certificates/{file}.crt", "sudo update-ca-certificates --fresh"),
            "Seen by curl, git, Python's ssl and most command-line programs; not by browsers.",
        ),
        Instruction(
            "Fedora, RHEL, CentOS",
            "linux",
            (f"sudo cp {path} /etc/pki/ca-trust/source/anchors/{file}.pem", "sudo update-ca-trust"),
            (f"sudo rm /etc/pki/ca-trust/source/anchors/{file}.pem", "sudo update-ca-trust"),
        ),
        Instruction(
            "Arch, openSUSE",
            "linux",
            (f"sudo trust anchor --store {path}",),
            (f"sudo trust anchor --remove {path}",),
        ),
        Instruction(
            "Chromium, Chrome (Linux)",
            "linux",
            (
                f"mkdir -p ~/.pki/nssdb && certutil -d {_CHROMIUM_DATABASE} -N --empty-password",
                f"certutil -d {_CHROMIUM_DATABASE} -A -t C,, -n {label} -i {path}",
            ),
            (f"certutil -d {_CHROMIUM_DATABASE} -D -n {label}",),
            "certutil is in libnss3-tools (Debian) or nss-tools (Fedora). The first line makes the database: "
            "leave it out if ~/.pki/nssdb/cert9.db exists. Restart the browser.",
        ),
        Instruction(
            "Firefox (Linux)",
            "linux",
            (
                (
                    f'for db in {_FIREFOX_PROFILES}; do [ -e "$db" ] && '
                    f'certutil -d "sql:$(dirname "$db")" -A -t C,, -n {label} -i {path}; done'
                ),
            ),
            (
                (
                    f'for db in {_FIREFOX_PROFILES}; do [ -e "$db" ] && '
                    f'certutil -d "sql:$(dirname "$db")" -D -n {label}; done'
                ),
            ),
            "Close Firefox first. By hand: Settings, Privacy & Security, View Certificates, Authorities, "
            "Import; there, tick that it may identify websites.",
        ),
        Instruction(
            "macOS (Safari, Chrome, Firefox)",
            "darwin",
            (f"security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db {path}",),
            (f"security remove-trusted-cert {path}",),
            "For you alone. For every user: sudo, with -d and -k /Library/Keychains/System.keychain.",
        ),
        Instruction(
            "Windows (Edge, Chrome, Firefox)",
            "win32",
            (f"certutil -user -addstore Root {windows_path}",),
            (f'certutil -user -delstore Root "{name}"',),
            "For you alone. For every user: without -user, as administrator.",
        ),
        Instruction("curl", ANYWHERE, (f"curl --cacert {path} https://localhost:8443/",)),
        Instruction(
            "Python (ssl, httpx)",
            ANYWHERE,
            (f"export SSL_CERT_FILE={path}",),
            ("unset SSL_CERT_FILE",),
            "Replaces all other roots while it is set.",
        ),
        Instruction(
            "Python (requests)",
            ANYWHERE,
            (f"export REQUESTS_CA_BUNDLE={path}",),
            ("unset REQUESTS_CA_BUNDLE",),
            "Replaces all other roots while it is set.",
        ),
        Instruction(
            "Node.js",
            ANYWHERE,
            (f"export NODE_EXTRA_CA_CERTS={path}",),
            ("unset NODE_EXTRA_CA_CERTS",),
            "Added to the roots that Node.js comes with.",
        ),
        Instruction(
            "Java",
            ANYWHERE,
            (f"keytool -importcert -cacerts -noprompt -storepass changeit -alias {file} -file {path}",),
            (f"keytool -delete -cacerts -storepass changeit -alias {file}",),
        ),
    )


def as_text(
    listed: Sequence[Instruction], name: str, constraints: Constraints | None, system: str | None = None
) -> str:
    """Write instructions for people: those for one system (sys.platform) and those for anywhere."""
    here = sys.platform if system is None else system
    lines = [f"To trust {name}:"]
    for one in listed:
        if one.system not in {here, ANYWHERE}:
            continue
        lines += ["", one.who, *(f"    {command}" for command in one.commands)]
        lines += [f"  undo: {command}" for command in one.undo]
        if one.note:
            lines.append(f"  {one.note}")
    lines.append("")
    if constraints is None:
        lines.append(
            "DANGER: this root has no name constraints. Whoever gets hold of its key can impersonate every "
            "site to everyone who trusts it. Trust it only where you must, and take that back soon."
        )
    else:
        lines.append(f"This root can vouch for nothing but {constraints}.")
    return "\n".join(lines) + "\n"

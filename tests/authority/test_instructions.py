"""What people are told to do: shell lines that mean what they say."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from glasslock.authority import Authority


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_this_system_and_what_is_the_same_everywhere(system: str) -> None:
    text = Authority.ephemeral().trust_instructions(system)
    for who, where in (
        ("Debian, Ubuntu", "linux"),
        ("Fedora", "linux"),
        ("Chromium, Chrome (Linux)", "linux"),
        ("Firefox (Linux)", "linux"),
        ("macOS", "darwin"),
        ("Windows", "win32"),
    ):
        assert (who in text) == (system == where)
    for who in ("curl", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "keytool"):
        assert who in text
    assert "can vouch for nothing but localhost" in text


def test_an_unconstrained_root_is_called_a_danger() -> None:
    assert "DANGER" in Authority.ephemeral(dangerous_unconstrained=True).trust_instructions()
    assert "DANGER" not in Authority.ephemeral().trust_instructions()


def test_every_command_that_lasts_can_be_undone() -> None:
    for one in Authority.ephemeral().instructions():
        assert one.undo or one.who == "curl", one.who


def test_a_path_with_spaces_and_quotes_stays_one_word(tmp_path: Path) -> None:
    authority = Authority.open_or_create(tmp_path / "it's my ca")
    for one in authority.instructions():
        if one.system == "win32":
            assert f'"{authority.root_path}"' in one.commands[0]
        elif any("root.pem" in command for command in one.commands):
            command = next(command for command in one.commands if "root.pem" in command)
            words = shlex.split(command.replace("; done", ""))
            assert any(word.endswith(str(authority.root_path)) for word in words)


@pytest.mark.skipif(shutil.which("certutil") is None, reason="no certutil (NSS tools) here")
def test_the_lines_for_chromium_and_firefox_do_what_they_say(tmp_path: Path) -> None:
    home, profile = tmp_path, tmp_path / ".mozilla" / "firefox" / "abc.default"
    profile.mkdir(parents=True)
    authority = Authority.open_or_create(tmp_path / "my ca")

    def shell(line: str) -> str:
        environment = {**os.environ, "HOME": str(home)}
        # The loop over Firefox's profiles ends with the status of a pattern that matched nothing.
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, check=False)
        assert done.stderr == ""
        return done.stdout

    shell(f"certutil -d sql:{profile} -N --empty-password")
    for who, database in (("Chromium", home / ".pki" / "nssdb"), ("Firefox (Linux)", profile)):
        (one,) = [one for one in authority.instructions() if one.who.startswith(who)]
        for command in one.commands:
            shell(command)
        listed = shell(f"certutil -d sql:{database} -L").splitlines()
        assert any(line.startswith(authority.name) and "C,," in line for line in listed)
        for command in one.undo:
            shell(command)
        assert authority.name not in shell(f"certutil -d sql:{database} -L")

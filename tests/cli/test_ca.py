"""`glasslock ca`: idempotent, never overwrites a key, says what it did and what it may not do."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509

from .command import glasslock


def test_init_makes_an_authority_once_and_says_how_to_trust_it(tmp_path: Path) -> None:
    home = tmp_path / "ca"
    first = glasslock("ca", "init", GLASSLOCK_CA=home)
    assert first.returncode == 0
    assert "update-ca-certificates" in first.stdout
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert glasslock("ca", "init", GLASSLOCK_CA=home).returncode == 0
    after = {path.name: path.read_bytes() for path in home.iterdir() if path.is_file()}
    assert before == after
    for path in home.glob("*key*"):
        assert path.stat().st_mode & 0o777 == 0o600


def test_issue_writes_a_chain_and_a_key_of_its_own(tmp_path: Path) -> None:
    home, out = tmp_path / "ca", tmp_path / "out"
    result = glasslock("ca", "issue", "app.localhost", "127.0.0.1", "--out", str(out), GLASSLOCK_CA=home)
    assert result.returncode == 0, result.stderr
    chain = x509.load_pem_x509_certificates((out / "app.localhost.pem").read_bytes())
    assert len(chain) == 2
    assert (out / "app.localhost-key.pem").stat().st_mode & 0o777 == 0o600
    again = glasslock("ca", "issue", "app.localhost", "--out", str(out), GLASSLOCK_CA=home)
    assert again.returncode == 2
    assert "not overwritten" in again.stderr
    shown = glasslock("ca", "show", GLASSLOCK_CA=home)
    assert "app.localhost, 127.0.0.1" in shown.stdout


def test_names_that_belong_to_others_are_refused(tmp_path: Path) -> None:
    result = glasslock("ca", "issue", "example.org", "--out", str(tmp_path), GLASSLOCK_CA=tmp_path / "ca")
    assert result.returncode == 2
    assert "example.org" in result.stderr
    assert not list(tmp_path.glob("*.pem"))


def test_show_without_an_authority_says_how_to_make_one(tmp_path: Path) -> None:
    result = glasslock("ca", "show", GLASSLOCK_CA=tmp_path / "nothing")
    assert result.returncode == 2
    assert "glasslock" in result.stderr


def test_a_client_certificate_can_be_issued(tmp_path: Path) -> None:
    result = glasslock("ca", "issue", "--client", "Ada", "--out", str(tmp_path), GLASSLOCK_CA=tmp_path / "ca")
    assert result.returncode == 0, result.stderr
    (leaf, _) = x509.load_pem_x509_certificates((tmp_path / "Ada.pem").read_bytes())
    assert leaf.subject.rfc4514_string() == "CN=Ada"

"""Other people's programs look at what we issue: linters, command-line clients, runtimes and browsers.

Each verifier sees three chains: a good one, and two that thieves of the intermediate's and of the root's key
could make, which the name constraints must stop. Everything stays on loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from glasslock.authority import Authority, Services, longest_days

from .conftest import CASES, Chain, Thief, pem
from .serving import Site

pytestmark = pytest.mark.interop

SERVICES = Services(
    issuer_url="http://ca.example.com/issuer.der",
    ocsp_url="http://ca.example.com/ocsp",
    crl_url="http://ca.example.com/issuer.crl",
)


def _needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(_which(program) is None, reason=f"no {program} here")


def _which(program: str) -> str | None:
    """Look beside this Python too, where packages put their programs."""
    return shutil.which(program, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))


def _run(*command: str, **options: object) -> subprocess.CompletedProcess[str]:
    program = _which(command[0])
    assert program is not None
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [program, *command[1:]], capture_output=True, text=True, check=False, timeout=50, **options
    )


# --- pkilint --------------------------------------------------------------------------------------

# What the Baseline Requirements demand of a public authority and a local one cannot or should not have.
# docs/authority.md says why, one by one.
NO_COUNTRY = "cabf.serverauth.ca.country_attribute_absent"
NAMES_NOBODY_OWNS = {"cabf.internal_domain_name", "cabf.internal_ip_address"}
NO_DIRECTORY_NAME = "cabf.serverauth.ca.incomplete_name_constraints"
NOT_PUBLISHED = {
    "cabf.serverauth.ca.crl_distribution_points_extension_absent",
    "cabf.serverauth.subscriber.revocation_information_absent",
    "cabf.serverauth.subscriber.authority_info_access_extension_absent",
    "msft.end_entity.revocation_information_absent",
}
NOT_OF_THE_PUBLIC_DNS = "pkix.invalid_domain_name_syntax"


def _findings(report: str, severities: frozenset[str]) -> set[str]:
    return {
        finding["code"]
        for result in json.loads(report)["results"]
        for finding in result["finding_descriptions"]
        if finding["severity"] in severities
    }


ERRORS = frozenset({"ERROR", "FATAL"})
ANY_SEVERITY = ERRORS | {"WARNING", "NOTICE", "INFO"}


def _lint(certificate: bytes, tmp_path: Path, kind: str, severities: frozenset[str] = ERRORS) -> set[str]:
    path = tmp_path / "certificate.pem"
    path.write_bytes(certificate)
    done = _run("lint_cabf_serverauth_cert", "lint", "-t", kind, "-s", "INFO", "-f", "JSON", str(path))
    return _findings(done.stdout, severities)


@_needs("lint_cabf_serverauth_cert")
def test_pkilint_finds_nothing_in_a_certificate_for_public_names(tmp_path: Path) -> None:
    authority = Authority.ephemeral(dangerous_unconstrained=True, services=SERVICES, root_services=SERVICES)
    for key_type in ("ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072"):
        issued = authority.issue(["www.example.com", "*.example.com"], key_type=key_type)
        assert _lint(pem(issued.certificate), tmp_path, "DV-FINAL-CERTIFICATE", ANY_SEVERITY) == set()
    assert _lint(pem(authority.intermediate), tmp_path, "INTERNAL-UNCONSTRAINED-TLS-CA") == {NO_COUNTRY}
    assert _lint(pem(authority.root), tmp_path, "ROOT-CA") == {NO_COUNTRY}


@_needs("lint_cabf_serverauth_cert")
def test_pkilint_at_the_longest_lifetime(tmp_path: Path) -> None:
    authority = Authority.ephemeral(dangerous_unconstrained=True, services=SERVICES)
    now = authority.root.not_valid_before_utc
    issued = authority.issue("www.example.com", days=longest_days(now))
    assert (
        _lint(pem(issued.certificate), tmp_path, "DV-FINAL-CERTIFICATE") == set()
    )  # the BR recommend a day less: a warning


@_needs("lint_cabf_serverauth_cert")
def test_pkilint_finds_only_what_is_meant_in_a_local_authority(tmp_path: Path) -> None:
    authority = Authority.ephemeral()
    issued = authority.issue(["localhost", "*.app.test", "127.0.0.1", "::1"])
    found = _lint(pem(issued.certificate), tmp_path, "DV-FINAL-CERTIFICATE")
    assert found <= NAMES_NOBODY_OWNS | NOT_PUBLISHED
    assert found & NAMES_NOBODY_OWNS == NAMES_NOBODY_OWNS
    found = _lint(pem(authority.intermediate), tmp_path, "INTERNAL-CONSTRAINED-TLS-CA")
    assert found <= {NO_COUNTRY, NO_DIRECTORY_NAME} | NAMES_NOBODY_OWNS | NOT_PUBLISHED
    assert _lint(pem(authority.root), tmp_path, "ROOT-CA") <= {NO_COUNTRY} | NAMES_NOBODY_OWNS


@_needs("lint_pkix_cert")
def test_pkilint_by_rfc_5280_alone(tmp_path: Path) -> None:
    authority = Authority.ephemeral(services=SERVICES, root_services=SERVICES)
    leaf = authority.issue(["localhost", "*.app.test", "127.0.0.1"]).certificate
    client = authority.issue_client("Ann", email="ann@example.com").certificate
    for name, certificate in (("root", authority.root), ("intermediate", authority.intermediate)):
        (tmp_path / name).write_bytes(pem(certificate))
    for name, certificate in (("leaf", leaf), ("client", client)):
        (tmp_path / name).write_bytes(pem(certificate))
    for name in ("root", "intermediate", "leaf", "client"):
        report = _run("lint_pkix_cert", "lint", "-f", "JSON", str(tmp_path / name)).stdout
        assert _findings(report, ERRORS) <= {NOT_OF_THE_PUBLIC_DNS}, name
    for issuer, subject in (("root", "root"), ("root", "intermediate"), ("intermediate", "leaf")):
        report = _run(
            "lint_pkix_signer_signee_cert_chain",
            "lint",
            "-f",
            "JSON",
            str(tmp_path / issuer),
            str(tmp_path / subject),
        ).stdout
        assert _findings(report, ERRORS) == set(), (issuer, subject)


# --- clients --------------------------------------------------------------------------------------


@pytest.fixture
def root(thief: Thief) -> str:
    return str(thief.authority.root_path)


@_needs("curl")
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_curl(thief: Thief, root: str, make: Chain, name: str, accepted: bool) -> None:
    with Site(make(thief)) as site:
        done = _run(
            "curl",
            "-sS",
            "--cacert",
            root,
            "--resolve",
            f"{name}:{site.port}:127.0.0.1",
            f"https://{name}:{site.port}/",
        )
    assert (done.returncode, "padlock" in done.stdout) == ((0, True) if accepted else (60, False)), done.stderr


@_needs("gnutls-cli")
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_gnutls(thief: Thief, root: str, make: Chain, name: str, accepted: bool) -> None:
    with Site(make(thief)) as site:
        done = _run(
            "gnutls-cli", "--x509cafile", root, "--sni-hostname", name, "--verify-hostname", name,
            "--port", str(site.port), "127.0.0.1", input="",
        )  # fmt: skip
    expected = "The certificate is trusted." if accepted else "violates the signer's constraints"
    assert expected in done.stdout


@_needs("node")
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_node(thief: Thief, root: str, make: Chain, name: str, accepted: bool) -> None:
    with Site(make(thief)) as site:
        program = (
            f"require('https').get({{host: '127.0.0.1', port: {site.port}, servername: '{name}'}},"
            " response => console.log(response.statusCode)).on('error', error => console.log(error.message))"
        )
        done = _run("node", "-e", program, env={**os.environ, "NODE_EXTRA_CA_CERTS": root})
    assert done.stdout.strip() == ("200" if accepted else "permitted subtree violation"), done.stderr


GO_CLIENT = """
package main

import ("crypto/tls"; "crypto/x509"; "fmt"; "os")

func main() {
    pem, _ := os.ReadFile(os.Args[1])
    roots := x509.NewCertPool()
    roots.AppendCertsFromPEM(pem)
    config := &tls.Config{RootCAs: roots, ServerName: os.Args[2]}
    connection, err := tls.Dial("tcp", os.Args[3], config)
    if err != nil { fmt.Println(err); return }
    connection.Close()
    fmt.Println("accepted")
}
"""


@pytest.fixture(scope="session")
def go_client(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(GO_CLIENT)
    environment = {**os.environ, "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": ""}
    go = _which("go")
    assert go
    subprocess.run([go, "build", "-o", "client", "main.go"], cwd=folder, env=environment, check=True, timeout=300)
    return str(folder / "client")


@_needs("go")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_go(thief: Thief, root: str, go_client: str, make: Chain, name: str, accepted: bool) -> None:
    with Site(make(thief)) as site:
        done = _run(go_client, root, name, f"127.0.0.1:{site.port}")
    assert ("accepted" if accepted else "is not authorized to sign for this name") in done.stdout


# --- browsers, told to trust the root by the very lines that people are given -------------------------


def _trust(authority: Authority, who: str, home: Path) -> None:
    (one,) = [one for one in authority.instructions() if one.who.startswith(who)]
    for command in one.commands:
        subprocess.run(["sh", "-c", command], env={**os.environ, "HOME": str(home)}, check=False, timeout=30)


@_needs("chromium")
@_needs("certutil")
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_chromium(thief: Thief, make: Chain, name: str, accepted: bool, trusted: bool, tmp_path: Path) -> None:
    if trusted:
        _trust(thief.authority, "Chromium", tmp_path)
    with Site(make(thief)) as site:
        done = _run(
            "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--host-resolver-rules=MAP * 127.0.0.1", f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom", f"https://{name}:{site.port}/", env={**os.environ, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert site.was_visited == ("behind a padlock" in done.stdout) == (accepted and trusted)
    if not (accepted and trusted):
        assert ("ERR_CERT_INVALID" if trusted else "ERR_CERT_AUTHORITY_INVALID") in done.stderr


FIREFOX_PREFERENCES = {
    # Only loopback is reached: names of the test lead there, everything else to a proxy that does not exist.
    "network.dns.localDomains": "www.example.com",
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, www.example.com",
    "network.proxy.failover_direct": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.auto": False,
}


@pytest.fixture
def firefox_home(tmp_path: Path) -> Iterator[Path]:
    profile = tmp_path / ".mozilla" / "firefox" / "test.default"
    profile.mkdir(parents=True)
    lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in FIREFOX_PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines))
    subprocess.run(["certutil", "-d", f"sql:{profile}", "-N", "--empty-password"], check=True)
    return tmp_path


@_needs("firefox-esr")
@_needs("certutil")
@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
@pytest.mark.parametrize(("make", "name", "accepted"), CASES)
def test_firefox(thief: Thief, make: Chain, name: str, accepted: bool, trusted: bool, firefox_home: Path) -> None:
    if trusted:
        _trust(thief.authority, "Firefox (Linux)", firefox_home)
    profile = firefox_home / ".mozilla" / "firefox" / "test.default"
    with Site(make(thief)) as site:
        url = f"https://{name}:{site.port}/"
        firefox = subprocess.Popen(
            [
                "firefox-esr",
                "--headless",
                "--no-remote",
                "--profile",
                str(profile),
                "--screenshot",
                "shot.png",
                url,
            ],
            cwd=firefox_home,
            env={**os.environ, "HOME": str(firefox_home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            # Of a page with a certificate error it makes no screenshot and never ends.
            assert site.first_seen.wait(45), "Firefox did not connect"
        finally:
            os.killpg(firefox.pid, signal.SIGTERM)
            firefox.wait(15)
        assert site.was_visited == (accepted and trusted), site.seen
    if trusted and not accepted:
        assert "bad certificate" in site.seen[0]
    elif accepted and not trusted:
        assert "unknown ca" in site.seen[0]

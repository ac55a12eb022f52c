"""Encrypted ClientHello with browsers: they learn the key from DNS over HTTPS, and hide the name from there on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from glasslock.errors import PeerAlert
from glasslock.registry import AlertDescription
from glasslock.tls import ECHKey, ServerConfig
from glasslock.tls.handshake.agreed import Agreed

from .ech_ends import PUBLIC, SECRET, Site, make_site, published
from .pages import Pages, Zone, serving_pages

pytestmark = [pytest.mark.interop, pytest.mark.slow, pytest.mark.timeout(120)]

LIMIT = 60  # seconds for a browser to start, load the page and end
RESOLVER = "localhost"

# From a folder of its own, a root certificate, the resolver's address and that of the page: runs a browser.
Browser = Callable[[Path, Path, str, str], None]


def trust(database: Path, root: Path) -> None:
    """A root for everything that uses NSS for its certificates."""
    database.mkdir(parents=True, exist_ok=True)
    for command in (
        ["certutil", "-N", "-d", f"sql:{database}", "--empty-password"],
        ["certutil", "-A", "-d", f"sql:{database}", "-n", "root", "-t", "C,,", "-i", str(root)],
    ):
        subprocess.run(command, check=True, capture_output=True, timeout=LIMIT)


def firefox(folder: Path, root: Path, resolver: str, page: str) -> None:
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None or shutil.which("certutil") is None:
        pytest.skip("Firefox or certutil is not installed")
    trust(folder, root)
    settings = {
        "network.trr.mode": 3,  # DNS over HTTPS only
        "network.trr.uri": resolver,
        "network.trr.allow-rfc1918": True,  # answers may be local addresses
        "network.trr.bootstrapAddr": "127.0.0.1",
        "network.trr.confirmationNS": "skip",
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "network.http.http3.enable": False,
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items()]
    (folder / "user.js").write_text("".join(lines))
    options = ["--headless", "--profile", str(folder), "--screenshot", str(folder / "page.png"), page]
    quietly([program, *options], os.environ | {"HOME": str(folder)})


def chromium(folder: Path, root: Path, resolver: str, page: str) -> None:
    program = shutil.which("chromium")
    if program is None or shutil.which("certutil") is None:
        pytest.skip("Chromium or certutil is not installed")
    trust(folder / ".pki" / "nssdb", root)
    profile = folder / "profile"
    profile.mkdir()
    settings = {"dns_over_https": {"mode": "secure", "templates": resolver}}
    (profile / "Local State").write_text(json.dumps(settings))
    off = ["gpu", "quic", "background-networking", "component-update", "sync"]
    options = ["--headless", "--no-sandbox", "--no-first-run", *(f"--disable-{feature}" for feature in off)]
    command = [program, *options, f"--user-data-dir={profile}", "--dump-dom", page]
    quietly(command, os.environ | {"HOME": str(folder)})


def quietly(command: list[str], environment: dict[str, str]) -> None:
    subprocess.run(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT, check=False
    )


def show(_: bytes, agreed: Agreed) -> tuple[bytes, str]:
    return f"<title>{agreed.server_name}</title>".encode(), "text/html"


BROWSERS = pytest.mark.parametrize("browser", [firefox, chromium])


@pytest.fixture
def open_page(tmp_path: Path) -> Iterator[Callable[[Browser, Site, ECHKey], Pages]]:
    """Runs a site, a resolver that publishes a key for it, and a browser that visits it."""
    with ExitStack() as stack:

        def run(browser: Browser, site: Site, advertised: ECHKey) -> Pages:
            config = site.server(site.key)
            pages = stack.enter_context(serving_pages(config, show))
            zone = Zone(SECRET, pages.port, published(advertised))
            plain = ServerConfig(credentials=config.credentials)
            resolver = stack.enter_context(serving_pages(plain, zone.answer))
            folder = tmp_path / "browser"
            folder.mkdir()
            address = f"https://{RESOLVER}:{resolver.port}/dns-query"
            browser(folder, site.folder / "root.pem", address, f"https://{SECRET}:{pages.port}/")
            assert resolver.connections, "the browser asked the resolver nothing"
            return pages

        yield run


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return make_site(tmp_path_factory.mktemp("ech"))


@BROWSERS
def test_browser_hides_the_name(open_page: Callable[..., Pages], site: Site, browser: Browser) -> None:
    pages = open_page(browser, site, site.key)
    shown = [connection.agreed for connection in pages.connections if connection.agreed.server_name == SECRET]
    assert shown, "the browser did not come"
    assert all(agreed.ech_accepted for agreed in shown)
    assert PUBLIC not in {connection.agreed.server_name for connection in pages.connections}


@BROWSERS
def test_browser_comes_back_with_the_new_keys(open_page: Callable[..., Pages], site: Site, browser: Browser) -> None:
    pages = open_page(browser, site, site.other)
    refused = [c for c in pages.connections if c.agreed.server_name == PUBLIC]
    accepted = [c for c in pages.connections if c.agreed.server_name == SECRET]
    assert refused
    assert accepted
    for connection in refused:
        assert not connection.agreed.ech_accepted
        if connection.failure is not None:
            assert isinstance(connection.failure, PeerAlert)
            assert connection.failure.description == AlertDescription.ECH_REQUIRED
    assert all(connection.agreed.ech_accepted for connection in accepted)

"""Chromium and Firefox load a page over glasslock and try from it everything that they have too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .browsers.browser import BROWSERS, Browser, Chromium
from .browsers.visits import names, run
from .process import Process, Unavailable

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

VISITS = [
    pytest.param(browser, name, id=f"{browser.name}-{name.replace(' ', '-')}")
    for browser in BROWSERS
    for name in names(browser)
]


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str] | Unavailable]:
    """One run of each browser that is here."""
    found: dict[str, dict[str, str] | Unavailable] = {}
    for browser in BROWSERS:
        folder = tmp_path_factory.mktemp(browser.name)
        try:
            browser.version()
        except Unavailable as reason:
            found[browser.name] = reason
        else:
            found[browser.name] = run(browser, folder, folder / "page.png")
    return found


@pytest.mark.parametrize(("browser", "name"), VISITS)
def test_visit(browser: Browser, name: str, problems: dict[str, dict[str, str] | Unavailable]) -> None:
    found = problems[browser.name]
    if isinstance(found, Unavailable):
        pytest.skip(f"{browser.name}: {found}")
    if found[name]:
        pytest.fail(found[name], pytrace=False)


LOCAL_PAGE = """<!doctype html><title>local</title><p id="told"></p><script>
document.getElementById("told").textContent =
  [location.protocol, isSecureContext, performance.getEntriesByType("navigation")[0].nextHopProtocol].join(" ");
</script>"""


def test_chromium_visits_what_glasslock_serves(tmp_path: Path) -> None:
    """The command itself, with the certificate and the root that it makes when there are none."""
    browser = Chromium()
    try:
        browser.version()
    except Unavailable as reason:
        pytest.skip(f"chromium: {reason}")
    site, home = tmp_path / "site", tmp_path / "home"
    site.mkdir()
    home.mkdir()
    (site / "index.html").write_text(LOCAL_PAGE)
    serve = [sys.executable, "-m", "glasslock.cli", "serve", str(site), "--port", "0", "--verbose"]
    serve += ["--ca-dir", str(tmp_path / "ca")]
    with Process(serve, tmp_path, {"NO_COLOR": "1", "COLUMNS": "200"}) as server:
        server.wait_for(lambda: b"stop" in server.output(), "announcement")
        told = server.output().decode().split()
        url, root = told[0], Path(told[told.index("root") + 1])
        assert 'id="told">https: true h2</p>' in browser.dom(url, root, home)
        server.wait_for(lambda: b"x25519mlkem768" in server.output().lower(), "story of the connection")

"""What is tried with a browser, and one run of it over everything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from glasslock.https import serving
from glasslock.registry import CertificateCompressionAlgorithm, CipherSuite, HandshakeType, NamedGroup, ProtocolVersion
from glasslock.tls import MemoryReplayGuard
from glasslock.trace import HandshakeCompleted

from ..credentials import Authority
from ..features.base import CellFailed, expect
from ..process import PeerFailed
from ..verifiers import Pinned
from .browser import Browser
from .sites import FrontPage, Seen, echo_site, small_site


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One site and what must be agreed there."""

    name: str
    engine: dict[str, Any] = field(default_factory=dict)
    key: str = "p256"
    version: ProtocolVersion = ProtocolVersion.TLS_1_3
    suite: CipherSuite | None = None
    group: NamedGroup | None = None
    compressed: bool = False
    requests: int = 0  # of a small site over HTTP/1.1, if any
    resumed: bool = False
    early: bool = False
    new_keys: bool = False

    def check(self, seen: Seen) -> None:
        """Raises CellFailed unless every connection was as it must be."""
        expect(seen.handshakes, "the browser has connected")
        for done in seen.handshakes:
            self._check_one(done)
        if self.compressed:
            expect(HandshakeType.COMPRESSED_CERTIFICATE in seen.sent, "the certificate went out compressed")
        if self.new_keys:
            expect(HandshakeType.KEY_UPDATE in seen.sent, "we have changed our keys")
            expect(HandshakeType.KEY_UPDATE in seen.received, "the browser has changed its own")
        if self.resumed:
            resumed = [done.resumed for done in seen.handshakes]
            expect(any(resumed), f"a later connection resumed an earlier one (it was: {resumed})")
        if self.early:
            expect(any(done.early_data for done in seen.handshakes), "a request came as 0-RTT data")

    def _check_one(self, done: HandshakeCompleted) -> None:
        expect(done.version == self.version, f"the version is {self.version.name} (it was: {done.version:#x})")
        expect(self.suite in (None, done.cipher_suite), f"the suite is {self.suite} (it was: {done.cipher_suite:#x})")
        expect(self.group in (None, done.group), f"the group is {self.group} (it was: {done.group})")
        expect(done.alpn == ("http/1.1" if self.requests else "h2"), f"the protocol is right (it was: {done.alpn})")


def visits_for(browser: Browser) -> Iterator[Visit]:
    """Everything that we and a browser both have."""
    v12 = ProtocolVersion.TLS_1_2
    for group in sorted(browser.can.groups, key=lambda group: list(NamedGroup).index(group)):
        yield Visit(name=group.name, engine={"groups": (group,)}, group=group)
    for suite in CipherSuite:
        if suite >> 8 == 0x13:
            yield Visit(name=suite.name, engine={"cipher_suites": (suite,)}, suite=suite)
        elif "ECDHE" in suite.name:
            key = "rsa" if "RSA" in suite.name else "p256"
            engine = {"versions": (v12,), "cipher_suites": (suite,)}
            yield Visit(name=suite.name, engine=engine, suite=suite, key=key, version=v12)
    for suite in browser.can.key_transport:  # HTTP/2 has none of these: RFC 9113 appendix A
        engine = {"versions": (v12,), "cipher_suites": (suite,)}
        yield Visit(name=suite.name, engine=engine, suite=suite, key="rsa", version=v12, requests=1)
    for key in sorted(browser.can.keys):
        yield Visit(name=f"{key} certificate", key=key)
    for algorithm in sorted(browser.can.compression):
        number = CertificateCompressionAlgorithm[algorithm.upper()]
        engine = {"certificate_compression": (number,), "compress_certificates_above": 0}
        yield Visit(name=f"certificate in {algorithm}", engine=engine, compressed=True)
    yield Visit(name="KeyUpdate", requests=2, new_keys=True)
    yield Visit(name="resumption", requests=3, resumed=True)
    if browser.can.early_data:
        engine = {"max_early_data": 16384, "replay_guard": MemoryReplayGuard()}
        yield Visit(name="0-RTT", engine=engine, requests=3, resumed=True, early=True)


FRONT_PAGE = "front page"
CLIENT_CERTIFICATE = "client certificate"


def names(browser: Browser) -> list[str]:
    """Of everything that `run` judges."""
    more = [CLIENT_CERTIFICATE] if browser.can.client_certificate else []
    return [FRONT_PAGE, *(visit.name for visit in visits_for(browser)), *more]


def run(browser: Browser, folder: Path, screenshot: Path) -> dict[str, str]:
    """Starts all sites, sends the browser there, and judges what both sides saw.

    What was wrong with each visit, which is empty if nothing was; the front page comes first.
    """
    folder.mkdir(exist_ok=True)
    authority = Authority(folder)
    visits = list(visits_for(browser))
    seen = {visit.name: Seen() for visit in visits}
    with contextlib.ExitStack() as stack:
        sites = []
        for visit in visits:
            credential = authority.servers[visit.key].credential
            if visit.requests:
                site = small_site(credential, visit.engine, seen[visit.name], new_keys=visit.new_keys)
            else:
                site = echo_site(credential, visit.engine, seen[visit.name])
            sites.append((visit.name, stack.enter_context(site), visit.requests or 1))
        page = FrontPage(sites)
        credential = authority.servers["p256"].credential
        front = stack.enter_context(serving(page, credentials=[credential], observer_for=page.seen.observer_for))
        try:
            browser.visit(front.url, authority.root_file, folder / "home", screenshot)
        except PeerFailed as problem:
            return dict.fromkeys(names(browser), str(problem))
    problems = {FRONT_PAGE: _problem(partial(_check_page, page))}
    for visit in visits:
        reported = page.report.get("loaded", {}).get(visit.name, "not reported")
        problems[visit.name] = reported or _problem(partial(visit.check, seen[visit.name]))
    if browser.can.client_certificate:
        problems[CLIENT_CERTIFICATE] = _problem(partial(_identify, browser, authority, folder))
    return problems


def _identify(browser: Browser, authority: Authority, folder: Path) -> None:
    """The page alone, from a server that insists on a certificate of the browser's."""
    page = FrontPage([])
    engine = {"client_verifier": Pinned(authority.client.der), "require_client_certificate": True}
    credential = authority.servers["p256"].credential
    with serving(page, credentials=[credential], engine=engine, observer_for=page.seen.observer_for) as site:
        browser.visit(site.url, authority.root_file, folder / "identity", folder / "identity.png", authority.client)
    expect(page.report.get("secure"), "the page has been loaded")
    expect(HandshakeType.CERTIFICATE_VERIFY in page.seen.received, "the browser has proved who it is")


def _check_page(page: FrontPage) -> None:
    expect(page.report, "the page has reported, so it was loaded")
    expect(page.report.get("secure"), "the page is a secure context")
    expect(page.report.get("protocol") == "h2", f"it came over h2 (it was: {page.report.get('protocol')})")
    done = page.seen.handshakes[0]
    expect(done.group == NamedGroup.X25519MLKEM768, f"the group is X25519MLKEM768 (it was: {done.group})")
    expect(done.version == ProtocolVersion.TLS_1_3, "the version is TLS 1.3")
    expect(not done.retried, "there was no HelloRetryRequest")


def _problem(check: Callable[[], None]) -> str:
    try:
        check()
    except (CellFailed, PeerFailed) as problem:
        return str(problem)
    return ""

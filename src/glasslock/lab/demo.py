"""The demonstration: an authority, a site and a visitor on loopback, then three attackers between them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ..adapters.recorder import TraceRecorder
from ..authority import Authority
from ..errors import GlasslockError, TLSError
from ..https.client import visit
from ..registry import AlertDescription, CipherSuite, name_of
from ..tls import ClientConfig, Credential
from ..trace import HandshakeCompleted, TraceRecord, VerdictReached
from ..trust import ServerCertificateVerifier, TrustStore
from .eavesdropper import Eavesdropper
from .relay import Relay
from .site import HTML, Site
from .tamperer import Tamperer

HOST = "bank.localhost"
PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - everybody knows this one
PAGE = b"<!doctype html>\n<title>Bank</title>\n<h1>Your balance is 1,234.56</h1>\n"
# The protected records of the site's side: its flight, its ticket, its answer.
ANSWER = 3


@dataclass(frozen=True, slots=True)
class Scene:
    """What one attacker tried: `rows` are (label, text), `stopped_by` says what kept him from it."""

    title: str
    rows: tuple[tuple[str, str], ...]
    stopped_by: str
    records: tuple[TraceRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Demo:
    """The undisturbed visit, and then the attacks."""

    visit: tuple[TraceRecord, ...]
    scenes: tuple[Scene, ...]


class Stage:
    """Everybody who takes part in the play, made anew each time."""

    def __init__(self) -> None:
        self.authority = Authority.ephemeral()
        self.credential = _credential(self.authority)
        root = TrustStore.from_certificates([_der(self.authority)], "the demo's own root")
        self.config = ClientConfig(verifier=ServerCertificateVerifier(root))
        self.pages = {"/account": (HTML, PAGE)}
        self.host = HOST

    def go(self, address: tuple[str, int]) -> tuple[list[TraceRecord], GlasslockError | None]:
        """One visit to whoever listens at the address; what happened, and how it failed if it did."""
        recorder = TraceRecorder()
        url = f"https://{self.host}:{address[1]}/account?password={PASSWORD}"
        try:
            visit(url, config=dataclasses.replace(self.config), observer=recorder, timeout=5.0, http2=False)
        except GlasslockError as error:
            return recorder.records, error
        return recorder.records, None


def perform() -> Demo:
    """Plays everything, on loopback, in about a second. Raises GlasslockError if the undisturbed visit fails."""
    stage = Stage()
    with Site(stage.credential, stage.pages) as site:
        records, error = stage.go(site.address)
        if error is not None:
            raise error
        scenes = (listen(stage, site), change_a_byte(stage, site), impersonate(stage))
    return Demo(tuple(records), scenes)


def listen(stage: Stage, site: Site) -> Scene:
    """An eavesdropper copies every byte."""
    attacker = Eavesdropper()
    with Relay(site.address, attacker) as wire:
        records, _ = stage.go(wire.address)
    copied = sum(len(attacker.bytes_seen(to_server=way)) for way in (True, False))
    rows = [("copied", f"{copied:,} bytes, every one that passed")]
    rows += [("learned", fact) for fact in attacker.learned()]
    rows += [
        (("READ" if attacker.finds(secret) else "not learned"), text)
        for secret, text in (
            (PASSWORD.encode(), f"the password, {PASSWORD}: it is nowhere in the copy"),
            (b"/account", "which page it was, or that the balance is 1,234.56"),
        )
    ]
    return Scene("an eavesdropper listens", tuple(rows), _cipher(records), tuple(records))


def change_a_byte(stage: Stage, site: Site) -> Scene:
    """Somebody flips one bit of the site's answer."""
    attacker = Tamperer(ANSWER)
    with Relay(site.address, attacker) as wire:
        records, error = stage.go(wire.address)
    rows: list[tuple[str, str]] = []
    if attacker.changed is not None:
        before, after = attacker.changed
        place = next(i for i, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1])
        rows.append(("changed", f"one bit: byte {place} of the answer was {before[place]:02x}, is {after[place]:02x}"))
    rows.append(("the visitor", "got nothing of it: a record is opened whole and untouched, or not at all"))
    return Scene("one byte is changed on the way", tuple(rows), _refusal(error), tuple(records))


def impersonate(stage: Stage) -> Scene:
    """An impostor answers in the site's place, with a certificate of his own authority for the same name."""
    forger = Authority.ephemeral()
    with Site(_credential(forger), stage.pages) as impostor:
        records, error = stage.go(impostor.address)
    verdict = next((record for record in records if isinstance(record, VerdictReached)), None)
    rows = [
        ("showed", f"a flawless certificate for {HOST}, signed by {forger.name}"),
        ("the visitor", "sent no request: the password never left"),
    ]
    stopped = _refusal(error) if verdict is None else f"{verdict.code}: {verdict.cause.partition(' (')[0]}"
    return Scene("an impostor answers instead", tuple(rows), stopped, tuple(records))


def _credential(authority: Authority) -> Credential:
    issued = authority.issue(HOST)
    return Credential.from_key(issued.chain_der, issued.private_key)


def _der(authority: Authority) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return authority.root.public_bytes(Encoding.DER)


def _cipher(records: list[TraceRecord]) -> str:
    done = next((record for record in records if isinstance(record, HandshakeCompleted)), None)
    if done is None:
        return "nothing: the handshake did not finish"
    suite = name_of(CipherSuite, done.cipher_suite).upper()
    return f"{suite}, under keys that were never sent: both ends computed them"


def _refusal(error: GlasslockError | None) -> str:
    if error is None:
        return "nothing"
    alert = error.alert if isinstance(error, TLSError) else None
    return f"{name_of(AlertDescription, alert)}: {error}" if alert is not None else str(error)

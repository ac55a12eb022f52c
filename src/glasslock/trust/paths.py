"""Which ways lead from the leaf to someone whom we trust? (RFC 4158)

`cryptography` builds its own paths and decides by them. These are for the explanation, so they are looked for in
the same order (trusted before sent, matching key identifiers before others), but also beyond certificates that
some check will refuse: that the way leads on to a trusted root, or does not, is worth knowing.

A hostile chain may hold loops, copies, cross-signatures and junk. Everything is bounded: certificates looked at,
depth, signatures checked, paths kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .certificate import ParsedCertificate
from .stores import TrustStore

MOST_SIGNATURES = 128  # checked in one search, as many as `cryptography` allows itself
MOST_PATHS = 32


@dataclass(frozen=True, slots=True)
class Path:
    """One way, leaf first. `anchored`: its last certificate is in the store.

    `dead_end` says why it leads no further; empty when it is anchored. `impostors`: certificates that bear the
    name of the last one's issuer, but whose key did not sign it.
    """

    certificates: tuple[ParsedCertificate, ...]
    anchored: bool
    dead_end: str = ""
    impostors: tuple[ParsedCertificate, ...] = ()


@dataclass(slots=True)
class _Search:
    store: TrustStore
    received: Sequence[ParsedCertificate]
    deepest: int
    signatures: dict[tuple[ParsedCertificate, ParsedCertificate], bool | None] = field(default_factory=dict)
    paths: int = 0

    def from_here(self, path: tuple[ParsedCertificate, ...]) -> Iterator[Path]:
        """All ways that begin with these certificates, best first."""
        last = path[-1]
        if last.certificate in self.store:
            yield from self._end(Path(path, anchored=True))
            return
        if len(path) > self.deepest:
            yield from self._end(Path(path, anchored=False, dead_end="longer than a path may be"))
            return
        impostors = []
        led_on = False
        for issuer in self._candidates(path):
            if self._exhausted:
                break
            if self._signed(last, issuer) is False:
                impostors.append(issuer)
                continue
            led_on = True
            yield from self.from_here((*path, issuer))
        if not led_on:
            dead_end = "no certificate of its issuer is at hand"
            if self._exhausted:
                dead_end = "given up: too many possible paths"
            elif impostors:
                dead_end = "its signature fits no certificate of its issuer"
            yield from self._end(Path(path, anchored=False, dead_end=dead_end, impostors=tuple(impostors)))

    @property
    def _exhausted(self) -> bool:
        return len(self.signatures) >= MOST_SIGNATURES or self.paths >= MOST_PATHS

    def _end(self, path: Path) -> Iterator[Path]:
        self.paths += 1
        yield path

    def _candidates(self, path: tuple[ParsedCertificate, ...]) -> list[ParsedCertificate]:
        """Who may have issued the last certificate, by name: trusted before sent, likely before unlikely."""
        last = path[-1]
        trusted = self.store.by_subject.get(last.fields.issuer, [])
        sent = [one for one in self.received if one.fields.subject == last.fields.issuer]
        wanted = last.authority_key_identifier

        def unlikeliness(candidate: ParsedCertificate) -> int:
            offered = candidate.key_identifier
            if wanted is None or offered is None:
                return 1
            return 0 if wanted == offered else 2

        candidates = [one for one in dict.fromkeys([*trusted, *sent]) if one not in path]
        return sorted(candidates, key=unlikeliness)

    def _signed(self, certificate: ParsedCertificate, issuer: ParsedCertificate) -> bool | None:
        pair = (certificate, issuer)
        if pair not in self.signatures:
            self.signatures[pair] = certificate.signed_by(issuer)
        return self.signatures[pair]


def find_paths(
    leaf: ParsedCertificate, received: Sequence[ParsedCertificate], store: TrustStore, max_intermediates: int
) -> Iterator[Path]:
    """Look for ways from the leaf to the store, lazily and best first; there is always at least one.

    `received` are the other certificates that the peer sent, in its order.
    """
    return _Search(store, received, max_intermediates + 1).from_here((leaf,))

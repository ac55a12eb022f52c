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
from .signing import Signatures
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
class PathSearch:
    """One search for ways to the store.

    `received` are the certificates that the peer sent beside the leaf, in its order.
    """

    store: TrustStore
    received: Sequence[ParsedCertificate]
    max_intermediates: int
    signatures: Signatures = field(default_factory=Signatures)
    _paths: int = 0

    def from_leaf(self, leaf: ParsedCertificate) -> Iterator[Path]:
        """All ways from the leaf, lazily and best first; there is always at least one."""
        return self._onward((leaf,))

    @property
    def exhausted(self) -> bool:
        """Whether there were more ways than are looked at."""
        return len(self.signatures) >= MOST_SIGNATURES or self._paths >= MOST_PATHS

    def _onward(self, path: tuple[ParsedCertificate, ...]) -> Iterator[Path]:
        """All ways that begin with these certificates."""
        last = path[-1]
        if last in self.store.by_subject.get(last.fields.subject, ()):
            yield self._end(Path(path, anchored=True))
            return
        if len(path) > self.max_intermediates + 1:
            yield self._end(Path(path, anchored=False, dead_end="longer than a path may be"))
            return
        impostors = []
        led_on = False
        for issuer in self._candidates(path):
            if self.exhausted:
                break
            if self.signatures.fits(last, issuer) is False:
                impostors.append(issuer)
                continue
            led_on = True
            yield from self._onward((*path, issuer))
        if not led_on:
            dead_end = "its signature fits no certificate of its issuer" if impostors else "its issuer is not at hand"
            yield self._end(Path(path, anchored=False, dead_end=dead_end, impostors=tuple(impostors)))

    def _end(self, path: Path) -> Path:
        self._paths += 1
        return path

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

        passed = {one.identity for one in path[1:]}
        candidates = [one for one in dict.fromkeys([*trusted, *sent]) if one.identity not in passed and one != path[0]]
        return sorted(candidates, key=unlikeliness)


def straight(path: Sequence[ParsedCertificate]) -> tuple[ParsedCertificate, ...]:
    """Cut the loops out of an accepted path: what lies between two certificates of one CA adds nothing.

    `cryptography` may go from a root to a cross-signed copy of it, or round in circles, before it arrives.
    """
    found: list[ParsedCertificate] = []
    for certificate in path:
        earlier = next((at for at, one in enumerate(found) if at and one.identity == certificate.identity), None)
        if earlier is not None:
            del found[earlier:]
        found.append(certificate)
    return tuple(found)

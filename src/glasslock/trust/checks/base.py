"""What a check is given and what it says.

A check is a function of one `Place`: a certificate, where it stands in a path, and the situation. It answers
with one `Finding`, or with None where the question does not arise. It never raises and never decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from glasslock.registry import Side
from glasslock.trace import CheckRan, Outcome
from glasslock.trust.signing import Signatures

if TYPE_CHECKING:
    from glasslock.trust.certificate import ParsedCertificate
    from glasslock.trust.kinds import Kind
    from glasslock.trust.situation import Situation

Inputs: TypeAlias = Sequence[tuple[str, str]]


class Place(NamedTuple):
    """One certificate of a path, leaf first. `anchored`: the last certificate of the path is in the store.

    `impostors`: certificates that bear the name of the last one's issuer, but whose key did not sign it.
    """

    situation: Situation
    path: tuple[ParsedCertificate, ...]
    position: int
    anchored: bool
    impostors: tuple[ParsedCertificate, ...]
    signatures: Signatures

    @property
    def certificate(self) -> ParsedCertificate:
        return self.path[self.position]

    @property
    def is_leaf(self) -> bool:
        return self.position == 0

    @property
    def is_last(self) -> bool:
        return self.position == len(self.path) - 1

    @property
    def is_anchor(self) -> bool:
        return self.anchored and self.is_last

    @property
    def issuer(self) -> ParsedCertificate | None:
        """The next certificate of the path."""
        return None if self.is_last else self.path[self.position + 1]

    def asks(self, name: str, rule: str, inputs: Inputs = ()) -> Question:
        """Start a check on this certificate."""
        return Question(self, name, rule, tuple(inputs))


class Question(NamedTuple):
    """A check that has its inputs and needs its answer."""

    place: Place
    name: str
    rule: str
    inputs: tuple[tuple[str, str], ...]

    def passed(self, explanation: str) -> Finding:
        return self._answer(Outcome.PASSED, explanation)

    def failed(self, kind: Kind, explanation: str) -> Finding:
        return self._answer(Outcome.FAILED, explanation, kind)

    def warned(self, explanation: str) -> Finding:
        return self._answer(Outcome.WARNED, explanation)

    def skipped(self, explanation: str) -> Finding:
        return self._answer(Outcome.SKIPPED, explanation)

    def unknown(self, explanation: str) -> Finding:
        return self._answer(Outcome.UNKNOWN, explanation)

    def _answer(self, outcome: Outcome, explanation: str, kind: Kind | None = None) -> Finding:
        place = self.place
        title = place.certificate.title
        return Finding(self.name, outcome, place.position, title, self.rule, self.inputs, explanation, kind)


class Finding(NamedTuple):
    """The answer of one check. `kind` is set if it failed; `certificate` is None if it is about the whole."""

    name: str
    outcome: Outcome
    certificate: int | None
    subject: str
    rule: str
    inputs: tuple[tuple[str, str], ...]
    explanation: str
    kind: Kind | None = None

    def as_record(self, time: float, side: Side) -> CheckRan:
        """The same for the trace."""
        return CheckRan(
            time=time,
            side=side,
            rule=self.rule,
            name=self.name,
            outcome=self.outcome,
            certificate=self.certificate,
            subject=self.subject,
            inputs=self.inputs,
            explanation=self.explanation,
        )


Check: TypeAlias = Callable[[Place], Finding | None]

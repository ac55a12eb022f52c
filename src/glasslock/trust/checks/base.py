"""What a check is given and what it says.

A check is a function of one `Place`: a certificate, where it stands in a path, and the situation. It asks with its
inputs and answers with one record of the trace, or with None where the question does not arise. It never raises and
never decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from glasslock.trace import CheckRan, Outcome

if TYPE_CHECKING:
    from glasslock.trust.certificate import ParsedCertificate
    from glasslock.trust.kinds import Kind
    from glasslock.trust.signing import Signatures
    from glasslock.trust.situation import Situation
    from glasslock.trust.verdict import Moment

Inputs: TypeAlias = tuple[tuple[str, str], ...]

# For what a check says of a certificate's bytes alone: the same ones come again and again. What depends on time, name,
# store or policy, and whatever is a decision, is worked out anew in each verification.
remembered = lru_cache(maxsize=256)


@dataclass(slots=True)
class Finding:
    """A check that failed, as the trace has it, and in which way."""

    record: CheckRan
    kind: Kind

    @property
    def name(self) -> str:
        return self.record.name

    @property
    def certificate(self) -> int | None:
        """The position in the path; None if it is about the whole."""
        return self.record.certificate

    @property
    def rule(self) -> str:
        return self.record.rule

    @property
    def inputs(self) -> Inputs:
        return self.record.inputs

    @property
    def explanation(self) -> str:
        return self.record.explanation


class Place:
    """One certificate of a path, leaf first. `anchored`: the last certificate of the path is in the store.

    `impostors`: certificates that bear the name of the last one's issuer, but whose key did not sign it.
    `issuer` is the next certificate of the path.
    """

    __slots__ = (
        "anchored",
        "certificate",
        "failures",
        "impostors",
        "is_anchor",
        "is_last",
        "is_leaf",
        "issuer",
        "path",
        "position",
        "record",
        "side",
        "signatures",
        "situation",
        "time",
        "title",
    )

    def __init__(
        self,
        situation: Situation,
        path: tuple[ParsedCertificate, ...],
        position: int,
        anchored: bool,
        impostors: tuple[ParsedCertificate, ...],
        signatures: Signatures,
        moment: Moment,
    ) -> None:
        self.situation = situation
        self.path = path
        self.position = position
        self.anchored = anchored
        self.impostors = impostors
        self.signatures = signatures
        self.time, self.side = moment
        self.failures: list[Finding] = []
        self.record: CheckRan  # the check that is under way
        self.certificate = path[position]
        self.title = self.certificate.title
        self.is_leaf = position == 0
        self.is_last = position == len(path) - 1
        self.is_anchor = anchored and self.is_last
        self.issuer = None if self.is_last else path[position + 1]

    def asks(self, name: str, rule: str, inputs: Inputs) -> Place:
        """Start a check on this certificate: what is answered next is the answer to this."""
        unanswered = Outcome.UNKNOWN
        self.record = CheckRan(self.time, self.side, rule, name, unanswered, self.position, self.title, inputs)
        return self

    def passed(self, explanation: str) -> CheckRan:
        return self._answer(Outcome.PASSED, explanation)

    def failed(self, kind: Kind, explanation: str) -> CheckRan:
        self.failures.append(Finding(self.record, kind))
        return self._answer(Outcome.FAILED, explanation)

    def warned(self, explanation: str) -> CheckRan:
        return self._answer(Outcome.WARNED, explanation)

    def skipped(self, explanation: str) -> CheckRan:
        return self._answer(Outcome.SKIPPED, explanation)

    def unknown(self, explanation: str) -> CheckRan:
        return self._answer(Outcome.UNKNOWN, explanation)

    def _answer(self, outcome: Outcome, explanation: str) -> CheckRan:
        record = self.record
        record.outcome, record.explanation = outcome, explanation
        return record


Check: TypeAlias = Callable[[Place], CheckRan | None]

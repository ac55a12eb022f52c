"""The whole story of one verification: every path, every check, and the verdict.

Only run when something was refused or somebody listens; the decision itself has been taken before, by `cryptography`
and the few checks that it does not know. What is told here must agree with it. Should it not, the verdict is the
refusal, in the verifier's own words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from glasslock.trace import CheckRan, Outcome, PathTried

from .advice import Case, advise, clock_doubt
from .certificate import ParsedCertificate, UnreadableCertificate
from .checks import Finding, Place, run_checks
from .checks.anchor import names_other_key
from .decide import MOST_RECEIVED, Decision, Received
from .keys import rsa_bits
from .kinds import Kind, WhoCanFix
from .names import describe_name
from .others import Refusal, others_say
from .paths import MOST_PATHS, Path, PathSearch, straight
from .signing import Signatures
from .situation import Situation
from .verdict import Moment, Verdict
from .wording import (
    BAD_CLIENT_CERTIFICATE,
    CODES,
    FATAL_CODES,
    SECURE,
    Facts,
    Wording,
    client_wording,
    clock_wording,
    shown_code,
    warning_wording,
)


@dataclass(frozen=True, slots=True)
class Story:
    """The paths that were tried, the one that counts, and its checks."""

    path: Path | None
    checks: list[CheckRan]
    failed: list[Finding]  # those among them
    tried: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()  # of each path that was tried; empty for the one that was accepted


@dataclass(slots=True)
class _Judged:
    path: Path
    checks: list[CheckRan]
    failed: list[Finding]

    @property
    def problem(self) -> str:
        """What is wrong with the path, in short."""
        if not self.failed:
            return self.path.dead_end
        first = self.failed[0].record
        return f"{first.subject}: {first.explanation}"


def tell(situation: Situation, received: Received, decision: Decision, moment: Moment) -> Story:
    """Try the paths and run the checks."""
    if received.leaf is None:
        return _without_path(received, _unusable(received, moment), moment)
    try:
        verified = [ParsedCertificate.from_x509(certificate) for certificate in decision.path]
        search = PathSearch(
            situation.store,
            [ParsedCertificate.from_x509(certificate) for certificate in received.others],
            situation.policy.max_intermediates,
            Signatures(pairwise(verified)),
        )
        leaf = verified[0] if verified else ParsedCertificate.from_x509(received.leaf)
        accepted = straight(verified)
    except UnreadableCertificate as error:
        return _without_path(received, _verifier_says(str(error), moment), moment)
    judged = _tried(situation, search, leaf, accepted, moment)
    best = _best(judged, decision)
    checks, failed = [_overview(received, moment, exhausted=search.exhausted), *best.checks], best.failed
    if decision.refusal and not failed:
        failed = [_verifier_says(decision.refusal, moment)]
        checks.append(failed[0].record)
    tried = tuple([one.path for one in judged])
    return Story(best.path, checks, failed, tried, tuple([one.problem for one in judged]))


def _without_path(received: Received, failed: Finding, moment: Moment) -> Story:
    return Story(None, [_overview(received, moment), failed.record], [failed])


def _tried(
    situation: Situation,
    search: PathSearch,
    leaf: ParsedCertificate,
    accepted: tuple[ParsedCertificate, ...],
    moment: Moment,
) -> list[_Judged]:
    """Judge path after path, up to the first without a fault, and last of all the one that was accepted."""
    judged = []
    for path in search.from_leaf(leaf):
        if path.certificates == accepted:
            break
        judged.append(_judge(situation, path, search.signatures, moment))
        if not accepted and path.anchored and not judged[-1].failed:
            break
    if accepted:
        judged.append(_judge(situation, Path(accepted, anchored=True), search.signatures, moment))
    return judged


def _judge(situation: Situation, path: Path, signatures: Signatures, moment: Moment) -> _Judged:
    places = [
        Place(situation, path.certificates, index, path.anchored, path.impostors, signatures, moment)
        for index in range(len(path.certificates))
    ]
    checks = run_checks(places)
    return _Judged(path, checks, [finding for place in places for finding in place.failures])


def _best(judged: Sequence[_Judged], decision: Decision) -> _Judged:
    """The accepted path; else the one that came nearest: to a trusted root, with the fewest faults, the longest."""
    if decision.path:
        return judged[-1]
    return max(judged, key=lambda one: (one.path.anchored, -len(one.failed), len(one.path.certificates)))


def _overview(received: Received, moment: Moment, *, exhausted: bool = False) -> CheckRan:
    """What was sent, and whether it could be used."""
    remarks = [f"certificate {index + 1}: {reason}" for index, reason in received.unreadable]
    if received.duplicates:
        remarks.append(f"{received.duplicates} sent more than once")
    if received.beyond:
        remarks.append(f"{received.beyond} not looked at: only the first {MOST_RECEIVED} are")
    if exhausted:
        remarks.append(f"only the first {MOST_PATHS} of many possible paths were looked at")
    inputs = (("sent", str(len(received.chain))), ("bytes", f"{sum(map(len, received.chain)):,}"))
    outcome = Outcome.WARNED if remarks else Outcome.PASSED
    explanation = "; ".join(remarks) or "all can be read"
    return CheckRan(
        time=moment.time,
        side=moment.side,
        rule="RFC 9846 section 4.5.1",
        name="chain",
        outcome=outcome,
        inputs=inputs,
        explanation=explanation,
    )


def _unusable(received: Received, moment: Moment) -> Finding:
    """There is no leaf to speak of."""
    reason = received.unreadable[0][1] if received.unreadable else "no certificate was sent"
    return _invalid("form", "RFC 5280 section 4.1", 0, reason, moment)


def _verifier_says(refusal: str, moment: Moment) -> Finding:
    return _invalid("verifier", "RFC 5280 section 6", None, refusal, moment)


def _invalid(name: str, rule: str, certificate: int | None, reason: str, moment: Moment) -> Finding:
    record = CheckRan(
        time=moment.time,
        side=moment.side,
        rule=rule,
        name=name,
        outcome=Outcome.FAILED,
        certificate=certificate,
        explanation=reason,
    )
    return Finding(record, Kind.INVALID)


# --- the verdict ---


def reach_verdict(situation: Situation, received: Received, story: Story, host: str, moment: Moment) -> Verdict:
    """Sum the story up."""
    path = story.path
    if path is None or story.failed:
        return _refused(situation, received, story, host, moment)
    anchor = path.certificates[-1]
    return Verdict(
        padlock=True,
        kind=Kind.TRUSTED,
        host=host,
        store=situation.store.name_for(anchor.certificate),
        code="",
        headline=SECURE.headline,
        message=SECURE.message,
        details=SECURE.details,
        cause=f"{anchor.title} vouches for it, and is trusted",
        who_can_fix=WhoCanFix.NOBODY,
        fix="",
        rule="RFC 5280 section 6.1",
        may_proceed=True,
        received=received.chain,
        paths=path_records(story, moment),
        checks=tuple(story.checks),
    )


def _refused(situation: Situation, received: Received, story: Story, host: str, moment: Moment) -> Verdict:
    failed = story.failed
    code = shown_code(finding.kind for finding in failed)
    finding = next(one for one in failed if CODES[one.kind] == code)
    kind = finding.kind
    path = story.path.certificates if story.path is not None else ()
    who, cause, fix, wording = WhoCanFix.OPERATOR, finding.explanation, "", None
    if path:
        case = Case(situation, path, finding, host)
        advice = advise(case)
        who, cause, fix = advice.who, advice.cause, advice.fix
        wording = _wording(case, code)
    if not situation.server:
        code, wording = BAD_CLIENT_CERTIFICATE, client_wording(host)
    if wording is None:
        fix = "send a certificate that can be read"
        now = situation.now
        wording = warning_wording(code, Facts(host, "", now, now, now))
    store = situation.store
    return Verdict(
        padlock=False,
        kind=kind,
        host=host,
        store=store.name_for(path[-1].certificate) if path else store.name,
        code=code,
        headline=wording.headline,
        message=wording.message,
        details=wording.details,
        cause=cause,
        who_can_fix=who,
        fix=fix,
        rule=finding.rule,
        may_proceed=code not in FATAL_CODES,
        others_say=_others(situation, story, story.path, code, host) if situation.server and story.path else (),
        received=received.chain,
        paths=path_records(story, moment),
        checks=tuple(story.checks),
    )


def _wording(case: Case, code: str) -> Wording:
    doubt = clock_doubt(case)
    if doubt:
        return clock_wording(case.host, case.situation.now, doubt)
    names = case.leaf.names
    leaf = case.leaf
    name = describe_name(names[0]).removeprefix("IP ") if names else ""
    return warning_wording(code, Facts(case.host, name, case.situation.now, leaf.not_before, leaf.not_after))


def _others(situation: Situation, story: Story, path: Path, code: str, host: str) -> tuple[tuple[str, str], ...]:
    leaf, last = path.certificates[0], path.certificates[-1]
    weak = [finding for finding in story.failed if finding.kind is Kind.WEAK_KEY]
    refusal = Refusal(
        findings=story.failed,
        code=code,
        name=situation.name,
        root_sent=last is not leaf and last.self_issued,
        namesake=any(names_other_key(last, impostor) for impostor in path.impostors),
        common_name_fits=not leaf.names and leaf.title.lower() == host.lower(),
        public=situation.store.is_public(last.certificate),
        key_bits=min((rsa_bits(path.certificates[one.certificate or 0]) for one in weak), default=0),
    )
    return others_say(refusal)


def path_records(story: Story, moment: Moment) -> tuple[PathTried, ...]:
    """The paths for the trace, the one that was accepted last."""
    return tuple(
        PathTried(
            time=moment.time,
            side=moment.side,
            path=tuple(one.encoded for one in path.certificates),
            problem=problem,
        )
        for path, problem in zip(story.tried, story.problems, strict=True)
    )

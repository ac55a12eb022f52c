"""Step 2 on the page: the chain as a tree, each check with its outcome, and the proof of possession."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from glasslock.trace import (
    CertificatesReceived,
    CheckRan,
    HandshakeCompleted,
    Outcome,
    PathTried,
    SignatureChecked,
    Step,
    VerdictReached,
)
from glasslock.views.names import Card, card, day, days_left, scheme

from .layout import branch, heading, room, rows, unreached
from .style import BAD, BREAK, DOUBT, GOOD, QUIET, SIGNS, STRONG, abbreviated, duration, fit, join, line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from glasslock.views.story import Story

# From the best to the worst: a certificate is as good as its worst check.
_TELLING = frozenset({"name", "dates", "signature", "trust anchor", "revocation", "transparency"})
_ORDER = (Outcome.SKIPPED, Outcome.UNKNOWN, Outcome.PASSED, Outcome.WARNED, Outcome.FAILED)


def identify(story: Story, width: int, *, verbose: bool) -> list[RenderableType]:
    """Tell step 2."""
    items: list[tuple[str, RenderableType]] = []
    checks, verdict = story.all(CheckRan), story.last(VerdictReached)
    chain = story.chain
    if chain:
        items.append(("chain", _tree(chain, checks, verdict, story.started, verbose=verbose)))
    if verdict is not None and verdict.store:
        items.append(("trust store", line((verdict.store, QUIET))))
    if verbose:
        items += [("path tried", _path(path)) for path in story.all(PathTried)]
        items += [("check", _check(check, verbose=True)) for check in checks]
    else:
        items += _checks(checks, width)
    items += [("proof", _proof(proof, verbose=verbose)) for proof in story.all(SignatureChecked)]
    done = story.first(HandshakeCompleted)
    if items and done is not None and done.resumed:
        known = "it knows the secret of the earlier connection, where it showed this certificate"
        items.append(("proof", line(SIGNS[Outcome.PASSED], f" {known}")))
    if not items:
        if done is None:
            return [unreached(Step.IDENTIFY, width)]
        items.append(("", line((_without_certificate(done), QUIET))))
    received, spent = story.first(CertificatesReceived), ""
    if received is not None and verdict is not None:
        spent = duration(max(0.0, verdict.time - received.time))
    return [heading(Step.IDENTIFY, "who is this, and who vouches for it?", spent, width), rows(items)]


def _without_certificate(done: HandshakeCompleted) -> str:
    if done.resumed:
        return "no certificate this time: both sides know each other from an earlier connection"
    return "the trace has no certificate"


# --- the chain --------------------------------------------------------------------------------------


def _tree(
    chain: tuple[bytes, ...],
    checks: list[CheckRan],
    verdict: VerdictReached | None,
    now: float,
    *,
    verbose: bool,
) -> Table:
    """Draw the chain from the root down to the leaf."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(overflow="ellipsis", no_wrap=True)
    grid.add_column(overflow="fold")
    for depth, position in enumerate(reversed(range(len(chain)))):
        outcome = _worst([check.outcome for check in checks if check.certificate == position])
        about = card(chain[position])
        if outcome is None and about.self_issued and verdict is not None and verdict.padlock:
            outcome = Outcome.PASSED  # the anchor: nothing to check, it is in the store
        sign = line(SIGNS[outcome]) if outcome is not None else line(("•", QUIET))
        name = Text.assemble(Text(branch(depth), style=QUIET), sign, " ", line((about.subject, STRONG)))
        grid.add_row(name, _described(about, position, len(chain), now, verbose=verbose))
    return grid


def _described(about: Card, position: int, count: int, now: float, *, verbose: bool) -> Text:
    """Say until when a certificate is good and, of the leaf, what for."""
    parts = []
    if about.end is not None:
        left = days_left(about.end, now)
        style = BAD if left.startswith("expired") else QUIET
        until = f"until {day(about.end)}"
        if style == BAD and not verbose:
            until = left
        elif position == 0 or verbose:
            until = f"{until}, {left}"
        parts.append(line((until, style)))
    if about.self_issued:
        parts.append(line(("self-signed" if count == 1 else "root", QUIET)))
    names = [name for name in about.names if name != about.subject]
    if position == 0 and names and verbose:
        parts.append(line((f"also {', '.join(names)}", QUIET)))
    if verbose:
        parts.append(line((about.key, QUIET)))
    return join(parts)


def _worst(outcomes: list[Outcome]) -> Outcome | None:
    return max(outcomes, key=_ORDER.index) if outcomes else None


def _path(path: PathTried) -> Text:
    names = (" → ", QUIET), *[(card(der).subject, "") for der in path.path]
    joined = line(names[0]).join([line(name) for name in names[1:]])
    end = line(("  accepted", GOOD)) if not path.problem else line((f"  {path.problem}", BAD))
    return Text.assemble(joined, end)


# --- the checks -------------------------------------------------------------------------------------


def _checks(checks: list[CheckRan], width: int) -> list[tuple[str, RenderableType]]:
    """Sum up what passed on one line; what did not gets its own, with what was compared."""
    names = {outcome: [_words(c.name) for c in checks if c.outcome is outcome] for outcome in Outcome}
    failed = names[Outcome.FAILED] + names[Outcome.WARNED]
    passed = dict.fromkeys(name for name in names[Outcome.PASSED] if name not in failed)
    items: list[tuple[str, RenderableType]] = []
    if passed:
        telling = sorted(passed, key=lambda name: name not in _TELLING)
        items.append(("checks", line(SIGNS[Outcome.PASSED], " ").append_text(fit(telling, room(width) - 2))))
    shown = [check for check in checks if check.outcome in (Outcome.FAILED, Outcome.WARNED)]
    items += [(_label(check), _check(check, verbose=False)) for check in shown]
    quiet = dict.fromkeys(names[Outcome.SKIPPED] + names[Outcome.UNKNOWN])
    unsaid = [name for name in quiet if name not in passed and name not in failed]
    if unsaid:
        items.append(("not checked", line((f"{', '.join(unsaid)} (-v says why)", QUIET))))
    return items


def _label(check: CheckRan) -> str:
    return "failed" if check.outcome is Outcome.FAILED else "warning"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def _check(check: CheckRan, *, verbose: bool) -> Text:
    sign, colour = SIGNS[check.outcome]
    text = line((f"{sign} {_words(check.name)}", f"{STRONG} {colour}"))
    if check.certificate is not None:
        text.append_text(line((f" on {check.subject or f'certificate {check.certificate}'}", "")))
    if check.explanation:
        text.append_text(line(f": {check.explanation}"))
    if verbose and check.rule:
        text.append_text(line((f"  {check.rule}", QUIET)))
    if check.inputs and (verbose or check.outcome is Outcome.FAILED):
        for name, value in check.inputs:
            text.append_text(line(BREAK, "  ", (f"{name}: ", QUIET), value))
    return text


def _proof(proof: SignatureChecked, *, verbose: bool) -> Text:
    sign, colour = SIGNS[proof.outcome]
    said = "its key signed this very handshake"
    if proof.outcome is not Outcome.PASSED:
        said = "the signature over this handshake was not made with the certificate's key"
    text = line(
        (sign, colour),
        f" {said}",
        (f"  {scheme(proof.scheme)}", DOUBT if "sha1" in scheme(proof.scheme) else QUIET),
    )
    if verbose:
        text.append_text(line(BREAK, (f"  {abbreviated(proof.signature, 48)}", QUIET)))
    return text

"""The end of step 2: padlock or not, in the words of a browser, with the cause, the fix and the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from glasslock.registry import AlertDescription, Side
from glasslock.trace import CheckRan, PathTried, VerdictReached

from .kinds import Kind, WhoCanFix
from .wording import FATAL_CODES, hsts_text

# What travels on the wire (RFC 9846 section 6.2), as OpenSSL chooses it where the standard leaves a choice.
ALERTS: Mapping[Kind, AlertDescription] = MappingProxyType(
    {
        Kind.EXPIRED: AlertDescription.CERTIFICATE_EXPIRED,
        Kind.NOT_YET_VALID: AlertDescription.CERTIFICATE_EXPIRED,
        Kind.WRONG_NAME: AlertDescription.BAD_CERTIFICATE,
        Kind.UNKNOWN_ROOT: AlertDescription.UNKNOWN_CA,
        Kind.MISSING_INTERMEDIATE: AlertDescription.UNKNOWN_CA,
        Kind.SELF_SIGNED: AlertDescription.UNKNOWN_CA,
        Kind.INSPECTED: AlertDescription.UNKNOWN_CA,
        Kind.BAD_SIGNATURE: AlertDescription.BAD_CERTIFICATE,
        Kind.WRONG_PURPOSE: AlertDescription.UNSUPPORTED_CERTIFICATE,
        Kind.WEAK_KEY: AlertDescription.BAD_CERTIFICATE,
        Kind.WEAK_SIGNATURE: AlertDescription.BAD_CERTIFICATE,
        Kind.REVOKED: AlertDescription.CERTIFICATE_REVOKED,
        Kind.NAME_CONSTRAINT: AlertDescription.BAD_CERTIFICATE,
        Kind.LIFETIME_TOO_LONG: AlertDescription.CERTIFICATE_UNKNOWN,
        Kind.UNSUPPORTED: AlertDescription.UNSUPPORTED_CERTIFICATE,
        Kind.INVALID: AlertDescription.BAD_CERTIFICATE,
    }
)

# The exit status of a command that ends with this verdict.
EXIT_CODES: Mapping[Kind, int] = MappingProxyType(
    {
        Kind.TRUSTED: 0,
        Kind.EXPIRED: 20,
        Kind.NOT_YET_VALID: 21,
        Kind.WRONG_NAME: 22,
        Kind.UNKNOWN_ROOT: 23,
        Kind.MISSING_INTERMEDIATE: 24,
        Kind.SELF_SIGNED: 25,
        Kind.INSPECTED: 26,
        Kind.BAD_SIGNATURE: 27,
        Kind.WRONG_PURPOSE: 28,
        Kind.WEAK_KEY: 29,
        Kind.WEAK_SIGNATURE: 30,
        Kind.REVOKED: 31,
        Kind.NAME_CONSTRAINT: 32,
        Kind.LIFETIME_TOO_LONG: 33,
        Kind.UNSUPPORTED: 34,
        Kind.INVALID: 35,
    }
)


class Moment(NamedTuple):
    """When a verdict is reached (seconds since the epoch), and on which side."""

    time: float
    side: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a peer's certificate.

    In a browser's words: `code` (empty with a padlock), `headline`, `message` and `details` (what Chrome shows
    under "Advanced"). In ours: `cause`, `who_can_fix`, `fix` (a command or a configuration line), `rule`.
    `may_proceed` says whether a browser would offer to go on. `others_say` has one (program, text) for each.
    The evidence is kept whatever the outcome: `received` is the chain as it came, DER; `paths` each way that was
    tried; `checks` each check on the path that was accepted, or that came nearest.
    """

    padlock: bool
    kind: Kind
    host: str
    store: str
    code: str
    headline: str
    message: str
    details: str
    cause: str
    who_can_fix: WhoCanFix
    fix: str
    rule: str
    may_proceed: bool
    hsts: bool = False
    others_say: tuple[tuple[str, str], ...] = ()
    received: tuple[bytes, ...] = field(default=(), repr=False)
    paths: tuple[PathTried, ...] = field(default=(), repr=False)
    checks: tuple[CheckRan, ...] = field(default=(), repr=False)

    @property
    def alert(self) -> AlertDescription | None:
        """What is sent to the peer; None with a padlock."""
        return ALERTS.get(self.kind)

    @property
    def exit_code(self) -> int:
        """The exit status of a command that ends with this verdict."""
        return EXIT_CODES[self.kind]

    def on_hsts_host(self) -> Verdict:
        """The same verdict for a host that has promised HTTPS (RFC 6797): nobody may proceed."""
        if self.padlock or self.hsts:
            return self
        details = self.details if self.code in FATAL_CODES else hsts_text(self.host)
        return replace(self, hsts=True, may_proceed=False, details=details)

    def as_record(self, time: float, side: Side) -> VerdictReached:
        """The same for the trace, as plain values."""
        return VerdictReached(
            time=time,
            side=side,
            rule=self.rule,
            padlock=self.padlock,
            kind=self.kind.value,
            code=self.code,
            headline=self.headline,
            message=self.message,
            details=self.details,
            cause=self.cause,
            who_can_fix=self.who_can_fix.value,
            fix=self.fix,
            may_proceed=self.may_proceed,
            store=self.store,
            others_say=self.others_say,
        )

"""Why it happened, whose move it is, and the move itself as a command or a configuration line."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography import x509

from .certificate import ParsedCertificate
from .checks import Finding
from .kinds import Kind, WhoCanFix
from .names import describe_names
from .situation import Situation
from .text import span, stamp

# No clock that is right shows an earlier time than the day on which this was written.
WRITTEN = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Advice:
    """Cause, who can fix it, and how."""

    cause: str
    who: WhoCanFix
    fix: str


@dataclass(frozen=True, slots=True)
class Case:
    """One refusal: the failed check that is reported, on its path, and the name of the host as a person says it."""

    situation: Situation
    path: tuple[ParsedCertificate, ...]
    finding: Finding
    host: str

    @property
    def site(self) -> str:
        """The host as it can stand in a command."""
        return shlex.quote(self.host)

    @property
    def leaf(self) -> ParsedCertificate:
        return self.path[0]

    @property
    def culprit(self) -> ParsedCertificate:
        """The certificate that failed."""
        return self.path[self.finding.certificate or 0]

    @property
    def whose(self) -> str:
        """The certificate that failed, in words."""
        if self.finding.certificate:
            return f"the issuer's certificate {self.culprit.title}"
        return f"the certificate of {self.host}" if self.situation.server else "the client's certificate"


def clock_doubt(case: Case) -> str:
    """Say `behind` or `ahead` if it is rather this computer's clock that is wrong; empty if nothing says so."""
    now = case.situation.now
    if case.finding.kind is Kind.NOT_YET_VALID and (now < WRITTEN or _logged_after(case.leaf, now)):
        return "behind"
    if case.finding.kind is Kind.EXPIRED and len(case.path) > 1 and all(now > one.not_after for one in case.path):
        return "ahead"
    return ""


def _logged_after(leaf: ParsedCertificate, now: dt.datetime) -> bool:
    """Whether a public log has seen the certificate at a time that is still to come by this clock."""
    found = leaf.find(x509.PrecertificateSignedCertificateTimestamps)
    for entry in found.value if found else ():
        try:
            logged = entry.timestamp.replace(tzinfo=dt.UTC)
        except (ValueError, OverflowError):
            continue
        if logged > now:
            return True
    return False


def advise(case: Case) -> Advice:
    """Work out cause and fix."""
    if not case.situation.server:
        return _advise_client(case)
    return _ADVICE[case.finding.kind](case)


def _advise_client(case: Case) -> Advice:
    cause = f"{case.whose} was refused: {case.finding.explanation}"
    fix = "present a certificate for client authentication that an issuer accepted by this server has signed"
    return Advice(cause, WhoCanFix.VISITOR, fix)


# --- one for each kind ---


def _expired(case: Case) -> Advice:
    ago = span(case.situation.now - case.culprit.not_after)
    cause = f"{case.whose} expired {ago} ago, on {stamp(case.culprit.not_after)}"
    if clock_doubt(case):
        cause += "; so did every certificate above it, so more likely this computer's clock is ahead"
        return Advice(
            cause, WhoCanFix.VISITOR, f"set the clock: it says {stamp(case.situation.now)}; timedatectl set-ntp true"
        )
    if case.finding.certificate:
        fix = "send the current intermediate with the certificate: ask the CA for its chain file, and reload the server"
        return Advice(cause, WhoCanFix.OPERATOR, fix)
    return Advice(cause, WhoCanFix.OPERATOR, "renew it and reload the server: certbot renew && nginx -s reload")


def _not_yet_valid(case: Case) -> Advice:
    wait = span(case.culprit.not_before - case.situation.now)
    cause = f"{case.whose} becomes valid only in {wait}, on {stamp(case.culprit.not_before)}"
    if clock_doubt(case):
        cause += "; most likely this computer's clock is behind"
        return Advice(
            cause, WhoCanFix.VISITOR, f"set the clock: it says {stamp(case.situation.now)}; timedatectl set-ntp true"
        )
    cause += "; either this computer's clock is behind, or the certificate was made ahead of time"
    fix = f"check the clock first: it says {stamp(case.situation.now)}; else install the certificate when it is time"
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _wrong_name(case: Case) -> Advice:
    leaf = case.leaf
    cause = f"the certificate is for {describe_names(leaf.names)}, not for {case.host}"
    if case.situation.name_problem:
        return Advice(
            case.situation.name_problem, WhoCanFix.DEVELOPER, "ask for the host by a name that can be certified"
        )
    detail = case.finding.explanation.partition("; ")[2]
    if detail:
        cause += f" ({detail})"
    if not leaf.names:
        cause = f"the certificate names no host at all: {case.finding.explanation}"
    fix = (
        f"issue a certificate that lists {case.host}: certbot certonly -d {case.site}; "
        "or configure the server to send the one it has for this name"
    )
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _unknown_root(case: Case) -> Advice:
    store = case.situation.store
    cause = f"{case.finding.explanation} ({store.name})"
    if not len(store):
        cause = f"no certificate at all is trusted: {store.name}"
        return Advice(cause, WhoCanFix.VISITOR, "install a list of trusted CAs: apt install ca-certificates")
    fix = (
        "if you know and trust this CA, get its root certificate from whoever runs it and trust it: "
        f"glasslock visit --ca root.pem https://{case.site}/"
    )
    return Advice(cause, WhoCanFix.DEVELOPER, fix)


def _missing_intermediate(case: Case) -> Advice:
    cause = (
        f"the server did not send the certificate of {case.path[-1].issuer_title}, which links its own to a trusted "
        "root; browsers may find it by themselves, other programs do not"
    )
    urls = case.path[-1].issuer_urls
    # The address is the peer's own word, and a person may well copy this line into a shell.
    fetch = f"curl -sS {shlex.quote(urls[0])} | openssl x509 -inform der >> fullchain.pem; " if urls else ""
    fix = f"send the whole chain: {fetch}nginx: ssl_certificate fullchain.pem; (the server's own certificate first)"
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _self_signed(case: Case) -> Advice:
    cause = f"{case.whose} vouches for itself: nobody else does, so anybody could have made it"
    fix = (
        f"for your own machine, make one that can be trusted: glasslock ca init && glasslock ca issue {case.site}; "
        f"or trust this very certificate: glasslock visit --ca certificate.pem https://{case.site}/"
    )
    return Advice(cause, WhoCanFix.DEVELOPER, fix)


def _inspected(case: Case) -> Advice:
    cause = f"the certificate was {case.finding.explanation}; it is not the site's own"
    fix = (
        "if you accept that it reads along, ask for its root certificate and trust it: "
        f"glasslock visit --ca proxy-root.pem https://{case.site}/; else use another network"
    )
    return Advice(cause, WhoCanFix.NETWORK_OWNER, fix)


def _bad_signature(case: Case) -> Advice:
    cause = f"{case.whose} {case.finding.explanation}"
    fix = (
        "do not go on: this is what an impostor looks like. If you re-created a CA under the same name, issue its "
        f"certificates anew and trust the new root: glasslock ca issue {case.site}"
    )
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _wrong_purpose(case: Case) -> Advice:
    cause = f"{case.whose} {case.finding.explanation}"
    fix = "issue a certificate for servers: extendedKeyUsage = serverAuth"
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _weak_key(case: Case) -> Advice:
    cause = f"{case.whose} is too weak: {case.finding.explanation}"
    make = "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem"
    fix = f"make a new key and have it certified: {make}"
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _weak_signature(case: Case) -> Advice:
    cause = f"{case.whose} is {case.finding.explanation}"
    return Advice(cause, WhoCanFix.OPERATOR, "have it issued anew with SHA-256: openssl x509 -req -sha256 …")


def _revoked(case: Case) -> Advice:
    cause = f"{case.whose} was {case.finding.explanation}"
    return Advice(
        cause, WhoCanFix.OPERATOR, "make a new key and get a new certificate: certbot renew --force-renewal --new-key"
    )


def _name_constraint(case: Case) -> Advice:
    cause = f"{case.whose} {case.finding.explanation}"
    fix = f"have {case.host} certified by a CA that may, or make a CA that permits the name"
    return Advice(cause, WhoCanFix.OPERATOR, fix)


def _lifetime(case: Case) -> Advice:
    cause = f"{case.whose} is valid for {case.finding.inputs[0][1]}, but {case.finding.explanation}"
    return Advice(cause, WhoCanFix.OPERATOR, "get one with a lifetime that is allowed: certbot renew --force-renewal")


def _invalid(case: Case) -> Advice:
    cause = f"{case.whose}: {case.finding.explanation}"
    return Advice(cause, WhoCanFix.OPERATOR, f"have it issued anew, following {case.finding.rule}")


_ADVICE: Mapping[Kind, Callable[[Case], Advice]] = MappingProxyType(
    {
        Kind.EXPIRED: _expired,
        Kind.NOT_YET_VALID: _not_yet_valid,
        Kind.WRONG_NAME: _wrong_name,
        Kind.UNKNOWN_ROOT: _unknown_root,
        Kind.MISSING_INTERMEDIATE: _missing_intermediate,
        Kind.SELF_SIGNED: _self_signed,
        Kind.INSPECTED: _inspected,
        Kind.BAD_SIGNATURE: _bad_signature,
        Kind.WRONG_PURPOSE: _wrong_purpose,
        Kind.WEAK_KEY: _weak_key,
        Kind.WEAK_SIGNATURE: _weak_signature,
        Kind.REVOKED: _revoked,
        Kind.NAME_CONSTRAINT: _name_constraint,
        Kind.LIFETIME_TOO_LONG: _lifetime,
        Kind.UNSUPPORTED: _invalid,
        Kind.INVALID: _invalid,
    }
)

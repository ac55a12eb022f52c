# ruff: noqa: RUF001 - the quotation marks are the browser's own
"""What Chrome shows, word for word, and which of several errors it shows.

The texts are those of Chromium's interstitial pages; the order is that of `MapCertStatusToNetError`, with the rule
of its path builder that CERT_INVALID stands for a path's errors only if no error of their own does. The codes were
compared with what Chromium 156 says of the same chains.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .kinds import Kind
from .text import count

AUTHORITY_INVALID = "NET::ERR_CERT_AUTHORITY_INVALID"
COMMON_NAME_INVALID = "NET::ERR_CERT_COMMON_NAME_INVALID"
DATE_INVALID = "NET::ERR_CERT_DATE_INVALID"
INVALID = "NET::ERR_CERT_INVALID"
REVOKED = "NET::ERR_CERT_REVOKED"
VALIDITY_TOO_LONG = "NET::ERR_CERT_VALIDITY_TOO_LONG"
WEAK_KEY = "NET::ERR_CERT_WEAK_KEY"
BAD_CLIENT_CERTIFICATE = "ERR_BAD_SSL_CLIENT_AUTH_CERT"

CODES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.EXPIRED: DATE_INVALID,
        Kind.NOT_YET_VALID: DATE_INVALID,
        Kind.WRONG_NAME: COMMON_NAME_INVALID,
        Kind.UNKNOWN_ROOT: AUTHORITY_INVALID,
        Kind.MISSING_INTERMEDIATE: AUTHORITY_INVALID,
        Kind.SELF_SIGNED: AUTHORITY_INVALID,
        Kind.INSPECTED: AUTHORITY_INVALID,
        Kind.BAD_SIGNATURE: AUTHORITY_INVALID,
        Kind.WRONG_PURPOSE: INVALID,
        Kind.WEAK_KEY: WEAK_KEY,
        # ERR_CERT_WEAK_SIGNATURE_ALGORITHM was for SHA-1, which Chrome no longer knows at all.
        Kind.WEAK_SIGNATURE: INVALID,
        Kind.REVOKED: REVOKED,
        # ERR_CERT_NAME_CONSTRAINT_VIOLATION is for a few CAs that Chrome itself limits, not for this extension.
        Kind.NAME_CONSTRAINT: INVALID,
        Kind.LIFETIME_TOO_LONG: VALIDITY_TOO_LONG,
        Kind.UNSUPPORTED: INVALID,
        Kind.INVALID: INVALID,
    }
)
PRECEDENCE = (
    INVALID,
    REVOKED,
    AUTHORITY_INVALID,
    COMMON_NAME_INVALID,
    WEAK_KEY,
    DATE_INVALID,
    VALIDITY_TOO_LONG,
)
# Errors of a path that Chrome has a word for: beside them it says nothing of the others.
PATH_CODES = frozenset({REVOKED, AUTHORITY_INVALID, WEAK_KEY, DATE_INVALID})
# A browser never lets anybody proceed past these.
FATAL_CODES = frozenset({INVALID, REVOKED, BAD_CLIENT_CERTIFICATE})

NOT_PRIVATE = "Your connection is not private"


def shown_code(kinds: Iterable[Kind]) -> str:
    """Of several errors, the one that Chrome shows."""
    codes = {CODES[kind] for kind in kinds}
    if codes & PATH_CODES:
        codes.discard(INVALID)
    return next(code for code in PRECEDENCE if code in codes)


@dataclass(frozen=True, slots=True)
class Wording:
    """Headline, the paragraph below it, and what is under "Advanced"."""

    headline: str
    message: str
    details: str


# Chrome's page information beside a padlock.
SECURE = Wording(
    "Connection is secure",
    "Your information (for example, passwords or credit card numbers) is private when it is sent to this site.",
    "",
)


def client_wording(host: str) -> Wording:
    """What a visitor sees whose client certificate a server refuses."""
    text = f"{host or 'The server'} didn’t accept your login certificate, or one may not have been provided."
    return Wording("This site can’t provide a secure connection", text, "Contact the system admin.")


def clock_wording(host: str, now: dt.datetime, direction: str) -> Wording:
    """The page that Chrome shows instead when the computer's clock is the likely cause."""
    return Wording(
        f"Your clock is {direction}",
        f"A private connection to {host} can't be established because your computer's date and time "
        f"({now.strftime('%A, %B %d, %Y at %H:%M:%S UTC')}) are incorrect.",
        "",
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """What the texts mention: the host, the name that its certificate is for, how far off its dates are."""

    host: str
    certificate_name: str
    now: dt.datetime
    not_before: dt.datetime
    not_after: dt.datetime


def warning_wording(code: str, facts: Facts) -> Wording:
    """Chrome's full-page warning."""
    message = (
        f"Attackers might be trying to steal your information from {facts.host} "
        "(for example, passwords, messages, or credit cards)."
    )
    return Wording(NOT_PRIVATE, message, _details(code, facts))


def hsts_text(host: str) -> str:
    """What Chrome says instead of its reasons on a host that has promised HTTPS."""
    return (
        f"{host} normally uses encryption to protect your information. When Chrome tried to connect to {host} this "
        "time, the website sent back unusual and incorrect credentials. This may happen when an attacker is trying "
        f"to pretend to be {host}, or a Wi-Fi sign-in screen has interrupted the connection. Your information is "
        "still secure because Chrome stopped the connection before any data was exchanged.\n\n"
        f"You cannot visit {host} right now because the website uses HSTS. Network errors and attacks are usually "
        "temporary, so this page will probably work later."
    )


MISCONFIGURATION = "This may be caused by a misconfiguration or an attacker intercepting your connection."
TEMPORARY = "Network errors and attacks are usually temporary, so this page will probably work later."


def _details(code: str, facts: Facts) -> str:
    host = facts.host
    unproven = f"This server could not prove that it is {host}; its security certificate"
    if code == COMMON_NAME_INVALID:
        if not facts.certificate_name:
            return f"{unproven} does not specify Subject Alternative Names. {MISCONFIGURATION}"
        return f"{unproven} is from {facts.certificate_name}. {MISCONFIGURATION}"
    if code == DATE_INVALID:
        return f"{unproven} {_date_clause(facts)}"
    if code == AUTHORITY_INVALID:
        return (
            f"This server could not prove that it is {host} because it is using a security certificate that is not "
            "trusted by Chrome or your system configuration for web traffic encryption. "
            f"{MISCONFIGURATION}"
        )
    presented = f"You attempted to reach {host}, but the server presented a certificate"
    other = {
        REVOKED: f"You cannot visit {host} right now because its certificate has been revoked. {TEMPORARY}",
        INVALID: (
            f"You cannot visit {host} right now because the website sent scrambled credentials that Chrome cannot "
            f"process. {TEMPORARY}"
        ),
        WEAK_KEY: (
            f"{presented} containing a weak key. An attacker could have broken the private key, and the server may "
            "not be the server you expected (you may be communicating with an attacker)."
        ),
        VALIDITY_TOO_LONG: f"{presented} whose validity period is too long to be trustworthy.",
    }
    return other[code]


def _date_clause(facts: Facts) -> str:
    clock = (
        f"Your computer's clock is currently set to {facts.now.strftime('%A, %B %d, %Y')}. Does that look right? "
        "If not, you should correct your system's clock and then refresh this page."
    )
    day = dt.timedelta(days=1)
    if facts.now > facts.not_after:
        days = (facts.now - facts.not_after) // day
        when = "in the last day" if days == 0 else f"{count(days, 'day')} ago"
        return f"expired {when}. {MISCONFIGURATION} {clock}"
    if facts.now < facts.not_before:
        days = (facts.not_before - facts.now) // day
        when = "tomorrow" if days == 0 else f"{count(days, 'day')} in the future"
        return f"is supposedly from {when}. {MISCONFIGURATION} {clock}"
    return f"is not valid at this time. {MISCONFIGURATION} {clock}"

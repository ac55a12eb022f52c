# ruff: noqa: RUF001 - the quotation marks are the programs' own
"""What Chrome, Firefox, curl and Python would say of the same certificate, word for word.

Each program stops at another of several errors, so each has its own order. Where one of them would let the
visitor through, that is said too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .checks import Finding
from .kinds import Kind
from .names import ServerName

FINE = "no error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the programs are shown: the failed checks, whether a root was sent, whether the root is a public CA's.

    `key_bits`: the shortest RSA key among those that failed. `namesake`: another CA of the issuer's name made the
    signature. `common_name_fits`: there are no alternative names, but the common name is the host's.
    """

    findings: Sequence[Finding]
    code: str
    name: ServerName | None
    root_sent: bool
    namesake: bool
    common_name_fits: bool
    public: bool
    key_bits: int = 0


def others_say(refusal: Refusal) -> tuple[tuple[str, str], ...]:
    """One (program, text) for each of them."""
    return (
        ("Chrome", _chrome(refusal)),
        ("Firefox", _firefox(refusal)),
        ("curl", _curl(_openssl(refusal), refusal)),
        ("Python", _python(refusal)),
    )


def _kinds(refusal: Refusal) -> set[Kind]:
    return {finding.kind for finding in refusal.findings}


# --- Chrome ---


def _chrome(refusal: Refusal) -> str:
    kinds = _kinds(refusal)
    if kinds == {Kind.MISSING_INTERMEDIATE}:
        return f"{FINE} if it can fetch what is missing from the address in the certificate, else {refusal.code}"
    if all(finding.certificate == 0 and finding.name == "basic constraints" for finding in refusal.findings):
        return FINE  # a CA may stand for a site
    if kinds == {Kind.WEAK_KEY} and refusal.key_bits >= 1024 and not refusal.public:
        return f"{FINE} (of public CAs it asks for 2048 bits)"
    return refusal.code


# --- Firefox ---

_FIREFOX_SIGNATURE = (
    "SEC_ERROR_CERT_SIGNATURE_ALGORITHM_DISABLED: The certificate was signed using a signature algorithm that "
    "is disabled because it is not secure."
)
# A refusal that nobody can override comes first; then trust, name, dates, as its certificate page does.
_FIREFOX: tuple[tuple[str, Kind, str], ...] = (
    ("", Kind.REVOKED, "SEC_ERROR_REVOKED_CERTIFICATE: Peer’s Certificate has been revoked."),
    ("", Kind.BAD_SIGNATURE, "SEC_ERROR_BAD_SIGNATURE: Peer’s certificate has an invalid signature."),
    (
        "",
        Kind.NAME_CONSTRAINT,
        (
            "SEC_ERROR_CERT_NOT_IN_NAME_SPACE: The Certifying Authority for this certificate is not permitted to "
            "issue a certificate with this name."
        ),
    ),
    (
        "",
        Kind.WRONG_PURPOSE,
        "SEC_ERROR_INADEQUATE_CERT_TYPE: Certificate type not approved for application.",
    ),
    (
        "critical extensions",
        Kind.INVALID,
        "SEC_ERROR_UNKNOWN_CRITICAL_EXTENSION: Certificate contains unknown critical extension.",
    ),
    (
        "path length",
        Kind.INVALID,
        "SEC_ERROR_PATH_LEN_CONSTRAINT_INVALID: Certificate path length constraint is invalid.",
    ),
    (
        "key usage",
        Kind.INVALID,
        "SEC_ERROR_INADEQUATE_KEY_USAGE: Certificate key usage inadequate for attempted operation.",
    ),
    ("form", Kind.INVALID, "SEC_ERROR_BAD_DER: security library: improperly formatted DER-encoded message."),
    ("key strength", Kind.UNSUPPORTED, "SEC_ERROR_UNSUPPORTED_KEYALG: Unsupported or unknown key algorithm."),
    (
        "",
        Kind.SELF_SIGNED,
        "MOZILLA_PKIX_ERROR_SELF_SIGNED_CERT: The certificate is not trusted because it is self-signed.",
    ),
    ("", Kind.UNKNOWN_ROOT, "SEC_ERROR_UNKNOWN_ISSUER: Peer’s Certificate issuer is not recognized."),
    (
        "",
        Kind.INSPECTED,
        (
            "MOZILLA_PKIX_ERROR_MITM_DETECTED: Your connection is being intercepted by a TLS proxy. Uninstall it if "
            "possible or configure your device to trust its root certificate."
        ),
    ),
    (
        "",
        Kind.MISSING_INTERMEDIATE,
        "SEC_ERROR_UNKNOWN_ISSUER: Peer’s Certificate issuer is not recognized. (no error if it knows the missing one)",
    ),
    ("basic constraints", Kind.INVALID, "SEC_ERROR_CA_CERT_INVALID: Issuer certificate is invalid."),
    ("", Kind.WEAK_SIGNATURE, _FIREFOX_SIGNATURE),
    ("signature algorithm", Kind.UNSUPPORTED, _FIREFOX_SIGNATURE),
    (
        "",
        Kind.WEAK_KEY,
        (
            "MOZILLA_PKIX_ERROR_INADEQUATE_KEY_SIZE: The server presented a certificate with a key size that is too "
            "small to establish a secure connection."
        ),
    ),
    (
        "",
        Kind.WRONG_NAME,
        (
            "SSL_ERROR_BAD_CERT_DOMAIN: Unable to communicate securely with peer: requested domain name does not match "
            "the server’s certificate."
        ),
    ),
)
_FIREFOX_DATES = {
    (Kind.EXPIRED, True): "SEC_ERROR_EXPIRED_CERTIFICATE: Peer’s Certificate has expired.",
    (Kind.EXPIRED, False): (
        "SEC_ERROR_EXPIRED_ISSUER_CERTIFICATE: The certificate issuer's certificate has expired. Check your system "
        "date and time."
    ),
    (Kind.NOT_YET_VALID, True): (
        "MOZILLA_PKIX_ERROR_NOT_YET_VALID_CERTIFICATE: The server presented a certificate that is not yet valid."
    ),
    (Kind.NOT_YET_VALID, False): (
        "MOZILLA_PKIX_ERROR_NOT_YET_VALID_ISSUER_CERTIFICATE: A certificate that is not yet valid was used to issue "
        "the server’s certificate."
    ),
}
_FIREFOX_CA_AS_LEAF = (
    "MOZILLA_PKIX_ERROR_CA_CERT_USED_AS_END_ENTITY: The server uses a certificate with a basic constraints extension "
    "identifying it as a certificate authority. For a properly-issued certificate, this should not be the case."
)


def _firefox(refusal: Refusal) -> str:
    for name, kind, text in _FIREFOX:
        for finding in refusal.findings:
            if kind is Kind.WEAK_KEY and refusal.key_bits >= 1024:
                continue
            if finding.kind is kind and name in ("", finding.name):
                as_leaf = name == "basic constraints" and finding.certificate == 0
                return _FIREFOX_CA_AS_LEAF if as_leaf else text
    for finding in refusal.findings:
        if finding.kind in (Kind.EXPIRED, Kind.NOT_YET_VALID):
            return _FIREFOX_DATES[finding.kind, finding.certificate == 0]
    return FINE if _kinds(refusal) <= {Kind.LIFETIME_TOO_LONG, Kind.WEAK_KEY} else "an error of its own"


# --- OpenSSL, which speaks for curl and Python ---

_UNKNOWN_ISSUER = "unable to get local issuer certificate"
# In the order in which OpenSSL looks: chain, extensions, strength, name, dates and signatures, name constraints.
_OPENSSL: tuple[tuple[str, Kind, str], ...] = (
    ("", Kind.SELF_SIGNED, "self-signed certificate"),
    ("", Kind.MISSING_INTERMEDIATE, _UNKNOWN_ISSUER),
    ("", Kind.UNKNOWN_ROOT, _UNKNOWN_ISSUER),
    ("", Kind.INSPECTED, _UNKNOWN_ISSUER),
    ("critical extensions", Kind.INVALID, "unhandled critical extension"),
    ("basic constraints", Kind.INVALID, "invalid CA certificate"),
    ("key usage", Kind.INVALID, "invalid CA certificate"),
    ("", Kind.WRONG_PURPOSE, "unsuitable certificate purpose"),
    ("path length", Kind.INVALID, "path length constraint exceeded"),
    ("", Kind.WEAK_KEY, "EE certificate key too weak"),
    ("", Kind.WEAK_SIGNATURE, "CA signature digest algorithm too weak"),
    ("", Kind.WRONG_NAME, ""),
    ("", Kind.BAD_SIGNATURE, "certificate signature failure"),
    ("", Kind.NOT_YET_VALID, "certificate is not yet valid"),
    ("", Kind.EXPIRED, "certificate has expired"),
)
_FROM_ISSUERS_SIDE = {  # what the same error is called when it is not the leaf's
    "EE certificate key too weak": "CA certificate key too weak",
}
_ACCEPTED_BY_OPENSSL = frozenset({Kind.LIFETIME_TOO_LONG, Kind.REVOKED})


def _openssl(refusal: Refusal) -> str | None:
    """OpenSSL's words; empty for a wrong name, which each program words itself; None if it has no objection."""
    for name, kind, text in _OPENSSL:
        for finding in refusal.findings:
            if finding.kind is not kind or name not in ("", finding.name):
                continue
            if finding.certificate == 0 and name == "basic constraints":
                continue  # a CA may stand for a site
            if kind is Kind.WRONG_NAME and refusal.common_name_fits:
                continue  # and still counts a common name where there are no other names
            if kind is Kind.BAD_SIGNATURE and refusal.namesake:
                return _UNKNOWN_ISSUER
            if refusal.root_sent and kind in (Kind.UNKNOWN_ROOT, Kind.INSPECTED):
                return "self-signed certificate in certificate chain"
            return text if finding.certificate == 0 else _FROM_ISSUERS_SIDE.get(text, text)
    for finding in refusal.findings:
        if finding.kind is Kind.NAME_CONSTRAINT:
            return (
                "excluded subtree violation"
                if finding.explanation.endswith("is excluded")
                else "permitted subtree violation"
            )
    if any(finding.name == "form" for finding in refusal.findings):
        return "an error of its own"
    return None


def _curl(openssl: str | None, refusal: Refusal) -> str:
    if openssl is None:
        return FINE
    if not openssl and refusal.name is not None:
        what = refusal.name.kind.replace("host name", "hostname").replace("IPv", "ipv")
        return f"curl: (60) SSL: no alternative certificate subject name matches target {what} '{refusal.name.text}'"
    return f"curl: (60) SSL certificate problem: {openssl}"


def _python(refusal: Refusal) -> str:
    if refusal.name is not None and refusal.name.address is not None:
        refusal = replace(refusal, common_name_fits=False)  # OpenSSL takes it for a host name only, curl for both
    openssl = _openssl(refusal)
    if openssl is None:
        return FINE
    if not openssl and refusal.name is not None:
        what = "Hostname" if refusal.name.address is None else "IP address"
        openssl = f"{what} mismatch, certificate is not valid for '{refusal.name.text}'."
    return f"ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {openssl}"

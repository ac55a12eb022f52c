"""Is the certificate built as RFC 5280 says, as far as the verifier insists on it?"""

from __future__ import annotations

from cryptography import x509

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.kinds import Kind

from .base import Inputs, Place, remembered

# The extensions that the verifier processes: a critical one that is not among them must be refused.
PROCESSED = frozenset(
    {
        x509.AuthorityInformationAccess.oid,
        x509.AuthorityKeyIdentifier.oid,
        x509.BasicConstraints.oid,
        x509.ExtendedKeyUsage.oid,
        x509.KeyUsage.oid,
        x509.NameConstraints.oid,
        x509.SubjectAlternativeName.oid,
        x509.SubjectKeyIdentifier.oid,
    }
)
MUST_NOT_BE_CRITICAL: tuple[tuple[type[x509.ExtensionType], str], ...] = (
    (x509.AuthorityInformationAccess, "authority information access"),
    (x509.AuthorityKeyIdentifier, "authority key identifier"),
    (x509.ExtendedKeyUsage, "extended key usage"),
    (x509.SubjectKeyIdentifier, "subject key identifier"),  # in CA certificates; in a leaf nobody minds
)
LONGEST_SERIAL = 21  # bytes: 20 and a leading zero, as everyone tolerates
EMPTY_NAME = b"\x30\x00"


def check_form(place: Place) -> CheckRan:
    """RFC 5280 section 4.1: version, serial, issuer, encoding of dates, one signature algorithm named twice."""
    certificate = place.certificate
    question = place.asks("form", "RFC 5280 section 4.1", form_inputs(certificate))
    if certificate.certificate.version is not x509.Version.v3:
        # For a browser the names are what is missing.
        kind = Kind.WRONG_NAME if place.is_leaf and place.situation.server else Kind.INVALID
        return question.failed(kind, "an X.509 version 1 certificate: it has no extensions, so no names that it is for")
    problem = _form_problem(certificate)
    return question.failed(Kind.INVALID, problem) if problem else question.passed("built as the standard says")


@remembered
def form_inputs(certificate: ParsedCertificate) -> Inputs:
    return ("version", certificate.certificate.version.name), ("serial", certificate.fields.serial.hex())


def _form_problem(certificate: ParsedCertificate) -> str:
    fields = certificate.fields
    if fields.inner_algorithm != fields.outer_algorithm:
        return "names one signature algorithm inside the signed part and another outside"
    if len(fields.serial) > LONGEST_SERIAL:
        return f"its serial number has {len(fields.serial)} bytes; at most 20 are allowed"
    if fields.serial[0] & 0x80:
        return "its serial number is negative"
    if fields.issuer == EMPTY_NAME:
        return "it does not name its issuer"
    before, after = certificate.not_before, certificate.not_after
    if (fields.not_before_generalized and before.year < 2050) or (fields.not_after_generalized and after.year < 2050):
        return "writes a date before 2050 in the form reserved for later ones (GeneralizedTime)"
    return ""


def check_critical_extensions(place: Place) -> CheckRan:
    """RFC 5280 section 4.2: a critical extension that is not understood must be refused."""
    critical = place.certificate.critical
    question = place.asks("critical extensions", "RFC 5280 section 4.2", critical_inputs(place.certificate))
    if not PROCESSED.issuperset(critical):
        unknown = ", ".join([oid.dotted_string for oid in critical if oid not in PROCESSED])
        return question.failed(Kind.INVALID, f"insists on an extension that is not understood: {unknown}")
    return question.passed("every extension it insists on is understood")


@remembered
def critical_inputs(certificate: ParsedCertificate) -> Inputs:
    return (("critical", ", ".join([oid.dotted_string for oid in certificate.critical]) or "none"),)


def check_profile(place: Place) -> CheckRan:
    """Lapses from RFC 5280 that browsers let pass: a warning, or a refusal if the policy is strict."""
    lapses = leaf_lapses(place) if place.is_leaf else ca_lapses(place.certificate)
    question = place.asks(
        "profile", "RFC 5280 section 4.2.1", (("strict", "yes" if place.situation.policy.strict else "no"),)
    )
    if not lapses:
        return question.passed("no lapse from the standard's profile")
    text = "; ".join(lapses)
    if place.situation.policy.strict:
        return question.failed(Kind.INVALID, text)
    return question.warned(f"{text} (browsers let this pass; Python 3.13 and newer may not: VERIFY_X509_STRICT)")


def leaf_lapses(place: Place) -> list[str]:
    """What a leaf omits or marks wrongly."""
    certificate = place.certificate
    lapses = [*marked_wrongly(certificate, leaf=True)]
    if certificate.find(x509.AuthorityKeyIdentifier) is None and not place.is_anchor:
        lapses.append("has no authority key identifier")
    usage = certificate.find(x509.KeyUsage)
    if usage is not None and usage.value.key_cert_sign and not place.is_anchor:
        lapses.append("has a key that may sign certificates, though it is no CA")
    names = certificate.find(x509.SubjectAlternativeName)
    if names is not None and place.situation.server and place.situation.name is not None:  # else nobody reads them
        empty = certificate.fields.subject == EMPTY_NAME
        if empty and not names.critical:
            lapses.append("has an empty subject, and names that are not marked critical")
        if names.critical and not empty:
            lapses.append("marks its names critical although it has a subject")
    return lapses


def ca_lapses(certificate: ParsedCertificate) -> list[str]:
    """What a CA certificate omits or marks wrongly."""
    lapses = [*marked_wrongly(certificate, leaf=False)]
    constraints = certificate.find(x509.BasicConstraints)
    if constraints is not None and not constraints.critical:
        lapses.append("has basic constraints that are not marked critical")
    if certificate.find(x509.KeyUsage) is None:
        lapses.append("has no key usage")
    identifier = certificate.find(x509.AuthorityKeyIdentifier)
    if identifier is not None and identifier.value.key_identifier is None:
        lapses.append("has an authority key identifier without a key identifier")
    return lapses


@remembered
def marked_wrongly(certificate: ParsedCertificate, *, leaf: bool) -> tuple[str, ...]:
    """Which extensions are critical that must not be."""
    kinds = MUST_NOT_BE_CRITICAL[:-1] if leaf else MUST_NOT_BE_CRITICAL
    return tuple([f"marks its {name} critical" for kind, name in kinds if kind.oid in certificate.critical])

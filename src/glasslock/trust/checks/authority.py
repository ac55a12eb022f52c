"""May the certificate do what it does here: vouch for others, or stand for a server or a client?"""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.kinds import Kind
from glasslock.trust.text import count

from .base import Place, remembered

USAGES = (
    ("digital_signature", "digital signature"),
    ("content_commitment", "content commitment"),
    ("key_encipherment", "key encipherment"),
    ("data_encipherment", "data encipherment"),
    ("key_agreement", "key agreement"),
    ("key_cert_sign", "sign certificates"),
    ("crl_sign", "sign revocation lists"),
)
USAGE_NAMES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "server authentication",
    ExtendedKeyUsageOID.CLIENT_AUTH: "client authentication",
    ExtendedKeyUsageOID.CODE_SIGNING: "code signing",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "e-mail protection",
    ExtendedKeyUsageOID.TIME_STAMPING: "time stamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSP signing",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "any",
}


def check_basic_constraints(place: Place) -> CheckRan:
    """RFC 5280 section 4.2.1.9: who vouches must be a CA, and a CA must not stand for a site."""
    found = place.certificate.find(x509.BasicConstraints)
    is_ca = found is not None and found.value.ca
    question = place.asks(
        "basic constraints",
        "RFC 5280 section 4.2.1.9",
        (
            ("CA", "yes" if is_ca else "no" if found is not None else "not said"),
            ("needed", "no" if place.is_leaf else "yes"),
        ),
    )
    if place.is_leaf:
        if is_ca and not place.is_anchor:
            return question.failed(Kind.INVALID, "a CA certificate is used where a site's own is wanted")
        if is_ca:
            return question.passed("a CA certificate, accepted because it is itself in the trust store")
        return question.passed("not a CA, as it should be")
    if not is_ca:
        return question.failed(Kind.INVALID, "vouches for another certificate but is not a CA")
    return question.passed("a CA, so it may vouch for others")


def check_path_length(place: Place) -> CheckRan | None:
    """RFC 5280 section 4.2.1.9: how many intermediates a CA allows below itself."""
    if place.is_leaf:
        return None
    found = place.certificate.find(x509.BasicConstraints)
    if found is None:
        return None
    limit = found.value.path_length
    below = place.position - 1
    question = place.asks(
        "path length",
        "RFC 5280 section 4.2.1.9",
        (("intermediates below", str(below)), ("allowed", "any number" if limit is None else str(limit))),
    )
    if limit is not None and below > limit:
        return question.failed(
            Kind.INVALID, f"allows {count(limit, 'intermediate')} below itself, but there are {below}"
        )
    return question.passed("no more intermediates below than it allows")


def check_key_usage(place: Place) -> CheckRan:
    """RFC 5280 section 4.2.1.3: a CA's key must be one for signing certificates, a leaf's one for signatures."""
    found = place.certificate.find(x509.KeyUsage)
    question = place.asks("key usage", "RFC 5280 section 4.2.1.3", (("key may", key_usage_words(place.certificate)),))
    if found is None:
        return question.passed("does not limit what its key is for")
    usage = found.value
    if place.is_leaf:
        if not usage.digital_signature:
            return question.warned("its key may not make signatures, which TLS 1.3 needs of it")
        return question.passed("its key may make signatures, as TLS needs")
    if not usage.key_cert_sign:
        return question.failed(Kind.INVALID, "vouches for another certificate but its key may not sign certificates")
    return question.passed("its key may sign certificates")


@remembered
def key_usage_words(certificate: ParsedCertificate) -> str:
    """What the key may be used for, in words."""
    found = certificate.find(x509.KeyUsage)
    if found is None:
        return "not said"
    return ", ".join([text for name, text in USAGES if getattr(found.value, name)]) or "none"


def check_extended_key_usage(place: Place) -> CheckRan:
    """RFC 5280 section 4.2.1.12: what the certificate is for. A CA's limits what it may vouch for."""
    purpose = place.situation.purpose
    found = place.certificate.find(x509.ExtendedKeyUsage)
    question = place.asks(
        "extended key usage",
        "RFC 5280 section 4.2.1.12",
        (("for", extended_key_usage_words(place.certificate)), ("needed", purpose.words)),
    )
    if found is None:
        return question.passed("does not limit what it is for")
    usages = list(found.value)
    if purpose.value in usages:
        return question.passed(f"is for {purpose.words}")
    if ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usages and not place.is_leaf:
        return question.passed("may vouch for any use")
    what = f"is not for {purpose.words}" if place.is_leaf else f"may not vouch for {purpose.words}"
    return question.failed(Kind.WRONG_PURPOSE, what)


@remembered
def extended_key_usage_words(certificate: ParsedCertificate) -> str:
    """What the certificate may be used for, in words."""
    found = certificate.find(x509.ExtendedKeyUsage)
    if found is None:
        return "not said"
    return ", ".join([USAGE_NAMES.get(oid, oid.dotted_string) for oid in found.value]) or "not said"

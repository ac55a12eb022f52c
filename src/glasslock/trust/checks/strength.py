"""Are the key and the signature of a kind that is strong enough, and that the verifier can use?"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate, describe_key
from glasslock.trust.der import elements
from glasslock.trust.keys import CA_KEYS, key_problem
from glasslock.trust.kinds import Kind

from .base import Place, remembered


def _pss(hash_oid: str, salt: str) -> bytes:
    algorithm = f"300d06096086480165030402{hash_oid}0500"
    mask = f"301a06092a864886f70d010108{algorithm}"
    parameters = f"a00f{algorithm}a11c{mask}a2030201{salt}"
    return bytes.fromhex(f"304106092a864886f70d01010a3034{parameters}")


# What the Baseline Requirements (7.1.3.2) and RFC 9881 allow, as it is encoded, whole: `cryptography` refuses the rest.
SIGNATURES = {
    bytes.fromhex("300d06092a864886f70d01010b0500"): "RSA with SHA-256",
    bytes.fromhex("300d06092a864886f70d01010c0500"): "RSA with SHA-384",
    bytes.fromhex("300d06092a864886f70d01010d0500"): "RSA with SHA-512",
    _pss("01", "20"): "RSA-PSS with SHA-256",
    _pss("02", "30"): "RSA-PSS with SHA-384",
    _pss("03", "40"): "RSA-PSS with SHA-512",
    bytes.fromhex("300a06082a8648ce3d040302"): "ECDSA with SHA-256",
    bytes.fromhex("300a06082a8648ce3d040303"): "ECDSA with SHA-384",
    bytes.fromhex("300a06082a8648ce3d040304"): "ECDSA with SHA-512",
    bytes.fromhex("300b0609608648016503040311"): "ML-DSA-44",
    bytes.fromhex("300b0609608648016503040312"): "ML-DSA-65",
    bytes.fromhex("300b0609608648016503040313"): "ML-DSA-87",
}
# By the object identifier alone, encoded: hashes for which forgeries are known, or near.
WEAK_SIGNATURES = {
    bytes.fromhex("06092a864886f70d010102"): "RSA with MD2",
    bytes.fromhex("06092a864886f70d010104"): "RSA with MD5",
    bytes.fromhex("06092a864886f70d010105"): "RSA with SHA-1",
    bytes.fromhex("06052b0e03021d"): "RSA with SHA-1",
    bytes.fromhex("06072a8648ce3d0401"): "ECDSA with SHA-1",
    bytes.fromhex("06072a8648ce380403"): "DSA with SHA-1",
}
OTHER_SIGNATURES = {
    bytes.fromhex("06032b6570"): "Ed25519",
    bytes.fromhex("06032b6571"): "Ed448",
    bytes.fromhex("06092a864886f70d01010e"): "RSA with SHA-224",
    bytes.fromhex("06092a864886f70d01010a"): "RSA-PSS with unusual parameters",
    bytes.fromhex("06082a8648ce3d040301"): "ECDSA with SHA-224",
}


def check_key(place: Place) -> CheckRan:
    """Baseline Requirements sections 6.1.5 and 7.1.3.1: the kind of key and its strength."""
    certificate = place.certificate
    question = place.asks("key strength", "Baseline Requirements section 6.1.5", (("key", key_words(certificate)),))
    problem = key_problem(certificate.certificate)
    if problem is not None:
        return question.failed(*problem)
    if not place.is_leaf and certificate.fields.key_algorithm not in CA_KEYS:
        return question.failed(
            Kind.UNSUPPORTED, "vouches for another certificate with a kind of key that CAs do not use on the web"
        )
    return question.passed("strong enough")


@remembered
def key_words(certificate: ParsedCertificate) -> str:
    """The key in words, e.g. `RSA, 2048 bits`."""
    try:
        name, bits = describe_key(certificate.certificate)
    except (ValueError, UnsupportedAlgorithm):
        return "cannot be decoded"
    return name if bits is None else f"{name}, {bits} bits"


@remembered
def signature_words(certificate: ParsedCertificate) -> str:
    """The signature algorithm in words."""
    algorithm = certificate.fields.outer_algorithm
    oid = elements(elements(algorithm)[0].content)[0].raw
    known = SIGNATURES.get(algorithm) or WEAK_SIGNATURES.get(oid) or OTHER_SIGNATURES.get(oid)
    return known or certificate.certificate.signature_algorithm_oid.dotted_string


def check_signature_algorithm(place: Place) -> CheckRan:
    """Baseline Requirements section 7.1.3.2. A trust anchor's own signature proves nothing and is not judged."""
    algorithm = place.certificate.fields.outer_algorithm
    words = signature_words(place.certificate)
    question = place.asks("signature algorithm", "Baseline Requirements section 7.1.3.2", (("signed with", words),))
    if place.is_anchor:
        return question.skipped("in the trust store: trusted for being there, not for its signature")
    if algorithm in SIGNATURES:
        return question.passed("strong enough")
    oid = elements(elements(algorithm)[0].content)[0].raw
    if oid in WEAK_SIGNATURES:
        return question.failed(Kind.WEAK_SIGNATURE, f"signed using {words}, with which signatures can be forged")
    return question.failed(Kind.UNSUPPORTED, f"signed using {words}, which is not used for certificates on the web")


def check_signature(place: Place) -> CheckRan:
    """RFC 5280 section 6.1.3: did the next certificate's key make this one's signature?"""
    issuer = place.issuer
    inputs = (("signed by", place.certificate.issuer_title),)
    question = place.asks("signature", "RFC 5280 section 6.1.3 (a)(1)", inputs)
    if place.is_anchor:
        return question.skipped("in the trust store: trusted for being there, not for its signature")
    if issuer is None:
        return question.unknown("the issuer's certificate is not there, so its signature cannot be checked")
    outcome = place.signatures.fits(place.certificate, issuer)
    if outcome:
        return question.passed("made by the next certificate's key")
    if outcome is None and not _could_check(place.certificate, issuer):
        return question.unknown("a signature of this kind, or by this kind of key, cannot be checked here")
    return question.failed(Kind.BAD_SIGNATURE, "the signature does not fit: forged, or changed since")


def _could_check(certificate: ParsedCertificate, issuer: ParsedCertificate) -> bool:
    """Whether nothing but the signature itself can be why it could not be computed."""
    fields = certificate.fields
    usable = fields.outer_algorithm in SIGNATURES and fields.outer_algorithm == fields.inner_algorithm
    return usable and key_problem(issuer.certificate) is None

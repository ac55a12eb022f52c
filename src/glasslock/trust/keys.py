"""Which public keys are strong enough, and of a kind that is used on the web (Baseline Requirements 6.1.5, 7.1.3.1)."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from .certificate import ParsedCertificate, describe_key
from .der import elements
from .kinds import Kind
from .text import printable

# AlgorithmIdentifiers as they are encoded, whole: `cryptography` refuses everything else as the key of a CA.
RSA_KEY = bytes.fromhex("300d06092a864886f70d0101010500")
CA_KEYS = {
    RSA_KEY: "RSA",
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"): "ECDSA secp256r1",
    bytes.fromhex("301006072a8648ce3d020106052b81040022"): "ECDSA secp384r1",
    bytes.fromhex("301006072a8648ce3d020106052b81040023"): "ECDSA secp521r1",
    bytes.fromhex("300b0609608648016503040311"): "ML-DSA-44",
    bytes.fromhex("300b0609608648016503040312"): "ML-DSA-65",
    bytes.fromhex("300b0609608648016503040313"): "ML-DSA-87",
}
LEAF_KEYS = frozenset(
    {
        "RSA",
        "ECDSA secp256r1",
        "ECDSA secp384r1",
        "ECDSA secp521r1",
        "Ed25519",
        "Ed448",
        "MLDSA44",
        "MLDSA65",
        "MLDSA87",
    }
)


def key_problem(certificate: x509.Certificate) -> tuple[Kind, str] | None:
    """What makes this public key unacceptable, if anything. Costs little once the key has been decoded."""
    try:
        name, bits = describe_key(certificate)
    except (ValueError, UnsupportedAlgorithm) as error:
        weak = _weak_rsa(ParsedCertificate.from_x509(certificate))
        return weak or (Kind.UNSUPPORTED, f"its public key cannot be used: {printable(str(error))}")
    if bits is not None:
        return _short_rsa(bits)
    if name not in LEAF_KEYS:
        return Kind.UNSUPPORTED, f"its public key is of a kind that is not used on the web: {name}"
    return None


def _short_rsa(bits: int) -> tuple[Kind, str] | None:
    # Counted in whole bytes with the sign's, as `cryptography` does, so that both always agree.
    if bits // 8 + 1 < 2048 // 8:
        return Kind.WEAK_KEY, f"its RSA key has {bits} bits; at least 2048 are needed"
    return None


def _weak_rsa(certificate: ParsedCertificate) -> tuple[Kind, str] | None:
    """An RSA key so short that it is not even decoded."""
    bits = rsa_bits(certificate)
    return _short_rsa(bits) if bits else None


def rsa_bits(certificate: ParsedCertificate) -> int:
    """Size of an RSA key, also of one that is not decoded for being too short; 0 if it is none."""
    if certificate.fields.key_algorithm != RSA_KEY:
        return 0
    try:
        (key,) = elements(certificate.fields.public_key)
        modulus, _exponent = elements(key.content)
    except ValueError:
        return 0
    return int.from_bytes(modulus.content, "big").bit_length()

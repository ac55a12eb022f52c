"""What other implementations call the suites and groups."""

from __future__ import annotations

from glasslock.registry import CipherSuite, NamedGroup

# OpenSSL, and whatever is configured in its words: curl, nginx, Node.
OPENSSL_SUITES: dict[CipherSuite, str] = {
    CipherSuite.TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
    CipherSuite.TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
    CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256: "AES128-GCM-SHA256",
    CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384: "AES256-GCM-SHA384",
}
SUITES_OF_OPENSSL = {name: suite for suite, name in OPENSSL_SUITES.items()}

OPENSSL_GROUPS: dict[NamedGroup, str] = {
    NamedGroup.X25519: "X25519",
    NamedGroup.SECP256R1: "P-256",
    NamedGroup.SECP384R1: "P-384",
    NamedGroup.SECP521R1: "P-521",
    NamedGroup.X448: "X448",
    NamedGroup.X25519MLKEM768: "X25519MLKEM768",
    NamedGroup.SECP256R1MLKEM768: "SecP256r1MLKEM768",
    NamedGroup.SECP384R1MLKEM1024: "SecP384r1MLKEM1024",
}

_ALIASES = {
    "p256": "secp256r1",
    "p384": "secp384r1",
    "p521": "secp521r1",
    "prime256v1": "secp256r1",
    "curvep256": "secp256r1",
    "curvep384": "secp384r1",
    "curvep521": "secp521r1",
}


def group_name(theirs: str) -> str:
    """The registry's name, in lower case, of a group under whatever name a peer gives it."""
    plain = theirs.lower().replace("-", "").replace("_", "")
    return _ALIASES.get(plain, plain)


# GnuTLS priority strings: cipher, and key exchange for TLS 1.2.
GNUTLS_SUITES: dict[CipherSuite, tuple[str, str]] = {
    CipherSuite.TLS_AES_128_GCM_SHA256: ("AES-128-GCM", ""),
    CipherSuite.TLS_AES_256_GCM_SHA384: ("AES-256-GCM", ""),
    CipherSuite.TLS_CHACHA20_POLY1305_SHA256: ("CHACHA20-POLY1305", ""),
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: ("AES-128-GCM", "ECDHE-ECDSA"),
    CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: ("AES-256-GCM", "ECDHE-ECDSA"),
    CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: ("CHACHA20-POLY1305", "ECDHE-ECDSA"),
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: ("AES-128-GCM", "ECDHE-RSA"),
    CipherSuite.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: ("AES-256-GCM", "ECDHE-RSA"),
    CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: ("CHACHA20-POLY1305", "ECDHE-RSA"),
    CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256: ("AES-128-GCM", "RSA"),
    CipherSuite.TLS_RSA_WITH_AES_256_GCM_SHA384: ("AES-256-GCM", "RSA"),
}

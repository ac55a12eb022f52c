"""Step 2, identify: is this certificate for this name, in date, and vouched for by someone I trust?

`ServerCertificateVerifier(store).verify(chain, name)` returns if it is, and raises `CertificateRefused` with a
`Verdict` as its evidence if it is not. `cryptography.x509.verification` decides (`decide`); the checks explain
(`explain`, `checks`).
"""

from __future__ import annotations

from .cache import VerifiedChainCache
from .kinds import Kind, WhoCanFix
from .policy import Policy
from .stores import TrustStore
from .verdict import EXIT_CODES, Verdict
from .verifier import ClientCertificateVerifier, ServerCertificateVerifier

__all__ = [
    "EXIT_CODES",
    "ClientCertificateVerifier",
    "Kind",
    "Policy",
    "ServerCertificateVerifier",
    "TrustStore",
    "Verdict",
    "VerifiedChainCache",
    "WhoCanFix",
]

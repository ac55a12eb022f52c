"""How our side judges certificates in these tests: by comparing them with what was minted."""

from __future__ import annotations

from collections.abc import Sequence

from glasslock.errors import CertificateRefused
from glasslock.registry import AlertDescription


class Pinned:
    """Accepts one leaf certificate and no other. What glasslock.trust decides has tests of its own."""

    def __init__(self, leaf: bytes) -> None:
        self._leaf = leaf

    def verify(self, chain: Sequence[bytes], server_name: str | None, **_: object) -> None:
        if not chain or chain[0] != self._leaf:
            raise CertificateRefused(
                AlertDescription.BAD_CERTIFICATE, "not-pinned", "another certificate than expected"
            )

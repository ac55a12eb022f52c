"""Who signed what: each signature is worked out once in one verification, however many paths and checks ask."""

from __future__ import annotations

from collections.abc import Iterable

from .certificate import ParsedCertificate


class Signatures:
    """What is known of the signatures of one verification. `verified` are certificates and whose key made them."""

    __slots__ = ("_outcomes",)

    def __init__(self, verified: Iterable[tuple[ParsedCertificate, ParsedCertificate]] = ()) -> None:
        self._outcomes: dict[tuple[ParsedCertificate, ParsedCertificate], bool | None] = dict.fromkeys(verified, True)

    def __len__(self) -> int:
        return len(self._outcomes)

    def fits(self, certificate: ParsedCertificate, issuer: ParsedCertificate) -> bool | None:
        """Whether the issuer's key made this certificate's signature; None if that cannot be computed."""
        pair = (certificate, issuer)
        if pair not in self._outcomes:
            self._outcomes[pair] = certificate.signed_by(issuer)
        return self._outcomes[pair]

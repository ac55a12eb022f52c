"""Authorities for the tests, and certificates that an authority would never issue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from glasslock.authority import Authority, IssuedCertificate, Services, mint
from glasslock.authority.keys import PrivateKey, generate, load_private
from glasslock.authority.names import parse_names
from glasslock.authority.profiles import intermediate_extensions, server_extensions

NOON = dt.datetime(2026, 11, 24, 12, 0, 0, tzinfo=dt.UTC)


class Clock:
    """A clock that the test sets."""

    def __init__(self, moment: dt.datetime) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment.timestamp()


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture(scope="session")
def shared_authority() -> Authority:
    """Return an authority of default kind that tests only issue from."""
    return Authority.ephemeral()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return where an authority may be made: a directory that does not exist yet."""
    return tmp_path / "data" / "ca"


class Thief:
    """Somebody who got hold of an authority's keys and signs what its root does not permit."""

    def __init__(self, place: Path) -> None:
        self.authority = Authority.open_or_create(place)
        self._place = place
        now = dt.datetime.now(dt.UTC)
        self._from, self._until = now - dt.timedelta(minutes=30), now + dt.timedelta(days=30)

    def with_the_intermediates_key(self, name: str) -> IssuedCertificate:
        key = load_private((self._place / "intermediate.key").read_bytes())
        return self._leaf(name, self.authority.intermediate, key)

    def with_the_roots_key(self, name: str) -> IssuedCertificate:
        """Make an intermediate without name constraints first."""
        key = generate("ecdsa-p256")
        intermediate = self._sign(
            self.authority.root,
            load_private((self._place / "root.key").read_bytes()),
            key,
            x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "no constraints here")]),
            intermediate_extensions(key.public_key(), self.authority.root, None, Services()),
        )
        return self._leaf(name, intermediate, key)

    def _leaf(self, name: str, issuer: x509.Certificate, issuer_key: PrivateKey) -> IssuedCertificate:
        key = generate("ecdsa-p256")
        extensions = server_extensions(parse_names(name), issuer, Services())
        certificate = self._sign(issuer, issuer_key, key, x509.Name([]), extensions)
        return IssuedCertificate(certificate=certificate, intermediate=issuer, private_key=key, names=(name,))

    def _sign(
        self,
        issuer: x509.Certificate,
        issuer_key: PrivateKey,
        key: PrivateKey,
        subject: x509.Name,
        extensions: list[x509.Extension[x509.ExtensionType]],
    ) -> x509.Certificate:
        return x509.load_der_x509_certificate(
            mint(
                subject=subject,
                issuer=issuer.subject,
                public_key=key.public_key(),
                signer=issuer_key,
                serial=x509.random_serial_number(),
                not_before=self._from,
                not_after=self._until,
                extensions=extensions,
            )
        )


@pytest.fixture
def thief(place: Path) -> Thief:
    return Thief(place)


Chain = Callable[[Thief], IssuedCertificate]

# What every verifier is shown: a chain, the name it asks for, and whether it must accept.
CASES = [
    pytest.param(lambda thief: thief.authority.issue("localhost"), "localhost", True, id="good"),
    pytest.param(
        lambda thief: thief.with_the_intermediates_key("www.example.com"),
        "www.example.com",
        False,
        id="outside-the-intermediates-constraints",
    ),
    pytest.param(
        lambda thief: thief.with_the_roots_key("www.example.com"),
        "www.example.com",
        False,
        id="outside-the-roots-constraints",
    ),
]


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)

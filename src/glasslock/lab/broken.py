"""Sites with a broken certificate, each with the verdict that it must get.

Everything is minted when asked for, so nothing here can expire: a site that is meant to be expired is, and one
that is not never will be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..authority.keys import PrivateKey, generate
from ..authority.mint import AnyExtension, extension, mint
from ..authority.profiles import NOWHERE, intermediate_extensions, root_extensions, server_extensions
from ..tls import Credential
from ..trust import Kind

HOST = "site.localhost"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BrokenSite:
    """A certificate chain to serve for HOST, and what a visitor must be told about it."""

    name: str
    about: str
    expected: Kind
    credential: Credential


class Workshop:
    """A root, an intermediate, and a bench on which certificates are made wrong in one way each."""

    def __init__(self, now: datetime | None = None, owner: str = "Lab") -> None:
        self.now = now if now is not None else datetime.now(UTC)
        self._root_name, self._name = _name(f"{owner} Root", owner), _name(f"{owner} Intermediate", owner)
        self.root_key, self.root = self._root()
        self.key = generate("ecdsa-p256")
        self.intermediate = self._intermediate()

    def site(self, name: str) -> BrokenSite:
        """One site by name; KeyError for a name that is not in SITES."""
        about, expected, make = SITES[name]
        chain, key = make(self)
        # A site with a broken certificate does not know what is wrong with it, or it would not show it.
        credential = dataclasses.replace(Credential.from_key(chain, key), chain_schemes=())
        return BrokenSite(name, about, expected, credential)

    def leaf(
        self,
        key: PrivateKey,
        *,
        host: str = HOST,
        begin: timedelta = -DAY,
        end: timedelta = 30 * DAY,
        algorithm: str = "",
        purposes: Sequence[x509.ObjectIdentifier] | None = None,
    ) -> bytes:
        """A certificate by the intermediate; what is not said is as it should be."""
        extensions = list(server_extensions([x509.DNSName(host)], self._issuer(), NOWHERE))
        if purposes is not None:
            kept = [one for one in extensions if not isinstance(one.value, x509.ExtendedKeyUsage)]
            extensions = [*kept, extension(x509.ExtendedKeyUsage(purposes))]
        return self._mint(x509.Name([]), self._name, key, self.key, begin, end, extensions, algorithm)

    def signed_by_itself(self, key: PrivateKey) -> bytes:
        """A certificate that vouches for itself."""
        names = extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]))
        return self._mint(_name(HOST), _name(HOST), key, key, -DAY, 30 * DAY, [names])

    def signed_by_a_stranger(self, key: PrivateKey) -> list[bytes]:
        """A perfect chain that ends at a root nobody knows."""
        stranger = Workshop(self.now, "Stranger's")
        return [stranger.leaf(key), stranger.intermediate]

    def _root(self) -> tuple[PrivateKey, bytes]:
        key = generate("ecdsa-p256")
        extensions = root_extensions(key.public_key(), None)
        names = self._root_name, self._root_name
        return key, self._mint(*names, key, key, -DAY, 3650 * DAY, extensions, serial=1)

    def _intermediate(self) -> bytes:
        root = x509.load_der_x509_certificate(self.root)
        extensions = intermediate_extensions(self.key.public_key(), root, None, NOWHERE)
        names = self._name, self._root_name
        return self._mint(*names, self.key, self.root_key, -DAY, 1800 * DAY, extensions, serial=2)

    def _issuer(self) -> x509.Certificate:
        return x509.load_der_x509_certificate(self.intermediate)

    def _mint(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: PrivateKey,
        signer: PrivateKey,
        begin: timedelta,
        end: timedelta,
        extensions: Sequence[AnyExtension],
        algorithm: str = "",
        serial: int | None = None,
    ) -> bytes:
        return mint(
            subject=subject,
            issuer=issuer,
            public_key=key.public_key(),
            signer=signer,
            serial=serial if serial is not None else x509.random_serial_number(),
            not_before=self.now + begin,
            not_after=self.now + end,
            extensions=extensions,
            algorithm=algorithm,
        )


def _name(common_name: str, organization: str = "") -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


Made = tuple[list[bytes], PrivateKey]


def _by_intermediate(shop: Workshop, **wrong: object) -> Made:
    key = generate("ecdsa-p256")
    return [shop.leaf(key, **wrong), shop.intermediate], key  # type: ignore[arg-type]


def _good(shop: Workshop) -> Made:
    return _by_intermediate(shop)


def _expired(shop: Workshop) -> Made:
    return _by_intermediate(shop, begin=-60 * DAY, end=-3 * DAY)


def _not_yet_valid(shop: Workshop) -> Made:
    return _by_intermediate(shop, begin=3 * DAY)


def _wrong_name(shop: Workshop) -> Made:
    return _by_intermediate(shop, host="other.localhost")


def _unknown_root(shop: Workshop) -> Made:
    key = generate("ecdsa-p256")
    return shop.signed_by_a_stranger(key), key


def _missing_intermediate(shop: Workshop) -> Made:
    (leaf, _), key = _good(shop)
    return [leaf], key


def _self_signed(shop: Workshop) -> Made:
    key = generate("ecdsa-p256")
    return [shop.signed_by_itself(key)], key


def _for_clients(shop: Workshop) -> Made:
    return _by_intermediate(shop, purposes=[ExtendedKeyUsageOID.CLIENT_AUTH])


def _weak_key(shop: Workshop) -> Made:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
    return [shop.leaf(key), shop.intermediate], key


def _weak_signature(shop: Workshop) -> Made:
    return _by_intermediate(shop, algorithm="ecdsa-sha1")


SITES: dict[str, tuple[str, Kind, Callable[[Workshop], Made]]] = {
    "good": ("nothing is wrong with it", Kind.TRUSTED, _good),
    "expired": ("it ended three days ago", Kind.EXPIRED, _expired),
    "not-yet-valid": ("it begins in three days: or is the visitor's clock behind?", Kind.NOT_YET_VALID, _not_yet_valid),
    "wrong-name": ("it is for another host", Kind.WRONG_NAME, _wrong_name),
    "unknown-root": ("nobody whom the visitor trusts vouches for it", Kind.UNKNOWN_ROOT, _unknown_root),
    "missing-intermediate": ("the site does not send who signed it", Kind.MISSING_INTERMEDIATE, _missing_intermediate),
    "self-signed": ("it vouches for itself", Kind.SELF_SIGNED, _self_signed),
    "not-a-server": ("it is for clients", Kind.WRONG_PURPOSE, _for_clients),
    "weak-key": ("its key can be broken", Kind.WEAK_KEY, _weak_key),
    "weak-signature": ("its signature can be forged", Kind.WEAK_SIGNATURE, _weak_signature),
}

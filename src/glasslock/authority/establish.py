"""How an authority comes to be: a root that vouches for an intermediate, in memory or in a directory.

    ca/                    mode 0700
      root.key             0600   made the intermediate; may be moved to a safe place afterwards
      root.pem             0644   what people trust
      intermediate.key     0600   signs what is issued
      intermediate.pem     0644
      issued.jsonl         0600   what was issued

Every file is written once, whole, under a name that must be free. So whatever interrupts the making, and
whoever else makes the same at the same time, the next run takes up what is there and adds what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..errors import ConfigurationError
from .files import make_directory, read_private, write_new
from .keys import PrivateKey, generate, key_identifier, load_private, private_pem, public_der
from .lifetime import BACKDATED
from .mint import mint
from .names import Constraints
from .profiles import Services, intermediate_extensions, root_extensions

CA_LIFETIME = timedelta(days=3650)  # BR section 6.1.1.2 wants 8 to 25 years of a root

ROOT_KEY, ROOT = "root.key", "root.pem"
INTERMEDIATE_KEY, INTERMEDIATE = "intermediate.key", "intermediate.pem"
RECORDS = "issued.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a new authority is to be like; of one that exists already, nothing of this changes anything."""

    constraints: Constraints | None
    key_type: str
    root_services: Services
    now: datetime


@dataclass(frozen=True, slots=True)
class Pair:
    """The two certificates and the key that issues; the root's key is not kept in memory."""

    root: x509.Certificate
    intermediate: x509.Certificate
    intermediate_key: PrivateKey


def establish_in_memory(recipe: Recipe) -> Pair:
    """Make both and keep nothing."""
    root_key, intermediate_key = generate(recipe.key_type), generate(recipe.key_type)
    root = x509.load_der_x509_certificate(_mint_root(root_key, recipe))
    intermediate = x509.load_der_x509_certificate(_mint_intermediate(intermediate_key, root_key, root, recipe))
    return Pair(root, intermediate, intermediate_key)


def establish(directory: Path, recipe: Recipe) -> Pair:
    """Make what is missing in a directory, and load the rest.

    Raises ConfigurationError if something cannot be read or written, or does not fit together.
    """
    make_directory(directory)

    def certificate(name: str, minted: Callable[[], bytes]) -> x509.Certificate:
        path = directory / name
        if not path.exists():
            _write(path, x509.load_der_x509_certificate(minted()).public_bytes(Encoding.PEM), mode=0o644)
        return _load_certificate(path)

    def mint_root() -> bytes:
        return _mint_root(_keep_key(directory / ROOT_KEY, recipe.key_type), recipe)

    def mint_intermediate() -> bytes:
        root_key = _load_key(directory / ROOT_KEY)
        return _mint_intermediate(_keep_key(directory / INTERMEDIATE_KEY, recipe.key_type), root_key, root, recipe)

    root = certificate(ROOT, mint_root)
    _write(directory / RECORDS, b"", mode=0o600)
    return _checked(directory, root, certificate(INTERMEDIATE, mint_intermediate))


def load(directory: Path) -> Pair:
    """Load what `establish` made; raises ConfigurationError if it is not there or does not fit together."""
    if not (directory / ROOT).exists():
        raise ConfigurationError(f"there is no authority in {directory}. Make one with: glasslock ca init")
    return _checked(directory, _load_certificate(directory / ROOT), _load_certificate(directory / INTERMEDIATE))


def _checked(directory: Path, root: x509.Certificate, intermediate: x509.Certificate) -> Pair:
    key = _load_key(directory / INTERMEDIATE_KEY)
    if public_der(key.public_key()) != _spki(intermediate):
        raise ConfigurationError(
            f"{directory / INTERMEDIATE_KEY} is not the key of {INTERMEDIATE}: put back the one that is"
        )
    try:
        intermediate.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        raise ConfigurationError(
            f"{directory / INTERMEDIATE} was not issued by {directory / ROOT}: put back the one that was"
        ) from None
    return Pair(root, intermediate, key)


def _keep_key(path: Path, key_type: str) -> PrivateKey:
    """Load a key, or make it; whoever comes second to the making takes the first one's."""
    if not path.exists():
        _write(path, private_pem(generate(key_type)), mode=0o600)
    return _load_key(path)


def _write(path: Path, data: bytes, *, mode: int) -> None:
    """Write a new file, unless somebody else was quicker."""
    try:
        write_new(path, data, mode=mode)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from None


def _load_key(path: Path) -> PrivateKey:
    try:
        return load_private(read_private(path))
    except ValueError as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{path} does not hold a private key that can be used: {error}") from None


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read the certificate {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigurationError(
            f"{path} does not hold a certificate in PEM: put back the one that was there"
        ) from None


def _spki(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key()
    return public_der(key)  # type: ignore[arg-type]


def _mint_root(key: PrivateKey, recipe: Recipe) -> bytes:
    public_key = key.public_key()
    name = _ca_name("root", key)
    not_before = recipe.now.replace(microsecond=0) - BACKDATED
    return mint(
        subject=name,
        issuer=name,
        public_key=public_key,
        signer=key,
        serial=x509.random_serial_number(),
        not_before=not_before,
        not_after=not_before + CA_LIFETIME,
        extensions=root_extensions(public_key, recipe.constraints),
    )


def _mint_intermediate(key: PrivateKey, root_key: PrivateKey, root: x509.Certificate, recipe: Recipe) -> bytes:
    public_key = key.public_key()
    if public_der(root_key.public_key()) != _spki(root):
        raise ConfigurationError(f"{ROOT_KEY} is not the key of {ROOT}: put back the one that is")
    return mint(
        subject=_ca_name("intermediate", key),
        issuer=root.subject,
        public_key=public_key,
        signer=root_key,
        serial=x509.random_serial_number(),
        not_before=max(recipe.now.replace(microsecond=0) - BACKDATED, root.not_valid_before_utc),
        not_after=root.not_valid_after_utc,
        extensions=intermediate_extensions(public_key, root, Constraints.of(root), recipe.root_services),
    )


def _ca_name(role: str, key: PrivateKey) -> x509.Name:
    """Return a name that tells this authority from every other one, and nothing about its owner."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "glasslock local authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"glasslock {role} {key_identifier(key.public_key()).hex()[:8]}"),
        ]
    )

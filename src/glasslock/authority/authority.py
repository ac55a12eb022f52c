"""A small certificate authority that obeys the rules glasslock checks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..errors import ConfigurationError
from . import establish
from .files import default_directory, write_new
from .instructions import Instruction, as_text, instructions
from .keys import PrivateKey, generate, private_pem
from .lifetime import DEFAULT_DAYS, validity
from .mint import AnyExtension, mint
from .names import Constraints, SubjectName, parse_names
from .profiles import NOWHERE, Services, client_extensions, server_extensions
from .records import History, Issued, Records

Clock = Callable[[], float]

_HOST_LIKE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A new certificate with its private key and what a server sends with it."""

    certificate: x509.Certificate
    intermediate: x509.Certificate
    private_key: PrivateKey
    names: tuple[str, ...]

    @property
    def chain_der(self) -> tuple[bytes, ...]:
        """Return what a Certificate message holds, in DER: this certificate and the intermediate, no root."""
        return tuple(one.public_bytes(Encoding.DER) for one in (self.certificate, self.intermediate))

    @property
    def chain_pem(self) -> bytes:
        """Return the same in PEM, as servers read it (nginx's `ssl_certificate`)."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, self.intermediate))

    @property
    def private_key_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8."""
        return private_pem(self.private_key)

    @property
    def file_stem(self) -> str:
        """Return a name for files that every file system takes: `localhost`, `_wildcard.app.test`, `--1`."""
        return self.names[0].replace("*", "_wildcard").replace(":", "-").replace("/", "_")

    def write(self, chain_path: Path, key_path: Path) -> None:
        """Write chain (mode 0644) and key (0600) into new files.

        Raises ConfigurationError if one of them exists already or cannot be written; then neither is new.
        """
        for path in (chain_path, key_path):
            if path.exists():
                raise ConfigurationError(f"{path} exists already and is not overwritten: move it, or name another file")
        try:
            write_new(key_path, self.private_key_pem, mode=0o600)
            try:
                write_new(chain_path, self.chain_pem, mode=0o644)
            except OSError:
                key_path.unlink()  # a key without its certificate is of no use
                raise
        except OSError as error:
            raise ConfigurationError(f"cannot write {chain_path} and {key_path}: {error.strerror}") from None


class Authority:
    """A root that people trust, and an intermediate that issues: `open_or_create`, `open` or `ephemeral`.

    `clock` gives seconds since the epoch. `services` says where the intermediate's certificate and
    revocations can be fetched, for what it issues: empty where nobody serves them.
    """

    def __init__(
        self,
        pair: establish.Pair,
        records: Records,
        *,
        directory: Path | None = None,
        services: Services = NOWHERE,
        clock: Clock = time.time,
    ) -> None:
        self.root = pair.root
        self.intermediate = pair.intermediate
        self.directory = directory
        self.constraints = Constraints.of(pair.intermediate)
        self._key = pair.intermediate_key
        self._records = records
        self._services = services
        self._clock = clock

    @classmethod
    def open_or_create(
        cls,
        directory: Path | str | None = None,
        *,
        also_permit: Sequence[str] = (),
        dangerous_unconstrained: bool = False,
        key_type: str = "ecdsa-p256",
        services: Services = NOWHERE,
        root_services: Services = NOWHERE,
        clock: Clock = time.time,
    ) -> Authority:
        """Open the authority in a directory (by default, `default_directory()`), made first if there is none.

        A new root may vouch for the names and addresses that nobody on the Internet owns (`names.py` lists
        them) and for the domains and networks of `also_permit`, and for nothing else. With
        `dangerous_unconstrained` it may vouch for every name there is: whoever gets its key can then
        impersonate any site to anyone who trusts it.

        Raises ConfigurationError if the files cannot be read or written or do not fit together, or if an
        authority that exists already may not vouch for all of `also_permit`.
        """
        place = _place(directory)
        recipe = _recipe(also_permit, dangerous_unconstrained, key_type, root_services, clock)
        pair = establish.establish(place, recipe)
        authority = cls(pair, Records(place / establish.RECORDS), directory=place, services=services, clock=clock)
        own, wanted = authority.constraints, recipe.constraints
        if own is not None and (wanted is None or (also_permit and not own.covers(wanted))):
            raise ConfigurationError(
                f"the authority in {place} exists already and may vouch for nothing but {own}. "
                "A root's constraints cannot change: make another authority in another directory."
            )
        return authority

    @classmethod
    def open(
        cls, directory: Path | str | None = None, *, services: Services = NOWHERE, clock: Clock = time.time
    ) -> Authority:
        """Open an authority that exists; raises ConfigurationError if it does not."""
        place = _place(directory)
        pair = establish.load(place)
        return cls(pair, Records(place / establish.RECORDS), directory=place, services=services, clock=clock)

    @classmethod
    def ephemeral(
        cls,
        *,
        also_permit: Sequence[str] = (),
        dangerous_unconstrained: bool = False,
        key_type: str = "ecdsa-p256",
        services: Services = NOWHERE,
        root_services: Services = NOWHERE,
        clock: Clock = time.time,
    ) -> Authority:
        """Make an authority in memory, for tests and demonstrations: no file is read or written."""
        recipe = _recipe(also_permit, dangerous_unconstrained, key_type, root_services, clock)
        return cls(establish.establish_in_memory(recipe), Records(), services=services, clock=clock)

    def issue(
        self, names: str | Iterable[str], *, key_type: str = "ecdsa-p256", days: int = DEFAULT_DAYS
    ) -> IssuedCertificate:
        """Issue a server certificate for host names, wildcards and IP addresses, with a new key.

        `key_type` is one of KEY_TYPES. `days` may not exceed what the Baseline Requirements allow today. The
        certificate never outlives its issuer. Raises ConfigurationError for names that cannot be or that this
        authority may not vouch for, and for a key type or lifetime that is not allowed.
        """
        wanted = parse_names(names)
        self._require_permitted(wanted)
        extensions = server_extensions(wanted, self.intermediate, self._services)
        texts = tuple(str(name.value) for name in wanted)
        return self._issue("server", x509.Name([]), texts, extensions, key_type, days)

    def issue_client(
        self, name: str, *, email: str = "", key_type: str = "ecdsa-p256", days: int = DEFAULT_DAYS
    ) -> IssuedCertificate:
        """Issue a client certificate, with which a person or a program shows a server who it is.

        `name` (1 to 64 characters) becomes the subject's common name. Raises as `issue` does.
        """
        if not 1 <= len(name) <= 64 or not name.isprintable():
            raise ConfigurationError("a client's name must have 1 to 64 printable characters")
        if email and not _EMAIL.fullmatch(email):
            raise ConfigurationError(f"{email!r} is not an e-mail address that a certificate can hold")
        if _HOST_LIKE.fullmatch(name):  # OpenSSL holds such a common name to the name constraints
            self._require_permitted(parse_names([name]))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions = client_extensions(email, self.intermediate, self._services)
        return self._issue("client", subject, (name, email) if email else (name,), extensions, key_type, days)

    def history(self) -> History:
        """Return all that was ever issued, oldest first."""
        return self._records.read()

    @property
    def root_pem(self) -> bytes:
        """Return the root certificate in PEM: what people must trust."""
        return self.root.public_bytes(Encoding.PEM)

    @property
    def root_path(self) -> Path | None:
        """Return where the root certificate is; None if this authority is in memory."""
        return None if self.directory is None else self.directory / establish.ROOT

    @property
    def name(self) -> str:
        """Return the name under which trust stores list the root."""
        return _common_name(self.root)

    def instructions(self) -> tuple[Instruction, ...]:
        """Return how to trust the root, and how to take the trust back, in each system and program."""
        return instructions(self.root_path or Path(establish.ROOT), self.name)

    def trust_instructions(self, system: str | None = None) -> str:
        """Return the same as text: this system first, then what has a trust store of its own.

        `system` is a value of sys.platform, by default this one's.
        """
        return as_text(self.instructions(), self.name, self.constraints, system)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _require_permitted(self, names: Sequence[SubjectName]) -> None:
        if self.constraints is None:
            return
        refused = [str(name.value) for name in names if not self.constraints.permits(name)]
        if refused:
            raise ConfigurationError(
                f"this authority may not vouch for {', '.join(refused)}: its root is limited to "
                f"{self.constraints}. Use such a name, or make an authority in another directory that also "
                f"permits {refused[0].removeprefix('*.')}."
            )

    def _issue(
        self,
        kind: str,
        subject: x509.Name,
        names: tuple[str, ...],
        extensions: Sequence[AnyExtension],
        key_type: str,
        days: int,
    ) -> IssuedCertificate:
        now = self._now()
        not_before, not_after = validity(now, days)
        end = self.intermediate.not_valid_after_utc
        if now >= end:
            raise ConfigurationError(
                f"this authority expired on {end:%Y-%m-%d}. Make a new one in another directory, and trust its root."
            )
        key = generate(key_type)
        der = mint(
            subject=subject,
            issuer=self.intermediate.subject,
            public_key=key.public_key(),
            signer=self._key,
            serial=x509.random_serial_number(),
            not_before=max(not_before, self.intermediate.not_valid_before_utc),
            not_after=min(not_after, end),
            extensions=extensions,
        )
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(self.intermediate)
        self._record(kind, names, key_type, certificate)  # nothing leaves that was not recorded
        return IssuedCertificate(certificate=certificate, intermediate=self.intermediate, private_key=key, names=names)

    def _record(self, kind: str, names: tuple[str, ...], key_type: str, certificate: x509.Certificate) -> None:
        moment = f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        self._records.add(Issued(moment, kind, names, key_type, certificate))


def _place(directory: Path | str | None) -> Path:
    return default_directory() if directory is None else Path(directory)


def _recipe(
    also_permit: Sequence[str],
    dangerous_unconstrained: bool,
    key_type: str,
    root_services: Services,
    clock: Clock,
) -> establish.Recipe:
    if dangerous_unconstrained and also_permit:
        raise ConfigurationError("an unconstrained root permits everything: there is nothing to permit besides")
    return establish.Recipe(
        constraints=None if dangerous_unconstrained else Constraints.private(also_permit),
        key_type=key_type,
        root_services=root_services,
        now=datetime.fromtimestamp(clock(), UTC),
    )


def _common_name(certificate: x509.Certificate) -> str:
    attributes = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attributes[0].value) if attributes else certificate.subject.rfc4514_string()

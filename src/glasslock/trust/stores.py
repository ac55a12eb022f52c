"""Whom to believe: the certificates that end a path.

A store knows its name, so that every verdict can say which list decided, and reads its certificates once, when
they are first needed. What cannot be read is counted and skipped, never fatal: one odd root must not take all
the others away.
"""

from __future__ import annotations

import base64
import binascii
import functools
import importlib
import re
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import Store

from glasslock.errors import ConfigurationError

from .certificate import ParsedCertificate, UnreadableCertificate, load

MOST_PROBLEMS = 20  # kept word for word; the rest is only counted
MOST_FILE_BYTES = 64 * 1024 * 1024
DEBIAN_PUBLIC = Path("/usr/share/ca-certificates/mozilla")

_PEM = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>.*?)-----END (?P=label)-----", re.DOTALL)
_CERTIFICATE_LABELS = (b"CERTIFICATE", b"X509 CERTIFICATE")


@dataclass(frozen=True, slots=True)
class Anchors:
    """What a store holds once it is read. `public` are those known to belong to public CAs."""

    certificates: tuple[x509.Certificate, ...] = ()
    public: frozenset[x509.Certificate] = frozenset()
    skipped: int = 0
    problems: tuple[str, ...] = ()


class TrustStore:
    """A named list of trust anchors. Any certificate can be one, a leaf or an intermediate too.

    `name` says where the list is from, in words for a person.
    """

    def __init__(self, name: str, read: Callable[[], Anchors]) -> None:
        self.name = name
        self._read = read
        self._lock = threading.Lock()
        self._anchors: Anchors | None = None

    def __repr__(self) -> str:
        return f"TrustStore({self.name!r})"

    # --- where from ---

    @classmethod
    def system(cls) -> TrustStore:
        """The operating system's list, as its own programs use it. SSL_CERT_FILE and SSL_CERT_DIR overrule it."""
        from .system import system_source

        source = system_source()
        return cls(f"the operating system's ({source.where})", source.read)

    @classmethod
    def certifi(cls) -> TrustStore:
        """Mozilla's list of public CAs as the `certifi` package ships it. ConfigurationError if it is not there."""
        path = _certifi_path()
        if path is None:
            raise ConfigurationError("the certifi package is not installed: pip install certifi")

        def read() -> Anchors:
            anchors = read_bundle(path.read_bytes())
            return Anchors(anchors.certificates, frozenset(anchors.certificates), anchors.skipped, anchors.problems)

        return cls("certifi (Mozilla's list)", read)

    @classmethod
    def from_pem_file(cls, path: str | Path) -> TrustStore:
        """The certificates of one file, PEM (any number, other text between them) or DER (one).

        ConfigurationError if there is no such file or no certificate in it.
        """
        file = Path(path)
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file} with certificates to trust")
        store = cls(f"the file {file}", functools.partial(read_file, file))
        store._require("a file of trusted certificates holds one or more -----BEGIN CERTIFICATE----- blocks")
        return store

    @classmethod
    def from_directory(cls, path: str | Path) -> TrustStore:
        """The certificates of all files of one directory, whatever they are called; no directory below it.

        ConfigurationError if there is no such directory or no certificate in it.
        """
        directory = Path(path)
        if not directory.is_dir():
            raise ConfigurationError(f"there is no directory {directory} with certificates to trust")
        store = cls(f"the directory {directory}", functools.partial(read_directory, directory))
        store._require("none of its files holds a certificate, PEM or DER")
        return store

    @classmethod
    def from_certificates(cls, certificates: Iterable[bytes], name: str = "given certificates") -> TrustStore:
        """Certificates as bytes, each DER or PEM. ConfigurationError if one of them is none."""
        parts = [read_bundle(data) for data in certificates]
        bad = [problem for part in parts for problem in part.problems or ([] if part.certificates else ["empty"])]
        if bad:
            raise ConfigurationError(f"not a certificate to trust: {bad[0]}")
        anchors = join(parts)
        return cls(name, lambda: anchors)

    @classmethod
    def merged(cls, *stores: TrustStore) -> TrustStore:
        """Several lists as one. A verdict names the list that the anchor is from."""
        return _MergedStore(stores)

    # --- what is in it ---

    @property
    def anchors(self) -> Anchors:
        """Everything that the store holds; read when first asked for."""
        if self._anchors is None:
            with self._lock:
                if self._anchors is None:
                    self._anchors = self._read()
        return self._anchors

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return self.anchors.certificates

    @property
    def skipped(self) -> int:
        """How many certificates could not be read and are therefore not trusted."""
        return self.anchors.skipped

    @property
    def problems(self) -> tuple[str, ...]:
        """Why they could not be read, the first few."""
        return self.anchors.problems

    def __len__(self) -> int:
        return len(self.certificates)

    def __contains__(self, certificate: x509.Certificate) -> bool:
        return certificate in self._members

    def holds(self, encoded: bytes) -> bool:
        """Whether the certificate of this encoding is an anchor."""
        return encoded in self._encoded

    def is_public(self, certificate: x509.Certificate) -> bool:
        """Whether this anchor is known to belong to a public CA, one that Mozilla's programme lists."""
        public = self.anchors.public
        return bool(public) and certificate in public  # a certificate's hash is worked out anew each time

    def name_for(self, certificate: x509.Certificate) -> str:  # noqa: ARG002 - a merged store has several names
        """Name the list that this anchor is from."""
        return self.name

    @functools.cached_property
    def pyca_store(self) -> Store | None:
        """The same list for `cryptography.x509.verification`; None if it is empty, which that cannot be."""
        return Store(list(self.certificates)) if self.certificates else None

    @functools.cached_property
    def by_subject(self) -> dict[bytes, list[ParsedCertificate]]:
        """The anchors by their subject, as it is encoded."""
        found: dict[bytes, list[ParsedCertificate]] = {}
        for certificate in self.certificates:
            parsed = ParsedCertificate.from_x509(certificate)
            found.setdefault(parsed.fields.subject, []).append(parsed)
        return found

    @functools.cached_property
    def _members(self) -> frozenset[x509.Certificate]:
        return frozenset(self.certificates)

    @functools.cached_property
    def _encoded(self) -> frozenset[bytes]:
        return frozenset(certificate.public_bytes(Encoding.DER) for certificate in self.certificates)

    def _require(self, hint: str) -> None:
        if not self.certificates:
            why = f" ({self.problems[0]})" if self.problems else ""
            raise ConfigurationError(f"no certificate to trust in {self.name}{why}: {hint}")


class _MergedStore(TrustStore):
    def __init__(self, stores: Sequence[TrustStore]) -> None:
        super().__init__(" and ".join(store.name for store in stores), self._read_all)
        self._stores = tuple(stores)

    def _read_all(self) -> Anchors:
        return join([store.anchors for store in self._stores])

    def name_for(self, certificate: x509.Certificate) -> str:
        return next((store.name for store in self._stores if certificate in store), self.name)


def join(parts: Sequence[Anchors]) -> Anchors:
    return Anchors(
        tuple(dict.fromkeys(certificate for part in parts for certificate in part.certificates)),
        frozenset().union(*(part.public for part in parts)),
        sum(part.skipped for part in parts),
        tuple(problem for part in parts for problem in part.problems)[:MOST_PROBLEMS],
    )


# --- reading ---


def read_bundle(data: bytes) -> Anchors:
    """Read one or more certificates, PEM or DER. What cannot be read is counted and skipped."""
    if data[:1] == b"\x30":
        return _load_all([data])
    blocks: list[bytes] = []
    unreadable = []
    for number, block in enumerate(_PEM.finditer(data), 1):
        if block["label"] not in _CERTIFICATE_LABELS:
            continue
        try:
            blocks.append(base64.b64decode(b"".join(block["body"].split()), validate=True))
        except binascii.Error as error:
            unreadable.append(f"block {number}: {error}")
    loaded = _load_all(blocks)
    problems = (*unreadable, *loaded.problems)[:MOST_PROBLEMS]
    return Anchors(loaded.certificates, loaded.public, loaded.skipped + len(unreadable), problems)


def _load_all(blocks: Iterable[bytes]) -> Anchors:
    certificates = []
    problems = []
    with warnings.catch_warnings():
        # Old roots have odd serials; a program that makes errors of warnings must not lose them for that.
        warnings.simplefilter("ignore")
        for block in blocks:
            try:
                certificate = load(block)
                ParsedCertificate.from_x509(certificate)
            except UnreadableCertificate as error:
                problems.append(str(error))
            else:
                certificates.append(certificate)
    return Anchors(tuple(dict.fromkeys(certificates)), frozenset(), len(problems), tuple(problems[:MOST_PROBLEMS]))


def read_file(path: Path) -> Anchors:
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            return Anchors(skipped=1, problems=(f"{path.name}: larger than {MOST_FILE_BYTES} bytes",))
        anchors = read_bundle(path.read_bytes())
    except OSError as error:
        return Anchors(skipped=1, problems=(f"{path.name}: {error.strerror}",))
    named = tuple(f"{path.name}: {problem}" for problem in anchors.problems)
    return Anchors(anchors.certificates, anchors.public, anchors.skipped, named)


def read_directory(path: Path) -> Anchors:
    """Read all certificates of all files of a directory; files without a certificate are passed over."""
    return join([read_file(file) for file in sorted(path.iterdir()) if file.is_file()])


def _certifi_path() -> Path | None:
    try:
        return Path(importlib.import_module("certifi").where())
    except ImportError:
        return None


@functools.cache
def public_roots() -> frozenset[x509.Certificate]:
    """The public CAs' roots as far as they are known here: certifi's list, or else Debian's copy of Mozilla's."""
    bundle = _certifi_path()
    if bundle is not None:
        return frozenset(read_bundle(bundle.read_bytes()).certificates)
    if DEBIAN_PUBLIC.is_dir():
        return frozenset(read_directory(DEBIAN_PUBLIC).certificates)
    return frozenset()


def with_public(anchors: Anchors) -> Anchors:
    """The same anchors, with those marked that are known to belong to public CAs."""
    public = public_roots().intersection(anchors.certificates)
    return Anchors(anchors.certificates, public, anchors.skipped, anchors.problems)

"""Reading keys and certificates from where `ssl` users keep them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

from ..errors import ConfigurationError
from ..tls import Credential
from ..trust import TrustStore

FilePath = str | bytes | os.PathLike[str] | os.PathLike[bytes]
Password = Callable[[], str | bytes | bytearray] | str | bytes | bytearray | None

_LONGEST_PASSWORD = 1023  # bytes; OpenSSL's limit
_ENCRYPTED = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")


def load_credential(certfile: FilePath, keyfile: FilePath | None, password: Password) -> Credential:
    """A PEM chain, leaf first, and its key, from two files or from one; the password is asked for if it is needed.

    ConfigurationError if they cannot be read or do not fit together, OSError if there is no such file.
    """
    certificates = Path(os.fsdecode(certfile)).read_bytes()
    key = certificates if keyfile is None else Path(os.fsdecode(keyfile)).read_bytes()
    given = _password(password) if any(mark in key for mark in _ENCRYPTED) else None
    return Credential.from_pem(certificates, key, given)


def _password(password: Password) -> bytes | None:
    given = password() if callable(password) else password
    if given is None:
        raise ConfigurationError("the private key is encrypted: give its password")
    if not isinstance(given, str | bytes | bytearray):
        asked = callable(password)
        raise TypeError(
            "password callback must return a string" if asked else "password should be a string or callable"
        )
    encoded = given.encode("utf-8") if isinstance(given, str) else bytes(given)
    if len(encoded) > _LONGEST_PASSWORD:
        raise ValueError(f"password cannot be longer than {_LONGEST_PASSWORD} bytes")
    return encoded


def file_store(path: FilePath) -> TrustStore:
    """The trusted certificates of one file."""
    return TrustStore.from_pem_file(os.fsdecode(path))


def directory_store(path: FilePath) -> TrustStore:
    """Those of a directory. One that is not there, or empty, trusts nobody, as with OpenSSL."""
    directory = Path(os.fsdecode(path))
    try:
        return TrustStore.from_directory(directory)
    except ConfigurationError:
        return TrustStore.from_certificates([], f"the directory {directory}, which holds no certificate")


def data_store(data: str | bytes | bytearray) -> TrustStore:
    """PEM text, or DER certificates one after the other."""
    if isinstance(data, str):
        return TrustStore.from_certificates([data.encode("ascii")])
    return TrustStore.from_certificates(_split_der(bytes(data)))


def _split_der(data: bytes) -> list[bytes]:
    """Each certificate is one SEQUENCE with a long-form length."""
    parts = []
    while len(data) > 4:
        count = data[1] & 0x7F if data[1] & 0x80 else 0
        end = 2 + count + (int.from_bytes(data[2 : 2 + count], "big") if count else data[1])
        parts.append(data[:end])
        data = data[end:]
    return parts


def system_store() -> TrustStore:
    """The operating system's list, read once for each of its places."""
    return _system_store(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@functools.cache
def _system_store(file: str | None, directory: str | None) -> TrustStore:  # noqa: ARG001 - they are the key
    return TrustStore.system()

"""What the options of several commands mean to the engine."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..registry import ProtocolVersion
from ..tls import Credential, ECHKey
from ..trust import ClientCertificateVerifier, TrustStore

_VERSIONS: dict[str, tuple[int, ...]] = {
    "": (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2),
    "1.3": (ProtocolVersion.TLS_1_3,),
    "1.2": (ProtocolVersion.TLS_1_2,),
}


def chosen_versions(text: str) -> tuple[int, ...]:
    """`--tls`: the versions to speak."""
    if text not in _VERSIONS:
        raise ConfigurationError(f"--tls {text} is not spoken here: it is 1.3 or 1.2, and older versions are not safe")
    return _VERSIONS[text]


def own_credential(cert: Path | None, key: Path | None) -> Credential | None:
    """`--cert` and `--key`: both or neither."""
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ConfigurationError("--cert and --key go together: give both, or neither")
    return Credential.from_pem(cert.read_bytes(), key.read_bytes())


def server_engine(tls: str, client_ca: Path | None, ech_key: Path | None) -> dict[str, Any]:
    """Fields of `ServerConfig` for what was asked for."""
    engine: dict[str, Any] = {"versions": chosen_versions(tls)}
    if client_ca is not None:
        store = TrustStore.from_pem_file(client_ca)
        engine["client_verifier"] = ClientCertificateVerifier(store)
        engine["require_client_certificate"] = True
        engine["client_certificate_authorities"] = tuple(root.subject.public_bytes() for root in store.certificates)
    if ech_key is not None:
        engine["ech_keys"] = ECHKey.from_pem(ech_key.read_bytes())
    return engine


def endpoint(text: str) -> tuple[str, int]:
    """`HOST:PORT`, an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:8443 or [::1]:8443")
    return host.strip("[]"), int(port)


def from_base64(option: str, text: str) -> bytes:
    """Bytes that came as base64 on the command line."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as problem:
        raise ConfigurationError(f"{option}: this is not base64: {problem}") from problem

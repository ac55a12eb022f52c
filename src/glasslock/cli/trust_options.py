"""Whom a command believes: the options that choose the trust store."""

from __future__ import annotations

from pathlib import Path

from ..errors import ConfigurationError
from ..trust import TrustStore


def chosen_store(trust: str, files: list[Path] | None, directory: Path | None) -> TrustStore:
    """The store that --ca and --ca-dir name; without them the one that --trust names."""
    stores = [TrustStore.from_pem_file(path) for path in files or ()]
    if directory is not None:
        stores.append(TrustStore.from_directory(directory))
    if stores:
        return stores[0] if len(stores) == 1 else TrustStore.merged(*stores)
    match trust:
        case "system":
            return TrustStore.system()
        case "certifi":
            return TrustStore.certifi()
    raise ConfigurationError(f"--trust {trust} is not known: it is system or certifi")

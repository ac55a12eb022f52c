"""The certificates that Windows trusts: the ROOT store, by way of `ssl`."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Any

from .stores import Anchors, join, read_bundle, with_public

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"

Enumerate = Callable[[str], Sequence[tuple[bytes, str, Any]]]


def windows_roots(enumerate_certificates: Enumerate | None = None) -> Anchors:
    """Read the certificates of the ROOT store that are trusted for servers."""
    ask = enumerate_certificates or getattr(ssl, "enum_certificates", None)
    if ask is None:
        return Anchors(skipped=1, problems=("this Python cannot ask Windows for its certificates",))
    try:
        entries = ask("ROOT")
    except OSError as error:
        return Anchors(skipped=1, problems=(f"Windows refuses to list its certificates: {error}",))
    trusted = [
        data for data, encoding, uses in entries if encoding == "x509_asn" and (uses is True or SERVER_AUTH in uses)
    ]
    return with_public(join([read_bundle(data) for data in trusted]))

"""What OpenSSL calls things, for those who compare strings."""

from __future__ import annotations

from ..registry import CipherSuite, ProtocolVersion
from ..tls.keys.suites import SUITES_12, SUITES_13

_VERSIONS = {ProtocolVersion.TLS_1_3: "TLSv1.3", ProtocolVersion.TLS_1_2: "TLSv1.2"}


def version_name(version: int) -> str:
    """`TLSv1.3`, as `SSLSocket.version()` says it."""
    return _VERSIONS[ProtocolVersion(version)]


def cipher(suite: int) -> tuple[str, str, int]:
    """(OpenSSL's name, protocol, secret bits) of a suite that the engine speaks, as `SSLSocket.cipher()`."""
    if suite in SUITES_13:
        return CipherSuite(suite).name, "TLSv1.3", SUITES_13[suite].key_length * 8
    return _openssl_name(suite), "TLSv1.2", SUITES_12[suite].key_length * 8


def shared_ciphers(offered: tuple[int, ...], own: tuple[int, ...]) -> list[tuple[str, str, int]]:
    """Those of the client's suites that the server has too, in the client's order."""
    return [cipher(suite) for suite in offered if suite in own]


def _openssl_name(suite: int) -> str:
    """TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256."""
    exchange, _, bulk = CipherSuite(suite).name.removeprefix("TLS_").partition("_WITH_")
    bulk = bulk.replace("AES_", "AES").replace("_POLY1305_SHA256", "_POLY1305")
    return "-".join(part for part in (exchange.removeprefix("RSA"), bulk) if part).replace("_", "-")

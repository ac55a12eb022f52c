"""RSA key transport (RFC 5246 section 7.4.7.1): off by default, and without a signature."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, Side
from glasslock.tls import ClientConfig, ServerConfig
from glasslock.tls.wire.messages import ClientHello

from .minted import credential
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client

A = AlertDescription
TLS_1_2 = 0x0303
TRANSPORT = CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256
ECDHE_RSA = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
ECDHE_ECDSA = CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256


def client12(*suites: int, **changes: Any) -> ClientConfig:
    return client_config(versions=(TLS_1_2,), cipher_suites=suites, **changes)


def server12(*kinds: str, suites: tuple[int, ...] = (ECDHE_ECDSA, ECDHE_RSA, TRANSPORT)) -> ServerConfig:
    credentials = tuple(credential(kind) for kind in kinds)
    return server_config(versions=(TLS_1_2,), cipher_suites=suites, credentials=credentials)


def forget_schemes(hello: ClientHello) -> None:
    del hello.extensions[13]


def test_the_secret_goes_to_the_certificates_key() -> None:
    connected = pair(client12(TRANSPORT), server12("rsa")).done().talk()
    assert connected.client.agreed.cipher_suite == TRANSPORT
    assert connected.client.agreed.group is None


def test_no_signature_so_no_scheme_is_needed() -> None:
    """A client without signature_algorithms knows SHA-1 at best (section 7.4.1.4.1), but nobody signs here."""
    client = puppet_client(client12(ECDHE_RSA, TRANSPORT), change(HandshakeType.CLIENT_HELLO, forget_schemes))
    connected = Pair(client, pair(server=server12("rsa")).server).done()
    assert connected.server.agreed.cipher_suite == TRANSPORT


def test_without_it_a_scheme_is_needed() -> None:
    client = puppet_client(client12(ECDHE_RSA), change(HandshakeType.CLIENT_HELLO, forget_schemes))
    connected = Pair(client, pair(server=server12("rsa")).server).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-signature-scheme")


@pytest.mark.parametrize("kinds", [("rsa", "p256"), ("p256", "rsa")])
def test_a_key_that_can_sign_comes_first(kinds: tuple[str, str]) -> None:
    """It gives forward secrecy, which key transport does not."""
    client = client12(ECDHE_ECDSA, ECDHE_RSA, TRANSPORT, signature_schemes=(0x0403,))
    connected = pair(client, server12(*kinds)).done()
    assert connected.client.agreed.cipher_suite == ECDHE_ECDSA


def test_a_key_that_cannot_decrypt_does_not_do() -> None:
    connected = pair(client12(TRANSPORT), server12("rsassa-pss")).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE)


def test_it_is_off_by_default() -> None:
    default = server_config(versions=(TLS_1_2,), credentials=(credential("rsa"),))
    connected = pair(client12(TRANSPORT), default).run()
    assert_refused(connected, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-suite")

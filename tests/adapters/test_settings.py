"""What is made of a context is made once, and anew as soon as the context says something else."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from glasslock.adapters import SSLContext
from glasslock.adapters.settings import Settings, client_config, server_config
from glasslock.registry import Side
from glasslock.tls import ClientConfig, Credential, ServerConfig
from glasslock.tls.config import ClientHelloInfo
from glasslock.trace import Step, TraceRecord
from glasslock.trust import TrustStore

from .conftest import Pki


def settings(context: SSLContext) -> Settings:
    found = context.glasslock
    assert isinstance(found, Settings)
    return found


def client(context: SSLContext) -> ClientConfig:
    return client_config(context, settings(context), None)


def nobody(_hello: ClientHelloInfo) -> Credential | None:
    return None


def server(context: SSLContext) -> ServerConfig:
    return server_config(context, settings(context), None, nobody)


def test_one_config_serves_every_connection(client_context: SSLContext, server_context: SSLContext) -> None:
    assert client(client_context) is client(client_context)
    first, second = server(server_context), server(server_context)
    assert first is not second  # each has its own connection's chooser
    assert first.suites_13 is second.suites_13  # worked out once
    assert first.choose_credential is nobody


CHANGES: dict[str, Callable[[SSLContext], object]] = {
    "versions": lambda context: setattr(context, "maximum_version", ssl.TLSVersion.TLSv1_2),
    "tickets": lambda context: setattr(context, "options", context.options | ssl.OP_NO_TICKET),
    "names": lambda context: setattr(context, "check_hostname", False),
    "strictness": lambda context: setattr(context, "verify_flags", context.verify_flags ^ ssl.VERIFY_X509_STRICT),
    "protocols": lambda context: context.set_alpn_protocols(["h2"]),
    "suites": lambda context: context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256"),
    "group": lambda context: context.set_ecdh_curve("prime256v1"),
    "engine": lambda context: settings(context).engine.update(max_fragment=1000),
    "store": lambda context: setattr(settings(context), "trust_store", TrustStore.system()),
    "more trust": lambda context: context.load_default_certs(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_counts_for_the_next_connection(change: str, client_context: SSLContext) -> None:
    before = client(client_context)
    CHANGES[change](client_context)
    after = client(client_context)
    assert after is not before
    assert after != before
    assert client(client_context) is after


def test_nobody_is_checked_once_nobody_is_to_be(client_context: SSLContext) -> None:
    before = client(client_context)
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    assert type(client(client_context).verifier) is not type(before.verifier)
    client_context.verify_mode = ssl.CERT_REQUIRED
    client_context.check_hostname = True
    assert type(client(client_context).verifier) is type(before.verifier)


def test_another_certificate_counts_for_the_next_connection(
    server_context: SSLContext, pki: Pki, tmp_path: Path
) -> None:
    before = server(server_context)
    issued = pki.authority.issue(["other.test"])
    issued.write(tmp_path / "chain.pem", tmp_path / "key.pem")
    server_context.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    assert server(server_context).credentials != before.credentials


def test_an_observer_is_told_beside_the_engines_own(client_context: SSLContext) -> None:
    told: list[str] = []
    settings(client_context).engine["observer"] = lambda _record: told.append("engine's")
    config = client_config(client_context, settings(client_context), lambda _record: told.append("connection's"))
    assert config.observer is not None
    config.observer(TraceRecord(time=0.0, side=Side.CLIENT, step=Step.REACH))
    assert told == ["engine's", "connection's"]

"""What a context was told, it does."""

from __future__ import annotations

import inspect
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from glasslock.adapters import EngineError, SSLContext, create_default_context
from glasslock.registry import NamedGroup, SignatureScheme
from glasslock.tls import Credential, DangerousAcceptAnyCertificate
from glasslock.trust import TrustStore

from .conftest import Makers, Pki
from .wire import Wire


def _connected(client: ssl.SSLContext, server: ssl.SSLContext, name: str | None = "localhost", **how: Any) -> Wire:
    wire = Wire(client, server, name, **how)
    wire.shake_hands()
    assert wire.say() == b"hello"
    return wire


def test_it_is_made_as_ssl_makes_it() -> None:
    assert inspect.signature(create_default_context).parameters.keys() == (
        inspect.signature(ssl.create_default_context).parameters.keys()
    )
    ours, theirs = create_default_context(), ssl.create_default_context()
    for what in ("verify_mode", "check_hostname", "verify_flags", "options", "minimum_version", "protocol"):
        assert getattr(ours, what) == getattr(theirs, what), what
    assert len(ours.get_ca_certs()) == len(theirs.get_ca_certs())
    server = create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert server.verify_mode is ssl.CERT_NONE
    with pytest.raises(ValueError, match="not a valid"):
        create_default_context(ssl.Purpose("nonsense"))
    assert hash(ours)


def test_another_class_in_its_place_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """gevent and truststore do that, and the setters of ssl.py then recurse."""
    context = create_default_context()
    monkeypatch.setattr(ssl, "SSLContext", type("SSLContext", (ssl.SSLContext,), {}))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.verify_flags & ssl.VERIFY_X509_STRICT
    context.options |= ssl.OP_NO_TICKET
    assert context.options & ssl.OP_NO_TICKET
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    assert context.minimum_version is context.maximum_version is ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert context.verify_mode is ssl.CERT_NONE


# --- versions and suites


@pytest.mark.parametrize(
    ("settings", "version"),
    [
        ({}, "TLSv1.3"),
        ({"maximum_version": ssl.TLSVersion.TLSv1_2}, "TLSv1.2"),
        ({"options": ssl.OP_NO_TLSv1_3}, "TLSv1.2"),
        ({"minimum_version": ssl.TLSVersion.TLSv1_3}, "TLSv1.3"),
    ],
)
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.filterwarnings("ignore:ssl.OP_NO_:DeprecationWarning")
def test_versions(settings: dict[str, Any], version: str, side: str, makers: Makers) -> None:
    client, server = makers.client(), makers.server()
    context = client if side == "client" else server
    for name, value in settings.items():
        setattr(context, name, getattr(context, name) | value if name == "options" else value)
    wire = _connected(client, server)
    assert wire.client.tls.version() == wire.server.tls.version() == version
    assert wire.client.tls.cipher()[1] == version


@pytest.mark.filterwarnings("ignore:ssl.OP_NO_:DeprecationWarning")
def test_no_version_left(client_context: SSLContext, server_context: SSLContext) -> None:
    client_context.options |= ssl.OP_NO_TLSv1_3 | ssl.OP_NO_TLSv1_2
    with pytest.raises(EngineError, match=r"neither TLS 1\.3 nor TLS 1\.2"):
        _connected(client_context, server_context)


def test_no_version_in_common(makers: Makers) -> None:
    client, server = makers.client(), makers.server()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(ssl.SSLError, match=r"UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION"):
        _connected(client, server)


@pytest.mark.parametrize(
    ("string", "name", "bits"),
    [
        ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", 256),
        ("ECDHE+CHACHA20", "ECDHE-ECDSA-CHACHA20-POLY1305", 256),
        ("ECDHE+AESGCM:!AES256", "ECDHE-ECDSA-AES128-GCM-SHA256", 128),
    ],
)
def test_cipher_strings(string: str, name: str, bits: int, makers: Makers) -> None:
    client, server = makers.client(), makers.server()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    _connected(client, server)
    client.set_ciphers(string)
    wire = _connected(client, server)
    assert wire.client.tls.cipher() == wire.server.tls.cipher() == (name, "TLSv1.2", bits)
    assert name in [cipher[0] for cipher in wire.server.tls.shared_ciphers()]


def test_one_curve(client_context: SSLContext, server_context: SSLContext) -> None:
    server_context.set_ecdh_curve("secp384r1")
    wire = _connected(client_context, server_context)
    assert wire.client.tls._sslobj.connection.agreed.group == NamedGroup.SECP384R1
    with pytest.raises(ValueError, match="glasslock has no group"):
        server_context.set_ecdh_curve("secp224r1")
    with pytest.raises(ValueError, match="unknown"):
        server_context.set_ecdh_curve("nonsense")


def test_engine_settings(client_context: SSLContext, server_context: SSLContext) -> None:
    client_context.glasslock.engine["groups"] = (NamedGroup.SECP521R1,)
    wire = _connected(client_context, server_context)
    assert wire.server.tls._sslobj.connection.agreed.group == NamedGroup.SECP521R1


def test_psks_of_tls12_are_not_there(client_context: SSLContext, server_context: SSLContext) -> None:
    for name in ("set_psk_client_callback", "set_psk_server_callback"):
        with pytest.raises(NotImplementedError, match=r"TLS 1\.3"):
            getattr(client_context, name)(None)


# --- ALPN and SNI


@pytest.mark.parametrize(("wanted", "chosen"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)])
def test_alpn(wanted: list[str], chosen: str | None, makers: Makers) -> None:
    client, server = makers.client(), makers.server()
    if wanted:
        client.set_alpn_protocols(wanted)
    server.set_alpn_protocols(["h2", "http/1.1"])
    wire = _connected(client, server)
    assert wire.client.tls.selected_alpn_protocol() == wire.server.tls.selected_alpn_protocol() == chosen


def test_no_protocol_in_common(client_context: SSLContext, server_context: SSLContext) -> None:
    client_context.set_alpn_protocols(["spdy/3"])
    server_context.set_alpn_protocols(["h2"])
    wire = _connected(client_context, server_context)  # as `ssl` does
    assert wire.client.tls.selected_alpn_protocol() is wire.server.tls.selected_alpn_protocol() is None
    server_context.glasslock.engine["require_common_protocol"] = True
    with pytest.raises(ssl.SSLError, match="NO_APPLICATION_PROTOCOL"):
        _connected(client_context, server_context)


def test_the_callback_sees_the_name_and_may_change_the_context(pki: Pki, client_context: SSLContext) -> None:
    seen = []
    other = create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued = pki.authority.issue(["other.site.test"])
    other.glasslock.credentials["other"] = Credential.from_pem(issued.chain_pem, issued.private_key_pem)
    server = create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pki.chain, pki.key)

    def callback(tls: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        seen.append((tls, name, context))
        if name == "other.site.test":
            tls.context = other

    server.sni_callback = callback
    wire = _connected(client_context, server, "other.site.test")
    assert seen == [(wire.server.tls, "other.site.test", server)]
    assert wire.server.tls.context is other
    assert wire.client.tls.getpeercert()["subjectAltName"] == (("DNS", "other.site.test"),)
    _connected(client_context, server, "127.0.0.1")
    assert seen[-1][1] is None


def test_the_callback_is_told_of_resumptions_too(client_context: SSLContext, server_context: SSLContext) -> None:
    names = []
    server_context.sni_callback = lambda _tls, name, _context: names.append(name)
    first = _connected(client_context, server_context)
    second = _connected(client_context, server_context, session=first.client.tls.session)
    assert second.server.tls.session_reused
    assert names == ["localhost", "localhost"]


@pytest.mark.parametrize(
    ("callback", "alert", "reported"),
    [
        (lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME, "UNRECOGNIZED_NAME", []),
        (lambda *_: 1 / 0, "HANDSHAKE_FAILURE", [ZeroDivisionError]),
        (lambda *_: "no", "INTERNAL_ERROR", [TypeError]),
    ],
)
def test_the_callback_may_refuse(
    callback: Any,
    alert: str,
    reported: list[type],
    client_context: SSLContext,
    server_context: SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it raises is no error of the connection's users; Python reports it as it does for callbacks of C code."""
    heard: list[type] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: heard.append(what.exc_type))
    server_context.sni_callback = callback
    wire = Wire(client_context, server_context)
    with pytest.raises(ssl.SSLError, match="callback"):
        wire.shake_hands()
    assert heard == reported
    wire.move()
    with pytest.raises(ssl.SSLError, match=alert):
        wire.client.tls.do_handshake()


def test_the_old_callback_still_works(client_context: SSLContext, server_context: SSLContext) -> None:
    names = []
    server_context.set_servername_callback(lambda _tls, name, _context: names.append(name))
    _connected(client_context, server_context)
    assert names == ["localhost"]


def test_a_foreign_context_cannot_step_in(client_context: SSLContext, server_context: SSLContext) -> None:
    wire = Wire(client_context, server_context)
    with pytest.raises(TypeError, match="one of glasslock's"):
        wire.server.tls.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(TypeError, match="must be a SSLContext"):
        wire.server.tls.context = object()


# --- keys


def test_a_server_without_a_certificate(client_context: SSLContext) -> None:
    with pytest.raises(EngineError, match="load_cert_chain"):
        Wire(client_context, create_default_context(ssl.Purpose.CLIENT_AUTH)).shake_hands()


def test_key_and_chain_in_one_file(tmp_path: Path, pki: Pki, client_context: SSLContext) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pki.key.read_bytes() + pki.chain.read_bytes())
    server = create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(bytes(both))
    _connected(client_context, server)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["str", "bytes", "bytearray", "callable"])
def test_an_encrypted_key(form: PrivateFormat, kind: str, tmp_path: Path, pki: Pki, client_context: SSLContext) -> None:
    key = load_pem_private_key(pki.key.read_bytes(), None)
    file = tmp_path / "key.pem"
    file.write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"sesame")))
    asked = []

    def ask() -> str:
        asked.append(1)
        return "sesame"

    password = {"str": "sesame", "bytes": b"sesame", "bytearray": bytearray(b"sesame"), "callable": ask}[kind]
    server = create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(pki.chain, file, password)
    assert len(asked) == (kind == "callable")
    _connected(client_context, server)
    with pytest.raises(ssl.SSLError, match=r"^\[SSL\] PEM lib: the private key cannot be read"):
        server.load_cert_chain(pki.chain, file, "wrong")
    with pytest.raises(TypeError, match="should be a string"):
        server.load_cert_chain(pki.chain, file, True)
    with pytest.raises(TypeError, match="must return a string"):
        server.load_cert_chain(pki.chain, file, lambda: 9)
    with pytest.raises(ValueError, match="cannot be longer"):
        server.load_cert_chain(pki.chain, file, b"a" * 1024)
    with pytest.raises(ssl.SSLError, match="password"):
        server.load_cert_chain(pki.chain, file)


def test_a_password_that_is_not_needed_is_not_asked_for(pki: Pki, server_context: SSLContext) -> None:
    server_context.load_cert_chain(pki.chain, pki.key, lambda: pytest.fail("asked"))


def test_keys_that_do_not_fit(tmp_path: Path, pki: Pki, server_context: SSLContext) -> None:
    other = tmp_path / "key.pem"
    other.write_bytes(pki.authority.issue(["x.test"]).private_key_pem)
    with pytest.raises(ssl.SSLError, match=r"^\[X509: KEY_VALUES_MISMATCH\] key values mismatch: .* does not belong"):
        server_context.load_cert_chain(pki.chain, other)
    with pytest.raises(FileNotFoundError):
        server_context.load_cert_chain(tmp_path / "nowhere.pem")
    with pytest.raises(ssl.SSLError, match=r"PEM lib: .* no readable certificate"):
        server_context.load_cert_chain(other, other)


def test_one_certificate_for_each_kind_of_key(tmp_path: Path, pki: Pki, makers: Makers) -> None:
    issued = pki.authority.issue(["localhost"], key_type="rsa-2048")
    issued.write(tmp_path / "chain.pem", tmp_path / "key.pem")
    server = makers.server()
    server.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    client = makers.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE+aRSA+AESGCM")
    assert _connected(client, server).client.tls.cipher()[0].startswith("ECDHE-RSA-")
    client.set_ciphers("ECDHE+aECDSA+AESGCM")
    assert _connected(client, server).client.tls.cipher()[0].startswith("ECDHE-ECDSA-")


# --- trust


def test_trust_as_a_directory_and_as_data(tmp_path: Path, pki: Pki, server_context: SSLContext) -> None:
    (tmp_path / "anything.pem").write_bytes(pki.root.read_bytes())
    ways = {
        "directory": {"capath": tmp_path},
        "text": {"cadata": pki.root.read_text()},
        "data": {"cadata": ssl.PEM_cert_to_DER_cert(pki.root.read_text())},
        "two": {"cadata": ssl.PEM_cert_to_DER_cert(pki.other_root.read_text()) * 2 + _der(pki.root)},
    }
    for how in ways.values():
        _connected(create_default_context(**how), server_context)


def _der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def test_trust_in_nobody(tmp_path: Path, server_context: SSLContext) -> None:
    for context in (create_default_context(capath=tmp_path), create_default_context(capath=tmp_path / "nowhere")):
        with pytest.raises(ssl.SSLCertVerificationError):
            _connected(context, server_context)
    bare = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(ssl.SSLCertVerificationError):
        _connected(bare, server_context)


def test_trust_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_default_context(cafile=tmp_path / "nowhere")
    (tmp_path / "empty").write_text("nothing here")
    with pytest.raises(ssl.SSLError):
        create_default_context(cafile=tmp_path / "empty")
    with pytest.raises(TypeError):
        SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations()


def test_the_systems_trust(monkeypatch: pytest.MonkeyPatch, pki: Pki, server_context: SSLContext) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pki.root))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    _connected(create_default_context(), server_context)


def test_a_trust_store_of_ones_own(pki: Pki, server_context: SSLContext) -> None:
    context = create_default_context(cafile=pki.other_root)
    context.glasslock.trust_store = TrustStore.from_pem_file(pki.root)
    _connected(context, server_context)


def test_a_verifier_of_ones_own(pki: Pki, server_context: SSLContext) -> None:
    context = create_default_context(cafile=pki.other_root)
    context.glasslock.verifier = DangerousAcceptAnyCertificate()
    _connected(context, server_context)


def test_no_verification(makers: Makers, pki: Pki) -> None:
    client = makers.client(cafile=pki.other_root)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    wire = _connected(client, makers.server(), "elsewhere.test")
    assert wire.client.tls.getpeercert() == {}
    assert wire.client.tls.getpeercert(True) == pki.credential.chain[0]
    assert wire.client.tls.getpeercert(binary_form=True) == pki.credential.chain[0]


def test_no_name_check(makers: Makers, pki: Pki) -> None:
    client = makers.client()
    client.check_hostname = False
    _connected(client, makers.server(), "elsewhere.test")
    _connected(client, makers.server(), None)
    stranger = makers.client(cafile=pki.other_root)
    stranger.check_hostname = False
    with pytest.raises(ssl.SSLCertVerificationError):
        _connected(stranger, makers.server(), "elsewhere.test")


def test_revocation_lists_are_not_silently_left_out(client_context: SSLContext, server_context: SSLContext) -> None:
    client_context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    with pytest.raises(EngineError, match="revocation lists"):
        _connected(client_context, server_context)


# --- client certificates


def _with_client_certificate(tmp_path: Path, pki: Pki, context: ssl.SSLContext) -> ssl.SSLContext:
    issued = pki.authority.issue_client("a client")
    issued.write(tmp_path / "client.pem", tmp_path / "client.key")
    context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate(version: ssl.TLSVersion, tmp_path: Path, makers: Makers, pki: Pki) -> None:
    server = makers.server()
    server.load_verify_locations(pki.root)
    server.verify_mode = ssl.CERT_REQUIRED
    server.maximum_version = version
    wire = _connected(_with_client_certificate(tmp_path, pki, makers.client()), server)
    assert wire.server.tls.getpeercert()["subject"] == ((("commonName", "a client"),),)
    engine = wire.server.tls._sslobj
    if hasattr(engine, "connection"):
        assert len(engine.get_verified_chain()) == 3


def test_a_client_without_one(makers: Makers, pki: Pki) -> None:
    server = makers.server()
    server.load_verify_locations(pki.root)
    server.verify_mode = ssl.CERT_OPTIONAL
    assert _connected(makers.client(), server).server.tls.getpeercert() is None
    server.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        _connected(makers.client(), server)


def test_a_stranger(tmp_path: Path, makers: Makers, pki: Pki) -> None:
    server = makers.server()
    server.load_verify_locations(pki.other_root)
    server.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLCertVerificationError):
        _connected(_with_client_certificate(tmp_path, pki, makers.client()), server)


def test_a_certificate_after_the_handshake(tmp_path: Path, makers: Makers, pki: Pki) -> None:
    client = _with_client_certificate(tmp_path, pki, makers.client())
    server = makers.server()
    server.load_verify_locations(pki.root)
    client.post_handshake_auth = server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_REQUIRED
    wire = _connected(client, server)
    assert wire.server.tls.getpeercert() is None
    wire.server.tls.verify_client_post_handshake()
    for end in (wire.server, wire.client, wire.server):
        end.try_to(end.tls.read, 10)
        wire.move()
    assert wire.server.tls.getpeercert()["subject"] == ((("commonName", "a client"),),)


def test_who_cannot_be_asked_after_the_handshake(client_context: SSLContext, server_context: SSLContext) -> None:
    wire = _connected(client_context, server_context)
    with pytest.raises(ssl.SSLError, match="not server"):
        wire.client.tls.verify_client_post_handshake()
    with pytest.raises(ssl.SSLError, match="extension not received"):
        wire.server.tls.verify_client_post_handshake()
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    wire = _connected(client_context, server_context)
    with pytest.raises(ssl.SSLError, match="WRONG_SSL_VERSION"):
        wire.server.tls.verify_client_post_handshake()


def test_a_client_without_a_certificate_may_be_asked_for_one(makers: Makers, pki: Pki) -> None:
    client, server = makers.client(), makers.server()
    server.load_verify_locations(pki.root)
    client.post_handshake_auth = server.post_handshake_auth = True
    server.verify_mode = ssl.CERT_OPTIONAL
    wire = _connected(client, server)
    wire.server.tls.verify_client_post_handshake()
    for end in (wire.server, wire.client, wire.server):
        end.try_to(end.tls.read, 10)
        wire.move()
    assert wire.server.tls.getpeercert() is None
    assert wire.say() == b"hello"


def test_a_certificate_that_is_not_shown_after_the_handshake(
    tmp_path: Path, client_context: SSLContext, server_context: SSLContext, pki: Pki
) -> None:
    client_context.post_handshake_auth = server_context.post_handshake_auth = True
    issued = pki.authority.issue_client("a client", key_type="rsa-2048")
    client_context.glasslock.credentials["only"] = Credential.from_pem(issued.chain_pem, issued.private_key_pem)
    server_context.glasslock.engine["signature_schemes"] = (SignatureScheme.ECDSA_SECP256R1_SHA256,)
    server_context.load_verify_locations(pki.root)
    server_context.verify_mode = ssl.CERT_REQUIRED
    wire = _connected(client_context, server_context)
    wire.server.tls.verify_client_post_handshake()
    wire.move()
    wire.client.try_to(wire.client.tls.read, 10)
    wire.move()
    with pytest.raises(EngineError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        wire.server.tls.read(10)
    wire.move()
    with pytest.raises(ssl.SSLError, match="TLSV13_ALERT_CERTIFICATE_REQUIRED"):
        wire.client.tls.read(10)


# --- sessions, tickets, the key log


def test_sessions(makers: Makers) -> None:
    client, server = makers.client(), makers.server()
    first = _connected(client, server)
    assert not first.client.tls.session_reused
    session = first.client.tls.session
    assert session.has_ticket
    assert session.id
    assert session.timeout > 0
    assert session.ticket_lifetime_hint > 0
    assert session.time > 1_700_000_000
    second = Wire(client, server)
    second.client.tls.session = session
    second.shake_hands()
    assert second.client.tls.session_reused
    assert second.server.tls.session_reused


def test_sessions_of_tls_1_2_go_on(client_context: SSLContext, server_context: SSLContext) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = _connected(client_context, server_context).client.tls.session
    again = _connected(client_context, server_context, session=session).client.tls
    assert again.session_reused
    assert again.session is not session
    assert again.session == session
    assert hash(again.session) == hash(session)
    another = _connected(client_context, server_context).client.tls.session
    assert another != session
    counted = server_context.session_stats()
    assert {name: count for name, count in counted.items() if count} == {"accept": 3, "accept_good": 3, "hits": 1}
    assert client_context.session_stats()["connect"] == 3


def test_a_session_stays_with_its_context(client_context: SSLContext, server_context: SSLContext, pki: Pki) -> None:
    session = _connected(client_context, server_context).client.tls.session
    other = create_default_context(cafile=pki.root)
    with pytest.raises(ValueError, match="different SSLContext"):
        Wire(other, server_context, session=session)


def test_sessions_where_they_cannot_be(client_context: SSLContext, server_context: SSLContext) -> None:
    wire = _connected(client_context, server_context)
    session = wire.client.tls.session
    with pytest.raises(ValueError, match="after handshake"):
        wire.client.tls.session = session
    with pytest.raises(ValueError, match="server-side"):
        wire.server.tls.session = session
    with pytest.raises(TypeError):
        Wire(client_context, server_context).client.tls.session = b"a session"


@pytest.mark.parametrize("how", ["option", "number"])
def test_no_tickets(how: str, client_context: SSLContext, server_context: SSLContext) -> None:
    if how == "option":
        server_context.options |= ssl.OP_NO_TICKET
    else:
        server_context.num_tickets = 0
    assert _connected(client_context, server_context).client.tls.session is None


def test_the_key_log(tmp_path: Path, makers: Makers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "client.log"))
    client = makers.client()
    monkeypatch.delenv("SSLKEYLOGFILE")
    server = makers.server()
    server.keylog_filename = str(tmp_path / "server.log")
    _connected(client, server)
    logs = [_secrets(tmp_path / f"{side}.log") for side in ("client", "server")]
    assert logs[0] == logs[1]
    assert {line.split()[0] for line in logs[0]} >= {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"}


def _secrets(path: Path) -> set[str]:
    return {line for line in path.read_text().splitlines() if not line.startswith("#")}


def test_the_seam_is_where_it_was() -> None:
    """`ssl` asks the context for what is behind its sockets and objects; else OpenSSL would speak unnoticed."""
    assert "_wrap_bio" in ssl.SSLObject._create.__code__.co_names
    assert "_wrap_socket" in ssl.SSLSocket._create.__code__.co_names
    assert "_wrap_socket" in ssl.SSLSocket._real_connect.__code__.co_names
    assert sys.version_info < (3, 16), "look at the list again"


def test_what_the_system_trusts_is_read_when_it_is_asked_for(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch, server_context: SSLContext
) -> None:
    """And not in the first handshake, which may be an event loop's."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pki.root.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    client = create_default_context()
    bundle.unlink()
    _connected(client, server_context)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "not-there.pem"))
    create_default_context()  # trusts nobody, and says so when there is somebody to trust

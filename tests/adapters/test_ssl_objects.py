"""`ssl.SSLObject`s over memory buffers, as event loops use them."""

from __future__ import annotations

import contextlib
import gc
import pickle
import ssl
import weakref
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasslock.adapters import EngineCertificateError, EngineEOFError, EngineError, SSLContext, create_default_context

from .conftest import Makers, Pki
from .wire import End, Wire


@pytest.fixture
def wire(makers: Makers) -> Wire:
    wire = Wire(makers.client(), makers.server())
    wire.shake_hands()
    return wire


@pytest.fixture
def ours(client_context: SSLContext, server_context: SSLContext) -> Wire:
    return Wire(client_context, server_context)


def test_they_are_genuine(wire: Wire) -> None:
    assert isinstance(wire.client.tls, ssl.SSLObject)
    assert wire.client.tls.server_hostname == "localhost"
    assert wire.server.tls.server_side


def test_a_round_trip(wire: Wire) -> None:
    wire.client.tls.write(b"hello")
    wire.move()
    assert wire.server.tls.read(100) == b"hello"
    wire.server.tls.write(memoryview(b"back"))
    wire.move()
    buffer = bytearray(10)
    assert wire.client.tls.read(10, buffer) == 4
    assert buffer[:4] == b"back"


@pytest.mark.parametrize("at_once", [1, 7, 4000])
def test_bytes_may_come_in_any_pieces(at_once: int, makers: Makers) -> None:
    wire = Wire(makers.client(), makers.server())
    for _ in range(3):
        for one, other in ((wire.client, wire.server), (wire.server, wire.client)):
            one.try_to(one.tls.do_handshake)
            while one.outgoing.pending:
                other.incoming.write(one.outgoing.read(at_once))
                other.try_to(other.tls.do_handshake)
    wire.client.tls.write(b"x" * 20_000)
    received = b""
    while wire.client.outgoing.pending:
        wire.server.incoming.write(wire.client.outgoing.read(at_once))
        received += wire.server.try_to(wire.server.tls.read, 1 << 16) or b""
    assert received == b"x" * 20_000


def test_a_write_takes_everything(wire: Wire) -> None:
    data = bytes(range(256)) * 2000
    assert wire.client.tls.write(data) == len(data)
    wire.move()
    received = b""
    while len(received) < len(data):
        received += wire.server.tls.read(1 << 20)
    assert received == data


def test_one_record_at_a_time(wire: Wire) -> None:
    wire.client.tls.write(b"first")
    wire.client.tls.write(b"second")
    wire.move()
    assert wire.server.tls.read(1000) == b"first"
    assert wire.server.tls.pending() == 0
    assert wire.server.incoming.pending > 0  # event loops go by this
    assert wire.server.tls.read(1000) == b"second"
    assert wire.server.incoming.pending == 0


def test_nothing_there(wire: Wire) -> None:
    wire.server.tls.read(0)
    with pytest.raises(ssl.SSLWantReadError) as caught:
        wire.server.tls.read(10)
    assert caught.value.errno == ssl.SSL_ERROR_WANT_READ
    assert caught.value.reason is None


def test_closing_both_ways(wire: Wire) -> None:
    with pytest.raises(ssl.SSLWantReadError):
        wire.client.tls.unwrap()
    wire.move()
    assert wire.server.tls.read(10) == b""
    assert wire.server.tls.read(10, bytearray(10)) == 0
    wire.server.try_to(wire.server.tls.unwrap)
    wire.move()
    wire.client.tls.unwrap()


def test_the_end_without_a_close(ours: Wire) -> None:
    ours.shake_hands()
    ours.client.incoming.write_eof()
    with pytest.raises(EngineEOFError) as caught:
        ours.client.tls.read(10)
    error = caught.value
    assert isinstance(error, ssl.SSLEOFError)
    assert error.args[0] == ssl.SSL_ERROR_EOF
    assert "UNEXPECTED_EOF_WHILE_READING" in error.strerror
    assert error.library == "SSL"


def test_the_end_in_mid_handshake(ours: Wire) -> None:
    ours.client.try_to(ours.client.tls.do_handshake)
    ours.client.incoming.write_eof()
    with pytest.raises(ssl.SSLEOFError, match="in the middle of the handshake"):
        ours.client.tls.do_handshake()


def test_a_refusal_leaves_its_alert_behind(makers: Makers, pki: Pki) -> None:
    wire = Wire(makers.client(cafile=pki.other_root), makers.server())
    wire.client.try_to(wire.client.tls.do_handshake)
    wire.move()
    wire.server.try_to(wire.server.tls.do_handshake)
    wire.move()
    with pytest.raises(ssl.SSLCertVerificationError):
        wire.client.tls.do_handshake()
    wire.move()
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_UNKNOWN_CA"):
        wire.server.tls.do_handshake()


def test_an_error_travels(pki: Pki, server_context: SSLContext, client_context: SSLContext) -> None:
    client_context.glasslock.stores.clear()
    client_context.load_verify_locations(pki.other_root)
    wire = Wire(client_context, server_context)
    with pytest.raises(EngineCertificateError) as caught:
        wire.shake_hands()
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is EngineCertificateError
    assert str(again) == str(caught.value)
    assert again.verify_code == 20
    assert again.evidence == caught.value.evidence
    assert caught.value.__cause__.evidence is caught.value.evidence


def test_nothing_more_once_both_have_closed(ours: Wire) -> None:
    """The peer's end alone is b""; after our own it is an error, as with OpenSSL."""
    ours.shake_hands()
    with pytest.raises(ssl.SSLWantReadError):
        ours.server.tls.unwrap()
    ours.move()
    assert ours.client.tls.read(10) == b""
    with pytest.raises(ssl.SSLWantReadError):
        ours.server.tls.read(10)
    ours.client.tls.unwrap()
    ours.move()
    with pytest.raises(ssl.SSLZeroReturnError):
        ours.server.tls.read(10)
    with pytest.raises(ssl.SSLZeroReturnError):
        ours.server.tls.read(10, bytearray(10))


@pytest.mark.parametrize(("name", "error"), [("", ValueError), (".site.test", ValueError), ("a\0b", TypeError)])
def test_names_that_cannot_be(name: str, error: type[Exception], client_context: SSLContext) -> None:
    with pytest.raises(error):
        client_context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=name)


class Boom(Exception):
    """Nobody expects this one."""


@pytest.mark.parametrize("operation", ["do_handshake", "read", "write", "unwrap"])
def test_nothing_foreign_leaves_the_engine(operation: str, ours: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Event loops wait for ever on anything but an SSLError."""
    ours.shake_hands()

    def fail(*_: object) -> None:
        raise Boom

    engine = ours.client.tls._sslobj
    for name in ("handshake", "read", "write", "shutdown"):
        monkeypatch.setattr(engine._channel, name, fail)
    arguments = {"read": (10,), "write": (b"x",)}.get(operation, ())
    with pytest.raises(EngineError, match="INTERNAL_ERROR") as caught:
        getattr(ours.client.tls, operation)(*arguments)
    assert isinstance(caught.value.__cause__, Boom)
    ours.move()
    with pytest.raises(ssl.SSLError, match="TLSV1_ALERT_INTERNAL_ERROR"):
        ours.server.tls.read(10)


def test_a_verifier_that_fails(pki: Pki, client_context: SSLContext, server_context: SSLContext) -> None:
    class Broken:
        def verify(self, *_: object, **__: object) -> None:
            raise Boom

    client_context.glasslock.verifier = Broken()
    with pytest.raises(EngineCertificateError, match="Boom"):
        Wire(client_context, server_context).shake_hands()


def test_an_observer_that_fails(client_context: SSLContext, server_context: SSLContext) -> None:
    def observer(_: object) -> None:
        raise Boom

    client_context.glasslock.observer = observer
    with pytest.raises(EngineError, match="INTERNAL_ERROR"):
        Wire(client_context, server_context).shake_hands()


def test_arguments_are_checked(ours: Wire) -> None:
    ours.shake_hands()
    with pytest.raises(TypeError):
        ours.client.tls.write("text")
    with pytest.raises(TypeError):
        ours.client.tls.read(10, b"not writable")


def test_sides_and_names(client_context: SSLContext, server_context: SSLContext) -> None:
    with pytest.raises(ssl.SSLError, match="Cannot create a server socket"):
        End(client_context, server_side=True)
    with pytest.raises(ssl.SSLError, match="Cannot create a client socket"):
        End(server_context)
    with pytest.raises(ValueError, match="check_hostname"):
        End(client_context)
    for name in ("", ".example.org"):
        client_context.check_hostname = False
        with pytest.raises(ValueError, match=r"server_hostname|label empty"):
            End(client_context, server_hostname=name)


def test_names_may_be_bytes(client_context: SSLContext, server_context: SSLContext) -> None:
    wire = Wire(client_context, server_context, name=b"localhost")
    wire.shake_hands()
    assert wire.client.tls.server_hostname == "localhost"


def test_channel_bindings(makers: Makers) -> None:
    wire = Wire(makers.client(), makers.server())
    ours = [end.tls for end in (wire.client, wire.server) if hasattr(end.tls._sslobj, "connection")]
    assert ours[0].get_channel_binding("tls-exporter") is None
    wire.shake_hands()
    assert ours[0].get_channel_binding() is None
    assert len(ours[0].get_channel_binding("tls-exporter")) == 32
    assert len(ours[0].get_channel_binding("tls-server-end-point")) == 32
    if len(ours) == 2:
        for kind in ("tls-exporter", "tls-server-end-point"):
            assert ours[0].get_channel_binding(kind) == ours[1].get_channel_binding(kind)
    with pytest.raises(ValueError, match="not implemented"):
        ours[0].get_channel_binding("tls-fantasy")


def test_tls_unique_is_that_of_openssl(makers: Makers) -> None:
    client = makers.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    wire = Wire(client, makers.server())
    wire.shake_hands()
    bindings = {end.tls.get_channel_binding() for end in (wire.client, wire.server)}
    assert len(bindings) == 1
    assert len(bindings.pop() or b"") == 12


def test_the_story_of_one_connection(client_context: SSLContext, server_context: SSLContext) -> None:
    owners = []
    told = {"all": [], "one": []}

    def observer_for(owner: object) -> Any:
        owners.append(owner)
        return told["one"].append

    settings = client_context.glasslock
    settings.keep_trace, settings.observer, settings.observer_for = True, told["all"].append, observer_for
    wire = Wire(client_context, server_context)
    wire.shake_hands()
    assert owners == [wire.client.tls]
    assert tuple(told["all"]) == tuple(told["one"]) == wire.client.tls._sslobj.trace
    assert wire.client.tls._sslobj.trace
    assert wire.server.tls._sslobj.trace == ()
    assert wire.client.tls._sslobj.connection.agreed.version == 0x0304


def test_chains(client_context: SSLContext, server_context: SSLContext, pki: Pki) -> None:
    wire = Wire(client_context, server_context)
    engine = wire.client.tls._sslobj
    assert engine.get_unverified_chain() == engine.get_verified_chain() == []
    wire.shake_hands()
    received = [certificate.public_bytes(2) for certificate in engine.get_unverified_chain()]
    verified = [certificate.public_bytes(2) for certificate in engine.get_verified_chain()]
    assert tuple(received) == pki.credential.chain
    assert verified[:2] == received
    assert ssl.DER_cert_to_PEM_cert(verified[2]) == pki.root.read_text()
    assert engine.get_verified_chain()[2].public_bytes(1) == pki.root.read_text()
    assert engine.get_unverified_chain()[0].get_info() == wire.client.tls.getpeercert()
    assert wire.server.tls._sslobj.get_verified_chain() == []
    leaf, issuer = engine.get_verified_chain()[:2]
    assert leaf == engine.get_unverified_chain()[0] != issuer
    assert hash(leaf) == hash(engine.get_unverified_chain()[0])
    assert repr(leaf) == repr(engine.get_unverified_chain()[0]) != repr(issuer)


@given(data=st.binary(max_size=400), where=st.integers(0, 3), read=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_hostile_bytes_end_in_ssl_errors(
    data: bytes, where: int, read: bool, client_context: SSLContext, server_context: SSLContext
) -> None:
    """At every stage, on both sides: whatever comes, an event loop hears of it as it expects to."""
    wire = Wire(client_context, server_context)
    for _ in range(where):
        for end in (wire.client, wire.server):
            end.try_to(end.tls.do_handshake)
            wire.move()
    for end in (wire.client, wire.server):
        end.incoming.write(data)
        with contextlib.suppress(ssl.SSLError):
            end.try_to(end.tls.do_handshake)
            end.try_to(end.tls.read, 100) if read else end.try_to(end.tls.unwrap)
        end.incoming.write_eof()
        with contextlib.suppress(ssl.SSLError):
            end.tls.read(100)


def _finished(wire: Wire) -> None:
    wire.shake_hands()
    wire.say()


def _refused(wire: Wire) -> None:
    with contextlib.suppress(ssl.SSLError):
        wire.shake_hands()


def _cut_off(wire: Wire) -> None:
    wire.shake_hands()
    for end in (wire.client, wire.server):
        end.incoming.write_eof()
        with pytest.raises(ssl.SSLEOFError):
            end.tls.read(100)


def _ragged_end(wire: Wire) -> None:
    wire.client.tls.context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    wire.shake_hands()
    wire.client.incoming.write_eof()
    assert wire.client.tls.read(100) == b""


@pytest.mark.parametrize(
    ("story", "name"), [(_finished, "localhost"), (_refused, "other.test"), (_cut_off, "localhost")]
)
def test_no_connection_waits_for_the_garbage_collector(
    story: Callable[[Wire], None], name: str, client_context: SSLContext, server_context: SSLContext
) -> None:
    _require_gone_at_once(Wire(client_context, server_context, name), story)


@pytest.mark.skipif(not hasattr(ssl, "OP_IGNORE_UNEXPECTED_EOF"), reason="this OpenSSL does not name the option")
def test_no_ragged_end_waits_for_the_garbage_collector(ours: Wire) -> None:
    wire = Wire(ours.client.tls.context, ours.server.tls.context)
    _require_gone_at_once(wire, _ragged_end)


def _require_gone_at_once(wire: Wire, story: Callable[[Wire], None]) -> None:
    """Nothing may hold an engine but its SSLObject: a cycle would keep it, and the socket, until a collection."""
    engines = [weakref.ref(end.tls._sslobj) for end in (wire.client, wire.server)]
    gc.disable()
    try:
        story(wire)
        vars(wire).clear()
        assert [engine() for engine in engines] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "words", "number"), [("localhost", "Hostname mismatch", 62), ("127.0.0.1", "IP address mismatch", 64)]
)
def test_a_common_name_does_not_count_as_a_name(name: str, words: str, number: int, tmp_path: Path) -> None:
    certificate, key = _self_signed(name)
    (tmp_path / "both.pem").write_bytes(certificate + key)
    client = create_default_context(cafile=tmp_path / "both.pem")
    server = create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "both.pem")
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        Wire(client, server, name).shake_hands()
    assert caught.value.verify_code == number
    assert caught.value.verify_message == f"{words}, certificate is not valid for '{name}'."
    client.check_hostname = False
    Wire(client, server, name).shake_hands()


def test_a_host_that_can_have_no_name(client_context: SSLContext, server_context: SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        Wire(client_context, server_context, "a_b").shake_hands()
    assert caught.value.verify_message == "Hostname mismatch, certificate is not valid for 'a_b'."


def _self_signed(common_name: str) -> tuple[bytes, bytes]:
    """A certificate without alternative names, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(1), now + timedelta(30))
    pem = builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return pem, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_peer_that_goes_on_without_tls(ours: Wire) -> None:
    ours.shake_hands()
    ours.say()
    ours.client.incoming.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(EngineError, match="wrong version number") as caught:
        ours.client.tls.read(100)
    assert caught.value.reason == "WRONG_VERSION_NUMBER"

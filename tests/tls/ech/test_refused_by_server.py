"""What a server must not take, in the first hello and in the second (RFC 9849 sections 5.1 and 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import TLSError
from glasslock.registry import AlertDescription, ContentType, ExtensionType, Side
from glasslock.tls import ClientConnection, ECHKey, ServerConnection, TicketKeys
from glasslock.tls.ech import envelope
from glasslock.tls.ech.hello import INNER, SealedHello, encode_inner
from glasslock.tls.ech.hpke import Suite
from glasslock.tls.wire.codec import u16, vector8
from glasslock.tls.wire.extensions import write_client_versions
from glasslock.tls.wire.messages import ClientHello
from glasslock.trace import TraceRecord

from ..pair import Pair, assert_refused, client_config, pair
from ..puppet import plain_record
from .site import P256, PUBLIC, SECRET, X25519, assert_rejected, hellos, key, published, site, visit

E = ExtensionType
A = AlertDescription
FIRST, SECOND = 0, 1
OTHER_ID = 255 - key().config.config_id

# From the inner hello, what it takes from the outer one, and the longest name: the bytes to encrypt.
Encode = Callable[[ClientHello, Any, int], bytes]


def encoding(monkeypatch: pytest.MonkeyPatch, when: int, encode: Encode) -> None:
    """Has the client encrypt something else, in its first or its second hello."""
    count = 0

    def altered(inner: ClientHello, shared: Any, longest: int) -> bytes:
        nonlocal count
        count += 1
        return (encode if count - 1 == when else encode_inner)(inner, shared, longest)

    monkeypatch.setattr(envelope, "encode_inner", altered)


def sending(monkeypatch: pytest.MonkeyPatch, when: int, edit: Callable[[ClientHello], object]) -> None:
    """Changes the outer hello after it was sealed."""
    count, seal = 0, envelope.seal

    def altered(*arguments: Any) -> bytes:
        nonlocal count
        outer = ClientHello.parse(seal(*arguments))
        count += 1
        if count - 1 == when:
            edit(outer)
        return outer.encode()

    monkeypatch.setattr(envelope, "seal", altered)


def edited(**changes: Any) -> Callable[[ClientHello], object]:
    def edit(outer: ClientHello) -> None:
        sealed = SealedHello.parse(outer.extensions[E.ENCRYPTED_CLIENT_HELLO])
        outer.extensions[E.ENCRYPTED_CLIENT_HELLO] = replace(sealed, **changes).encode()

    return edit


def with_extensions(**changes: bytes | None) -> Encode:
    """The encoded inner hello with some extensions set or left out."""

    def encode(inner: ClientHello, shared: Any, longest: int) -> bytes:
        extensions = dict(inner.extensions)
        for name, data in changes.items():
            extensions.pop(E[name], None)
            if data is not None:
                extensions[E[name]] = data
        untouched = [kind for kind in shared if kind not in {E[name] for name in changes}]
        return encode_inner(replace(inner, extensions=extensions), untouched, longest)

    return encode


def referring(*kinds: int) -> Encode:
    """Refers to these extensions, whatever the inner hello meant to."""

    def encode(inner: ClientHello, shared: Any, longest: int) -> bytes:
        extensions = {kind: data for kind, data in inner.extensions.items() if kind not in kinds}
        extensions[E.ECH_OUTER_EXTENSIONS] = vector8(b"".join(map(u16, kinds)))
        return encode_inner(replace(inner, extensions=extensions), (), longest)

    return encode


def padded(inner: ClientHello, shared: Any, longest: int) -> bytes:
    return encode_inner(inner, shared, longest + 32)[:-1] + b"\x01"


OLDER = write_client_versions((0x0304, 0x0303))
BOTH = pytest.mark.parametrize("when", [FIRST, SECOND], ids=["first", "second"])


def meet(when: int) -> Pair:
    groups = (X25519,) if when == FIRST else (P256,)
    return visit(client_config(groups=(X25519, P256)), site(groups=groups)).run()


# The bytes to encrypt, the alert, our code.
BAD_INNER_HELLOS: dict[str, tuple[Encode, AlertDescription, str]] = {
    "padding": (padded, A.ILLEGAL_PARAMETER, "ech-padding"),
    "missing reference": (referring(5000), A.ILLEGAL_PARAMETER, "ech-outer-extensions"),
    "wrong order": (referring(E.KEY_SHARE, E.SUPPORTED_GROUPS), A.ILLEGAL_PARAMETER, "ech-outer-extensions"),
    "twice": (referring(E.KEY_SHARE, E.KEY_SHARE), A.ILLEGAL_PARAMETER, "ech-outer-extensions"),
    "itself": (referring(E.ENCRYPTED_CLIENT_HELLO), A.ILLEGAL_PARAMETER, "ech-outer-extensions"),
    "no mark": (with_extensions(ENCRYPTED_CLIENT_HELLO=None), A.ILLEGAL_PARAMETER, "invalid-inner-hello"),
    "long mark": (with_extensions(ENCRYPTED_CLIENT_HELLO=INNER + b"\0"), A.ILLEGAL_PARAMETER, "invalid-inner-hello"),
    "TLS 1.2": (with_extensions(SUPPORTED_VERSIONS=OLDER), A.ILLEGAL_PARAMETER, "invalid-inner-hello"),
    "no versions": (with_extensions(SUPPORTED_VERSIONS=None), A.ILLEGAL_PARAMETER, "invalid-inner-hello"),
    "garbage": (lambda *_: b"no ClientHello", A.DECODE_ERROR, "decode-error"),
    "nothing": (lambda *_: b"", A.DECODE_ERROR, "decode-error"),
}


@BOTH
@pytest.mark.parametrize(("encode", "alert", "code"), BAD_INNER_HELLOS.values(), ids=BAD_INNER_HELLOS)
def test_inner_hellos(
    monkeypatch: pytest.MonkeyPatch, when: int, encode: Encode, alert: AlertDescription, code: str
) -> None:
    encoding(monkeypatch, when, encode)
    assert_refused(meet(when), Side.SERVER, alert, code)


BAD_SECOND_HELLOS: dict[str, tuple[dict[str, Any], AlertDescription, str]] = {
    "config_id": ({"config_id": OTHER_ID}, A.ILLEGAL_PARAMETER, "second-ech-changed"),
    "AEAD": ({"suite": Suite(1, 3)}, A.ILLEGAL_PARAMETER, "second-ech-changed"),
    "KDF": ({"suite": Suite(2, 1)}, A.ILLEGAL_PARAMETER, "second-ech-changed"),
    "enc": ({"enc": bytes(32)}, A.ILLEGAL_PARAMETER, "second-ech-changed"),
    "payload": ({"payload": bytes(200)}, A.DECRYPT_ERROR, "second-ech-undecryptable"),
    "short payload": ({"payload": b"x"}, A.DECRYPT_ERROR, "second-ech-undecryptable"),
    "no payload": ({"payload": b""}, A.DECODE_ERROR, "decode-error"),
}


@pytest.mark.parametrize(("change", "alert", "code"), BAD_SECOND_HELLOS.values(), ids=BAD_SECOND_HELLOS)
def test_second_hellos_that_do_not_go_with_the_first(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], alert: AlertDescription, code: str
) -> None:
    sending(monkeypatch, SECOND, edited(**change))
    assert_refused(meet(SECOND), Side.SERVER, alert, code)


def test_a_second_hello_without_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    sending(monkeypatch, SECOND, lambda outer: outer.extensions.pop(E.ENCRYPTED_CLIENT_HELLO))
    assert_refused(meet(SECOND), Side.SERVER, A.MISSING_EXTENSION, "missing-extension")


def test_a_second_hello_with_other_associated_data(monkeypatch: pytest.MonkeyPatch) -> None:
    sending(monkeypatch, SECOND, lambda outer: outer.extensions.update({0x3A3A: b""}))
    assert_refused(meet(SECOND), Side.SERVER, A.DECRYPT_ERROR, "second-ech-undecryptable")


def test_a_second_inner_hello_with_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding(monkeypatch, SECOND, with_extensions(SERVER_NAME=b"\0\x08\0\0\x05other"))
    assert_refused(meet(SECOND), Side.SERVER, A.ILLEGAL_PARAMETER, "second-hello-changed")


@BOTH
@pytest.mark.parametrize(
    ("data", "alert"), [(INNER, A.ILLEGAL_PARAMETER), (b"\x02", A.ILLEGAL_PARAMETER), (b"", A.DECODE_ERROR)]
)
def test_extensions_that_no_outer_hello_has(
    monkeypatch: pytest.MonkeyPatch, when: int, data: bytes, alert: AlertDescription
) -> None:
    sending(monkeypatch, when, lambda outer: outer.extensions.update({int(E.ENCRYPTED_CLIENT_HELLO): data}))
    assert_refused(meet(when), Side.SERVER, alert)


# --- what cannot be opened is as if there were nothing to open ------------------------------------


UNOPENABLE: dict[str, Callable[[ClientHello], object]] = {
    "payload": edited(payload=bytes(200)),
    "short payload": edited(payload=b"x"),
    "no enc": edited(enc=b""),
    "enc of small order": edited(enc=bytes(32)),
    "short enc": edited(enc=bytes(31)),
    "unknown config_id": edited(config_id=OTHER_ID),
    "other suite of the config": edited(suite=Suite(1, 3)),
    "suite that the config has not": edited(suite=Suite(1, 2)),
    "unknown suite": edited(suite=Suite(0x1111, 0x2222)),
    "one extension more": lambda outer: outer.extensions.update({0x3A3A: b""}),
    "one suite more": lambda outer: setattr(outer, "cipher_suites", (*outer.cipher_suites, 0x3A3A)),
}


@pytest.mark.parametrize("edit", UNOPENABLE.values(), ids=UNOPENABLE)
def test_a_first_hello_that_does_not_open(
    monkeypatch: pytest.MonkeyPatch, edit: Callable[[ClientHello], object]
) -> None:
    trace: list[TraceRecord] = []
    sending(monkeypatch, FIRST, edit)
    met = visit(client_config(observer=trace.append)).run()
    assert not met.server.agreed.ech_accepted
    assert met.server.agreed.server_name == PUBLIC
    assert assert_rejected(met).retry_configs == published()
    assert len(hellos(trace)) == 1


def test_a_suite_that_the_config_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sealed well, with a suite that the server knows but did not publish (section 7.1)."""
    narrow = ECHKey.generate(PUBLIC, cipher_suites=(Suite(1, 1),))
    wide = replace(narrow.config, cipher_suites=(Suite(1, 2),))
    monkeypatch.setattr(ECHKey, "__post_init__", lambda _: None)
    met = visit(server=site(ech_keys=(narrow,)), configs=published(ECHKey(config=wide, private_key=narrow.private_key)))
    assert_rejected(met.run())


def test_a_bare_inner_hello_is_refused_by_who_has_keys() -> None:
    """Section 7: it should never come from the network."""
    trace: list[TraceRecord] = []
    met = visit(client_config(observer=trace.append))
    met.client.data_to_send()
    (outer,) = hellos(trace)
    outer.extensions[E.ENCRYPTED_CLIENT_HELLO] = INNER
    met.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, outer.encode()))
    met.run()
    assert_refused(met, Side.SERVER, A.ILLEGAL_PARAMETER, "bare-inner-hello")


def test_a_ticket_from_outside_is_not_taken_into_an_accepted_hello(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 10.12.3: whoever adds a ticket of his own to the outer hello learns nothing; nothing opens any more."""
    keys = TicketKeys()
    (session,) = pair(client_config(), site(ticket_keys=keys), name=SECRET).done().tickets()
    trace: list[TraceRecord] = []
    pair(client_config(observer=trace.append), name=SECRET, session=session)
    (own,) = hellos(trace)
    stolen = own.extensions[E.PRE_SHARED_KEY]
    sending(monkeypatch, FIRST, lambda outer: outer.extensions.update({int(E.PRE_SHARED_KEY): stolen}))
    met = visit(server=site(ticket_keys=keys)).run()
    assert not met.server.agreed.ech_accepted
    assert not met.server.agreed.resumed


# --- anything at all ------------------------------------------------------------------------------


@given(st.integers(min_value=0), st.integers(1, 255), st.booleans())
def test_one_changed_byte_of_the_first_flight(position: int, change: int, with_retry: bool) -> None:
    """Nothing but our own errors, and never an accepted hello that was not sealed as it came."""
    groups = (P256,) if with_retry else (X25519,)
    client = ClientConnection(client_config(groups=(X25519, P256)), SECRET, ech_configs=published())
    flight = bytearray(client.data_to_send())
    flight[5 + position % (len(flight) - 5)] ^= change
    server = ServerConnection(site(groups=groups))
    try:
        server.receive_data(bytes(flight))
    except TLSError:
        return
    assert not server.agreed.ech_accepted


@given(st.binary(max_size=200), st.booleans())
def test_any_extension(data: bytes, backend: bool) -> None:
    trace: list[TraceRecord] = []
    client = ClientConnection(client_config(observer=trace.append), SECRET, ech_configs=published())
    client.data_to_send()
    (outer,) = hellos(trace)
    outer.extensions[E.ENCRYPTED_CLIENT_HELLO] = data
    server = ServerConnection(site(ech_keys=()) if backend else site())
    try:
        server.receive_data(plain_record(ContentType.HANDSHAKE, outer.encode()))
    except TLSError as error:
        assert error.alert in (A.ILLEGAL_PARAMETER, A.DECODE_ERROR)  # noqa: PT017

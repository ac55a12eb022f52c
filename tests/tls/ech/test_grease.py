"""GREASE: what looks like an encrypted hello, for servers whose key is not known (RFC 9849 section 6.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import AlertDescription, ExtensionType, HandshakeType, Side
from glasslock.tls import ECHKey, ServerConfig, TicketKeys
from glasslock.tls.ech import encode_config_list
from glasslock.tls.ech.hello import SealedHello
from glasslock.tls.ech.keys import DEFAULT_SUITES
from glasslock.tls.wire.codec import u16, vector16
from glasslock.trace import TraceRecord

from ..pair import Pair, assert_refused, client_config, pair, seeded, server_config
from ..puppet import Alter, change, puppet_server
from .site import (
    P256,
    PUBLIC,
    SECRET,
    X25519,
    Verifier,
    decisions,
    hellos,
    inner_hellos,
    key,
    name_in,
    published,
    site,
    visit,
)

ECH = ExtensionType.ENCRYPTED_CLIENT_HELLO


def greased(server: ServerConfig, trace: list[TraceRecord], configs: bytes = b"", **more: Any) -> Pair:
    client = client_config(groups=(X25519, P256), ech_grease=True, observer=trace.append, **more)
    return visit(client, server, configs=configs)


@pytest.mark.parametrize("versions", [(0x0304,), (0x0303,)], ids=["1.3", "1.2"])
@pytest.mark.parametrize("keys", [(), (key(),)], ids=["no keys", "keys"])
def test_grease_changes_nothing(versions: tuple[int, ...], keys: tuple[ECHKey, ...]) -> None:
    trace: list[TraceRecord] = []
    if keys and versions == (0x0303,):
        versions = (0x0304, 0x0303)
    verifier = Verifier()
    met = greased(site(ech_keys=keys, versions=versions), trace, versions=(0x0304, 0x0303), verifier=verifier)
    met.done().talk()
    assert not met.client.agreed.ech_accepted
    assert not met.server.agreed.ech_accepted
    assert verifier.names == [SECRET]
    assert [name_in(hello) for hello in hellos(trace)] == [SECRET]
    assert inner_hellos(trace) == []
    assert decisions(trace) == ["grease"]


def test_off_unless_asked_for() -> None:
    trace: list[TraceRecord] = []
    pair(client_config(observer=trace.append)).done()
    assert ECH not in hellos(trace)[0].extensions
    assert decisions(trace) == []
    old: list[TraceRecord] = []
    pair(
        client_config(versions=(0x0303,), ech_grease=True, observer=old.append), server_config(versions=(0x0303,))
    ).done()
    assert ECH not in hellos(old)[0].extensions


def test_the_second_hello_repeats_it() -> None:
    """Section 6.2.1: the client copies the entire extension from the first ClientHello."""
    trace: list[TraceRecord] = []
    met = greased(site(groups=(P256,)), trace).done().talk()
    assert met.client.agreed.retried
    first, second = (hello.extensions[ECH] for hello in hellos(trace))
    assert first == second


def test_it_looks_like_the_real_thing() -> None:
    def sealed(**settings: Any) -> SealedHello:
        trace: list[TraceRecord] = []
        visit(client_config(observer=trace.append, **settings.pop("config", {})), **settings).run()
        return SealedHello.parse(hellos(trace)[0].extensions[ECH])

    (session,) = visit(configs=b"").done().tickets()
    unknown = ECHKey.generate(PUBLIC)  # as most publish it: without a longest name
    for more in ({}, {"session": session}):
        real = sealed(configs=published(unknown), **more)
        fake = sealed(configs=b"", config={"ech_grease": True}, **more)
        assert (len(fake.payload), len(fake.enc)) == (len(real.payload), len(real.enc))
    found = [sealed(configs=b"", config={"ech_grease": True, "random": seeded(n)}) for n in range(30)]
    assert {one.suite for one in found} == set(DEFAULT_SUITES)
    assert len({one.config_id for one in found}) > 10
    assert len({one.enc for one in found}) == len({one.payload for one in found}) == 30


def test_resumption_with_grease() -> None:
    server = site(ech_keys=(), ticket_keys=TicketKeys())
    (session,) = greased(server, []).done().tickets()
    trace: list[TraceRecord] = []
    client = client_config(ech_grease=True, observer=trace.append)
    met = visit(client, server, configs=b"", session=session).done().talk()
    assert met.client.agreed.resumed
    assert next(reversed(hellos(trace)[0].extensions)) == ExtensionType.PRE_SHARED_KEY


# --- what servers answer --------------------------------------------------------------------------


def answering(kind: HandshakeType, data: bytes) -> Alter:
    def edit(message: Any) -> None:
        message.extensions[int(ECH)] = data

    return change(kind, edit)


def answered(alter: Alter, **settings: Any) -> Pair:
    met = greased(site(ech_keys=(), **settings), [])
    return Pair(met.client, puppet_server(site(ech_keys=(), **settings), alter))


def test_answers_are_ignored() -> None:
    answered(answering(HandshakeType.ENCRYPTED_EXTENSIONS, published())).done().talk()
    answered(
        answering(HandshakeType.SERVER_HELLO, bytes(8)), groups=(P256,)
    ).run()  # only the request has a place for it


@pytest.mark.parametrize("data", [b"", b"\xba\xdd\xec\xcc"])
def test_answers_of_the_wrong_form(data: bytes) -> None:
    met = answered(answering(HandshakeType.ENCRYPTED_EXTENSIONS, data)).run()
    assert_refused(met, Side.CLIENT, AlertDescription.DECODE_ERROR)


def test_answers_that_nobody_asked_for() -> None:
    client = pair(client_config()).client
    server = puppet_server(server_config(), answering(HandshakeType.ENCRYPTED_EXTENSIONS, published()))
    met = Pair(client, server).run()
    assert_refused(met, Side.CLIENT, AlertDescription.UNSUPPORTED_EXTENSION, "unsolicited-extension")


# --- configs that cannot be used ------------------------------------------------------------------

USELESS = ECHKey.generate(PUBLIC)


def useless() -> bytes:
    unknown = replace(USELESS.config, kem_id=0x6666)
    return encode_config_list([unknown, replace(USELESS.config, public_name="under_scores.example")])


OTHER_VERSION = vector16(u16(0xBADD) + vector16(b"whatever"))


@pytest.mark.parametrize("grease", [False, True])
@pytest.mark.parametrize("configs", [useless(), OTHER_VERSION], ids=["useless", "other version"])
def test_without_a_usable_config_the_name_is_seen(grease: bool, configs: bytes) -> None:
    trace: list[TraceRecord] = []
    client = client_config(ech_grease=grease, observer=trace.append)
    visit(client, configs=configs).done().talk()
    (hello,) = hellos(trace)
    assert name_in(hello) == SECRET
    assert (ECH in hello.extensions) == grease
    assert decisions(trace) == ["not offered", *(["grease"] if grease else [])]


@pytest.mark.parametrize(
    ("configs", "versions", "says"),
    [
        (b"", (0x0304,), "no ECH configuration"),
        (useless(), (0x0304,), "KEM 0x6666 is not known"),
        (OTHER_VERSION, (0x0304,), "version that is known"),
        (published(), (0x0303,), r"TLS 1\.3"),
    ],
)
def test_unless_it_must_not_be(configs: bytes, versions: tuple[int, ...], says: str) -> None:
    trace: list[TraceRecord] = []
    client = client_config(require_ech=True, ech_grease=True, versions=versions, observer=trace.append)
    with pytest.raises(ConfigurationError, match=says):
        visit(client, configs=configs)
    assert hellos(trace) == []
    assert visit(client_config(require_ech=True)).done().client.agreed.ech_accepted


def test_a_public_key_that_is_none() -> None:
    """The right length, but no point of the group: found when it is used."""
    low_order = replace(USELESS.config, public_key=bytes(32))
    with pytest.raises(ConfigurationError, match="not valid"):
        visit(configs=encode_config_list([low_order]))

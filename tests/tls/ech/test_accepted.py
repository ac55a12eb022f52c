"""The server reads the inner hello: both roles in memory, in every combination."""

from __future__ import annotations

import pytest

from glasslock.errors import ConfigurationError
from glasslock.registry import ContentType, ECHClientHelloType, ExtensionType, HpkeKem, Side, is_grease
from glasslock.tls import Data, ECHKey, MemoryReplayGuard, TicketKeys
from glasslock.tls.config import DEFAULT_GROUPS, DEFAULT_SUITES_13
from glasslock.tls.ech.hello import INNER, SealedHello, read_type
from glasslock.tls.ech.hpke import SUITES, Suite
from glasslock.tls.wire.extensions import read_client_versions
from glasslock.trace import HandshakeCompleted, RecordSent, TraceRecord

from ..minted import client_credential, credential
from ..pair import Pair, client_config, seeded, server_config
from ..puppet import plain_record
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


def assert_accepted(pair: Pair, name: str | None = SECRET) -> Pair:
    pair.done().talk()
    for side in Side:
        agreed = pair.side(side).agreed
        assert agreed.ech_accepted
        assert agreed.server_name == name
    assert pair.client.agreed.client_random == pair.server.agreed.client_random
    secrets = [pair.side(side).export_keying_material("test", 32) for side in Side]
    assert secrets[0] == secrets[1]
    return pair


@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
@pytest.mark.parametrize("suite", DEFAULT_SUITES_13)
def test_the_secret_name_is_reached_and_not_seen(suite: int, retry: bool) -> None:
    trace: list[TraceRecord] = []
    theirs: list[TraceRecord] = []
    verifier = Verifier()
    client = client_config(
        groups=(X25519, P256), cipher_suites=(suite,), verifier=verifier, observer=trace.append, alpn_protocols=("h2",)
    )
    server = site(groups=(P256,) if retry else (X25519,), observer=theirs.append, alpn_protocols=("h2",))
    pair = assert_accepted(visit(client, server))
    assert verifier.names == [SECRET]
    assert pair.client.agreed.peer_chain == credential("p384", SECRET).chain
    assert pair.client.agreed.retried == pair.server.agreed.retried == retry
    assert pair.client.agreed.alpn == "h2"
    # On the wire there is the public name only.
    sent = b"".join(pair.wire[Side.CLIENT] + pair.wire[Side.SERVER])
    assert PUBLIC.encode() in sent
    assert SECRET.encode() not in sent
    # The trace has both.
    assert [name_in(hello) for hello in hellos(trace)] == [PUBLIC] * (1 + retry)
    assert [name_in(hello) for hello in inner_hellos(trace)] == [SECRET] * (1 + retry)
    assert inner_hellos(theirs) == inner_hellos(trace)
    assert decisions(trace) == ["offered", "accepted"]
    assert decisions(theirs) == ["accepted"]
    for told in (trace, theirs):
        (completed,) = [record for record in told if isinstance(record, HandshakeCompleted)]
        assert completed.ech_accepted
        assert completed.server_name == SECRET


@pytest.mark.parametrize("kem", HpkeKem)
@pytest.mark.parametrize("suite", SUITES)
def test_every_kem_and_suite(kem: HpkeKem, suite: Suite) -> None:
    one = ECHKey.generate(PUBLIC, kem_id=kem, cipher_suites=(suite,))
    assert_accepted(visit(server=site(ech_keys=(one,)), configs=published(one)))


@pytest.mark.parametrize("group", DEFAULT_GROUPS)
@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
def test_every_group(group: int, retry: bool) -> None:
    client = client_config(groups=DEFAULT_GROUPS, key_shares=() if retry else (group,))
    pair = assert_accepted(visit(client, site(groups=(group,))))
    assert pair.client.agreed.group == group
    assert pair.client.agreed.retried == retry


def test_a_client_that_asks_for_no_name() -> None:
    for name in (None, "192.0.2.1"):
        trace: list[TraceRecord] = []
        pair = visit(client_config(observer=trace.append), name=name).done().talk()
        assert pair.client.agreed.ech_accepted
        assert pair.server.agreed.server_name is None
        assert [name_in(hello) for hello in hellos(trace)] == [PUBLIC]
        assert [name_in(hello) for hello in inner_hellos(trace)] == [None]


def test_the_right_key_is_found_among_several() -> None:
    same_id = ECHKey.generate(PUBLIC)
    object.__setattr__(same_id.config, "config_id", key().config.config_id)
    for keys in ((key(1), key(), key(2)), (same_id, key()), (key(), same_id)):
        assert_accepted(visit(server=site(ech_keys=keys)))


def test_the_first_usable_config_is_taken() -> None:
    trace: list[TraceRecord] = []
    assert_accepted(
        visit(client_config(observer=trace.append), site(ech_keys=(key(2), key(1))), configs=published(key(1), key(2)))
    )
    sealed = SealedHello.parse(hellos(trace)[0].extensions[ECH])
    assert (sealed.config_id, sealed.suite) == (key(1).config.config_id, key(1).config.cipher_suites[0])


def test_tls_1_2_is_offered_outside_and_never_inside() -> None:
    trace: list[TraceRecord] = []
    client = client_config(versions=(0x0304, 0x0303), observer=trace.append)
    assert_accepted(visit(client, site(versions=(0x0304, 0x0303))))
    (outer,), (inner,) = hellos(trace), inner_hellos(trace)
    assert read_client_versions(outer.extensions[ExtensionType.SUPPORTED_VERSIONS]) == (0x0304, 0x0303)
    assert read_client_versions(inner.extensions[ExtensionType.SUPPORTED_VERSIONS]) == (0x0304,)
    assert set(inner.cipher_suites) == set(DEFAULT_SUITES_13) < set(outer.cipher_suites)
    older = {ExtensionType.EXTENDED_MAIN_SECRET, ExtensionType.SESSION_TICKET, ExtensionType.RENEGOTIATION_INFO}
    assert older <= set(outer.extensions)
    assert not older & set(inner.extensions)


def test_what_the_two_hellos_share() -> None:
    trace: list[TraceRecord] = []
    assert_accepted(visit(client_config(observer=trace.append)))
    (outer,), (inner,) = hellos(trace), inner_hellos(trace)
    assert outer.session_id == inner.session_id != b""
    assert outer.random != inner.random
    assert read_type(outer.extensions[ECH]) is ECHClientHelloType.OUTER
    assert inner.extensions[ECH] == INNER
    # The inner hello is not repeated in the outer one but for what is private: its name, and 32 bytes of random.
    assert len(SealedHello.parse(outer.extensions[ECH]).payload) < 160 < len(inner.encode())


@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
def test_grease_and_a_shuffled_order(retry: bool) -> None:
    """RFC 8701 values stand in both hellos, and the two can be told apart by no order of extensions."""
    places, orders = set(), set()
    for seed in range(12):
        trace: list[TraceRecord] = []
        settings = {"grease": True, "permute_extensions": True, "random": seeded(seed), "observer": trace.append}
        server = site(groups=(P256,) if retry else (X25519,))
        assert_accepted(visit(client_config(groups=(X25519, P256), **settings), server))
        for hello in (*hellos(trace), *inner_hellos(trace)):
            assert is_grease(hello.cipher_suites[0])
            assert len([kind for kind in hello.extensions if is_grease(kind)]) == 2
        outer = list(hellos(trace)[0].extensions)
        places.add(outer.index(ECH))
        orders.add(tuple(kind for kind in outer if not is_grease(kind)))
    assert len(places) > 4
    assert len(orders) > 10


# --- the length of what is hidden -----------------------------------------------------------------


def sealed_length(name: str | None, longest: int, **settings: object) -> int:
    trace: list[TraceRecord] = []
    one = ECHKey.generate(PUBLIC, maximum_name_length=longest)
    visit(
        client_config(observer=trace.append, **settings), site(ech_keys=(one,)), name=name, configs=published(one)
    ).done()
    return len(SealedHello.parse(hellos(trace)[0].extensions[ECH]).payload) - 16


def test_the_length_does_not_tell_the_name() -> None:
    names = ["a.example", "secret.example", "a" * 40 + ".example", None]
    assert len({sealed_length(name, 64) for name in names}) == 1
    lengths = [sealed_length("a" * count + ".example", 0) for count in range(1, 60)]
    assert all(length % 32 == 0 for length in lengths)
    assert len(set(lengths)) <= 3
    # A name that is longer than the longest is still possible: the number is a hint.
    assert sealed_length("a" * 60 + ".example", 10) > sealed_length("a.example", 10)


def test_the_length_of_the_certificate_is_hidden() -> None:
    """Section 6.1.3: what else has a length that depends on the name is padded by the record layer."""

    def flight(name: str, configs: bytes | None = None, **settings: object) -> list[int]:
        trace: list[TraceRecord] = []
        mine = credential("p256", name)
        # Compressed, a repetitive name would weigh nothing.
        server = site(credentials=(mine,), observer=trace.append, certificate_compression=(), **settings)
        visit(server=server, name=name, configs=configs).done().talk()
        return [len(r.raw) for r in trace if isinstance(r, RecordSent) and r.protected]

    short, long = flight("a.example"), flight("a" * 50 + ".example")
    assert short == long
    assert short[0] == 5 + 1024 + 1 + 16
    assert short[1] < 300, "tickets and data are not padded unless the config asks for it"
    assert flight("a.example", b"") != flight("a" * 50 + ".example", b"")
    assert flight("a.example", padding=lambda _: 7)[1] == short[1] + 7


# --- with the rest of TLS 1.3 ---------------------------------------------------------------------


@pytest.mark.parametrize("retry", [False, True], ids=["", "retry"])
def test_resumption_hides_the_ticket(retry: bool) -> None:
    server = site(groups=(P256,) if retry else (X25519,))
    groups = (X25519, P256)
    first = assert_accepted(visit(client_config(groups=groups), server))
    (session,) = first.tickets()
    trace: list[TraceRecord] = []
    client = client_config(groups=groups, observer=trace.append)
    second = assert_accepted(visit(client, server, session=session))
    assert second.client.agreed.resumed
    assert second.server.agreed.resumed
    assert second.client.agreed.retried == retry
    assert session.ticket not in b"".join(second.wire[Side.CLIENT])
    # Outside there is something of the same size (RFC 9849 section 6.1.2).
    psk = ExtensionType.PRE_SHARED_KEY
    for outer, inner in zip(hellos(trace), inner_hellos(trace), strict=True):
        assert next(reversed(outer.extensions)) == psk
        assert len(outer.extensions[psk]) == len(inner.extensions[psk])
        assert outer.extensions[psk] != inner.extensions[psk]
        assert ExtensionType.PSK_KEY_EXCHANGE_MODES in outer.extensions
    outside = [hello.extensions[psk][:100] for hello in hellos(trace)]
    assert len(set(outside)) == 1, "the identities change between the two outer hellos"


def test_early_data() -> None:
    guard, keys = MemoryReplayGuard(), TicketKeys()
    server = site(max_early_data=1000, replay_guard=guard, ticket_keys=keys)
    (session,) = assert_accepted(visit(server=server)).tickets()
    trace: list[TraceRecord] = []
    pair = visit(client_config(observer=trace.append), server, session=session, early_data=True)
    assert pair.client.send_early_data(b"ahead") == 5
    assert_accepted(pair)
    assert Data(b"ahead", early=True) in pair.events[Side.SERVER]
    assert pair.client.agreed.early_data_accepted
    (outer,) = hellos(trace)
    assert ExtensionType.EARLY_DATA in outer.extensions
    secrets = [pair.side(side).export_early_keying_material("test", 32) for side in Side]
    assert secrets[0] == secrets[1]


def test_early_data_and_a_retry() -> None:
    guard, keys = MemoryReplayGuard(), TicketKeys()
    groups = (X25519, P256)
    server = site(max_early_data=1000, replay_guard=guard, ticket_keys=keys, groups=groups)
    (session,) = assert_accepted(visit(client_config(groups=groups), server)).tickets()
    trace: list[TraceRecord] = []
    pair = visit(
        client_config(groups=groups, observer=trace.append),
        site(max_early_data=1000, replay_guard=guard, ticket_keys=keys, groups=(P256,)),
        session=session,
        early_data=True,
    )
    assert pair.client.send_early_data(b"ahead") == 5
    assert_accepted(pair)
    assert not pair.client.agreed.early_data_accepted
    assert pair.client.agreed.resumed
    assert [ExtensionType.EARLY_DATA in hello.extensions for hello in hellos(trace)] == [True, False]


def test_client_certificates_and_cookies() -> None:
    verifier = Verifier()
    server = site(client_verifier=verifier, require_client_certificate=True, cookie_keys=TicketKeys(), groups=(P256,))
    trace: list[TraceRecord] = []
    client = client_config(credentials=(client_credential(),), groups=(X25519, P256), observer=trace.append)
    pair = assert_accepted(visit(client, server))
    assert pair.server.agreed.peer_chain == client_credential().chain
    # The cookie is no secret, and a second hello without it would stick out.
    assert [ExtensionType.COOKIE in hello.extensions for hello in hellos(trace)] == [False, True]


def test_the_key_log_has_what_it_takes_to_open_the_hello() -> None:
    lines: dict[Side, list[tuple[str, bytes, bytes]]] = {side: [] for side in Side}
    trace: list[TraceRecord] = []
    client = client_config(key_log=lambda *line: lines[Side.CLIENT].append(line), observer=trace.append)
    assert_accepted(visit(client, site(key_log=lambda *line: lines[Side.SERVER].append(line))))
    (outer,), (inner,) = hellos(trace), inner_hellos(trace)
    for side in Side:
        by_label = {label: (random, secret) for label, random, secret in lines[side]}
        assert by_label["ECH_CONFIG"] == (outer.random, key().config.encode())
        random, secret = by_label["ECH_SECRET"]
        assert (random, len(secret)) == (outer.random, 32)
        assert by_label["CLIENT_HANDSHAKE_TRAFFIC_SECRET"][0] == inner.random
    assert sorted(lines[Side.CLIENT]) == sorted(lines[Side.SERVER])


def test_a_backend_without_keys_confirms_an_inner_hello() -> None:
    """Split mode: somebody else opens the outer hello and passes the inner one on (RFC 9849 section 7.2)."""
    trace: list[TraceRecord] = []
    pair = visit(client_config(observer=trace.append), site(ech_keys=()))
    pair.client.data_to_send()
    (inner,) = inner_hellos(trace)
    pair.deliver(Side.SERVER, plain_record(ContentType.HANDSHAKE, inner.encode()))
    pair.done().talk()
    assert pair.client.agreed.ech_accepted
    assert pair.server.agreed.server_name == SECRET
    assert not pair.server.agreed.ech_accepted, "what came by itself was not encrypted"


def test_configs_that_make_no_sense() -> None:
    with pytest.raises(ConfigurationError, match="retry"):
        site(ech_keys=(ECHKey(config=key().config, private_key=key().private_key, retry=False),))
    with pytest.raises(ConfigurationError, match=r"TLS 1\.3"):
        server_config(ech_keys=(key(),), versions=(0x0303,))
    with pytest.raises(ConfigurationError, match="ECHConfigList"):
        visit(configs=b"\x00\x01\x02")

"""Every suite, group and kind of key: both roles in memory agree, and data flows."""

from __future__ import annotations

import pytest

from glasslock.registry import Side
from glasslock.tls.config import DEFAULT_SUITES_13
from glasslock.tls.keys.groups import SUPPORTED
from glasslock.tls.keys.signatures import SCHEMES

from .minted import KINDS, credential
from .pair import client_config, pair, server_config

GROUPS = tuple(sorted(SUPPORTED))
RSA_SCHEMES = [row.id for row in SCHEMES.values() if row.tls13 and row.key_kind in ("rsa", "rsassa-pss")]


@pytest.mark.parametrize("suite", DEFAULT_SUITES_13)
@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_suite_group_and_key(suite: int, group: int, kind: str) -> None:
    theirs = credential(kind)
    client = client_config(cipher_suites=(suite,), groups=(group,))
    server = server_config(cipher_suites=(suite,), groups=(group,), credentials=(theirs,))
    connected = pair(client, server).done().talk()
    for side in Side:
        agreed = connected.side(side).agreed
        assert (agreed.version, agreed.cipher_suite, agreed.group) == (0x0304, suite, group)
        assert agreed.signature_scheme is not None
        assert SCHEMES[agreed.signature_scheme].key_kind == kind
        assert not agreed.resumed
        assert not agreed.retried
    assert connected.client.agreed.peer_chain == theirs.chain
    assert connected.server.agreed.own_chain == theirs.chain
    assert connected.server.agreed.peer_chain == ()


@pytest.mark.parametrize("scheme", RSA_SCHEMES)
def test_every_way_in_which_an_rsa_key_signs(scheme: int) -> None:
    client = client_config(signature_schemes=(scheme,))
    server = server_config(credentials=(credential("rsa"), credential("rsassa-pss")))
    connected = pair(client, server).done()
    assert connected.client.agreed.signature_scheme == scheme
    assert connected.client.agreed.peer_chain == credential(SCHEMES[scheme].key_kind).chain


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("suite", DEFAULT_SUITES_13)
@pytest.mark.parametrize("kind", KINDS)
def test_retry_for_every_suite_group_and_key(suite: int, group: int, kind: str) -> None:
    """The client supports the group but sends no share for it (RFC 9846 section 4.2.4)."""
    client = client_config(cipher_suites=(suite,), groups=GROUPS, key_shares=())
    server = server_config(cipher_suites=(suite,), groups=(group,), credentials=(credential(kind),))
    connected = pair(client, server).done().talk()
    for side in Side:
        agreed = connected.side(side).agreed
        assert (agreed.cipher_suite, agreed.group, agreed.retried) == (suite, group, True)


def test_the_two_ends_of_a_connection_derive_the_same_secrets_and_two_connections_do_not() -> None:
    first, second = pair(client_config(random=bytes)).done(), pair(client_config(random=bytes)).done()
    secrets = [side.agreed.exporter_secret for p in (first, second) for side in (p.client, p.server)]
    assert secrets[0] == secrets[1] != secrets[2] == secrets[3]


@pytest.mark.parametrize("group", GROUPS)
def test_no_key_share_is_used_twice(group: int) -> None:
    """RFC 9846 section 4.3.8: clients and servers MUST NOT reuse a key share for multiple connections."""
    client, server = client_config(groups=(group,)), server_config(groups=(group,))
    shares = set()
    for _ in range(3):
        connected = pair(client, server).done()
        hellos = [connected.wire[side][0] for side in Side]
        shares |= {hello[-100:] for hello in hellos}
    assert len(shares) == 6

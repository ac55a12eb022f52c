"""Attacks on the key exchange of TLS 1.2 and on what both versions share; shares of TLS 1.3 are in tests/tls."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from glasslock.registry import AlertDescription, HandshakeType, NamedGroup, Side
from glasslock.tls import ClientConfig, ClientConnection, DangerousAcceptAnyCertificate, ServerConfig
from glasslock.tls.config import DEFAULT_GROUPS
from glasslock.tls.keys import groups as key_groups
from glasslock.tls.keys.groups import CLASSICAL, HYBRID, KEMS, POST_QUANTUM
from glasslock.tls.keys.key_schedule import CLIENT_HANDSHAKE_TRAFFIC, KeySchedule
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire.messages import ClientHello
from glasslock.tls.wire.messages12 import ClientKeyExchange, ServerKeyExchange

from ..tls.minted import credential
from ..tls.pair import assert_refused, client_config, pair, server_config
from ..tls.test_client_hello_rules import SMALL_ORDER
from .middle import Middle, messages, middle, records, replace_messages, tls12

A, H, G = AlertDescription, HandshakeType, NamedGroup
Edit = Callable[[bytes], bytes]

BAD_POINTS: dict[str, Edit] = {
    "off the curve": lambda share: share[:-1] + bytes((share[-1] ^ 1,)),
    "off the curve, as invalid-curve attacks choose it": lambda share: share[:1] + bytes(len(share) - 2) + b"\1",
    "infinity": lambda share: b"\0",
    "compressed": lambda share: bytes((2 + (share[-1] & 1),)) + share[1 : (len(share) + 1) // 2],
    "coordinates above the prime": lambda share: b"\4" + b"\xff" * (len(share) - 1),
    "cut": lambda share: share[:-1],
    "longer": lambda share: share + b"\0",
}


def towards_server(group: int, edit: Edit) -> Middle:
    """The client's share changed on the way, or by a client that means harm."""

    def change(raw: bytes) -> tuple[bytes]:
        return (ClientKeyExchange.with_share(edit(ClientKeyExchange.parse(raw).share())).encode(),)

    attack = replace_messages(Side.CLIENT, H.CLIENT_KEY_EXCHANGE, change)
    return middle(attack, client_config(**tls12(groups=(group,))), server12(group))


def server12(group: int, **changes: Any) -> ServerConfig:
    """With an RSA certificate: an ECDSA key has to be on a curve that the client offers (RFC 8422 section 5.3)."""
    return server_config(**tls12(groups=(group,), credentials=(credential("rsa"),)), **changes)


def towards_client(group: int, share: Edit) -> Middle:
    """A server that signs a share of its own making."""

    class Exchange:
        def __init__(self) -> None:
            self.share = share(key_groups.generate(group).share)

        def finish(self, peer_share: bytes) -> bytes:
            return bytes(32)

    return middle(
        lambda _, data: data,
        client_config(**tls12(groups=(group,))),
        server12(group, generate_key=lambda _: Exchange()),
    )


@pytest.mark.parametrize("group", [G.SECP256R1, G.SECP384R1, G.SECP521R1])
@pytest.mark.parametrize("edit", BAD_POINTS.values(), ids=BAD_POINTS)
def test_invalid_points_in_tls_1_2(group: int, edit: Edit) -> None:
    """Invalid curve (2015): a point of another curve, whose order is a product of small primes."""
    assert_refused(towards_server(group, edit).run(), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")
    assert_refused(towards_client(group, edit).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize(("group", "share"), [(g, share) for g, shares in SMALL_ORDER.items() for share in shares])
def test_points_of_small_order_in_tls_1_2(group: int, share: bytes) -> None:
    """They would force a secret that the attacker knows, zero, whatever the other side's key is."""
    assert_refused(towards_server(group, lambda _: share).run(), Side.SERVER, A.ILLEGAL_PARAMETER, "bad-key-share")
    assert_refused(towards_client(group, lambda _: share).run(), Side.CLIENT, A.ILLEGAL_PARAMETER, "bad-key-share")


@pytest.mark.parametrize("group", CLASSICAL)
def test_no_share_is_used_twice_in_tls_1_2(group: int) -> None:
    """Reuse is what makes invalid-curve and Raccoon-like attacks pay, and links connections."""
    client, server = client_config(**tls12(groups=(group,))), server12(group)
    shares = set()
    for _ in range(3):
        connected = pair(client, server).done()
        theirs = messages(records(connected.wire[Side.SERVER][0])[0].body)
        ours = messages(records(connected.wire[Side.CLIENT][1])[0].body)
        shares |= {ServerKeyExchange.parse(raw).share for raw in theirs if raw[0] == H.SERVER_KEY_EXCHANGE}
        shares |= {ClientKeyExchange.parse(raw).share() for raw in ours if raw[0] == H.CLIENT_KEY_EXCHANGE}
    assert len(shares) == 6


def test_a_secret_keeps_its_leading_zeros() -> None:
    """Raccoon (2020): a secret whose zeros are cut off is hashed in less time, and tells that it had them."""
    curve = ec.SECP256R1()
    point = ec.derive_private_key(1, curve).public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    lengths, zeros = set(), 0
    for scalar in range(2, 1500):
        exchange = key_groups.NistCurve(curve)
        exchange._private = ec.derive_private_key(scalar, curve)
        secret = exchange.finish(point)
        lengths.add(len(secret))
        zeros += secret[0] == 0
    assert lengths == {32}
    assert zeros > 0


def test_a_post_quantum_exchange_comes_first() -> None:
    """Recorded today, decrypted when there is a quantum computer: only what a hybrid protects is safe from that."""
    assert DEFAULT_GROUPS[0] == G.X25519MLKEM768
    hello = ClientHello.parse(ClientConnection(client_config(groups=DEFAULT_GROUPS), "localhost").data_to_send()[5:])
    assert ext.read_u16_vector(hello.extensions[10], "groups")[0] == G.X25519MLKEM768
    assert next(iter(ext.read_client_shares(hello.extensions[51]))) == G.X25519MLKEM768
    connected = pair(client_config(groups=DEFAULT_GROUPS), server_config(groups=DEFAULT_GROUPS)).done()
    assert connected.client.agreed.group in POST_QUANTUM
    assert not any(group in DEFAULT_GROUPS for group in KEMS)  # never ML-KEM alone


@pytest.mark.parametrize("group", HYBRID)
def test_a_hybrid_holds_if_one_of_its_halves_is_broken(group: int) -> None:
    """RFC 10024: both secrets go into the keys, so who knows one of them and guesses the other has guessed wrong."""
    client = key_groups.generate(group)
    response = key_groups.respond(group, client.share)
    secret = key_groups.finish(group, client, response.share)
    assert secret == response.secret
    cut = 32 if HYBRID[group].kem_first else len(secret) - 32
    first, second = secret[:cut], secret[cut:]
    guesses = (secret, bytes(len(first)) + second, first + bytes(len(second)), first, second)
    assert len({traffic_secret(guess) for guess in guesses}) == len(guesses)


def traffic_secret(shared: bytes) -> bytes:
    schedule = KeySchedule("sha256")
    schedule.mix_shared_secret(shared)
    return schedule.derive(CLIENT_HANDSHAKE_TRAFFIC, bytes(32))


def test_a_hybrid_cannot_be_taken_out_of_the_offer() -> None:
    """A downgrade to elliptic curves alone is noticed as any other change is; the client had both to choose from."""

    def change(raw: bytes) -> tuple[bytes]:
        hello = ClientHello.parse(raw)
        shares = ext.read_client_shares(hello.extensions[51])
        hello.extensions[51] = ext.write_client_shares({g: s for g, s in shares.items() if g == G.X25519})
        hello.extensions[10] = ext.write_u16_vector((G.X25519,))
        return (hello.encode(),)

    attack = replace_messages(Side.CLIENT, H.CLIENT_HELLO, change)
    wide = {"groups": DEFAULT_GROUPS}
    attacked = middle(attack, client_config(**wide), server_config(**wide)).run()
    assert_refused(attacked, Side.CLIENT, A.BAD_RECORD_MAC, told=False)


def test_the_randomness_is_the_operating_systems() -> None:
    """Debian (2008), Dual EC (2014): keys from a generator that somebody can follow."""
    verifier = DangerousAcceptAnyCertificate()
    assert ClientConfig(verifier=verifier).random is os.urandom
    assert ServerConfig(credentials=(credential(),)).random is os.urandom
    assert ClientConfig(verifier=verifier).generate_key is key_groups.generate
    hellos = [ClientConnection(ClientConfig(verifier=verifier), "localhost").data_to_send()[5:] for _ in range(2)]
    first, second = (ClientHello.parse(hello) for hello in hellos)
    assert first.random != second.random
    assert first.session_id != second.session_id
    values: list[Any] = [ext.read_client_shares(hello.extensions[51]) for hello in (first, second)]
    assert set(values[0].values()).isdisjoint(values[1].values())
    assert 0x28 not in first.extensions  # extended_random, which made Dual EC easier to follow

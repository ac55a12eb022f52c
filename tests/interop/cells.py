"""The cells of the matrix: every suite, group, kind of certificate and feature that we and a peer both have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glasslock.registry import CipherSuite, NamedGroup, ProtocolVersion, Side
from glasslock.tls.keys import groups as key_groups
from glasslock.tls.keys.suites import SUITES_12, SUITES_13

from .features.catalogue import FEATURES
from .peer import Abilities, Peer

V12, V13 = ProtocolVersion.TLS_1_2, ProtocolVersion.TLS_1_3

OUR_GROUPS: dict[ProtocolVersion, tuple[NamedGroup, ...]] = {
    V13: tuple(NamedGroup(group) for group in (*key_groups.CLASSICAL, *key_groups.HYBRID)),
    V12: tuple(NamedGroup(group) for group in key_groups.CLASSICAL),
}
OUR_SUITES: dict[ProtocolVersion, tuple[CipherSuite, ...]] = {
    V13: tuple(CipherSuite(suite) for suite in SUITES_13),
    V12: tuple(CipherSuite(suite) for suite in SUITES_12),
}
# What a cell uses where it is about something else.
USUAL_SUITE = {V13: CipherSuite.TLS_AES_128_GCM_SHA256, V12: CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
USUAL_GROUP = {V13: NamedGroup.X25519, V12: NamedGroup.SECP256R1}
CURVES = {"p256": NamedGroup.SECP256R1, "p384": NamedGroup.SECP384R1, "p521": NamedGroup.SECP521R1}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One connection (or two, for what needs a second) with one peer in one role."""

    peer: str
    role: Side  # the peer's
    version: ProtocolVersion
    suite: CipherSuite
    group: NamedGroup | None  # None: RSA key transport, which has none
    key: str = "p256"  # of the server's certificate
    feature: str = ""
    kind: str  # the table that it belongs to: "grid", "keys" or "features"

    def __str__(self) -> str:
        group = self.group.name.lower() if self.group is not None else "rsa"
        what = {
            "grid": f"{self.suite.name.removeprefix('TLS_').lower()}-{group}",
            "keys": f"key-{self.key}",
            "features": self.feature,
        }[self.kind]
        version = "tls13" if self.version is V13 else "tls12"
        return f"{self.peer}-{self.role.name.lower()}-{version}-{what}"


def cells_of(peer: Peer) -> Iterator[Cell]:
    """All cells of one peer; the peer must be here."""
    for role in Side:
        abilities = peer.abilities(role)
        if abilities is None:
            continue
        for version in (V13, V12):
            if version in abilities.versions:
                yield from _grid(peer.name, role, version, abilities)
                yield from _keys(peer.name, role, version, abilities)
                yield from _features(peer.name, role, version, abilities)


def _grid(peer: str, role: Side, version: ProtocolVersion, abilities: Abilities) -> Iterator[Cell]:
    for suite in OUR_SUITES[version]:
        if suite not in abilities.suites:
            continue
        groups: tuple[NamedGroup | None, ...] = tuple(g for g in OUR_GROUPS[version] if g in abilities.groups)
        if version is V12 and not SUITES_12[suite].ephemeral:
            groups = (None,)
        for group in groups:
            key = "p256" if version is V13 else _key_for(suite, group)
            yield Cell(peer=peer, role=role, version=version, suite=suite, group=group, key=key, kind="grid")


def _key_for(suite: CipherSuite, group: NamedGroup | None) -> str:
    """A certificate for a TLS 1.2 suite; an ECDSA one on the curve of the key exchange, if that is one for signing."""
    if SUITES_12[suite].signature == "rsa":
        return "rsa"
    return next((key for key, curve in CURVES.items() if curve is group), "p256")


def _keys(peer: str, role: Side, version: ProtocolVersion, abilities: Abilities) -> Iterator[Cell]:
    for key in sorted(abilities.keys):
        if version is V12 and key.startswith("mldsa"):
            continue
        suite, group = USUAL_SUITE[version], USUAL_GROUP[version]
        if version is V12:
            group = CURVES.get(key, group)
            if key == "rsa":
                suite = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        yield Cell(peer=peer, role=role, version=version, suite=suite, group=group, key=key, kind="keys")


def _features(peer: str, role: Side, version: ProtocolVersion, abilities: Abilities) -> Iterator[Cell]:
    for name, feature in FEATURES.items():
        if name in abilities.features and feature.works_in(version):
            yield Cell(
                peer=peer,
                role=role,
                version=version,
                suite=USUAL_SUITE[version],
                group=USUAL_GROUP[version],
                feature=name,
                kind="features",
            )

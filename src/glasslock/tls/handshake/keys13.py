"""Where the key schedule meets the record layer: which secret protects what, from when on."""

from __future__ import annotations

from ... import trace
from ..keys.key_schedule import (
    CLIENT_APPLICATION_TRAFFIC,
    CLIENT_HANDSHAKE_TRAFFIC,
    EXPORTER,
    SERVER_APPLICATION_TRAFFIC,
    SERVER_HANDSHAKE_TRAFFIC,
    KeySchedule,
    fingerprint,
    finished_mac,
    next_traffic_secret,
    traffic_key_and_iv,
)
from ..keys.suites import SUITES_13
from ..protection import Protection13
from ..wire.messages import Finished
from .context import Handshake


def key_schedule(hs: Handshake, hash_name: str, psk: bytes | None = None) -> KeySchedule:
    """A new one, followed by whoever observes the handshake."""
    return KeySchedule(hash_name, psk, hs.derived if hs.observer is not None else None)


def protection(hs: Handshake, secret: bytes, epoch: str, suite: int | None = None) -> Protection13:
    """The record protection that a traffic secret stands for (RFC 9846 section 7.3)."""
    row = SUITES_13[suite if suite is not None else hs.agreed.cipher_suite]
    key, iv = traffic_key_and_iv(row, secret)
    return Protection13(row, key, iv, epoch)


def log_secret(hs: Handshake, label: str, secret: bytes) -> None:
    """A line for SSLKEYLOGFILE (RFC 9850), if somebody asked for it."""
    if hs.key_log is not None:
        hs.key_log(label, hs.agreed.client_random, secret)


class HandshakeSecrets:
    """The two traffic secrets of the handshake, of which Finished is made as well."""

    __slots__ = ("client", "server")

    def __init__(self, hs: Handshake, schedule: KeySchedule) -> None:
        digest = hs.transcript.digest()
        self.client = schedule.derive(CLIENT_HANDSHAKE_TRAFFIC, digest)
        self.server = schedule.derive(SERVER_HANDSHAKE_TRAFFIC, digest)
        if hs.key_log is not None:
            log_secret(hs, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", self.client)
            log_secret(hs, "SERVER_HANDSHAKE_TRAFFIC_SECRET", self.server)


class ApplicationSecrets:
    """The two traffic secrets of everything after the handshake."""

    __slots__ = ("client", "server")

    def __init__(self, hs: Handshake, schedule: KeySchedule) -> None:
        """To be called when the transcript ends with the server's Finished."""
        digest = hs.transcript.digest()
        self.client = schedule.derive(CLIENT_APPLICATION_TRAFFIC, digest)
        self.server = schedule.derive(SERVER_APPLICATION_TRAFFIC, digest)
        hs.agreed.exporter_secret = schedule.derive(EXPORTER, digest)
        if hs.key_log is not None:
            log_secret(hs, "CLIENT_TRAFFIC_SECRET_0", self.client)
            log_secret(hs, "SERVER_TRAFFIC_SECRET_0", self.server)
            log_secret(hs, "EXPORTER_SECRET", hs.agreed.exporter_secret)


def finished(hs: Handshake, schedule: KeySchedule, secret: bytes) -> Finished:
    """Our Finished, or the one that we expect, over the transcript so far."""
    return Finished(finished_mac(schedule.hash, secret, hs.transcript.digest()))


def read_application(hs: Handshake, secret: bytes) -> None:
    """The peer's records are under this application secret from here on."""
    hs.read_secret = secret
    hs.read_with(protection(hs, secret, "application"))


def write_application(hs: Handshake, secret: bytes) -> None:
    """Our records are under this application secret from here on."""
    hs.write_secret = secret
    hs.write_with(protection(hs, secret, "application"))


def next_secret(hs: Handshake, secret: bytes) -> bytes:
    """The secret after a KeyUpdate (RFC 9846 section 7.2)."""
    updated = next_traffic_secret(SUITES_13[hs.agreed.cipher_suite].hash, secret)
    if hs.observer is not None:
        hs.derived("next application traffic", "application traffic", updated)
    return updated


def tell_key_exchange(hs: Handshake, group: int, own: bytes, theirs: bytes, secret: bytes) -> None:
    if hs.observer is not None:
        hs.tell(
            trace.KeyExchanged(
                time=hs.now(),
                side=hs.side,
                group=group,
                own_share=own,
                peer_share=theirs,
                fingerprint=fingerprint(secret),
            )
        )

"""Opening the envelope: the inner hello, for whoever has the key (RFC 9849 section 7.1)."""

from __future__ import annotations

from ... import trace
from ...errors import PeerMisbehaved
from ...registry import AlertDescription, ExtensionType, members
from ..config import ServerConfig
from ..handshake.context import Handshake, illegal, missing
from ..wire.messages import ClientHello
from .hello import OpenedHello, SealedHello, decode_inner, outer_aad
from .hpke import KEMS, Context, HpkeError, open_with
from .keys import ECHKey

_E = members(ExtensionType)


def unseal(
    hs: Handshake, config: ServerConfig, outer: ClientHello, data: bytes
) -> tuple[ClientHello, OpenedHello | None]:
    """The hello inside if we have the key to it, and what it takes to open the next one; else the outer one."""
    sealed = SealedHello.parse(data)
    aad = outer_aad(outer, sealed)
    candidates = [key for key in config.ech_keys if _suits(key, sealed)]
    for key in candidates:
        try:
            context = _context(key, sealed)
            encoded = context.open(aad, sealed.payload)
        except HpkeError:
            continue
        inner = _take_inner(hs, encoded, outer)
        hs.agreed.ech_accepted = True
        hs.decided("ech", "accepted", why=f"we have the key to config {sealed.config_id}", rule="RFC 9849 section 7.1")
        if hs.key_log is not None:
            hs.key_log("ECH_SECRET", outer.random, context.shared_secret)
            hs.key_log("ECH_CONFIG", outer.random, key.config.encode())
        return inner, OpenedHello(context, sealed.suite, sealed.config_id)
    why = "it was not made for our key, or is GREASE" if candidates else f"we have no config {sealed.config_id}"
    hs.decided("ech", "rejected", why=why, rule="RFC 9849 section 7.1")
    return outer, None


def _suits(key: ECHKey, sealed: SealedHello) -> bool:
    config = key.config
    return config.config_id == sealed.config_id and sealed.suite in config.cipher_suites and sealed.suite.supported


def _context(key: ECHKey, sealed: SealedHello) -> Context:
    info = b"tls ech\x00" + key.config.encode()
    return open_with(KEMS[key.config.kem_id], sealed.suite, key.private_key, sealed.enc, info)


def _take_inner(hs: Handshake, encoded: bytes, outer: ClientHello) -> ClientHello:
    """Reconstructs the inner hello, and puts it into the transcript in place of the outer one."""
    inner = decode_inner(encoded, outer)
    raw = inner.encode()
    hs.transcript = hs.transcript.without_last()
    hs.transcript.add(raw)
    hs.tell(trace.InnerHello(time=hs.now(), side=hs.side, raw=raw))
    return inner


def unseal_second(hs: Handshake, opened: OpenedHello, outer: ClientHello) -> ClientHello:
    """After a HelloRetryRequest: the same keys, the next message (section 7.1.1)."""
    data = outer.extensions.get(_E.ENCRYPTED_CLIENT_HELLO)
    if data is None:
        raise missing("encrypted_client_hello", "the second ClientHello")
    sealed = SealedHello.parse(data)
    if (sealed.suite, sealed.config_id, sealed.enc) != (opened.suite, opened.config_id, b""):
        raise illegal(
            "second-ech-changed",
            "the second ClientHello is not sealed with the keys of the first",
            "RFC 9849 section 7.1.1",
        )
    try:
        encoded = opened.context.open(outer_aad(outer, sealed), sealed.payload)
    except HpkeError as problem:
        raise PeerMisbehaved(
            AlertDescription.DECRYPT_ERROR,
            "second-ech-undecryptable",
            "the second ClientHello does not open with the keys of the first",
            "RFC 9849 section 7.1.1",
        ) from problem
    return _take_inner(hs, encoded, outer)

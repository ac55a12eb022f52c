"""Encrypted ClientHello on the server (RFC 9849 section 7).

With keys, a server is client-facing and backend in one ("shared mode"): it opens the outer hello, and goes on as if
the inner one had come. Without keys it can be the backend of somebody else who opens: an inner hello that comes by
itself is confirmed.
"""

from __future__ import annotations

from ... import trace
from ...errors import PeerMisbehaved
from ...registry import AlertDescription, ECHClientHelloType, ExtensionType
from ..config import ServerConfig
from ..handshake.client_wishes import ClientWishes
from ..handshake.context import Handshake, illegal, missing
from ..wire.messages import ClientHello, ServerHello
from .config import encode_config_list
from .confirmation import LENGTH, confirmation, with_confirmation
from .hello import OpenedHello, SealedHello, decode_inner, outer_aad
from .hpke import KEMS, Context, HpkeError, open_with
from .keys import ECHKey

_E = ExtensionType

FLIGHT_BLOCK = 1024  # bytes: records of the server's handshake are filled up to a multiple of this


# --- opening (section 7.1) ------------------------------------------------------------------------


def open_hello(hs: Handshake, config: ServerConfig, outer: ClientHello) -> tuple[ClientHello, OpenedHello | None]:
    """The hello that counts: the one inside if we have the key to it, and what it takes to open the next one."""
    data = outer.extensions.get(_E.ENCRYPTED_CLIENT_HELLO)
    if data is None or not config.ech_keys:
        return outer, None
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


def open_second_hello(hs: Handshake, opened: OpenedHello | None, outer: ClientHello) -> ClientHello:
    """After a HelloRetryRequest: the same keys, the next message (section 7.1.1)."""
    if opened is None:
        return outer
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


# --- confirming (section 7.2) ---------------------------------------------------------------------


def confirm(hs: Handshake, config: ServerConfig, wishes: ClientWishes, hello: ServerHello) -> ServerHello:
    """Our ServerHello or HelloRetryRequest, with the sign that we read the inner hello if we did."""
    if wishes.ech is ECHClientHelloType.INNER:
        return with_confirmation(hello, confirmation(hs.transcript, wishes.hello.random, hello))
    # A request that a cookie replaces has to be the same for whoever goes on from that.
    if hello.is_retry_request and wishes.ech is not None and config.ech_keys and config.cookie_keys is None:
        return with_confirmation(hello, config.random(LENGTH))  # so that nobody sees the difference
    return hello


def hide_lengths(hs: Handshake, wishes: ClientWishes) -> None:
    """Until the handshake's last message: how long a certificate is would tell whose it is (section 6.1.3)."""
    if wishes.ech is ECHClientHelloType.INNER and hs.writer.padding is None:
        hs.writer.padding = lambda length: -length % FLIGHT_BLOCK


# --- rejecting ------------------------------------------------------------------------------------


def retry_configs(config: ServerConfig, wishes: ClientWishes) -> bytes | None:
    """For a client whose encrypted hello we could not open: the keys that we have now (section 7.1)."""
    if wishes.ech is not ECHClientHelloType.OUTER or not config.ech_keys:
        return None
    return encode_config_list([key.config for key in config.ech_keys if key.retry])

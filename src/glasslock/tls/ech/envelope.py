"""The envelope: the outer hello around the one that was meant (RFC 9849 sections 6.1 and 6.2)."""

from __future__ import annotations

from dataclasses import replace

from ...errors import ConfigurationError
from ...registry import TLS_1_3, ExtensionType, HpkeKem, members
from ..config import ClientConfig
from ..handshake.client_hello import TLS12_ONLY, Envelope, Offer, write_psks
from ..handshake.context import Handshake
from ..keys.suites import SUITES_12, TAG_LENGTH
from ..wire import extensions as ext
from ..wire.messages import ClientHello, Extensions
from .config import Choice
from .hello import INNER, SealedHello, encode_inner, outer_aad
from .hpke import KEMS, HpkeError, seal_to
from .keys import DEFAULT_SUITES

_E = members(ExtensionType)


def enclose(hs: Handshake, config: ClientConfig, offer: Offer, choice: Choice) -> None:
    """The offer is for the server's eyes from here on; what goes out in its place is in `offer.envelope`."""
    if offer.session12 is not None:  # it could not be resumed by the inner hello, and would tell on us in the outer one
        offer.session12 = None
        offer.hello.session_id = config.random(32) if config.middlebox_compatibility else b""
    published = choice.config
    name = ext.write_server_name(published.public_name)
    extensions = _with_ech(_outer_extensions(offer.extensions, name), b"", config)  # what it holds comes last
    outer = replace(offer.hello, random=config.random(32), extensions=extensions)
    inner = _inner_hello(offer.hello)
    shared = _shared(inner.extensions, outer.extensions)
    # What is shared has to stand together (section 5.1).
    private = {kind: data for kind, data in inner.extensions.items() if kind not in shared}
    inner.extensions = private | {kind: outer.extensions[kind] for kind in shared}
    try:
        context = seal_to(choice.kem, choice.suite, published.public_key, b"tls ech\x00" + published.encode())
    except HpkeError as problem:
        raise ConfigurationError(f"the public key of the ECH configuration is not valid: {problem}") from problem
    offer.hello = inner
    public_offer = Offer(outer, offer.exchanges, [], early_data=offer.early_data)
    offer.envelope = Envelope(public_offer, choice, context, shared, {})
    if hs.key_log is not None:
        hs.key_log("ECH_SECRET", outer.random, context.shared_secret)
        hs.key_log("ECH_CONFIG", outer.random, published.encode())
    hs.decided(
        "ech", "offered", why=f"in its place everybody sees {published.public_name}", rule="RFC 9849 section 6.1"
    )


def _inner_hello(hello: ClientHello) -> ClientHello:
    """Without anything that is for older versions only."""
    extensions = {kind: data for kind, data in hello.extensions.items() if kind not in TLS12_ONLY}
    versions = ext.read_client_versions(extensions[_E.SUPPORTED_VERSIONS])
    newer = tuple(version for version in versions if version >= TLS_1_3)
    extensions[_E.SUPPORTED_VERSIONS] = ext.write_client_versions(newer)
    extensions[_E.ENCRYPTED_CLIENT_HELLO] = INNER
    suites = tuple(suite for suite in hello.cipher_suites if suite not in SUITES_12)
    return replace(hello, cipher_suites=suites, extensions=extensions)


def _outer_extensions(extensions: Extensions, server_name: bytes) -> Extensions:
    """The same with the public name, and nothing of a session."""
    outer = {int(_E.SERVER_NAME): server_name} if _E.SERVER_NAME not in extensions else {}
    outer |= extensions
    outer[_E.SERVER_NAME] = server_name
    if _E.SESSION_TICKET in outer:
        outer[_E.SESSION_TICKET] = b""
    return outer


def _with_ech(extensions: Extensions, data: bytes, config: ClientConfig) -> Extensions:
    """encrypted_client_hello at the end; anywhere, if the order is shuffled."""
    items = list(extensions.items())
    place = len(items)
    if config.permute_extensions:
        place = int.from_bytes(config.random(4), "big") % (place + 1)
    return dict([*items[:place], (int(_E.ENCRYPTED_CLIENT_HELLO), data), *items[place:]])


def _shared(inner: Extensions, outer: Extensions) -> tuple[int, ...]:
    """What does not depend on the name, and so is the same in both, in the order of the outer hello."""
    return tuple(kind for kind in outer if kind != _E.SERVER_NAME and inner.get(kind) == outer[kind])


def add_grease(hs: Handshake, config: ClientConfig, offer: Offer) -> None:
    """Where no key is known: the hello looks as if there were one."""
    offer.hello.extensions = _with_ech(offer.extensions, _grease(hs, config, offer), config)


def _grease(hs: Handshake, config: ClientConfig, offer: Offer) -> bytes:
    """What looks like an envelope and holds nothing (section 6.2.1)."""
    inner = _inner_hello(offer.hello)
    shared = _shared(inner.extensions, offer.extensions)
    if offer.psks:
        inner.extensions[_E.PRE_SHARED_KEY] = write_psks(offer.psks, hs.now())
    length = len(encode_inner(inner, shared, maximum_name_length=0))
    kem = KEMS[HpkeKem.DHKEM_X25519_HKDF_SHA256]
    suite = DEFAULT_SUITES[config.random(1)[0] % len(DEFAULT_SUITES)]
    enc = kem.public(kem.generate())
    hs.decided("ech", "grease", why="no key of this server is known", rule="RFC 9849 section 6.2")
    return SealedHello(suite, config.random(1)[0], enc, config.random(length + TAG_LENGTH)).encode()


# --- sealing (sections 6.1.1 and 6.1.5) -----------------------------------------------------------


def seal(hs: Handshake, inner: ClientHello, envelope: Envelope) -> bytes:
    """The outer hello with the inner one in it. The second time the same keys seal the next message."""
    outer, choice = envelope.outer.hello, envelope.choice
    _follow(hs, inner.extensions, outer.extensions, envelope)
    encoded = encode_inner(inner, envelope.shared, choice.config.maximum_name_length)
    enc = b"" if envelope.sent else envelope.context.enc
    sealed = SealedHello(choice.suite, choice.config.config_id, enc, bytes(len(encoded) + TAG_LENGTH))
    payload = envelope.context.seal(outer_aad(outer, sealed), encoded)
    outer.extensions[_E.ENCRYPTED_CLIENT_HELLO] = replace(sealed, payload=payload).encode()
    return outer.encode()


def _follow(hs: Handshake, inner: Extensions, outer: Extensions, envelope: Envelope) -> None:
    """What has to look alike outside: the answers to a HelloRetryRequest, and that there are pre-shared keys."""
    outer.pop(_E.PRE_SHARED_KEY, None)
    if _E.EARLY_DATA not in inner:
        outer.pop(_E.EARLY_DATA, None)
    for kind in (_E.KEY_SHARE, _E.COOKIE):
        if kind in inner:
            outer[kind] = inner[kind]
    if _E.PRE_SHARED_KEY in inner:
        outer[_E.PRE_SHARED_KEY] = _disguise(hs, inner[_E.PRE_SHARED_KEY], envelope)


def _disguise(hs: Handshake, offered: bytes, envelope: Envelope) -> bytes:
    """A pre_shared_key of the same size that means nothing (section 6.1.2)."""
    random, psks = hs.config.random, ext.read_offered_psks(offered)
    for identity, _ in psks.identities:
        if identity not in envelope.disguises:
            envelope.disguises[identity] = random(len(identity)), int.from_bytes(random(4), "big")
    identities = tuple(envelope.disguises[identity] for identity, _ in psks.identities)
    return ext.write_offered_psks(identities, tuple(random(len(binder)) for binder in psks.binders))

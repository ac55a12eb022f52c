"""HelloRetryRequest on the server: the client should send another key share (RFC 9846 section 4.2.4).

With `cookie_keys` in the config the state goes into the cookie, sealed, so that whoever has the keys can
go on from the second ClientHello alone (section 4.3.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import dataclass

from ...registry import TLS_1_3, ExtensionType, NamedGroup, members, name_of
from ..config import ServerConfig
from ..ech.server import confirm, open_second_hello
from ..keys.suites import Suite
from ..wire import extensions as ext
from ..wire.codec import Reader, u16, u64, vector8
from ..wire.messages import HELLO_RETRY_REQUEST_RANDOM, ClientHello, Extensions, ServerHello, write_extensions
from .client_wishes import ClientWishes, offers_tls13, read_wishes
from .context import Handshake, Question, Wait, illegal, missing

_E = members(ExtensionType)

COOKIE_LIFETIME = 60  # seconds

# What the second ClientHello may change (section 4.2.2); of ECH only the ciphertext can be seen to change.
_CHANGEABLE = frozenset(
    {_E.KEY_SHARE, _E.EARLY_DATA, _E.COOKIE, _E.PRE_SHARED_KEY, _E.PADDING, _E.ENCRYPTED_CLIENT_HELLO}
)


def retry(
    hs: Handshake, config: ServerConfig, wishes: ClientWishes, suite: Suite, group: int
) -> Generator[Wait | Question, bytes, ClientWishes]:
    """Asks for a key share in the group we chose; returns what the second ClientHello says."""
    hs.decided(
        "retry",
        group,
        offered=tuple(wishes.shares or ()),
        kind=NamedGroup,
        why="the client supports the group but sent no key share for it",
        rule="RFC 9846 section 4.2.4",
    )
    state = RetryState(suite.id, group, fixed_part(wishes.hello), b"", int(hs.now()))
    cookie = None
    if config.cookie_keys is not None:
        state.first_hello = hs.transcript.digest_with(suite.hash_name, b"")
        cookie = config.cookie_keys.seal(state.encode())
    request = retry_request(wishes.hello.session_id, suite.id, group, cookie)
    hs.send(confirm(hs, config, wishes, request))
    hs.transcript.retry(suite.hash_name)
    hs.refuse_unread("a handshake message before the client could know what we want")
    if wants_compatibility(config, wishes):
        hs.send_change_cipher_spec()
    hs.flush()
    if wishes.early_data:
        hs.reader.skippable = config.limits.early_data_skipped
    hello = yield from hs.expect(ClientHello)
    hs.reader.skippable = None
    hello = open_second_hello(hs, wishes.opened, hello)
    second = read_wishes(hello, wishes.opened)
    if second.cookie != cookie:
        raise illegal("wrong-cookie", "the second ClientHello has another cookie than ours", "RFC 9846 section 4.3.2")
    check_second_hello(state, second)
    return second


def wants_compatibility(config: ServerConfig, wishes: ClientWishes) -> bool:
    """A ChangeCipherSpec for middleboxes has to be sent to who gives a session id (RFC 9846 appendix E.4)."""
    return config.middlebox_compatibility or bool(wishes.hello.session_id)


def retry_request(session_id: bytes, suite: int, group: int, cookie: bytes | None) -> ServerHello:
    """The HelloRetryRequest: a ServerHello with a fixed random."""
    extensions: Extensions = {_E.SUPPORTED_VERSIONS: u16(TLS_1_3), _E.KEY_SHARE: u16(group)}
    if cookie is not None:
        extensions[_E.COOKIE] = ext.write_cookie(cookie)
    return ServerHello(HELLO_RETRY_REQUEST_RANDOM, session_id, suite, extensions)


@dataclass(slots=True)
class RetryState:
    """What has to be remembered between the two ClientHellos."""

    cipher_suite: int
    group: int
    fixed: bytes  # digest of what the second ClientHello must not change
    first_hello: bytes  # transcript hash of the first ClientHello
    sent_at: int  # seconds since the Unix epoch

    def encode(self) -> bytes:
        numbers = u16(self.cipher_suite) + u16(self.group) + u64(self.sent_at)
        return numbers + vector8(self.fixed) + vector8(self.first_hello)

    @classmethod
    def parse(cls, data: bytes) -> RetryState:
        reader = Reader(data, "our own cookie")
        suite, group = reader.u16(), reader.u16()
        sent_at = int.from_bytes(reader.take(8), "big")
        return cls(suite, group, reader.vector8(), reader.vector8(), sent_at)


def restore_retry(hs: Handshake, config: ServerConfig, wishes: ClientWishes, suite: Suite) -> None:
    """Goes on from a second ClientHello whose first one somebody else saw, or we forgot."""
    if wishes.cookie is None or config.cookie_keys is None:
        return
    plaintext = config.cookie_keys.open(wishes.cookie)
    state = RetryState.parse(plaintext) if plaintext is not None else None
    if state is None or not 0 <= hs.now() - state.sent_at <= COOKIE_LIFETIME or state.cipher_suite != suite.id:
        raise illegal("wrong-cookie", "the cookie is not ours, or too old", "RFC 9846 section 4.3.2")
    request = retry_request(wishes.hello.session_id, state.cipher_suite, state.group, wishes.cookie)
    hs.transcript.restore_retry(state.first_hello, request.encode())
    hs.agreed.retried = True
    check_second_hello(state, wishes)


def check_second_hello(state: RetryState, second: ClientWishes) -> None:
    """The second ClientHello is the first one but for what the retry allows to change."""
    if fixed_part(second.hello) != state.fixed or not offers_tls13(second):
        raise illegal(
            "second-hello-changed", "the second ClientHello changes what must stay the same", "RFC 9846 section 4.2.2"
        )
    if second.early_data:
        raise illegal(
            "early-data-after-retry", "early data is offered again after HelloRetryRequest", "RFC 9846 section 4.2.2"
        )
    if second.shares is None:
        raise missing("key_share", "the second ClientHello")
    if tuple(second.shares) != (state.group,):
        raise illegal(
            "wrong-retry-share",
            f"the second ClientHello should have one key share, for {name_of(NamedGroup, state.group)}",
            "RFC 9846 section 4.3.8",
        )


def fixed_part(hello: ClientHello) -> bytes:
    """A digest of everything in a ClientHello that a retry must not change."""
    extensions = {kind: data for kind, data in hello.extensions.items() if kind not in _CHANGEABLE}
    fixed = (
        u16(hello.legacy_version),
        hello.random,
        vector8(hello.session_id),
        repr(hello.cipher_suites).encode(),
        vector8(hello.compression_methods),
        write_extensions(extensions),
    )
    return hashlib.sha256(b"".join(fixed)).digest()

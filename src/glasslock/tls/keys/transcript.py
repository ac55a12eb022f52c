"""The transcript hash: one running hash over every handshake message (RFC 9846 section 4.1)."""

from __future__ import annotations

from ...registry import HandshakeType
from ..wire.codec import u8, u24
from .hkdf import Hash, HashFunction, hash_function


class Transcript:
    """Messages are kept until the cipher suite, and so the hash, is agreed; then only hashed."""

    __slots__ = ("_hash", "_messages", "hash")

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._hash: Hash | None = None
        self.hash: HashFunction | None = None

    def add(self, message: bytes) -> None:
        """One whole handshake message, header included."""
        if self._hash is None:
            self._messages.append(message)
        else:
            self._hash.update(message)

    def start(self, hash_name: str) -> None:
        """The hash is agreed: from here on the messages are hashed. A second call changes nothing."""
        if self._hash is None:
            self.hash = hash_function(hash_name)
            self._hash = self.hash.new(b"".join(self._messages))
            self._messages.clear()

    def raw(self) -> bytes:
        """All messages so far, while the hash is not started: what TLS 1.2 signs (RFC 5246 section 7.4.8)."""
        return b"".join(self._messages)

    def retry(self, hash_name: str) -> None:
        """After a HelloRetryRequest, the last message so far, what was before it counts as its own hash."""
        *hello, request = self._messages
        digest = hash_function(hash_name).new(b"".join(hello)).digest()
        self._messages = [_message_hash(digest), request]

    def restore_retry(self, first_hello: bytes, request: bytes) -> None:
        """Puts a retry that somebody else remembers before the ClientHello that is here: its hash and the request."""
        self._messages = [_message_hash(first_hello), request, *self._messages]

    def digest(self) -> bytes:
        """Transcript-Hash of all messages so far."""
        if self._hash is None:
            raise ValueError("the hash function is not agreed yet")
        return self._hash.digest()  # which leaves the hash running

    def digest_with(self, hash_name: str, more: bytes) -> bytes:
        """Before the hash is agreed: of all messages and `more`, under the hash of a PSK (section 4.3.11.2)."""
        return hash_function(hash_name).new(b"".join(self._messages) + more).digest()

    def digest_without_end(self, hash_name: str, length: int) -> bytes:
        """Before the hash is agreed: of all messages but for the last `length` bytes."""
        return hash_function(hash_name).new(b"".join(self._messages)[:-length]).digest()

    def without_last(self) -> Transcript:
        """A copy that ends before the last message; only while the hash is not agreed."""
        other = Transcript()
        other._messages = self._messages[:-1]
        return other

    def copy(self) -> Transcript:
        """An independent transcript with the same beginning."""
        other = Transcript()
        other._messages = list(self._messages)
        other._hash = None if self._hash is None else self._hash.copy()
        other.hash = self.hash
        return other


class _Ended(Transcript):
    """Stands for every transcript whose handshake is over: what comes later does not belong to it."""

    __slots__ = ()

    def add(self, message: bytes) -> None:
        pass


ENDED = _Ended()


def _message_hash(digest: bytes) -> bytes:
    """`message_hash`: what stands for a ClientHello that was followed by a HelloRetryRequest (section 4.1)."""
    return u8(HandshakeType.MESSAGE_HASH) + u24(len(digest)) + digest

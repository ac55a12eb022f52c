"""The sign that the inner hello was read: eight bytes that only its reader can make (RFC 9849 section 7.2).

They hide in ServerHello.random; in a HelloRetryRequest, whose random is fixed, they have an extension.
"""

from __future__ import annotations

from dataclasses import replace

from ...registry import ExtensionType
from ..keys.hkdf import hash_function
from ..keys.suites import SUITES_13
from ..keys.transcript import Transcript
from ..wire.messages import ServerHello

LENGTH = 8  # bytes


def confirmation(before: Transcript, inner_random: bytes, hello: ServerHello) -> bytes:
    """What `hello`, of a known TLS 1.3 suite, has to carry; `before` is the transcript of the inner hello up to it."""
    hash_name = SUITES_13[hello.cipher_suite].hash_name
    transcript = before.copy()
    transcript.add(with_confirmation(hello, bytes(LENGTH)).encode())
    label = b"ech accept confirmation"
    if hello.is_retry_request:
        transcript.retry(hash_name)
        label = b"hrr ech accept confirmation"
    transcript.start(hash_name)
    hash_ = hash_function(hash_name)
    return hash_.expand_label(hash_.extract(hash_.zeros, inner_random), label, transcript.digest(), LENGTH)


def with_confirmation(hello: ServerHello, value: bytes) -> ServerHello:
    """The same message with `value` in the place of the sign."""
    if hello.is_retry_request:
        return replace(hello, extensions={**hello.extensions, ExtensionType.ENCRYPTED_CLIENT_HELLO: value})
    return replace(hello, random=hello.random[:-LENGTH] + value)

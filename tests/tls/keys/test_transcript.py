"""The transcript hash (RFC 9846 section 4.1)."""

from __future__ import annotations

import hashlib

import pytest

from glasslock.tls.keys.transcript import Transcript


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def test_messages_before_and_after_the_hash_is_agreed() -> None:
    transcript = Transcript()
    transcript.add(b"one")
    transcript.add(b"two")
    assert transcript.digest_with("sha256", b"more") == sha(b"onetwomore")
    assert transcript.digest_without_end("sha256", 2) == sha(b"onet")
    assert transcript.raw() == b"onetwo"
    transcript.start("sha256")
    assert transcript.digest() == sha(b"onetwo")
    transcript.start("sha384")  # a second call changes nothing
    transcript.add(b"three")
    assert transcript.digest() == transcript.digest() == sha(b"onetwothree")


def test_there_is_no_digest_before_the_hash_is_agreed() -> None:
    with pytest.raises(ValueError, match="not agreed"):
        Transcript().digest()


def test_a_copy_goes_its_own_way() -> None:
    for started in (False, True):
        transcript = Transcript()
        transcript.add(b"one")
        if started:
            transcript.start("sha256")
        copy = transcript.copy()
        copy.add(b"two")
        for one in (transcript, copy):
            one.start("sha256")
        assert (transcript.digest(), copy.digest()) == (sha(b"one"), sha(b"onetwo"))


def test_a_retry_replaces_the_first_hello_by_its_hash() -> None:
    transcript = Transcript()
    transcript.add(b"hello")
    transcript.add(b"request")
    transcript.retry("sha256")
    transcript.add(b"again")
    transcript.start("sha256")
    expected = sha(b"\xfe\0\0\x20" + sha(b"hello") + b"request" + b"again")
    assert transcript.digest() == expected
    restored = Transcript()
    restored.add(b"again")
    restored.restore_retry(sha(b"hello"), b"request")
    restored.start("sha256")
    assert restored.digest() == expected

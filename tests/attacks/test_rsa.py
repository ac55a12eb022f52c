"""Attacks on RSA: key transport as an oracle, recordings opened with a stolen key, forged signatures."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, CipherSuite, HandshakeType, Side
from glasslock.tls import ClientConnection, Credential, DangerousAcceptAnyCertificate
from glasslock.tls.handshake import client12
from glasslock.tls.handshake.keys12 import Secrets12
from glasslock.tls.keys.hkdf import hash_function
from glasslock.tls.keys.prf import KeyBlock, extended_main_secret
from glasslock.tls.keys.signatures import PrivateKeySigner, verify
from glasslock.tls.keys.suites import SUITES_12
from glasslock.tls.protection import Protection12
from glasslock.tls.wire.messages import ClientHello, ServerHello
from glasslock.tls.wire.messages12 import ClientKeyExchange

from ..tls.minted import certificate, credential, key
from ..tls.pair import Pair, assert_refused, client_config, pair, server_config
from .middle import BOTH, Record, edit_client_hello, edit_server_hello, messages, middle, records, tls12

A, H = AlertDescription, HandshakeType
TRANSPORT = CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256
SIZE = 256  # bytes of the modulus
SCHEME = 0x0401  # rsa_pkcs1_sha256


# --- key transport is off -----------------------------------------------------------------------------------------


def test_rsa_key_transport_is_off_by_default() -> None:
    """Neither offered nor taken, on a server with an RSA key either; nobody on the way can bring it about."""
    client, server = client_config(versions=BOTH), server_config(versions=BOTH, credentials=(credential("rsa"),))
    hello = ClientHello.parse(ClientConnection(client, "localhost").data_to_send()[5:])
    assert not any(suite in hello.cipher_suites for suite, row in SUITES_12.items() if not row.ephemeral)

    def offer(hello: ClientHello) -> None:
        del hello.extensions[43], hello.extensions[51]
        hello.cipher_suites = (TRANSPORT,)

    refused = middle(edit_client_hello(offer), client, server).run()
    assert_refused(refused, Side.SERVER, A.HANDSHAKE_FAILURE, "no-common-suite")
    choose = edit_server_hello(lambda hello: setattr(hello, "cipher_suite", TRANSPORT))
    refused = middle(choose, client_config(**tls12()), server_config(**tls12())).run()
    assert_refused(refused, Side.CLIENT, A.ILLEGAL_PARAMETER, "suite-not-offered")


# --- Bleichenbacher -----------------------------------------------------------------------------------------------


def encrypt_block(block: bytes) -> bytes:
    """Textbook RSA to the server's key: the padding is whatever the attacker wants."""
    numbers = key("rsa").public_key().public_numbers()
    assert len(block) == SIZE
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(SIZE, "big")


def padded(secret: bytes, start: bytes = b"\0\2", filler: bytes | None = None, zero: bytes = b"\0") -> bytes:
    filler = filler if filler is not None else b"\x55" * (SIZE - len(start) - len(zero) - len(secret))
    return encrypt_block(start + filler + zero + secret)


SECRET = b"\3\3" + b"\x11" * 46
MALFORMED = {
    "good padding, a secret that is not the client's": padded(SECRET),
    "an old version": padded(b"\3\1" + SECRET[2:]),
    "a newer version": padded(b"\3\4" + SECRET[2:]),
    "no version": padded(bytes(48)),
    "47 bytes": padded(SECRET[:-1]),
    "49 bytes": padded(SECRET + b"\x11"),
    "no secret at all": padded(b""),
    "block type 1": padded(SECRET, b"\0\1"),
    "block type 0": padded(SECRET, b"\0\0"),
    "first byte not zero": padded(SECRET, b"\1\2"),
    "no zero before the secret": padded(SECRET, zero=b"\x55"),
    "no zero at all": encrypt_block(b"\0\2" + b"\x55" * (SIZE - 2)),
    "padding of seven bytes": padded(b"\x22" * (SIZE - 10), filler=b"\x55" * 7),
    "a zero inside the padding": padded(SECRET, filler=b"\x55" * 100 + b"\0" + b"\x55" * (SIZE - 152)),
    "a zero in its first byte": padded(SECRET, filler=b"\0" + b"\x55" * (SIZE - 52)),
    "zero": bytes(SIZE),
    "one": bytes(SIZE - 1) + b"\1",
    "above the modulus": b"\xff" * SIZE,
    "random": hashlib.shake_128(b"random").digest(SIZE - 1).rjust(SIZE, b"\0"),
    "one byte short": padded(SECRET)[1:],
    "one byte long": b"\0" + padded(SECRET),
    "one byte": b"\1",
}


def with_ciphertext(ciphertext: bytes, steps: int) -> tuple[Any, ...]:
    """All that a peer can see of a server that got this ciphertext and `steps` records of the client's flight."""
    server = server_config(**tls12(cipher_suites=(TRANSPORT,), credentials=(credential("rsa"),)))
    attacked = pair(client_config(**tls12(cipher_suites=(TRANSPORT,))), server)
    attacked.carry(Side.CLIENT)
    attacked.carry(Side.SERVER)
    exchange = ClientKeyExchange.with_encrypted_secret(ciphertext).encode()
    _, change, finished = records(attacked.client.data_to_send())
    flight = [b"\x16\3\3" + len(exchange).to_bytes(2, "big") + exchange, change.raw, finished.raw]
    for raw in flight[:steps]:
        attacked.deliver(Side.SERVER, raw)
    error = attacked.errors.get(Side.SERVER)
    seen = (error.alert, error.code, error.message, error.rule) if error else ()
    return (*seen, attacked.server.data_to_send(), attacked.server.handshake_done)


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_no_malformed_ciphertext_is_told_from_another(steps: int) -> None:
    """Bleichenbacher (1998), Klima-Pokorny-Rosa (2003), ROBOT (2017): also for who stops half-way through."""
    seen = {name: with_ciphertext(ciphertext, steps) for name, ciphertext in MALFORMED.items()}
    assert len(set(seen.values())) == 1, seen
    answer = next(iter(seen.values()))
    if steps < 3:
        assert answer == (b"", False)  # not a word before Finished
    else:
        assert answer[:2] == (A.BAD_RECORD_MAC, "bad-record-mac")


def test_the_right_ciphertext_is_the_only_one_that_works() -> None:
    """So that the test above compares refusals with what would have been a success."""
    server = server_config(**tls12(cipher_suites=(TRANSPORT,), credentials=(credential("rsa"),)))
    connected = pair(client_config(**tls12(cipher_suites=(TRANSPORT,))), server).done().talk()
    assert connected.server.agreed.cipher_suite == TRANSPORT


@pytest.mark.parametrize(("version", "fits"), [(b"\3\3", True), (b"\3\2", False), (b"\3\4", False), (b"\0\0", False)])
def test_the_version_inside_the_secret_must_be_the_one_that_was_offered(
    version: bytes, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version rollback (RFC 5246 section 7.4.7.1), for a client that uses that secret itself."""

    class Other(Secrets12):
        __slots__ = ()

        @classmethod
        def from_premaster(cls, hs: Any, premaster: bytes) -> Secrets12:
            return Secrets12.from_premaster(hs, version + premaster[2:])

    encrypt = client12.encrypt_premaster
    monkeypatch.setattr(client12, "encrypt_premaster", lambda key, secret: encrypt(key, version + secret[2:]))
    monkeypatch.setattr(client12, "Secrets12", Other)
    settings = tls12(cipher_suites=(TRANSPORT,))
    connected = pair(client_config(**settings), server_config(**settings, credentials=(credential("rsa"),))).run()
    if fits:
        assert connected.server.handshake_done
    else:
        assert_refused(connected, Side.SERVER, A.BAD_RECORD_MAC, "bad-record-mac")


def test_a_key_holder_that_complains_is_no_oracle() -> None:
    """An HSM, say, that raises what it likes where the padding is wrong."""

    class Complaining(PrivateKeySigner):
        def decrypt(self, ciphertext: bytes) -> bytes | None:
            raise RuntimeError("CKR_ENCRYPTED_DATA_INVALID")

    complaining = replace(credential("rsa"), signer=Complaining(key("rsa")))
    settings = tls12(cipher_suites=(TRANSPORT,))
    refused = pair(client_config(**settings), server_config(**settings, credentials=(complaining,))).run()
    assert_refused(refused, Side.SERVER, A.BAD_RECORD_MAC, "bad-record-mac")


def test_the_secret_in_place_of_a_bad_one_is_not_known_to_anybody() -> None:
    """It is made anew for each handshake, and before the ciphertext is looked at."""
    made: list[bytes] = []

    def random(length: int) -> bytes:
        made.append(hashlib.shake_128(b"%d" % len(made)).digest(length))
        return made[-1]

    settings = tls12(cipher_suites=(TRANSPORT,))
    server = server_config(**settings, credentials=(credential("rsa"),), random=random)
    for _ in range(2):
        pair(client_config(**settings), server).done()
    assert [len(value) for value in made if len(value) == 46] == [46, 46]
    assert len(set(made)) == len(made)


# --- recordings and a stolen key ----------------------------------------------------------------------------------


def recording(suites: tuple[int, ...]) -> tuple[Pair, list[Record], list[bytes]]:
    """A connection as somebody on the way has stored it: the client's records, and all messages in the clear."""
    server = server_config(**tls12(cipher_suites=suites, credentials=(credential("rsa"),), ticket_keys=None))
    connected = pair(client_config(**tls12(cipher_suites=suites)), server).done()
    connected.client.send_data(b"Authorization: Basic c2VjcmV0")
    connected.run()
    ours = records(b"".join(connected.wire[Side.CLIENT]))
    theirs = records(b"".join(connected.wire[Side.SERVER]))
    clear = messages(ours[0].body) + messages(theirs[0].body) + messages(ours[1].body)
    return connected, ours, clear


def test_a_stolen_key_opens_recordings_of_key_transport_and_of_nothing_else() -> None:
    """What forward secrecy means. The attack is real, and is why these suites are off."""
    _, ours, clear = recording((TRANSPORT,))
    hello, answer = ClientHello.parse(clear[0]), ServerHello.parse(clear[1])
    exchange = ClientKeyExchange.parse(clear[-1])
    premaster = PrivateKeySigner(key("rsa")).decrypt(exchange.encrypted_secret())
    assert premaster is not None
    suite, hash_ = SUITES_12[TRANSPORT], hash_function("sha256")
    main = extended_main_secret(hash_, premaster, hash_.new(b"".join(clear)).digest())
    block = KeyBlock(suite, hash_, main, hello.random, answer.random)
    opening = Protection12(suite, block.client_key, block.client_iv)
    opened = [opening.open(one.raw[:5], one.body) for one in ours[3:]]
    assert opened[-1] == (23, b"Authorization: Basic c2VjcmV0")

    _, _, clear = recording((CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,))
    share = ClientKeyExchange.parse(clear[-1]).share()
    assert len(share) == 32  # nothing here was encrypted to the certificate's key
    assert PrivateKeySigner(key("rsa")).decrypt(share.rjust(SIZE, b"\0")) != premaster


# --- forged signatures --------------------------------------------------------------------------------------------

DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")  # SHA-256 (RFC 8017 section 9.2)


@pytest.fixture(scope="module")
def low() -> rsa.RSAPrivateKey:
    """A key with exponent 3, as CAs once had; long enough that the cube of a short number has room for garbage."""
    return rsa.generate_private_key(3, 2048)


def cube_root(number: int) -> int:
    low, high = 0, 1 << (number.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= number else (low, middle - 1)
    return low


def forge_2006(content: bytes, size: int) -> bytes:
    """Bleichenbacher 2006: 00 01 FF FF 00 DigestInfo, then garbage that makes the block a cube. No private key used."""
    start = b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO + hashlib.sha256(content).digest()
    block = start + b"\xff" * (size - len(start))
    root = cube_root(int.from_bytes(block, "big"))
    assert (root**3).to_bytes(size, "big").startswith(start)
    return root.to_bytes(size, "big")


def forge_berserk(content: bytes, size: int) -> bytes:
    """BERserk (2014): the garbage in the parameters of the AlgorithmIdentifier, its length in a lax long form."""
    digest = hashlib.sha256(content).digest()
    tail = b"\4\x20" + digest
    # The last bytes of a cube can be chosen freely if the number is odd (Hensel).
    wanted, root = int.from_bytes(tail, "big"), 1
    if wanted % 2 == 0:
        pytest.fail("choose a content whose digest is odd")
    for bit in range(1, 8 * len(tail)):
        if (root**3 ^ wanted) >> bit & 1:
            root |= 1 << bit
    assert (root**3).to_bytes(size, "big").endswith(tail)
    head = b"\0\1" + b"\xff" * 8 + b"\0" + b"\x30\x80"
    high = cube_root(int.from_bytes(head + b"\x80" * (size - len(head)), "big"))
    mixed = (high >> 8 * len(tail) << 8 * len(tail)) | root
    assert (mixed**3).to_bytes(size, "big").startswith(head)
    assert (mixed**3).to_bytes(size, "big").endswith(tail)
    return mixed.to_bytes(size, "big")


def odd_content() -> bytes:
    return next(b"%d" % number for number in range(100) if hashlib.sha256(b"%d" % number).digest()[-1] % 2)


@pytest.mark.parametrize("forge", [forge_2006, forge_berserk])
def test_low_exponent_forgeries(forge: Any, low: rsa.RSAPrivateKey) -> None:
    """A lax parser would find the right digest in both: what was signed is compared whole (RFC 8017 section 8.2.2)."""
    content = odd_content()
    genuine = PrivateKeySigner(low).sign(SCHEME, content)
    verify(low.public_key(), "rsa", SCHEME, genuine, content, 0x0303)
    with pytest.raises(PeerMisbehaved) as caught:
        verify(low.public_key(), "rsa", SCHEME, forge(content, SIZE), content, 0x0303)
    assert (caught.value.alert, caught.value.code) == (A.DECRYPT_ERROR, "bad-signature")


def test_a_forger_gets_no_connection(low: rsa.RSAPrivateKey) -> None:
    """A server with somebody else's certificate, whose key has exponent 3, and without that key."""

    class Forger:
        def sign(self, scheme: int, content: bytes) -> bytes:
            return forge_2006(content, SIZE)

    forging = Credential.from_signer([certificate(low, "localhost")], Forger())
    client = client_config(**tls12(verifier=DangerousAcceptAnyCertificate(), signature_schemes=(SCHEME,)))
    refused = pair(client, server_config(**tls12(credentials=(forging,)))).run()
    assert_refused(refused, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_pkcs_1_signatures_have_no_place_in_tls_1_3(low: rsa.RSAPrivateKey) -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        verify(low.public_key(), "rsa", SCHEME, PrivateKeySigner(low).sign(SCHEME, b"x"), b"x", 0x0304)
    assert caught.value.code == "wrong-signature-type"

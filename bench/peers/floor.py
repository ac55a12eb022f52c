"""The floor: nothing but the primitives that a work cannot do without, called as plainly as Python can.

Not an implementation of TLS: no message is written or read, no state kept. What an engine in Python takes above this
is its own doing; what it takes less than this it has remembered.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from ..identity import SERVER_NAME, Identity
from . import REQUEST, Options

NAME = "the primitives alone"

FULL_HMACS, RESUMED_HMACS = 21, 26  # of one side: RFC 9846 section 7.1, keys and Finished included; one ticket
KEYS = 4  # AEAD objects of one side: both directions, for the handshake and for data
RECORD = 1 << 14  # bytes of plaintext in the longest record
HELLOS = bytes(500)  # the hashed messages that go in clear
FINISHED, TICKET = bytes(37), bytes(260)  # plaintexts of records
ECDSA = ec.ECDSA(hashes.SHA256())


class Setup:
    """Keys and the trust store: made once, like an engine's configuration."""

    def __init__(self, identity: Identity, options: Options) -> None:
        self.options = options
        files = [(identity.chain(options.intermediates), identity.key(options.intermediates))]
        if options.fresh:
            files = identity.fresh()
        self.servers = [Certified(chain.read_bytes(), key.read_bytes()) for chain, key in files]
        self.client = Certified(identity.client_chain.read_bytes(), identity.client_key.read_bytes())
        self.store = Store(x509.load_pem_x509_certificates(identity.root.read_bytes()))
        self.used = 0

    def connect(self) -> Pair:
        self.used += 1
        return Pair(self, self.servers[self.used % len(self.servers)])


class Certified:
    """A chain as it travels, and the key."""

    def __init__(self, chain: bytes, key: bytes) -> None:
        self.ders = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(chain)]
        self.key: Any = load_pem_private_key(key, None)


class Pair:
    """The primitives of a client and of a server, in the order in which a connection needs them."""

    def __init__(self, setup: Setup, certified: Certified) -> None:
        self.setup = setup
        self.certified = certified
        self.key = AESGCM(bytes(16))
        self.client_seconds = self.server_seconds = 0.0

    def handshake(self) -> tuple[float, float]:
        """As `peers.Pair` has it."""
        options, flight = self.setup.options, b"".join(self.certified.ders) + bytes(200)
        hmacs = RESUMED_HMACS if options.resumed else FULL_HMACS
        private = self._client(X25519PrivateKey.generate)
        share = self._client(private.public_key().public_bytes_raw)
        respond = self._server(X25519PrivateKey.generate)
        answer = self._server(respond.public_key().public_bytes_raw)
        self._server(lambda: respond.exchange(X25519PublicKey.from_public_bytes(share)))
        self._client(lambda: private.exchange(X25519PublicKey.from_public_bytes(answer)))
        if options.group == "X25519MLKEM768":
            kem = self._client(MLKEM768PrivateKey.generate)
            public = self._client(kem.public_key)
            _, ciphertext = self._server(public.encapsulate)
            self._client(lambda: kem.decapsulate(ciphertext))
        for one in (self._client, self._server):
            one(lambda: schedule(hmacs, HELLOS + flight))
        if not options.resumed:
            self._prove(self._server, self._client, self.certified, SERVER_NAME)
            self._protect(self._server, self._client, flight)
            if options.client_certificate:
                self._prove(self._client, self._server, self.setup.client, None)
                self._protect(self._client, self._server, flight)
        else:
            self._protect(self._server, self._client, FINISHED)
            if options.judge_again:
                self._client(lambda: self._verify(self.certified, SERVER_NAME))
        self._protect(self._client, self._server, FINISHED)
        self._protect(self._server, self._client, TICKET)
        self._server(lambda: AESGCM(bytes(32)).encrypt(os.urandom(12), TICKET, None))
        return self.client_seconds, self.server_seconds

    def _client(self, primitive: Callable[[], Any]) -> Any:
        start = perf_counter()
        result = primitive()
        self.client_seconds += perf_counter() - start
        return result

    def _server(self, primitive: Callable[[], Any]) -> Any:
        start = perf_counter()
        result = primitive()
        self.server_seconds += perf_counter() - start
        return result

    def _prove(self, prover: Any, verifier: Any, certified: Certified, name: str | None) -> None:
        signature = prover(lambda: certified.key.sign(FINISHED, ECDSA))
        if self.setup.options.remember_chain:
            leaf = verifier(lambda: x509.load_der_x509_certificate(certified.ders[0]))
        else:
            leaf = verifier(lambda: self._verify(certified, name))
        verifier(lambda: leaf.public_key().verify(signature, FINISHED, ECDSA))

    def _verify(self, certified: Certified, name: str | None) -> x509.Certificate:
        leaf, *others = [x509.load_der_x509_certificate(der) for der in certified.ders]
        builder = PolicyBuilder().store(self.setup.store).time(dt.datetime.now(dt.UTC))
        if name is None:
            builder.build_client_verifier().verify(leaf, others)
        else:
            builder.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
        return leaf

    def _protect(self, sender: Any, receiver: Any, plaintext: bytes) -> None:
        nonce = bytes(12)
        sealed = sender(lambda: self.key.encrypt(nonce, plaintext, b"fixed"))
        receiver(lambda: self.key.decrypt(nonce, sealed, b"fixed"))

    def bulk(self, data: bytes, times: int) -> None:
        """As `peers.Pair` has it."""
        encrypt, decrypt, nonce = self.key.encrypt_into, self.key.decrypt_into, bytes(12)
        pieces = [data[start : start + RECORD] + b"\x17" for start in range(0, len(data), RECORD)]
        sealed, opened = bytearray(len(pieces[0]) + 16), bytearray(len(pieces[0]))
        for _ in range(times):
            for piece in pieces:
                encrypt(nonce, piece, b"fixed", sealed)
                decrypt(nonce, sealed, b"fixed", opened)

    def ping_pong(self, times: int) -> None:
        """As `peers.Pair` has it."""
        encrypt, decrypt, nonce, message = self.key.encrypt, self.key.decrypt, bytes(12), REQUEST + b"\x17"
        for _ in range(times):
            decrypt(nonce, encrypt(nonce, message, b"fixed"), b"fixed")
            decrypt(nonce, encrypt(nonce, message, b"fixed"), b"fixed")


def schedule(hmacs: int, messages: bytes) -> None:
    """The hashing of one side: the transcript, and each HMAC as the two hashes that it is (RFC 2104); its AEADs."""
    sha256, padded = hashlib.sha256, bytes(64)
    for _ in range(hmacs):
        sha256(padded + sha256(padded + FINISHED).digest()).digest()
    transcript = sha256(messages)
    for _ in range(4):
        transcript.copy().digest()
    for _ in range(KEYS):
        AESGCM(padded[:16])

"""Where the main secret of TLS 1.2 meets the record layer, and what both sides do alike (RFC 5246 section 7)."""

from __future__ import annotations

import hmac
from collections.abc import Generator
from typing import Any

from ... import trace
from ...errors import PeerMisbehaved
from ...registry import TLS_1_2, AlertDescription, Side, SignatureScheme
from ...trace import Outcome
from ..credentials import Credential
from ..keys import prf
from ..keys.key_schedule import fingerprint
from ..keys.signatures import SCHEMES, signature_of, verify
from ..keys.suites import SUITES_12, Suite12
from ..protection import Protection12
from ..wire.messages import Finished
from .authentication import choose_scheme, no_common_scheme, sign
from .context import Handshake, Question, Wait, illegal
from .peer_key import PeerKey, RawPeerKey

_LABELS = {Side.CLIENT: b"client finished", Side.SERVER: b"server finished"}


class Secrets12:
    """The main secret of one connection and everything that follows from it."""

    __slots__ = ("_block", "_hash", "_hs", "_suite", "main")

    def __init__(self, hs: Handshake, main: bytes) -> None:
        """`main` is the main secret, fresh or resumed; the suite and both randoms are agreed by now."""
        agreed = hs.agreed
        self._hs = hs
        self._suite = SUITES_12[agreed.cipher_suite]
        self._hash = self._suite.hash
        self.main = main
        self._block = prf.KeyBlock(self._suite, self._hash, main, agreed.client_random, agreed.server_random)
        agreed.main_secret = main
        if hs.key_log is not None:
            hs.key_log("CLIENT_RANDOM", agreed.client_random, main)

    @classmethod
    def from_premaster(cls, hs: Handshake, premaster: bytes) -> Secrets12:
        """To be called when the transcript ends with ClientKeyExchange."""
        agreed = hs.agreed
        hash_ = SUITES_12[agreed.cipher_suite].hash
        if agreed.extended_main_secret:
            main = prf.extended_main_secret(hash_, premaster, hs.transcript.digest())
        else:
            main = prf.main_secret(hash_, premaster, agreed.client_random, agreed.server_random)
        if hs.observer is not None:
            hs.derived("main secret", "premaster secret", main)
        return cls(hs, main)

    def protection(self, sender: Side) -> Protection12:
        block = self._block
        if sender is Side.CLIENT:
            return Protection12(self._suite, block.client_key, block.client_iv)
        return Protection12(self._suite, block.server_key, block.server_iv)

    def finished(self, sender: Side) -> Finished:
        """The Finished of one side over the transcript so far."""
        return Finished(prf.verify_data(self._hash, self.main, _LABELS[sender], self._hs.transcript.digest()))

    def send_finished(self) -> None:
        """ChangeCipherSpec, and Finished as the first message under the new key."""
        hs = self._hs
        hs.send_change_cipher_spec()
        hs.write_with(self.protection(hs.side))
        finished = self.finished(hs.side)
        hs.send(finished)
        self._keep_first(finished)

    def read_finished(self) -> Generator[Wait, Any, None]:
        """The peer's ChangeCipherSpec and Finished (RFC 5246 sections 7.1 and 7.4.9)."""
        hs = self._hs
        yield from hs.wait_for_change_cipher_spec()
        hs.read_with(self.protection(hs.side.peer))
        expected = self.finished(hs.side.peer)
        received = yield from hs.expect(Finished)
        if len(received.verify_data) != prf.VERIFY_DATA_LENGTH:
            raise PeerMisbehaved(
                AlertDescription.DECODE_ERROR,
                "bad-finished-length",
                "Finished has the wrong length",
                "RFC 5246 section 7.4.9",
            )
        if not hmac.compare_digest(received.verify_data, expected.verify_data):
            raise PeerMisbehaved(
                AlertDescription.DECRYPT_ERROR,
                "bad-finished",
                "the two sides did not see the same handshake: something was changed on the way",
                "RFC 5246 section 7.4.9",
            )
        self._keep_first(received)
        hs.refuse_unread("something follows the peer's Finished before it could know ours")

    def _keep_first(self, finished: Finished) -> None:
        """Whichever comes first, full handshake or resumption, is `tls-unique` (RFC 5929 section 3.1)."""
        if not self._hs.agreed.first_finished:
            self._hs.agreed.first_finished = finished.verify_data


def key_suits(suite: Suite12, kind: str) -> bool:
    """Whether a certificate with this kind of key goes with the suite (RFC 8422 section 2, RFC 4055 section 1.2)."""
    return suite.signature == signature_of(kind) if suite.ephemeral else kind == "rsa"


def schemes_of_tls12(schemes: tuple[int, ...]) -> tuple[int, ...]:
    """Those that may be asked for in TLS 1.2: ML-DSA, for one, is not for it (draft-ietf-tls-mldsa section 4)."""
    return tuple(scheme for scheme in schemes if SCHEMES[scheme].tls12)


def sign12(
    hs: Handshake, credential: Credential, schemes: tuple[int, ...], content: bytes
) -> Generator[Question, Any, tuple[int, bytes]]:
    """Scheme and signature for ServerKeyExchange or CertificateVerify."""
    scheme = choose_scheme(credential, schemes, TLS_1_2)
    if scheme is None:
        raise no_common_scheme()
    hs.decided(
        "signature_scheme",
        scheme,
        offered=schemes,
        supported=credential.schemes(TLS_1_2),
        kind=SignatureScheme,
        why="our first scheme that the peer accepts",
        rule="RFC 5246 section 7.4.1.4.1",
    )
    return scheme, (yield from sign(hs, credential, scheme, content))


def check_signature12(
    hs: Handshake,
    key: PeerKey | RawPeerKey,
    scheme: int,
    signature: bytes,
    content: bytes,
    offered: tuple[int, ...],
) -> None:
    """The signature in ServerKeyExchange or CertificateVerify."""
    if scheme not in offered:
        raise illegal(
            "wrong-signature-type",
            "the peer signed with a scheme that was not offered",
            "RFC 5246 section 7.4.3",
        )
    outcome = Outcome.FAILED
    try:
        verify(key.key, key.kind, scheme, signature, content, TLS_1_2)
        outcome = Outcome.PASSED
    finally:
        if hs.observer is not None:
            hs.tell(
                trace.SignatureChecked(
                    time=hs.now(),
                    side=hs.side,
                    rule="RFC 5246 section 7.4.3",
                    scheme=scheme,
                    outcome=outcome,
                    signed=content,
                    signature=signature,
                )
            )


def tell_exchange(hs: Handshake, group: int, own: bytes, theirs: bytes, secret: bytes) -> None:
    if hs.observer is not None:
        hs.tell(
            trace.KeyExchanged(
                time=hs.now(),
                side=hs.side,
                rule="RFC 8422 section 5.10",
                group=group,
                own_share=own,
                peer_share=theirs,
                fingerprint=fingerprint(secret),
            )
        )

"""Whoever decides for the shim: which certificate, which signature, whether the peer is good.

With `-async` nothing is answered on the spot: the engine reports `Undecided` and waits, as for a remote signer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from glasslock.errors import CertificateRefused, GlasslockError, TLSError
from glasslock.registry import AlertDescription, CertificateType
from glasslock.tls import Credential, ServerConfig, Undecided
from glasslock.tls.config import ClientHelloInfo
from glasslock.tls.handshake.choices import from_config

from .checks import expect
from .flags import Settings


class Decisions:
    """The verifier of one connection, and with `-async` everybody else too."""

    def __init__(self, settings: Settings) -> None:
        self.deferred = settings.is_async
        self.server_config: ServerConfig | None = None
        self.judged: bool | None = None  # what became of the peer's certificate, if it was looked at
        self._settings = settings

    def go_on_with(self, settings: Settings) -> None:
        """After a refused 0-RTT the test may think differently about the peer."""
        self._settings = settings

    # --- the peer's certificate

    def verify(self, chain: Sequence[bytes], server_name: str | None, **stapled: Any) -> None:
        """Accepts every certificate, or none if the test says so."""
        settings = self._settings
        name = settings.expect_ech_name_override or (settings.host_name or None)
        if not settings.server and (settings.expect_ech_name_override or settings.expect_no_ech_name_override):
            expect("the name to be verified", server_name, name)
        self.judged = not settings.verify_fail
        if settings.verify_fail and (settings.verify_peer or settings.require_any_client_certificate):
            # BoringSSL's older callback is for X.509 errors, of which it has none for "I do not want to".
            own = settings.use_custom_verify_callback
            alert = AlertDescription.CERTIFICATE_UNKNOWN if own else AlertDescription.HANDSHAKE_FAILURE
            raise CertificateRefused(alert, "certificate-verify-failed", "the test wants no certificate")
        if not settings.server and settings.use_ocsp_callback and settings.fail_ocsp_callback:
            alert = AlertDescription.BAD_CERTIFICATE_STATUS_RESPONSE
            raise CertificateRefused(alert, "ocsp-callback", "the test wants no stapled response")

    def verify_raw_key(self, key: bytes, server_name: str | None) -> None:
        """Accepts the one key that the test names."""
        self.judged = hashlib.sha256(key).digest() == self._settings.expect_peer_rpk_sha256
        if not self.judged:
            alert = AlertDescription.CERTIFICATE_UNKNOWN
            raise CertificateRefused(alert, "certificate-verify-failed", "not the key that the test names")

    # --- our own

    @property
    def chooser(self) -> Callable[[ClientHelloInfo], Credential | None] | None:
        """For `ServerConfig`: None where its own choice, made at once, is what the test is about."""
        settings = self._settings
        if settings.is_async:
            return Later(self.choose)
        return self.choose if settings.use_ocsp_callback else None

    def choose(self, info: ClientHelloInfo) -> Credential | None:
        """The engine's own choice; but what is stapled to it may depend on a callback."""
        settings = self._settings
        if self.server_config is None:
            return None
        credential = from_config(self.server_config, info)
        if settings.use_ocsp_callback and settings.fail_ocsp_callback:
            raise TLSError(AlertDescription.INTERNAL_ERROR, "ocsp-callback", "the test fails to find a response")
        if credential is not None and settings.use_ocsp_callback and settings.decline_ocsp_callback:
            return replace(credential, ocsp_response=None)
        return credential

    # --- later

    def answer(self, event: Undecided) -> object:
        """What would have been answered on the spot."""
        question: Any = event.question
        subject = question.subject
        try:
            if question.what == "sign":
                return subject.credential.signer.sign(subject.scheme, subject.content)
            if question.what == "credential":
                return self.choose(subject)
            if subject.certificate_type == CertificateType.RAW_PUBLIC_KEY:
                return self.verify_raw_key(subject.chain[0], subject.server_name)
            return self.verify(subject.chain, subject.server_name)
        except GlasslockError as refusal:
            return refusal


class Later:
    """A function whose answer the engine has to wait for."""

    deferred = True

    def __init__(self, function: Callable[[ClientHelloInfo], Credential | None]) -> None:
        self._function = function

    def __call__(self, info: ClientHelloInfo) -> Credential | None:
        return self._function(info)

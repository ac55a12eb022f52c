"""Our errors as `ssl` raises them: what users of `ssl` match on first, our explanation right behind.

Libraries look at the class, at `args[0]`, `reason`, `library`, `verify_code`, and at OpenSSL's phrases in the
text; people read the text, the one thing that every library hands on. So the text is
`[SSL: REASON] openssl's phrase: our explanation`. Our own error is `__cause__`, with all its evidence.
"""

from __future__ import annotations

import ssl
from typing import TypeVar

from ..errors import (
    CertificateRefused,
    ConfigurationError,
    ConnectionTruncated,
    GlasslockError,
    PeerAlert,
    TLSError,
)
from ..registry import AlertDescription, name_of
from ..trust.kinds import Kind


class EngineError(ssl.SSLError, GlasslockError):
    """What `ssl` knows as SSLError. `explanation` is in our words, `code` and `rule` are those of the TLSError."""

    explanation: str = ""
    code: str = ""
    rule: str = ""
    alert: AlertDescription | None = None


class EngineEOFError(EngineError, ssl.SSLEOFError):
    """The transport ended without close_notify."""


class EngineCertificateError(EngineError, ssl.SSLCertVerificationError):
    """The peer's certificate was refused. `evidence` is the `glasslock.trust.Verdict`, if there is one."""

    evidence: object | None = None


def want_read() -> ssl.SSLWantReadError:
    """Come back when bytes have arrived."""
    return _bare(ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "The operation did not complete (read)"))


def want_write() -> ssl.SSLWantWriteError:
    """Come back when the socket takes bytes."""
    return _bare(ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "The operation did not complete (write)"))


def ssl_error(error: Exception) -> EngineError:
    """Whatever left the engine, as `ssl` would raise it. Raise it `from error`."""
    if isinstance(error, CertificateRefused):
        return _certificate_error(error)
    if isinstance(error, ConnectionTruncated) or (isinstance(error, TLSError) and error.code == "closed-in-handshake"):
        text = "EOF occurred in violation of protocol"
        return _filled(EngineEOFError, ssl.SSL_ERROR_EOF, "UNEXPECTED_EOF_WHILE_READING", text, error)
    if isinstance(error, PeerAlert):
        reason = _alert_reason(error.description)
    elif isinstance(error, TLSError):
        reason = _REASONS.get(error.code) or error.code.replace("-", "_").upper()
    elif isinstance(error, ConfigurationError):
        reason = "BAD_CONFIGURATION"
    else:
        reason = "INTERNAL_ERROR"
    return _filled(EngineError, ssl.SSL_ERROR_SSL, reason, _phrase(reason), error)


def forget_frames(error: BaseException) -> None:
    """An error that a connection keeps would keep all frames it went through, and with them the socket, in a circle.

    A mistake of our own keeps them: they are all there is to find it by.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen and getattr(link, "code", "") != "internal":
        seen.add(id(link))
        link.__traceback__ = None
        link = link.__cause__ or link.__context__


def refused(reason: str, explanation: str) -> EngineError:
    """For what cannot be done on this connection: OpenSSL's name for the reason, and our explanation."""
    return _filled(EngineError, ssl.SSL_ERROR_SSL, reason, _phrase(reason), ConfigurationError(explanation))


def bad_pem(error: ConfigurationError) -> EngineError:
    """A certificate or key file that cannot be read, for which `ssl` has no reason, or that does not fit the other."""
    if "does not belong" in str(error):
        return _filled(EngineError, _MISMATCH, "KEY_VALUES_MISMATCH", "key values mismatch", error, library="X509")
    return _filled(EngineError, ssl.SSL_ERROR_SSL, None, "PEM lib", error)


_MISMATCH = 116  # X509_R_KEY_VALUES_MISMATCH


_T = TypeVar("_T", bound=ssl.SSLError)


def _bare(error: _T) -> _T:
    """C code sets these two on every error; so readers expect them."""
    error.library = None  # type: ignore[assignment]
    error.reason = None  # type: ignore[assignment]
    return error


_E = TypeVar("_E", bound=EngineError)


def _filled(
    kind: type[_E], number: int, reason: str | None, phrase: str, error: Exception, *, library: str = "SSL"
) -> _E:
    explanation = str(error) if isinstance(error, GlasslockError) else repr(error)
    origin = f"{library}: {reason}" if reason else library
    filled = kind(number, f"[{origin}] {phrase}: {explanation}")
    filled.library = library
    filled.reason = reason  # type: ignore[assignment] # typeshed knows no error without one
    filled.explanation = explanation
    if isinstance(error, TLSError):
        filled.code, filled.rule, filled.alert = error.code, error.rule, error.alert
    return filled


# --- certificates

# X509_V_ERR_..., by the beginning of OpenSSL's words for it
_VERIFY_CODES = (
    ("certificate signature failure", 7),
    ("certificate is not yet valid", 9),
    ("certificate has expired", 10),
    ("self-signed certificate in certificate chain", 19),
    ("self-signed certificate", 18),
    ("unable to get local issuer certificate", 20),
    ("certificate revoked", 23),
    ("path length constraint exceeded", 25),
    ("unsuitable certificate purpose", 26),
    ("unhandled critical extension", 34),
    ("permitted subtree violation", 47),
    ("excluded subtree violation", 48),
    ("Hostname mismatch", 62),
    ("IP address mismatch", 64),
    ("EE certificate key too weak", 66),
    ("CA certificate key too weak", 67),
    ("CA signature digest algorithm too weak", 68),
    ("invalid CA certificate", 79),
)
_UNSPECIFIED = 1  # X509_V_ERR_UNSPECIFIED


def _certificate_error(error: CertificateRefused) -> EngineCertificateError:
    message = _openssl_words(error)
    phrase = f"certificate verify failed: {message}"
    number = ssl.SSL_ERROR_SSL
    filled = _filled(EngineCertificateError, number, "CERTIFICATE_VERIFY_FAILED", phrase, error)
    filled.verify_message = message
    filled.verify_code = next((code for start, code in _VERIFY_CODES if message.startswith(start)), _UNSPECIFIED)
    filled.evidence = error.evidence
    return filled


def _openssl_words(error: CertificateRefused) -> str:
    """What Python with OpenSSL would have said, if it would have refused at all."""
    said: dict[str, str] = dict(getattr(error.evidence, "others_say", ()))
    _, found, words = said.get("Python", "").partition("certificate verify failed: ")
    if found and words:
        return words
    # a common name, which OpenSSL can count; or a host that can have no name
    if getattr(error.evidence, "kind", None) is Kind.WRONG_NAME:
        return f"Hostname mismatch, certificate is not valid for '{getattr(error.evidence, 'host', '')}'."
    return "certificate revoked" if error.code == "revoked" else "certificate rejected"


# --- everything else

# Our code: OpenSSL's name for the reason, where it is not the same words and somebody may look for it.
_REASONS = {
    "plain-http": "WRONG_VERSION_NUMBER",
    "not-tls": "WRONG_VERSION_NUMBER",
    "unknown-record-type": "WRONG_VERSION_NUMBER",  # most often a peer that goes on without TLS
    "record-version": "WRONG_VERSION_NUMBER",
    "plaintext-record": "BAD_RECORD_TYPE",
    "bad-record-mac": "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "unsupported-version": "UNSUPPORTED_PROTOCOL",
    "no-common-suite": "NO_SHARED_CIPHER",
    "no-common-group": "NO_SUITABLE_KEY_SHARE",
    "no-common-signature-scheme": "NO_SUITABLE_SIGNATURE_ALGORITHM",
    "certificate-required": "PEER_DID_NOT_RETURN_A_CERTIFICATE",
}
_ALERTS_OF_SSL3 = frozenset({10, 20, 30, 40, 41, 42, 43, 44, 45, 46, 47})
_ALERTS_OF_TLS13 = frozenset({109, 116})
_ALERTS_OF_EXTENSIONS = frozenset({110, 112, 113})


def _phrase(reason: str) -> str:
    return reason.lower().replace("_", " ")


def _alert_reason(description: int) -> str:
    name = name_of(AlertDescription, description).upper()
    if description in _ALERTS_OF_SSL3:
        return f"SSLV3_ALERT_{name}"
    if description in _ALERTS_OF_TLS13:
        return f"TLSV13_ALERT_{name}"
    return f"TLSV1_{name}" if description in _ALERTS_OF_EXTENSIONS else f"TLSV1_ALERT_{name}"

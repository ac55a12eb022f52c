"""One family of exceptions.

    GlasslockError
      TLSError                  something ended or refused a TLS connection; carries the alert
        PeerMisbehaved          the peer broke a rule of the protocol: we send `alert`
        NegotiationFailed       both sides behave, but have nothing in common: we send `alert`
        CertificateRefused      the peer's certificate was not accepted: we send `alert`; carries the verdict
          ECHRejected             the server could not read our encrypted hello; carries what to try again with
        PeerAlert               the peer sent us a fatal alert
        ConnectionTruncated     the transport ended without close_notify
      ConfigurationError        the caller asked for something that cannot be
      ConnectFailed             step 1 did not succeed: name, address, refusal or time
      HttpFailed                the connection is good, but what was said over it is not

Raising is choosing the alert: the connection turns a TLSError into bytes on the wire in one place.
"""

from __future__ import annotations

from .registry import AlertDescription, name_of


class GlasslockError(Exception):
    """Whatever glasslock raises on purpose."""


class ConfigurationError(GlasslockError, ValueError):
    """The caller's own request contradicts itself or cannot be met."""


class TLSError(GlasslockError):
    """A TLS connection was refused or ended.

    `code` is a stable word for programs, `rule` the section that was broken or applied,
    `alert` what travels (or travelled) on the wire; None if nothing does.
    """

    def __init__(self, alert: AlertDescription | None, code: str, message: str, rule: str = "") -> None:
        super().__init__(alert, code, message, rule)
        self.alert = alert
        self.code = code
        self.message = message
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.message} ({self.rule})" if self.rule else self.message


class PeerMisbehaved(TLSError):
    """The peer sent something that the protocol forbids."""


class NegotiationFailed(TLSError):
    """No version, cipher suite, group, signature scheme or protocol suits both sides."""


class CertificateRefused(TLSError):
    """The peer's certificate, its proof of possession or its stapled status was not accepted.

    `evidence` is whatever the verifier wants to hand on (a `Verdict` from glasslock.trust).
    """

    evidence: object | None = None


class ECHRejected(TLSError):
    """The server could not read our encrypted ClientHello, and proved that it may say so (RFC 9849 section 6.1.6).

    It proved to be `public_name`, not the site that was asked for, so nothing was sent to it. Try again once, on a
    new connection, with `retry_configs` (an ECHConfigList); without ECH if that is empty: the server has switched
    ECH off. If that connection is rejected too, the server is misconfigured.
    """

    def __init__(self, public_name: str, retry_configs: bytes) -> None:
        advice = (
            "gave new keys: connect again with them" if retry_configs else "has switched ECH off: connect without it"
        )
        super().__init__(
            AlertDescription.ECH_REQUIRED,
            "ech-rejected",
            f"the server could not read the encrypted ClientHello; it proved to be {public_name} and {advice}",
            "RFC 9849 section 6.1.6",
        )
        self.args = (public_name, retry_configs)
        self.public_name = public_name
        self.retry_configs = retry_configs


class PeerAlert(TLSError):
    """The peer ended the connection with a fatal alert."""

    def __init__(self, alert: AlertDescription | int) -> None:
        name = name_of(AlertDescription, alert)
        known = alert if isinstance(alert, AlertDescription) else None
        super().__init__(known, f"peer-alert-{name.replace('_', '-')}", f"the peer sent the fatal alert {name}")
        self.args = (alert,)
        self.description = int(alert)


class ConnectionTruncated(TLSError):
    """The transport ended without close_notify: data may be missing (RFC 9846 section 6.1)."""

    def __init__(self, message: str = "the connection ended without close_notify: data may be missing") -> None:
        super().__init__(None, "truncated", message, "RFC 9846 section 6.1")
        self.args = (message,)


class ConnectFailed(GlasslockError):
    """No TCP connection was made.

    `code` is one of: name-not-found, refused, unreachable, timeout, failed.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class HttpFailed(GlasslockError):
    """No good response came over a good connection (RFC 9110).

    `code` is one of: timeout, protocol, truncated, network, bad-request, not-https, bad-redirect,
    too-many-redirects, content-coding, too-large.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message

"""BoringSSL's names for what goes wrong: the runner looks for `:NAME:` in what the shim says.

One code of ours has one name. Where BoringSSL splits up what we call by one code, a function tells by the message,
or by how far the handshake got. A code that is not here goes out under its own name, which no test expects.
"""

from __future__ import annotations

from collections.abc import Callable

from glasslock.errors import ConfigurationError, ConnectionTruncated, PeerAlert, TLSError
from glasslock.registry import AlertDescription, CertificateType, ExtensionType, HandshakeType, ProtocolVersion
from glasslock.tls.handshake.agreed import Agreed

from .story import Story


def boring_names(error: Exception, agreed: Agreed, story: Story) -> str:
    """What BoringSSL would call this, with its colons."""
    if isinstance(error, PeerAlert):
        return f":{_alert(error.description, agreed)}:"
    if isinstance(error, ConnectionTruncated):
        return "the connection ended too early"
    if isinstance(error, TLSError):
        name = NAMES.get(error.code, error.code)
        return f":{name if isinstance(name, str) else name(error, agreed, story)}:"
    if isinstance(error, ConfigurationError):
        return "".join(f":{name}:" for text, name in MISTAKES.items() if text in str(error))
    return ""


# --- one code, several names ----------------------------------------------------------------------


def _form(error: TLSError, agreed: Agreed, __: Story) -> str:
    """Bytes without the form they should have: the first word of the message is whose."""
    where = error.message.split()[0]
    if where == "ClientHello":
        return "CLIENTHELLO_PARSE_FAILED"
    if agreed.peer_certificate_type == CertificateType.RAW_PUBLIC_KEY and "vector of 0 bytes" in error.message:
        return "INVALID_RAW_PUBLIC_KEY"
    if where in ("pre_shared_key", "key_share", "cookie", "signature_algorithms"):
        return "DECODE_ERROR"
    if where == "application_layer_protocol_negotiation":
        return "PARSE_TLSEXT"
    extension = where.upper() in ExtensionType.__members__ or where.startswith("ECHConfig")
    return "ERROR_PARSING_EXTENSION" if extension else "DECODE_ERROR"


def _certificate_type(error: TLSError, _: Agreed, __: Story) -> str:
    return "UNKNOWN_CERTIFICATE_TYPE" if error.message.startswith("none of our") else "UNSUPPORTED_CERTIFICATE"


def _misplaced(error: TLSError, _: Agreed, __: Story) -> str:
    return "ERROR_PARSING_EXTENSION" if error.message.endswith("EncryptedExtensions") else "UNEXPECTED_EXTENSION"


def _missing(error: TLSError, _: Agreed, __: Story) -> str:
    if error.message.startswith("CertificateRequest"):
        return "DECODE_ERROR"
    names = {
        "key_share": "MISSING_KEY_SHARE",
        "supported_groups": "NO_SHARED_GROUP",
        "signature_algorithms": "NO_COMMON_SIGNATURE_ALGORITHMS",
    }
    return names.get(error.message.split()[-1], "MISSING_EXTENSION")


def _psk_not_found(_: TLSError, __: Agreed, story: Story) -> str:
    """A server that cannot read our ClientHello has only seen a pre-shared key that is none."""
    decision = story.decisions.get("ech")
    rejected = decision is not None and decision.chosen == "rejected"
    return "UNEXPECTED_EXTENSION" if rejected else "PSK_IDENTITY_NOT_FOUND"


def _psk_unknown(_: TLSError, __: Agreed, story: Story) -> str:
    decision = story.decisions.get("resumption")
    no_mode = decision is not None and decision.why.startswith("no key exchange mode")
    return "NO_SUPPORTED_PSK_MODE" if no_mode else "PSK_IDENTITY_NOT_FOUND"


def _compression(error: TLSError, agreed: Agreed, _: Story) -> str:
    if error.message.startswith("the server"):
        return "UNSUPPORTED_COMPRESSION_ALGORITHM" if agreed.version == ProtocolVersion.TLS_1_2 else "DECODE_ERROR"
    return "INVALID_COMPRESSION_LIST"


def _no_common_scheme(_: TLSError, agreed: Agreed, story: Story) -> str:
    """In TLS 1.2 BoringSSL's server looks for a cipher suite that goes with signature and certificate."""
    server = HandshakeType.CLIENT_HELLO in story.received
    return (
        "NO_SHARED_CIPHER" if agreed.version == ProtocolVersion.TLS_1_2 and server else "NO_COMMON_SIGNATURE_ALGORITHMS"
    )


def _unexpected_message(error: TLSError, _: Agreed, __: Story) -> str:
    return "UNEXPECTED_RECORD" if "ChangeCipherSpec" in error.message else "UNEXPECTED_MESSAGE"


def _session_id_echo(_: TLSError, __: Agreed, story: Story) -> str:
    """The server may have seen our session, which is no session for TLS 1.2, or nothing but an outer hello."""
    other = story.offered_version == ProtocolVersion.TLS_1_3 and "ech" not in story.decisions
    return "OLD_SESSION_VERSION_NOT_RETURNED" if other else "SERVER_ECHOED_INVALID_SESSION_ID"


def _certificate_kind(error: TLSError, _: Agreed, __: Story) -> str:
    return "UNSUPPORTED_ALGORITHM" if "rsassa-pss" in error.message else "WRONG_CERTIFICATE_TYPE"


def _no_certificate(_: TLSError, agreed: Agreed, __: Story) -> str:
    return "DECODE_ERROR" if agreed.version == ProtocolVersion.TLS_1_2 else "PEER_DID_NOT_RETURN_A_CERTIFICATE"


def _version_not_offered(error: TLSError, _: Agreed, __: Story) -> str:
    """In supported_versions a server says TLS 1.3 or nothing."""
    return "UNEXPECTED_EXTENSION" if "tls_1_2" in error.message else "UNSUPPORTED_PROTOCOL"


def _legacy_version(_: TLSError, agreed: Agreed, __: Story) -> str:
    return "DECODE_ERROR" if agreed.retried else "UNSUPPORTED_PROTOCOL"


def _alert(description: int, agreed: Agreed) -> str:
    """OpenSSL named alerts after the first version that had them."""
    if description == AlertDescription.HANDSHAKE_FAILURE and not agreed.version:
        return "HANDSHAKE_FAILURE_ON_CLIENT_HELLO"
    try:
        name = AlertDescription(description).name
    except ValueError:
        return "UNKNOWN_ALERT_TYPE"
    return f"SSLV3_ALERT_{name}" if description in _SINCE_SSL_3 else f"TLSV1_ALERT_{name}"


_SINCE_SSL_3 = frozenset({0, 10, 20, 30, 40, 41, 42, 43, 44, 45, 46, 47})

# --- the table ------------------------------------------------------------------------------------

NAMES: dict[str, str | Callable[[TLSError, Agreed, Story], str]] = {
    # records
    "not-tls": "WRONG_VERSION_NUMBER",
    "record-version": "WRONG_VERSION_NUMBER",
    "http-request": "HTTP_REQUEST",
    "https-proxy-request": "HTTPS_PROXY_REQUEST",
    "record-too-long": "ENCRYPTED_LENGTH_TOO_LONG",
    "plaintext-too-long": "DATA_LENGTH_TOO_LONG",
    "plaintext-record": "INVALID_OUTER_RECORD_TYPE",
    # BoringSSL's queue of errors holds two for this.
    "bad-record-mac": "BAD_DECRYPT: :DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "padding-only": "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "too-many-empty-records": "TOO_MANY_EMPTY_FRAGMENTS",
    "too-many-change-cipher-specs": "TOO_MANY_EMPTY_FRAGMENTS",
    "bad-change-cipher-spec": "BAD_CHANGE_CIPHER_SPEC",
    "unexpected-change-cipher-spec": "UNEXPECTED_RECORD",
    "protected-change-cipher-spec": "UNEXPECTED_RECORD",
    "unknown-record-type": "UNEXPECTED_RECORD",
    "interleaved": "UNEXPECTED_RECORD",
    "excess-handshake-data": "EXCESS_HANDSHAKE_DATA",
    "early-application-data": "UNEXPECTED_RECORD",
    "too-much-early-data": "TOO_MUCH_READ_EARLY_DATA",
    "too-much-skipped-early-data": "TOO_MUCH_SKIPPED_EARLY_DATA",
    # alerts
    "bad-alert": "BAD_ALERT",
    "bad-alert-level": "UNKNOWN_ALERT_TYPE",
    "too-many-warnings": "TOO_MANY_WARNING_ALERTS",
    # messages
    "decode-error": _form,
    "bad-server-name": _form,
    "message-too-large": "EXCESSIVE_MESSAGE_SIZE",
    "unexpected-message": _unexpected_message,
    "no-renegotiation": "NO_RENEGOTIATION",
    "unwanted-certificate-request": "UNEXPECTED_MESSAGE",
    "second-hello-retry-request": "UNEXPECTED_MESSAGE",
    "bad-finished": "DIGEST_CHECK_FAILED",
    "bad-finished-length": "DIGEST_CHECK_FAILED",
    "bad-key-update": "DECODE_ERROR",
    "too-many-key-updates": "TOO_MANY_KEY_UPDATES",
    "certificate-context": "DECODE_ERROR",
    # extensions
    "unsolicited-extension": "UNEXPECTED_EXTENSION",
    "duplicate-extension": "DUPLICATE_EXTENSION",
    "misplaced-extension": _misplaced,
    "missing-extension": _missing,
    # pre-shared keys
    "bad-binder": "DIGEST_CHECK_FAILED",
    "binder-count-mismatch": "PSK_IDENTITY_BINDER_COUNT_MISMATCH",
    "psk-unknown": _psk_unknown,
    "psk-required": "MISSING_EXTENSION",
    "psk-not-last": "PRE_SHARED_KEY_MUST_BE_LAST",
    "psk-not-found": _psk_not_found,
    "psk-hash-mismatch": "OLD_SESSION_PRF_HASH_MISMATCH",
    "psk-without-key-share": "MISSING_KEY_SHARE",
    # early data
    "early-data-alpn": "ALPN_MISMATCH_ON_EARLY_DATA",
    "early-data-suite": "CIPHER_MISMATCH_ON_EARLY_DATA",
    "early-data-psk": "UNEXPECTED_EXTENSION",
    "early-data-version": "WRONG_VERSION_ON_EARLY_DATA",
    # what was agreed, or not
    "unsupported-version": "UNSUPPORTED_PROTOCOL",
    "version-not-offered": _version_not_offered,
    "legacy-version": _legacy_version,
    "downgrade": "TLS13_DOWNGRADE",
    "inappropriate-fallback": "INAPPROPRIATE_FALLBACK",
    "no-common-suite": "NO_SHARED_CIPHER",
    "suite-not-offered": "WRONG_CIPHER_RETURNED",
    "compression": _compression,
    "session-id-echo": _session_id_echo,
    "point-formats": "ERROR_PARSING_EXTENSION",
    "no-secure-renegotiation": "UNSAFE_LEGACY_RENEGOTIATION_DISABLED",
    "resumed-ems-mismatch": "RESUMED_EMS_SESSION_WITHOUT_EMS_EXTENSION",
    "resumed-ems-added": "RESUMED_NON_EMS_SESSION_WITH_EMS_EXTENSION",
    "no-common-curve": "WRONG_CURVE",
    "no-common-group": "NO_SHARED_GROUP",
    "wrong-group": "WRONG_CURVE",
    "bad-key-share": "BAD_ECPOINT",
    "duplicate-key-share": "DUPLICATE_KEY_SHARE",
    "no-application-protocol": "NO_APPLICATION_PROTOCOL",
    "alpn-not-offered": "INVALID_ALPN_PROTOCOL",
    # HelloRetryRequest
    "empty-hello-retry-request": "EMPTY_HELLO_RETRY_REQUEST",
    "retry-wrong-group": "WRONG_CURVE",
    "wrong-retry-share": "WRONG_CURVE",
    "retry-version-changed": "SECOND_SERVERHELLO_VERSION_MISMATCH",
    "retry-suite-changed": "WRONG_CIPHER_RETURNED",
    # who the peer is
    "no-common-signature-scheme": _no_common_scheme,
    "no-matching-issuer": "NO_MATCHING_ISSUER",
    "no-certificate": _no_certificate,
    "wrong-certificate-type": _certificate_kind,
    "certificate-curve": "BAD_ECC_CERT",
    "certificate-required": "PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "unreadable-certificate": "CANNOT_PARSE_LEAF_CERT",
    "key-usage": "KEY_USAGE_BIT_INCORRECT",
    "wrong-signature-type": "WRONG_SIGNATURE_TYPE",
    "bad-signature": "BAD_SIGNATURE",
    "unknown-compression": "UNKNOWN_CERT_COMPRESSION_ALG",
    "decompression-failed": "CERT_DECOMPRESSION_FAILED",
    "certificate-too-large": "UNCOMPRESSED_CERT_TOO_LARGE",
    "certificate-type-not-offered": "UNSUPPORTED_CERTIFICATE",
    "certificate-type-default": "DECODE_ERROR",
    "no-common-certificate-type": _certificate_type,
    # ECH
    "ech-rejected": "ECH_REJECTED",
    "ech-not-confirmed": "INCONSISTENT_ECH_NEGOTIATION",
    "ech-outer-extensions": "INVALID_OUTER_EXTENSION",
    "ech-padding": "DECODE_ERROR",
    "invalid-inner-hello": "INVALID_CLIENT_HELLO_INNER",
    "second-ech-changed": "DECODE_ERROR",
    "second-ech-undecryptable": "DECRYPTION_FAILED",
    # the shim's own decisions
    "certificate-verify-failed": "CERTIFICATE_VERIFY_FAILED",
    "ocsp-callback": "OCSP_CB_ERROR",
}

# What BoringSSL notices when it shakes hands, and we when we are configured: a piece of our message, and its name.
MISTAKES = {
    "versions must not be empty": "NO_SUPPORTED_VERSIONS_ENABLED",
    "no list of signed certificate timestamps": "INVALID_SCT_LIST",
    "this is no ECHConfigList": "INVALID_ECH_CONFIG_LIST",
    "require_ech": "UNUSABLE_ECH_CONFIG_LIST",
    "there is nothing to export from": "HANDSHAKE_NOT_COMPLETE",
    "the private key does not belong to the certificate": "KEY_VALUES_MISMATCH",
}

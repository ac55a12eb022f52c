"""What each alert means, in one sentence for a person (RFC 9846 section 6)."""

from __future__ import annotations

from glasslock.registry import AlertDescription as A

ALERTS: dict[int, str] = {
    A.CLOSE_NOTIFY: "The sender has nothing more to say: an orderly end, nothing was cut off.",
    A.UNEXPECTED_MESSAGE: "A message came out of turn.",
    A.BAD_RECORD_MAC: "A record did not decrypt: it was changed on the way, or the keys differ.",
    A.DECRYPTION_FAILED: "Reserved since TLS 1.1; telling this apart from bad_record_mac helped attackers.",
    A.RECORD_OVERFLOW: "A record was longer than the standard allows.",
    A.DECOMPRESSION_FAILURE: "Reserved; TLS no longer compresses.",
    A.HANDSHAKE_FAILURE: "No set of parameters suits both sides.",
    A.NO_CERTIFICATE: "Reserved since SSL 3.0: the client has no certificate to show.",
    A.BAD_CERTIFICATE: "The certificate is damaged or its signature is wrong.",
    A.UNSUPPORTED_CERTIFICATE: "The certificate is of a kind that the peer cannot use.",
    A.CERTIFICATE_REVOKED: "The certificate was revoked by its issuer.",
    A.CERTIFICATE_EXPIRED: "The certificate has expired or is not yet valid.",
    A.CERTIFICATE_UNKNOWN: "Something else about the certificate was not acceptable.",
    A.ILLEGAL_PARAMETER: "A field has a value that is not allowed, or that contradicts another.",
    A.UNKNOWN_CA: "The chain is whole, but it does not lead to an authority that the peer trusts.",
    A.ACCESS_DENIED: "The certificate is fine, but its holder may not enter.",
    A.DECODE_ERROR: "A message could not be read: a length or a field does not fit.",
    A.DECRYPT_ERROR: "A signature, a Finished or a binder is wrong: somebody does not know the key.",
    A.PROTOCOL_VERSION: "The peer does not speak a version that was offered.",
    A.INSUFFICIENT_SECURITY: "The peer asks for stronger parameters than were offered.",
    A.INTERNAL_ERROR: "Something failed inside the peer that is not the other side's fault.",
    A.INAPPROPRIATE_FALLBACK: "The client came with an older version than both can speak: maybe an attack.",
    A.USER_CANCELED: "The user changed their mind; close_notify follows.",
    A.NO_RENEGOTIATION: "TLS 1.2: the peer does not want to start over.",
    A.MISSING_EXTENSION: "An extension that must be there is not.",
    A.UNSUPPORTED_EXTENSION: "An answer to a question that was not asked.",
    A.UNRECOGNIZED_NAME: "The server does not know the site that was asked for.",
    A.BAD_CERTIFICATE_STATUS_RESPONSE: "The stapled word on revocation is not acceptable.",
    A.UNKNOWN_PSK_IDENTITY: "The server does not know the pre-shared key.",
    A.CERTIFICATE_REQUIRED: "The server asked for a certificate and got none.",
    A.GENERAL_ERROR: "Something failed that no other alert describes.",
    A.NO_APPLICATION_PROTOCOL: "The server speaks none of the protocols that were offered (ALPN).",
    A.ECH_REQUIRED: "The client insists on an encrypted ClientHello, and the server did not take it.",
}

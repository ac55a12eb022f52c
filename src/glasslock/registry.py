"""The IANA code points of TLS, under the names that the registries give them.

Everything that travels as a number on the wire is named here and nowhere else. Unknown numbers are
legal input in most places (peers send GREASE, RFC 8701), so code that reads a peer's list keeps plain
integers and uses `name_of` to show them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from types import SimpleNamespace
from typing import Final, TypeVar, cast


class ProtocolVersion(IntEnum):
    """The two bytes of a protocol version (RFC 9846 section 4.3.1)."""

    SSL_3_0 = 0x0300
    TLS_1_0 = 0x0301
    TLS_1_1 = 0x0302
    TLS_1_2 = 0x0303
    TLS_1_3 = 0x0304


class ContentType(IntEnum):
    """What a record carries (RFC 9846 section 5.1)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class HandshakeType(IntEnum):
    """The first byte of a handshake message (RFC 9846 section 4)."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    END_OF_EARLY_DATA = 5
    ENCRYPTED_EXTENSIONS = 8
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    CERTIFICATE_STATUS = 22
    KEY_UPDATE = 24
    COMPRESSED_CERTIFICATE = 25
    MESSAGE_HASH = 254


class ExtensionType(IntEnum):
    """Hello, certificate and ticket extensions (RFC 9846 section 4.3)."""

    SERVER_NAME = 0
    MAX_FRAGMENT_LENGTH = 1
    STATUS_REQUEST = 5
    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    USE_SRTP = 14
    HEARTBEAT = 15
    APPLICATION_LAYER_PROTOCOL_NEGOTIATION = 16
    SIGNED_CERTIFICATE_TIMESTAMP = 18
    CLIENT_CERTIFICATE_TYPE = 19
    SERVER_CERTIFICATE_TYPE = 20
    PADDING = 21
    ENCRYPT_THEN_MAC = 22
    EXTENDED_MAIN_SECRET = 23
    COMPRESS_CERTIFICATE = 27
    RECORD_SIZE_LIMIT = 28
    DELEGATED_CREDENTIAL = 34
    SESSION_TICKET = 35
    PRE_SHARED_KEY = 41
    EARLY_DATA = 42
    SUPPORTED_VERSIONS = 43
    COOKIE = 44
    PSK_KEY_EXCHANGE_MODES = 45
    CERTIFICATE_AUTHORITIES = 47
    OID_FILTERS = 48
    POST_HANDSHAKE_AUTH = 49
    SIGNATURE_ALGORITHMS_CERT = 50
    KEY_SHARE = 51
    QUIC_TRANSPORT_PARAMETERS = 57
    TICKET_REQUEST = 58
    ECH_OUTER_EXTENSIONS = 0xFD00
    ENCRYPTED_CLIENT_HELLO = 0xFE0D
    RENEGOTIATION_INFO = 0xFF01


class CipherSuite(IntEnum):
    """The cipher suites this engine can speak, and the signalling values it must recognise."""

    TLS_AES_128_GCM_SHA256 = 0x1301
    TLS_AES_256_GCM_SHA384 = 0x1302
    TLS_CHACHA20_POLY1305_SHA256 = 0x1303

    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 = 0xC02B
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 = 0xC02C
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 = 0xC02F
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 = 0xC030
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA8
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 = 0xCCA9
    TLS_RSA_WITH_AES_128_GCM_SHA256 = 0x009C
    TLS_RSA_WITH_AES_256_GCM_SHA384 = 0x009D

    TLS_EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
    TLS_FALLBACK_SCSV = 0x5600


class NamedGroup(IntEnum):
    """Key exchange groups: curves (RFC 9846 section 4.3.7), ML-KEM, and hybrids of both (RFC 10024)."""

    SECP256R1 = 0x0017
    SECP384R1 = 0x0018
    SECP521R1 = 0x0019
    X25519 = 0x001D
    X448 = 0x001E
    MLKEM768 = 0x0201
    MLKEM1024 = 0x0202
    SECP256R1MLKEM768 = 0x11EB
    X25519MLKEM768 = 0x11EC
    SECP384R1MLKEM1024 = 0x11ED


class SignatureScheme(IntEnum):
    """How a handshake or a certificate is signed (RFC 9846 section 4.3.3)."""

    RSA_PKCS1_SHA1 = 0x0201
    ECDSA_SHA1 = 0x0203
    RSA_PKCS1_SHA256 = 0x0401
    ECDSA_SECP256R1_SHA256 = 0x0403
    RSA_PKCS1_SHA384 = 0x0501
    ECDSA_SECP384R1_SHA384 = 0x0503
    RSA_PKCS1_SHA512 = 0x0601
    ECDSA_SECP521R1_SHA512 = 0x0603
    RSA_PSS_RSAE_SHA256 = 0x0804
    RSA_PSS_RSAE_SHA384 = 0x0805
    RSA_PSS_RSAE_SHA512 = 0x0806
    ED25519 = 0x0807
    ED448 = 0x0808
    RSA_PSS_PSS_SHA256 = 0x0809
    RSA_PSS_PSS_SHA384 = 0x080A
    RSA_PSS_PSS_SHA512 = 0x080B
    MLDSA44 = 0x0904
    MLDSA65 = 0x0905
    MLDSA87 = 0x0906


class AlertLevel(IntEnum):
    """Kept on the wire for compatibility; TLS 1.3 goes by the description (RFC 9846 section 6)."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """Why a connection ends (RFC 9846 section 6)."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED = 21
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE = 41
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    GENERAL_ERROR = 117
    NO_APPLICATION_PROTOCOL = 120
    ECH_REQUIRED = 121


class PskKeyExchangeMode(IntEnum):
    """With or without fresh (EC)DHE beside a pre-shared key (RFC 9846 section 4.3.9)."""

    PSK_KE = 0
    PSK_DHE_KE = 1


class KeyUpdateRequest(IntEnum):
    """Whether the sender of a KeyUpdate wants one back (RFC 9846 section 4.7.3)."""

    UPDATE_NOT_REQUESTED = 0
    UPDATE_REQUESTED = 1


class CertificateType(IntEnum):
    """What a Certificate message carries (RFC 7250)."""

    X509 = 0
    RAW_PUBLIC_KEY = 2


class CertificateCompressionAlgorithm(IntEnum):
    """How a CompressedCertificate is compressed (RFC 8879)."""

    ZLIB = 1
    BROTLI = 2
    ZSTD = 3


class ECHClientHelloType(IntEnum):
    """Which of the two hellos an encrypted_client_hello extension stands in (RFC 9849 section 5)."""

    OUTER = 0
    INNER = 1


class HpkeKem(IntEnum):
    """How HPKE agrees on a secret with the holder of a public key (RFC 9180 section 7.1)."""

    DHKEM_P256_HKDF_SHA256 = 0x0010
    DHKEM_X25519_HKDF_SHA256 = 0x0020


class HpkeKdf(IntEnum):
    """How HPKE derives keys (RFC 9180 section 7.2)."""

    HKDF_SHA256 = 0x0001
    HKDF_SHA384 = 0x0002


class HpkeAead(IntEnum):
    """How HPKE encrypts (RFC 9180 section 7.3)."""

    AES_128_GCM = 0x0001
    AES_256_GCM = 0x0002
    CHACHA20_POLY1305 = 0x0003


# By far the most compared of all code points.
TLS_1_2: Final = ProtocolVersion.TLS_1_2
TLS_1_3: Final = ProtocolVersion.TLS_1_3


class Side(IntEnum):
    """Which end of a connection: the one that opens it or the one that answers."""

    CLIENT = 0
    SERVER = 1

    @property
    def peer(self) -> Side:
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


R = TypeVar("R", bound=IntEnum)


def members(registry: type[R]) -> type[R]:
    """The same members under the same names, for code that names many of them: Python 3.11 asks the metaclass of an
    Enum for each, which takes twelve times as long as to look up an attribute.
    """
    return cast("type[R]", SimpleNamespace(**registry.__members__))


def is_grease(value: int) -> bool:
    """Whether a 16-bit code point is one of those reserved by RFC 8701 to keep peers tolerant."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@lru_cache(maxsize=1024)
def name_of(kind: type[IntEnum], value: int) -> str:
    """The registry's name for a code point in lower case; `grease` or the hex number if it has none."""
    try:
        return kind(value).name.lower()
    except ValueError:
        width = 2 if kind in _ONE_BYTE else 4
        return "grease" if width == 4 and is_grease(value) else f"0x{value:0{width}x}"


def names_of(kind: type[IntEnum], values: Iterable[int]) -> tuple[str, ...]:
    """The same for a list; most lists are short and come again."""
    numbers = tuple(values)
    return _names_again(kind, numbers) if len(numbers) <= _USUAL_LIST else tuple([name_of(kind, n) for n in numbers])


_USUAL_LIST = 64  # numbers


@lru_cache(maxsize=256)
def _names_again(kind: type[IntEnum], numbers: tuple[int, ...]) -> tuple[str, ...]:
    return tuple([name_of(kind, number) for number in numbers])


_ONE_BYTE = frozenset(
    {
        ContentType,
        HandshakeType,
        AlertLevel,
        AlertDescription,
        PskKeyExchangeMode,
        KeyUpdateRequest,
        CertificateType,
        ECHClientHelloType,
    }
)

"""What a ClientHello says, read once and checked for form (RFC 9846 section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...registry import TLS_1_3, ECHClientHelloType, ExtensionType, members
from ..wire import extensions as ext
from ..wire.messages import ClientHello
from .context import illegal

if TYPE_CHECKING:
    from ..ech.hello import OpenedHello

_E = members(ExtensionType)


@dataclass(slots=True)
class ClientWishes:
    """The client's extensions as values; None or empty where it said nothing."""

    hello: ClientHello
    versions: tuple[int, ...] | None = None
    server_name: str | None = None
    groups: tuple[int, ...] | None = None
    shares: dict[int, bytes] | None = None
    schemes: tuple[int, ...] | None = None
    schemes_cert: tuple[int, ...] | None = None
    protocols: tuple[bytes, ...] = ()
    psk_modes: tuple[int, ...] | None = None
    psks: ext.OfferedPsks | None = None
    early_data: bool = False
    cookie: bytes | None = None
    wants_ocsp: bool = False
    wants_scts: bool = False
    compression: tuple[int, ...] = ()
    record_size_limit: int | None = None
    authorities: tuple[bytes, ...] = ()
    client_certificate_types: tuple[int, ...] | None = None
    server_certificate_types: tuple[int, ...] | None = None
    post_handshake_auth: bool = False
    ticket_request: tuple[int, int] | None = None
    extended_main_secret: bool = False
    session_ticket: bytes | None = None
    renegotiation_info: bytes | None = None
    point_formats: tuple[int, ...] | None = None
    ech: ECHClientHelloType | None = None
    opened: OpenedHello | None = None  # ECH: this hello was encrypted, and so will be the next


def read_wishes(
    hello: ClientHello, opened: OpenedHello | None = None, *, versions: tuple[int, ...] = (TLS_1_3,)
) -> ClientWishes:
    """Every extension that we know, parsed; those that we do not know are ignored.

    `versions` are ours: where TLS 1.3 will not be spoken, its extensions are among those that we do not know.
    """
    wishes = ClientWishes(hello, opened=opened)
    found = hello.extensions
    if _E.SUPPORTED_VERSIONS in found:
        wishes.versions = ext.read_client_versions(found[_E.SUPPORTED_VERSIONS])
    tls13 = TLS_1_3 in versions and offers_tls13(wishes)
    readers = _READERS_13 if tls13 else _READERS
    for kind, data in found.items():
        reader = readers.get(kind)
        if reader is not None:
            field, read = reader
            setattr(wishes, field, read(data) if len(data) > _SHORT or kind in _FRESH else _read_again(kind, data))
    if tls13 and _E.PRE_SHARED_KEY in found and next(reversed(found)) != _E.PRE_SHARED_KEY:
        raise illegal("psk-not-last", "pre_shared_key is not the last extension", "RFC 9846 section 4.3.11")
    return wishes


def offers_tls13(wishes: ClientWishes) -> bool:
    return wishes.versions is not None and TLS_1_3 in wishes.versions


_SHORT = 64  # bytes of an extension whose values may be remembered: enough for the lists that programs send
# What differs from hello to hello.
_FRESH = frozenset({_E.KEY_SHARE, _E.PRE_SHARED_KEY, _E.COOKIE, _E.SESSION_TICKET, _E.ENCRYPTED_CLIENT_HELLO})


@lru_cache(maxsize=1024)
def _read_again(kind: int, data: bytes) -> Any:
    """Most hellos are from programs that have been here before, and say the same again."""
    return _READERS_13[kind][1](data)


def _numbers(what: str) -> Callable[[bytes], tuple[int, ...]]:
    return lambda data: ext.read_u16_vector(data, what)


def _small_numbers(what: str) -> Callable[[bytes], tuple[int, ...]]:
    return lambda data: ext.read_u8_vector(data, what)


def _flag(extension: ExtensionType) -> Callable[[bytes], bool]:
    """An extension that speaks by being there."""

    def read(data: bytes) -> bool:
        ext.read_empty(data, extension)
        return True

    return read


def _certificate_types(extension: ExtensionType) -> Callable[[bytes], tuple[int, ...]]:
    return lambda data: ext.read_certificate_types(data, extension)


def _ech_type(data: bytes) -> ECHClientHelloType:
    from ..ech.hello import read_type

    return read_type(data)


def _as_it_is(data: bytes) -> bytes:
    return data


# Extension to the field of ClientWishes that it fills, and how it is read.
_Readers = dict[int, tuple[str, Callable[[bytes], Any]]]

_READERS: _Readers = {
    _E.SERVER_NAME: ("server_name", ext.read_server_name),
    _E.SUPPORTED_GROUPS: ("groups", _numbers("supported_groups")),
    _E.SIGNATURE_ALGORITHMS: ("schemes", _numbers("signature_algorithms")),
    _E.SIGNATURE_ALGORITHMS_CERT: ("schemes_cert", _numbers("signature_algorithms_cert")),
    _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: ("protocols", ext.read_protocols),
    _E.STATUS_REQUEST: ("wants_ocsp", ext.wants_ocsp),
    _E.SIGNED_CERTIFICATE_TIMESTAMP: ("wants_scts", _flag(_E.SIGNED_CERTIFICATE_TIMESTAMP)),
    _E.RECORD_SIZE_LIMIT: ("record_size_limit", ext.read_record_size_limit),
    _E.CERTIFICATE_AUTHORITIES: ("authorities", ext.read_certificate_authorities),
    _E.CLIENT_CERTIFICATE_TYPE: ("client_certificate_types", _certificate_types(_E.CLIENT_CERTIFICATE_TYPE)),
    _E.SERVER_CERTIFICATE_TYPE: ("server_certificate_types", _certificate_types(_E.SERVER_CERTIFICATE_TYPE)),
    _E.EXTENDED_MAIN_SECRET: ("extended_main_secret", _flag(_E.EXTENDED_MAIN_SECRET)),
    _E.SESSION_TICKET: ("session_ticket", _as_it_is),
    _E.RENEGOTIATION_INFO: ("renegotiation_info", _as_it_is),
    _E.EC_POINT_FORMATS: ("point_formats", _small_numbers("ec_point_formats")),
    _E.ENCRYPTED_CLIENT_HELLO: ("ech", _ech_type),
}

_READERS_13: _Readers = _READERS | {
    _E.KEY_SHARE: ("shares", ext.read_client_shares),
    _E.PSK_KEY_EXCHANGE_MODES: ("psk_modes", _small_numbers("psk_key_exchange_modes")),
    _E.PRE_SHARED_KEY: ("psks", ext.read_offered_psks),
    _E.EARLY_DATA: ("early_data", _flag(_E.EARLY_DATA)),
    _E.COOKIE: ("cookie", ext.read_cookie),
    _E.COMPRESS_CERTIFICATE: ("compression", ext.read_compression_algorithms),
    _E.POST_HANDSHAKE_AUTH: ("post_handshake_auth", _flag(_E.POST_HANDSHAKE_AUTH)),
    _E.TICKET_REQUEST: ("ticket_request", ext.read_ticket_request),
}

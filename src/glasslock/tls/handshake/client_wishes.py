"""What a ClientHello says, read once and checked for form (RFC 9846 section 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...registry import ECHClientHelloType, ExtensionType, ProtocolVersion
from ..wire import extensions as ext
from ..wire.messages import ClientHello
from .context import illegal

if TYPE_CHECKING:
    from ..ech.hello import OpenedHello

_E = ExtensionType


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
    hello: ClientHello, opened: OpenedHello | None = None, *, versions: tuple[int, ...] = (ProtocolVersion.TLS_1_3,)
) -> ClientWishes:
    """Every extension that we know, parsed; those that we do not know are ignored.

    `versions` are ours: where TLS 1.3 will not be spoken, its extensions are among those that we do not know.
    """
    wishes = ClientWishes(hello, opened=opened)
    found = hello.extensions
    if _E.SUPPORTED_VERSIONS in found:
        wishes.versions = ext.read_client_versions(found[_E.SUPPORTED_VERSIONS])
    tls13 = ProtocolVersion.TLS_1_3 in versions and offers_tls13(wishes)
    for kind, data in found.items():
        reader = _READERS.get(kind) or (_READERS_13.get(kind) if tls13 else None)
        if reader is not None:
            reader(wishes, data)
    if tls13 and _E.PRE_SHARED_KEY in found and next(reversed(found)) != _E.PRE_SHARED_KEY:
        raise illegal("psk-not-last", "pre_shared_key is not the last extension", "RFC 9846 section 4.3.11")
    return wishes


def offers_tls13(wishes: ClientWishes) -> bool:
    return wishes.versions is not None and ProtocolVersion.TLS_1_3 in wishes.versions


def _server_name(wishes: ClientWishes, data: bytes) -> None:
    wishes.server_name = ext.read_server_name(data)


def _groups(wishes: ClientWishes, data: bytes) -> None:
    wishes.groups = ext.read_u16_vector(data, "supported_groups")


def _shares(wishes: ClientWishes, data: bytes) -> None:
    wishes.shares = ext.read_client_shares(data)


def _schemes(wishes: ClientWishes, data: bytes) -> None:
    wishes.schemes = ext.read_u16_vector(data, "signature_algorithms")


def _schemes_cert(wishes: ClientWishes, data: bytes) -> None:
    wishes.schemes_cert = ext.read_u16_vector(data, "signature_algorithms_cert")


def _protocols(wishes: ClientWishes, data: bytes) -> None:
    wishes.protocols = ext.read_protocols(data)


def _psk_modes(wishes: ClientWishes, data: bytes) -> None:
    wishes.psk_modes = ext.read_u8_vector(data, "psk_key_exchange_modes")


def _psks(wishes: ClientWishes, data: bytes) -> None:
    wishes.psks = ext.read_offered_psks(data)


def _early_data(wishes: ClientWishes, data: bytes) -> None:
    ext.read_empty(data, _E.EARLY_DATA)
    wishes.early_data = True


def _cookie(wishes: ClientWishes, data: bytes) -> None:
    wishes.cookie = ext.read_cookie(data)


def _status_request(wishes: ClientWishes, data: bytes) -> None:
    wishes.wants_ocsp = ext.read_status_request(data) == ext.OCSP


def _scts(wishes: ClientWishes, data: bytes) -> None:
    ext.read_empty(data, _E.SIGNED_CERTIFICATE_TIMESTAMP)
    wishes.wants_scts = True


def _compression(wishes: ClientWishes, data: bytes) -> None:
    wishes.compression = ext.read_compression_algorithms(data)


def _record_size_limit(wishes: ClientWishes, data: bytes) -> None:
    wishes.record_size_limit = ext.read_record_size_limit(data)


def _authorities(wishes: ClientWishes, data: bytes) -> None:
    wishes.authorities = ext.read_certificate_authorities(data)


def _client_certificate_types(wishes: ClientWishes, data: bytes) -> None:
    wishes.client_certificate_types = ext.read_certificate_types(data, _E.CLIENT_CERTIFICATE_TYPE)


def _server_certificate_types(wishes: ClientWishes, data: bytes) -> None:
    wishes.server_certificate_types = ext.read_certificate_types(data, _E.SERVER_CERTIFICATE_TYPE)


def _post_handshake_auth(wishes: ClientWishes, data: bytes) -> None:
    ext.read_empty(data, _E.POST_HANDSHAKE_AUTH)
    wishes.post_handshake_auth = True


def _ticket_request(wishes: ClientWishes, data: bytes) -> None:
    wishes.ticket_request = ext.read_ticket_request(data)


def _extended_main_secret(wishes: ClientWishes, data: bytes) -> None:
    ext.read_empty(data, _E.EXTENDED_MAIN_SECRET)
    wishes.extended_main_secret = True


def _session_ticket(wishes: ClientWishes, data: bytes) -> None:
    wishes.session_ticket = data


def _renegotiation_info(wishes: ClientWishes, data: bytes) -> None:
    wishes.renegotiation_info = data


def _point_formats(wishes: ClientWishes, data: bytes) -> None:
    wishes.point_formats = ext.read_u8_vector(data, "ec_point_formats")


def _encrypted_client_hello(wishes: ClientWishes, data: bytes) -> None:
    from ..ech.hello import read_type

    wishes.ech = read_type(data)


_Readers = dict[int, Callable[[ClientWishes, bytes], None]]

_READERS_13: _Readers = {
    _E.KEY_SHARE: _shares,
    _E.PSK_KEY_EXCHANGE_MODES: _psk_modes,
    _E.PRE_SHARED_KEY: _psks,
    _E.EARLY_DATA: _early_data,
    _E.COOKIE: _cookie,
    _E.COMPRESS_CERTIFICATE: _compression,
    _E.POST_HANDSHAKE_AUTH: _post_handshake_auth,
    _E.TICKET_REQUEST: _ticket_request,
}

_READERS: _Readers = {
    _E.SERVER_NAME: _server_name,
    _E.SUPPORTED_GROUPS: _groups,
    _E.SIGNATURE_ALGORITHMS: _schemes,
    _E.SIGNATURE_ALGORITHMS_CERT: _schemes_cert,
    _E.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: _protocols,
    _E.STATUS_REQUEST: _status_request,
    _E.SIGNED_CERTIFICATE_TIMESTAMP: _scts,
    _E.RECORD_SIZE_LIMIT: _record_size_limit,
    _E.CERTIFICATE_AUTHORITIES: _authorities,
    _E.CLIENT_CERTIFICATE_TYPE: _client_certificate_types,
    _E.SERVER_CERTIFICATE_TYPE: _server_certificate_types,
    _E.EXTENDED_MAIN_SECRET: _extended_main_secret,
    _E.SESSION_TICKET: _session_ticket,
    _E.RENEGOTIATION_INFO: _renegotiation_info,
    _E.EC_POINT_FORMATS: _point_formats,
    _E.ENCRYPTED_CLIENT_HELLO: _encrypted_client_hello,
}

"""The contents of extensions (RFC 9846 section 4.3 and the RFC named beside each), read and written.

A `read_…` function takes the bytes of one extension and raises `PeerMisbehaved` when they do not have
their form; a `write_…` function makes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from struct import pack
from typing import NamedTuple

from ...errors import PeerMisbehaved
from ...registry import AlertDescription, CertificateType, ExtensionType
from .codec import (
    Reader,
    decode_error,
    u8,
    u16,
    u16_list,
    u16_vector,
    u32,
    vector8,
    vector16,
    whole_vector8,
    whole_vector16,
)

HOST_NAME = 0  # the only NameType that server_name has (RFC 6066 section 3)
MAX_HOST_NAME = 255  # bytes: more than any name in the DNS can have
_PRINTABLE = bytes(range(0x21, 0x7F))
OCSP = 1  # the only CertificateStatusType in use (RFC 6066 section 8)


# What is written of a config or of a host's name is the same again and again.
_remembered = lru_cache(maxsize=256)


# --- server_name (RFC 6066 section 3) -------------------------------------------------------------


@_remembered
def write_server_name(host_name: str) -> bytes:
    """ServerNameList with one host_name; `host_name` is ASCII without a trailing dot."""
    name = host_name.encode("ascii")
    return vector16(u8(HOST_NAME) + vector16(name))


def read_server_name(data: bytes) -> str | None:
    """The host name a client asks for; None if it names only what nobody has defined yet.

    decode_error for what is no list of names, illegal_parameter for two host names or one that cannot be.
    """
    names = Reader(whole_vector16(data, "server_name", 1), "server_name")
    hosts = []
    while names.remaining:
        kind = names.u8()
        name = names.vector16(1 if kind == HOST_NAME else 0)  # every NameType begins with its length
        if kind == HOST_NAME:
            hosts.append(name)
    if len(hosts) > 1:
        raise _bad_server_name("server_name has more than one host name")
    if not hosts:
        return None
    host = hosts[0]
    if len(host) > MAX_HOST_NAME or host.translate(None, _PRINTABLE):
        raise _bad_server_name("the host name in server_name is none: it is too long, or not printable ASCII")
    return host.decode("ascii")


def _bad_server_name(message: str) -> PeerMisbehaved:
    return PeerMisbehaved(AlertDescription.ILLEGAL_PARAMETER, "bad-server-name", message, "RFC 6066 section 3")


# --- supported_versions (section 4.3.1) -----------------------------------------------------------


@_remembered
def write_client_versions(versions: tuple[int, ...]) -> bytes:
    return vector8(pack(f">{len(versions)}H", *versions))


def read_client_versions(data: bytes) -> tuple[int, ...]:
    return u16_list(whole_vector8(data, "supported_versions", 2, 254), "supported_versions")


def read_u16(data: bytes, what: str) -> int:
    """An extension that is one number: selected version, selected group, PSK index."""
    if len(data) == 2:
        return data[0] << 8 | data[1]
    reader = Reader(data, what)
    reader.u16()
    raise reader.too_long()


# --- lists of numbers -----------------------------------------------------------------------------


def read_u16_vector(data: bytes, what: str, minimum: int = 2) -> tuple[int, ...]:
    """supported_groups, signature_algorithms, signature_algorithms_cert."""
    return u16_list(whole_vector16(data, what, minimum), what)


@_remembered
def write_u16_vector(numbers: tuple[int, ...]) -> bytes:
    return u16_vector(numbers)


def read_u8_vector(data: bytes, what: str, minimum: int = 1) -> tuple[int, ...]:
    """psk_key_exchange_modes, certificate types, ec_point_formats."""
    return tuple(whole_vector8(data, what, minimum))


@_remembered
def write_u8_vector(numbers: tuple[int, ...]) -> bytes:
    return vector8(bytes(numbers))


def read_compression_algorithms(data: bytes) -> tuple[int, ...]:
    """compress_certificate (RFC 8879 section 3)."""
    return u16_list(whole_vector8(data, "compress_certificate", 2, 254), "compress_certificate")


@_remembered
def write_compression_algorithms(algorithms: tuple[int, ...]) -> bytes:
    return vector8(pack(f">{len(algorithms)}H", *algorithms))


# --- cookie (section 4.3.2) -----------------------------------------------------------------------


def read_cookie(data: bytes) -> bytes:
    return whole_vector16(data, "cookie", 1)


def write_cookie(cookie: bytes) -> bytes:
    return vector16(cookie)


# --- application_layer_protocol_negotiation (RFC 7301) --------------------------------------------


def read_protocols(data: bytes) -> tuple[bytes, ...]:
    names = Reader(
        whole_vector16(data, "application_layer_protocol_negotiation", 2), "application_layer_protocol_negotiation"
    )
    found = []
    while names.remaining:
        found.append(names.vector8(1))
    return tuple(found)


@_remembered
def write_protocols(protocols: tuple[bytes, ...]) -> bytes:
    return vector16(b"".join([vector8(protocol) for protocol in protocols]))


# --- key_share (section 4.3.8) --------------------------------------------------------------------


def read_client_shares(data: bytes) -> dict[int, bytes]:
    """Group to key_exchange, in the client's order; a group may appear once only."""
    entries = Reader(whole_vector16(data, "key_share"), "key_share")
    shares: dict[int, bytes] = {}
    while entries.remaining:
        group = entries.u16()
        if group in shares:
            raise PeerMisbehaved(
                AlertDescription.ILLEGAL_PARAMETER,
                "duplicate-key-share",
                "key_share has two entries for the same group",
                "RFC 9846 section 4.3.8",
            )
        shares[group] = entries.vector16(1)
    return shares


def write_client_shares(shares: dict[int, bytes]) -> bytes:
    return vector16(b"".join([u16(group) + vector16(share) for group, share in shares.items()]))


def read_server_share(data: bytes) -> tuple[int, bytes]:
    if len(data) > 4 and len(data) - 4 == data[2] << 8 | data[3]:
        return data[0] << 8 | data[1], data[4:]
    reader = Reader(data, "key_share")  # knows what is wrong
    group = reader.u16()
    share = reader.vector16(1)
    reader.finish()
    return group, share


def write_server_share(group: int, share: bytes) -> bytes:
    return u16(group) + vector16(share)


# --- pre_shared_key (section 4.3.11) --------------------------------------------------------------


class OfferedPsks(NamedTuple):
    """struct { PskIdentity identities<7..2^16-1>; PskBinderEntry binders<33..2^16-1>; } OfferedPsks;"""

    identities: tuple[tuple[bytes, int], ...]  # identity, obfuscated ticket age in milliseconds
    binders: tuple[bytes, ...]
    binders_length: int  # bytes that the binders take at the end of ClientHello, their length included


def read_offered_psks(data: bytes) -> OfferedPsks:
    reader = Reader(data, "pre_shared_key")
    identities = Reader(reader.vector16(7), "pre_shared_key")
    binders_start = reader.position
    binders = Reader(reader.vector16(33), "pre_shared_key")
    reader.finish()
    found: list[tuple[bytes, int]] = []
    while identities.remaining:
        found.append((identities.vector16(1), identities.u32()))
    proofs = []
    while binders.remaining:
        proofs.append(binders.vector8(32))
    if len(proofs) != len(found):
        raise PeerMisbehaved(
            AlertDescription.ILLEGAL_PARAMETER,
            "binder-count-mismatch",
            f"pre_shared_key has {len(found)} identities but {len(proofs)} binders",
            "RFC 9846 section 4.3.11",
        )
    return OfferedPsks(tuple(found), tuple(proofs), len(data) - binders_start)


def write_offered_psks(identities: tuple[tuple[bytes, int], ...], binders: tuple[bytes, ...]) -> bytes:
    first = b"".join([vector16(identity) + u32(age) for identity, age in identities])
    return vector16(first) + write_binders(binders)


def write_binders(binders: Iterable[bytes]) -> bytes:
    """The end of pre_shared_key, and so of the ClientHello."""
    return vector16(b"".join([vector8(binder) for binder in binders]))


# --- status_request and signed_certificate_timestamp (RFC 6066 section 8, RFC 6962) ---------------

STATUS_REQUEST_OCSP = u8(OCSP) + vector16(b"") + vector16(b"")


def wants_ocsp(data: bytes) -> bool:
    """Whether a client's status_request asks for an OCSP response."""
    reader = Reader(data, "status_request")
    kind = reader.u8()
    if kind == OCSP:
        reader.vector16()
        reader.vector16()
        reader.finish()
    return kind == OCSP


def write_ocsp_status(response: bytes) -> bytes:
    return u8(OCSP) + len(response).to_bytes(3, "big") + response


def read_ocsp_status(data: bytes) -> bytes:
    """`CertificateStatus`: the stapled OCSP response, DER."""
    reader = Reader(data, "CertificateStatus")
    if reader.u8() != OCSP:
        raise decode_error("CertificateStatus is not of the type ocsp", "RFC 6066 section 8")
    response = reader.vector24(1)
    reader.finish()
    return response


def check_sct_list(data: bytes) -> None:
    """SignedCertificateTimestampList: at least one timestamp, none empty (RFC 6962 section 3.3)."""
    items = Reader(whole_vector16(data, "signed_certificate_timestamp", 1), "signed_certificate_timestamp")
    while items.remaining:
        items.vector16(1)


# --- client_certificate_type and server_certificate_type (RFC 7250 section 3) ----------------------


def read_certificate_types(data: bytes, extension: ExtensionType) -> tuple[int, ...]:
    """A client's list; one that says no more than the default must not be sent (section 4.1)."""
    types = read_u8_vector(data, extension.name.lower())
    if types == (CertificateType.X509,):
        raise PeerMisbehaved(
            AlertDescription.ILLEGAL_PARAMETER,
            "certificate-type-default",
            f"{extension.name.lower()} lists nothing but X.509, which goes without saying",
            "RFC 7250 section 4.1",
        )
    return types


def read_certificate_type(data: bytes, extension: ExtensionType) -> int:
    """A server's choice."""
    reader = Reader(data, extension.name.lower())
    chosen = reader.u8()
    reader.finish()
    return chosen


# --- the rest -------------------------------------------------------------------------------------


def read_certificate_authorities(data: bytes) -> tuple[bytes, ...]:
    """The DER distinguished names that a side trusts (section 4.3.4)."""
    names = Reader(whole_vector16(data, "certificate_authorities", 3), "certificate_authorities")
    found = []
    while names.remaining:
        found.append(names.vector16(1))
    return tuple(found)


def write_certificate_authorities(names: tuple[bytes, ...]) -> bytes:
    return vector16(b"".join([vector16(name) for name in names]))


def read_early_data_size(data: bytes) -> int:
    """max_early_data_size of a ticket, in bytes (section 4.3.10)."""
    reader = Reader(data, "early_data")
    size = reader.u32()
    reader.finish()
    return size


def read_record_size_limit(data: bytes) -> int:
    """The largest record the peer wants to receive, in bytes (RFC 8449 section 4)."""
    limit = read_u16(data, "record_size_limit")
    if limit < 64:
        raise PeerMisbehaved(
            AlertDescription.ILLEGAL_PARAMETER,
            "record-size-limit",
            f"record_size_limit is {limit}; less than 64 is not allowed",
            "RFC 8449 section 4",
        )
    return limit


def read_ticket_request(data: bytes) -> tuple[int, int]:
    """How many tickets for a new session and how many for a resumption (RFC 9149 section 2)."""
    reader = Reader(data, "ticket_request")
    fresh, resumed = reader.u8(), reader.u8()
    reader.finish()
    return fresh, resumed


def read_expected_tickets(data: bytes) -> int:
    """How many tickets the server means to send (RFC 9149 section 3)."""
    reader = Reader(data, "ticket_request")
    count = reader.u8()
    reader.finish()
    return count


def read_empty(data: bytes, extension: ExtensionType) -> None:
    """An extension that speaks by being there."""
    if data:
        raise decode_error(f"{extension.name.lower()} has {len(data)} bytes; it is empty by definition")

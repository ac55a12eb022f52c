"""One IP packet with a TCP header, read from bytes: what a saved SYN and a captured packet have in common.

The bytes come from the network, so nothing here trusts a length it did not check; what is not a whole,
unfragmented TCP header over IPv4 or IPv6 reads as None.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from ..trace import TcpPacket

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))

# In the order in which the flags are said: SYN ACK, PSH ACK, ECE CWR.
_FLAG_NAMES = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (URG, "URG"),
    (ACK, "ACK"),
    (ECE, "ECE"),
    (CWR, "CWR"),
)
_PROTOCOL_TCP = 6
# RFC 9293 section 3.1: data offset and flags share 16 bits; checksum and urgent pointer are not looked at.
_TCP_HEADER = struct.Struct("!HHIIHH4x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The headers of one TCP packet. `raw` is the IP header, the TCP header and whatever was kept behind."""

    source: tuple[str, int]
    destination: tuple[str, int]
    ttl: int
    flags: int
    sequence: int
    acknowledgment: int
    window: int  # as on the wire, before any scaling
    options: tuple[str, ...]
    payload_length: int
    tcp_header: bytes
    raw: bytes

    def as_trace(self, *, time: float, direction: str) -> TcpPacket:
        """Return what the trace keeps of it; `time` in seconds since the epoch."""
        return TcpPacket(
            time=time,
            direction=direction,
            flags=" ".join(name for bit, name in _FLAG_NAMES if self.flags & bit),
            ttl=self.ttl,
            sequence=self.sequence,
            acknowledgment=self.acknowledgment,
            window=self.window,
            options=self.options,
            raw=self.raw,
        )


def parse_packet(data: bytes) -> Packet | None:
    """Read the headers of a packet that begins with its IP header; None if it is not plain TCP."""
    network = _parse_ip(data)
    if network is None:
        return None
    source, destination, ttl, start, end = network
    if len(data) < start + 20:
        return None
    source_port, destination_port, sequence, acknowledgment, offset_and_flags, window = _TCP_HEADER.unpack_from(
        data, start
    )
    body = start + (offset_and_flags >> 12) * 4
    if body < start + 20 or body > min(len(data), end):
        return None
    return Packet(
        source=(source, source_port),
        destination=(destination, destination_port),
        ttl=ttl,
        flags=offset_and_flags & 0xFF,
        sequence=sequence,
        acknowledgment=acknowledgment,
        window=window,
        options=parse_options(data[start + 20 : body]),
        payload_length=end - body,
        tcp_header=data[start:body],
        raw=data,
    )


def _parse_ip(data: bytes) -> tuple[str, str, int, int, int] | None:
    """Return source, destination, TTL or hop limit, and where TCP begins and ends."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= 20:  # RFC 791 section 3.1
        start, end = (data[0] & 0x0F) * 4, int.from_bytes(data[2:4])
        is_fragment = int.from_bytes(data[6:8]) & 0x3FFF
        if start < 20 or data[9] != _PROTOCOL_TCP or is_fragment:
            return None
        v4_source, v4_destination = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
        return v4_source, v4_destination, data[8], start, end
    if version == 6 and len(data) >= 40:  # RFC 8200 section 3; behind extension headers we do not look
        if data[6] != _PROTOCOL_TCP:
            return None
        v6_source, v6_destination = (str(ipaddress.IPv6Address(data[at : at + 16])) for at in (8, 24))
        return v6_source, v6_destination, data[7], 40, 40 + int.from_bytes(data[4:6])
    return None


def parse_options(data: bytes) -> tuple[str, ...]:
    """Put TCP options (at most 40 bytes) into words, in their order; behind a broken one nothing is read."""
    words: list[str] = []
    at = 0
    while at < len(data):
        kind = data[at]
        if kind == 0:
            words.append("end of options")
            break
        if kind == 1:
            words.append("NOP")
            at += 1
            continue
        length = data[at + 1] if at + 1 < len(data) else 0
        if length < 2 or at + length > len(data):
            words.append(f"broken option {kind}")
            break
        words.append(_option_in_words(kind, data[at + 2 : at + length]))
        at += length
    return tuple(words)


def _option_in_words(kind: int, value: bytes) -> str:
    """Name one option of the IANA registry "TCP Option Kind Numbers"."""
    number = int.from_bytes(value)
    match kind, len(value):
        case 2, 2:
            return f"MSS {number}"
        case 3, 1:
            return f"window scale {number}"
        case 4, 0:
            return "SACK permitted"
        case 8, 8:
            return f"timestamp {number >> 32} echo {number & 0xFFFFFFFF}"
        case 30, _:
            return "multipath TCP"
        case 34, 0:
            return "fast open cookie request"
        case 34, _:
            return f"fast open cookie {value.hex()}"
        case _:
            return f"option {kind} ({len(value)} bytes)"

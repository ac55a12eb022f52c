"""TCP packets from bytes, whole and broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.tcp.packet import ACK, SYN, Packet, parse_options, parse_packet

# Kept by a Linux 6.18 kernel with TCP_SAVE_SYN of a connection over loopback.
SYN_V4 = bytes.fromhex(
    "4500003c88a240004006b4177f0000017f000001c1c68d7bd29042f700000000a002ffd7fe300000"
    "0204ffd70402080a25ed1f8e000000000103030a"
)
# The same TCP header behind an IPv6 header from ::1 to ::1, payload length 40.
SYN_V6 = bytes.fromhex("6000000000280640" + "00" * 15 + "01" + "00" * 15 + "01") + SYN_V4[20:]


def test_a_saved_syn() -> None:
    packet = parse_packet(SYN_V4)
    assert packet is not None
    assert packet.source == ("127.0.0.1", 49606)
    assert packet.destination == ("127.0.0.1", 36219)
    assert packet.ttl == 64
    assert packet.flags == SYN
    assert packet.sequence == 0xD29042F7
    assert packet.acknowledgment == 0
    assert packet.window == 65495
    assert packet.options == (
        "MSS 65495",
        "SACK permitted",
        "timestamp 636297102 echo 0",
        "NOP",
        "window scale 10",
    )
    assert packet.payload_length == 0
    assert packet.tcp_header == SYN_V4[20:]
    traced = packet.as_trace(time=1.5, direction="received")
    assert (traced.flags, traced.ttl, traced.time, traced.raw) == ("SYN", 64, 1.5, SYN_V4)


def test_over_ipv6() -> None:
    packet = parse_packet(SYN_V6)
    assert packet is not None
    assert packet.source == ("::1", 49606)
    assert (packet.ttl, packet.flags, packet.payload_length) == (64, SYN, 0)


def test_payload_that_was_cut_off_by_the_snap_length_still_counts() -> None:
    longer = bytearray(SYN_V4)
    longer[2:4] = (60 + 1000).to_bytes(2)
    packet = parse_packet(bytes(longer))
    assert packet is not None
    assert packet.payload_length == 1000


@pytest.mark.parametrize(
    ("flags", "words"),
    [(SYN | ACK, "SYN ACK"), (ACK, "ACK"), (0, ""), (0xFF, "SYN FIN RST PSH URG ACK ECE CWR")],
)
def test_flags_in_words(flags: int, words: str) -> None:
    data = bytearray(SYN_V4)
    data[33] = flags
    packet = parse_packet(bytes(data))
    assert packet is not None
    assert packet.as_trace(time=0, direction="sent").flags == words


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (0, 0x35, "not IP"),
        (0, 0x44, "IP header shorter than it can be"),
        (0, 0x4F, "IP header that swallows the TCP header"),
        (9, 17, "UDP"),
        (6, 0x20, "more fragments"),
        (7, 0x01, "a later fragment"),
        (3, 39, "total length without the TCP header"),
        (32, 0x40, "TCP header shorter than it can be"),
        (32, 0xF0, "TCP header longer than the packet"),
    ],
)
def test_what_is_not_a_whole_tcp_header_is_not_read(at: int, value: int, what: str) -> None:
    data = bytearray(SYN_V4)
    data[at] = value
    assert parse_packet(bytes(data)) is None, what


def test_ipv6_extension_headers_are_not_read() -> None:
    data = bytearray(SYN_V6)
    data[6] = 44  # fragment
    assert parse_packet(bytes(data)) is None


@pytest.mark.parametrize("whole", [SYN_V4, SYN_V6], ids=["IPv4", "IPv6"])
def test_no_part_of_a_packet_is_a_packet(whole: bytes) -> None:
    for length in range(len(whole)):
        assert parse_packet(whole[:length]) is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x45", SYN_V4[:20], SYN_V6[:40]]))
def test_any_bytes_read_as_a_packet_or_as_none(data: bytes, start: bytes) -> None:
    assert isinstance(parse_packet(start + data), Packet | None)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", ()),
        ("0101", ("NOP", "NOP")),
        ("01000204", ("NOP", "end of options")),
        ("020405b4", ("MSS 1460",)),
        ("030307", ("window scale 7",)),
        ("0402", ("SACK permitted",)),
        ("2202", ("fast open cookie request",)),
        ("2206aabbccdd", ("fast open cookie aabbccdd",)),
        ("1e0c" + "00" * 10, ("multipath TCP",)),
        ("fd04beef", ("option 253 (2 bytes)",)),
        ("02030501", ("option 2 (1 bytes)", "NOP")),  # an MSS of the wrong size is not called one
        ("02", ("broken option 2",)),
        ("0200", ("broken option 2",)),
        ("0201", ("broken option 2",)),
        ("0101020405", ("NOP", "NOP", "broken option 2")),
    ],
)
def test_options_in_words(data: str, words: tuple[str, ...]) -> None:
    assert parse_options(bytes.fromhex(data)) == words


@given(st.binary(max_size=40))
def test_any_options_end(data: bytes) -> None:
    assert len(parse_options(data)) <= len(data)

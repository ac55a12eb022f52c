"""Catching our own handshake where that is permitted, and saying so where it is not."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
import sys
import time

import pytest

from glasslock.tcp import capture as capture_module
from glasslock.tcp import dial
from glasslock.tcp.capture import HandshakeCapture
from glasslock.tcp.packet import ACK, PSH, SYN, parse_packet
from glasslock.trace import TcpConnected, TcpPacket, TraceRecord

from .conftest import Listeners, needs_ipv6


def may_capture() -> bool:
    if sys.platform != "linux":
        return False
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except OSError:
        return False
    return True


needs_capture = pytest.mark.skipif(not may_capture(), reason="raw capture (Linux, CAP_NET_RAW) is not permitted here")


def _packets(capture: HandshakeCapture, connection: socket.socket) -> tuple[TcpPacket, ...]:
    for pause in capture.collect(connection.getsockname()[:2], connection.getpeername()[:2]):
        time.sleep(pause)
    return capture.packets


@needs_capture
@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_the_three_packets_each_once_although_loopback_delivers_them_twice(listeners: Listeners, address: str) -> None:
    listener = listeners.listening(address)
    story: list[TraceRecord] = []
    before = time.time()
    with dial(address, listener.getsockname()[1], observer=story.append) as connection:
        (connected,) = [record for record in story if isinstance(record, TcpConnected)]
        assert connected.unknown == ""
        syn, syn_ack, ack = connected.packets
        assert [(p.direction, p.flags) for p in connected.packets] == [
            ("sent", "SYN"),
            ("received", "SYN ACK"),
            ("sent", "ACK"),
        ]
        assert syn_ack.acknowledgment == (syn.sequence + 1) % 2**32 == ack.sequence
        assert ack.acknowledgment == (syn_ack.sequence + 1) % 2**32
        assert before <= syn.time <= syn_ack.time <= ack.time <= time.time()
        parsed = parse_packet(syn.raw)
        assert parsed is not None
        assert parsed.source == connection.getsockname()[:2]
        assert parsed.destination == listener.getsockname()[:2]
        assert any(option.startswith("MSS ") for option in syn.options)


@needs_capture
def test_other_connections_to_the_same_port_are_left_out(listeners: Listeners) -> None:
    listener = listeners.listening()
    with HandshakeCapture(listener.getsockname()[1]) as capture:
        others = [socket.create_connection(listener.getsockname()) for _ in range(3)]
        with socket.create_connection(listener.getsockname()) as ours:
            packets = _packets(capture, ours)
            assert len(packets) == 3
            for packet in packets:
                parsed = parse_packet(packet.raw)
                assert parsed is not None
                assert ours.getsockname() in {parsed.source, parsed.destination}
        for other in others:
            other.close()


@needs_capture
@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_the_kernels_filter_lets_nothing_but_our_port_through(listeners: Listeners, address: str) -> None:
    ours, foreign = listeners.listening(address), listeners.listening(address)
    with HandshakeCapture(ours.getsockname()[1]) as capture:
        with (
            socket.create_connection(foreign.getsockname()[:2]) as connection,
            socket.socket(ours.family, socket.SOCK_DGRAM) as datagrams,
        ):
            connection.sendall(b"not for us")
            datagrams.sendto(b"nor this", ours.getsockname()[:2])  # UDP to the same number
            assert _packets(capture, connection) == ()
        assert capture._read == 0
        with socket.create_connection(ours.getsockname()[:2]) as connection:
            assert len(_packets(capture, connection)) == 3


@needs_capture
def test_payload_is_not_kept(listeners: Listeners) -> None:
    """The filter cuts packets, and data packets are not part of the handshake."""
    listener = listeners.listening()
    with (
        HandshakeCapture(listener.getsockname()[1]) as capture,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        connection.sendall(b"secret" * 1000)
        packets = _packets(capture, connection)
        assert len(packets) == 3
        assert all(b"secret" not in packet.raw for packet in packets)


@needs_capture
def test_a_handshake_before_the_capture_is_not_made_up_and_waiting_is_short(listeners: Listeners) -> None:
    listener = listeners.listening()
    with (
        socket.create_connection(listener.getsockname()) as connection,
        HandshakeCapture(listener.getsockname()[1]) as capture,
    ):
        started = time.monotonic()
        assert _packets(capture, connection) == ()
        assert time.monotonic() - started < 1
        assert capture.unknown == "the packets themselves: of the three, 0 were seen in time"


@needs_capture
def test_the_number_of_packets_looked_at_is_bounded(listeners: Listeners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "MAX_READ", 5)
    listener = listeners.listening()
    with (
        HandshakeCapture(listener.getsockname()[1]) as capture,
        socket.create_connection(listener.getsockname()) as connection,
    ):
        for _ in range(20):
            connection.sendall(b"x")
        _packets(capture, connection)
        assert capture._read == 5


def test_where_it_is_not_permitted_it_says_so(listeners: Listeners) -> None:
    """In a process of its own without privileges, if this one has them."""
    listener = listeners.listening()
    program = (
        "import os\n"
        "from glasslock.tcp import dial\n"
        "def last(story):\n"
        f"    dial('127.0.0.1', {listener.getsockname()[1]}, observer=story.append).close()\n"
        "    return story[-1]\n"
        "last([])\n"  # everything is imported by now, so it does not matter which files are readable below
        "if os.geteuid() == 0:\n"
        "    os.setgroups([])\n"
        "    os.setgid(65534)\n"
        "    os.setuid(65534)\n"
        "told = last([])\n"
        "print(len(told.packets), told.info is not None, told.unknown)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if sys.platform == "linux":
        assert done.stdout.strip() == "0 True the packets themselves: capturing them needs root or CAP_NET_RAW"
    else:
        assert "capturing them is not possible here" in done.stdout


def test_closing_twice_is_fine() -> None:
    capture = HandshakeCapture(443)
    capture.close()
    capture.close()
    assert list(capture.collect(("127.0.0.1", 1), ("127.0.0.1", 443))) == []


# --- what a real network may show, played through a tap that is none ----------------------------------

OURS, PEER = ("127.0.0.1", 49606), ("127.0.0.1", 36219)


class Tap:
    """Gives packets, each with the interface on which it was seen; or errors."""

    def __init__(self, *shown: tuple[bytes, str] | OSError) -> None:
        self._shown = list(shown)

    def recvmsg(self, *_: int) -> tuple[bytes, list[object], int, tuple[str, int, int, int, bytes]]:
        if not self._shown:
            raise BlockingIOError
        shown = self._shown.pop(0)
        if isinstance(shown, OSError):
            raise shown
        data, interface = shown
        return data, [], 0, (interface, 0x0800, 0, 1, b"")

    def close(self) -> None:
        pass


def _packet(direction: str, flags: int, sequence: int = 1) -> bytes:
    source, destination = (OURS, PEER) if direction == "sent" else (PEER, OURS)
    tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], sequence, 0, 5 << 4, flags, 1000, 0, 0)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0)
    return ip + bytes((127, 0, 0, 1)) * 2 + tcp


THREE = (
    (_packet("sent", SYN), "eth0"),
    (_packet("received", SYN | ACK), "eth0"),
    (_packet("sent", ACK), "eth0"),
)


def _seen(*shown: tuple[bytes, str] | OSError) -> tuple[list[str], str]:
    capture = HandshakeCapture(PEER[1])
    capture.close()
    capture.unknown = ""
    capture._socket = Tap(*shown)  # type: ignore[assignment]
    for pause in capture.collect(OURS, PEER):
        time.sleep(pause)
    return [packet.flags for packet in capture.packets], capture.unknown


@pytest.mark.skipif(sys.platform != "linux", reason="packet types are Linux's")
@pytest.mark.parametrize(
    ("shown", "flags"),
    [
        (THREE, ["SYN", "SYN ACK", "ACK"]),
        (
            [*THREE[:1], (THREE[0][0], "br0"), *THREE[1:]],
            ["SYN", "SYN ACK", "ACK"],
        ),  # a bridge shows it again
        ([THREE[0], *THREE], ["SYN", "SYN", "SYN ACK", "ACK"]),  # on the same interface it was sent again
        ([*THREE, (_packet("sent", ACK | PSH, 2), "eth0")], ["SYN", "SYN ACK", "ACK"]),
        ([(_packet("received", ACK), "eth0"), *THREE], ["SYN", "SYN ACK", "ACK"]),
        ([(b"junk", "eth0"), OSError(errno.ENETDOWN, "down"), *THREE], ["SYN", "SYN ACK", "ACK"]),
    ],
)
def test_one_handshake_whatever_else_is_seen(shown: list[tuple[bytes, str]], flags: list[str]) -> None:
    assert _seen(*shown) == (flags, "")


@pytest.mark.skipif(sys.platform != "linux", reason="packet types are Linux's")
def test_a_gap_is_said() -> None:
    assert _seen(*THREE[:2]) == (
        ["SYN", "SYN ACK"],
        "the packets themselves: of the three, 2 were seen in time",
    )
    assert _seen(OSError(errno.EIO, "broken"))[0] == []


@pytest.mark.skipif(sys.platform != "linux", reason="packet types are Linux's")
def test_a_flood_of_syns_is_kept_in_bounds() -> None:
    flags, _ = _seen(*[(_packet("sent", SYN, number), "eth0") for number in range(100)])
    assert len(flags) == capture_module.MAX_KEPT

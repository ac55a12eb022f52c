"""Catching our own handshake where that is permitted, and saying so where it is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import glasslock
from glasslock.tcp import capture as capture_module
from glasslock.tcp import dial
from glasslock.tcp.capture import HandshakeCapture
from glasslock.tcp.packet import parse_packet
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


needs_capture = pytest.mark.skipif(
    not may_capture(), reason="raw capture (Linux, CAP_NET_RAW) is not permitted here"
)


def _packets(capture: HandshakeCapture, connection: socket.socket) -> tuple[TcpPacket, ...]:
    for pause in capture.collect(connection.getsockname()[:2], connection.getpeername()[:2]):
        time.sleep(pause)
    return capture.packets


@needs_capture
@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_the_three_packets_each_once_although_loopback_delivers_them_twice(
    listeners: Listeners, address: str
) -> None:
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
def test_the_number_of_packets_looked_at_is_bounded(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
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
        env={**os.environ, "PYTHONPATH": str(Path(glasslock.__file__).parent.parent)},
    )
    if sys.platform == "linux":
        assert (
            done.stdout.strip() == "0 True the packets themselves: capturing them needs root or CAP_NET_RAW"
        )
    else:
        assert "capturing them is not possible here" in done.stdout


def test_closing_twice_is_fine() -> None:
    capture = HandshakeCapture(443)
    capture.close()
    capture.close()
    assert list(capture.collect(("127.0.0.1", 1), ("127.0.0.1", 443))) == []

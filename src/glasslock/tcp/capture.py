"""The three packets of our own TCP handshake, caught on the wire: Linux, where raw capture is permitted.

An AF_PACKET socket sees every packet of the machine, so the kernel is given a filter first: it hands over
the headers of TCP packets to or from the one port we dial, and nothing else. Buffer, number of packets and
waiting time are bounded. Where capture is not permitted, `unknown` says so and the list stays empty.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType

from ..trace import TcpPacket
from .kernel import is_linux
from .packet import SYN, Packet, parse_packet

SNAP_LENGTH = 160  # bytes kept of each packet: the longest IP and TCP headers, and a little
MAX_READ = 4096  # packets looked at, whoever they belong to
MAX_KEPT = 16  # packets of our handshake, retransmissions included
PATIENCE = 0.05  # seconds to wait for the last of the three once we are connected
_PAUSE = 0.002

# Of linux/if_ether.h, linux/if_arp.h and asm-generic/socket.h.
_ETH_P_ALL = 0x0003
_ARPHRD_LOOPBACK = 772
_SO_ATTACH_FILTER = 26
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_INSTRUCTION = struct.Struct("=HBBI")

# Classic BPF, as little of it as the filter needs (linux/filter.h).
_LOAD_BYTE, _LOAD_HALF, _LOAD_HALF_AT_X = 0x30, 0x28, 0x48
_LOAD_X_IP_HEADER_LENGTH = 0xB1
_AND, _JUMP_IF_EQUAL, _RETURN = 0x54, 0x15, 0x06


class HandshakeCapture:
    """Catches the handshake packets of connections to one remote port, from its creation until `close`."""

    def __init__(self, port: int) -> None:
        self.packets: tuple[TcpPacket, ...] = ()
        self.unknown = ""
        self._kept: list[tuple[Packet, str, TcpPacket]] = []
        self._read = 0
        self._socket: socket.socket | None = None
        try:
            self._socket = _open(port)
        except OSError as error:
            self.unknown = _why_not(error)

    def __enter__(self) -> HandshakeCapture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop capturing. May be called twice."""
        if self._socket is not None:
            # The kernel takes some 10 ms to take a packet socket out of its paths, and makes the closer wait.
            threading.Thread(target=self._socket.close, name="close capture", daemon=True).start()
            self._socket = None

    def collect(self, local: tuple[str, int], remote: tuple[str, int]) -> Iterator[float]:
        """Pick out the packets between two endpoints; yield how many seconds to sleep before looking again.

        Ends when the three are there or patience is up; `packets` and `unknown` then say what was seen.
        """
        if self._socket is None:
            return
        until = time.monotonic() + PATIENCE
        while True:
            self._drain(self._socket, _without_zone(local), _without_zone(remote))
            if self._is_complete() or time.monotonic() >= until or self._read >= MAX_READ:
                break
            yield _PAUSE
        self._kept.sort(key=lambda kept: kept[2].time)
        self.packets = tuple(packet for _, _, packet in self._kept)
        if not self._is_complete():
            self.unknown = f"the packets themselves: of the three, {len(self.packets)} were seen in time"

    def _is_complete(self) -> bool:
        said = {(packet.direction, packet.flags.split()[0]) for _, _, packet in self._kept if packet.flags}
        return {("sent", "SYN"), ("received", "SYN"), ("sent", "ACK")} <= said

    def _drain(self, tap: socket.socket, local: tuple[str, int], remote: tuple[str, int]) -> None:
        while self._read < MAX_READ:
            try:
                data, ancillary, _, address = tap.recvmsg(SNAP_LENGTH, socket.CMSG_SPACE(_TIMESPEC.size))
            except BlockingIOError:
                return
            except OSError as error:
                # An interface that goes down reports itself here once; the others go on.
                if error.errno == errno.ENETDOWN:
                    continue
                return
            self._read += 1
            interface, _, packet_type, hardware = address[:4]
            if hardware == _ARPHRD_LOOPBACK and packet_type == socket.PACKET_OUTGOING:
                continue  # loopback delivers everything twice: on its way out and on its way in
            packet = parse_packet(data)
            if packet is not None:
                self._keep(packet, interface, _time_of(ancillary), local, remote)

    def _keep(
        self, packet: Packet, interface: str, when: float, local: tuple[str, int], remote: tuple[str, int]
    ) -> None:
        if (packet.source, packet.destination) == (local, remote):
            direction = "sent"
        elif (packet.source, packet.destination) == (remote, local):
            direction = "received"
        else:
            return
        if len(self._kept) >= MAX_KEPT:
            return
        is_last = direction == "sent" and not packet.flags & SYN
        if not packet.flags & SYN and not is_last:
            return
        for kept, kept_interface, traced in self._kept:
            # Bridges and tunnels show one packet on several interfaces; of our plain ACKs the first will do.
            if kept.tcp_header == packet.tcp_header and kept_interface != interface:
                return
            if is_last and traced.direction == "sent" and not kept.flags & SYN:
                return
        self._kept.append((packet, interface, packet.as_trace(time=when, direction=direction)))


def _open(port: int) -> socket.socket:
    """Open a packet socket that has seen nothing yet and will see the headers of this port alone."""
    if not is_linux():
        raise OSError(errno.ENOSYS, f"not on {sys.platform}")
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    try:
        tap.setblocking(False)
        instructions = _filter(port)
        code = ctypes.create_string_buffer(b"".join(instructions))
        program = struct.pack("@HP", len(instructions), ctypes.addressof(code))
        tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        with contextlib.suppress(BlockingIOError):
            for _ in range(MAX_READ):  # what came between the first line and the filter
                tap.recv(1)
    except BaseException:
        tap.close()
        raise
    return tap


def _filter(port: int) -> list[bytes]:
    """Assemble `tcp port PORT` for packets that begin with their IP header, IPv4 and IPv6."""
    accept, reject = "accept", "reject"
    program: list[tuple[int, int, str, str, str]] = [
        # what it does, its number, the label of the line, where to go if equal, where to go if not
        (_LOAD_BYTE, 0, "", "", ""),
        (_AND, 0xF0, "", "", ""),
        (_JUMP_IF_EQUAL, 0x40, "", "", "is-6"),
        (_LOAD_BYTE, 9, "", "", ""),
        (_JUMP_IF_EQUAL, socket.IPPROTO_TCP, "", "", reject),
        (_LOAD_X_IP_HEADER_LENGTH, 0, "", "", ""),
        (_LOAD_HALF_AT_X, 0, "", "", ""),
        (_JUMP_IF_EQUAL, port, "", accept, ""),
        (_LOAD_HALF_AT_X, 2, "", "", ""),
        (_JUMP_IF_EQUAL, port, "", accept, reject),
        (_JUMP_IF_EQUAL, 0x60, "is-6", "", reject),
        (_LOAD_BYTE, 6, "", "", ""),
        (_JUMP_IF_EQUAL, socket.IPPROTO_TCP, "", "", reject),
        (_LOAD_HALF, 40, "", "", ""),
        (_JUMP_IF_EQUAL, port, "", accept, ""),
        (_LOAD_HALF, 42, "", "", ""),
        (_JUMP_IF_EQUAL, port, "", accept, reject),
        (_RETURN, SNAP_LENGTH, accept, "", ""),
        (_RETURN, 0, reject, "", ""),
    ]
    lines = {label: line for line, (_, _, label, _, _) in enumerate(program) if label}

    def distance(line: int, label: str) -> int:
        return lines[label] - line - 1 if label else 0

    return [
        _INSTRUCTION.pack(code, distance(line, equal), distance(line, other), number)
        for line, (code, number, _, equal, other) in enumerate(program)
    ]


def _time_of(ancillary: list[tuple[int, int, bytes]]) -> float:
    """Return when the kernel saw the packet, or now if it does not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()


def _without_zone(endpoint: tuple[str, int]) -> tuple[str, int]:
    return endpoint[0].partition("%")[0], endpoint[1]


def _why_not(error: OSError) -> str:
    if error.errno in {errno.EPERM, errno.EACCES}:
        return "the packets themselves: capturing them needs root or CAP_NET_RAW"
    return f"the packets themselves: capturing them is not possible here ({error.strerror or error})"

"""What the operating system's kernel knows of a TCP connection, asked through socket options.

Only Linux is asked: TCP_INFO for a connection's state, TCP_SAVE_SYN for the very packet with which a
client began. No privilege is needed for either. Elsewhere, and wherever an older kernel leaves a field out,
the answer is None and the words for `unknown` say so; nothing is made up.
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Protocol

from ..registry import Side
from ..trace import Observer, TcpConnected, TcpInfo, TcpPacket
from .packet import SYN, parse_packet

# Numbers of linux/tcp.h that Python's socket module does not name on every version.
_TCP_INFO = 11
_TCP_SAVE_SYN = 27
_TCP_SAVED_SYN = 28

# struct tcp_info: 8 bytes (the last two are bit fields), then words of 32 bits; newer kernels append more.
_LENGTH = 104
_BYTES_AND_WORDS = struct.Struct("=8B24I")
_OPTION_TIMESTAMPS, _OPTION_SACK, _OPTION_WINDOW_SCALE, _OPTION_ECN = 1, 2, 4, 8


class SocketLike(Protocol):
    """A TCP socket, or what stands for one, as asyncio's TransportSocket does."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """Return an option's bytes."""

    def getsockname(self) -> object:
        """Return this end's address."""

    def getpeername(self) -> object:
        """Return the other end's address."""


def is_linux() -> bool:
    """Tell whether this kernel is one that we know how to ask."""
    return sys.platform.startswith("linux")


def tcp_info(connection: SocketLike) -> tuple[TcpInfo | None, str]:
    """Ask the kernel for TCP_INFO; the second value says what is not known, and why (empty if all is)."""
    if not is_linux():
        return (
            None,
            f"round-trip time, MSS and window scale: only Linux is asked for them, this is {sys.platform}",
        )
    try:
        data = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 512)
    except OSError as error:
        return (
            None,
            f"round-trip time, MSS and window scale: the kernel does not say ({error.strerror or error})",
        )
    return parse_tcp_info(data), ""


def parse_tcp_info(data: bytes) -> TcpInfo:
    """Read Linux's struct tcp_info, however much of it this kernel fills in."""
    _, _, _, _, _, options, scales, _, *words = _BYTES_AND_WORDS.unpack(data[:_LENGTH].ljust(_LENGTH, b"\x00"))

    def word(offset: int) -> int | None:
        return words[(offset - 8) // 4] if len(data) >= offset + 4 else None

    def measured(offset: int) -> int | None:
        return word(offset) or None  # 0 stands for "not yet"

    def option(bit: int) -> bool | None:
        return bool(options & bit) if len(data) > 5 else None

    scaling = len(data) > 6 and option(_OPTION_WINDOW_SCALE)
    # Two fields of four bits: the compiler puts the first into the low half on a little-endian machine.
    low, high = scales & 0x0F, scales >> 4
    send_scale, receive_scale = (low, high) if sys.byteorder == "little" else (high, low)
    rtt, variance = measured(68), word(72)
    return TcpInfo(
        rtt=None if rtt is None else rtt / 1_000_000,
        rtt_variance=None if rtt is None or variance is None else variance / 1_000_000,
        send_mss=measured(16),
        receive_mss=measured(84),  # what we advertised; tcpi_rcv_mss is but the kernel's running guess
        path_mtu=measured(60),
        send_window_scale=send_scale if scaling else None,
        receive_window_scale=receive_scale if scaling else None,
        sack=option(_OPTION_SACK),
        timestamps=option(_OPTION_TIMESTAMPS),
        ecn=option(_OPTION_ECN),
        retransmits=word(100),
        congestion_window=measured(80),
    )


def save_syn(listener: socket.socket) -> bool:
    """Ask the kernel to keep the SYN of every connection that this listening socket accepts.

    Returns whether it will. Each costs about 100 bytes until `saved_syn` takes it or the connection closes.
    """
    if not is_linux():
        return False
    try:
        listener.setsockopt(socket.IPPROTO_TCP, _TCP_SAVE_SYN, 1)
    except OSError:
        return False
    return True


def saved_syn(connection: SocketLike, *, now: float | None = None) -> TcpPacket | None:
    """Return the SYN with which the peer of an accepted connection began, and let the kernel forget it.

    None if `save_syn` was not in force on the listener, or if it was taken before. The kernel does not keep
    the time of its arrival: the packet's `time` is `now` (seconds since the epoch; by default, this moment).
    """
    if not is_linux():
        return None
    try:
        data = connection.getsockopt(socket.IPPROTO_TCP, _TCP_SAVED_SYN, 512)
    except OSError:
        return None
    packet = parse_packet(data)
    if packet is None or not packet.flags & SYN:
        return None
    return packet.as_trace(time=time.time() if now is None else now, direction="received")


def endpoint_of(sockaddr: object) -> tuple[str, int]:
    """Return address (with its zone) and port of what getsockname and getpeername answer."""
    match sockaddr:
        case (str() as host, int() as port):
            return host, port
        case (str() as host, int() as port, int(), int() as scope):
            return (f"{host}%{_interface(scope)}" if scope and "%" not in host else host), port
        case _:
            return "", 0


def _interface(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return str(index)


def observe_accepted(connection: SocketLike, observer: Observer) -> None:
    """Tell an observer, from the server's side, of a TCP connection that was just accepted.

    The client's own SYN is told if `save_syn` is in force on the listener. `seconds` is the round trip from
    our SYN ACK to the client's ACK as the kernel measured it, 0.0 if it does not say (then `unknown` does).
    Of a peer that is already gone nothing is told.
    """
    now = time.time()
    try:
        local, remote = endpoint_of(connection.getsockname()), endpoint_of(connection.getpeername())
    except OSError:
        return
    info, unknown = tcp_info(connection)
    syn = saved_syn(connection, now=now)
    gaps = [unknown] if unknown else []
    if info is not None and info.rtt is None:
        gaps.append("round-trip time: the kernel has not measured it yet")
    if syn is None:
        why = "the listening socket did not ask the kernel to keep it" if is_linux() else "only Linux keeps it"
        gaps.append(f"the client's SYN: {why}")
    observer(
        TcpConnected(
            time=now,
            side=Side.SERVER,
            rule="RFC 9293 section 3.5",
            local=local,
            remote=remote,
            seconds=(info.rtt or 0.0) if info is not None else 0.0,
            info=info,
            packets=() if syn is None else (syn,),
            unknown="; ".join(gaps),
        )
    )

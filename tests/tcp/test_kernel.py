"""TCP_INFO and saved SYNs: of real connections, and of the structures as kernels old and new lay them out."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.registry import Side
from glasslock.tcp import dial, observe_accepted, save_syn, saved_syn, tcp_info
from glasslock.tcp.kernel import endpoint_of, parse_tcp_info
from glasslock.trace import TcpConnected, TcpInfo, TraceRecord

from .conftest import Listeners, needs_ipv6

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO and saved SYNs are asked for on Linux only")


@linux_only
def test_tcp_info_of_a_real_connection(listeners: Listeners) -> None:
    listener = listeners.listening()
    with dial("127.0.0.1", listener.getsockname()[1]) as connection:
        info, unknown = tcp_info(connection)
        assert unknown == ""
        assert info is not None
        assert info.rtt is not None
        assert 0 < info.rtt < 1
        assert info.send_mss is not None
        assert info.send_mss > 500
        assert info.path_mtu is not None
        assert info.path_mtu > info.send_mss
        # The kernel's own name for the same number.
        assert info.send_mss == connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert info.retransmits == 0
        assert info.congestion_window == 10  # RFC 6928


@linux_only
def test_tcp_info_follows_what_was_negotiated(listeners: Listeners) -> None:
    """A small receive buffer set before connecting makes for a window scale of 0."""
    listener = listeners.listening()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            ours, _ = tcp_info(connection)
            theirs, _ = tcp_info(accepted)
    assert ours is not None
    assert theirs is not None
    assert ours.receive_window_scale == 0 == theirs.send_window_scale
    assert ours.send_window_scale == theirs.receive_window_scale != 0


def test_a_socket_that_is_gone_has_an_unknown_not_an_exception() -> None:
    connection = socket.socket()
    connection.close()
    info, unknown = tcp_info(connection)
    assert info is None
    assert unknown.startswith("round-trip time, MSS and window scale: ")


def test_other_systems_say_that_they_are_not_asked(monkeypatch: pytest.MonkeyPatch, listeners: Listeners) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    story: list[TraceRecord] = []
    listener = listeners.listening()
    assert not save_syn(listener)
    with dial("127.0.0.1", listener.getsockname()[1], observer=story.append):
        accepted, _ = listener.accept()
        with accepted:
            assert saved_syn(accepted) is None
            observe_accepted(accepted, story.append)
    client, server = (record for record in story if isinstance(record, TcpConnected))
    assert client.info is server.info is None
    assert client.packets == server.packets == ()
    assert "only Linux" in client.unknown
    assert "capturing them is not possible here" in client.unknown
    assert "the client's SYN: only Linux keeps it" in server.unknown


def _struct_tcp_info(**fields: int) -> bytes:
    """Lay out struct tcp_info as linux/tcp.h has it, little-endian or not as this machine is."""
    words = (
        "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets last_data_sent last_ack_sent "
        "last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar snd_ssthresh snd_cwnd advmss "
        "reordering rcv_rtt rcv_space total_retrans"
    )
    first = bytes([1, 0, 0, 0, 0, fields.pop("options", 0), fields.pop("scales", 0), 0])
    data = first + b"".join(struct.pack("=I", fields.pop(word, 0)) for word in words.split(" "))
    assert not fields
    return data


_FULL = _struct_tcp_info(
    options=0b1111, scales=0x7A if sys.byteorder == "little" else 0xA7, snd_mss=1448, rcv_mss=536, pmtu=1500,
    rtt=23_456, rttvar=11_000, snd_cwnd=10, advmss=1460, total_retrans=3,
)  # fmt: skip


def test_every_field() -> None:
    assert parse_tcp_info(_FULL) == TcpInfo(
        rtt=0.023456,
        rtt_variance=0.011,
        send_mss=1448,
        receive_mss=1460,
        path_mtu=1500,
        send_window_scale=10,
        receive_window_scale=7,
        sack=True,
        timestamps=True,
        ecn=True,
        retransmits=3,
        congestion_window=10,
    )


def test_newer_kernels_append_fields() -> None:
    assert parse_tcp_info(_FULL + b"\xff" * 150) == parse_tcp_info(_FULL)


def test_older_kernels_know_less_and_nothing_is_made_up() -> None:
    assert parse_tcp_info(b"") == TcpInfo()
    assert parse_tcp_info(_FULL[:100]).retransmits is None
    assert parse_tcp_info(_FULL[:100]).congestion_window == 10
    short = parse_tcp_info(_FULL[:8])
    assert (short.sack, short.send_window_scale, short.rtt) == (True, 10, None)


def test_not_measured_is_none() -> None:
    info = parse_tcp_info(_struct_tcp_info(rttvar=250_000))
    assert (info.rtt, info.rtt_variance, info.send_mss) == (None, None, None)
    assert (info.sack, info.timestamps, info.ecn) == (False, False, False)
    assert (info.send_window_scale, info.receive_window_scale) == (None, None)  # not negotiated
    assert info.retransmits == 0


@given(st.binary(max_size=300))
def test_any_bytes_read_as_something(data: bytes) -> None:
    assert isinstance(parse_tcp_info(data), TcpInfo)


@linux_only
@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
def test_the_clients_syn_is_kept(listeners: Listeners, address: str) -> None:
    listener = listeners.listening(address)
    assert save_syn(listener)
    with socket.socket(listener.family, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1234)
        client.connect(listener.getsockname())
        accepted, peer = listener.accept()
        with accepted:
            syn = saved_syn(accepted, now=1_800_000_000.0)
            assert syn is not None
            assert saved_syn(accepted) is None  # the kernel gives it once
    assert (syn.flags, syn.direction, syn.ttl, syn.time) == ("SYN", "received", 64, 1_800_000_000.0)
    assert syn.options[0] == "MSS 1234"
    assert "SACK permitted" in syn.options
    assert int.from_bytes(syn.raw[20:22] if address == "127.0.0.1" else syn.raw[40:42]) == peer[1]
    assert syn.acknowledgment == 0
    assert syn.window > 0


@linux_only
def test_without_asking_no_syn_is_kept(listeners: Listeners) -> None:
    listener = listeners.listening()
    story: list[TraceRecord] = []
    with dial("127.0.0.1", listener.getsockname()[1]):
        accepted, _ = listener.accept()
        with accepted:
            assert saved_syn(accepted) is None
            observe_accepted(accepted, story.append)
    (told,) = story
    assert isinstance(told, TcpConnected)
    assert told.unknown == "the client's SYN: the listening socket did not ask the kernel to keep it"


@linux_only
def test_the_servers_side_of_the_story(listeners: Listeners) -> None:
    listener = listeners.listening()
    save_syn(listener)
    story: list[TraceRecord] = []
    with dial("127.0.0.1", listener.getsockname()[1]) as client:
        accepted, _ = listener.accept()
        with accepted:
            observe_accepted(accepted, story.append)
        (told,) = story
        assert isinstance(told, TcpConnected)
        assert told.side is Side.SERVER
        assert told.local == listener.getsockname()
        assert told.remote == client.getsockname()
        assert [packet.flags for packet in told.packets] == ["SYN"]
        assert told.info is not None
        assert told.seconds == told.info.rtt
        assert told.unknown == ""


@linux_only
def test_asyncio_servers_can_tell_it_too() -> None:
    story: list[TraceRecord] = []

    async def run() -> None:
        done = asyncio.Event()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            observe_accepted(writer.get_extra_info("socket"), story.append)
            writer.close()
            await writer.wait_closed()
            done.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        save_syn(server.sockets[0])  # type: ignore[arg-type]
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await done.wait()
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(run())
    (told,) = story
    assert isinstance(told, TcpConnected)
    assert [packet.flags for packet in told.packets] == ["SYN"]


def test_of_a_peer_that_is_gone_nothing_is_told() -> None:
    with socket.socket() as never_connected:
        observe_accepted(never_connected, pytest.fail)


@pytest.mark.parametrize(
    ("sockaddr", "endpoint"),
    [
        (("192.0.2.1", 443), ("192.0.2.1", 443)),
        (("2001:db8::1", 443, 0, 0), ("2001:db8::1", 443)),
        (("fe80::1%eth0", 443, 0, 2), ("fe80::1%eth0", 443)),
        (("fe80::1", 443, 0, 999_999), ("fe80::1%999999", 443)),
        ("/run/socket", ("", 0)),
        (b"\x00abstract", ("", 0)),
    ],
)
def test_endpoints(sockaddr: object, endpoint: tuple[str, int]) -> None:
    assert endpoint_of(sockaddr) == endpoint

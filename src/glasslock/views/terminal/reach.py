"""Step 1 on the page: the name, the addresses, the TCP handshake and what the kernel knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glasslock.trace import ConnectAttempted, NameResolved, Outcome, Step, TcpConnected, TcpInfo, TcpPacket

from .layout import heading, rows
from .style import ACCENT, BAD, BREAK, GOOD, QUIET, SIGNS, STRONG, TIMES, duration, join, line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from glasslock.views.story import Story

_MAX_ADDRESSES = 4


def reach(story: Story, width: int, *, verbose: bool) -> list[RenderableType]:
    """Tell step 1."""
    resolved, connected = story.first(NameResolved), story.first(TcpConnected)
    spent = sum(part.seconds for part in (resolved, connected) if part is not None)
    known = resolved is not None or connected is not None
    items: list[tuple[str, RenderableType]] = []
    if resolved is not None:
        items.append(("name", _name(resolved)))
    attempts = story.all(ConnectAttempted)
    items += [("tried", _attempt(a)) for a in attempts if a.outcome is not Outcome.PASSED or verbose]
    if connected is not None:
        items.append(("TCP", _connected(connected)))
        if connected.info is not None:
            items.append(("kernel says", _info(connected.info, verbose=verbose)))
        if connected.packets:
            items.append(("packets", BREAK.join(_packet(p, verbose=verbose) for p in connected.packets)))
        if connected.unknown:
            items.append(("not known", line((connected.unknown, QUIET))))
    if not items:
        items.append(("", line(("nothing is known of this step: the trace begins after it", QUIET))))
    sentence = "from here on anyone on the path can listen"
    return [heading(Step.REACH, sentence, duration(spent) if known else "", width), rows(items)]


def _name(resolved: NameResolved) -> Text:
    if resolved.error:
        return line(SIGNS[Outcome.FAILED], " ", (resolved.host, STRONG), f": {resolved.error}")
    shown = ", ".join(resolved.addresses[:_MAX_ADDRESSES])
    more = len(resolved.addresses) - _MAX_ADDRESSES
    return line(
        (resolved.host, STRONG),
        (" → ", QUIET),
        shown + (f" and {more} more" if more > 0 else ""),
        (f"  {duration(resolved.seconds)}", QUIET),
    )


def _attempt(attempt: ConnectAttempted) -> Text:
    colour = GOOD if attempt.outcome is Outcome.PASSED else BAD
    return line(
        endpoint(attempt.address, attempt.port),
        "  ",
        (attempt.error or str(attempt.outcome), colour),
        (f"  {duration(attempt.seconds)}", QUIET),
    )


def _connected(connected: TcpConnected) -> Text:
    near, far = endpoint(*connected.local), endpoint(*connected.remote)
    return line(near, (" ⇄ ", QUIET), (far, STRONG), (f"  {duration(connected.seconds)}", QUIET))


def endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _info(info: TcpInfo, *, verbose: bool) -> Text:
    parts: list[Text] = []
    if info.rtt is not None:
        spread = f" ±{duration(info.rtt_variance)}" if info.rtt_variance and verbose else ""
        parts.append(line("RTT ", (duration(info.rtt) + spread, ACCENT)))
    if info.send_mss is not None:
        parts.append(line("MSS ", (str(info.send_mss), ACCENT)))
    scales = [scale for scale in (info.send_window_scale, info.receive_window_scale) if scale is not None]
    if scales:
        parts.append(line("windows ", ("/".join(f"{TIMES}{1 << scale}" for scale in dict.fromkeys(scales)), ACCENT)))
    flags = {"SACK": info.sack, "timestamps": info.timestamps, "ECN": info.ecn}
    parts += [line(name if on else f"no {name}") for name, on in flags.items() if on or (verbose and on is not None)]
    if info.retransmits:
        parts.append(line((f"{info.retransmits} sent again", BAD)))
    if verbose:
        more = {
            "received segments": info.receive_mss,
            "path MTU": info.path_mtu,
            "congestion window": info.congestion_window,
        }
        parts += [line(f"{name} ", (str(value), ACCENT)) for name, value in more.items() if value is not None]
    return join(parts)


def _packet(packet: TcpPacket, *, verbose: bool) -> Text:
    arrow = ("→ ", ACCENT) if packet.direction == "sent" else ("← ", GOOD)
    options = packet.options if verbose else _telling(packet.options)
    text = line(arrow, (f"{packet.flags:<8}", STRONG), (f" {', '.join(options)}", QUIET))
    if verbose:
        numbers = f"sequence {packet.sequence}, acknowledges {packet.acknowledgment}, window {packet.window}"
        ttl = f", TTL {packet.ttl}" if packet.ttl is not None else ""
        text.append_text(line(BREAK, (f"  {numbers}{ttl}", QUIET), BREAK, (f"  {packet.raw.hex()}", QUIET)))
    return text


def _telling(options: tuple[str, ...]) -> list[str]:
    """Leave out padding and the numbers of timestamps, and be short."""
    words = [o.removeprefix("window ").removesuffix(" permitted") for o in options if o not in ("NOP", "end")]
    return ["timestamps" if word.startswith("timestamp") else word for word in words]


def far_end(story: Story) -> str:
    """Name the other end as the server's story needs it."""
    connected = story.first(TcpConnected)
    return endpoint(*connected.remote) if connected is not None else f"a {story.side.peer.name.lower()}"

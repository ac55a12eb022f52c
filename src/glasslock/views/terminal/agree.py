"""Step 3 on the page: what was offered and what was taken, the key shares, and the tree of secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table
from rich.text import Text

from glasslock.tls.wire.dissect import Field, dissect_message
from glasslock.trace import Decided, HandshakeCompleted, KeyExchanged, SecretDerived, Step
from glasslock.views.names import (
    POST_QUANTUM,
    cipher,
    cipher_of,
    group,
    pretty,
    protocol,
    scheme,
    suite,
    version,
)

from .layout import heading, room, rows, unreached
from .style import BREAK, GOOD, KEY, QUIET, STRONG, abbreviated, duration, fit, grouped, line, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from glasslock.views.story import Story


def agree(story: Story, width: int, *, verbose: bool) -> list[RenderableType]:
    """Tell step 3."""
    tls = story.timings()[2].seconds
    parts: list[RenderableType] = [
        heading(
            Step.AGREE,
            "one secret on both sides, none in between",
            duration(tls) if tls is not None else "",
            width,
        )
    ]
    items: list[tuple[str, RenderableType]] = _choices(story, width, verbose=verbose)
    exchange = story.key_exchange
    if exchange is not None:
        items += _shares(exchange, width)
    secrets = story.all(SecretDerived)
    if secrets:
        items.append(("derived", _tree(secrets, exchange, verbose=verbose)))
    if not items:
        return [unreached(Step.AGREE, width)]
    return [*parts, rows(items)]


# --- choices ----------------------------------------------------------------------------------------


def _choices(story: Story, width: int, *, verbose: bool) -> list[tuple[str, RenderableType]]:
    done, offers = story.first(HandshakeCompleted), _offers(story)
    chosen = {
        "version": version(done.version) if done else "",
        "cipher_suite": suite(done.cipher_suite) if done else "",
        "group": group(done.group) if done and done.group is not None else "",
        "signature_scheme": scheme(done.signature_scheme) if done and done.signature_scheme is not None else "",
        "alpn": (done.alpn or "") if done else "",
    }
    labels = {"cipher_suite": "cipher suite", "signature_scheme": "signature", "alpn": "inside"}
    items: list[tuple[str, RenderableType]] = []
    for what, value in chosen.items():
        decision = story.decision(what)
        taken = value or (pretty(decision.chosen) if decision else "")
        offered = offers.get(what) or tuple(map(pretty, decision.offered if decision else ()))
        if what == "signature_scheme" and not verbose:
            continue  # step 2 names it
        if what == "cipher_suite" and not verbose:
            offered = tuple(dict.fromkeys(map(cipher_of, offered)))
        if taken or offered:
            items.append((labels.get(what, what), _choice(taken, offered, decision, width, verbose=verbose)))
    quiet = () if verbose else ("offer", "certificate")
    others = [d for d in story.all(Decided) if d.what not in chosen and d.what not in quiet]
    items += [(decision.what.replace("_", " "), _other(decision)) for decision in others]
    return items


def _choice(
    taken: str, offered: tuple[str, ...], decision: Decided | None, width: int, *, verbose: bool
) -> RenderableType:
    left = min(24, room(width) // 2)
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=left, overflow="fold")
    grid.add_column(overflow="fold")
    others = Text()
    if offered:
        space = 10_000 if verbose else room(width) - left - 2 - len("from ")
        others = line(("from ", QUIET)).append_text(fit(offered, space, strong=taken))
    if verbose and decision is not None and decision.why:
        others.append_text(line(BREAK, (decision.why, QUIET)))
    name = line((_spoken(taken) or "not agreed", f"{STRONG} {GOOD}" if taken else QUIET))
    if name.cell_len > left:
        return Group(name, others)
    grid.add_row(name, others)
    return grid


def _spoken(taken: str) -> str:
    return {"h2": "HTTP/2 (h2)", "http/1.1": "HTTP/1.1"}.get(taken, taken)


def _other(decision: Decided) -> Text:
    text = line((pretty(decision.chosen), STRONG))
    return text.append_text(line((f"  {decision.why}", QUIET))) if decision.why else text


def _offers(story: Story) -> dict[str, tuple[str, ...]]:
    """What the client offered, read from its ClientHello."""
    raw = story.client_hello
    if raw is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    wanted = {
        "cipher_suites": "cipher_suite",
        "versions": "version",
        "groups": "group",
        "schemes": "signature_scheme",
        "protocols": "alpn",
    }
    for field in _walk(dissect_message(raw, 0x0304)):
        what = wanted.get(field.name)
        if what is not None and what not in found:
            items = [pretty(child.value) for child in field.children if child.name != "length"]
            found[what] = tuple(item for item in items if item != "grease")
    if "version" not in found:
        found["version"] = ("TLS 1.2",)
    return found


def _walk(field: Field) -> Iterator[Field]:
    yield field
    for child in field.children:
        yield from _walk(child)


# --- keys -------------------------------------------------------------------------------------------


def _shares(exchange: KeyExchanged, width: int) -> list[tuple[str, RenderableType]]:
    space = room(width) - 22
    items: list[tuple[str, RenderableType]] = [
        (label, line(f"{size(len(share)):<13}", (abbreviated(share, space), QUIET)))
        for label, share in (("our share", exchange.own_share), ("their share", exchange.peer_share))
    ]
    about = "fingerprint" + (", post-quantum" if exchange.group in POST_QUANTUM else "")
    secret = line((grouped(exchange.fingerprint), f"{STRONG} {KEY}"), (f"  {about}", QUIET))
    return [*items, ("both compute", secret)]


def _tree(secrets: list[SecretDerived], exchange: KeyExchanged | None, *, verbose: bool) -> Text:
    """Draw what was derived from what; the two directions of a kind share a line unless all is wanted."""
    known = {secret.label for secret in secrets}
    if exchange is None and not verbose:
        secrets = [s for s in secrets if s.label != "early secret" or _has_children(s, secrets)]
    roots = [s for s in secrets if s.parent not in known]
    if not verbose:
        roots = [s for s in roots if _has_children(s, secrets) or len(roots) == 1]
    lines: list[Text] = []
    for root in roots:
        _grow(root, secrets, "", "", lines, verbose=verbose)
    return BREAK.join(lines)


def _has_children(secret: SecretDerived, secrets: list[SecretDerived]) -> bool:
    return any(other.parent == secret.label for other in secrets)


def _grow(
    node: SecretDerived,
    secrets: list[SecretDerived],
    guide: str,
    below: str,
    lines: list[Text],
    *,
    verbose: bool,
) -> None:
    if len(lines) > 60:  # a trace from elsewhere may hold anything, circles too
        return
    lines.append(line((guide, QUIET), node.label, "  ", (_print(node, verbose=verbose), KEY)))
    children = [s for s in secrets if s.parent == node.label and s is not node]
    groups = [[child] for child in children] if verbose else _by_kind(children, secrets)
    for position, members in enumerate(groups):
        last = position == len(groups) - 1
        own, further = below + ("└─ " if last else "├─ "), below + ("   " if last else "│  ")
        if len(members) == 1:
            _grow(members[0], secrets, own, further, lines, verbose=verbose)
        else:
            lines.append(line((own, QUIET)).append_text(_together(members)))


def _by_kind(children: list[SecretDerived], secrets: list[SecretDerived]) -> list[list[SecretDerived]]:
    """Put `client X` and `server X` together, and last what leads no further (exporter, resumption)."""
    kinds: dict[str, list[SecretDerived]] = {}
    for child in children:
        side, _, kind = child.label.partition(" ")
        if side not in ("client", "server"):
            kind = child.label if _has_children(child, secrets) else "~"
        kinds.setdefault(kind, []).append(child)
    return list(kinds.values())


def _together(members: list[SecretDerived]) -> Text:
    """Write several secrets on one line; what both directions have in common once."""
    kinds = {member.label.partition(" ")[2] for member in members}
    shared = kinds.pop() if len(kinds) == 1 else ""
    text = line(f"{shared}  ") if shared else Text()
    names = [member.label.removesuffix(shared).strip() for member in members]
    pieces = [line(f"{name} ", (_print(m, verbose=False), KEY)) for name, m in zip(names, members, strict=True)]
    return text.append_text(Text("  ").join(pieces))


def _print(secret: SecretDerived, *, verbose: bool) -> str:
    return grouped(secret.fingerprint if verbose else secret.fingerprint[:8])


def summary(done: HandshakeCompleted) -> list[str]:
    """Say what was agreed in a few words: version, group, cipher, protocol inside."""
    words = [version(done.version)]
    if done.group is not None:
        words.append(group(done.group))
    words.append(cipher(done.cipher_suite))
    if done.alpn:
        words.append(protocol(done.alpn))
    if done.resumed:
        words.append("resumed")
    return words

"""The matrix as Markdown, from a run of every cell: `python -m tests.interop.matrix > docs/interop.md`.

Words as arguments select the cells whose names contain all of them. The exit status is 1 if a cell failed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

from glasslock.registry import NamedGroup, ProtocolVersion, Side

from .browsers.browser import BROWSERS
from .browsers.visits import run as run_browser
from .cells import OUR_GROUPS, V12, V13, Cell
from .credentials import KEY_KINDS
from .features.catalogue import FEATURES
from .process import Unavailable
from .roster import PEERS, Present, Tournament, look_around

HEAD = """\
# Interoperability

Written by `python -m tests.interop.matrix > docs/interop.md`; `make interop` runs the same as tests.

Each cell below is at least one connection on loopback between glasslock and another implementation, with real
certificates, random data in both directions compared byte for byte, and close_notify from both sides. Our side is
held to what the cell names, and so is the peer wherever it can be told. Programs of ours around a library also
compare exported keying material, ALPN, server name and resumption. "client" and "server" are the peer's role.

Encrypted ClientHello with Go, NSS, Firefox and Chromium is told in [ech.md](ech.md), Python's network libraries over
our contexts in [adapters.md](adapters.md). None of these nine programs compresses certificates, so that is tried with
the browsers, and in both directions with [tlsfuzzer](tlsfuzzer.md).

✓ everything as it must be · ✗ not · - the peer does not have it
"""

BROWSERS_HEAD = """\
A page over HTTP/2, and from it one site for each line: uploads 100,000 bytes, gets them back, compares. The browsers
are on their own defaults, with our root among those that they trust, and in Chromium 0-RTT switched on; our side alone
is held to what the line names.
The front page has to come over TLS 1.3 with X25519MLKEM768, without a retry, and be a secure context.
Over HTTP/1.1 go the suites with RSA key transport, which HTTP/2 forbids; resumption and 0-RTT, three requests each on a
connection of its own; and KeyUpdate, two requests on one, before whose first answer we change our keys and ask for the
browser's. For the client certificate, the front page comes once more, from a server that insists on one; Chromium can
show one without a person only if a policy for the whole machine says which.

![The page in Chromium](images/chromium.png)
"""

Outcomes = dict[Cell, str]


def main(words: Sequence[str]) -> int:
    present = look_around()
    cells = [cell for cell in present.cells if all(word in str(cell) for word in words)]
    begun = time.monotonic()
    outcomes: Outcomes = {}
    with Tournament(cells) as tournament:
        for cell in cells:
            outcomes[cell] = tournament.outcome(cell)
            if outcomes[cell]:
                print(f"{cell}: {outcomes[cell]}", file=sys.stderr)
    browsers = _browse() if not words else {}
    failed = sum(map(bool, outcomes.values())) + sum(
        map(bool, chain.from_iterable(p.values() for p in browsers.values()))
    )
    print(f"{len(cells)} cells, {failed} failed, {time.monotonic() - begun:.0f} seconds", file=sys.stderr)
    print(markdown(present, outcomes, browsers))
    return 1 if failed else 0


def _browse() -> dict[str, dict[str, str]]:
    """What was wrong with each visit of each browser, by the browser's version; a missing browser has a reason."""
    found: dict[str, dict[str, str]] = {}
    for browser in BROWSERS:
        try:
            version = browser.version()
        except Unavailable as reason:
            print(f"{browser.name}: {reason}", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory(prefix="interop-browser-") as folder:
            found[version] = run_browser(browser, Path(folder), Path(folder) / "page.png")
        for name, problem in found[version].items():
            if problem:
                print(f"{version}, {name}: {problem}", file=sys.stderr)
    return found


def markdown(present: Present, outcomes: Outcomes, browsers: dict[str, dict[str, str]]) -> str:
    """The whole document."""
    return "\n".join(
        [
            HEAD,
            "## Peers\n",
            *_peers(present, outcomes),
            "\n## TLS 1.3: groups and suites\n",
            "The number says with how many cipher suites: AES-128-GCM, AES-256-GCM, ChaCha20-Poly1305.\n",
            *_grid(outcomes, V13),
            "\n## TLS 1.2: groups and suites\n",
            "The same three AEADs, each with ECDSA and with RSA certificates; at the right RSA key transport, which is",
            "off by default.\n",
            *_grid(outcomes, V12),
            "\n## Certificates\n",
            "The kind of key in the server's certificate, with the versions of TLS.\n",
            *_table(outcomes, "keys", list(KEY_KINDS), lambda cell: cell.key),
            "\n## Features\n",
            *_features(outcomes),
            "\n## Browsers\n",
            BROWSERS_HEAD,
            *_browsers(browsers),
            "\n## Notes\n",
            *(f"- {peer.name}: {note}" for peer in PEERS if peer.name in present.versions for note in peer.notes),
        ]
    )


def _peers(present: Present, outcomes: Outcomes) -> list[str]:
    rows = [
        [name, version, *(_count(cell for cell in outcomes if (cell.peer, cell.role) == (name, role)) for role in Side)]
        for name, version in present.versions.items()
    ]
    absent = [f"\n{name} was not here: {reason}." for name, reason in present.absent.items()]
    return [*_lines(["peer", "version", "client: connections", "server: connections"], rows), *absent]


def _count(cells: Iterable[Cell]) -> str:
    return str(sum(1 for _ in cells) or "-")


def _grid(outcomes: Outcomes, version: ProtocolVersion) -> list[str]:
    groups: list[NamedGroup | None] = [*OUR_GROUPS[version], *([None] if version is V12 else [])]
    rows = []
    for row in _rows(outcomes):
        marks = []
        for group in groups:
            found = [
                problem
                for cell, problem in outcomes.items()
                if (cell.kind, cell.version, cell.group) == ("grid", version, group) and (cell.peer, cell.role) == row
            ]
            good = found.count("")
            marks.append("-" if not found else f"✓ {good}" if good == len(found) else f"✗ {good} of {len(found)}")
        if set(marks) != {"-"}:
            rows.append([_title(row), *marks])
    return _lines(["", *("RSA" if group is None else group.name for group in groups)], rows)


def _features(outcomes: Outcomes) -> list[str]:
    names = [name for name in FEATURES if name]
    titles = [FEATURES[name].title for name in names]
    explained = [f"- **{FEATURES[name].title}**: {FEATURES[name].sentence()}" for name in names]
    return [*explained, "", *_table(outcomes, "features", names, lambda cell: cell.feature, titles)]


def _table(
    outcomes: Outcomes,
    kind: str,
    columns: Sequence[str],
    column_of: Callable[[Cell], str],
    titles: Sequence[str] | None = None,
) -> list[str]:
    rows = []
    for row in _rows(outcomes):
        marks = []
        for column in columns:
            found = {
                cell.version: problem
                for cell, problem in outcomes.items()
                if (cell.kind, column_of(cell)) == (kind, column) and (cell.peer, cell.role) == row
            }
            marks.append(" ".join(_mark(version, found[version]) for version in (V13, V12) if version in found) or "-")
        rows.append([_title(row), *marks])
    return _lines(["", *(titles or columns)], rows)


def _browsers(browsers: dict[str, dict[str, str]]) -> list[str]:
    names = dict.fromkeys(chain.from_iterable(browsers.values()))
    rows = [
        [name, *("-" if name not in problems else "✗" if problems[name] else "✓" for problems in browsers.values())]
        for name in names
    ]
    return _lines(["", *browsers], rows)


def _mark(version: ProtocolVersion, problem: str) -> str:
    return f"{'✗' if problem else '✓'} {'1.3' if version is V13 else '1.2'}"


def _rows(outcomes: Outcomes) -> list[tuple[str, Side]]:
    return list(dict.fromkeys((cell.peer, cell.role) for cell in outcomes))


def _title(row: tuple[str, Side]) -> str:
    return f"{row[0]} {row[1].name.lower()}"


def _lines(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

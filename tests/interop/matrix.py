"""The matrix as Markdown, from a run of every cell: `python -m tests.interop.matrix > docs/interop.md`.

Words as arguments select the cells whose names contain all of them. The exit status is 1 if a cell failed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence

from glasslock.registry import NamedGroup, ProtocolVersion, Side

from .cells import OUR_GROUPS, V12, V13, Cell
from .credentials import KEY_KINDS
from .features.catalogue import FEATURES
from .roster import PEERS, Present, Tournament, look_around

HEAD = """\
# Interoperability

Written by `python -m tests.interop.matrix > docs/interop.md`; `make interop` runs the same as tests.

Each cell below is at least one connection on loopback between glasslock and another implementation, with real
certificates, random data in both directions compared byte for byte, and close_notify from both sides. Our side is
held to what the cell names, and so is the peer wherever it can be told. Programs of ours around a library also
compare exported keying material, ALPN, server name and resumption. "client" and "server" are the peer's role.

✓ everything as it must be · ✗ not · - the peer does not have it
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
    failed = sum(map(bool, outcomes.values()))
    print(f"{len(cells)} cells, {failed} failed, {time.monotonic() - begun:.0f} seconds", file=sys.stderr)
    print(markdown(present, outcomes))
    return 1 if failed else 0


def markdown(present: Present, outcomes: Outcomes) -> str:
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

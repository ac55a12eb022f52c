"""All peers, and running many cells at once."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from .cells import Cell, cells_of
from .credentials import Authority
from .driver import run
from .features.base import CellFailed
from .peer import Peer
from .peers.curl import Curl
from .peers.gnutls import GnuTLS
from .peers.libraries import Go, Java, Node, PyOpenSSL
from .peers.nginx import Nginx
from .peers.nss import NSS
from .peers.openssl import OpenSSL
from .process import Unavailable

PEERS: tuple[Peer, ...] = (OpenSSL(), GnuTLS(), Curl(), Nginx(), NSS(), Node(), PyOpenSSL(), Go(), Java())
WORKERS = 4  # cells at the same time: most of a cell is waiting


@dataclass(frozen=True)
class Present:
    """Which peers are here, with all their cells, and why others are not."""

    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)


def look_around() -> Present:
    """Asks every peer for its version and abilities."""
    present = Present()
    with ThreadPoolExecutor(WORKERS) as pool:
        for peer, found in zip(PEERS, pool.map(_look_at, PEERS), strict=True):
            if isinstance(found, str):
                present.absent[peer.name] = found
            else:
                present.versions[peer.name] = found[0]
                present.cells.extend(found[1])
    return present


def _look_at(peer: Peer) -> tuple[str, list[Cell]] | str:
    try:
        return peer.version(), list(cells_of(peer))
    except Unavailable as reason:
        return str(reason)


class Tournament:
    """Runs cells in the background; `outcome` waits for one. Leaving the block stops the peers."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._peers = {peer.name: peer for peer in PEERS}
        self._folder = tempfile.TemporaryDirectory(prefix="interop-")
        root = Path(self._folder.name)
        self._authority = Authority(root)
        self._pool = ThreadPoolExecutor(WORKERS)
        self._futures: dict[Cell, Future[str]] = {}
        for number, cell in enumerate(_interleaved(cells)):
            self._futures[cell] = self._pool.submit(self._run, cell, root / str(number))

    def outcome(self, cell: Cell) -> str:
        """Empty if the cell went well, otherwise what did not."""
        return self._futures[cell].result()

    def _run(self, cell: Cell, folder: Path) -> str:
        folder.mkdir()
        try:
            run(cell, self._peers[cell.peer], self._authority, folder)
        except CellFailed as problem:
            return str(problem)
        except Exception:  # noqa: BLE001 - one broken cell must not take the others with it
            return traceback.format_exc()
        return ""

    def __enter__(self) -> Tournament:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for peer in self._peers.values():
            peer.close()
        self._folder.cleanup()


def _interleaved(cells: Iterable[Cell]) -> list[Cell]:
    """One cell of each peer in turn, so that no peer's slow start holds up the others."""
    turns: dict[str, int] = {}
    numbered = []
    for cell in cells:
        turn = turns[cell.peer] = turns.get(cell.peer, -1) + 1
        numbered.append((turn, cell))
    return [cell for _, cell in sorted(numbered, key=lambda pair: pair[0])]

"""`python -m bench`: see --help."""

from __future__ import annotations

import argparse
import ssl
import sys
import tempfile
from pathlib import Path
from time import monotonic

from . import compare, identity, report
from .work import EVERYBODY, OURS, WORK

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
PICTURE = PAGE.parent / "images" / "performance.svg"


def main() -> int:
    arguments = _arguments()
    begun, rows = monotonic(), []
    with tempfile.TemporaryDirectory() as folder:
        identity.create(Path(folder), identity.FRESH)
        for name in arguments.work:
            row = compare.compare(name, arguments.peers, Path(folder), arguments.rounds, arguments.others)
            rows.append(row)
            print("\n".join(report.lines(row)), flush=True)
    print(f"{monotonic() - begun:.0f} seconds")
    if arguments.write:
        from .picture import draw

        report.write(PAGE, rows)
        draw(PICTURE, rows, ssl.OPENSSL_VERSION.rpartition(" ")[0].rsplit(" ", 2)[0])
        print(f"written: {PAGE.name}, {PICTURE.name}")
    failed = [f"{row.name} {peer}: {why}" for row in rows for peer, why in row.failed.items()]
    failed += [f"{row.name} {OURS}: {row.skipped[OURS]}" for row in rows if OURS in row.skipped]
    for line in failed:
        print(f"FAILED {line}", file=sys.stderr)
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__package__ and sys.modules["bench"].__doc__))
    parser.add_argument("work", nargs="*", help="only these works: " + ", ".join(WORK))
    parser.add_argument("--rounds", type=int, default=9, help="pairs of samples for each work (default: 9)")
    parser.add_argument("--others", type=int, default=3, help="pairs for each peer other than glasslock (default: 3)")
    parser.add_argument("--peers", nargs="*", choices=EVERYBODY, default=list(EVERYBODY))
    parser.add_argument("--write", action="store_true", help="put table and picture into docs/; needs every work")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.work if name not in WORK]
    if unknown:
        parser.error(f"unknown work: {', '.join(unknown)}; there are {', '.join(WORK)}")
    if arguments.rounds < 1 or arguments.others < 0:
        parser.error("--rounds begins at 1, --others at 0")
    if arguments.write and (arguments.work or arguments.peers != list(EVERYBODY)):
        parser.error("--write takes every work and every peer: a part of the table cannot be put into the page")
    arguments.work = arguments.work or list(WORK)
    return arguments


if __name__ == "__main__":
    sys.exit(main())

"""`python -m bench`: see --help."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import compare, identity
from .peers import BASELINE, MODULES
from .work import WORK


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("work", nargs="*", default=list(WORK), help="only these works: " + ", ".join(WORK))
    parser.add_argument("--rounds", type=int, default=9, help="pairs of samples for each work and peer")
    parser.add_argument("--peers", nargs="*", default=[p for p in MODULES if p != BASELINE])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        identity.create(Path(folder))
        for name in arguments.work:
            work = WORK[name]
            found, failed = compare.pairs(arguments.peers, name, Path(folder), arguments.rounds)
            for peer, ratios in found.items():
                low, high = ratios.spread()
                goal = f"goal {work.goal}" if work.goal and peer == "glasslock" else ""
                sides = ""
                if "client" in ratios.pairs[0][1]:
                    sides = " ".join(
                        f"{side} {ratios.seconds(1, side) * 1e6:.0f} ({ratios.median(side):.2f})"
                        for side in ("client", "server")
                    )
                print(
                    f"{work.title:42} {peer:10} {ratios.median():.2f} [{low:.2f}..{high:.2f}]",
                    f"{ratios.seconds(0) * 1e6:9.1f} -> {ratios.seconds(1) * 1e6:9.1f} us {goal} {sides}",
                )
            for peer, why in failed.items():
                print(f"{work.title:42} {peer:10} SKIP {why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

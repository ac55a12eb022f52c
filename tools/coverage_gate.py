"""Hold the branch coverage of the packages that decide about safety above a floor.

Reads the JSON report of coverage.py: `coverage_gate.py coverage.json`. Exit status 1 when a package is not
above the floor, or when nothing of it was measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FLOOR = 95.0  # percent, to be exceeded
PACKAGES = ("src/glasslock/tls/", "src/glasslock/trust/")


def branch_coverage(report: dict[str, Any], package: str) -> tuple[int, int]:
    """Count the branches (covered, all) in the files below `package`."""
    files = report["files"].items()
    summaries = [file["summary"] for path, file in files if Path(path).as_posix().startswith(package)]
    return sum(s["covered_branches"] for s in summaries), sum(s["num_branches"] for s in summaries)


def main(report_path: str) -> int:
    report = json.loads(Path(report_path).read_text(encoding="utf-8"))
    too_low = False
    for package in PACKAGES:
        covered, total = branch_coverage(report, package)
        percent = 100.0 * covered / total if total else 0.0
        passed = percent > FLOOR
        too_low |= not passed
        verdict = "ok" if passed else f"must be above {FLOOR:g} %"
        print(f"branch coverage of {package}: {covered}/{total} = {percent:.2f} % ({verdict})")
    return int(too_low)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

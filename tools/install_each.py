"""Install each requirement of a lock by itself: what cannot be had here is named, and keeps nothing else away.

`python tools/install_each.py requirements/bench.lock`, with the Python of the environment to install into.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]


def main(lock: str) -> None:
    text = re.sub(r"^\s*#.*\n", "", Path(lock).read_text(), flags=re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder:
        one = Path(folder) / "requirement.txt"
        for requirement in re.split(r"\n(?=\S)", text.strip()):
            one.write_text(requirement + "\n")
            done = subprocess.run(
                [*PIP, "--no-deps", "--require-hashes", "--requirement", str(one)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                name = requirement.split("==")[0]
                print(f"SKIP {name}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The picture of the page in Chromium: `python -m tests.interop.browsers.picture docs/images/chromium.png`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .browser import Chromium
from .visits import run

if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="interop-browser-") as folder:
        problems = run(Chromium(), Path(folder), Path(sys.argv[1]).absolute())
    sys.exit("; ".join(filter(None, problems.values())))

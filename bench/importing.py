"""What an import costs: `python -m bench.importing PEER ROLE WORK FOLDER`.

Processes that import it and processes that import nothing, in turn, each from its start to its end; with compiled
files in place, as after an installation.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from time import perf_counter

from .answer import answer
from .identity import Identity
from .peers import CannotDo

STATEMENTS = {
    "ssl": "import ssl",
    "glasslock": "import glasslock.tls, glasslock.tls.handshake.client",  # which the first client loads
    "pyopenssl": "import OpenSSL.SSL",
    "pyrtls": "import pyrtls",
    "aioquic": "import aioquic.tls",
    "siotls": "import siotls",
    "tlslite-ng": "import tlslite.api",
}
TIMES = 5


def sample(peer: str, _role: str, _work: str, _identity: Identity) -> dict[str, float]:
    """Seconds above the bare interpreter."""
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _seconds("pass", environment)
        _seconds(STATEMENTS[peer], environment)
        pairs = [(_seconds("pass", environment), _seconds(STATEMENTS[peer], environment)) for _ in range(TIMES)]
    return {"value": statistics.median([whole - bare for bare, whole in pairs])}


def _seconds(statement: str, environment: dict[str, str]) -> float:
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", statement], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    seconds = perf_counter() - start
    if done.returncode:
        raise CannotDo((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    return seconds


if __name__ == "__main__":
    sys.exit(answer(sample))

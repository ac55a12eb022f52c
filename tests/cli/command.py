"""Runs the command as a person does, and sees to it that no traceback reaches them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLAIN = {"NO_COLOR": "1", "COLUMNS": "100"}
COMMAND = [sys.executable, "-m", "glasslock.cli"]


def glasslock(*arguments: str, timeout: float = 20, **variables: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished command; `variables` go into its environment."""
    result = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | PLAIN | {name: str(value) for name, value in variables.items()},
        check=False,
    )
    assert "Traceback" not in result.stderr + result.stdout
    return result

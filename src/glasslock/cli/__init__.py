"""The command line: one small file per command, no logic."""

from __future__ import annotations


def main() -> None:
    """Run `glasslock`; ends the process with a status of `exit_codes`."""
    from .run import run

    run()

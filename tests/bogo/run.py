"""Runs BoringSSL's runner over the tests of the manifest and compares: `python -m tests.bogo.run --runner PATH`.

The manifest (manifest.txt) names every test with the result that it must have:

    pass    the runner is content, in its strict mode
    rfc     BoringSSL wants one thing and the RFC says another, or leaves it open: divergences.toml says which, why,
            and what the runner must observe instead
    out     the test needs a feature that is out of scope: scope.toml says which and why

The exit status is 0 only if every test that was run has its result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).parent
MANIFEST = HERE / "manifest.txt"
_CHUNK = 1000  # names on one command line


def main() -> int:
    options = _options()
    manifest = read_manifest()
    names = [name for name in manifest if not options.tests or any(fnmatchcase(name, glob) for glob in options.tests)]
    scope = Rules("scope.toml")
    divergences = Rules("divergences.toml")
    results = run(names, options)
    found = {name: judge(name, results.get(name), scope, divergences) for name in names}
    report(found, results, options)
    if options.update:
        write_manifest(manifest | {name: result for name, result in found.items() if result in ("pass", "rfc", "out")})
    wrong = [name for name in names if found[name] != manifest[name]]
    counts = Counter(found.values())
    say(", ".join(f"{count} {result}" for result, count in sorted(counts.items())))
    for name in wrong[:20]:
        say(f"{name}: {found[name]}, but the manifest has {manifest[name]}")
    if len(wrong) > 20:
        say(f"and {len(wrong) - 20} more")
    return 1 if wrong else 0


class Rules:
    """A file of rules, each about the tests that its globs match."""

    def __init__(self, name: str) -> None:
        self._rules = tomllib.loads((HERE / name).read_text())["rule"]

    def find(self, test: str) -> dict[str, str] | None:
        for rule in self._rules:
            if any(fnmatchcase(test, glob) for glob in rule["tests"]):
                return rule
        return None


def judge(name: str, result: dict[str, str] | None, scope: Rules, divergences: Rules) -> str:
    """The result of one test in the words of the manifest, or `fail`, `unimplemented` or `missing`."""
    if result is None:
        return "missing"
    if result["actual"] == "PASS":
        return "pass"
    if scope.find(name):
        return "out"
    if result["actual"] == "SKIP":
        return "unimplemented"
    divergence = divergences.find(name)
    return "rfc" if divergence and divergence["observed"] in result.get("error", "") else "fail"


# --- the runner -----------------------------------------------------------------------------------


def run(names: list[str], options: argparse.Namespace) -> dict[str, dict[str, str]]:
    """What the runner says of each test."""
    results: dict[str, dict[str, str]] = {}
    with shim_server() as port, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        # Our server sends its tickets after the client's Finished.
        config.write_text(json.dumps({"HalfRTTTickets": 0}))
        output = Path(folder) / "results.json"
        for start in range(0, len(names), _CHUNK):
            command = [
                *(options.runner, "-shim-path", HERE / "launch.sh", "-shim-config", config, "-json-output", output),
                *("-num-workers", str(options.workers), "-pipe", "-allow-unimplemented"),
                *("-test", ";".join(names[start : start + _CHUNK])),
            ]
            subprocess.run(
                command,
                cwd=options.directory or options.runner.parent,
                env=os.environ | {"GLASSLOCK_BOGO_PORT": port},
                stdout=subprocess.DEVNULL,
                check=False,
            )
            results |= json.loads(output.read_text())["tests"]
    return results


@contextmanager
def shim_server() -> Iterator[str]:
    """The fork server; its port."""
    command = [sys.executable, "-m", f"{__package__}.server"]
    with subprocess.Popen(command, cwd=HERE.parent.parent, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


# --- manifest and report --------------------------------------------------------------------------


def read_manifest() -> dict[str, str]:
    lines = [line.split() for line in MANIFEST.read_text().splitlines() if line and not line.startswith("#")]
    return {name: result for result, name in lines}


def write_manifest(manifest: dict[str, str]) -> None:
    head = [line for line in MANIFEST.read_text().splitlines() if line.startswith("#")]
    MANIFEST.write_text("\n".join([*head, *(f"{result:<4} {name}" for name, result in manifest.items())]) + "\n")


def report(found: dict[str, str], results: dict[str, dict[str, str]], options: argparse.Namespace) -> None:
    """What went wrong, test by test, into the file that the user named."""
    if options.report is None:
        return
    with options.report.open("w") as out:
        for name, result in found.items():
            if result not in ("pass", "out", "rfc"):
                out.write(f"=== {result} {name}\n{results.get(name, {}).get('error', '')}\n")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bogo.run", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runner", type=Path, required=True, help="the runner, built from BoringSSL's ssl/test/runner")
    parser.add_argument("--directory", type=Path, help="where it has to stand (default: where it is)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", type=Path, help="write what failed, and how, into this file")
    parser.add_argument("--update", action="store_true", help="write the results into the manifest")
    parser.add_argument("tests", nargs="*", help="only tests whose names match one of these globs")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

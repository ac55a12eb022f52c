"""Runs tlsfuzzer's scripts against glasslock, and compares what fails with what is known and explained.

    python -m tests.tlsfuzzer.run CHECKOUT --python VENV/bin/python [--only GLOB ...] [--report docs/tlsfuzzer.md]

CHECKOUT is a clone of tlsfuzzer, VENV has what its requirements.txt names. `runs.toml` says which scripts run
against which server, `expected.toml` which conversations fail, and why. Exit status 1 if anything else fails, if what
is expected to fail does not, exactly as often as it says there, or if the server lets an exception escape.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from .known import Known, Result
from .report import report

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"
TIMEOUT = 900.0  # seconds for one script
STARTING = 30.0  # seconds


@dataclass
class Server:
    """One way to start a server, and the scripts that run against it."""

    name: str
    about: str
    command: list[str]
    runs: dict[str, list[str]]  # as `runs.toml` has it, and with everything filled in
    aead: bool


def main() -> None:
    options = arguments()
    checkout: Path = options.checkout.resolve()
    known = Known(tomllib.loads((HERE / "expected.toml").read_text()))
    with tempfile.TemporaryDirectory() as site:
        # hypercorn sends a page's body in a record of its own, and the scripts wait for one record: so an empty page.
        (Path(site) / "index.html").touch()
        servers = list(read_servers(checkout, site))
        results = [result for server in servers for result in run_all(options, checkout, server, known)]
    whole = options.only == options.server == ["*"]
    wrong = [f"{r.server} {r.run}: {name}" for r in results for name in known.surprises(r)]
    if whole:
        wrong += [f"explained {counted}" for counted in known.miscounted(results)]
        scripts = sorted(path.name for path in (checkout / "scripts").glob("test-*.py"))
        used = {arguments[0] for server in servers for arguments in server.runs.values()}
        wrong += [f"to be run or left out, one of both: {name}" for name in known.unmentioned(scripts, used)]
    if options.report:
        options.report.write_text(report(servers, results, known, options.revision))
    passed, failed = sum(r.passed for r in results), sum(len(r.failed) for r in results)
    print(f"{len(results)} runs: {passed:,} conversations passed, {failed:,} failed, {len(wrong)} surprises")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a clone of tlsfuzzer")
    parser.add_argument("--python", default=sys.executable, help="a Python that has tlsfuzzer's requirements")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="GLOB", help="scripts, with their arguments")
    parser.add_argument("--server", nargs="+", default=["*"], metavar="GLOB", help="names of servers in runs.toml")
    parser.add_argument("--logs", type=Path, help="a folder for what the scripts print")
    parser.add_argument("--report", type=Path, help="where to write the results as Markdown")
    parser.add_argument("--revision", default="", help="of the checkout, for the report")
    return parser.parse_args()


def read_servers(checkout: Path, site: str) -> Iterator[Server]:
    table = tomllib.loads((HERE / "runs.toml").read_text())
    names = {"files": checkout / "tests", "site": site, "schemes": table["schemes"], "schemes12": table["schemes12"]}
    for entry in table["server"]:
        yield Server(
            name=entry["name"],
            about=entry["about"],
            command=shlex.split(entry["command"].format(**names)),
            runs={run: _filled_in(run, entry.get("common", ""), names) for run in entry["runs"]},
            aead=entry.get("aead", False),
        )


def _filled_in(run: str, common: str, names: dict[str, Any]) -> list[str]:
    """The script, the arguments that all have, and its own, which win."""
    script, _, own = run.partition(" ")
    return [script, *shlex.split(f"{common} {own}".format(**names))]


def run_all(options: argparse.Namespace, checkout: Path, server: Server, known: Known) -> Iterator[Result]:
    """Starts the server, if any of its scripts is wanted, and runs those."""
    wanted = any(fnmatchcase(server.name, glob) for glob in options.server)
    runs = [run for run in server.runs if wanted and any(fnmatchcase(run, glob) for glob in options.only)]
    if not runs:
        return
    with tempfile.TemporaryFile("w+") as errors, started(server, errors) as port:
        for run in runs:
            result = play(options.python, checkout, server, run, port)
            result.problem = result.problem or traceback_in(errors)
            print(line_of(result, known), flush=True)
            if options.logs:
                options.logs.mkdir(parents=True, exist_ok=True)
                name = re.sub(r"[^\w.-]+", "_", f"{server.name}-{run}")[:150]
                (options.logs / f"{name}.log").write_text(result.output)
            yield result


@contextlib.contextmanager
def started(server: Server, errors: IO[str]) -> Iterator[int]:
    """Starts a server on a free port, which it prints; ends it afterwards."""
    program, *rest = server.command
    start = [str(HERE / "server.py")] if program == "server.py" else ["-m", "glasslock.cli", program]
    process = subprocess.Popen(
        [sys.executable, *start, *rest, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    try:
        assert process.stdout is not None
        found = re.search(r"(\d+)/?\s*$", process.stdout.readline())
        if found is None:
            process.wait(STARTING)
            errors.seek(0)
            raise SystemExit(f"{server.name} did not start:\n{errors.read()}")
        yield int(found[1])
    finally:
        process.terminate()
        process.wait(STARTING)


def traceback_in(errors: IO[str]) -> str:
    """What the server let escape: whatever a client sends, that is a bug."""
    errors.seek(0)
    said = errors.read()
    errors.seek(0)
    errors.truncate()
    return f"the server said: {said.strip().splitlines()[-1]}" if "Traceback" in said else ""


def play(python: str, checkout: Path, server: Server, run: str, port: int) -> Result:
    """One script with its arguments."""
    script, *own = server.runs[run]
    start = [str(HERE / "play.py"), str(checkout), script] if server.aead else [str(checkout / "scripts" / script)]
    result = Result(server.name, run)
    begin = time.monotonic()
    try:
        done = subprocess.run(
            [python, *start, "-h", "localhost", "-p", str(port), *own],
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        result.read(done.stdout, done.returncode)
    except subprocess.TimeoutExpired as late:
        result.read((late.stdout or b"").decode(errors="replace"), 1)
        result.problem = f"not finished after {TIMEOUT:.0f} seconds"
    result.seconds = time.monotonic() - begin
    return result


def line_of(result: Result, known: Known) -> str:
    surprises = known.surprises(result)
    told = f"  {len(surprises)} unexplained: {'; '.join(surprises)[:160]}" if surprises else ""
    counts = f"{result.passed:5} passed {len(result.failed):4} failed {result.seconds:6.1f} s"
    return f"{result.server:18} {result.run[:60]:60} {counts}{told}"


if __name__ == "__main__":
    main()

"""The results as a page for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .known import Known, Result

if TYPE_CHECKING:
    from .run import Server

INTRODUCTION = """\
# tlsfuzzer

[tlsfuzzer](https://github.com/tlsfuzzer/tlsfuzzer) is a collection of scripts that hold conversations with a TLS
server: most of them wrong in one place, with the one alert that must come. This page is made by

```
python -m tests.tlsfuzzer.run path/to/tlsfuzzer --python path/to/python --report docs/tlsfuzzer.md
```

where the second path is a Python that has what tlsfuzzer's `requirements.txt` names; nothing of tlsfuzzer is in this
project. [`runs.toml`](../tests/tlsfuzzer/runs.toml) says which script runs with which arguments against which server,
[`expected.toml`](../tests/tlsfuzzer/expected.toml) what fails, with which words, how often, and why. The exit status
is 0 if exactly that fails, and if no exception escapes from the server.

The servers are `glasslock serve` and, for settings that it has no switch for, a small one around the same engine
([`server.py`](../tests/tlsfuzzer/server.py)). Many scripts for TLS 1.2 negotiate a CBC suite although they are about
something else; since glasslock has none, [`play.py`](../tests/tlsfuzzer/play.py) gives them the GCM suite with the same
key exchange and key size in its place. Scripts that are about CBC itself are [not run](#not-run).

Of the arguments, `-d` wants ECDHE instead of RSA key transport, `-M` extended_master_secret, `-n` a random sample (0:
all conversations), and `--exc` leaves out numbers that a script takes for unassigned although they are extensions that
this server knows and whose form it checks.
"""


def report(servers: list[Server], results: list[Result], known: Known, revision: str) -> str:
    """The whole page."""
    passed, failed = sum(r.passed for r in results), sum(len(r.failed) for r in results)
    scripts = len({result.run.split()[0] for result in results})
    numbers = {entry["id"]: number for number, entry in enumerate(known.entries, 1)}
    of = f" of tlsfuzzer {revision}" if revision else ""
    totals = (
        f"**{scripts} scripts{of} in {len(results)} runs: {passed:,} conversations passed, {failed:,} did not**, each "
        f"for one of the {len(numbers)} reasons below. A conversation that is held again and again, some until chance "
        "brings a rare case, counts each time.\n"
    )
    parts = [INTRODUCTION, totals]
    for server in servers:
        mine = [result for result in results if result.server == server.name]
        if mine:
            parts.append(f"## {server.about}\n")
            parts.append("| script | passed | failed | why |\n|---|---:|---:|---|")
            parts.append("\n".join(_row(result, known, numbers) for result in mine) + "\n")
    parts.append("## Why conversations fail\n")
    parts += [
        f"{numbers[entry['id']]}. **{entry['id']}** ({known.explained(entry, results)}): {entry['because']}"
        for entry in known.entries
    ]
    parts.append("\n## Not run\n")
    parts += [
        f"- {', '.join(f'`{glob}`' for glob in entry['scripts'])}: {entry['because']}." for entry in known.left_out
    ]
    return "\n".join(parts) + "\n"


def _row(result: Result, known: Known, numbers: dict[str, int]) -> str:
    reasons = [known.reason(result, name) for name in result.failed]
    why = sorted({numbers[reason["id"]] for reason in reasons if reason is not None})
    told = ", ".join(map(str, why)) + (" **unexplained**" if known.surprises(result) else "")
    run = re.sub(r"\{files\}/", "", result.run)
    return f"| `{run}` | {result.passed:,} | {len(result.failed) or ''} | {told} |"

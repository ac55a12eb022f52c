"""What was found, as a table in a terminal and in docs/performance.md."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .compare import Pairs, Row
from .peers import BASELINE, MODULES
from .work import OURS, AnyWork, Bulk, Import, Loopback, Memory

BEGIN, END = "<!-- begin: written by `make bench` -->", "<!-- end: written by `make bench` -->"
PACKAGES = {name: name for name in MODULES if name not in (BASELINE, OURS)} | {"pyopenssl": "pyOpenSSL"}


def value(work: AnyWork, number: float) -> str:
    """A measured value in the unit in which a person thinks of it."""
    if isinstance(work, Memory):
        return f"{number:.1f} KiB"
    if isinstance(work, Import):
        return f"{number * 1e3:.0f} ms"
    micro = number * 1e6
    return f"{micro:.1f} µs" if micro < 100 else f"{micro:,.0f} µs"


def goal(work: AnyWork) -> str:
    """As words."""
    if work.goal is None:
        return ""
    return f"≤ {value(work, work.goal)}" if work.absolute else f"≤ {work.goal:.2f}"


def met(work: AnyWork, pairs: Pairs) -> bool | None:
    """Whether the goal was reached; None where there is none."""
    if work.goal is None:
        return None
    return (pairs.peer() if work.absolute else pairs.ratio()) <= work.goal


def throughput(work: AnyWork, pairs: Pairs) -> str:
    """In words, where bytes are what counts."""
    if isinstance(work, Bulk):
        return _megabytes(work.size / pairs.peer())
    if isinstance(work, Loopback) and work.what == "bulk":
        return _megabytes((1 << 20) / pairs.peer())
    return ""


def _megabytes(speed: float) -> str:
    return f"{speed / 1e6:,.0f} MB/s" if speed >= 1e7 else f"{speed / 1e6:.2g} MB/s"


def lines(row: Row) -> list[str]:
    """For a terminal: one line for each peer."""
    found = []
    for peer, pairs in row.found.items():
        low, high = pairs.spread()
        verdict = {None: "", True: f"  goal {goal(row.work)}", False: f"  MISSED {goal(row.work)}"}
        text = f"{row.work.title:42} {peer:10} {pairs.ratio():7.2f} [{low:.2f}..{high:.2f}]"
        text += f"  {value(row.work, pairs.baseline())} -> {value(row.work, pairs.peer())}"
        if "client" in pairs.pairs[0][1] and "client" in pairs.pairs[0][0]:
            sides = [f"{side} {value(row.work, pairs.peer(side))}" for side in ("client", "server")]
            text += f"  ({', '.join(sides)})"
        if (floor := pairs.floor()) is not None:
            text += f"  floor {floor:.2f}"
        text += f"  {throughput(row.work, pairs)}".rstrip()
        found.append(text + (verdict[met(row.work, pairs)] if peer == OURS else ""))
    found += [f"{row.work.title:42} {peer:10} SKIP {why}" for peer, why in row.skipped.items()]
    found += [f"{row.work.title:42} {peer:10} FAILED {why}" for peer, why in row.failed.items()]
    return found


def document(rows: list[Row]) -> str:
    """The generated part of docs/performance.md."""
    return "\n".join([_setting(rows), _main_table(rows), _losses(rows), _sides_table(rows), _skips(rows)])


def _setting(rows: list[Row]) -> str:
    peers = [name for name in MODULES if name != BASELINE and any(name in row.found for row in rows)]
    named = [f"{PACKAGES[peer]} {_version(PACKAGES[peer])}" for peer in peers if peer in PACKAGES]
    counts = [len(row.found[OURS].pairs) for row in rows if OURS in row.found]
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return "\n".join(
        [
            f"- machine: {processor()}, {os.cpu_count()} cores, {system}",
            f"- Python {platform.python_version()} ({sys.implementation.name})",
            f"- `ssl` stands on **{ssl.OPENSSL_VERSION}**",
            f"- glasslock and pyOpenSSL stand on cryptography {_version('cryptography')}: **{_pyca_openssl()}**",
            f"- peers: {', '.join(named) or 'none'}",
            f"- pairs: {min(counts, default=0)} to {max(counts, default=0)} for glasslock in each row",
            "",
        ]
    )


def _main_table(rows: list[Row]) -> str:
    others = [peer for peer in MODULES if peer not in (BASELINE, OURS)]
    head = ["work", "`ssl`", "glasslock", "ratio", "10th..90th", "goal", "floor", *(f"{peer}" for peer in others)]
    table = [head, ["---"] + ["---:"] * (len(head) - 1)]
    for row in rows:
        pairs = row.found.get(OURS)
        if pairs is None:
            continue
        low, high = pairs.spread()
        ratio = f"**{pairs.ratio():.2f}**"
        wanted = goal(row.work) + ("" if met(row.work, pairs) in (None, True) else " (missed)")
        floor = pairs.floor()
        cells = [row.work.title + (" ¹" if row.work.baseline_peer == OURS else "")]
        cells += [value(row.work, pairs.baseline()), value(row.work, pairs.peer()), ratio, f"{low:.2f}..{high:.2f}"]
        cells += [wanted, "" if floor is None else f"{floor:.2f}"]
        cells += [f"{row.found[peer].ratio():.2f}" if peer in row.found else "" for peer in others]
        table.append(cells)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table) + "\n"


def _losses(rows: list[Row]) -> str:
    """Where somebody else is better, and what was aimed at and not reached, in words."""
    ours = [(row, row.found[OURS]) for row in rows if OURS in row.found]
    slower = [row.work.title for row, pairs in ours if pairs.ratio() > 1 and row.work.baseline_peer != OURS]
    missed = [row.work.title for row, pairs in ours if met(row.work, pairs) is False]
    found = [("Behind `ssl`", slower), ("Goals missed", missed)]
    for peer in MODULES:
        if peer not in (BASELINE, OURS):
            titles = [row.work.title for row, p in ours if peer in row.found and row.found[peer].ratio() < p.ratio()]
            found.append((f"Behind {peer}", titles))
    return "".join(f"- {words}: {'; '.join(titles)}.\n" for words, titles in found if titles)


def _sides_table(rows: list[Row]) -> str:
    table = [["work", "client: `ssl`", "glasslock", "ratio", "server: `ssl`", "glasslock", "ratio"]]
    table.append(["---"] + ["---:"] * 6)
    for row in rows:
        pairs = row.found.get(OURS)
        if pairs is None or "client" not in pairs.pairs[0][1] or "client" not in pairs.pairs[0][0]:
            continue
        cells = [row.work.title]
        for side in ("client", "server"):
            cells += [
                value(row.work, pairs.baseline(side)),
                value(row.work, pairs.peer(side)),
                f"{pairs.ratio(side):.2f}",
            ]
        table.append(cells)
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    return f"What each side has of it (of work over TCP: CPU time):\n\n{text}\n"


def _skips(rows: list[Row]) -> str:
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for peer, why in [*row.skipped.items(), *row.failed.items()]:
            reasons.setdefault((peer, why), []).append(row.work.title)
    if not reasons:
        return ""
    text = [f"- {peer}: {why} ({'; '.join(titles)})" for (peer, why), titles in sorted(reasons.items())]
    return "\n".join(["Not there:", "", *text, ""])


def write(page: Path, rows: list[Row]) -> None:
    """Puts the tables between the markers of the page. ValueError if it has none."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for the tables: {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{document(rows)}\n{END}{after}")


def processor() -> str:
    """Its name, if the system tells."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _pyca_openssl() -> str:
    from cryptography.hazmat.backends.openssl import backend

    return backend.openssl_version_text()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"

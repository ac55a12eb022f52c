"""The picture of docs/performance.md: one line for each work, one dot for each implementation."""

from __future__ import annotations

from pathlib import Path

from .compare import Row
from .work import OURS

LOOKS = {  # peer: label, colour, marker
    OURS: ("glasslock", "#d9480f", "o"),
    "pyopenssl": ("pyOpenSSL", "#1c7ed6", "s"),
    "pyrtls": ("rustls (pyrtls)", "#2b8a3e", "D"),
    "aioquic": ("aioquic", "#862e9c", "v"),
    "siotls": ("siotls", "#868e96", "^"),
}
LEAST, MOST = 0.2, 12.0  # of the axis; what is farther out is left to the table


def draw(path: Path, rows: list[Row], opponent: str) -> None:
    """Writes an SVG on a white card, so that it can be read on light and on dark pages."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "glasslock"  # the same picture for the same numbers
    shown = [row for row in rows if OURS in row.found and row.work.baseline_peer != OURS]
    figure = Figure(figsize=(9, 1.6 + 0.36 * len(shown)), facecolor="white", layout="constrained")
    axes = figure.subplots()
    places = range(len(shown) - 1, -1, -1)
    for peer, (label, colour, marker) in reversed(LOOKS.items()):
        points = [(row.found[peer].ratio(), at) for row, at in zip(shown, places, strict=True) if peer in row.found]
        points = [(ratio, at) for ratio, at in points if LEAST <= ratio <= MOST]
        if points:
            ratios, heights = zip(*points, strict=True)
            size = 70 if peer == OURS else 34
            axes.scatter(ratios, heights, s=size, c=colour, marker=marker, label=label, zorder=4 if peer == OURS else 3)
    for row, at in zip(shown, places, strict=True):
        pairs = row.found[OURS]
        axes.plot(pairs.spread(), (at, at), color=LOOKS[OURS][1], linewidth=2, alpha=0.5, zorder=2)
        if (floor := pairs.floor()) is not None:
            axes.plot((floor, floor), (at - 0.32, at + 0.32), color="#495057", linewidth=2, zorder=2)
        axes.annotate(f"{pairs.ratio():.2f}", (1.01, at), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.plot((), (), color="#495057", linewidth=2, label="the primitives alone")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(LEAST, MOST)
    axes.set_xticks([0.25, 0.5, 1, 2, 4, 8], ["¼", "½", "1", "2", "4", "8"])
    axes.set_yticks(list(places), [row.work.title for row in shown])
    axes.grid(axis="x", color="#dee2e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel(f"relative to Python's ssl on {opponent}: farther left is better")
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda index: labels[index] != LOOKS[OURS][0])
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="outside upper left", ncols=6, fontsize=8
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})

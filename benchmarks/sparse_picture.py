"""Bars of the ratios of bench_sparse.py: `python benchmarks/sparse_picture.py RUN.json ... PICTURE.png`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fit_page
import sparse_page
from bench_fit import FINE
from steepest.extras import require

Row = dict[str, Any]
Bar = tuple[str, float, str]  # what it is of, the ratio, and whose time
WIDTH = 4.6  # inches: on a telephone of 390 pixels, letters of 11 points then have 12 pixels
OURS_COLOUR = "#D55E00"
TITLES = {"pass": "one gradient, SciPy's two products", "fit": "whole fit to 1e-6", "epoch": "stochastic epoch"}


def bars(rows: Sequence[Row], part: str) -> Iterator[Bar]:
    """Yield the bars of a part: a ratio is the time of the other over ours."""
    found = sparse_page.part_of(rows, part)
    if part == "fit":
        for label, here in fit_page.grouped(found):
            if best := sparse_page.best_ratio(here, FINE):
                yield label, best[1], best[0].replace("sklearn", "scikit-learn")
        return
    heading, other = ("x SciPy", "SciPy") if part == "pass" else ("x SGDClassifier", "SGDClassifier")
    for row in found:
        if row.get(heading) is not None:
            yield words(row), float(row[heading]), other


def words(row: Row) -> str:
    """Say what a row of passes or epochs is of."""
    columns, kind = f"{row['columns']:,} columns", row["case"].split("/")[1]
    return f"{columns}, all values 1" if kind == "ones" else columns


def figure_of(rows: Sequence[Row]) -> Any:
    """Draw a panel for each part that was run."""
    panels = {title: list(bars(rows, part)) for part, title in TITLES.items()}
    panels = {title: found for title, found in panels.items() if found}
    counts = [len(found) for found in panels.values()]
    size = (WIDTH, 0.5 * sum(counts) + 0.75 * len(counts) + 0.4)
    figure = require("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    heights = {"height_ratios": [count + 0.4 for count in counts]}
    grid = figure.subplots(len(panels), squeeze=False, gridspec_kw=heights).ravel()
    for ax, (title, found) in zip(grid, panels.items(), strict=True):
        _panel(ax, title, found)
    grid[-1].set_xlabel("time of the fastest other / of steepest", fontsize=11)
    return figure


def _panel(ax: Any, title: str, found: Sequence[Bar]) -> None:
    longest = max(1.0, *(ratio for _, ratio, _ in found))
    for i, (label, ratio, other) in enumerate(found):
        ax.barh(i, ratio, height=0.42, color=OURS_COLOUR)
        ax.text(0.0, i - 0.25, label, va="bottom", fontsize=11)
        inside = ratio >= 0.5 * longest
        place = (ratio - 0.02 * longest, "right") if inside else (ratio + 0.01 * longest, "left")
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2} if inside else None
        text = f"{ratio:.1f} x   {other}"
        ax.text(place[0], i, text, va="center", ha=place[1], fontsize=11, color="0.1", bbox=box)
    ax.axvline(1, color="0.5", lw=1, zorder=0)
    ax.set(xlim=(0, 1.03 * longest), ylim=(len(found) - 0.5, -0.9), yticks=[])
    ax.set_title(title, fontsize=11, loc="left", fontweight="bold")
    ax.tick_params(labelsize=11)
    ax.xaxis.set_major_formatter(lambda tick, _: f"{tick:g} x")
    ax.locator_params(axis="x", nbins=5, integer=longest > 4)
    ax.spines[["top", "right", "left"]].set_visible(False)


def picture(rows: Sequence[Row], path: Path) -> None:
    """Save what `figure_of` draws."""
    figure_of(rows).savefig(path, dpi=160)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: sparse_picture.py RUN.json ... PICTURE.png")
    picture([row for run in sys.argv[1:-1] for row in json.loads(Path(run).read_text())["rows"]], Path(sys.argv[-1]))

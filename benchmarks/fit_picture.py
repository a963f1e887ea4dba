"""Suboptimality against time, a panel a data set; draws the JSON of runs of bench_fit.py, one file or several."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fit_contenders import OURS
from steepest.extras import require

Row = dict[str, Any]
TARGETS = (1e-3, 1e-6)
FLOOR = 1e-9
COLUMNS = 4
STYLES = ("-", (0, (5, 2)), (0, (1, 1.2)))


def curve(row: Row) -> tuple[list[float], list[float]]:
    """Return seconds and suboptimality of the fits that were the best for their time, none below 1e-9."""
    seconds, gaps = list[float](), list[float]()
    for _, elapsed, gap in sorted(row["fits"], key=lambda fit: fit[1]):
        if math.isfinite(gap) and gap < min(gaps, default=math.inf) and min(gaps, default=1.0) > FLOOR:
            seconds.append(elapsed)
            gaps.append(max(gap, FLOOR))
    return seconds, gaps


def figure_of(rows: Sequence[Row]) -> Any:
    """Draw a panel for each data set; a contender has one colour in all of them, and ours is black."""
    labels = list(dict.fromkeys(row["data set"] for row in rows))
    rows = [row for row in rows if row["contender"] != OURS[1]]
    names = sorted({row["contender"] for row in rows} - {OURS[0]})
    styles = {name: {"color": f"C{i % 10}", "ls": STYLES[i // 10], "lw": 1.5} for i, name in enumerate(names)}
    styles[OURS[0]] = {"color": "black", "ls": "-", "lw": 2.8, "zorder": 5}
    across = min(COLUMNS, len(labels))
    down = -(-len(labels) // across)
    size = (max(6.4, 4 * across), 3.2 * down + 1.2)
    figure = require("matplotlib.figure", "plot").Figure(figsize=size, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for ax, label in zip(panels, labels, strict=False):
        _panel(ax, label, [row for row in rows if row["data set"] == label], styles)
    for ax in panels[len(labels) :]:
        ax.set_axis_off()
    for ax in panels[: len(labels) : across]:
        ax.set_ylabel("relative suboptimality")
    handles = {line.get_label(): line for ax in panels for line in ax.get_lines()}
    shown = [name for name in (OURS[0], *names) if name in handles]
    options = {"loc": "outside lower center", "ncols": min(5, 2 * across), "frameon": False}
    figure.legend([handles[name] for name in shown], shown, **options)
    return figure


def picture(rows: Sequence[Row], path: Path) -> None:
    """Save what `figure_of` draws."""
    figure_of(rows).savefig(path, dpi=120)


def _panel(ax: Any, label: str, rows: Sequence[Row], styles: dict[str, dict[str, Any]]) -> None:
    for row in rows:
        seconds, gaps = curve(row)
        if seconds:
            ax.plot(seconds, gaps, label=row["contender"], marker="o", ms=3, **styles[row["contender"]])
    for target in TARGETS:
        ax.axhline(target, color="0.6", lw=1, zorder=0, label="_target")
    times = [fit[1] for row in rows for fit in row["fits"]] or [1.0]
    decades = 10.0 ** math.floor(math.log10(min(times))), 10.0 ** math.ceil(math.log10(max(times)))
    ax.set(xscale="log", yscale="log", xlim=decades, xlabel="seconds of a fit", ylim=(FLOOR / 2, 2))
    ax.set_title(label.removeprefix("synthetic/").replace("/", ", "), fontsize=10)
    ax.tick_params(which="minor", labelbottom=False)
    ax.grid(True, color="0.9", lw=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: fit_picture.py RUN.json ... PICTURE.png")
    picture([row for run in sys.argv[1:-1] for row in json.loads(Path(run).read_text())["rows"]], Path(sys.argv[-1]))

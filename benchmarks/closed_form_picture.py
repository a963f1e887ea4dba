"""Where normal equation and descent cross, in words and as a picture; redraws it from the JSON of a run."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steepest.extras import require

Row = dict[str, Any]
DESCENTS = ["heavy ball", "gradient descent"]
STYLES = {"heavy ball": "-", "gradient descent": (0, (4, 2))}


def curve(rows: Sequence[Row], condition: float, n: int, name: str) -> tuple[list[int], list[float]]:
    """Return d and the time of a descent over that of the normal equation, by d."""
    chosen = sorted((row for row in rows if (row["condition"], row["n"]) == (condition, n)), key=lambda row: row["d"])
    return [row["d"] for row in chosen], [row[f"x {name}"] for row in chosen]


def crossings(d: Sequence[int], ratio: Sequence[float]) -> list[float]:
    """Find where the ratio passes 1, on straight lines between the points on log axes."""
    found = []
    for i in range(len(d) - 1):
        left, right = math.log(ratio[i]), math.log(ratio[i + 1])
        if left * right < 0:
            found.append(math.exp(math.log(d[i]) + left / (left - right) * math.log(d[i + 1] / d[i])))
    return found


def crossing(rows: Sequence[Row], condition: float, n: int, name: str) -> str:
    """Say where a descent becomes faster than the normal equation, or slower."""
    d, ratio = curve(rows, condition, n, name)
    points = crossings(d, ratio)
    if not points:
        return f"is {'slower' if ratio[0] > 1 else 'faster'} at every d measured ({d[0]} to {d[-1]})"
    words = "slower, faster" if ratio[0] > 1 else "faster, slower"
    turns = ", then ".join(f"about d = {point:.2g}" if point < 10 else f"about d = {point:.0f}" for point in points)
    return f"crosses at {turns} ({words} beyond)"


def figure_of(rows: Sequence[Row]) -> Any:
    """Draw the ratio of times over d, a panel for each condition number, a colour for each n."""
    conditions = sorted({row["condition"] for row in rows})
    figure = require("matplotlib.figure", "plot").Figure(figsize=(5.2 * len(conditions), 4.6), layout="constrained")
    panels = figure.subplots(1, len(conditions), sharey=True, squeeze=False)[0]
    for ax, condition in zip(panels, conditions, strict=True):
        _panel(ax, rows, condition)
    ratios = [row[f"x {name}"] for row in rows for name in DESCENTS]
    panels[0].set_ylim(min(0.1, min(ratios) / 1.5), max(10.0, 1.5 * max(ratios)))
    panels[0].set_ylabel("time of descent / time of the normal equation")
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def picture(rows: Sequence[Row], path: Path) -> None:
    """Save what `figure_of` draws."""
    figure_of(rows).savefig(path, dpi=150)


def _panel(ax: Any, rows: Sequence[Row], condition: float) -> None:
    for index, n in enumerate(sorted({row["n"] for row in rows if row["condition"] == condition})):
        for name in DESCENTS:
            d, ratio = curve(rows, condition, n, name)
            label = f"n = {n:,}" if name == DESCENTS[0] else None
            ax.plot(d, ratio, color=f"C{index}", ls=STYLES[name], marker="o", ms=4, lw=1.8, label=label)
            points = crossings(d, ratio)
            ax.plot(points, [1.0] * len(points), "D", color=f"C{index}", mec="black", ms=7, zorder=4)
    for name in DESCENTS:
        ax.plot([], [], color="0.4", ls=STYLES[name], lw=1.8, label=name)
    ax.set(xscale="log", yscale="log", xlabel="columns d", title=f"condition number {condition:,.0f}")
    ticks = sorted({row["d"] for row in rows})
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.axhline(1.0, color="black", lw=1)
    ax.axhspan(1e-9, 1.0, color="0.93", zorder=0)
    words = {"transform": ax.transAxes, "color": "0.35", "fontsize": 9}
    ax.text(0.98, 0.97, "normal equation faster", ha="right", va="top", **words)
    ax.text(0.02, 0.03, "descent faster", ha="left", va="bottom", **words)
    ax.grid(True, color="0.85", lw=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: closed_form_picture.py RUN.json PICTURE.png")
    picture(json.loads(Path(sys.argv[1]).read_text())["rows"], Path(sys.argv[2]))

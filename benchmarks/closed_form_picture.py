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


def picture(rows: Sequence[Row], path: Path) -> None:
    """Draw the ratio of times over d, a panel for each condition number, a colour for each n."""
    conditions = sorted({row["condition"] for row in rows})
    figure, panels = require("matplotlib.pyplot", "plot").subplots(
        1, len(conditions), figsize=(5.2 * len(conditions), 4.6), sharey=True, squeeze=False, layout="constrained"
    )
    for ax, condition in zip(panels[0], conditions, strict=True):
        _panel(ax, rows, condition)
    panels[0][0].set_ylabel("time of descent / time of the normal equation")
    handles, labels = panels[0][-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=150)
    require("matplotlib.pyplot", "plot").close(figure)


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
    low, high = ax.get_ylim()
    ax.set_ylim(min(low, 0.1), max(high, 10.0))
    ax.axhspan(ax.get_ylim()[0], 1.0, color="0.93", zorder=0)
    place = {"transform": ax.get_yaxis_transform(), "ha": "right", "color": "0.35", "fontsize": 9}
    ax.text(0.98, 1.12, "normal equation faster", va="bottom", **place)
    ax.text(0.98, 0.88, "descent faster", va="top", **place)
    ax.grid(True, color="0.85", lw=0.7)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: closed_form_picture.py RUN.json PICTURE.png")
    picture(json.loads(Path(sys.argv[1]).read_text())["rows"], Path(sys.argv[2]))

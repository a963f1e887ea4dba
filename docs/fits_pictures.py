"""Draws fits.png, fits-real.png and fits-panels.png from the tables of fits.md: `python docs/fits_pictures.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
WIDTH = 4.6  # of a picture, in inches: on a telephone of 390 pixels, letters of 11 points then have 12 pixels
UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
# What a panel or a bar says: the name of its row in the tables, and for real data what was fitted.
COLUMNS = ("independent", "correlated")
WORDS = {f"500000x100, {columns}, {decades}": "" for columns in COLUMNS for decades in (1, 3)}
WORDS |= {f"{shape}, {columns}, 1": "" for shape in ("2000000x30", "100000x1000") for columns in COLUMNS}
WORDS |= {"20000x4000, independent, 1": ""}
REAL = {
    "flights, logistic": "late or not",
    "flights, squares": "minutes late",
    "flights, lasso": "minutes late",
    "diamonds, squares": "log price",
    "mnist, 1": "digits, 5,000 images",
    "mnist, 12": "digits, 60,000 images",
}
WORDS = {label: f"{label}: {words}" if words else label for label, words in (WORDS | REAL).items()}
# One colour a library; the methods of one library differ by their place in a panel.
COLOURS = {"steepest": "#D55E00", "scikit-learn": "#0072B2", "scikit-learn-intelex": "#009E73", "cyanure": "#CC79A7"}
COLOURS |= {"snapml": "#A87400", "liblinear": "#56B4E9", "skglm": "#7F7F7F", "PyTorch": "#000000"}
LIBRARIES = {"ours": "steepest", "our": "steepest", "sklearn": "scikit-learn", "intelex": "scikit-learn-intelex"}


class Fit(NamedTuple):
    """A row of the table of all contenders: seconds to 1e-3 and to 1e-6, None where a target was not reached."""

    contender: str
    coarse: float | None
    fine: float | None
    fine_ratio: float | None
    budget: float | None

    @property
    def library(self) -> str:
        """The library of the contender."""
        first = self.contender.split()[0]
        return LIBRARIES.get(first, first)


def seconds(text: str) -> float | None:
    """Return a time of the table in seconds."""
    found = re.fullmatch(r"([\d.]+) (us|ms|s)", text)
    return float(found[1]) * UNITS[found[2]] if found else None


def number(text: str) -> float | None:
    """Return a number of the table."""
    return None if text == "-" else float(text)


def fits() -> dict[str, list[Fit]]:
    """Return the fits of each data set, as the table of all contenders has them."""
    found: dict[str, list[Fit]] = {}
    for line in (HERE / "fits.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[0] in WORDS:
            label, contender, coarse, _, fine, ratio, _, left = cells
            budget = re.search(r"over ([\d.]+) s", left)
            fit = Fit(contender, seconds(coarse), seconds(fine), number(ratio), float(budget[1]) if budget else None)
            found.setdefault(label, []).append(fit)
    return found


def ratios(found: dict[str, list[Fit]]) -> Iterator[tuple[str, float, str, bool]]:
    """Yield of each data set its words, a ratio to 1e-6, what it is of, and whether it is only a lower bound."""
    for label, rows in found.items():
        peers = [row for row in rows if row.library != "steepest" and row.fine_ratio is not None]
        if peers:
            best = min(peers, key=lambda row: row.fine_ratio or 0.0)
            yield WORDS[label], best.fine_ratio or 0.0, best.contender.replace("sklearn", "scikit-learn"), False
        else:
            budget = max(row.budget for row in rows if row.budget)
            ours = next(row.fine for row in rows if row.contender == "ours")
            yield WORDS[label], budget / (ours or budget), f"no other within {budget:g} s", True


def bars(found: dict[str, list[Fit]]) -> Any:
    """Draw one bar a data set: how many times as long as ours the fastest other took."""
    from matplotlib.figure import Figure

    rows = list(ratios(found))
    longest = max(row[1] for row in rows)
    figure = Figure(figsize=(WIDTH, 0.58 * len(rows) + 0.9), layout="constrained")
    ax = figure.subplots()
    for i, (words, ratio, what, bound) in enumerate(rows):
        ax.barh(i, ratio, height=0.42, color="#D55E00", alpha=0.45 if bound else 1.0, hatch="//" if bound else None)
        ax.text(0.0, i - 0.27, words, va="bottom", fontsize=11)
        text = f"{'more than ' if bound else ''}{ratio:.1f} x   {what}"
        if ratio < 0.5 * longest:
            ax.text(ratio + 0.01 * longest, i, text, va="center", fontsize=11, color="0.25")
        else:  # there is room in the bar
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2}
            ax.text(ratio - 0.02 * longest, i, text, va="center", ha="right", fontsize=11, color="0.1", bbox=box)
    ax.set(xlim=(0, 1.03 * longest), ylim=(len(rows) - 0.5, -0.9), yticks=[])
    ticks = [1, 10, 20, 30, 40] if longest > 10 else range(1, int(longest) + 1)
    ax.set_xticks(list(ticks), [f"{tick} x" for tick in ticks], fontsize=11)
    ax.set_xlabel("time of the fastest other / of steepest", fontsize=11)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return figure


def panels(found: dict[str, list[Fit]]) -> Any:
    """Draw a panel a data set: every contender's seconds to 1e-3 (ring) and to 1e-6 (dot), a colour a library."""
    from matplotlib.figure import Figure

    counts = [sum(row.coarse is not None for row in rows) for rows in found.values()]
    figure = Figure(figsize=(WIDTH + 0.4, 0.27 * sum(counts) + 0.75 * len(counts) + 0.5), layout="constrained")
    grid = figure.subplots(len(found), squeeze=False, gridspec_kw={"height_ratios": [n + 1 for n in counts]}).ravel()
    for ax, (label, rows) in zip(grid, found.items(), strict=True):
        panel(ax, sorted((row for row in rows if row.coarse is not None), key=lambda row: -(row.coarse or 0.0)))
        ax.set_title(WORDS[label], fontsize=11, loc="left")
    grid[-1].set_xlabel("ring: time to 1e-3, dot: to 1e-6", fontsize=11)
    return figure


def panel(ax: Any, rows: list[Fit]) -> None:
    """Draw the contenders of one data set, the slowest one at the bottom."""
    for i, row in enumerate(rows):
        colour = COLOURS[row.library]
        ax.plot([row.coarse, row.fine or row.coarse], [i, i], color=colour, lw=2)
        ax.plot(row.coarse, i, "o", mfc="white", mec=colour, mew=1.8, ms=6, zorder=3)
        if row.fine is not None:
            ax.plot(row.fine, i, "o", color=colour, ms=6)
    names = {"ours": "steepest, minimize", "our estimator": "steepest, estimator"}
    texts = [names.get(row.contender, row.contender.replace("sklearn", "scikit-learn")) for row in rows]
    ax.set_yticks(range(len(rows)), texts, fontsize=10.5)
    for text, row in zip(ax.get_yticklabels(), rows, strict=True):
        text.set_color(COLOURS[row.library])
    ax.set(xscale="log", xlim=(2e-3, 25), ylim=(-0.6, len(rows) - 0.4))
    ax.set_xticks([0.01, 0.1, 1, 10], ["10 ms", "0.1 s", "1 s", "10 s"], fontsize=10.5)
    ax.minorticks_off()
    ax.grid(True, axis="x", color="0.9", lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    found = fits()
    bars(found).savefig(HERE / "fits.png", dpi=160)
    bars({label: rows for label, rows in found.items() if label in REAL}).savefig(HERE / "fits-real.png", dpi=160)
    panels(found).savefig(HERE / "fits-panels.png", dpi=110)

"""Prints a run of bench_sparse.py as Markdown, or writes it into a page below its marker.

`python benchmarks/sparse_page.py RUN.json ... [PAGE.md]` joins runs of one machine, of one part or case each.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import fit_page
import sparse_epochs
import sparse_passes
from fit_contenders import OURS

Row = dict[str, Any]
MARKER = "<!-- printed by benchmarks/sparse_page.py -->"
PACKAGES = ("sklearn", "snapml", "cyanure", "liblinear")
Columns = Mapping[str, Callable[[Any], str]]


def part_of(rows: Sequence[Row], part: str) -> list[Row]:
    """Return the rows of one part, their cases without its name."""
    found = [dict(row) for row in rows if row["part"] == part]
    for row in found:
        key = "data set" if part == "fit" else "case"
        row[key] = row[key].removeprefix(f"{part}/")
    return found


def best_ratio(rows: Sequence[Row], heading: str) -> tuple[str, float] | None:
    """Name the peer that was the fastest to a target, and how many times ours it took."""
    peers = [row for row in rows if row["contender"] not in OURS and row.get(f"x ours {heading}") is not None]
    best = min(peers, key=lambda row: float(row[f"x ours {heading}"]), default=None)
    return None if best is None else (str(best["contender"]), float(best[f"x ours {heading}"]))


def table(rows: Sequence[Row], columns: Columns) -> Iterator[str]:
    """Yield a table of the columns of a part, a dash where a row has no value."""
    yield f"| {' | '.join(name.strip() for name in columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        cells = ["-" if row.get(name) is None else style(row[name]).strip() for name, style in columns.items()]
        yield f"| {' | '.join(cells)} |"


def sizes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table of the sizes of the data sets."""
    yield "| data set | rows | columns | non-zeros | scores |"
    yield "|---|---|---|---|---|"
    for label, here in fit_page.grouped(rows):
        cells = [label, *(f"{here[0][name]:,}" for name in ("rows", "columns", "non-zeros", "scores"))]
        yield f"| {' | '.join(cells)} |"


def left_out(machine: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each package that was not installed."""
    for name in PACKAGES:
        if machine.get(name, "missing").startswith("missing"):
            yield f"{name} was not installed and is not compared."


def page(runs: Sequence[dict[str, Any]]) -> str:
    """Return all of it."""
    rows = [row for run in runs for row in run["rows"]]
    machine = runs[0]["machine"]
    lines = [fit_page.machine(machine), *left_out(machine), ""]
    if machine.get("scale", "1") != "1":
        lines += [f"The rows and columns are {machine['scale']} of the full sizes.", ""]
    if passes := part_of(rows, "pass"):
        lines += ["## One pass", "", *table(passes, sparse_passes.COLUMNS), ""]
    if fits := part_of(rows, "fit"):
        lines += ["## Whole fits", "", *sizes(fits), "", *fit_page.summary(fits), "", *fit_page.whole(fits), ""]
    if epochs := part_of(rows, "epoch"):
        lines += ["## Stochastic epochs", "", *table(epochs, sparse_epochs.COLUMNS), ""]
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Replace what stands below the marker of a page.

    Raises
    ------
    ValueError
        The page has no marker.
    """
    before, marker, _ = path.read_text().partition(MARKER)
    if not marker:
        raise ValueError(f"{path} must have the line {MARKER}, below which the tables stand")
    path.write_text(f"{before}{MARKER}\n\n{text}")


def main(arguments: Sequence[str]) -> int:
    """Print or write the page."""
    runs = [json.loads(Path(name).read_text()) for name in arguments if name.endswith(".json")]
    pages = [Path(name) for name in arguments if name.endswith(".md")]
    if not runs or len(pages) > 1 or len(runs) + len(pages) != len(arguments):
        print("usage: sparse_page.py RUN.json ... [PAGE.md]", file=sys.stderr)
        return 2
    if pages:
        write(pages[0], page(runs))
    else:
        print(page(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

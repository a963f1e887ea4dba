"""Prints runs of bench_fit.py as Markdown: who was fastest on each data set, and all contenders.

`python benchmarks/fit_page.py RUN.json ...` joins runs of one machine, made data set by data set.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import harness
from bench_fit import COARSE, FINE
from fit_contenders import OURS

Row = dict[str, Any]
PEERS = ("scipy", "sklearn", "sklearnex", "cyanure", "snapml", "liblinear", "skglm", "celer", "glum", "adelie", "torch")


def ratio(row: Row, heading: str) -> str:
    """Return the time of a row over ours in words, a dash where one of the two did not get there."""
    found = row.get(f"x ours {heading}")
    return "-" if found is None else f"{float(found):.1f}"


def time_of(rows: Sequence[Row], name: str, heading: str) -> str:
    """Return the time of a contender in words."""
    found = next((row[heading] for row in rows if row["contender"] == name), None)
    return "-" if found is None else harness.seconds(found)


def fastest(rows: Sequence[Row], heading: str) -> str:
    """Name the fastest peer, its time and how many times ours that is."""
    peers = [row for row in rows if row["contender"] not in OURS and row[heading] is not None]
    if not peers:
        return "none in the time given"
    best = min(peers, key=lambda row: float(row[heading]))
    found = ratio(best, heading)
    said = "ours did not get there" if found == "-" else f"{found} x"
    return f"{best['contender']} {harness.seconds(best[heading])} ({said})"


def grouped(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield each data set and its rows."""
    for label in dict.fromkeys(row["data set"] for row in rows):
        yield label.removeprefix("synthetic/").replace("/", ", "), [row for row in rows if row["data set"] == label]


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table of a line a data set."""
    yield "| data set | to 1e-3 | the fastest other | to 1e-6 | as an estimator | the fastest other |"
    yield "|---|---|---|---|---|---|"
    for label, here in grouped(rows):
        coarse, fine, estimator = (
            time_of(here, name, heading) for name, heading in ((OURS[0], COARSE), (OURS[0], FINE), (OURS[1], FINE))
        )
        yield f"| {label} | {coarse} | {fastest(here, COARSE)} | {fine} | {estimator} | {fastest(here, FINE)} |"


def whole(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a table of a line a contender."""
    yield "| data set | contender | to 1e-3 | x ours | to 1e-6 | x ours | nearest | left because |"
    yield "|---|---|---|---|---|---|---|---|"
    for label, here in grouped(rows):
        for row in here:
            cells = [label, row["contender"]]
            for heading in (COARSE, FINE):
                reached = row[heading] is not None
                cells += [harness.seconds(row[heading]), ratio(row, heading)] if reached else ["-", "-"]
            nearest = "-" if row["reached"] is None else f"{max(row['reached'], 0.0):.0e}"
            yield f"| {' | '.join([*cells, nearest, row['note']])} |"


def machine(found: dict[str, str]) -> str:
    """Describe the machine and the versions in a sentence."""
    versions = ", ".join(f"{name} {found[name]}" for name in PEERS if name in found)
    facts = ", ".join(found[name] for name in ("processor", "memory", "system"))
    level = next((part for part in found["steepest"].split("; ") if part.startswith("isa ")), "")
    ours = f"Python {found['python']}, steepest with {level}, NumPy {found['numpy']}"
    return f"{found['date']}: {facts}; {ours}; {versions}."


def page(runs: Sequence[dict[str, Any]]) -> str:
    """Return all of it."""
    rows = [row for run in runs for row in run["rows"]]
    parts = [machine(runs[0]["machine"]), "", *summary(rows), "", *whole(rows)]
    return "\n".join(parts)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: fit_page.py RUN.json ...")
    print(page([json.loads(Path(run).read_text()) for run in sys.argv[1:]]))

"""Whole fits: time to a relative suboptimality of 1e-3 and 1e-6, ours and other packages', on the same objective."""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import harness
import path_contenders
import processes
from fit_contenders import OURS, Contender
from fit_ladder import LEAST_SECONDS, PATIENCE, TARGETS, Climb, check_lowest, climb, is_short, rounds
from fit_peers import contenders, versions
from fit_picture import picture
from fit_problems import Case, cases
from fit_processes import hosts
from fit_reference import Array, Problem, Reference
from l1_reference import reference_of

Answer = TypeVar("Answer")
COARSE, FINE = (f"to {target:.0e}".replace("e-0", "e-") for target in TARGETS)
COLUMNS: dict[str, Callable[[Any], str]] = {
    "data set": "{:>34}".format,
    "contender": "{:>24}".format,
    COARSE: harness.seconds,
    f"x ours {COARSE}": "{:.1f}".format,
    FINE: harness.seconds,
    f"x ours {FINE}": "{:.1f}".format,
    "reached": "{:.0e}".format,
    "note": str,
}
FACTS = {
    "problem": "data in C order, float32 (wide and path: float64); mean loss + alpha / 2 |w|^2 (lasso, l1-logistic: "
    "alpha |w|_1), alpha 1e-4 (wide: that share of the alpha at which all coefficients are 0), intercept free (wide "
    "l1-logistic: none)",
    "time": "of one whole fit at the least effort (iterations, epochs or tolerance) that gets there; the search for "
    "that effort is not timed, and every answer is evaluated in float64 by NumPy",
    "suboptimality": "(objective - optimum) / (objective of the best constant - optimum); path: the largest "
    "(objective - optimum) / (objective of the best constant) of all alphas",
    "x ours": "time over ours: above 1 ours is faster",
}


def alone(call: Callable[[], Answer]) -> Answer:
    """Call with one thread for BLAS, where threadpoolctl is installed: no other then spins into the next timing."""
    threadpoolctl = harness.peer("threadpoolctl")
    with threadpoolctl.threadpool_limits(1, "blas") if threadpoolctl else contextlib.nullcontext():
        return call()


def optimum(reference: Reference, folder: Path | None) -> tuple[Array, float]:
    """Find the optimum, or read it from the folder of an earlier run, where its gradient is checked again.

    Raises
    ------
    harness.WrongAnswer
        If what was read is not this problem's optimum.
    """
    label = reference.problem.label
    if folder is None:
        return alone(reference.optimum)
    path = folder / (label.replace("/", "-") + ".npz")
    if not path.exists():
        w, excess = alone(reference.optimum)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, w=w, excess=excess, value=reference.value(w))
        return w, excess
    kept = np.load(path)
    harness.check(f"{label}, optimum in {path}", reference.value(kept["w"]), float(kept["value"]), 1e-12)
    return kept["w"], float(kept["excess"])


def attempt(
    contender: Contender,
    suboptimality: Callable[[Array], float],
    limit: float,
    start: Callable[[Contender], processes.Here] | None = None,
) -> Climb:
    """Climb a contender's ladder; a peer that raises is reported with its reason, ours is not excused.

    `start` starts the contender's process, which ends if no fit in it is to be timed again.
    """
    try:
        made = climb(contender, suboptimality, limit, start and start(contender))
        if made.host and not is_short(made):
            made.host.close()
        return made
    except Exception as error:
        if contender.name in OURS:
            raise
        reason = str(error) if isinstance(error, processes.Failed) else f"{type(error).__name__}: {error}"
        return Climb(contender, reason=reason.partition("\n")[0][:60])


def limit(climbs: Sequence[Climb], budget: float) -> float:
    """Return the seconds that a fit may take: the budget, or 20 times the fastest peer to the last target yet."""
    reached = [made.first(TARGETS[-1]) for made in climbs if made.contender.name not in OURS]
    fastest = min((fit.seconds for fit in reached if fit), default=math.inf)
    return min(budget, max(LEAST_SECONDS, PATIENCE * fastest))


def progress(made: Climb) -> str:
    """Say what a ladder brought, before any round."""
    firsts = [(target, made.first(target)) for target in TARGETS]
    found = [f"{target:.0e} in {harness.seconds(fit.seconds)} (effort {fit.effort})" for target, fit in firsts if fit]
    return f"{made.contender.name}: {', '.join(found) or 'not there'}; best {made.best:.0e} {made.reason}"


def measure(reference: Reference, found: Sequence[Contender], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Fit the problem of a reference by every contender; return their rows."""
    problem = reference.problem
    w, excess = optimum(reference, options.optima)
    missed = reference.suboptimality(w)
    climbs: list[Climb] = []
    with hosts(problem, options.together) as start:
        for contender in found:
            if options.contender and not any(name in contender.name for name in options.contender):
                continue
            most = limit(climbs, options.budget)
            climbs.append(attempt(contender, lambda answer: alone(lambda: missed(answer)), most, start))
            print(f"{problem.label}: {progress(climbs[-1])}", file=sys.stderr, flush=True)
        check_lowest(problem.label, climbs, excess)
        return rows(problem.label, climbs, rounds(climbs, options.repeats), excess)


def rows(
    label: str, climbs: Sequence[Climb], seconds: dict[tuple[str, float], list[float]], excess: float
) -> list[dict[str, Any]]:
    """Make a contender's row from its climb and its times; a ratio is the median over the rounds of both."""
    found = []
    for made in climbs:
        name = made.contender.name
        row: dict[str, Any] = {"data set": label, "contender": name, "note": made.reason, "optimum excess": excess}
        row["reached"] = made.best if math.isfinite(made.best) else None
        for target, heading in zip(TARGETS, (COARSE, FINE), strict=True):
            times, own = seconds.get((name, target)), seconds.get((OURS[0], target))
            row[heading] = statistics.median(times) if times else None
            pairs = zip(times or [], own or [], strict=False)
            ratios = [a / b for a, b in pairs] if len(times or []) == len(own or []) else []
            if times and own:
                row[f"x ours {heading}"] = statistics.median(ratios or [row[heading] / statistics.median(own)])
            row[f"{heading}, rounds"] = times
        row["effort"] = made.contender.effort
        row["fits"] = [[fit.effort, fit.seconds, fit.suboptimality] for fit in made.fits]
        found.append(row)
    return found


def summary(table: Sequence[dict[str, Any]]) -> list[str]:
    """Say for each data set who of the peers was fastest to each target, and how ours compares."""
    lines = []
    for label in dict.fromkeys(row["data set"] for row in table):
        here = [row for row in table if row["data set"] == label]
        for heading in (COARSE, FINE):
            peers = [row for row in here if row["contender"] not in OURS and row[heading] is not None]
            own = next((row[heading] for row in here if row["contender"] == OURS[0]), None)
            if not peers:
                lines.append(f"{label} {heading}: no peer got there")
                continue
            best = min(peers, key=lambda row: float(row[heading]))
            said = f"ours {harness.seconds(own)}, x{best[heading] / own:.1f}" if own else "ours did not get there"
            lines.append(f"{label} {heading}: {best['contender']} {harness.seconds(best[heading])}; {said}")
    return lines


def contenders_of(problem: Problem) -> list[Contender]:
    """List all that can fit the problem, or follow its path."""
    return contenders(problem) if problem.alphas is None else path_contenders.contenders(problem)


def chosen(options: argparse.Namespace) -> list[Case]:
    """List the cases that `--only` lets run, and name those whose data are missing."""
    found = [case for case in cases(options.quick) if harness.selected(options, case.label)]
    for case in found:
        if case.missing():
            print(f"- {case.label}: not run, missing: {', '.join(case.missing())}")
    return [case for case in found if not case.missing()]


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case, say who was fastest, and draw them where asked."""
    table = harness.Table("Whole fits", harness.describe() | versions() | FACTS, COLUMNS)
    for case in chosen(options):
        problem = case.make()
        for row in measure(reference_of(problem), contenders_of(problem), options):
            table.add(row)
    print()
    for line in summary(table.rows):
        print(line)
    if options.picture and table.rows:
        picture(table.rows, options.picture)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "a data set such as synthetic/500000x100/correlated/1 or flights/lasso")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw suboptimality over time")
    parser.add_argument("--budget", type=float, default=60.0, metavar="S", help="seconds a fit may take (60)")
    parser.add_argument("--optima", type=Path, metavar="DIR", help="keep the optima here, and take them from here")
    parser.add_argument("--contender", action="append", metavar="NAME", help="run those whose name has this in it")
    processes.add_option(parser)
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or (1 if options.quick else 3)
    options.budget = min(options.budget, 0.5) if options.quick else options.budget
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())

"""The normal equation against descent: where the one and where the other is faster, over rows, columns, conditions."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st
from closed_form_picture import DESCENTS, crossing, picture

Array = NDArray[np.float64]
CONDITIONS = [10.0, 1e4]
ROWS = [4096, 20_000, 100_000]
COLUMNS_OF_X = [16, 64, 256, 512, 1024, 2048]
LARGEST = 26_000_000  # elements of X
PEERS_LARGEST = 7_000_000_000  # n d^2, beyond which the peers would take most of the run
QUICK_SHAPES = [(200, 8), (60, 16)]
SUBOPTIMALITY = 1e-6  # of the excess over the minimum at the start, w = 0
TOLERANCE = 1e-9  # of the parameters
VALUE_TOLERANCE = 1e-8  # of a descent's excess, relative to that at the start
FEWEST_STEPS = 20


@dataclass
class Problem:
    """Rows whose Hessian has the eigenvalues ``spectrum``; the minimum; the error at w = 0 along the eigenvectors."""

    X: Array
    y: Array
    spectrum: Array
    minimum: Array
    start: Array

    @property
    def excess(self) -> float:
        """How far the objective at w = 0 is above its minimum."""
        return float(self.spectrum @ self.start**2 / 2)


def draw(n: int, d: int, condition: float) -> Problem:
    """Draw Gaussian rows, whitened, stretched and turned so that the Hessian 2/n X'X has exactly that spectrum."""
    random = np.random.default_rng(0)
    X = random.standard_normal((n, d))
    turn = np.linalg.qr(random.standard_normal((d, d)))[0]
    spectrum = np.geomspace(1.0, 1.0 / condition, d)
    whiten = np.linalg.inv(np.linalg.cholesky(X.T @ X / n)).T
    shape = whiten * np.sqrt(spectrum / 2) @ turn.T
    for start in range(0, n, 4096):
        X[start : start + 4096] = X[start : start + 4096] @ shape
    signal = X @ (turn @ random.standard_normal(d))
    y = signal + 0.5 * signal.std() * random.standard_normal(n)
    found = turn.T @ (X.T @ y * (2 / n)) / spectrum
    return Problem(X, y, spectrum, turn @ found, -found)


def optimizer_of(name: str, spectrum: Array) -> tuple[Any, float, float]:
    """Make the rule with the best learning rate (and momentum) for a known spectrum; also return these two."""
    smallest, largest = spectrum[-1], spectrum[0]
    if name == "gradient descent":
        rate = 2 / (largest + smallest)
        return st.GradientDescent(rate), rate, 0.0
    root = math.sqrt(largest / smallest)
    rate = 4 / (math.sqrt(largest) + math.sqrt(smallest)) ** 2
    momentum = ((root - 1) / (root + 1)) ** 2
    return st.Momentum(rate, momentum=momentum, velocity="step"), rate, momentum


def excesses(problem: Problem, rate: float, momentum: float) -> list[float]:
    """Follow the recurrence along each eigenvector: the excess after 0, 1, ... steps, down to SUBOPTIMALITY."""
    error, before = problem.start, problem.start
    found = [problem.excess]
    while found[-1] > SUBOPTIMALITY * problem.excess:
        error, before = error - rate * problem.spectrum * error + momentum * (error - before), error
        found.append(float(problem.spectrum @ error**2 / 2))
    return found


def value_at(problem: Problem, w: Array) -> float:
    """Evaluate the objective by the NumPy reference."""
    return float(st.reference.least_squares(problem.X, problem.y, w, intercept=False)[0])


def descend(objective: Any, optimizer: Any, steps: int) -> Any:
    """Take that many steps; the objective is evaluated before and after only."""
    return st.minimize(objective, optimizer=optimizer, max_epochs=steps, evaluate_every=max(steps, 1))


def seconds_of(call: harness.Call) -> float:
    """Time one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def descent_timer(
    name: str, problem: Problem, objective: Any, lowest: float, label: str, options: argparse.Namespace
) -> tuple[harness.Timer, int, int]:
    """Check a descent's value against the recurrence, then make its timer; also return its steps and those timed.

    Where all steps would take longer than some 0.25 s, fewer are timed, less one step, and scaled to all.
    """
    optimizer, rate, momentum = optimizer_of(name, problem.spectrum)
    path = excesses(problem, rate, momentum)
    steps = len(path) - 1
    few = min(steps, FEWEST_STEPS)
    a_step = seconds_of(lambda: descend(objective, optimizer, few)) / few
    timed = min(steps, max(few, int((0.005 if options.quick else 0.25) / a_step)))
    value = value_at(problem, descend(objective, optimizer, timed).w)
    harness.check(f"{label}, {name}", value - lowest, path[timed], VALUE_TOLERANCE, problem.excess)

    def sample() -> float:
        elapsed = seconds_of(lambda: descend(objective, optimizer, timed))
        if timed == steps:
            return elapsed
        once = seconds_of(lambda: descend(objective, optimizer, 1))
        return once + max(elapsed - once, 1e-9) / (timed - 1) * (steps - 1)

    return sample, steps, timed


def timer(call: harness.Call, options: argparse.Namespace) -> harness.Timer:
    """Make the harness's timer, or for a long call one without its warm-up, for the checks have run it already."""
    return harness.timer(call, options) if seconds_of(call) < 0.2 else lambda: seconds_of(call)


def direct(problem: Problem, objective: Any, sklearn: Any) -> dict[str, Callable[[], NDArray[Any]]]:
    """List what solves the problem without descent."""
    X, y = problem.X, problem.y
    solvers: dict[str, Callable[[], NDArray[Any]]] = {"ours": lambda: st.normal_equation(objective).w}
    if X.size * X.shape[1] > PEERS_LARGEST:
        return solvers
    solvers["NumPy"] = lambda: np.linalg.lstsq(X, y, rcond=None)[0]
    if sklearn:
        solvers["sklearn"] = lambda: np.asarray(sklearn.LinearRegression(fit_intercept=False).fit(X, y).coef_)
    return solvers


def measure(label: str, problem: Problem, sklearn: Any, options: argparse.Namespace) -> dict[str, Any]:
    """Check every contender on one problem, then time them."""
    objective = st.LeastSquares(problem.X, problem.y, intercept=False)
    solvers = direct(problem, objective, sklearn)
    errors = {
        name: harness.check(f"{label}, {name}", solve(), problem.minimum, TOLERANCE) for name, solve in solvers.items()
    }
    lowest = value_at(problem, problem.minimum)
    timers = {name: timer(solve, options) for name, solve in solvers.items()}
    row: dict[str, Any] = {}
    for name in DESCENTS:
        timers[name], row[f"{name}, steps"], row[f"{name}, timed"] = descent_timer(
            name, problem, objective, lowest, label, options
        )
    times = harness.interleave(timers, options)
    row |= {name: times.median(name) for name in timers}
    row |= {f"x {name}": times.ratio(name, "ours") for name in timers if name != "ours"}
    return row | {"sklearn": row.get("sklearn"), "error": errors["ours"], "seconds": times.seconds}


COLUMNS: dict[str, Callable[[Any], str]] = {
    "condition": "{:g}".format,
    **dict.fromkeys(("n", "d"), "{:d}".format),
    "ours": harness.seconds,
    **{
        key: style
        for name in DESCENTS
        for key, style in ((name, harness.seconds), (f"{name}, steps", "{:d}".format), (f"x {name}", "{:.3g}".format))
    },
    "NumPy": harness.seconds,
    "x NumPy": "{:.1f}".format,
    "sklearn": harness.seconds,
    "x sklearn": "{:.1f}".format,
    "error": "{:.0e}".format,
}


def cases(options: argparse.Namespace) -> list[tuple[float, int, int, str]]:
    """List the selected conditions, rows and columns, with their labels."""
    shapes = [(n, d) for n in ROWS for d in COLUMNS_OF_X if 2 * d <= n and n * d <= LARGEST]
    found = [
        (condition, n, d, f"{condition:g}/{n}x{d}")
        for condition in CONDITIONS
        for n, d in (QUICK_SHAPES if options.quick else shapes)
    ]
    return [case for case in found if harness.selected(options, case[3])]


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case, say where the crossings lie, and draw them where asked."""
    sklearn = harness.peer("sklearn.linear_model")
    facts = {
        "problem": "least squares, float64, C order, no intercept, no penalty; the Hessian's spectrum is geometric",
        "descent": f"from zeros until the excess over the minimum is {SUBOPTIMALITY:g} of its start, at the best rate "
        "and momentum for the spectrum, which it is told, as are its steps: neither search nor stopping counts",
        "x ...": "time over ours, the normal equation's: above 1 the normal equation is faster",
    }
    table = harness.Table("Normal equation and descent", harness.describe(["sklearn"]) | facts, COLUMNS)
    for condition, n, d, label in cases(options):
        row = measure(label, draw(n, d, condition), sklearn, options)
        table.add({"condition": condition, "n": n, "d": d, **row})
    print()
    for condition, n in dict.fromkeys((row["condition"], row["n"]) for row in table.rows):
        for name in DESCENTS:
            print(f"condition {condition:g}, {n:,} rows: {name} {crossing(table.rows, condition, n, name)}")
    if options.picture and table.rows:
        picture(table.rows, options.picture)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    parser = harness.arguments(__doc__ or "", "CONDITION/ROWSxCOLUMNS (3 rounds unless --repeats says more)")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="also draw the ratios over d (needs matplotlib)")
    options = parser.parse_args(arguments)
    options.repeats = options.repeats or 3
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())

"""What curvature predicts and what descent then takes: steps on the flights, raw and standardised; rates left to it."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import datasets
import harness
import steepest as st

STEADY = 0.95  # of the largest stable rate, where the steepest directions are done with soonest
DISTANCE = 1e-6  # of the start's distance to the minimum
MOST_STEPS = 10_000  # that a prediction may ask for, to be tried
SHARES = [10.0**-k for k in range(1, 13)]  # of the gradient norm at the start
GRADIENT_NORM = 1e-6
MOST_EPOCHS = 20_000_000
FEW_ROWS = 1000  # of which a history of all epochs would take more memory than the data
RULES: dict[str, Callable[[], Any]] = {
    "GradientDescent": lambda: st.GradientDescent("auto"),
    "Momentum": lambda: st.Momentum("auto"),
    "Momentum, nesterov": lambda: st.Momentum("auto", nesterov=True),
}
COLUMNS: dict[str, Callable[[Any], str]] = {
    "data": str,
    "case": str,
    "condition": lambda value: f"{value:.3g}",
    "predicted": lambda value: f"{value:,}",
    "measured": lambda value: f"{value:,}",
    "p / m": lambda value: f"{value:.2f}",
    "|gradient|": lambda value: f"{value:.2g}",
    "time": harness.seconds,
}


def sets(options: argparse.Namespace) -> Iterator[datasets.Dataset]:
    """Yield the data, raw."""
    for name in ("breast_cancer", "diabetes", "digits"):
        yield datasets.small(name)
    yield datasets.digits(3, 8)
    if not options.quick:
        yield datasets.diamonds()
        yield datasets.flights("late")
        yield datasets.flights("delay")


def minimum(objective: Any, steps: int) -> NDArray[np.float64]:
    """Find the minimum that descent from 0 leads to."""
    if isinstance(objective, st.LeastSquares):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", st.RankWarning)
            return np.asarray(st.normal_equation(objective).w)
    stop = st.stop.GradientNorm(1e-12)
    optimizer = st.Momentum("auto")
    return np.asarray(st.minimize(objective, None, optimizer, max_epochs=steps, stop=stop, diagnose=False).w)


class Near(st.stop.StopRule):
    """Stop once w is within a distance of a point."""

    def __init__(self, point: NDArray[np.float64], distance: float) -> None:
        self._point, self._distance = point, distance

    def __call__(self, progress: st.Progress) -> bool:
        """Return whether it is."""
        return bool(np.linalg.norm(progress.w - self._point) <= self._distance)


def check(name: str, objective: Any, curvature: st.Curvature) -> None:
    """Check the spectrum against that of the NumPy reference, over blocks of rows."""
    X, n, d = objective.X, objective.n_samples, objective.n_features
    hessian, w = np.zeros((d + 1, d + 1)), np.zeros(d + 1)
    of_rows = (
        st.reference.logistic_hessian if isinstance(objective, st.Logistic) else st.reference.least_squares_hessian
    )
    for first in range(0, n, 20_000):
        rows = slice(first, first + 20_000)
        hessian += of_rows(X[rows], objective.y[rows], w) * len(X[rows]) / n
    values = np.linalg.eigvalsh(hessian)
    harness.check(f"{name}: eigenvalues", curvature.eigenvalues, values, 1e-10)


def descend(objective: Any, optimizer: Any, stop: Any, steps: int, every: int = 1) -> tuple[st.Result, float]:
    """Run; return the result and the seconds it took."""
    start = time.perf_counter()
    result = st.minimize(objective, None, optimizer, max_epochs=steps, stop=stop, evaluate_every=every, diagnose=False)
    return result, time.perf_counter() - start


def predictions(data: datasets.Dataset, kind: str, steps: int) -> Iterator[dict[str, Any]]:
    """Yield predicted and measured steps of plain descent, to a distance and to a norm of the gradient."""
    objective = data.objective()
    at_start = st.curvature(objective, np.zeros(objective.n_parameters))
    check(f"{data.name}, {kind}", objective, at_start)
    row = {"data": f"{data.name}, {kind}", "condition": at_start.effective_condition_number}
    quadratic = isinstance(objective, st.LeastSquares)
    predicted = at_start.predicted_steps(DISTANCE)
    measured = None
    if quadratic and predicted <= steps:
        point = minimum(objective, steps)
        stop = Near(point, DISTANCE * float(np.linalg.norm(point)))
        result, taken = descend(objective, st.GradientDescent(at_start.best_learning_rate), stop, 2 * steps)
        measured, row["time"] = result.n_steps if result.converged else None, taken
    ratio = None if not measured else predicted / measured
    yield {**row, "case": f"distance x {DISTANCE:g}", "predicted": predicted, "measured": measured, "p / m": ratio}
    if not quadratic:
        return
    norm, rate = at_start.gradient_norm, STEADY * at_start.max_learning_rate
    tolerances = [share * norm for share in SHARES if at_start.steps_to_gradient_norm(share * norm, rate) <= steps]
    for tol in tolerances[-1:]:
        predicted = at_start.steps_to_gradient_norm(tol, rate)
        result, taken = descend(objective, st.GradientDescent(rate), st.stop.GradientNorm(tol), 2 * steps)
        row["time"] = taken
        reached = float(result.history["gradient_norm"][-1])
        measured = result.n_steps if result.converged else None
        ratio = None if not measured else predicted / measured
        case = f"|gradient| x {tol / norm:.0e}"
        yield {**row, "case": case, "predicted": predicted, "measured": measured, "p / m": ratio, "|gradient|": reached}


def rates(data: datasets.Dataset, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the steps that a learning rate left to the curvature takes."""
    objective = data.objective()
    for name, make in RULES.items():
        steps, every = 20_000 if options.quick else MOST_EPOCHS, 10 if objective.n_samples < FEW_ROWS else 1
        result, taken = descend(objective, make(), st.stop.GradientNorm(GRADIENT_NORM), steps, every)
        if not (options.quick or result.converged):
            raise harness.WrongAnswer(f"{data.name}, {name}: ended by {result.stop_reason}")
        norm = float(np.linalg.norm(objective.gradient(result.w)))
        harness.check(f"{data.name}, {name}: gradient norm", norm, result.history["gradient_norm"][-1], 1e-6)
        yield {
            "data": f"{data.name}, standardised",
            "case": f"{name} auto",
            "measured": result.n_steps,
            "|gradient|": norm,
            "time": taken,
        }


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run the selected data sets."""
    facts = {
        "objectives": "float64, with an intercept, without a penalty; condition numbers at 0, without flat directions",
        "distance": f"steps of plain descent at best_learning_rate; tried where {MOST_STEPS:,} will do",
        "|gradient|": f"at {STEADY} max_learning_rate, to the least power of ten that {MOST_STEPS:,} steps reach",
        "auto": f"steps from 0 to a gradient norm of {GRADIENT_NORM:g}",
    }
    table = harness.Table("Curvature", harness.describe() | facts, COLUMNS)
    steps = 500 if options.quick else MOST_STEPS
    for data in sets(options):
        if not harness.selected(options, data.name + f"/{data.loss.__name__}"):
            continue
        for kind, chosen in (("raw", data), ("standardised", data.standardised())):
            for row in predictions(chosen, kind, steps):
                table.add(row)
        for row in rates(data.standardised(), options):
            table.add(row)
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    options = harness.arguments(__doc__ or "", "DATA/LOSS").parse_args(arguments)
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())

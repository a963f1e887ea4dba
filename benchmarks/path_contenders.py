"""The contenders of whole lasso paths: ours, scikit-learn, celer, skglm, adelie and glum.

Their squared error is halved, so each gets half of every alpha. A contender whose path has no intercept gets centred
columns and a centred target; the time to centre them counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fit_glm_peers
import harness
import steepest as st
from fit_contenders import OURS, Contender, made_by, tolerance
from fit_reference import Array, Problem


def alphas_of(problem: Problem) -> Array:
    """Return the alphas of a path."""
    assert problem.alphas is not None
    return problem.alphas


def ours(problem: Problem) -> list[Contender]:
    """Follow the path by `st.path`, from the binding of the objective on."""

    def fit(effort: int) -> Array:
        path: Any = getattr(st, "path")(  # noqa: B009
            st.LeastSquares(problem.X, problem.y, alpha=float(alphas_of(problem)[0]), l1_ratio=1.0),
            alphas_of(problem),
            tol=tolerance(effort),
            early_end=False,
        )
        return np.column_stack((path.coefs.toarray(), path.intercepts)).astype(np.float64)

    return [Contender(OURS[0], fit, "tolerance", 48)]


def centred(problem: Problem, follow: Callable[[Any, Any, Array, int], Any]) -> Callable[[int], Array]:
    """Make the `fit` of a contender that follows a path without an intercept; it returns (columns, alphas)."""

    def fit(effort: int) -> Array:
        means, mean = problem.X.mean(axis=0), problem.y.mean()
        X = np.asfortranarray(problem.X - means)
        coefficients = follow(X, problem.y - mean, alphas_of(problem) / 2, effort).T
        return np.column_stack((coefficients, mean - coefficients @ means)).astype(np.float64)

    return fit


def sklearn(problem: Problem) -> list[Contender]:
    """Follow the path by `lasso_path`."""
    linear = harness.peer("sklearn.linear_model")

    def follow(X: Any, y: Any, alphas: Array, effort: int) -> Any:
        options = {"tol": tolerance(effort), "max_iter": 100_000, "copy_X": False}
        return linear.lasso_path(X, y, alphas=alphas, **options)[1]

    return [Contender("sklearn lasso_path", centred(problem, follow), "tolerance", 48)]


def celer(problem: Problem) -> list[Contender]:
    """Follow the path by `celer_path`."""
    module = harness.peer("celer")

    def follow(X: Any, y: Any, alphas: Array, effort: int) -> Any:
        return module.celer_path(X, y, pb="lasso", alphas=alphas, tol=tolerance(effort), max_iter=1000)[1]

    return [Contender("celer", centred(problem, follow), "tolerance", 48)]


def skglm(problem: Problem) -> list[Contender]:
    """Follow the path by the coordinate descent of working sets, with its own intercept."""
    solvers, penalties, datafits, compiled = (
        harness.peer(f"skglm.{name}") for name in ("solvers", "penalties", "datafits", "utils.jit_compilation")
    )

    def fit(effort: int) -> Array:
        solver = solvers.AndersonCD(tol=tolerance(effort), max_iter=1000, fit_intercept=True)
        parts: list[Any] = [datafits.Quadratic(), penalties.L1(1.0)]
        if not hasattr(solver, "jit_compilation"):  # until 0.4 the caller compiles
            parts = [compiled.compiled_clone(part) for part in parts]
        found = solver.path(np.asfortranarray(problem.X), problem.y, *parts, alphas=alphas_of(problem) / 2)[1]
        return np.asarray(found.T, np.float64)

    return [Contender("skglm", fit, "tolerance", 48)]


def adelie(problem: Problem) -> list[Contender]:
    """Follow the path by `grpnet`, to its end."""

    def fit(effort: int) -> Array:
        return fit_glm_peers.adelie_path(problem, alphas_of(problem) / 2, effort)

    return [Contender("adelie", fit, "tolerance", 48)]


def glum(problem: Problem) -> list[Contender]:
    """Follow the path by glum's search of alpha."""
    module = harness.peer("glum")

    def fit(effort: int) -> Array:
        model = module.GeneralizedLinearRegressor(
            family="normal",
            l1_ratio=1.0,
            alpha_search=True,
            alpha=list(alphas_of(problem) / 2),
            gradient_tol=tolerance(effort),
            max_iter=1000,
        ).fit(problem.X, problem.y)
        return np.column_stack((model.coef_path_, model.intercept_path_)).astype(np.float64)

    return [Contender("glum", fit, "tolerance", 48)]


PEERS: dict[str, Callable[[Problem], list[Contender]]] = {
    "celer": celer,
    "skglm": skglm,
    "sklearn": sklearn,
    "adelie": adelie,
    "glum": glum,
}


def contenders(problem: Problem) -> list[Contender]:
    """List all that can follow the path and are installed, ours first."""
    found = made_by(ours, problem)
    for name, make in PEERS.items():
        if harness.peer(name) is not None:
            found += made_by(make, problem)
    return found

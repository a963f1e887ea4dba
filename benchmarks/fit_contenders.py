"""The contenders of bench_fit.py: ours, PyTorch's Adam and scikit-learn; the other peers stand in fit_peers.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

import harness
import steepest as st
from fit_reference import Array, Problem

SEED = 0
OURS = ("ours", "our estimator")  # by `minimize` and as in scikit-learn; peers are measured against the first
LARGEST_HESSIAN = 5_000  # parameters up to which newton-cholesky is run: its first step cannot be cut short
ADAM_ROWS = 1024
ADAM_RATE = 0.02


@dataclass(frozen=True)
class Contender:
    """Something that fits, with one number to say how long.

    Attributes
    ----------
    name : str
    fit : callable
        Takes the effort, an integer from 1, and returns the parameters, of shape (n_scores, d + 1), intercepts last.
    effort : str
        What that number is; a tolerance is 10^(-effort / 4).
    most : int
        The largest effort that makes sense.
    made_by : str
        "module:function" of what makes it of a problem, among others; a process of its own makes it anew.
    """

    name: str
    fit: Callable[[int], Array]
    effort: Literal["iterations", "epochs", "tolerance", "direct"] = "iterations"
    most: int = 100_000
    made_by: str = ""


def made_by(make: Callable[[Problem], list[Contender]], problem: Problem) -> list[Contender]:
    """Make contenders that know who made them."""
    return [replace(found, made_by=f"{make.__module__}:{make.__name__}") for found in make(problem)]


def tolerance(effort: int) -> float:
    """Return the tolerance of an effort."""
    return float(10 ** (-effort / 4))


def parameters(coefficients: Any, intercepts: Any) -> Array:
    """Put coefficients and intercepts of a scikit-learn-like model side by side."""
    return np.column_stack((np.atleast_2d(coefficients), np.atleast_1d(intercepts))).astype(np.float64)


def estimator(make: Callable[[int], Any], X: Any, y: Any) -> Callable[[int], Array]:
    """Make the `fit` of a contender from a function that makes a scikit-learn-like estimator for an effort."""

    def fit(effort: int) -> Array:
        model = make(effort).fit(X, y)
        return parameters(model.coef_, model.intercept_)

    return fit


def ours(problem: Problem) -> list[Contender]:
    """Fit by `st.minimize`, from the binding of the objective on, and by the estimators, labels and checks included."""
    losses: dict[str, Any] = {
        "logistic": st.Logistic,
        "squares": st.LeastSquares,
        "lasso": st.LeastSquares,
        "softmax": st.Softmax,
        "l1-logistic": st.Logistic,
    }
    loss, options = losses[problem.kind], dict[str, Any](alpha=problem.alpha, l1_ratio=float(problem.l1))

    def fit(effort: int) -> Array:
        objective = loss(problem.X, problem.y, intercept=problem.intercept, **options)
        result = st.minimize(objective, max_epochs=effort, random_state=SEED, diagnose=False)
        w = np.asarray(result.w, np.float64).reshape(problem.n_scores, -1)
        return w if problem.intercept else parameters(w, 0.0)

    if harness.peer("sklearn") is None:
        return [Contender(OURS[0], fit)]
    kind = st.LinearRegressor if problem.regression else st.LogisticClassifier

    def make(effort: int) -> Any:
        return kind(fit_intercept=problem.intercept, max_iter=effort, tol=0.0, random_state=SEED, **options)

    return [Contender(OURS[0], fit), Contender(OURS[1], estimator(make, problem.X, problem.y))]


def torch(problem: Problem) -> list[Contender]:
    """Run PyTorch's fused Adam on mini-batches of 1,024 rows, its rate going from 0.02 to 0 by a cosine."""
    torch = harness.peer("torch")
    if problem.l1:
        return []  # without a proximal step it does not get to zeros
    torch.set_num_threads(harness.cores())
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
    functional = torch.nn.functional
    y = y.long() if problem.kind == "softmax" else y
    losses = {
        "logistic": lambda z, y: functional.binary_cross_entropy_with_logits(z[:, 0], y),
        "squares": lambda z, y: functional.mse_loss(z[:, 0], y),
        "softmax": functional.cross_entropy,
    }
    loss = losses[problem.kind]

    def fit(epochs: int) -> Array:
        generator = torch.Generator().manual_seed(SEED)
        w = torch.zeros(problem.n_scores, problem.d, requires_grad=True)
        b = torch.zeros(problem.n_scores, requires_grad=True)
        optimizer = torch.optim.Adam([w, b], lr=ADAM_RATE, fused=True)
        steps = epochs * -(-problem.n // ADAM_ROWS)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(epochs):
            for rows in torch.randperm(problem.n, generator=generator).split(ADAM_ROWS):
                optimizer.zero_grad()
                value = loss(functional.linear(X[rows], w, b), y[rows]) + problem.alpha / 2 * w.square().sum()
                value.backward()
                optimizer.step()
                schedule.step()
        return parameters(w.detach().numpy(), b.detach().numpy())

    return [Contender("PyTorch Adam", fit, "epochs")]


def sklearn(problem: Problem) -> list[Contender]:
    """Run scikit-learn: C = 1 / (n alpha) for classes, and for regression alpha as each estimator counts it."""
    linear = harness.peer("sklearn.linear_model")
    return _regressions(linear, problem) if problem.regression else _classifications(linear, problem)


def _classifications(linear: Any, problem: Problem) -> list[Contender]:
    X, y, inverse = problem.X, problem.y, 1 / (problem.n * problem.alpha)
    if problem.l1:
        return _sparse_classifications(linear, problem)

    def logistic(solver: str) -> Callable[[int], Array]:
        def make(effort: int) -> Any:
            return linear.LogisticRegression(C=inverse, solver=solver, max_iter=effort, tol=1e-14, random_state=SEED)

        return estimator(make, X, y)

    found = [Contender("sklearn lbfgs", logistic("lbfgs"))]
    if problem.n_scores * (problem.d + 1) <= LARGEST_HESSIAN:
        found.append(Contender("sklearn newton-cholesky", logistic("newton-cholesky"), most=64))
    found.append(Contender("sklearn saga", logistic("saga"), "epochs"))
    if problem.kind == "logistic":

        def descent(effort: int) -> Any:
            options = {"max_iter": effort, "tol": None, "random_state": SEED}
            return linear.SGDClassifier(loss="log_loss", alpha=problem.alpha, **options)

        found.append(Contender("sklearn SGD", estimator(descent, X, y), "epochs"))
    return found


def _sparse_classifications(linear: Any, problem: Problem) -> list[Contender]:
    """Run saga, and liblinear where there is no intercept, which it would penalise."""
    options: dict[str, Any] = {"C": 1 / (problem.n * problem.alpha), "fit_intercept": problem.intercept}
    options |= {"l1_ratio": 1.0} if l1_is_a_ratio(linear) else {"penalty": "l1"}

    def saga(effort: int) -> Any:
        return linear.LogisticRegression(solver="saga", max_iter=effort, tol=1e-14, random_state=SEED, **options)

    def liblinear(effort: int) -> Any:
        own = {"solver": "liblinear", "tol": tolerance(effort), "max_iter": 10_000, "random_state": SEED}
        return linear.LogisticRegression(**own, **options)

    found = [Contender("sklearn saga", estimator(saga, problem.X, problem.y), "epochs")]
    if not problem.intercept:
        found.append(Contender("sklearn liblinear", estimator(liblinear, problem.X, problem.y), "tolerance", 48))
    return found


def l1_is_a_ratio(linear: Any) -> bool:
    """Tell whether `l1_ratio` alone chooses the penalty, as since scikit-learn 1.8."""
    return str(linear.LogisticRegression().penalty) == "deprecated"


def _regressions(linear: Any, problem: Problem) -> list[Contender]:
    """Halve alpha where the squared error is halved, and multiply by n where it is summed."""
    X, y, half = problem.X, problem.y, problem.alpha / 2
    lasso = problem.kind == "lasso"

    def descent(effort: int) -> Any:
        penalty = "l1" if lasso else "l2"
        return linear.SGDRegressor(penalty=penalty, alpha=half, max_iter=effort, tol=None, random_state=SEED)

    def coordinates(effort: int) -> Any:
        options = {"precompute": problem.n > problem.d, "max_iter": effort, "tol": 0.0}
        return linear.ElasticNet(alpha=half, l1_ratio=float(lasso), **options)

    found = [
        Contender(f"sklearn {'Lasso' if lasso else 'ElasticNet'}", estimator(coordinates, X, y)),
        Contender("sklearn SGD", estimator(descent, X, y), "epochs"),
    ]
    if lasso:
        return found

    def ridge(solver: str) -> Callable[[int], Any]:
        options = {"solver": solver, "tol": 1e-14, "random_state": SEED}
        return lambda effort: linear.Ridge(
            alpha=problem.n * half, max_iter=None if solver == "cholesky" else effort, **options
        )

    direct = [
        Contender("sklearn LinearRegression", estimator(lambda _: linear.LinearRegression(), X, y), "direct", 1),
        Contender("sklearn Ridge cholesky", estimator(ridge("cholesky"), X, y), "direct", 1),
    ]
    iterated = [
        Contender("sklearn Ridge lsqr", estimator(ridge("lsqr"), X, y)),
        Contender("sklearn Ridge saga", estimator(ridge("saga"), X, y), "epochs"),
    ]
    return direct + iterated + found

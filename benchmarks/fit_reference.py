"""The float64 reference of bench_fit.py in NumPy: a problem's objective and its optimum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["logistic", "squares", "lasso", "softmax", "l1-logistic"]

_MOST_STEPS = 60
_PRECISION = 1e-12  # of the optimum, relative to the excess of the best constant
_SAMPLE = 8_000  # rows of the preconditioner where there are several classes


@dataclass
class Problem:
    """Rows, targets and what is minimised over them: mean loss + alpha / 2 |w|^2, or + alpha |w|_1 where `l1`.

    Attributes
    ----------
    label : str
        What `--only` is matched against.
    X : float32 or float64 array of shape (n, d), in C order, or a scipy.sparse.csr_matrix
    y : array of shape (n,) and the dtype of X
        0 and 1 for "logistic" and "l1-logistic", 0 ... k - 1 for "softmax".
    kind : str
        The loss and the penalty; for "squares" and "lasso" the loss is the squared error, not halved.
    alpha : float
        Strength of the penalty, which leaves the intercept out.
    intercept : bool
        Whether there is one; else it is 0.
    alphas : float64 array, optional
        Falling strengths, of which each is minimised for: a whole path. `alpha` then counts for nothing.
    """

    label: str
    X: Any
    y: Any
    kind: Kind
    alpha: float = 1e-4
    intercept: bool = True
    alphas: Array | None = None

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.y)

    @property
    def d(self) -> int:
        """Columns."""
        return int(self.X.shape[1])

    @property
    def regression(self) -> bool:
        """Whether the loss is the squared error."""
        return self.kind in ("squares", "lasso")

    @property
    def l1(self) -> bool:
        """Whether the penalty is the sum of absolute values."""
        return self.kind in ("lasso", "l1-logistic")

    @cached_property
    def n_scores(self) -> int:
        """Scores of a row: the classes of a softmax, else 1."""
        return 1 + int(self.y.max()) if self.kind == "softmax" else 1


class Reference:
    """The objective of a problem in float64; its parameters have the shape (n_scores, d + 1), intercepts last."""

    precision = _PRECISION

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.X = np.ones((problem.n, problem.d + 1))
        self.X[:, :-1] = problem.X
        self.y = problem.y.astype(np.float64)
        self.hot = np.eye(problem.n_scores)[problem.y.astype(int)] if problem.kind == "softmax" else self.y[:, None]

    def value(self, w: Array) -> float:
        """Evaluate the whole objective."""
        alpha, inner = self.problem.alpha, w[:, :-1]
        with np.errstate(over="ignore", invalid="ignore"):
            penalty = alpha * np.abs(inner).sum() if self.problem.l1 else alpha / 2 * (inner**2).sum()
            return float(self._losses(self.X @ w.T).mean() + penalty)

    def _losses(self, scores: Array) -> Array:
        if self.problem.kind == "softmax":
            largest = scores.max(axis=1, keepdims=True)
            sums = np.log(np.exp(scores - largest).sum(axis=1)) + largest[:, 0]
            return np.asarray(sums - (self.hot * scores).sum(axis=1))
        if self.problem.regression:
            return np.asarray((scores - self.hot) ** 2)
        return np.asarray(np.logaddexp(0, scores) - self.hot * scores)

    def suboptimality(self, optimum: Array) -> Callable[[Array], float]:
        """Return the function that says by how much parameters miss the optimum, relative to the best constant."""
        lowest, constant = self.value(optimum), self.value(self.best_constant())

        def missed(answer: Array) -> float:
            value = self.value(answer)
            return (value - lowest) / (constant - lowest) if np.isfinite(value) else np.inf

        return missed

    def _probabilities(self, scores: Array) -> Array:
        if self.problem.kind != "softmax":
            return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores))
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))

    def _penalised(self, w: Array) -> Array:
        return np.asarray(self.problem.alpha * w * np.append(np.ones(self.problem.d), 0.0))

    def gradient(self, w: Array) -> Array:
        """Differentiate the loss and a smooth penalty."""
        scores = self.X @ w.T
        slopes = 2 * (scores - self.hot) if self.problem.regression else self._probabilities(scores) - self.hot
        penalised = 0.0 if self.problem.l1 else self._penalised(w)
        return np.asarray(slopes.T @ self.X / self.problem.n + penalised)

    def best_constant(self) -> Array:
        """Return the parameters of the lowest objective with all coefficients 0."""
        w = np.zeros((self.problem.n_scores, self.problem.d + 1))
        if not self.problem.intercept:
            return w
        means = self.hot.mean(axis=0)
        if self.problem.regression:
            w[:, -1] = means
        else:
            w[:, -1] = np.log(means) - (np.log(means).mean() if self.problem.kind == "softmax" else np.log(1 - means))
        return w

    def optimum(self) -> tuple[Array, float]:
        """Minimise to a relative excess of 1e-12: coordinate descent on the Gram matrix for "lasso", else Newton.

        Returns
        -------
        w : array of shape (n_scores, d + 1)
        excess : float
            By how much the objective may still be above its minimum, relative to what it is at the best constant
            (half the Newton decrement; for "lasso" the duality-like bound |subgradient| |w|).

        Raises
        ------
        RuntimeError
            If it is not reached in 60 steps.
        """
        return self._lasso() if self.problem.kind == "lasso" else self._newton()

    def _newton(self, start: Array | None = None) -> tuple[Array, float]:
        w = self.best_constant()
        highest = value = self.value(w)
        if start is not None:
            w, value = start, self.value(start)
        for _ in range(_MOST_STEPS):
            gradient = self.gradient(w)
            step = self._direction(w, gradient)
            decrement = float((gradient * step).sum()) / 2
            size, tried = 1.0, self.value(w - step)
            while not tried <= value and size > 1e-6:
                size /= 2
                tried = self.value(w - size * step)
            if tried <= value:
                w, value = w - size * step, tried
            if decrement <= self.precision * (highest - value):
                return w, max(decrement, 0.0) / (highest - value)
        raise RuntimeError(f"{self.problem.label}: no optimum to {self.precision:g} in {_MOST_STEPS} Newton steps")

    def _curvature(self, rows: Array, weights: Array) -> Array:
        """Return the Hessian for one score of a row: X' diag(weights) X / n with the penalty."""
        hessian = np.zeros((rows.shape[1], rows.shape[1]))
        for first in range(0, len(rows), 50_000):
            block = rows[first : first + 50_000] * np.sqrt(weights[first : first + 50_000, None])
            hessian += block.T @ block
        hessian /= len(rows)
        return hessian + np.diag(np.append(np.full(self.problem.d, self.problem.alpha), 1e-14))

    def _direction(self, w: Array, gradient: Array) -> Array:
        """Solve for the Newton step: directly for one score, else by conjugate gradients over the classes' blocks."""
        if self.problem.regression:
            return np.asarray(np.linalg.solve(self._curvature(self.X, np.full(self.problem.n, 2.0)), gradient.T).T)
        p = self._probabilities(self.X @ w.T)
        if self.problem.kind == "logistic":
            return np.asarray(np.linalg.solve(self._curvature(self.X, (p * (1 - p))[:, 0]), gradient.T).T)
        every = slice(None, None, max(1, self.problem.n // _SAMPLE))
        blocks = [np.linalg.inv(self._curvature(self.X[every], q * (1 - q) + 1e-6)) for q in p[every].T]

        def product(v: Array) -> Array:
            u = self.X @ v.T
            u = p * (u - (p * u).sum(axis=1, keepdims=True))
            return np.asarray(u.T @ self.X / self.problem.n + self._penalised(v))

        def precondition(r: Array) -> Array:
            found = np.stack([block @ row for block, row in zip(blocks, r, strict=True)])
            return np.asarray(found - found.mean(axis=0))  # a shift common to all classes changes no probability

        return conjugate_gradients(product, precondition, gradient)

    def _lasso(self) -> tuple[Array, float]:
        n, alpha = self.problem.n, self.problem.alpha
        mean, target = self.X[:, :-1].mean(axis=0), self.y.mean()
        centred = self.X[:, :-1] - mean
        gram, cross = centred.T @ centred * (2 / n), centred.T @ (self.y - target) * (2 / n)
        w, slope = np.zeros(self.problem.d), -cross
        for _ in range(200_000):
            furthest = 0.0
            for j in np.flatnonzero(gram.diagonal() > 0):
                aim = w[j] - slope[j] / gram[j, j]
                change = np.sign(aim) * max(abs(aim) - alpha / gram[j, j], 0.0) - w[j]
                w[j] += change
                slope += change * gram[j]
                furthest = max(furthest, abs(change) * gram[j, j])
            if furthest <= 1e-15 * np.abs(cross).max():
                break
        found = np.append(w, target - mean @ w)[None]
        subgradient = np.where(w != 0, slope + alpha * np.sign(w), np.maximum(np.abs(slope) - alpha, 0.0))
        excess = np.linalg.norm(subgradient) * np.linalg.norm(w)
        return found, float(excess / (self.value(self.best_constant()) - self.value(found)))


def conjugate_gradients(product: Callable[[Array], Any], precondition: Callable[[Array], Any], right: Array) -> Array:
    """Solve ``product(x) = right`` to 1e-4 in the preconditioner's norm, in at most 500 steps."""
    x, residual = np.zeros_like(right), right.copy()
    scaled = precondition(residual)
    direction, size = scaled, float((residual * scaled).sum())
    start = size
    for _ in range(500):
        if not size > 1e-8 * start:
            break
        image = product(direction)
        rate = size / float((direction * image).sum())
        x, residual = x + rate * direction, residual - rate * image
        scaled = precondition(residual)
        size, before = float((residual * scaled).sum()), size
        direction = scaled + size / before * direction
    return x

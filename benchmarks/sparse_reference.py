"""The float64 reference of bench_sparse.py in SciPy: a problem's objective, its derivatives and its optimum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import harness
from fit_reference import Array, Problem, Reference, conjugate_gradients

_PRECISION = 1e-9  # of the optimum, relative to the excess of the best constant


class SparseReference(Reference):
    """The objective over rows in CSR; the last column of ones is the intercept's.

    The search for the optimum begins where `start` says, wherever that comes from: what is found there is judged by
    its own gradient and curvature.
    """

    precision = _PRECISION

    def __init__(self, problem: Problem, start: Callable[[], Array] | None = None) -> None:
        sparse = harness.peer("scipy.sparse")
        self.problem, self.start = problem, start
        ones = sparse.csr_matrix(np.ones((problem.n, 1)))
        self.X: Any = sparse.csr_matrix(sparse.hstack((problem.X.astype(np.float64), ones), format="csr"))
        self.columns: Any = self.X.T.tocsr()  # else SciPy makes this copy for every product of several scores
        self.y = problem.y.astype(np.float64)
        self.hot = np.eye(problem.n_scores)[problem.y.astype(int)] if problem.kind == "softmax" else self.y[:, None]

    def gradient(self, w: Array) -> Array:
        """Differentiate the loss and the penalty."""
        scores = self.X @ w.T
        slopes = 2 * (scores - self.hot) if self.problem.regression else self._probabilities(scores) - self.hot
        return np.asarray((self.columns @ slopes).T / self.problem.n + self._penalised(w))

    def hessian_product(self, w: Array, v: Array) -> Array:
        """Multiply the Hessian at w by v."""
        return self._product(self._curvature_terms(w), v)

    def _curvature_terms(self, w: Array) -> Array:
        """Return what the curvature of each row depends on: its probabilities, and nothing for squares."""
        return self._probabilities(self.X @ w.T) if not self.problem.regression else np.zeros((1, 1))

    def _product(self, p: Array, v: Array) -> Array:
        u = self.X @ v.T
        if self.problem.regression:
            u = 2 * u
        elif self.problem.kind == "logistic":
            u = p * (1 - p) * u
        else:
            u = p * (u - (p * u).sum(axis=1, keepdims=True))
        return np.asarray((self.columns @ u).T / self.problem.n + self._penalised(v))

    def _direction(self, w: Array, gradient: Array) -> Array:
        """Solve for the Newton step by conjugate gradients, preconditioned by the diagonal of the Hessian."""
        p = self._curvature_terms(w)
        squares = self.columns.copy()
        squares.data **= 2
        curvature = np.full((self.problem.n, 1), 2.0) if self.problem.regression else p * (1 - p)
        diagonal = np.asarray((squares @ curvature).T / self.problem.n + self._penalised(np.ones_like(w)))
        inverse = 1 / np.maximum(diagonal, 1e-12)
        return conjugate_gradients(lambda v: self._product(p, v), lambda r: inverse * r, gradient)

    def optimum(self) -> tuple[Array, float]:
        """Minimise by Newton's method to a relative excess of 1e-9; `Reference.optimum` says what is returned."""
        return self._newton(None if self.start is None else self.start())

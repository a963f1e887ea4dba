"""The rows of a least-squares objective in float64, block by block, and their normal equation and triangle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.losses import LeastSquares

_BLOCK = 1 << 16  # least number of elements of a block


class WeightedRows:
    """The rows sqrt(s_i / sum s) (x_i, 1, y_i) of an objective, float64; the 1 only if it has an intercept.

    The columns are standardised if the objective standardises them. The mean squared error of w is the squared norm of
    the product of these rows and (w, -1).
    """

    def __init__(self, objective: LeastSquares) -> None:
        self._objective, self.y, self.weights = objective, objective.targets, objective.weights
        self.intercept, self.p = objective.intercept, objective.n_parameters
        self.penalty = np.zeros(self.p)
        self.penalty[: objective.n_features] = objective.alpha / 2
        total = float(len(self.y) if self.weights is None else self.weights.sum(dtype=np.float64))
        self.root_of_total = math.sqrt(total)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield blocks of rows, of shape (at most size, p + 1); each overwrites the one before."""
        n, d = self._objective.n_samples, self._objective.n_features
        size = min(n, max(_BLOCK // (self.p + 1), 2 * (self.p + 1)))
        buffer = np.empty((size, self.p + 1))
        for start in range(0, n, size):
            some = slice(start, min(start + size, n))
            block = buffer[: some.stop - start]
            block[:, :d] = self._objective.rows(some)
            block[:, d] = 1.0  # y overwrites this column if there is no intercept
            block[:, self.p] = self.y[some]
            if self.weights is None:
                block /= self.root_of_total
            else:
                block *= (np.sqrt(self.weights[some].astype(np.float64)) / self.root_of_total)[:, None]
            yield block

    def normal_equation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the matrix of shape (p, p), penalty included, and the right-hand side of shape (p,)."""
        total = np.zeros((self.p + 1, self.p + 1))
        for block in self.blocks():
            total += block.T @ block
        matrix = total[: self.p, : self.p] + np.diag(self.penalty)
        return matrix, total[: self.p, self.p]

    def triangle(self) -> NDArray[Any]:
        """Return the triangle R of the QR of the rows and the penalty's rows, of shape (at most p + 1, p + 1)."""
        R = np.empty((0, self.p + 1))
        for block in self.blocks():
            R = _triangle(R, block)
        if self.penalty.any():
            roots = np.sqrt(self.penalty[self.penalty > 0])
            R = _triangle(R, np.eye(len(roots), self.p + 1) * roots[:, None])
        return R


def _triangle(R: NDArray[Any], block: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.linalg.qr(np.concatenate([R, block]), mode="r"))

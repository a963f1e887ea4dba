"""The rows of a least-squares objective in float64, block by block: their normal equation and their triangle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.losses import LeastSquares
from ..objectives.rows import widened

_BLOCK = 1 << 16  # elements of a block at least


class WeightedRows:
    """The rows (x_i, 1, y_i) of an objective times sqrt(s_i / sum s), 1 where it has an intercept; float64.

    The columns are standardised where the objective's are.

    The mean squared error of w is the squared norm of these rows times (w, -1).
    """

    def __init__(self, objective: LeastSquares) -> None:
        self.X, self.y, self.weights = objective.arrays
        self.scaling = objective.scaling
        self.intercept, self.p = objective.intercept, objective.n_parameters
        self.penalty = np.zeros(self.p)
        self.penalty[: objective.n_features] = objective.alpha / 2
        total = float(len(self.y) if self.weights is None else self.weights.sum(dtype=np.float64))
        self.root_of_total = math.sqrt(total)

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield the rows, of shape (some, p + 1), in a buffer that the next ones overwrite."""
        n, d = self.X.shape
        size = min(n, max(_BLOCK // (self.p + 1), 2 * (self.p + 1)))
        buffer = np.empty((size, self.p + 1))
        for start in range(0, n, size):
            some = slice(start, min(start + size, n))
            block = buffer[: some.stop - start]
            block[:, :d] = widened(self.X[some])
            if self.scaling is not None:
                block[:, :d] -= self.scaling[0]
                block[:, :d] /= self.scaling[1]
            block[:, d] = 1.0  # y takes its place where there is no intercept
            block[:, self.p] = self.y[some]
            if self.weights is None:
                block /= self.root_of_total
            else:
                block *= (np.sqrt(self.weights[some].astype(np.float64)) / self.root_of_total)[:, None]
            yield block

    def normal_equation(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the matrix, of shape (p, p), penalty included, and the right-hand side, of shape (p,)."""
        total = np.zeros((self.p + 1, self.p + 1))
        for block in self.blocks():
            total += block.T @ block
        matrix = total[: self.p, : self.p] + np.diag(self.penalty)
        return matrix, total[: self.p, self.p]

    def triangle(self) -> NDArray[Any]:
        """Return R of the QR of the rows and of the penalty's: (p + 1, p + 1), fewer rows where there are fewer."""
        R = np.empty((0, self.p + 1))
        for block in self.blocks():
            R = _triangle(R, block)
        if self.penalty.any():
            roots = np.sqrt(self.penalty[self.penalty > 0])
            R = _triangle(R, np.eye(len(roots), self.p + 1) * roots[:, None])
        return R


def _triangle(R: NDArray[Any], block: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.linalg.qr(np.concatenate([R, block]), mode="r"))

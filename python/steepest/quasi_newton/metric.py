"""The metrics of QuasiNewton: positive definite stand-ins for the Hessian, diagonal, dense or one block per score."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.protocol import Layout

__all__ = ["BlockMetric", "DenseMetric", "DiagonalMetric", "Metric", "fix_softmax_gauge", "is_nearly_diagonal"]

Vector: TypeAlias = NDArray[np.float64]
_ZERO = 1e-300  # diagonal elements up to this size belong to columns of zeros
_SINGULAR = 1e-2  # over the noise of a matrix; no matrix whose eigenvalues are above it has so large a solution


class Metric:
    """A positive definite matrix that approximates the Hessian.

    Steps ask what kind it is; for a class with abstract methods, that would take longer than their arithmetic.
    """

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        """Return the inverse of the matrix times g, of shape (p,), in ``out`` or in a new array."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return the arguments of the class that make an equal metric, by name."""
        raise NotImplementedError


class DiagonalMetric(Metric):
    """A diagonal matrix, given by its diagonal, of shape (p,). All elements are above 0."""

    def __init__(self, diagonal: Vector) -> None:
        self.diagonal = diagonal

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        return np.divide(g, self.diagonal, out=out)

    def state(self) -> dict[str, Any]:
        return {"diagonal": self.diagonal}


class DenseMetric(Metric):
    """A symmetric matrix with a small ridge on its diagonal, which makes it definite. A 1 replaces a 0 on the diagonal.

    Parameters
    ----------
    matrix : array of shape (p, p), float32 or float64
        The Hessian.
    ridge : float
        The ridge, as a fraction of each diagonal element.
    """

    def __init__(self, matrix: NDArray[Any], ridge: float) -> None:
        self._given, self._ridge = matrix, ridge
        self._factor = _core.Cholesky(matrix, ridge)
        self._inverse = None if self._factor.definite else _inverse(self.matrix)

    @cached_property
    def matrix(self) -> Vector:
        """The matrix with its ridge: a float64 array of shape (p, p)."""
        exact = self._given.astype(np.float64)
        diagonal = np.diag(exact)
        exact.flat[:: len(exact) + 1] = np.where(diagonal > _ZERO, diagonal, 1.0) * (1.0 + self._ridge)
        return exact

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        return self._factor.solve(g) if self._inverse is None else np.asarray(self._inverse @ g)

    def state(self) -> dict[str, Any]:
        return {"matrix": self._given, "ridge": self._ridge}

    def is_nearly_singular(self, noise: float) -> bool:
        """Return whether the matrix, scaled to a diagonal of ones, has an eigenvalue that may be its noise.

        The noise is that of its elements, and its ridge. One solution of a vector without a pattern tells.
        """
        if self._inverse is not None:
            return True
        scale = np.sqrt(np.maximum(np.diag(self._given).astype(np.float64), _ZERO))
        probe = np.cos(np.arange(len(scale)) ** 2)
        found = scale * self._factor.solve(scale * probe)
        return not bool(found @ found <= (_SINGULAR / noise) ** 2 * (probe @ probe))


class BlockMetric(Metric):
    """A block-diagonal matrix with the same symmetric block for the parameters of each score.

    Parameters
    ----------
    matrix : array of shape (p, p), float32 or float64
        The block, for the p parameters of one score.
    ridge : float
        As for `DenseMetric`.
    """

    def __init__(self, matrix: NDArray[Any], ridge: float) -> None:
        self._given, self._ridge, self._size = matrix, ridge, len(matrix)
        self._factor = _core.Cholesky(matrix, ridge)
        self._inverse = None if self._factor.definite else _inverse(DenseMetric(matrix, ridge).matrix)

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        of_scores = g.reshape(-1, self._size)
        found = self._factor.solve_all(of_scores) if self._inverse is None else of_scores @ self._inverse
        return np.asarray(found.ravel())

    def state(self) -> dict[str, Any]:
        return {"matrix": self._given, "ridge": self._ridge}


def is_nearly_diagonal(matrix: NDArray[Any]) -> bool:
    """Return whether the squared correlations of a column with all others add up to less than 1, on average."""
    scale = np.sqrt(np.maximum(np.diag(matrix), _ZERO))
    squares = (matrix / scale / scale[:, None]) ** 2
    return bool(squares.sum() < 2.0 * len(matrix))


def _inverse(matrix: Vector) -> Vector:
    """Return a pseudo-inverse of a matrix that rounding made indefinite; it leaves out eigenvalues lost in rounding."""
    scale = np.sqrt(np.diag(matrix))
    units = np.outer(scale, scale)
    values, vectors = np.linalg.eigh(matrix / units)
    kept = values > 1e-11 * values[-1]
    return np.asarray((vectors[:, kept] / values[kept]) @ vectors[:, kept].T / units)


def fix_softmax_gauge(
    hessian: NDArray[Any], layout: Layout, alpha: float, penalty_weight: Vector | None = None
) -> None:
    """Make a softmax Hessian definite: add curvature along equal shifts of all classes' parameters, in place.

    Such a shift changes no probability, so the loss has neither slope nor curvature along it, and the added curvature
    changes no step. With a penalty only the shift of the intercepts is fixed; the penalty itself curves the others.

    Parameters
    ----------
    hessian : array of shape (p, p)
        Changed in place.
    layout : Layout
        The layout of the parameters.
    alpha : float
        The strength of the penalty.
    penalty_weight : array of shape (n_features,), optional
        The factors of the columns' penalties.
    """
    k, row = layout.n_scores, layout.n_features + layout.intercept
    blocks = hessian.reshape(k, row, k, row)
    free = list(range(row) if alpha == 0.0 else range(layout.n_features, row))
    if alpha > 0.0 and penalty_weight is not None:
        free += np.flatnonzero(penalty_weight == 0.0).tolist()
    for j in free:
        blocks[:, j, :, j] += blocks[:, j, :, j].trace() / k

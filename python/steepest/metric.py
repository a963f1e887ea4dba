"""The coordinates that QuasiNewton descends in: a diagonal or a whole Hessian of a sample, and what steps add to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Diagonal", "Memory", "Metric", "Whole"]

Vector: TypeAlias = NDArray[np.float64]

_PAIRS = 20  # of steps and changes of the gradient that are remembered


class Metric(ABC):
    """A positive definite matrix that stands for the Hessian."""

    @abstractmethod
    def solve(self, g: Vector) -> Vector:
        """Return the matrix's inverse times g."""


class Diagonal(Metric):
    """A diagonal matrix, given by its elements above 0."""

    def __init__(self, diagonal: Vector) -> None:
        self.diagonal = diagonal

    def solve(self, g: Vector) -> Vector:
        return np.asarray(g / self.diagonal)


class Whole(Metric):
    """A symmetric matrix, made definite by a small ridge on its diagonal.

    Parameters
    ----------
    matrix : array of shape (p, p)
        The Hessian.
    ridge : float
        As a share of the diagonal.
    """

    def __init__(self, matrix: Vector, ridge: float) -> None:
        scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
        scale[scale <= 1e-150] = 1.0
        scaled = matrix / np.outer(scale, scale)
        scaled.flat[:: len(scale) + 1] += ridge
        self.matrix = matrix + np.diag(ridge * scale**2)
        self._inverse = _inverse(scaled) / np.outer(scale, scale)

    def solve(self, g: Vector) -> Vector:
        return np.asarray(self._inverse @ g)


def _inverse(matrix: Vector) -> Vector:
    """Invert a matrix of diagonal about 1, leaving out directions in which rounding hides whether it is definite."""
    try:
        factor = np.linalg.cholesky(matrix)
        if np.diag(factor).min() > 1e-5:
            inverse = np.linalg.inv(factor)
            return np.asarray(inverse.T @ inverse)
    except np.linalg.LinAlgError:
        pass
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-11 * values[-1]
    return np.asarray((vectors[:, kept] / values[kept]) @ vectors[:, kept].T)


class Memory:
    """What steps have shown of the Hessian beside a metric (limited-memory BFGS; Nocedal 1980)."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=_PAIRS)

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        """Forget the steps."""
        self._pairs.clear()

    def note(self, step: Vector, change: Vector) -> None:
        """Remember a step and the change of the gradient over it, if it shows a positive curvature."""
        product = float(step @ change)
        if product > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._pairs.append((step, change, 1.0 / product))

    def direction(self, gradient: Vector) -> Vector:
        """Return minus the inverse Hessian's stand-in times the gradient."""
        q, weights = gradient.copy(), []
        for step, change, inverse in reversed(self._pairs):
            weight = inverse * float(step @ q)
            q -= weight * change
            weights.append(weight)
        q = self.metric.solve(q)
        if self._pairs and isinstance(self.metric, Diagonal):  # a diagonal is known up to a factor only
            _, change, inverse = self._pairs[-1]
            q /= inverse * float(change @ self.metric.solve(change))
        for (step, change, inverse), weight in zip(self._pairs, reversed(weights), strict=True):
            q += (weight - inverse * float(change @ q)) * step
        return -q

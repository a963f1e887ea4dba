"""Limited-memory BFGS that starts from a metric instead of a multiple of the identity."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .metric import BlockMetric, DiagonalMetric, Metric

__all__ = ["LBFGSHistory"]

Vector: TypeAlias = NDArray[np.float64]
_PAIRS = 20  # pairs of a step and the change of the gradient over it, at most


class LBFGSHistory:
    """The history of limited-memory BFGS: pairs of steps and gradient changes, on top of a metric.

    Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Mathematics of Computation 35, 1980.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._factor = 1.0  # scales the metric; `direction` measures it for diagonal and block metrics
        self._pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=_PAIRS)

    def __len__(self) -> int:
        return len(self._pairs)

    def clear(self) -> None:
        """Forget all pairs."""
        self._pairs.clear()
        self._factor = 1.0

    def note(self, step: Vector, change: Vector) -> None:
        """Store a step and the change of the gradient over it, if they show positive curvature."""
        product = float(step @ change)
        if product > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            self._pairs.append((step, change, 1.0 / product))

    def direction(self, gradient: Vector) -> Vector:
        """Return minus the approximate inverse Hessian times the gradient, by the two-loop recursion."""
        q, weights = gradient.copy(), []
        for step, change, inverse in reversed(self._pairs):
            weight = inverse * float(step @ q)
            q -= weight * change
            weights.append(weight)
        q = self.metric.solve(q)
        if (isinstance(self.metric, DiagonalMetric) and self._pairs) or (
            isinstance(self.metric, BlockMetric) and len(self) == 1
        ):
            _, change, inverse = self._pairs[-1]
            self._factor = inverse * float(change @ self.metric.solve(change))
        q /= self._factor
        for (step, change, inverse), weight in zip(self._pairs, reversed(weights), strict=True):
            q += (weight - inverse * float(change @ q)) * step
        return -q

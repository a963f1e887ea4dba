"""Limited-memory BFGS that starts from a metric instead of a multiple of the identity."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import dot
from .frequent import FrequentMetric
from .line_search import Iterate
from .metric import BlockMetric, DiagonalMetric, Metric

__all__ = ["LBFGSHistory", "bytes_of_pairs"]

Vector: TypeAlias = NDArray[np.float64]
_PAIRS, _FEWEST = 20, 5  # pairs of a step and the change of the gradient over it, at most
_PAIR = 2 * np.dtype(np.float64).itemsize  # bytes of a parameter in a pair
_CURVED = 1e-12  # of the product of their lengths, at least, is the product of a step and a change
_BYTES = 1 << 29  # that pairs take, beyond the fewest


def bytes_of_pairs(n_parameters: int) -> int:
    """Return the bytes that the pairs of a long run take for each of its parameters."""
    return _PAIR * _most_pairs(n_parameters)


def _most_pairs(n_parameters: int) -> int:
    return min(_PAIRS, max(_FEWEST, _BYTES // (_PAIR * n_parameters)))


class LBFGSHistory:
    """The history of limited-memory BFGS: pairs of steps and gradient changes, on top of a metric.

    Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Mathematics of Computation 35, 1980.

    A new array of some megabytes costs more than the arithmetic on it, so the arrays are used again.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._factor = 1.0  # scales the metric; `direction` measures it for all but dense metrics
        self._measured = False
        self._pairs: deque[tuple[Vector, Vector, float]] = deque()
        self._spare: tuple[Vector, Vector] | None = None
        self.scratch = self._sum = np.empty(0)

    def __len__(self) -> int:
        return len(self._pairs)

    def state(self) -> dict[str, Any]:
        """Return the pairs and the factor, for a checkpoint. The metric is not among them."""
        state: dict[str, Any] = {"factor": self._factor, "measured": self._measured}
        for number, (step, change, inverse) in enumerate(self._pairs):
            state |= {f"step {number}": step, f"change {number}": change, f"inverse {number}": inverse}
        return state

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._factor, self._measured = state["factor"], state["measured"]
        self._pairs.clear()
        while (number := len(self._pairs)) < _PAIRS and f"step {number}" in state:
            step, change, inverse = (state[f"{name} {number}"] for name in ("step", "change", "inverse"))
            self._pairs.append((step.copy(), change.copy(), inverse))

    def clear(self) -> None:
        """Forget all pairs."""
        self._pairs.clear()
        self._factor, self._measured = 1.0, False

    def note(self, before: Iterate, after: Iterate) -> None:
        """Store a step and the change of the gradient over it, if they show positive curvature."""
        size = after.w.size
        step, change = self._spare or (np.empty(size), np.empty(size))
        np.subtract(after.w, before.w, out=step, dtype=np.float64)
        np.subtract(after.gradient, before.gradient, out=change)
        product = dot(step, change)
        if not product > _CURVED * self._lengths(step, change):
            self._spare = step, change
            return
        self._spare = None
        self._pairs.append((step, change, 1.0 / product))
        if len(self._pairs) > _most_pairs(size):
            self._spare = self._pairs.popleft()[:2]

    def _lengths(self, step: Vector, change: Vector) -> float:
        """Return the product of the lengths of a step and of a change, whose units a diagonal metric takes away."""
        if not isinstance(self.metric, DiagonalMetric):
            return math.sqrt(dot(step, step)) * math.sqrt(dot(change, change))
        diagonal = self.metric.diagonal
        if self.scratch.size != step.size:
            self._sum, self.scratch = np.empty(step.size), np.empty(step.size)
        with np.errstate(over="ignore"):
            of_step = dot(np.multiply(step, step, out=self.scratch), diagonal)
            squares = np.multiply(change, change, out=self.scratch)
            squares /= diagonal
            return math.sqrt(of_step) * math.sqrt(float(np.sum(squares)))

    def renew(self, metric: Metric) -> None:
        """Take another metric, and keep the pairs: they hold whatever the metric is."""
        self.metric, self._measured = metric, False

    def _measures(self) -> bool:
        """Return whether the last pair tells the factor: with a block, it is told once, as its products take long."""
        if isinstance(self.metric, FrequentMetric):
            measured, self._measured = self._measured, True
            return not measured
        return isinstance(self.metric, DiagonalMetric) or (isinstance(self.metric, BlockMetric) and len(self) == 1)

    def direction(self, gradient: Vector) -> Vector:
        """Return minus the approximate inverse Hessian times the gradient, by the two-loop recursion.

        The result lasts until the next call.
        """
        if self._sum.size != gradient.size:
            self._sum, self.scratch = np.empty(gradient.size), np.empty(gradient.size)
        q, scratch, weights = self._sum, self.scratch, []
        np.copyto(q, gradient)
        for step, change, inverse in reversed(self._pairs):
            weight = inverse * dot(step, q)
            q -= np.multiply(change, weight, out=scratch)
            weights.append(weight)
        q = self.metric.solve(q, q)
        if self._pairs and self._measures():
            _, change, inverse = self._pairs[-1]
            self._factor = inverse * dot(change, self.metric.solve(change, scratch))
        q /= self._factor
        for (step, change, inverse), weight in zip(self._pairs, reversed(weights), strict=True):
            q += np.multiply(step, weight - inverse * dot(change, q), out=scratch)
        return np.negative(q, out=q)

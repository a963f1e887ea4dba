"""Limited-memory BFGS that starts from a metric instead of a multiple of the identity."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.norm import dot
from .frequent import FrequentMetric
from .line_search import Iterate
from .metric import BlockMetric, DiagonalMetric, Metric

__all__ = ["LBFGSHistory", "bytes_of_pairs"]

Vector: TypeAlias = NDArray[np.float64]
_PAIRS, _FEWEST = 20, 5  # pairs of a step and the change of the gradient over it, at most
_CURVED = 1e-12  # of the product of their lengths, at least, is the product of a step and a change
_BYTES = 1 << 29  # that pairs take, beyond the fewest


def bytes_of_pairs(n_parameters: int, dtype: Any) -> int:
    """Return the bytes that the pairs of a long run take for each of its parameters, of a dtype."""
    return _bytes_of_pair(dtype) * _most_pairs(n_parameters, dtype)


def _bytes_of_pair(dtype: Any) -> int:
    return 2 * int(np.dtype(dtype).itemsize)


def _most_pairs(n_parameters: int, dtype: Any) -> int:
    return min(_PAIRS, max(_FEWEST, _BYTES // (_bytes_of_pair(dtype) * n_parameters)))


class LBFGSHistory:
    """The history of limited-memory BFGS: pairs of steps and gradient changes, on top of a metric.

    Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", Mathematics of Computation 35, 1980. The pairs are
    kept in the dtype of the parameters, and their products are sums in float64.

    Parameters
    ----------
    metric : Metric
    factor : float
        What the metric is multiplied by, until a pair tells more.
    """

    def __init__(self, metric: Metric, factor: float = 1.0) -> None:
        self.metric = metric
        self._first_factor = factor
        self._factor = factor  # scales the metric; `direction` measures it for all but dense metrics
        self._measured = False
        self._pairs: Any = ()  # until the first is noted
        self.scratch = self._sum = np.empty(0)

    def __len__(self) -> int:
        return len(self._pairs)

    def state(self) -> dict[str, Any]:
        """Return the pairs and the factor, for a checkpoint. The metric is not among them."""
        state: dict[str, Any] = {"factor": self._factor, "first": self._first_factor, "measured": self._measured}
        for number in range(len(self)):
            state |= {f"step {number}": self._pairs.step(number), f"change {number}": self._pairs.change(number)}
            state[f"product {number}"] = self._pairs.product(number)
        return state

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._factor, self._measured, self._pairs = state["factor"], state["measured"], ()
        self._first_factor = state["first"]
        while (number := len(self)) < _PAIRS and f"step {number}" in state:
            step, change, product = (state[f"{name} {number}"] for name in ("step", "change", "product"))
            self._made(step).add(step, change, product)

    def clear(self) -> None:
        """Forget all pairs."""
        if len(self):
            self._pairs.clear()
        self._factor, self._measured = self._first_factor, False

    def _made(self, w: NDArray[Any]) -> Any:
        """Return the pairs of parameters like w."""
        if type(self._pairs) is tuple:
            kind = _core.PairsFloat32 if w.itemsize == 4 else _core.PairsFloat64
            self._pairs = kind(w.size, _most_pairs(w.size, w.dtype))
        return self._pairs

    def note(self, before: Iterate, after: Iterate) -> None:
        """Store a step and the change of the gradient over it, if they show positive curvature.

        The units of a diagonal metric are taken away from their lengths.
        """
        pairs, metric = self._made(after.w), self.metric
        diagonal = metric.diagonal if isinstance(metric, DiagonalMetric) else None
        product, step, change = pairs.note(before.w, after.w, before.gradient, after.gradient, diagonal)
        if product > _CURVED * math.sqrt(step) * math.sqrt(change) and product < math.inf:
            pairs.keep()

    def renew(self, metric: Metric) -> None:
        """Take another metric, and keep the pairs: they hold whatever the metric is."""
        self.metric, self._measured = metric, False

    def direction(self, gradient: Vector) -> Vector:
        """Return minus the approximate inverse Hessian times the gradient, by the two-loop recursion.

        The result lasts until the next call.
        """
        if self._sum.size != gradient.size:
            self._sum, self.scratch = np.empty(gradient.size), np.empty(gradient.size)
        q = self._sum
        if not self._pairs:
            q = self.metric.solve(gradient, q)
            q /= -self._factor
            return q
        self._measure()
        if type(self.metric) is DiagonalMetric:
            self._pairs.begin(gradient, self.metric.diagonal, self._factor, q)
        else:
            self._pairs.begin(gradient, None, 1.0, q)
            q = self.metric.solve(q, q)
            q /= self._factor
        self._pairs.finish(q)
        return q

    def _measure(self) -> None:
        """Let the last pair tell the factor: with a block, it is told once, as its products take long."""
        last, metric = len(self) - 1, self.metric
        if isinstance(metric, FrequentMetric):
            measured, self._measured = self._measured, True
            if measured:
                return
        elif isinstance(metric, DiagonalMetric):
            self._factor = self._pairs.square_of_change(metric.diagonal) / self._pairs.product(last)
            return
        elif not (isinstance(metric, BlockMetric) and last == 0):
            return
        change = self._pairs.change(last).astype(np.float64)
        self._factor = dot(change, metric.solve(change)) / self._pairs.product(last)

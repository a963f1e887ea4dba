"""Passes over X for several targets of least squares: values and gradients of all of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.columns import LITTLE
from ..objectives.data import DataObjective
from .blas import on_one_thread

__all__ = ["Passes"]

Array = NDArray[Any]
_ELEMENTS = 1 << 17  # of a block of rows, which stays in the cache for both products
_SEGMENTS = 64  # sets of neighbouring blocks whose sums are added in order, however many threads there are


@dataclass(frozen=True)
class Passes:
    """Values and gradients of a least-squares objective for several targets.

    A dense X is read once for all targets, block by block: the scores of a block and their product with it are two
    matrix products. Other rows are read once for each target, by the native objective. No result depends on the number
    of threads: the shape decides the blocks, and each product takes one thread.

    Attributes
    ----------
    objective : LeastSquares
        The objective of any of the targets.
    targets : array of shape (k, n), of the objective's dtype
        The targets.
    by_blocks : bool
        Whether blocks of rows serve all targets.
    """

    objective: DataObjective
    targets: Array
    by_blocks: bool

    @classmethod
    def of(cls, objective: DataObjective, targets: Array, may_scale: bool) -> Passes:
        """Return the passes. ``may_scale`` says that sums over the columns as they are lose no digits."""
        X = objective.data.X
        dense = isinstance(X, np.ndarray) and X.dtype == objective.dtype and X.size > LITTLE
        return cls(objective, targets, dense and may_scale and len(targets) > 1)

    def __call__(self, some: NDArray[np.intp], w: Array) -> tuple[Array, Array]:
        """Return the values and the gradients, of shape (m, n_parameters), of some targets at w, of that shape."""
        if self.by_blocks:
            return self._by_blocks(some, w)
        found = [self._alone(int(j)).native.value_and_gradient(each) for j, each in zip(some, w, strict=True)]
        return np.array([value for value, _ in found]), np.array([gradient for _, gradient in found], np.float64)

    def _alone(self, j: int) -> Any:
        return self.objective.with_data(self.objective.data.with_targets(self.targets[j]))

    def _by_blocks(self, some: NDArray[np.intp], w: Array) -> tuple[Array, Array]:
        objective, d = self.objective, self.objective.n_features
        exact = w.astype(np.float64)
        slopes, constants = exact[:, :d], exact[:, d] if objective.intercept else np.zeros(len(w))
        if objective.scaling is not None:
            centre, scale = objective.scaling
            slopes = slopes / scale
            constants = constants - slopes @ centre
        squares, pulls, sums = self._sums(some, slopes.astype(objective.dtype), constants.astype(objective.dtype))
        if objective.scaling is not None:
            sums = (sums - pulls[:, None] * centre) / scale
        gradient = np.column_stack([sums, pulls]) if objective.intercept else sums
        l2 = objective.penalty.l2 * np.ones(d) * _factors(objective)
        gradient = 2.0 * gradient / objective.weight_sum
        gradient[:, :d] += l2 * exact[:, :d]
        return squares / objective.weight_sum + 0.5 * (exact[:, :d] ** 2 @ l2), gradient

    def _sums(self, some: NDArray[np.intp], slopes: Array, constants: Array) -> tuple[Array, Array, Array]:
        """Return the weighted sums of the squared errors, of the errors, and of the errors times the rows."""
        n = self.objective.n_samples
        bounds = np.linspace(0, n, _SEGMENTS + 1).astype(int)
        segments = [slice(int(a), int(b)) for a, b in pairwise(bounds) if a < b]
        with on_one_thread(), ThreadPoolExecutor(max(1, _core.threads_in_use())) as pool:
            parts = list(pool.map(lambda rows: self._of_segment(rows, some, slopes, constants), segments))
        squares, pulls, sums = (sum(each[1:], each[0]) for each in zip(*parts, strict=True))
        return squares, pulls, sums

    def _of_segment(
        self, segment: slice, some: NDArray[np.intp], slopes: Array, constants: Array
    ) -> tuple[Array, Array, Array]:
        X, weight = self.objective.data.X, self.objective.data.weights
        size = max(64, _ELEMENTS // X.shape[1])
        squares, pulls, sums = np.zeros(len(some)), np.zeros(len(some)), np.zeros(slopes.shape)
        for start in range(segment.start, segment.stop, size):
            rows = slice(start, min(start + size, segment.stop))
            block = X[rows]
            errors = slopes @ block.T
            errors += constants[:, None]
            errors -= self.targets[some, rows]
            pulled = errors if weight is None else errors * weight[rows]
            squares += (errors * pulled).sum(axis=1, dtype=np.float64)
            pulls += pulled.sum(axis=1, dtype=np.float64)
            sums += pulled @ block
        return squares, pulls, sums


def _factors(objective: DataObjective) -> Any:
    """Return by what each column's penalty is multiplied."""
    found = getattr(objective, "penalty_weight", None)
    return 1.0 if found is None else np.asarray(found, np.float64)

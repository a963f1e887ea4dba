"""An L1 penalty over sparse rows: Newton's model in the columns that may be other than zero, which are few."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective, some_of
from ..objectives.penalty_weight import factors_of
from .frequent import curvature_block
from .line_search import Iterate
from .metric import Metric

__all__ = ["ActiveMetric", "active_metric", "needed_columns"]

Vector: TypeAlias = NDArray[np.float64]
_NEAR = 0.8  # of the penalty: a slope beyond it may soon be one that the penalty does not hold
_RIDGE = 1e-9  # share of the diagonal that is added


class ActiveMetric(Metric):
    """The Hessian of the active parameters, from some rows. All others stay where they are.

    Parameters
    ----------
    active : array of shape (m,)
        The active parameters.
    matrix : array of shape (m, m)
        Their Hessian.
    rows : int
        The number of rows that it is of.
    """

    def __init__(self, active: NDArray[np.intp], matrix: Vector, rows: int) -> None:
        self.active, self.matrix, self.rows = active, matrix, rows

    def solve(self, g: Vector, out: Vector | None = None) -> Vector:
        raise NotImplementedError("steps with an L1 penalty ask for the minimum of the model, not for a solution")

    def state(self) -> dict[str, Any]:
        return {"active": self.active, "matrix": self.matrix, "rows": self.rows}

    def has(self, columns: NDArray[np.intp]) -> bool:
        """Return whether all of these columns are active."""
        return bool(np.isin(columns, self.active, assume_unique=True).all())


def needed_columns(objective: DataObjective, iterate: Iterate, slope: float = 1.0) -> NDArray[np.intp]:
    """Return the columns of which the parameter is not 0, or the slope is beyond a share of the penalty."""
    d, l1 = objective.n_features, objective.penalty.l1 * factors_of(objective)
    return np.flatnonzero((iterate.w[:d] != 0.0) | (np.abs(iterate.gradient[:d]) > slope * l1))


def active_metric(
    objective: DataObjective, iterate: Iterate, needed: NDArray[np.intp], rows: int, seed: int, most: int
) -> ActiveMetric | None:
    """Return the metric of the needed columns, and of others near them if these are at most so many.

    Return None if a number overflows.
    """
    near = needed_columns(objective, iterate, _NEAR)
    columns = near if len(near) <= most else needed
    n, d = objective.n_samples, objective.n_features
    index: NDArray[Any] = np.arange(n) if rows >= n else some_of(n, rows, seed)
    with np.errstate(over="ignore", invalid="ignore"):
        block, weights = curvature_block(objective, iterate.w, columns, index)
        block /= weights
    if not np.isfinite(block).all():
        return None
    diagonal = np.diag(block).copy()
    diagonal[: len(columns)] += objective.penalty.l2 * factors_of(objective)[columns]
    largest = float(diagonal.max(initial=0.0))
    if not largest > 0.0:
        return None
    # A column that is not in these rows gets the curvature of one that is rare in them.
    seen = diagonal > 0.0
    diagonal = np.where(seen, diagonal * (1.0 + _RIDGE), float(diagonal[seen].min()))
    block.flat[:: len(block) + 1] = diagonal
    return ActiveMetric(np.append(columns, d) if objective.intercept else columns, block, min(rows, n))

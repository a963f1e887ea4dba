"""When a block of the Hessian of sparse rows pays in place of its diagonal, and when it is renewed or given up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from .active import ActiveMetric, active_metric, needed_columns
from .frequent import frequent_metric
from .line_search import Iterate
from .metric import DiagonalMetric, Metric
from .plan import SamplePlan

__all__ = ["SparseBlocks"]

_SEED = 0  # of the sample's rows: the same run every time
_MOST_ACTIVE = 2048  # columns
_SLOW = 0.5  # fall of the gradient norm over a step by Newton's model in the active columns
_MORE_ROWS = 4  # times as many as the last block had


class SparseBlocks:
    """The blocks of a run: of the frequent columns, or with an L1 penalty of the active ones."""

    def __init__(self, objective: DataObjective, plan: SamplePlan) -> None:
        self._objective, self._plan = objective, plan
        self._size = 0  # frequent columns that a block was asked for
        self._gave_up = False  # the model in the active columns

    def state(self) -> dict[str, Any]:
        """Return what was tried, for a checkpoint."""
        return {"size": self._size, "gave_up": self._gave_up}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._size, self._gave_up = state["size"], state["gave_up"]

    def that_pays(self, metric: Metric, iterate: Iterate, spent: int, left: float) -> Metric | None:
        """Return a metric with a block to take in place of a diagonal, if there is one that pays.

        Parameters
        ----------
        metric : Metric
            The metric of the run.
        iterate : Iterate
            Where the run is.
        spent, left : numbers
            Steps since the last metric was taken, and those that are left at their pace.
        """
        if not (self._plan.block_sizes and isinstance(metric, DiagonalMetric)):
            return None
        if self._objective.penalty.l1 > 0.0:
            return self._active(iterate, spent, left)
        costs = ((size, self._plan.cost_of_block(size)) for size in self._plan.block_sizes if size > self._size)
        pays = [size for size, cost in costs if 0.5 * cost <= spent and cost < left]
        if not pays:
            return None
        size, rows = pays[-1], self._plan.rows_of_block(pays[-1])
        found = frequent_metric(self._objective, iterate.w, metric.diagonal, size, rows, _SEED)
        self._size = size if found else self._plan.block_sizes[-1]
        return found

    def _active(self, iterate: Iterate, spent: int, left: float) -> ActiveMetric | None:
        needed = needed_columns(self._objective, iterate)
        cost = self._plan.cost_of_block(len(needed))
        if self._gave_up or 0.5 * cost > spent or cost > left:
            return None
        return self._of_columns(needed, iterate, self._plan.rows_of_block(len(needed)))

    def _of_columns(self, needed: NDArray[np.intp], iterate: Iterate, rows: int) -> ActiveMetric | None:
        if len(needed) > _MOST_ACTIVE:
            return None
        return active_metric(self._objective, iterate, needed, rows, _SEED, _MOST_ACTIVE)

    def renewed(self, metric: ActiveMetric, iterate: Iterate, fall: float) -> ActiveMetric | None:
        """Return Newton's model in the active columns for the next step; None if a diagonal is to take its place.

        It is made anew where columns became active, and of more rows where it is slow. If it is of all rows and has the
        curvature there, or if it has too many columns, it is given up.

        Parameters
        ----------
        metric : ActiveMetric
            That of the last step.
        iterate : Iterate
            Where the run is.
        fall : float
            The gradient norm over that before the step.
        """
        n, needed = self._objective.n_samples, needed_columns(self._objective, iterate)
        has_all, slow = metric.has(needed), fall > _SLOW
        if has_all and not slow:
            return metric
        found, final = None, metric.rows >= n and self._objective.constant_curvature
        if not (has_all and final):
            found = self._of_columns(needed, iterate, min(n, _MORE_ROWS * metric.rows) if has_all else metric.rows)
        self._gave_up = found is None
        return found

"""Paths over wide data: working sets of columns, of which the strong rule chooses the first at each alpha."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..working_sets.runner import WorkingSetRunner
from ..working_sets.solver import WorkingSetSolver
from .factors import penalty_at, penalty_factors
from .null_model import NullModel
from .solvers import Goal, Point

__all__ = ["WorkingSets"]

Vector = NDArray[np.float64]
_LEAST = {4: 1e-7, 8: 1e-13}  # gap, as a share of the null loss, that rounding allows


class WorkingSets:
    """Goes down a path with one `WorkingSetSolver`, which keeps the columns that it copied from alpha to alpha."""

    def __init__(self, objective: DataObjective, null: NullModel, l1_ratio: float, goal: Goal) -> None:
        self._objective, self._l1_ratio = objective, l1_ratio
        self._solver = WorkingSetSolver(objective.with_penalty(1.0, l1_ratio))
        self._goal, self._least = goal.gap / (abs(null.loss) or 1.0), _LEAST[objective.dtype.itemsize]
        self._w = null.w.ravel()
        k = objective.layout.n_scores
        self._factors = penalty_factors(objective).reshape(k, -1)[0, : objective.n_features]
        slopes = null.gradient.reshape(k, -1)[:, : objective.n_features]
        self._pulls = self._pulled(slopes)
        self._largest = self._before = float(self._pulls.max(initial=0.0)) / l1_ratio
        self.n_passes = 0

    @staticmethod
    def takes(objective: DataObjective, l1_ratio: float) -> bool:
        """Return whether working sets suit an objective: wide data in memory, and an L1 penalty."""
        return WorkingSetRunner.takes(objective.with_penalty(1.0, l1_ratio))

    def _pulled(self, slopes: Vector) -> Vector:
        """Return the largest slope of each column, as a multiple of the factor of its penalty."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pulls = np.abs(slopes).max(axis=0) / self._factors
        return np.where(np.isfinite(pulls), pulls, 0.0)  # of columns that are not penalised, or left out

    def solve(self, alpha: float) -> Point:
        """Return the minimum at an alpha, from that of the call before."""
        strong = np.flatnonzero(self._pulls >= (2.0 * alpha - self._before) * self._l1_ratio)
        tol = max(self._goal * min(alpha / self._largest, 1.0) if self._largest > 0.0 else self._goal, self._least)
        found = self._solver.solve(self._w, tol, alpha=alpha, candidates=strong)
        self.n_passes += found.n_passes
        self._w, self._before = found.w, alpha
        if self._solver.reached is not None:
            self._pulls = self._pulled(self._solver.reached.gradient)
        loss = found.value - penalty_at(self._objective, found.w, alpha, self._l1_ratio)
        return Point(found.w, loss, found.gap, found.converged)

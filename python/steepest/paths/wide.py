"""Paths over wide data: working sets of columns, of which the strong rule chooses the first, and joint passes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..working_sets.point import Point as WorkingPoint
from ..working_sets.runner import WorkingSetRunner
from ..working_sets.solver import WorkingSetSolver
from .factors import penalty_at, penalty_factors, pull
from .null_model import NullModel
from .solvers import Goal, Point

__all__ = ["WorkingSets"]

Vector = NDArray[np.float64]
_LEAST = {4: 1e-7, 8: 1e-13}  # gap, as a share of the null loss, that rounding allows
_TOGETHER = 16  # alphas that a pass judges, at most
_ROUNDS = 3  # passes for the same alphas, before those that are left are solved alone
_NEAR = 0.9  # of the penalty of the last of these alphas: columns that the loss pulls so strongly are taken
_INNER = 0.3  # of the gap to reach, for the problem of some columns


class WorkingSets:
    """Goes down a path with one `WorkingSetSolver`, which keeps the columns that it copied from alpha to alpha.

    It solves for some alphas in a row over the columns that the strong rule keeps. One pass over all columns then gives
    the duality gaps at all of these alphas. Where a gap is too large, the columns that the loss pulls too strongly
    come in, and the pass is made again for the alphas that are left.

    Parameters
    ----------
    objective : DataObjective
        One that `takes` accepts.
    null : NullModel
        Its null model.
    l1_ratio : float
        Above 0.
    goal : Goal
        How near to its minimum a fit must come.
    positive : bool
        Whether the coefficients must be at least 0.
    alphas : array
        The strengths for which `solve` will be called, in that order.
    """

    def __init__(
        self,
        objective: DataObjective,
        null: NullModel,
        l1_ratio: float,
        goal: Goal,
        positive: bool,
        alphas: NDArray[np.float64],
    ) -> None:
        self._objective, self._l1_ratio, self._positive = objective, l1_ratio, positive
        lower = np.zeros(objective.n_features) if positive else None
        self._solver = WorkingSetSolver(objective.with_penalty(1.0, l1_ratio), lower=lower, many=True)
        self._goal, self._least = goal.gap / (self._solver.scale or 1.0), _LEAST[objective.dtype.itemsize]
        self._w = self._solver.coefficients(null.w.ravel())
        k = objective.layout.n_scores
        self._factors = penalty_factors(objective).reshape(k, -1)[0, : objective.n_features]
        self._pulls = self._pulled(null.gradient.reshape(k, -1)[:, : objective.n_features])
        self._largest = self._before = float(self._pulls.max(initial=0.0)) / l1_ratio
        self._left = [float(alpha) for alpha in alphas]
        self._ready: list[Point] = []
        self._together = 1
        self.n_passes = 0

    @staticmethod
    def takes(objective: DataObjective, l1_ratio: float) -> bool:
        """Return whether working sets suit an objective: wide data in memory, and an L1 penalty."""
        return WorkingSetRunner.takes(objective.with_penalty(1.0, l1_ratio))

    def _pulled(self, slopes: Vector) -> Vector:
        """Return the largest slope of each column, as a multiple of the factor of its penalty."""
        with np.errstate(divide="ignore", invalid="ignore"):
            pulls = pull(slopes, self._positive).max(axis=0) / self._factors
        return np.where(np.isfinite(pulls), pulls, 0.0)  # of columns that are not penalised, or left out

    def _tolerance(self, alpha: float) -> float:
        """Return the gap to reach, as a share of the scale of the solver."""
        share = min(alpha / self._largest, 1.0) if self._largest > 0.0 else 1.0
        return max(self._goal * share, self._least)

    def solve(self, alpha: float) -> Point:
        """Return the minimum at the next alpha."""
        if not self._ready:
            before = self._solver.n_passes
            self._go_on()
            self.n_passes += self._solver.n_passes - before
        return self._ready.pop(0)

    def _go_on(self) -> None:
        """Solve for the next alphas."""
        alphas = self._left[: self._together]
        del self._left[: len(alphas)]
        points, rounds = self._joint(alphas)
        for k, alpha in enumerate(alphas):
            if not self._is_near(points[k], alpha):
                points[k] = self._alone(points[k], alpha)
            self._ready.append(self._finished(points[k], alpha))
        last = points[-1]
        self._w, self._pulls, self._before = last.w, self._pulled(last.gradient), alphas[-1]
        if self._solver.joins:
            self._together = min(2 * self._together, _TOGETHER) if rounds < _ROUNDS else max(self._together // 2, 1)

    def _joint(self, alphas: list[float]) -> tuple[list[WorkingPoint], int]:
        """Return points for some alphas, most of them near the minima, and the number of passes that it took."""
        least = max(2.0 * alphas[-1] - self._before, _NEAR * alphas[-1]) * self._l1_ratio
        points: dict[int, WorkingPoint] = {}
        wanted, left, rounds = self._pulls >= least, list(range(len(alphas))), 0
        while left and rounds < (_ROUNDS if self._solver.joins else 1):
            found, w = [], self._w
            for k in left:
                start = points[k].w if k in points else w
                goal = _INNER * self._tolerance(alphas[k]) * self._solver.scale
                found.append(self._solver.settled(np.flatnonzero(wanted), start, alphas[k], goal))
                w = found[-1].coefficients(self._objective.n_features)
            for k, point in zip(left, self._solver.looked_at(found, [alphas[k] for k in left]), strict=True):
                points[k] = point
                wanted |= self._pulled(point.gradient) > alphas[k] * self._l1_ratio
            left = [k for k in left if not self._is_near(points[k], alphas[k])]
            rounds += 1
        return [points[k] for k in range(len(alphas))], rounds

    def _is_near(self, point: WorkingPoint, alpha: float) -> bool:
        return point.gap <= self._tolerance(alpha) * self._solver.scale

    def _alone(self, point: WorkingPoint, alpha: float) -> WorkingPoint:
        """Go on for one alpha, from a point, and as near to the minimum as rounding allows."""
        strong = np.flatnonzero(self._pulled(point.gradient) > alpha * self._l1_ratio)
        self._solver.solve(point.parameters, self._tolerance(alpha), alpha=alpha, candidates=strong)
        reached = self._solver.reached
        assert reached is not None
        return reached if reached.gap < point.gap else point

    def _finished(self, point: WorkingPoint, alpha: float) -> Point:
        loss = point.value - penalty_at(self._objective, point.parameters, alpha, self._l1_ratio)
        return Point(point.parameters, loss, point.gap, self._is_near(point, alpha))

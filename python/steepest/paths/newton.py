"""Paths of losses whose curvature changes: proximal Newton steps, with one Hessian for many alphas."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..quasi_newton.line_search import NOISE
from ..quasi_newton.metric import fix_softmax_gauge
from ..working_sets.proximal_point import product, proximal_point
from .factors import bounded, penalty_factors, pull
from .far_rows import FarRows
from .null_model import NullModel
from .solvers import Goal, Point, largest_subgradient

__all__ = ["Newton"]

Vector: TypeAlias = NDArray[np.float64]

_STEPS = 100  # of one alpha, at most
_ARMIJO, _SHORTER, _SHORTEST = 1e-4, 0.5, 1e-6
_SLOW = 0.03  # the fall of the estimated gap by a step, from which on the Hessian is renewed
_ROWS, _ROWS_PER_PARAMETER = 40_000, 40  # of the sample whose Hessian is taken
_MORE = 4  # times as many rows where a sample's Hessian is slow
_HESSIANS = 3  # of one alpha, after which a gap below the rounding of the value is as small as it gets
_RIDGE = 1e-10  # of the diagonal
_TINY = float(np.finfo(np.float64).tiny)  # a diagonal element that a column of zeros has
_INNERMOST, _TIGHTER = 1e-15, 1e-3
_INNER = 1e-9  # of a coordinate's move, relative, at which the minimum of the model is found
_CURVED, _CLEAR = 1e-8, 100.0  # what a step must have to tell of the curvature: an angle, and a change over rounding
_SEED = 0


class _Place(NamedTuple):
    """Parameters, with the mean loss and its gradient: float64 but for w."""

    w: NDArray[Any]
    loss: float
    gradient: Vector


class Newton:
    """Minimises a quadratic model of the loss, plus the penalty, and takes a step to its minimum, until it is near.

    The model has the gradient at the current point, and the Hessian of a sample of the rows at some point before. The
    pass that judges a step also gives the next gradient, so an alpha costs about as many passes as steps. The fall that
    the model promises estimates the distance to the minimum.

    Lee, Sun, Saunders, "Proximal Newton-Type Methods for Minimizing Composite Functions", SIAM Journal on Optimization
    24, 2014.
    """

    def __init__(
        self, objective: DataObjective, null: NullModel, l1_ratio: float, goal: Goal, positive: bool = False
    ) -> None:
        self._plain = objective.with_penalty(0.0, 0.0)
        self._l1_ratio, self._goal = l1_ratio, goal
        factors = penalty_factors(objective)
        self._kept = np.isfinite(factors)
        self._factors = np.where(self._kept, factors, 0.0)
        self._place = _Place(null.w.ravel().astype(objective.dtype), null.loss, null.gradient)
        self._noise = NOISE * float(np.finfo(objective.dtype).eps)
        self._size = objective.size_of_losses if objective.supports(Capability.TARGETS) else 0.0
        some, self._positive = self._factors > 0.0, bounded(objective) if positive else None
        self._before = float((pull(null.gradient[some], positive) / self._factors[some]).max(initial=0.0))
        self.n_passes = 0
        n = objective.n_samples
        rows = max(_ROWS, _ROWS_PER_PARAMETER * objective.n_parameters)
        self._rows = rows if rows <= n // 4 and objective.supports(Capability.SAMPLE) else n
        self._hessian = self._hessian_here()
        self._far_rows: FarRows | None = None

    def _hessian_here(self) -> Vector:
        """Return the Hessian of some rows at the current point."""
        native = self._plain.native if self._rows == self._plain.n_samples else self._plain.sample(self._rows, _SEED)
        self.n_passes += self._rows == self._plain.n_samples
        matrix = np.ascontiguousarray(native.hessian(self._place.w), np.float64)
        if self._plain.layout.n_scores > 1:  # in float32, rounding may curve it downwards along that shift
            fix_softmax_gauge(matrix, self._plain.layout, 1.0, self._plain.penalty_weight)
        diagonal = np.diag(matrix).copy()
        largest = float(diagonal.max())
        at = np.diag_indices(len(diagonal))
        matrix[at] = np.where(diagonal > _TINY, diagonal, largest) * (1.0 + _RIDGE)  # units of columns may differ
        return matrix

    def solve(self, alpha: float) -> Point:
        """Return the minimum at an alpha, from that of the call before.

        Where rounding leaves the Hessian flat along some directions, the model's minimum lies so far away that its fall
        overflows. Such a step is shortened, or the exact minimum is taken.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._solve(alpha)

    def _solve(self, alpha: float) -> Point:
        l1 = alpha * self._l1_ratio * self._factors
        l2 = alpha * (1.0 - self._l1_ratio) * self._factors
        self._inner = _INNER
        before, taken = np.inf, 0  # the gap of the step before, and the Hessians of this alpha
        for _ in range(_STEPS):
            step, gap = self._step(l1, l2)
            if self._is_near(alpha, l1, l2, gap):
                break
            if gap > _SLOW * before:
                if taken >= _HESSIANS and gap <= self._rounding():
                    break
                self._renew(again=taken > 0)
                self._inner = max(self._inner * _TIGHTER, _INNERMOST)
                taken, before = taken + 1, np.inf
                continue
            moved = self._moved(step, gap, l1, l2)
            if moved is None:
                break
            self._learn(moved)
            self._place, before = moved, gap
        near = self._is_near(alpha, l1, l2, gap)
        if not near and FarRows.takes(self._plain):
            self._far_rows = self._far_rows or FarRows(self._plain, self._kept)
            gap, near = self._at_exact_minimum(self._far_rows, alpha, l1, l2)
        self._before = alpha * self._l1_ratio
        return Point(self._place.w, self._place.loss, gap, near)

    def _at_exact_minimum(self, far_rows: FarRows, alpha: float, l1: Vector, l2: Vector) -> tuple[float, bool]:
        """Go where no step of the model leads, unless the objective is higher there. Return the gap and whether it did.

        The subgradient is looked at before the parameters are rounded, which may take some errors past the threshold.
        """
        w = far_rows.minimum(self._place.w.astype(np.float64), l1, l2, self._positive)
        there = self._at(w.astype(self._place.w.dtype))
        lower = self._value(there, l1, l2) <= self._value(self._place, l1, l2) + self._rounding()
        if lower:
            self._place = there
            self._hessian = self._hessian_here()
        gap = self._step(l1, l2)[1]
        left = largest_subgradient(far_rows.gradient(w, l2), w, l1, self._positive)
        return gap, lower and gap <= self._goal.gap and left <= self._goal.subgradient(alpha)

    def _is_near(self, alpha: float, l1: Vector, l2: Vector, gap: float) -> bool:
        w = self._place.w.astype(np.float64)
        gradient = np.where(self._kept, self._place.gradient + l2 * w, 0.0)
        left = largest_subgradient(gradient, w, l1, self._positive)
        return gap <= self._goal.gap and left <= self._goal.subgradient(alpha)

    def _step(self, l1: Vector, l2: Vector) -> tuple[Vector, float]:
        """Return the step to the minimum of the model, and how much the model falls.

        The strong rule leaves out coefficients. Those whose slope exceeds the L1 factor here are always taken, so that
        the next steps see to what the rule left out in error.
        """
        w = self._place.w.astype(np.float64)
        gradient = self._place.gradient + l2 * w
        pulls = np.abs(gradient)
        if self._positive is not None:
            pulls = np.where(self._positive, pull(gradient, True), pulls)
        strong = pulls >= np.minimum(2.0 * l1 - self._before * self._factors, l1)
        taken = np.flatnonzero(self._kept & ((w != 0.0) | strong))
        step = np.zeros_like(w)
        if not len(taken):
            return step, 0.0
        matrix = np.ascontiguousarray(self._hessian[np.ix_(taken, taken)])
        matrix[np.diag_indices(len(taken))] += l2[taken]
        own, slopes, factors = w[taken], gradient[taken], l1[taken]
        positive = None if self._positive is None else self._positive[taken]
        z = proximal_point(matrix, slopes, own, factors, tolerance=self._inner, positive=positive)
        step[taken] = z - own
        self._fix_gauge(step)
        move = step[taken]
        curved = float(np.sum(move * product(matrix, move)))
        bent = float(np.sum(factors * (np.abs(own + move) - np.abs(own))))
        return step, max(-float(np.sum(move * slopes)) - curved / 2.0 - bent, 0.0)

    def _learn(self, there: _Place) -> None:
        """Bring the Hessian up to date along the step, by the change of the gradient (BFGS)."""
        step = there.w.astype(np.float64) - self._place.w
        change = there.gradient - self._place.gradient
        bent = product(self._hessian, step)
        along, curved = float(np.sum(step * change)), float(np.sum(step * bent))
        sizes = np.sqrt(float(np.sum(step * step)) * float(np.sum(change * change)))
        if not (along > _CURVED * sizes and curved > 0.0 and float(np.abs(change).max()) > _CLEAR * self._goal.least):
            return
        self._hessian += np.multiply.outer(change / along, change) - np.multiply.outer(bent / curved, bent)

    def _fix_gauge(self, step: Vector) -> None:
        """Take out what adds the same to the intercepts of all classes, which changes nothing."""
        layout = self._plain.layout
        if layout.n_scores > 1 and layout.intercept:
            table = step.reshape(layout.n_scores, -1)
            table[:, -1] -= table[:, -1].mean()

    def _moved(self, step: Vector, fall: float, l1: Vector, l2: Vector) -> _Place | None:
        """Return a place along the step at which the objective is lower; None if rounding hides any."""
        here, value = self._place, self._value(self._place, l1, l2)
        length = 1.0
        while length >= _SHORTEST:
            w = (here.w.astype(np.float64) + length * step).astype(here.w.dtype)
            if np.array_equal(w, here.w):
                return None
            there = self._at(w)
            lower = self._value(there, l1, l2)
            if lower <= value - _ARMIJO * length * fall + self._rounding() * (length == 1.0):
                return there
            length *= _SHORTER
        return None

    def _at(self, w: NDArray[Any]) -> _Place:
        self.n_passes += 1
        loss, gradient = self._plain.native.value_and_gradient(w)
        return _Place(w, float(loss), gradient.astype(np.float64))

    def _value(self, place: _Place, l1: Vector, l2: Vector) -> float:
        w = place.w.astype(np.float64)
        found = place.loss + float(np.sum(l1 * np.abs(w)) + np.sum(l2 * w * w) / 2.0)
        return found if np.isfinite(place.gradient).all() and np.isfinite(found) else np.inf

    def _rounding(self) -> float:
        """Return about the rounding of the objective's value."""
        return self._noise * max(abs(self._place.loss), self._size)

    def _renew(self, again: bool) -> None:
        """Take the Hessian at the current point; of more rows, if that of a sample was slow here."""
        n = self._plain.n_samples
        if again and self._rows < n:
            self._rows = self._rows * _MORE if self._rows * _MORE <= n // 4 else n
        self._hessian = self._hessian_here()

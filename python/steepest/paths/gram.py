"""Paths of least squares: one pass gives the Hessian, and coordinate descent on it gives the minimum at every alpha."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.scaling import LARGEST_SHIFT
from ..quasi_newton.proximal import pseudo_gradient
from ..working_sets.proximal_point import definite, product, proximal_point
from .factors import penalty_factors, pull
from .null_model import NullModel
from .solvers import Goal, Point, largest_subgradient

__all__ = ["Gram"]

Vector: TypeAlias = NDArray[np.float64]
Places: TypeAlias = NDArray[np.intp]

_CONSTANT = 16.0  # units in the last place of its mean square, up to which a column's variance is rounding
_FIRST, _LAST = 1e-5, 1e-14  # of a coordinate's move, relative: the tolerances that are tried
_TIGHTER = 1e-2
_ROUNDING = 1024.0 * float(np.finfo(np.float64).eps)  # of the null loss, which a gap has
_AHEAD = 1.0  # times the last step, how far a minimum is extrapolated
_LARGE_SHARE = 0.5  # of the columns, from which all of them are taken
_SLACK = 1e-9  # of the L1 factor, by which a slope may exceed it


class Gram:
    """Least squares as a quadratic of the penalised coefficients: null loss - c.z + z.G z / 2.

    The intercept and the coefficients that are not penalised have their best values for z, and are eliminated.
    """

    def __init__(
        self, objective: DataObjective, null: NullModel, l1_ratio: float, goal: Goal, positive: bool = False
    ) -> None:
        self._objective, self._null, self._l1_ratio = objective, null, l1_ratio
        factors = penalty_factors(objective)
        self._free, self._columns = np.flatnonzero(factors == 0.0), np.flatnonzero((factors > 0) & np.isfinite(factors))
        self._factors, self._d = factors[self._columns], len(self._columns)
        self._positive = np.ones(self._d, bool) if positive else None
        plain = _centred(objective.with_penalty(0.0, 0.0))
        centred = plain.scaling is not None and objective.scaling is None
        self.n_passes = 1 + centred
        self._centre = plain.scaling[0] if centred and plain.scaling is not None else np.zeros(objective.n_features)
        gradient = null.gradient.copy()
        gradient[: objective.n_features] -= self._centre * gradient[-1]
        start = null.w.astype(np.float64)
        if objective.intercept:
            start[-1] += float(np.sum(self._centre * start[:-1]))
        self._start = start
        self._eliminate(plain.hessian(null.w).astype(np.float64), gradient)
        self._goal = goal._replace(gap=max(goal.gap, _ROUNDING * null.loss), least=_ROUNDING * null.largest_slope)
        self._z = np.zeros(self._d)
        self._last = (math.inf, self._z), (math.inf, self._z)  # the last two alphas and minima
        self._slope = -self._c  # of the loss and the squared penalty
        self._before = float((self._pull() / self._factors).max(initial=0.0))  # the factor of the L1 norm before
        self._kept: tuple[Places, Vector] = np.zeros(0, np.intp), np.zeros((0, 0))

    def _eliminate(self, hessian: Vector, gradient: Vector) -> None:
        """Keep G, c and the null loss, and what gives the parameters that are eliminated: shift - cross z."""
        d, eps, free, own = self._d, float(np.finfo(self._objective.dtype).eps), self._free, self._columns
        G, c = hessian[np.ix_(own, own)], -gradient[own]
        self._cross, self._shift = np.zeros((len(free), d)), np.zeros(len(free))
        constant = np.diag(G) == 0.0
        if len(free):
            beside = hessian[np.ix_(own, free)]
            factor = definite(np.ascontiguousarray(hessian[np.ix_(free, free)]))
            self._shift = np.asarray(factor.solve(-gradient[free]))
            self._cross = np.asarray(factor.solve_all(np.ascontiguousarray(beside))).T
            inner = np.diag(G).copy()
            G = G - np.einsum("if,fj->ij", beside, self._cross)
            c = c - np.einsum("if,f->i", beside, self._shift)
            constant |= np.diag(G) <= _CONSTANT * eps * inner
        G[constant], G[:, constant], c[constant] = 0.0, 0.0, 0.0
        self._null_loss = self._null.loss + 0.5 * float(np.sum(gradient[free] * self._shift))
        self._diagonal = np.where(constant, 1.0, np.diag(G) * (1.0 + math.sqrt(d) * eps))  # definite beside rounding
        self._G, self._c = np.ascontiguousarray((G + G.T) / 2), c
        self._G[np.diag_indices(d)] = self._diagonal

    def solve(self, alpha: float) -> Point:
        """Return the minimum at an alpha, from that of the call before."""
        l1, l2 = alpha * self._l1_ratio * self._factors, alpha * (1.0 - self._l1_ratio) * self._factors
        self._G[np.diag_indices(self._d)] = self._diagonal + l2
        tolerance, gap = _FIRST, math.inf
        self._extrapolate(alpha)
        if self._l1_ratio == 0.0:
            self._on(np.arange(self._d), l1, _LAST)
            self._renew_slope()
            left = pseudo_gradient(self._slope, self._z, l1, self._positive)
            gap = float(np.sum(left**2 / l2)) / 2.0
        while self._l1_ratio > 0.0 and tolerance >= _LAST:
            self._descend(l1, alpha, tolerance)
            gap = self._gap(l1)
            if self._is_near(alpha, l1, gap):
                break
            tolerance *= _TIGHTER
        converged = self._is_near(alpha, l1, gap)
        self._before = alpha * self._l1_ratio
        self._last = self._last[1], (alpha, self._z)
        self._G[np.diag_indices(self._d)] = self._diagonal
        self._slope = self._slope - l2 * self._z
        return Point(self._w(), self._loss(), gap, converged)

    def _extrapolate(self, alpha: float) -> None:
        """Begin where the line through the last two minima leads: between two changes of the signs it is exact."""
        (first, earlier), (second, here) = self._last
        if alpha < second < first:
            ahead = here + min((alpha - second) / (second - first), _AHEAD) * (here - earlier)
            self._z = np.where(ahead * here > 0.0, ahead, 0.0)

    def _is_near(self, alpha: float, l1: Vector, gap: float) -> bool:
        left = largest_subgradient(self._slope, self._z, l1, self._positive)
        return gap <= self._goal.gap and left <= self._goal.subgradient(alpha)

    def _descend(self, l1: Vector, alpha: float, tolerance: float) -> None:
        """Minimise over the columns that the strong rule keeps, until the slopes of the others allow them to be 0."""
        least = (2.0 * alpha * self._l1_ratio - self._before) * self._factors
        kept = (self._pull() >= least) | (self._z != 0.0)
        while True:
            if kept.mean() > _LARGE_SHARE:
                kept[:] = True
            self._on(np.flatnonzero(kept), l1, tolerance)
            self._renew_slope()
            wrong = ~kept & (self._pull() > (1.0 + _SLACK) * l1)
            if not wrong.any():
                return
            kept |= wrong

    def _on(self, columns: Places, l1: Vector, tolerance: float) -> None:
        """Minimise over some columns; the others are 0."""
        if not len(columns):
            return
        matrix, slope, origin = self._matrix(columns), -self._c[columns], np.zeros(len(columns))
        positive = None if self._positive is None else self._positive[columns]
        if positive is None and not l1.any():
            z = np.asarray(definite(matrix).solve(-slope))
        else:
            options: dict[str, Any] = {"positive": positive, "start": self._z[columns], "tolerance": tolerance}
            z = proximal_point(matrix, slope, origin, l1[columns], **options)
        self._z = np.zeros(self._d)
        self._z[columns] = z

    def _matrix(self, columns: Places) -> Vector:
        """Return the Hessian of some columns."""
        if len(columns) == self._d:
            return self._G
        known, matrix = self._kept
        if not np.array_equal(known, columns):
            matrix = np.ascontiguousarray(self._G[np.ix_(columns, columns)])
            self._kept = columns, matrix
        matrix[np.diag_indices(len(columns))] = np.diag(self._G)[columns]
        return matrix

    def _pull(self) -> Vector:
        """Return how strongly each coefficient is pulled from 0."""
        return pull(self._slope, self._positive is not None)

    def _renew_slope(self) -> None:
        self._slope = product(self._G, self._z) - self._c

    def _gap(self, l1: Vector) -> float:
        """Return the duality gap. A multiple of the residuals is a point of the dual problem.

        The squared penalty counts as further rows, whose targets are 0.
        """
        linear = float(np.sum(self._c * self._z))
        curved = float(np.sum(self._z * (self._slope + self._c)))
        squares = self._null_loss - linear + curved / 2.0  # of the residuals, the further rows' among them
        along = self._null_loss - linear / 2.0  # residuals times targets
        largest = float((self._pull() / l1).max(initial=0.0))
        most = 1.0 / largest if largest > 0.0 else math.inf
        share = min(most, along / squares) if squares > 0.0 else min(most, 1.0)
        dual = 2.0 * share * along - share * share * squares
        return max(squares + float(np.sum(l1 * np.abs(self._z))) - dual, 0.0)

    def _loss(self) -> float:
        """Return the mean loss, from its slope."""
        return max(self._null_loss + 0.5 * float(np.sum(self._z * (self._slope - self._c))), 0.0)

    def _w(self) -> NDArray[Any]:
        """Return all parameters. The intercept makes up for the rounding of the coefficients."""
        objective = self._objective
        z = self._z.astype(objective.dtype).astype(np.float64)
        w = self._start.copy()
        w[self._columns] = z
        w[self._free] += self._shift - np.einsum("fi,i->f", self._cross, z)
        rounded = w.astype(objective.dtype)
        if objective.intercept:
            rounded[-1] = w[-1] - float(np.sum(self._centre * rounded[:-1].astype(np.float64)))
        return rounded


def _centred(plain: DataObjective) -> DataObjective:
    """Return the objective with its columns centred, if sums of few digits over the raw ones would lose some."""
    if not plain.intercept or plain.scaling is not None or plain.dtype == np.float64:
        return plain
    mean, deviation = plain.column_statistics()
    far = np.abs(mean) > deviation
    exact = plain.supports(Capability.STANDARDISED_BLOCKS) or np.linalg.norm(mean) <= LARGEST_SHIFT[4]
    if not far.any() or not (exact and np.isfinite(mean).all()):
        return plain
    return plain.with_scaling(mean, np.ones_like(mean))  # type: ignore[no-any-return]

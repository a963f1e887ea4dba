"""The problem of some columns alone: Newton's models of the loss, each minimised beside the penalty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.loss import RowTerms
from .gap import Dual, ElasticNet, duality_gap
from .gathered import GatheredColumns, Slots
from .level import best_level
from .proximal_point import exact_steps, proximal_point
from .row_model import RowModel
from .several import minimum_of_scores

__all__ = ["Place", "Subproblem"]

Vector: TypeAlias = NDArray[np.float64]

_ROUNDS = 40  # of Newton's steps, one of each score
_JOINT = 1024  # parameters of several scores that take a step together
_TRIES = 30  # of a step, each half as long
_ARMIJO = 1e-4
_NOISE = 8.0  # units in the last place of a value
_FALL = 0.5  # of the gap, by a step whose fall rounding hides
_LONG = 0.5  # share of a step that its model was good for
_FLOOR = 1e-6  # share of a majorant that a curvature has at least, where the loss may be flat
_SMALL, _MOST = 400, 4096  # columns whose Hessian is made at every step, and at most where nothing else helps
_SHARED = 1024  # columns whose products are kept for many problems
_NEAR = 0.9  # of the penalty: columns of that Hessian
_HARD = 4  # steps in a row that do not halve the gap, beyond which every second step is exact
_SLOW = 12  # steps in a row that do not halve the gap, beyond which more columns have one
_SOON, _ROUGH = 2, 1e-5  # steps that do not halve the gap, and a gap relative to the loss, that float32 is used for
_COARSE, _COARSE_SWEEPS = 0.3, 12  # a gap relative to the loss, and sweeps of the first step towards it
_SWEEPS, _TOLERANCE = 20, 1e-9  # of coordinate descent along columns: at most, and what ends it
_MANY_SWEEPS, _FINE = 500, 1e-12


class Move(Enum):
    """The outcome of a step: none was possible, or it went down, clearly or by what rounding hides."""

    NONE = 0
    HIDDEN = 1
    CLEAR = 2


@dataclass
class Place:
    """Where a solution of the columns is.

    Attributes
    ----------
    v : array of shape (n_scores, m)
        Coefficients of the columns.
    scores : array of shape (n_scores, n)
        The scores of the rows, their best intercept among them.
    terms : RowTerms
        Of the rows at these scores.
    loss : float
        The mean loss.
    gap : float
        The duality gap of the problem of these columns.
    settled : bool
        Whether rounding allows no further step.
    """

    v: Vector
    scores: Vector
    terms: RowTerms
    loss: float
    gap: float = math.inf
    settled: bool = False
    sweeps: int = 0


class Subproblem:
    """The loss of some columns beside their penalty.

    Parameters
    ----------
    objective : DataObjective
        The loss.
    y, shares : arrays of shape (n,), float64
        Targets, and weights over their sum.
    gathered : GatheredColumns
        Centred if there is an intercept.
    many : bool
        Whether many problems of these columns are to be solved.
    """

    def __init__(
        self, objective: DataObjective, y: Vector, shares: Vector, gathered: GatheredColumns, many: bool = False
    ) -> None:
        self._objective, self._y, self._shares, self._gathered = objective, y, shares, gathered
        self._intercept = objective.intercept
        self._quadratic = objective.constant_curvature
        self._small = _SHARED if many and self._quadratic else _SMALL
        self._fine = False  # whether the last digits of a model's minimum matter
        self._sweeps = _SWEEPS
        self._narrow = True  # whether sweeps may go along float32 copies of the columns
        self._exact = False  # whether a step solves for the coefficients that are not 0
        self._cautious = True  # where the loss may be flat: whether the next model is a majorant

    def place(self, v: Vector, scores: Vector) -> Place:
        """Return the place with these coefficients and scores, but with the best intercepts."""
        terms = self._level(scores, self._terms(scores))
        return Place(v, scores, terms, self._mean(terms.values))

    def solve(self, here: Place, slots: Slots, net: ElasticNet, target: float) -> Place:
        """Return a place with a duality gap of at most the target, or as near to the minimum as rounding allows."""
        self._cautious, self._exact, self._narrow = True, False, True
        here.settled, here.sweeps, self._fine, quiet, before, slow = False, 0, False, False, math.inf, 0
        for _ in range(_ROUNDS):
            here.gap = self.gap(here, slots, net, self.gradient(here.terms, slots))
            here.settled = quiet and self._fine and here.gap > _FALL * before
            if here.gap <= target or here.settled:
                return here
            slow = slow + 1 if here.gap > _FALL * before else 0
            self._narrow = slow < _SOON and target > _ROUGH * abs(here.loss)
            self._fine = quiet or slow >= (1 if len(slots) <= self._small else _SLOW)
            self._exact = slow >= _HARD and not self._exact
            before = here.gap
            coarse = not here.sweeps and target > _COARSE * abs(here.loss)
            self._sweeps = _COARSE_SWEEPS if coarse else _SWEEPS
            move = self._step(here, slots, net)
            if move == Move.NONE and self._fine:
                here.settled = True
                return here
            quiet = move != Move.CLEAR
        return here

    def gap(self, here: Place, slots: Slots, net: ElasticNet, gradient: Vector) -> float:
        """Return the duality gap of the problem of these columns."""
        return self.dual_of(here, here.v, gradient, net, self.reach(here, slots, net)).gap

    def dual_of(self, here: Place, w: Vector, gradient: Vector, net: ElasticNet, reach: Vector | None) -> Dual:
        """Return the dual point of a problem of more columns, whose coefficients are w, at the same scores."""
        return duality_gap(self._objective, here.terms, self._y, self._shares, w, gradient, net, reach)

    def reach(self, here: Place, slots: Slots, net: ElasticNet) -> Vector | None:
        """Return how far the coefficients of columns without a penalty may be from the minimum; None without any."""
        free = (net.l1 == 0.0) & (net.l2 == 0.0)
        if not free.any():
            return None
        sizes = np.sqrt(np.maximum(self._gathered.squares[slots], np.finfo(np.float64).tiny))
        return np.where(free, (1.0 + float(np.ptp(here.scores))) / sizes, 0.0)

    def gradient(self, terms: RowTerms, slots: Slots) -> Vector:
        """Return the gradient of the loss by the coefficients, of shape (n_scores, m)."""
        return np.stack([self._gathered.dots(slots, self._shares * slope) for slope in terms.slopes])

    def _terms(self, scores: Vector) -> RowTerms:
        return self._objective.row_terms(scores, self._y)

    def _mean(self, values: Vector) -> float:
        counted = np.where(self._shares > 0.0, values, 0.0)
        return float(np.einsum("i,i->", self._shares, counted))

    def _level(self, scores: Vector, terms: RowTerms) -> RowTerms:
        """Move the intercepts to their best, in place."""
        if not self._intercept:
            return terms
        return best_level(self._objective, scores, terms, self._y, self._shares)

    def _step(self, here: Place, slots: Slots, net: ElasticNet) -> Move:
        """Take a Newton step of all coefficients, in place: of all scores at once or, if they are too many, of each."""
        if len(here.v) == 1 or here.v.size + len(here.v) > _JOINT:
            moves = [self._step_of_score(here, c, slots, net) for c in range(len(here.v))]
            return max(moves, key=lambda move: move.value)
        gradient = self.gradient(here.terms, slots)
        new = minimum_of_scores(self._gathered, slots, net, here, gradient, self._shares, self._intercept, self._fine)
        change = new - here.v
        if not change.any():
            return Move.NONE
        along = np.stack([self._gathered.scores(slots, each) for each in change])
        return self._search(here, change, along, net, float(np.einsum("cj,cj->", gradient, change)), new)

    def _step_of_score(self, here: Place, c: int, slots: Slots, net: ElasticNet) -> Move:
        q, h, v = self._shares * here.terms.slopes[c], self._curvatures(here, c), here.v[c]
        gradient = self._gathered.dots(slots, q)
        new = here.v.copy()
        new[c], sweeps = self._minimum(slots, net, v, gradient, q, h)
        here.sweeps += sweeps
        change = new - here.v
        if not change.any():
            return Move.NONE
        along, total = np.zeros_like(here.scores), float(h.sum())
        along[c] = self._gathered.scores(slots, change[c])
        if self._intercept and total > 0.0:
            along[c] -= float(np.einsum("i,i->", h, along[c])) / total
        return self._search(here, change, along, net, float(np.einsum("j,j->", gradient, change[c])), new)

    def _search(self, here: Place, change: Vector, along: Vector, net: ElasticNet, slope: float, new: Vector) -> Move:
        """Backtrack along a direction (Lee, Sun, Saunders, "Proximal Newton-Type Methods", SIAM J. Optimization 24)."""
        penalty = net.value(here.v)
        fall, before = slope + net.value(new) - penalty, here.loss + penalty
        noise = _NOISE * float(np.finfo(np.float64).eps) * (abs(here.loss) + penalty)
        share = 1.0
        for _ in range(_TRIES):
            scores = here.scores + share * along
            terms = self._level(scores, self._terms(scores))
            moved = new if share == 1.0 else here.v + share * change
            loss = self._mean(terms.values)
            found = loss + net.value(moved)
            hidden = abs(share * fall) <= noise and found <= before + noise
            if hidden or (fall < 0.0 and found <= before + _ARMIJO * share * fall):
                here.v, here.scores, here.terms, here.loss = moved, scores, terms, loss
                self._cautious = share < _LONG
                return Move.HIDDEN if hidden else Move.CLEAR
            share *= 0.5
        self._cautious = True
        return Move.NONE

    def _curvatures(self, here: Place, c: int) -> Vector:
        """Return the curvatures of the rows, times their shares, in the model of the loss.

        Where a loss may be flat, the model is of Newton with a small part of a majorant, or after a step that was too
        long the majorant: a parabola that is nowhere below the loss (Huber, Robust Statistics, 1981, section 7.8).
        """
        if not self._objective.may_be_flat:
            return np.asarray(self._shares * here.terms.curvatures[c])
        apart = here.scores[c] - self._y
        largest = self._objective.largest_curvature
        majorant = np.divide(here.terms.slopes[c], apart, out=np.full(len(apart), largest), where=apart != 0.0)
        if self._cautious:
            return np.asarray(self._shares * majorant)
        return np.asarray(self._shares * np.maximum(here.terms.curvatures[c], _FLOOR * majorant))

    def _minimum(
        self, slots: Slots, net: ElasticNet, v: Vector, gradient: Vector, q: Vector, h: Vector
    ) -> tuple[Vector, int]:
        """Return the minimum of the model of one score, and the sweeps along columns that it took."""
        mean, total = np.zeros(len(slots)), float(h.sum())
        if self._intercept and not self._quadratic and total > 0.0:
            mean = self._gathered.dots(slots, h) / total
        few = len(slots) <= self._small
        if few or self._fine or self._exact:
            near = np.ones(len(slots), bool)
            if not few:
                near = (v != 0.0) | (np.abs(gradient) > (_NEAR if self._fine else np.inf) * net.l1)
            if np.count_nonzero(near) <= _MOST:
                new = v.copy()
                new[near] = self._solved(slots[near], net.of(near), v[near], gradient[near], h, mean[near])
                return new, 0
        return self._descended(slots, net, v, q, h, mean)

    def _solved(self, slots: Slots, net: ElasticNet, v: Vector, gradient: Vector, h: Vector, mean: Vector) -> Vector:
        """Return the minimum of the model of some columns by their Hessian, the intercept at its best."""
        if self._quadratic and len(slots) <= self._small:
            matrix = self._objective.largest_curvature * self._gathered.shared_products(slots)
        else:
            matrix = self._gathered.products(slots, h)
            matrix -= float(h.sum()) * mean * mean[:, None]
        diagonal = np.diag(matrix) + net.l2
        alive = diagonal > 0.0
        matrix.flat[:: len(matrix) + 1] = np.where(alive, diagonal, 1.0)
        slope, l1 = np.where(alive, gradient + net.l2 * v, 0.0), np.where(alive, net.l1, 0.0)
        positive = net.positive
        if self._exact and not self._fine and len(slots) > self._small:
            return exact_steps(matrix, slope, v, l1, v, None if positive is None else positive | (l1 > 0.0))
        return proximal_point(matrix, slope, v, l1, fine=self._fine, positive=positive)

    def _descended(
        self, slots: Slots, net: ElasticNet, v: Vector, q: Vector, h: Vector, mean: Vector
    ) -> tuple[Vector, int]:
        """Return a point near the minimum of the model, and the number of sweeps along columns, at most, to it."""
        if self._quadratic:
            squares = self._objective.largest_curvature * self._gathered.squares[slots]
        else:
            squares = self._gathered.weighted_squares(slots, h) - h.sum() * mean**2
        same, curvature = self._quadratic and bool((h == h[0]).all()), np.maximum(squares, 0.0) + net.l2
        model = RowModel(self._gathered, slots, net, h, same, mean, curvature, self._narrow and not self._fine)
        return model.descend(v, q, *((_MANY_SWEEPS, _FINE) if self._fine else (self._sweeps, _TOLERANCE)))

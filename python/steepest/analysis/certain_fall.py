"""How far a loss without an intercept has certainly yet to fall, where columns far from zero hide it in the gradient.

Such columns are nearly multiples of each other. The gradient at zeros, and the rounding of any gradient, are as large
as the columns; what tells the rows apart has a small share of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.columns import may_be_far_from_zero, spread_rows
from ..objectives.data import DataObjective
from ..objectives.protocol import Capability
from ..objectives.rounding import MADE

__all__ = ["CertainFall"]

_MOST = 1 << 20  # elements of the rows that are looked at
_EXACT = 4.0 * float(np.finfo(np.float64).eps)  # singular values are known to this share of the largest
_NOTICEABLE = 1e-3  # of the loss
_LITTLE = 1e-3  # of the variance of targets, where nearly all is explained
_FIRST, _FURTHER = 20.0, 4.0  # means of what such directions explain by chance, which few in 1e5 cases exceed
_FLAT = 1e-2  # of the largest curvature: a row's own counts as no less
_PRODUCTS, _SOLVED = 10, 0.1  # of conjugate gradients at most, and the share of the slopes at which they end
_SHARES = 1.0, 0.5, 0.25  # of a step that are tried

Matrix = NDArray[np.float64]


class CertainFall:
    """A fall that one step takes, by a bound of the curvature or by the rows' own curvatures.

    With c the largest second derivative of a row's loss, the mean over the rows of slope^2 / (2 c), of what least
    squares of the slopes on the columns explain, is such a fall. It is all that is left of least squares. Where rows
    curve less, a Newton step falls further: it is tried, and the losses are evaluated in float64, in coordinates that
    are orthonormal. Directions within the rounding of the columns as they were given, and some of many rows, explain a
    share by chance; more than that is no rounding. Böhning, "Multinomial Logistic Regression Algorithm", Annals of the
    Institute of Statistical Mathematics 44, 1992.
    """

    def __init__(self, objective: DataObjective) -> None:
        y, weight = objective.targets, objective.weights
        some = slice(None, None, max(1, math.ceil(objective.n_samples * objective.n_features / _MOST)))
        shares = np.ones(len(y[some])) if weight is None else weight[some].astype(np.float64)
        counts = shares > 0.0
        self._rows = objective.rows(some)[counts]
        self._y = y[some][counts].astype(np.float64)
        self._objective, self._curvature = objective, objective.largest_curvature
        self._roots = np.sqrt(shares[counts] / shares.sum())
        self._least = 0.0
        if objective.is_of_residuals:
            mean = np.sum(self._roots**2 * self._y)
            self._least = _LITTLE * float(np.sum(self._roots**2 * (self._y - mean) ** 2))
        n, d = self._rows.shape
        A = self._rows * self._roots[:, None]
        if objective.alpha > 0.0:
            A = np.concatenate([A, np.eye(d) * math.sqrt(objective.alpha / self._curvature)])
        lengths = np.sqrt((A * A).sum(axis=0))
        left, values, _ = np.linalg.svd(A / np.where(lengths > 0.0, lengths, 1.0), full_matrices=False)
        self._left = left[:, values > _EXACT * values[:1]]
        doubtful = int((values[: self._left.shape[1]] <= MADE * objective.given_eps).sum())
        if some.step > 1:
            doubtful = d
        self._chance = (_FIRST + _FURTHER * (doubtful - 1)) / n if doubtful else 0.0  # of the sum of squared slopes

    @classmethod
    def of(cls, objective: Any) -> CertainFall | None:
        """Return it where a loss without an intercept has columns far from zero; else None, at the cost of a look."""
        if not isinstance(objective, DataObjective) or objective.intercept or objective.device is not None:
            return None
        if objective.penalty_weight is not None or objective.loss != objective.terms.loss:
            return None  # factors of penalties and offsets of scores are not looked at
        if objective.penalty.l1 > 0.0 or objective.largest_curvature == math.inf:
            return None
        if not objective.supports(Capability.ROWS):
            return None
        weight = objective.weights
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            some = spread_rows(objective.n_samples)
            rows = objective.rows(some)
            if weight is not None:
                rows = rows[weight[some] > 0]
            if not len(rows) or not may_be_far_from_zero(rows):
                return None
            try:
                return cls(objective)
            except np.linalg.LinAlgError:  # of numbers that overflow
                return None

    def is_noticeable(self, w: NDArray[Any], value: float) -> bool:
        """Return whether the objective, which is `value` at w, has a share to fall that is no rounding."""
        objective, curvature = self._objective, self._curvature
        most = _NOTICEABLE * max(abs(value), self._least)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            table = w.astype(np.float64).reshape(-1, self._rows.shape[1])
            scores = np.einsum("ij,kj->ik", self._rows, table)
            slopes = objective.row_slopes(scores if len(table) > 1 else scores[:, 0], self._y)
            slopes = slopes.reshape(scores.shape) * self._roots[:, None]
            by_chance = self._chance * (slopes**2).sum()
            if objective.alpha > 0.0:
                slopes = np.concatenate([slopes, table.T * math.sqrt(objective.alpha * curvature)])
            explained = self._along(slopes)
            fall = ((explained**2).sum() - by_chance) / (2.0 * curvature)
            if fall > most:
                return True
            if objective.constant_curvature or not fall > _FLAT * most:  # no step falls further
                return False
            return self._fall_of_step(scores, slopes, explained, by_chance) > most

    def _along(self, rows: Matrix) -> Matrix:
        return np.asarray(np.einsum("ij,ik->jk", self._left, rows))

    def _fall_of_step(self, scores: Matrix, slopes: Matrix, explained: Matrix, by_chance: float) -> float:
        """Return the fall of the best share of a Newton step, less what directions of noise explain.

        The scores have the shape (n, n_scores). Below those of the rows, the slopes have the rows of the penalty.
        """
        terms, n = self._objective.row_terms(scores.T, self._y), len(scores)
        own = np.maximum(terms.curvatures.T, _FLAT * self._curvature)
        curvatures = np.concatenate([own, np.full((len(slopes) - n, scores.shape[1]), self._curvature)])
        step = np.einsum("ij,jk->ik", self._left, self._newton(curvatures, explained))
        weights = self._roots**2
        of_scores, of_penalty = step[:n] / self._roots[:, None], step[n:]
        falls = []
        for share in _SHARES:
            there = self._objective.row_terms((scores + share * of_scores).T, self._y)
            penalty = share * (slopes[n:] * of_penalty).sum() + 0.5 * share**2 * self._curvature * (of_penalty**2).sum()
            falls.append(float(np.sum(weights * (terms.values - there.values)) - penalty))
        mean = float(np.sum(weights[:, None] * own)) / own.shape[1]
        return float(max(falls) - by_chance / (2.0 * mean))

    def _newton(self, curvatures: Matrix, explained: Matrix) -> Matrix:
        """Return about minus the inverse of each score's own Hessian times its slopes, by conjugate gradients."""
        solution, residual = np.zeros_like(explained), -explained
        direction, square = residual, float((residual**2).sum())
        least = _SOLVED**2 * square
        for _ in range(_PRODUCTS):
            if not square > least:
                break
            product = self._along(curvatures * np.einsum("ij,jk->ik", self._left, direction))
            length = square / float((direction * product).sum())
            solution, residual = solution + length * direction, residual - length * product
            before, square = square, float((residual**2).sum())
            direction = residual + square / before * direction
        return solution

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

Matrix = NDArray[np.float64]


class CertainFall:
    """A bound of what is left to fall, from a bound of the curvature.

    With c the largest second derivative of a row's loss, the mean over the rows of slope^2 / (2 c), of what least
    squares of the slopes on the columns explain, is a fall that one step takes. It is all that is left of least
    squares. Directions within the rounding of the columns as they were given, and some of many rows, explain a share
    by chance; more than that is no rounding. Böhning, "Multinomial Logistic Regression Algorithm", Annals of the
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
        known = isinstance(objective, DataObjective) and objective.device is None
        if known and (objective.penalty_weight is not None or objective.loss != objective.terms.loss):
            return None  # factors of penalties and offsets of scores are not looked at
        if not known or objective.intercept or objective.penalty.l1 > 0.0 or objective.largest_curvature == math.inf:
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
        objective = self._objective
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            table = w.astype(np.float64).reshape(-1, self._rows.shape[1])
            scores = np.einsum("ij,kj->ik", self._rows, table)
            slopes = objective.row_slopes(scores if len(table) > 1 else scores[:, 0], self._y)
            slopes = slopes.reshape(scores.shape) * self._roots[:, None]
            by_chance = self._chance * (slopes**2).sum()
            if objective.alpha > 0.0:
                slopes = np.concatenate([slopes, table.T * math.sqrt(objective.alpha * self._curvature)])
            explained = np.einsum("ij,ik->jk", self._left, slopes)
            fall = ((explained**2).sum() - by_chance) / (2.0 * self._curvature)
            return bool(fall > _NOTICEABLE * max(abs(value), self._least))

"""Whether rows with a target of 0 leave a loss of counts without a minimum.

The loss falls for ever along a direction of w in which no row with a target above 0 changes its score, and rows with a
target of 0 lower theirs or keep it. A minimum exists unless there is such a direction (Haberman, "The Analysis of
Frequency Data", 1974; Correia, Guimarães, Zylkin, "Verifying the Existence of Maximum Likelihood Estimates for
Generalized Linear Models", 2019).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from .recession import nearest_in_cone

__all__ = ["all_are_zero", "falls_along_zeros"]

Matrix = NDArray[np.float64]
Numbers = NDArray[np.intp]

_BLOCK = 1 << 17  # elements of X that are widened at a time
_FIRST_ROWS, _SPREAD = 4096, 20  # rows of a first look: at least, and for each parameter
_NULL = 1e-9  # eigenvalues of products of columns of norm 1 that may be those of dependent columns
_NOTHING = 1e-12  # an element of a vector of length 1 that is rounding
_ZERO = 1e-10  # a sum up to this share of its terms is rounding


def falls_along_zeros(objective: DataObjective) -> bool:
    """Return whether the loss, which has no penalty, falls for ever along a direction that only rows of 0 tell."""
    y, weight = objective.targets, objective.weights
    present = np.ones(len(y), bool) if weight is None else weight > 0
    zero, positive = np.flatnonzero(present & (y == 0)), np.flatnonzero(present & (y > 0))
    if not len(zero):
        return False
    rows = _Rows(objective, positive if len(positive) else zero)
    with np.errstate(over="ignore", invalid="ignore"):
        some = positive[:: max(1, len(positive) // max(_FIRST_ROWS, _SPREAD * rows.size))]
        directions = _unseen(rows, some, np.eye(rows.size), _NULL)
        if directions.size:
            directions = _unseen(rows, positive, directions, _ZERO**2)
        return bool(directions.size) and _falls(rows, zero, positive, directions)


class _Rows:
    """Rows of the columns, about the first one of `about` where there is an intercept, which is a column of ones."""

    def __init__(self, objective: DataObjective, about: Numbers) -> None:
        self._objective = objective
        self.size = objective.n_features + objective.intercept
        self._origin = objective.rows(about[:1])[0] if objective.intercept else 0.0

    def blocks(self, rows: Numbers) -> Iterator[Matrix]:
        """Yield the rows, some at a time."""
        step = max(1, _BLOCK // self.size)
        for start in range(0, len(rows), step):
            found = self._objective.rows(rows[start : start + step]) - self._origin
            yield np.column_stack([found, np.ones(len(found))]) if self._objective.intercept else found


def _unseen(rows: _Rows, some: Numbers, among: Matrix, least: float) -> Matrix:
    """Return, as columns, the combinations of directions along which the scores of some rows do not change.

    The sum of their squares is then at most `least` times that of the scores' terms.
    """
    products, sizes = np.zeros((among.shape[1], among.shape[1])), np.zeros(among.shape[1])
    for block in rows.blocks(some):
        scores = block @ among
        products += scores.T @ scores
        sizes += ((np.abs(block) @ np.abs(among)) ** 2).sum(axis=0)
    if not np.isfinite(products).all():
        return np.zeros((rows.size, 0))
    lengths = np.sqrt(np.where(sizes > 0.0, sizes, 1.0))
    values, vectors = np.linalg.eigh(products / lengths / lengths[:, None])
    vectors[np.abs(vectors) <= _NOTHING] = 0.0
    return np.asarray(among @ (vectors[:, values <= least] / lengths[:, None]))


def _falls(rows: _Rows, zero: Numbers, positive: Numbers, directions: Matrix) -> bool:
    """Return whether a combination of the directions raises the score of no row of 0, and lowers one."""
    parts = []
    for block in rows.blocks(zero):
        scores, sizes = block @ directions, np.abs(block) @ np.abs(directions)
        scores[np.abs(scores) <= _ZERO * sizes] = 0.0
        parts.append(scores[scores.any(axis=1)])
    falls = -np.unique(np.concatenate(parts), axis=0)
    if not (len(falls) and np.isfinite(falls).all()):
        return False
    lengths = np.linalg.norm(falls, axis=1)
    found = nearest_in_cone((falls / lengths[:, None]).sum(axis=0), falls)
    if found is None:
        return False
    direction = directions @ found
    direction[np.abs(direction) <= _NOTHING * (np.abs(directions) @ np.abs(found))] = 0.0
    return all(
        bool((np.abs(block @ direction) <= _ZERO * (np.abs(block) @ np.abs(direction))).all())
        for block in rows.blocks(positive)
    )


def all_are_zero(objective: DataObjective) -> bool:
    """Return whether the target of every row with a weight is 0."""
    facts = objective.data.target_facts
    y, weight = (objective.targets, objective.weights) if facts is None else (facts.values, facts.totals)
    return not (y if weight is None else y[weight > 0]).any()

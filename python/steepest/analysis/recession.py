"""The directions in which no row loses: rows as half-spaces, and the nearest point of the cone that they form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective

__all__ = ["HalfSpaces", "nearest_in_cone"]

Vector = NDArray[np.float64]
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows, and for each a class other than its own

_BLOCK = 1 << 17  # elements of X that are widened at a time
_NOTHING = 1e-10  # as a share of a length: rounding leaves as much of it
_TOUCHING = 1e-13  # as a share of a length: a point so far outside a half-space counts as inside


class HalfSpaces:
    """For each row and each class but its own, the half-space of directions v in which the row does not lose to it.

    The half-space is a . v >= 0; a . v is the score of the row's class minus the score of the other class. Columns are
    (x - origin) / unit, which is exact if X holds small integers. The score of class 0 is 0. In `Logistic`, which has
    two classes, the only score is the one of class 1.

    Attributes
    ----------
    counted : array of bool, shape (n_samples, n_classes)
        Whether there is a half-space: the row has a weight above 0, and the class is not its own.
    present : array of bool, shape (n_samples,)
        Whether the row has a weight above 0.
    labels : array of int, shape (n_samples,)
        The class of each row.
    """

    def __init__(self, objective: DataObjective, rows_seen: int | None = None) -> None:
        """Take the units of the columns from all rows, or from about rows_seen of them."""
        self._objective, weight = objective, objective.weights
        self.labels = objective.targets.astype(np.intp)
        self._intercept = objective.intercept
        self.n_classes = max(2, objective.layout.n_scores)
        n, d = objective.n_samples, objective.n_features
        self.width = d + self._intercept
        self.size = (self.n_classes - 1) * self.width
        self.present = present = np.ones(n, dtype=bool) if weight is None else weight > 0
        self.counted = np.repeat(present[:, None], self.n_classes, axis=1)
        self.counted[np.arange(n), self.labels] = False
        centre = np.zeros(d) if objective.scaling is None else objective.scaling[0]
        first = int(np.argmax(present))
        self.origin = self._raw(slice(first, first + 1))[0] if self._intercept else centre
        self.unit = np.ones(d)
        largest = np.zeros(d)
        every = 1 if rows_seen is None else max(1, n // rows_seen)
        for rows, Z in self.blocks(every):
            np.maximum(largest, np.abs(Z[present[rows], :d]).max(axis=0, initial=0.0), out=largest)
        self.finite = bool(np.isfinite(largest).all())
        if self.finite:
            self.unit = np.ldexp(1.0, np.where(largest > 0.0, np.frexp(largest)[1], 0))

    def blocks(self, every: int = 1) -> Iterator[tuple[slice, Vector]]:
        """Yield blocks of every so-many-th row: the slice, and the columns with ones for an intercept."""
        n, d = len(self.labels), self._objective.n_features
        step = max(1, _BLOCK // d) * every
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n), every)
            yield rows, self._standardised(rows)

    def _raw(self, rows: Any) -> Vector:
        return self._objective.rows(rows, standardised=False)

    def _standardised(self, rows: Any) -> Vector:
        X = self._raw(rows)
        Z = np.ones((len(X), self.width))
        Z[:, : X.shape[1]] = (X - self.origin) / self.unit
        return Z

    def _table(self, v: Vector) -> Vector:
        return np.concatenate([np.zeros((1, self.width)), v.reshape(-1, self.width)])

    def leads(self, v: Vector) -> Vector:
        """Return a . v divided by the sum of the magnitudes of its terms, in the shape of `counted`."""
        table, found = self._table(v), np.empty(self.counted.shape)
        for rows, Z in self.blocks():
            scores, sizes = Z @ table.T, np.abs(Z) @ np.abs(table).T
            own = np.arange(len(Z)), self.labels[rows]
            size = sizes[own][:, None] + sizes
            lead = scores[own][:, None] - scores
            found[rows] = np.divide(lead, size, out=np.zeros_like(lead), where=size > 0.0)
        return found

    def scores(self, rows: NDArray[np.intp], v: Vector) -> Vector:
        """Return the scores of some rows, including the score 0 of class 0."""
        return np.asarray(self._standardised(rows) @ self._table(v).T)

    def total(self, some: NDArray[np.bool_]) -> Vector:
        """Return the sum of the vectors a that `some` selects."""
        shares = -some.astype(np.float64)
        shares[np.arange(len(some)), self.labels] += some.sum(axis=1)
        found = np.zeros((self.n_classes, self.width))
        for rows, Z in self.blocks():
            found += shares[rows].T @ Z
        return found[1:].ravel()

    def vectors(self, pairs: Pairs) -> Vector:
        """Return the vectors a of pairs of a row and a class, of shape (pairs, size)."""
        rows, others = pairs
        Z, at = self._standardised(rows), np.arange(len(rows))
        found = np.zeros((len(rows), self.n_classes, self.width))
        found[at, self.labels[rows]] = Z
        found[at, others] -= Z
        return found[:, 1:].reshape(len(rows), self.size)


def nearest_in_cone(goal: Vector, A: Vector) -> Vector | None:
    """Return the v with A v >= 0 that is nearest to the goal, scaled to length 1; None if that v is 0.

    v = goal + A^T u, where u >= 0 minimises its length. Algorithm: the active sets of Lawson and Hanson, "Solving Least
    Squares Problems", 1974, chapter 23.
    """
    lengths = np.linalg.norm(A, axis=1)
    A = A[lengths > 0.0] / lengths[lengths > 0.0, None]
    size = float(np.linalg.norm(goal))
    for _ in range(2):  # the second time from the first result: rounding is then relative to its length
        if not size > 0.0:
            return None
        found = _nearest(goal / size, A)
        size = float(np.linalg.norm(found))
        if size <= _NOTHING:
            return None
        goal = found
    found[np.abs(found) <= _TOUCHING * np.abs(found).max()] = 0.0
    return found / size


def _nearest(goal: Vector, A: Vector) -> Vector:
    held: list[int] = []
    u = np.zeros(len(A))
    v = goal
    for _ in range(3 * A.shape[1] + 30):
        slack = A @ v
        slack[held] = 0.0
        worst = int(np.argmin(slack)) if len(slack) else -1
        if worst < 0 or slack[worst] >= -_TOUCHING or float(v @ v) <= _NOTHING**2:
            break
        held.append(worst)
        while held:
            share, left = _on_faces(goal, A[held])
            if (share > 0.0).all():
                u[held], v = share, left
                break
            before = u[held]
            falling = share <= 0.0
            step = float(np.min(before[falling] / np.maximum(before[falling] - share[falling], 1e-300)))
            moved = before + step * (share - before)
            moved[falling & (moved <= 1e-15 * (1.0 + np.abs(before)))] = 0.0
            u[held] = moved
            stays = [k for k, value in zip(held, moved, strict=True) if value > 0.0]
            if len(stays) == len(held):
                stays.remove(held[int(np.argmin(np.where(falling, moved, np.inf)))])
            u[[k for k in held if k not in stays]] = 0.0
            held = stays
        else:
            v = goal
    return v


def _on_faces(goal: Vector, A: Vector) -> tuple[Vector, Vector]:
    """Return the u that minimises |goal + A^T u|, and the residual goal + A^T u."""
    Q, R = np.linalg.qr(A.T)
    inner = Q.T @ goal
    left = goal - Q @ inner
    left -= Q @ (Q.T @ left)
    return np.linalg.lstsq(R, -inner, rcond=None)[0], left

"""The directions in which no row loses: rows as half-spaces, and the point of their cone that is nearest to another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.rows import widened
from ..objectives.softmax import Softmax

__all__ = ["HalfSpaces", "nearest_in_cone"]

Vector = NDArray[np.float64]
Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows, and the classes that theirs are compared with

_BLOCK = 1 << 17  # elements of X that are widened at a time
_NOTHING = 1e-10  # of a length: what is left of it by rounding
_TOUCHING = 1e-13  # of a length: a half-space that is as far off holds its point


class HalfSpaces:
    """One half-space of directions v for each row and each class but its own: there the row does not lose.

    a . v >= 0, where a . v is the score of the row's class less that of the other. Columns are (x - origin) / unit, so
    that they are exact where X is of small integers. The scores of class 0 are 0; of two classes in `Logistic`, class 1
    has the only score.

    Attributes
    ----------
    counted : array of bool, shape (n_samples, n_classes)
        Which there are: those of rows with a weight, and of other classes than the row's.
    present : array of bool, shape (n_samples,)
        Which rows have a weight.
    labels : array of int, shape (n_samples,)
        The classes of the rows.
    """

    def __init__(self, objective: DataObjective, rows_seen: int | None = None) -> None:
        """Take the units from all rows, or from so many of them."""
        self._X, y, weight = objective.arrays
        self.labels = y.astype(np.intp)
        self._intercept = objective.intercept
        self.n_classes = objective.n_classes if isinstance(objective, Softmax) else 2
        n, d = self._X.shape
        self.width = d + self._intercept
        self.size = (self.n_classes - 1) * self.width
        self.present = present = np.ones(n, dtype=bool) if weight is None else weight > 0
        self.counted = np.repeat(present[:, None], self.n_classes, axis=1)
        self.counted[np.arange(n), self.labels] = False
        centre = np.zeros(d) if objective.scaling is None else objective.scaling[0]
        first = int(np.argmax(present))
        self.origin = widened(self._X[first : first + 1]).astype(np.float64)[0] if self._intercept else centre
        self.unit = np.ones(d)
        largest = np.zeros(d)
        every = 1 if rows_seen is None else max(1, n // rows_seen)
        for rows, Z in self.blocks(every):
            np.maximum(largest, np.abs(Z[present[rows], :d]).max(axis=0, initial=0.0), out=largest)
        self.finite = bool(np.isfinite(largest).all())
        if self.finite:
            self.unit = np.ldexp(1.0, np.where(largest > 0.0, np.frexp(largest)[1], 0))

    def blocks(self, every: int = 1) -> Iterator[tuple[slice, Vector]]:
        """Yield some rows and their columns, and ones where there is an intercept; of each so many rows, one."""
        n, d = self._X.shape
        step = max(1, _BLOCK // d) * every
        for start in range(0, n, step):
            rows = slice(start, min(start + step, n), every)
            yield rows, self._standardised(self._X[rows])

    def _standardised(self, X: NDArray[np.floating]) -> Vector:
        Z = np.ones((len(X), self.width))
        Z[:, : X.shape[1]] = (widened(X).astype(np.float64) - self.origin) / self.unit
        return Z

    def _table(self, v: Vector) -> Vector:
        return np.concatenate([np.zeros((1, self.width)), v.reshape(-1, self.width)])

    def leads(self, v: Vector) -> Vector:
        """Return a . v as shares of the sum of the magnitudes that it is a sum of, of the shape of `counted`."""
        table, found = self._table(v), np.empty(self.counted.shape)
        for rows, Z in self.blocks():
            scores, sizes = Z @ table.T, np.abs(Z) @ np.abs(table).T
            own = np.arange(len(Z)), self.labels[rows]
            size = sizes[own][:, None] + sizes
            lead = scores[own][:, None] - scores
            found[rows] = np.divide(lead, size, out=np.zeros_like(lead), where=size > 0.0)
        return found

    def scores(self, rows: NDArray[np.intp], v: Vector) -> Vector:
        """Return the scores of some rows, those of class 0 among them."""
        return np.asarray(self._standardised(self._X[rows]) @ self._table(v).T)

    def total(self, some: NDArray[np.bool_]) -> Vector:
        """Return the sum of the vectors a of some."""
        shares = -some.astype(np.float64)
        shares[np.arange(len(some)), self.labels] += some.sum(axis=1)
        found = np.zeros((self.n_classes, self.width))
        for rows, Z in self.blocks():
            found += shares[rows].T @ Z
        return found[1:].ravel()

    def vectors(self, pairs: Pairs) -> Vector:
        """Return the vectors a of pairs of a row and a class, of shape (pairs, size)."""
        rows, others = pairs
        Z, at = self._standardised(self._X[rows]), np.arange(len(rows))
        found = np.zeros((len(rows), self.n_classes, self.width))
        found[at, self.labels[rows]] = Z
        found[at, others] -= Z
        return found[:, 1:].reshape(len(rows), self.size)


def nearest_in_cone(goal: Vector, A: Vector) -> Vector | None:
    """Return the v with A v >= 0 that is nearest to a goal, of length 1; None where that is 0.

    v = goal + A^T u, where u >= 0 is least squares' by the active sets of Lawson and Hanson (1974, chapter 23).
    """
    lengths = np.linalg.norm(A, axis=1)
    A = A[lengths > 0.0] / lengths[lengths > 0.0, None]
    size = float(np.linalg.norm(goal))
    for _ in range(2):  # again from where it ended, which leaves the rounding of that length and no longer of the first
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
    """Return the u of least |goal + A^T u|, and what is left."""
    Q, R = np.linalg.qr(A.T)
    inner = Q.T @ goal
    left = goal - Q @ inner
    left -= Q @ (Q.T @ left)
    return np.linalg.lstsq(R, -inner, rcond=None)[0], left

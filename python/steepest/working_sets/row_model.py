"""The quadratic model of a loss along one score, over many columns, whose products with each other are never made."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .extrapolation import extrapolated
from .gap import ElasticNet
from .gathered import GatheredColumns, Slots

__all__ = ["RowModel"]

Vector: TypeAlias = NDArray[np.float64]

_POINTS, _BATCH = 5, 4  # points that an extrapolation is made of, and sweeps from one to the next
_GRADIENTS = 40  # conjugate ones, at most
_NARROW = 1e-5  # least tolerance of sweeps in float32
_NEAR = 1e-4  # of the square of the gradient on the support, which ends them


class RowModel(NamedTuple):
    """The model sum_i q_i^2 / (2 h_i) + penalty(v) of slopes q of the rows, which are linear in the coefficients v.

    Attributes
    ----------
    gathered, slots : GatheredColumns and array of shape (m,)
        The columns.
    net : ElasticNet
        Their penalty.
    h : array of shape (n,)
        The curvatures of the rows, times their shares.
    same : bool
        Whether all rows have the same curvature.
    mean : array of shape (m,)
        The means of the columns, weighted by h, which the best intercept subtracts; zeros without an intercept.
    curvature : array of shape (m,)
        The second derivatives along the coefficients, of the penalty too.
    narrow : bool
        Whether sweeps may go along float32 copies of the columns, which take half the memory.
    """

    gathered: GatheredColumns
    slots: Slots
    net: ElasticNet
    h: Vector
    same: bool
    mean: Vector
    curvature: Vector
    narrow: bool = False

    def descend(self, v: Vector, q: Vector, sweeps: int, tolerance: float) -> tuple[Vector, int]:
        """Return a point near the minimum, and the number of sweeps along columns, at most, to it.

        The method is coordinate descent, which Anderson's extrapolation speeds up. Once the signs of the coefficients
        rest, conjugate gradients go on among these signs (Hestenes, Stiefel, "Methods of Conjugate Gradients for
        Solving Linear Systems", Journal of Research of the National Bureau of Standards 49, 1952).

        Parameters
        ----------
        v, q : arrays of shape (m,) and (n,)
            Where it begins: coefficients, and the slopes of the rows there.
        sweeps : int
            The number of sweeps after which it ends.
        tolerance : float
            It ends when no coefficient moves by more than this share of the largest, in units of its curvature.
        """
        v, q = v.copy(), q.copy()
        model = {"mean": self.mean, "curvature": self.curvature, **self.net._asdict()}
        h = float(self.h[0]) if self.same else self.h
        sweep = self.gathered.descend
        if self.narrow and self.gathered.may_be_narrow(self.slots, self.h, q):
            sweep, tolerance = self.gathered.descend_narrow, max(tolerance, _NARROW)
        done, path = 0, [(v.copy(), q.copy())]
        while done < sweeps:
            signs = np.sign(v)
            settled = sweep(self.slots, h, model, v, q, _BATCH, tolerance)
            done += _BATCH
            if settled:
                break
            path.append((v.copy(), q.copy()))
            if np.array_equal(np.sign(v), signs):
                v, q, more = self._along_signs(v, q)
                done, path = done + more, [(v.copy(), q.copy())]
            elif len(path) > _POINTS:
                v, q = extrapolated(path, self.h, self.net)
                path = [(v.copy(), q.copy())]
        return v, done

    def value(self, v: Vector, q: Vector) -> float:
        """Return the model."""
        used = self.h > 0.0
        return float(np.sum(q[used] ** 2 / (2.0 * self.h[used]))) + self.net.value(v)

    def _along_signs(self, v: Vector, q: Vector) -> tuple[Vector, Vector, int]:
        """Return a lower point among the same signs, or with zeros for signs that would change; and the products made.

        The slopes of the rows come with it.
        """
        some = np.flatnonzero((v != 0.0) & (self.curvature > 0.0))
        if len(some) < 2:
            return v, q, 0
        step, moved, count = self._conjugate(some, v, q)
        ahead = v.copy()
        ahead[some] += step
        crossing = np.flatnonzero((v * ahead < 0.0) & ((self.net.l1 > 0.0) | (self.net.lower == 0.0)))
        found, there = ahead, q + moved
        if len(crossing):
            found = ahead.copy()
            found[crossing] = 0.0
            there = there - self._slopes(crossing, ahead[crossing])
        if self.value(found, there) < self.value(v, q):
            return found, there, count
        if len(crossing):
            shares = v[crossing] / (v[crossing] - ahead[crossing])
            share = float(shares.min())
            found = v + share * (ahead - v)
            found[crossing[shares == share]] = 0.0
            there = q + share * moved
            if self.value(found, there) < self.value(v, q):
                return found, there, count
        return v, q, count

    def _conjugate(self, some: NDArray[np.intp], v: Vector, q: Vector) -> tuple[Vector, Vector, int]:
        """Return a step towards the minimum of the model among signs, by some coefficients: see `_along_signs`."""
        l2, inverse, slots = self.net.l2[some], 1.0 / self.curvature[some], self.slots[some]
        penalty = l2 * v[some] + np.where(np.isinf(self.net.l1[some]), 0.0, self.net.l1[some]) * np.sign(v[some])
        left = -(self.gathered.dots(slots, q) + penalty)
        step, moved, count = np.zeros(len(some)), np.zeros(len(q)), 0
        scaled = inverse * left
        direction, size = scaled.copy(), _dot(left, scaled)
        goal = _NEAR * size
        while count < _GRADIENTS and size > goal:
            along = self._slopes(some, direction)
            bent = self.gathered.dots(slots, along) + l2 * direction
            curved = _dot(direction, bent)
            if not curved > 0.0:
                break
            share = size / curved
            step += share * direction
            moved += share * along
            left -= share * bent
            scaled = inverse * left
            before, size = size, _dot(left, scaled)
            direction = scaled + (size / before) * direction
            count += 1
        return step, moved, count

    def _slopes(self, some: NDArray[np.intp], change: Vector) -> Vector:
        """Return the change of the slopes of the rows by that of some coefficients."""
        scores = self.gathered.scores(self.slots[some], change)
        return np.asarray(self.h * (scores - _dot(self.mean[some], change)))


def _dot(a: Vector, b: Vector) -> float:
    return float(np.einsum("j,j->", a, b))

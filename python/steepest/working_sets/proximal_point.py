"""The minimum of a quadratic function beside an L1 norm: coordinate descent, and exact steps in between."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core

__all__ = ["definite", "exact_steps", "product", "proximal_point"]

Vector: TypeAlias = NDArray[np.float64]

_SWEEPS = (8, 8, 8, 16, 16, 32, 32, 64, 128, 256, 512, 1024, 2048)  # before each try of exact steps
_FEW_SWEEPS = _SWEEPS[:6]
_SOLVES = 10  # exact steps in a try, at most
_AGAIN = 2  # exact steps with the same factor, the second for the rounding of the first
_CORRECTION = 1e-3  # of the first of these: a longer second step comes from a matrix that is nearly singular
_WORTH = 20.0  # a try pays if (number of free coordinates)^2 is at most this times sweeps times p
_TOLERANCE, _FINE = 1e-12, 1e-15
_SHORT = 8192  # numbers of a matrix that BLAS multiplies on one thread
_RIDGES = 0.0, 1e-8, 1e-6, 1e-4  # fractions of the diagonal, for linearly dependent columns


def proximal_point(
    matrix: Vector,
    gradient: Vector,
    w: Vector,
    l1: Vector,
    exact: bool = True,
    fine: bool = False,
    positive: NDArray[np.bool_] | None = None,
    start: Vector | None = None,
    tolerance: float | None = None,
) -> Vector:
    """Return the z that minimises gradient.(z - w) + (z - w).matrix(z - w) / 2 + sum l1 |z|.

    The method is coordinate descent over the coordinates that are not 0, and now and then over all coordinates
    (Friedman, Hastie, Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", Journal
    of Statistical Software 33, 2010). In between it solves exactly for the coordinates that are not 0, as a projected
    Newton method does (Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints", SIAM
    Journal on Control and Optimization 20, 1982).

    Parameters
    ----------
    matrix : array of shape (p, p), float64, C-contiguous
        Symmetric and positive definite.
    gradient, w, l1 : arrays of shape (p,), float64
        l1 is at least 0.
    exact : bool
        False ends the search after a few sweeps, each with a try of exact steps, at a z that is better than w.
    fine : bool
        Whether to end with exact steps in any case, and to search for them longer: where w is nearly the minimum, but
        the penalty is so small that the last digits of w matter.
    positive : array of bool, shape (p,), optional
        Which coordinates of z must be at least 0, as those of w are.
    start : array of shape (p,), optional
        Where the search begins; by default at w.
    tolerance : float, optional
        The search ends when no coordinate moves by more than this share of the largest one, in units of the curvature.
    """
    z = w if start is None else start
    lower = None if positive is None else np.where(positive, 0.0, -np.inf)
    held = l1 > 0.0 if positive is None else (l1 > 0.0) | positive
    if tolerance is None:
        tolerance = _FINE if fine else _TOLERANCE
    for sweeps in _SWEEPS if exact else _FEW_SWEEPS:
        z, settled = _core.coordinate_descent(matrix, gradient, w, l1, z, sweeps, tolerance, lower)
        if settled:
            break
        if not exact or np.count_nonzero(z) ** 2 <= _WORTH * sweeps * len(z):
            z = exact_steps(matrix, gradient, w, l1, z, held)
    return exact_steps(matrix, gradient, w, l1, z, held) if fine else z


def exact_steps(
    matrix: Vector, gradient: Vector, w: Vector, l1: Vector, z: Vector, held: NDArray[np.bool_] | None = None
) -> Vector:
    """Return a z at which the model of `proximal_point` is lower: its minimum over the coordinates that are not 0.

    A coordinate that reaches 0 stays there. Held coordinates, which have a kink or a bound at 0, are set to 0 if they
    would change their sign: all of them if that lowers the model, otherwise only the first one on the way. By default
    those with an L1 penalty are held.
    """
    held = l1 > 0.0 if held is None else held
    slope = gradient + product(matrix, z - w)
    factors = _Factors(matrix)

    def fall(change: Vector, bent: Vector) -> float:
        return float(change @ slope + 0.5 * change @ bent + l1 @ (np.abs(z + change) - np.abs(z)))

    for _ in range(_SOLVES):
        free = np.flatnonzero((z != 0.0) | ~held)
        if not len(free) or factors.uses_of(free) >= _AGAIN:
            break
        direction, before = np.zeros_like(z), factors.longest
        direction[free] = -factors.solved((slope + l1 * np.sign(z))[free])
        if factors.longest > _CORRECTION * before:
            break
        crossing = held & (z * (z + direction) < 0.0)
        change = np.where(crossing, -z, direction)
        bent = product(matrix, change)
        lower = fall(change, bent) < 0.0
        if crossing.any() and not lower:
            shares = np.where(crossing, z / np.where(crossing, -direction, 1.0), np.inf)
            first = int(np.argmin(shares))
            change = shares[first] * direction
            change[first] = -z[first]
            bent = product(matrix, change)
            lower = fall(change, bent) < 0.0
        if not lower:
            break
        z, slope = z + change, slope + bent
    return z


class _Factors:
    """The factor of the part of a matrix that some coordinates have, made once for the same coordinates."""

    def __init__(self, matrix: Vector) -> None:
        self._matrix, self._of, self._uses = matrix, np.empty(0, np.intp), 0
        self._factor: Any = None
        self.longest = np.inf
        """The largest element of the last solution with this factor."""

    def uses_of(self, free: NDArray[np.intp]) -> int:
        """Return how often systems of these coordinates were solved, which are those of the next system."""
        if not np.array_equal(free, self._of):
            self._of, self._uses, self.longest = free, 0, np.inf
            self._factor = _factor_of(np.ascontiguousarray(self._matrix[np.ix_(free, free)]))
        return self._uses

    def solved(self, right: Vector) -> Vector:
        """Return the solution of the system; without a factor that of its diagonal."""
        self._uses += 1
        diagonal = np.diag(self._matrix)[self._of]
        found = np.asarray(right / diagonal if self._factor is None else self._factor.solve(right))
        self.longest = float((np.abs(found) * np.sqrt(diagonal)).max())
        return found


def _factor_of(matrix: Vector) -> Any | None:
    """Return the Cholesky factor, with the smallest ridge that it needs, or None.

    With a ridge, a step to the minimum still goes down, and is long where the matrix is nearly singular.
    """
    for ridge in _RIDGES:
        factor = _core.Cholesky(matrix, ridge)
        if factor.definite:
            return factor
    return None


def definite(matrix: Vector) -> Any:
    """Return the Cholesky factor, with a ridge if columns depend on each other.

    Raises
    ------
    ValueError
        No ridge makes the matrix definite, as where it holds nan or infinity.
    """
    factor = _factor_of(matrix)
    if factor is not None:
        return factor
    raise ValueError("X must hold finite numbers of moderate size, got columns whose products are not")


def product(matrix: Vector, v: Vector) -> Vector:
    """Return a symmetric matrix times a vector. Its bits do not depend on threads: BLAS shares large ones out."""
    if matrix.size <= _SHORT:
        return np.asarray(matrix @ v)
    used = np.flatnonzero(v)
    found = np.zeros(len(v))
    _core.add_columns(matrix, used.astype(np.uint32), np.ascontiguousarray(v[used]), found)
    return found

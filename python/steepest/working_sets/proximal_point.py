"""The minimum of a quadratic model beside an L1 penalty."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core

__all__ = ["exact_steps", "proximal_point"]

Vector: TypeAlias = NDArray[np.float64]

_SWEEPS = (10, 20, 40, 80, 160, 320, 640, 1280, 2560)  # sweeps before each try of exact steps
_FEW_SWEEPS = _SWEEPS[:4]
_SOLVES = 10  # exact steps in a try, at most
_WORTH = 6.0  # a try pays if (number of free coordinates)^2 is at most this times sweeps times p
_TOLERANCE, _FINE = 1e-12, 1e-15
_RIDGES = 1e-14, 1e-8  # fractions of the diagonal, for linearly dependent columns


def proximal_point(
    matrix: Vector, gradient: Vector, w: Vector, l1: Vector, exact: bool = True, fine: bool = False
) -> Vector:
    """Return the z that minimises gradient.(z - w) + (z - w).matrix(z - w) / 2 + sum l1 |z|.

    The method is coordinate descent over the coordinates that are not 0, and now and then over all coordinates
    (Friedman, Hastie, Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", Journal
    of Statistical Software 33, 2010). In between it solves exactly for the coordinates that are not 0, as a projected
    Newton method does (Bertsekas, "Projected Newton Methods for Optimization Problems with Simple Constraints", SIAM
    Journal on Control and Optimization 20, 1982).

    Parameters
    ----------
    matrix : array of shape (p, p), float64
        Positive definite.
    gradient, w, l1 : arrays of shape (p,), float64
        l1 is at least 0.
    exact : bool
        False ends the search after a few sweeps, each with a try of exact steps, at a z that is better than w.
    fine : bool
        Whether to end with exact steps in any case, and to search for them longer: where w is nearly the minimum, but
        the penalty is so small that the last digits of w matter.
    """
    z = w
    for sweeps in _SWEEPS if exact else _FEW_SWEEPS:
        z, settled = _core.coordinate_descent(matrix, gradient, w, l1, z, sweeps, _FINE if fine else _TOLERANCE)
        if settled:
            break
        if not exact or np.count_nonzero(z) ** 2 <= _WORTH * sweeps * len(z):
            z = exact_steps(matrix, gradient, w, l1, z)
    return exact_steps(matrix, gradient, w, l1, z) if fine else z


def exact_steps(matrix: Vector, gradient: Vector, w: Vector, l1: Vector, z: Vector) -> Vector:
    """Return a z at which the model of `proximal_point` is lower: its minimum over the coordinates that are not 0.

    A coordinate that reaches 0 stays there.
    Coordinates that would change their sign are set to 0: all of them if that lowers the model, otherwise only the
    first one on the way.
    """

    def model(z: Vector) -> float:
        step = z - w
        return float(step @ gradient + 0.5 * step @ (matrix @ step) + l1 @ np.abs(z))

    value = model(z)
    for _ in range(_SOLVES):
        free = (z != 0) | (l1 == 0)
        slope = (gradient + matrix @ (z - w) + l1 * np.sign(z))[free]
        direction = np.zeros_like(z)
        direction[free] = -_solved(matrix[np.ix_(free, free)], slope)
        crossing = (l1 > 0) & (z * (z + direction) < 0)
        found = np.where(crossing, 0.0, z + direction)
        lower = model(found)
        if crossing.any() and not lower < value:
            shares = np.where(crossing, z / np.where(crossing, -direction, 1.0), np.inf)
            first = int(np.argmin(shares))
            found = z + shares[first] * direction
            found[first] = 0.0
            lower = model(found)
        if not lower < value:
            break
        z, value = found, lower
    return z


def _solved(matrix: Vector, right: Vector) -> Vector:
    """Solve a linear system with the smallest ridge that makes the matrix definite."""
    for ridge in _RIDGES:
        factor = _core.Cholesky(matrix, ridge)
        if factor.definite:
            return np.asarray(factor.solve(right))
    return right / np.diag(matrix)

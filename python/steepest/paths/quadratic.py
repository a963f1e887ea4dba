"""The minimum of a quadratic function plus an L1 norm: coordinate descent, and exact steps within an orthant."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core

__all__ = ["definite", "minimum", "product"]

Vector: TypeAlias = NDArray[np.float64]

_SWEEPS = (8, 8, 8, 16, 16, 32, 32, 64, 128, 256, 512, 1024, 2048)  # before each try of an exact step
_RIDGES = 0.0, 1e-14, 1e-12, 1e-8, 1e-6, 1e-4  # fractions of the diagonal
_CROSSINGS = 8  # changes of a sign that a try goes through
_WORTH = 20.0  # a try pays if (coordinates that are not 0)^2 is at most this times sweeps times coordinates


def minimum(matrix: Vector, linear: Vector, l1: Vector, z: Vector, tolerance: float) -> Vector:
    """Return the minimum of linear.z + z.matrix z / 2 + sum l1 |z|, searched from z on.

    Parameters
    ----------
    matrix : array of shape (p, p), float64, C-contiguous
        Positive definite.
    linear, l1, z : arrays of shape (p,), float64
        l1 is at least 0.
    tolerance : float
        The search ends when no coordinate moves by more than this share of the largest one, in units of the curvature.
    """
    zeros = np.zeros(len(z))
    for sweeps in _SWEEPS:
        z, settled = _core.coordinate_descent(matrix, linear, zeros, l1, z, sweeps, tolerance)
        if settled:
            break
        if np.count_nonzero(z) ** 2 <= _WORTH * sweeps * len(z):
            z = _in_orthant(matrix, linear, l1, z)
    return z


def _in_orthant(matrix: Vector, linear: Vector, l1: Vector, z: Vector) -> Vector:
    """Minimise over the coordinates that are not 0, up to where the first of them would change its sign: that one is 0.

    Up to there the L1 norm is linear, so the step goes down. The others go on from there.
    """
    for _ in range(_CROSSINGS):
        free = np.flatnonzero((z != 0.0) | (l1 == 0.0))
        factor = _factor_of(np.ascontiguousarray(matrix[np.ix_(free, free)]))
        if factor is None:
            break
        here = z[free]
        there = np.asarray(factor.solve(-(linear[free] + l1[free] * np.sign(here))))
        crosses = (here * there < 0.0) & (l1[free] > 0.0)
        if crosses.any():
            shares = np.where(crosses, here / np.where(crosses, here - there, 1.0), np.inf)
            first = int(np.argmin(shares))
            there = here + shares[first] * (there - here)
            there[first] = 0.0
        z = z.copy()
        z[free] = there
        if not crosses.any():
            break
    return z


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
    """Return the Cholesky factor, with a ridge if columns depend on each other."""
    factor = _factor_of(matrix)
    if factor is not None:
        return factor
    raise ValueError("X must hold finite numbers of moderate size, got columns whose products are not")


def product(matrix: Vector, z: Vector) -> Vector:
    """Return a symmetric matrix times a vector. BLAS would sum in the order of its threads."""
    used = np.flatnonzero(z)
    return np.asarray(np.einsum("ij,i->j", matrix if len(used) == len(z) else matrix[used], z[used]))

"""The numerical side of `curvature`: eigenvalues of a dense Hessian, and of one known by its products only."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..extras import require
from ..objectives.protocol import Capability, supports
from .hessian import Hessian

__all__ = ["dense_spectrum", "extremes", "finite", "first", "standardised_condition"]

Array: TypeAlias = NDArray[np.float64]
Spectrum: TypeAlias = tuple[Array, Array, float]  # eigenvalues, eigenvectors, and their error as a share of the largest

# Tolerances of Lanczos, as shares of the largest eigenvalue. Each run starts from the vector that the last one found.
_SHARES = (1e-3, 1e-5, 1e-7, 1e-9)
_KNOWN = 100.0  # an eigenvalue of so many tolerances is known well enough
_RESTARTS = 300
_VECTORS = 32


def finite(matrix: Array) -> Array:
    """Return the matrix if all its entries are finite, else raise."""
    if not np.isfinite(matrix).all():
        remedy = "look for nan, infinity or overflow in X and w"
        raise ValueError(f"the Hessian of objective at w must be finite, got nan or infinity; {remedy}")
    return matrix


def dense_spectrum(matrix: Array) -> Spectrum:
    """Return all eigenvalues and eigenvectors of a symmetric matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return values, vectors, 0.0


def extremes(hessian: Hessian, n: int) -> Spectrum:
    """Return the smallest and the largest eigenvalue of an n x n Hessian, by Lanczos iterations.

    Raises
    ------
    MissingExtraError
        SciPy is not installed.
    ValueError
        The Hessian is not finite, or the iterations do not converge.
    """
    linalg = require("scipy.sparse.linalg", "curvature")
    start = np.random.default_rng(0).standard_normal(n)
    size, _ = hessian.largest(start, tolerance=0.1)
    if size == 0.0:
        unit = start / np.linalg.norm(start)
        return np.zeros(2), np.stack([unit, unit], axis=1), 0.0
    finite(np.array([size]))
    ends = [_end(linalg, hessian, which, shift, start) for which, shift in (("SA", -2.0 * size), ("LA", 2.0 * size))]
    values, vectors, shares = zip(*ends, strict=True)
    return np.array(values), np.stack(vectors, axis=1), shares[int(np.argmin(np.abs(values)))]


def _end(linalg: Any, hessian: Hessian, which: str, shift: float, start: Array) -> tuple[float, Array, float]:
    """Return the eigenvalue at one end, its eigenvector, and the tolerance reached, as a share of the largest one.

    ARPACK's tolerance is relative to the eigenvalue that it looks for, which may be 0. The shift takes it away from 0.
    """

    def product(v: Array) -> Array:
        v = np.ravel(v)
        return finite(hessian.product(v)) + shift * v

    operator = linalg.LinearOperator((start.size, start.size), matvec=product, dtype=np.float64)
    vector, value, reached = start, 0.0, math.nan
    for share in _SHARES:
        if abs(value) > _KNOWN * reached * abs(shift) / 2 or (math.isfinite(reached) and share < hessian.tolerance):
            break
        try:
            _, vectors = linalg.eigsh(
                operator, k=1, which=which, v0=vector, tol=share, maxiter=_RESTARTS, ncv=min(start.size, _VECTORS)
            )
        except linalg.ArpackNoConvergence:
            break
        vector, reached = vectors[:, 0], share
        value = float(vector @ hessian.product(vector))
    if not math.isfinite(reached):
        raise ValueError(f'method must be "dense" for this objective: Lanczos did not converge in {_RESTARTS} restarts')
    return value, vector, reached


def standardised_condition(objective: Any, matrix: Array | None, tolerance: float) -> float | None:
    """Return the condition number if each column were centred and divided by its standard deviation.

    The matrix is the Hessian without the columns that are left out. Factors of penalties have no such number.
    """
    if matrix is None or not supports(objective, Capability.DATA) or objective.layout.n_scores > 1:
        return None
    if not objective.intercept or matrix[-1, -1] <= 0:
        return None
    factors = objective.penalty_weight
    if factors is not None and (np.isfinite(factors) & (factors != 1.0)).any():
        return None
    l2 = objective.penalty.l2
    along, weight = matrix[:-1, -1], float(matrix[-1, -1])
    centred = matrix[:-1, :-1] - np.outer(along, along) / weight - l2 * np.eye(len(along))
    kept = np.diag(centred) > tolerance * np.diag(matrix)[:-1]
    scales = np.sqrt(np.diag(centred)[kept])
    values = np.linalg.eigvalsh(centred[np.ix_(kept, kept)] / np.outer(scales, scales)) if kept.any() else np.ones(1)
    values = values[values > tolerance * values.max()] + l2 / weight
    return float(max(values.max(), 1.0) / min(values.min(), 1.0))


def first(holds: Callable[[int], bool], most: int = 1 << 60) -> float:
    """Return the least count for which `holds` is true, or inf above `most`; `holds` must stay true from there on."""
    if holds(0):
        return 0
    high = 1
    while not holds(high):
        high *= 2
        if high > most:
            return math.inf
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high

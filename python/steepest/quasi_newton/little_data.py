"""Least squares of little data: QR of the rows in double-double arithmetic. A Hessian squares their condition."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..objectives.data import DataObjective
from ..objectives.losses import LeastSquares
from ..objectives.protocol import Capability
from ..objectives.rounding import MADE

__all__ = ["is_little", "least_squares_of_little_data"]

Matrix: TypeAlias = NDArray[Any]

_MOST_WORK = 1 << 18  # rows times squared columns
_DEPENDENT = 1e-15  # share of a column that the ones before it leave, where they leave only rounding
_MAY_BE_MADE = 2.0 * MADE  # units of the last place, at which directions are looked at one by one
_WEAK = 1e-6  # share of a column that a penalty leaves, at which its coefficient is one of rounding
_REFINEMENTS = 2


def is_little(n_samples: int, n_parameters: int) -> bool:
    """Return whether a QR of the rows takes some milliseconds at most."""
    return n_samples * n_parameters * n_parameters <= _MOST_WORK


def least_squares_of_little_data(objective: DataObjective) -> NDArray[np.float64] | None:
    """Return the minimum, of shape (n_parameters,); None where there is too much data or a penalty is too weak.

    Where the columns depend on each other, but for the rounding of their numbers, it is the least one without the
    directions of that rounding, in units of the columns' lengths.

    The rows, times the roots of their weights, are made orthogonal by modified Gram-Schmidt, the targets as the last
    column, and the residuals are solved for again (Björck, Numerical Methods for Least Squares Problems, 1996). The
    columns have 106 bits. What goes in and comes out is NumPy's `longdouble`, which has 11 bits more than float64 on
    x86, and none on some processors. No product goes through BLAS, whose bits depend on its threads.
    """
    n, p = objective.n_samples, objective.n_parameters
    if not isinstance(objective, LeastSquares) or objective.penalty.l1 > 0 or not is_little(n, p):
        return None
    if not objective.supports(Capability.ROWS) or objective.penalty_weight is not None:
        return None
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        A, y = _rows(objective)
        if len(A) < p:
            return None
        factor = _core.OrthogonalRows(A, _DEPENDENT)
        basis, R, lengths = None, factor.triangle, factor.lengths
        if not np.isfinite(lengths).all():
            return _solved_in_long_double(A, y)
        sizes = _sizes(objective, lengths)
        if not R.diagonal().all() or _depend_by_rounding(objective, lengths, factor.inverse, sizes):
            if objective.alpha > 0.0:
                return None
            basis = _basis(R, sizes)
            factor = _core.OrthogonalRows(A @ basis, _DEPENDENT)
            if not factor.triangle.diagonal().all():
                return None
        w = factor.solve(y, _REFINEMENTS)
        if np.isnan(w).any():
            return _solved_in_long_double(A, y) if basis is None else None
        found = (w if basis is None else basis @ w).astype(np.float64)
    return found if np.isfinite(found).all() else None


def _solved_in_long_double(A: Matrix, y: Matrix) -> NDArray[np.float64] | None:
    """Return the minimum where numbers are so far apart that it takes the exponents of `longdouble`.

    None where one is not finite, or where columns depend on each other.
    """
    if not (np.isfinite(A).all() and np.isfinite(y).all()):
        return None
    p, exponents = A.shape[1], np.frexp(np.abs(A).max(axis=0))[1]
    A = np.ldexp(A, -exponents)
    Q, R, lengths = A.copy(), np.zeros((p, p), np.longdouble), np.sqrt((A * A).sum(axis=0))
    for j in range(p):
        R[j, j] = np.sqrt((Q[:, j] * Q[:, j]).sum())
        if not R[j, j] > _DEPENDENT * lengths[j]:
            return None
        Q[:, j] /= R[j, j]
        R[j, j + 1 :] = (Q[:, j, None] * Q[:, j + 1 :]).sum(axis=0)
        Q[:, j + 1 :] -= Q[:, j, None] * R[j, j + 1 :]
    w = np.zeros(p, np.longdouble)
    for _ in range(1 + _REFINEMENTS):
        rest, change = y - (A * w).sum(axis=1), np.zeros(p, np.longdouble)
        shares = np.zeros(p, np.longdouble)
        for j in range(p):
            shares[j] = (Q[:, j] * rest).sum()
            rest -= shares[j] * Q[:, j]
        for j in reversed(range(p)):
            change[j] = (shares[j] - (R[j, j + 1 :] * change[j + 1 :]).sum()) / R[j, j]
        w += change
    found = np.ldexp(w, -exponents).astype(np.float64)
    return found if np.isfinite(found).all() else None


def _rows(objective: DataObjective) -> tuple[Matrix, Matrix]:
    """Return the weighted rows, below them those of the penalty, and their targets."""
    n, d, p = objective.n_samples, objective.n_features, objective.n_parameters
    A, target = np.ones((n, p), np.longdouble), objective.targets.astype(np.longdouble)
    A[:, :d] = objective.rows(slice(None))
    counts, exponent = _counts(objective)
    if counts is not None:
        roots = np.sqrt(counts[counts > 0])
        A, target = A[counts > 0] * roots[:, None], target[counts > 0] * roots
    ridge = np.ldexp(objective.alpha * objective.weight_sum / 2, -exponent)
    if ridge > 0.0:
        A = np.concatenate([A, np.eye(d, p, dtype=np.longdouble) * np.sqrt(np.longdouble(ridge))])
        target = np.concatenate([target, np.zeros(d, np.longdouble)])
    return A, target


def _basis(R: Matrix, sizes: Matrix) -> Matrix:
    """Return the directions, as columns, of the parameters that dependent columns tell apart.

    Along a right singular vector v of the columns, each divided by its length, the rows have the singular value as
    their length. Rounding alone makes it the root of the sum of the squares of v_j times the rounding of column j.
    `sizes` are those of the columns times their unit in the last place.
    """
    lengths = np.sqrt((R * R).sum(axis=0))
    lengths[lengths == 0.0] = 1.0
    _, values, transposed = np.linalg.svd((R / lengths).astype(np.float64))
    noise = np.sqrt(((transposed * (sizes / lengths)) ** 2).sum(axis=1))
    return np.asarray(transposed[values > MADE * noise].T / lengths[:, None])


def _depend_by_rounding(objective: DataObjective, lengths: Matrix, inverse: Matrix, sizes: Matrix) -> bool:
    """Return whether some column is made from others but for the rounding of the numbers as they were given.

    Such a column has a coefficient of noise over noise, however exactly it is solved for. Times column j of the inverse
    of R, the columns are a vector of length 1: dependent are those of which rounding makes as much. Under a penalty so
    weak that its rows are what tells columns apart, the squares of the inverse are beyond the digits of `longdouble`.
    """
    if objective.alpha > 0.0 and bool((_WEAK * np.abs(inverse) * lengths[:, None] > 1.0).any()):
        return True
    rounding = _MAY_BE_MADE * np.sqrt(((inverse * sizes[:, None]) ** 2).sum(axis=0))
    return not bool((rounding < 1.0).all())


def _counts(objective: DataObjective) -> tuple[Matrix | None, int]:
    """Return the weights of the rows in units of a power of 2, and its exponent.

    The largest weight is then from 1 to 2, so the roots of weights in other units have the same bits.
    """
    if objective.weights is None:
        return None, 0
    weights = objective.weights.astype(np.longdouble)
    exponent = int(np.frexp(weights.max())[1]) - 1
    return np.ldexp(weights, -exponent), exponent


def _sizes(objective: DataObjective, lengths: Matrix) -> Matrix:
    """Return the lengths of the columns of unrounded data times the unit in the last place.

    `lengths` are those of the columns that are solved for.
    """
    d = objective.n_features
    sizes = np.zeros(len(lengths), np.longdouble)  # a column of ones has no rounding
    if objective.scaling is None and objective.weights is None and objective.alpha == 0.0:  # they are the data's own
        sizes[:d] = lengths[:d]
        return sizes * objective.given_eps
    exact = objective.rows(slice(None), np.longdouble, standardised=False)
    if objective.scaling is not None:
        exact /= objective.scaling[1]
    counts, _ = _counts(objective)
    if counts is None:
        rows = np.ascontiguousarray(exact)  # rows are added up one after the other
        squares = rows * rows
    else:
        rows = exact[counts > 0]  # the others may overflow
        squares = counts[counts > 0, None] * rows * rows
    sizes[:d] = np.sqrt(squares.sum(axis=0))
    return sizes * objective.given_eps

"""Least squares of little data: QR of the rows in extended precision; the Hessian would square their condition."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .objectives import DataObjective, LeastSquares
from .weighted_rows import standardised

__all__ = ["least_squares_of_little_data"]

Matrix: TypeAlias = NDArray[Any]

_MOST_WORK = 1 << 18  # rows times squared columns: some milliseconds
_DEPENDENT = 1e-15  # share of a column that the ones before it leave, where they leave only rounding
_REFINEMENTS = 2


def least_squares_of_little_data(objective: DataObjective) -> NDArray[np.float64] | None:
    """Return the minimum, of shape (n_parameters,); None where there is too much data or the minimum is not unique.

    The rows, times the roots of their weights, are made orthogonal by modified Gram-Schmidt, the targets as the last
    column, and the residuals are solved for again (Björck, Numerical Methods for Least Squares Problems, 1996). NumPy's
    `longdouble` has 11 bits more than float64 on x86, and none on some processors. No product goes through BLAS, whose
    bits depend on its threads.
    """
    n, p = objective.n_samples, objective.n_parameters
    if not isinstance(objective, LeastSquares) or objective.alpha * objective.l1_ratio > 0 or n * p * p > _MOST_WORK:
        return None
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        A, y = _rows(objective)
        if len(A) < p:
            return None
        scale = np.exp2(np.frexp(np.sqrt((A * A).sum(axis=0)))[1].astype(np.longdouble))
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            return None
        A /= scale
        found = _orthogonal(A)
        if found is None:
            return None
        Q, R = found
        w, residual = np.zeros(p, np.longdouble), y
        for _ in range(1 + _REFINEMENTS):
            rest, right = residual.copy(), np.empty(p, np.longdouble)
            for j in range(p):
                right[j] = (Q[:, j] * rest).sum()
                rest -= right[j] * Q[:, j]
            w = w + _back_substituted(R, right)
            residual = y - (A * w).sum(axis=1)
        w = (w / scale).astype(np.float64)
    return w if np.isfinite(w).all() else None


def _rows(objective: DataObjective) -> tuple[Matrix, Matrix]:
    """Return the weighted rows, below them those of the penalty, and their targets."""
    X, y, weight = objective._data
    n, d, p = objective.n_samples, objective.n_features, objective.n_parameters
    A, target = np.ones((n, p), np.longdouble), y.astype(np.longdouble)
    A[:, :d] = standardised(objective, X)
    if weight is not None:
        counts = weight > 0
        roots = np.sqrt(weight[counts].astype(np.longdouble))
        A, target = A[counts] * roots[:, None], target[counts] * roots
    ridge = objective.alpha * objective._weight_sum / 2
    if ridge > 0.0:
        A = np.concatenate([A, np.eye(d, p, dtype=np.longdouble) * np.sqrt(np.longdouble(ridge))])
        target = np.concatenate([target, np.zeros(d, np.longdouble)])
    return A, target


def _orthogonal(A: Matrix) -> tuple[Matrix, Matrix] | None:
    """Return Q and R; None where a column depends on the ones before it."""
    Q, p = A.copy(), A.shape[1]
    R = np.zeros((p, p), np.longdouble)
    norms = np.sqrt((Q * Q).sum(axis=0))
    for j in range(p):
        R[j, j] = np.sqrt((Q[:, j] * Q[:, j]).sum())
        if not R[j, j] > _DEPENDENT * norms[j]:
            return None
        Q[:, j] /= R[j, j]
        R[j, j + 1 :] = (Q[:, j, None] * Q[:, j + 1 :]).sum(axis=0)
        Q[:, j + 1 :] -= Q[:, j, None] * R[j, j + 1 :]
    return Q, R


def _back_substituted(R: Matrix, right: Matrix) -> Matrix:
    x = np.zeros_like(right)
    for j in reversed(range(len(right))):
        x[j] = (right[j] - (R[j, j + 1 :] * x[j + 1 :]).sum()) / R[j, j]
    return x

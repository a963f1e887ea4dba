"""Curvature from a sample of the rows, for QuasiNewton: block and diagonal Hessians, and a prior for rare columns."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective, some_of
from ..objectives.loss import probabilities
from ..objectives.rows import standardised_rows

__all__ = ["column_squares", "mean_block", "prior_of"]

Vector: TypeAlias = NDArray[np.float64]
_DIAGONAL_ROWS, _BLOCK_ROWS = 4096, 128
_PRIOR_ROWS = 1024  # rows at a time
_HELD = 5.0  # rows whose curvature the prior adds


def mean_block(objective: DataObjective, w: NDArray[Any], rows: int, seed: int) -> NDArray[Any]:
    """Return one matrix that approximates the Hessian block of every class at w.

    It is the sum of the k diagonal blocks of the Hessian, divided by k - 1. If all probabilities are equal, it is the
    exact Hessian for changes that add up to 0 over the classes (Boehning, "Multinomial Logistic Regression Algorithm",
    Annals of the Institute of Statistical Mathematics 44, 1992).

    Returns
    -------
    array of shape (p, p), for the p parameters of a class
    """
    X, y, sample_weight = objective.arrays
    n, d, k = objective.n_samples, objective.n_features, objective.layout.n_scores
    chosen = some_of(n, rows, seed) if rows < n else slice(None)
    X, y = X[chosen], y[chosen]
    X = X if X.flags.c_contiguous or X.flags.f_contiguous else np.ascontiguousarray(X)
    table = w.reshape(k, -1)
    scores = np.einsum("ij,kj->ik", standardised_rows(objective, X, objective.dtype), table[:, :d])
    if objective.intercept:
        scores += table[:, d]
    p = probabilities(scores)
    curvature = (p * (1.0 - p)).sum(axis=1) / (k - 1)
    if sample_weight is not None:
        curvature *= sample_weight[chosen]
    total, l2 = objective.weight_sum * len(y) / n, objective.alpha * (1.0 - objective.l1_ratio)
    options = (objective.intercept, 0.0, 2.0 * l2, objective.scaling)  # twice: the loss (z - y)^2 has the curvature 2
    squares = type(objective.native)("least_squares", X, y, curvature.astype(objective.dtype), total, *options)
    return np.asarray(squares.hessian(np.zeros(table.shape[1], objective.dtype)) / 2)


def prior_of(objective: DataObjective, sample: Any) -> Vector:
    """Return curvatures to add for the columns that a sample tells little about: an array of shape (p,).

    If a few rows dominate a column's sum of squares, the sample tells as much about the column as only
    (sum x^2)^2 / sum x^4 rows would. The prior adds the curvature at w = 0 of a few more such rows.
    """
    n, d = sample.X.shape
    squares, fourths = _powers(objective, sample.X, objective.dtype)
    if not np.isfinite(fourths).all():
        squares, fourths = _powers(objective, sample.X, np.dtype(np.float64))
    known = np.divide(squares**2, fourths, out=np.full(d, float(n)), where=fourths > 0)
    k, weight = objective.layout.n_scores, objective.typical_curvature
    prior = _HELD * weight * squares / n / known
    return np.tile(np.append(prior, np.zeros(int(objective.intercept))), k)


def _powers(objective: DataObjective, X: NDArray[Any], dtype: np.dtype[Any]) -> tuple[Vector, Vector]:
    """Return the sums of the second and fourth powers of each column, computed from elements of a dtype."""
    squares, fourths = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    with np.errstate(over="ignore"):
        for first in range(0, len(X), _PRIOR_ROWS):
            exact = standardised_rows(objective, X[first : first + _PRIOR_ROWS], dtype)
            square = exact * exact
            squares += square.sum(axis=0)
            fourths += np.einsum("ij,ij->j", square, square)
    return squares, fourths


def column_squares(objective: DataObjective, rows: int, seed: int) -> Vector:
    """Estimate the diagonal of the smooth part's Hessian at w = 0 from some rows: an array of shape (p,)."""
    X, _, sample_weight = objective.arrays
    n, most = X.shape[0], min(rows, _DIAGONAL_ROWS)
    chosen = np.arange(n) if n <= most else some_of(n, most, seed)
    weights = np.ones(len(chosen)) if sample_weight is None else sample_weight[chosen].astype(np.float64)
    weights = weights if weights.any() else np.ones(len(chosen))
    squares = np.zeros(X.shape[1])
    for first in range(0, len(chosen), _BLOCK_ROWS):
        exact = standardised_rows(objective, X[chosen[first : first + _BLOCK_ROWS]])
        exact[weights[first : first + _BLOCK_ROWS] == 0.0] = 0.0  # standardised, they may overflow
        squares += np.einsum("i,ij,ij->j", weights[first : first + _BLOCK_ROWS], exact, exact)
    squares /= weights.sum()
    k, weight = objective.layout.n_scores, objective.typical_curvature
    diagonal = weight * squares + objective.alpha * (1.0 - objective.l1_ratio)
    diagonal = np.append(diagonal, weight * np.ones(int(objective.intercept)))
    smallest = float(np.min(diagonal, where=diagonal > 0, initial=np.inf))  # for columns of zeros in these rows
    return np.tile(np.where(diagonal > 0, diagonal, smallest if smallest < np.inf else 1.0), k)

"""Curvature from a sample of the rows, for QuasiNewton: block and diagonal Hessians, and a prior for rare columns."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective, some_of
from ..objectives.loss import probabilities
from ..objectives.penalty_weight import factors_of
from ..objectives.protocol import Capability
from ..objectives.source import Data, Terms

__all__ = ["check_units", "column_squares", "mean_block", "prior_of"]

Vector: TypeAlias = NDArray[np.float64]
_DIAGONAL_ROWS, _BLOCK_ROWS = 4096, 128
_FEWEST_ROWS, _DIAGONAL_ELEMENTS = 1024, 1 << 22  # that tell the diagonal of many columns
_PRIOR_ROWS = 1024  # rows at a time
_BLOCK_ELEMENTS = 1 << 23  # of X: so many are made dense at a time, if X is sparse
_LARGEST = 2.0**480  # column, by its root mean square: products of squares of larger ones may leave float64
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
    n, d, k = objective.n_samples, objective.n_features, objective.layout.n_scores
    total = objective.weight_sum
    part = objective.data
    if rows < n:
        chosen = some_of(n, rows, seed)
        part = part.taken(chosen, total := total * len(chosen) / n)
    own = objective.with_data(part)
    table = w.reshape(k, -1)
    step = max(1, _BLOCK_ELEMENTS // d)
    blocks = (own.rows(slice(at, at + step), objective.dtype) for at in range(0, own.n_samples, step))
    scores = np.concatenate([np.einsum("ij,kj->ik", block, table[:, :d]) for block in blocks])
    if objective.intercept:
        scores += table[:, d]
    p = probabilities(scores)
    curvature = (p * (1.0 - p)).sum(axis=1) / (k - 1)
    if own.weights is not None:
        curvature *= own.weights
    # The loss (z - y)^2 has the curvature 2, so the penalty is taken twice.
    terms = Terms(
        "least_squares",
        objective.intercept,
        l2=2.0 * objective.penalty.l2,
        scaling=objective.scaling,
        penalty_weight=objective.penalty_weight,
    )
    squares = part.with_weights(curvature.astype(objective.dtype), total).bind(terms)
    return np.asarray(squares.hessian(np.zeros(table.shape[1], objective.dtype)) / 2)


def prior_of(objective: DataObjective, sample: Data) -> Vector:
    """Return curvatures to add for the columns that a sample of the rows tells little about: an array of shape (p,).

    If a few rows dominate a column's sum of squares, the sample tells as much about the column as only
    (sum x^2)^2 / sum x^4 rows would. The prior adds the curvature at w = 0 of a few more such rows.
    """
    n, d, own = sample.n_samples, objective.n_features, objective.with_data(sample)
    squares, fourths = _powers(own, objective.dtype)
    if not np.isfinite(fourths).all():
        squares, fourths = _powers(own, np.dtype(np.float64))
    known = np.divide(squares**2, fourths, out=np.full(d, float(n)), where=fourths > 0)
    k, weight = objective.layout.n_scores, objective.typical_curvature
    prior = _HELD * weight * squares / n / known
    return np.tile(np.append(prior, np.zeros(int(objective.intercept))), k)


def _powers(objective: DataObjective, dtype: np.dtype[Any]) -> tuple[Vector, Vector]:
    """Return the sums of the second and fourth powers of each column, computed from elements of a dtype."""
    squares, fourths = np.zeros(objective.n_features), np.zeros(objective.n_features)
    with np.errstate(over="ignore"):
        for first in range(0, objective.n_samples, _PRIOR_ROWS):
            exact = objective.rows(slice(first, first + _PRIOR_ROWS), dtype)
            square = exact * exact
            squares += square.sum(axis=0)
            fourths += np.einsum("ij,ij->j", square, square)
    return squares, fourths


def column_squares(objective: DataObjective, rows: int, seed: int) -> Vector:
    """Estimate the diagonal of the smooth part's Hessian at w = 0: an array of shape (p,).

    Some rows tell it if they can be had and X is dense. A sample of sparse rows may have few of a column's numbers, or
    none.
    """
    dense = objective.data.n_elements >= objective.n_samples * objective.n_features
    rowwise = dense and objective.supports(Capability.ROWS)
    squares = _squares_of_rows(objective, rows, seed) if rowwise else _squares_of_statistics(objective)
    k, weight = objective.layout.n_scores, objective.typical_curvature
    l2 = objective.alpha * (1.0 - objective.l1_ratio)
    diagonal = weight * squares + (l2 if objective.penalty_weight is None else l2 * factors_of(objective))
    diagonal = np.append(diagonal, weight * np.ones(int(objective.intercept)))
    smallest = float(np.min(diagonal, where=diagonal > 0, initial=np.inf))  # for columns of zeros in these rows
    return np.tile(np.where(diagonal > 0, diagonal, smallest if smallest < np.inf else 1.0), k)


def _squares_of_rows(objective: DataObjective, rows: int, seed: int) -> Vector:
    """Return the mean square of each column in some rows."""
    n, enough = objective.n_samples, max(_FEWEST_ROWS, _DIAGONAL_ELEMENTS // objective.n_features)
    most = min(rows, _DIAGONAL_ROWS, enough)
    chosen = np.arange(n) if n <= most else some_of(n, most, seed)
    given = objective.weights
    weights = np.ones(len(chosen)) if given is None else given[chosen].astype(np.float64)
    weights = weights if weights.any() else np.ones(len(chosen))
    squares = np.zeros(objective.n_features)
    for first in range(0, len(chosen), _BLOCK_ROWS):
        exact = objective.rows(chosen[first : first + _BLOCK_ROWS])
        exact[weights[first : first + _BLOCK_ROWS] == 0.0] = 0.0  # standardised, they may overflow
        squares += np.einsum("i,ij,ij->j", weights[first : first + _BLOCK_ROWS], exact, exact)
    return np.asarray(squares / weights.sum())


def _squares_of_statistics(objective: DataObjective) -> Vector:
    """Return the mean square of each column."""
    mean, deviation = objective.column_statistics()
    return np.asarray(mean**2 + deviation**2)


def check_units(objective: DataObjective) -> None:
    """Raise an error for columns on a device that only other units would make right: they cannot be had in these."""
    if not getattr(objective.data, "passes_on_device", False):
        return
    sizes = np.hypot(*objective.column_statistics())
    wrong = (sizes > _LARGEST) & (sizes < np.inf)
    if objective.alpha == 0.0:  # else the penalty leaves such a column out
        wrong |= (sizes > 0.0) & (sizes < 1.0 / _LARGEST)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise NotImplementedError(
            f"X must have columns whose root mean squares are from {1.0 / _LARGEST:.0e} to {_LARGEST:.0e} for "
            f"st.QuasiNewton on a CUDA device, got {sizes[at]:.3g} in column {at}; multiply it by a power of two, or "
            "make the objective from an X in the host's memory"
        )

"""Statistics of columns that lost digits: of squares beyond float64, and of sparse columns of equal numbers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.device import dtype_name
from ..arrays.sparse import CSRView
from ..arrays.table import Table

__all__ = ["Statistics", "in_reach", "largest_of", "magnitudes", "sparse_statistics"]

Vector = NDArray[np.float64]
Statistics = tuple[Vector, Vector]
_Rows: TypeAlias = NDArray[Any] | CSRView | Table
_BLOCK_ELEMENTS = 1 << 18
_LEAST, _MOST = 2.0**-480, 2.0**480  # the sums of squares of smaller and larger deviations lose digits
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)  # of the mean, times the rows
_NEAR = 2.0**-400  # numbers of a larger mean are equal, or their deviation is above the least


def in_reach(found: Statistics, X: _Rows, weight: NDArray[Any] | None) -> Statistics:
    """Return the means and the deviations of columns, once those are replaced that lost digits.

    Where all rows of positive weight are equal, the deviation is 0.

    Parameters
    ----------
    found : pair of arrays of shape (n_features,)
        The means and the deviations, by sums of squares in float64.
    X : array, CSRView or Table
        The rows. Only float64 has numbers whose squares are beyond float64.
    weight : array of shape (n,), or None
        Their weights.
    """
    if not isinstance(X, np.ndarray):
        found = _with_constants(found, X, weight)
    if dtype_name(X.dtype) != "float64":
        return found
    mean, deviation = found
    small = (deviation < _LEAST) & (np.abs(mean) < _NEAR)
    doubtful = np.flatnonzero(small | ~(deviation <= _MOST))
    if not len(doubtful):
        return found
    sizes = largest_of(X, weight, doubtful)
    wrong = (sizes > 0) & (sizes < np.inf)
    if not wrong.any():
        return found
    columns, exponents = doubtful[wrong], np.frexp(sizes[wrong])[1].astype(np.int64)
    means, deviations = _in_units(X, weight, columns, exponents)
    mean, deviation = mean.copy(), deviation.copy()
    with np.errstate(over="ignore"):
        mean[columns], deviation[columns] = np.ldexp(means, exponents), np.ldexp(deviations, exponents)
    return mean, deviation


def _with_constants(found: Statistics, X: CSRView | Table, weight: NDArray[Any] | None) -> Statistics:
    """Return statistics with the deviations of equal numbers at 0. Sums about 0 leave the rounding of the mean."""
    mean, deviation = found
    doubtful = np.flatnonzero((deviation > 0.0) & (deviation <= _ROUNDING * len(X) * np.abs(mean)))
    if not len(doubtful):
        return found
    matrix, present = X.as_csr() if isinstance(X, Table) else X, slice(None) if weight is None else weight > 0
    slots = np.full(X.shape[1], -1, np.intp)
    slots[doubtful] = np.arange(len(doubtful))
    entries = np.flatnonzero(slots[matrix.indices] >= 0)
    entries = entries[np.argsort(slots[matrix.indices[entries]], kind="stable")]
    ends = np.cumsum(np.bincount(slots[matrix.indices[entries]], minlength=len(doubtful)))
    rows, values = matrix.rows_of_entries(), matrix.widened
    mean, deviation = mean.copy(), deviation.copy()
    for column, some in zip(doubtful, np.split(entries, ends[:-1]), strict=True):
        numbers = np.zeros(len(X))
        np.add.at(numbers, rows[some], values[some].astype(np.float64))
        numbers = numbers[present]
        if (numbers == numbers[0]).all():
            mean[column], deviation[column] = numbers[0], 0.0
    return mean, deviation


def _in_units(
    X: _Rows,
    weight: NDArray[Any] | None,
    columns: NDArray[np.intp],
    exponents: NDArray[np.int64],
) -> Statistics:
    """Return the statistics of some columns, each divided by 2 to the power of its exponent."""
    if isinstance(X, np.ndarray):
        with np.errstate(over="ignore", under="ignore"):  # rows of weight 0 may be of any size
            inner = np.ldexp(X[:, columns], -exponents.astype(np.int32))
        return _core.column_statistics(inner, weight)
    matrix, of_all = X.as_csr() if isinstance(X, Table) else X, np.zeros(X.shape[1], np.int64)
    of_all[columns] = exponents
    mean, deviation = sparse_statistics(matrix.in_units(of_all, np.float64), weight)
    return mean[columns], deviation[columns]


def sparse_statistics(X: CSRView, weight: NDArray[Any] | None) -> Statistics:
    """Return means and deviations by sums of squares in float64."""
    total = float(len(X)) if weight is None else float(weight.sum(dtype=np.float64))
    targets = np.zeros(len(X), np.float32 if X.dtype.itemsize < 8 else np.float64)  # which the source takes too
    values = None if X.is_ones else X.data
    source = _core.sparse_source(values, X.indices, X.indptr, X.shape[1], targets, weight, total)
    return source.column_statistics()


def magnitudes(X: NDArray[Any]) -> NDArray[Any]:
    """Return the magnitudes as floats: the least of the integers has a magnitude beyond them."""
    return np.asarray(np.abs(X if X.dtype.kind == "f" else X.astype(np.float32)))


def largest_of(
    X: _Rows,
    sample_weight: NDArray[Any] | None = None,
    columns: NDArray[np.intp] | None = None,
) -> Vector:
    """Return the largest magnitude of each column, or of some columns, over the rows of positive weight."""
    if not isinstance(X, np.ndarray):
        found = X.largest(sample_weight)
        return found if columns is None else found[columns]
    largest = np.zeros(X.shape[1] if columns is None else len(columns), np.float64)
    size = max(1, _BLOCK_ELEMENTS // len(largest))
    for first in range(0, len(X), size):
        part = X[first : first + size]
        part = part if columns is None else part[:, columns]
        if sample_weight is not None:
            part = part[sample_weight[first : first + size] > 0]
        if len(part):
            np.maximum(largest, magnitudes(part).max(axis=0), out=largest)
    return largest

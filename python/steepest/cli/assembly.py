"""The features of a table as one matrix: a dense one, or CSR where most features of a row are zeros."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require

Array = NDArray[Any]
Matrix = Any  # an array, or a CSR matrix of scipy.sparse
FEW_FEATURES = 200  # up to so many, a dense matrix is the faster one
MOST_NONZEROS = 0.1  # a matrix with a larger part of non-zeros is the smaller one if it is dense
MOST_DENSE_CELLS = 2**27  # 1 GiB of float64


@dataclass(frozen=True)
class OneHot:
    """Features of a category, of which each row has at most one: `codes` has its place from 1, or 0 for none."""

    codes: Array
    n_features: int

    def toarray(self) -> Array:
        """Return the features as a dense matrix."""
        X = np.zeros((len(self.codes), self.n_features))
        rows = np.flatnonzero(self.codes > 0)
        X[rows, self.codes[rows] - 1] = 1.0
        return X


Block = Any  # an array of shape (rows, features), or a OneHot


def is_sparse(X: Any) -> bool:
    """Return whether a matrix is one of scipy.sparse."""
    return hasattr(X, "tocsr")


def suits_sparse(n_rows: int, n_features: int, n_nonzeros: int) -> bool:
    """Return whether a matrix is better kept sparse.

    At most a tenth of it is non-zero, and it has more than 200 columns or would take more than 1 GiB.
    """
    cells = n_rows * n_features
    return n_nonzeros <= MOST_NONZEROS * cells and (n_features > FEW_FEATURES or cells > MOST_DENSE_CELLS)


def assembled(blocks: list[Block], n_rows: int) -> Matrix:
    """Return blocks of features side by side, as a C-ordered array of float64 or as a CSR array.

    The list is emptied on the way, so that the features are not held twice.
    """
    widths = [block.n_features if isinstance(block, OneHot) else block.shape[1] for block in blocks]
    counts = [int(np.count_nonzero(block.codes if isinstance(block, OneHot) else block)) for block in blocks]
    if suits_sparse(n_rows, sum(widths), sum(counts)):
        return sparse_of(blocks, n_rows, sum(widths))
    X = np.empty((n_rows, sum(widths)))
    position = 0
    for number, width in enumerate(widths):
        block, blocks[number] = blocks[number], None  # which frees its memory
        X[:, position : position + width] = block.toarray() if isinstance(block, OneHot) else block
        position += width
    return X


def sparse_of(blocks: list[Block], n_rows: int, n_features: int) -> Matrix:
    """Return blocks of features side by side as a CSR array with sorted indices and without zeros."""
    columns = [column for block in blocks for column in _columns(block)]
    lengths = np.zeros(n_rows, np.int64)
    for rows, _, _, _ in map(_entries, columns):
        lengths[rows] += 1
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    index_dtype = np.int32 if max(int(indptr[-1]), n_features) < 2**31 else np.int64
    indices, data = np.empty(indptr[-1], index_dtype), np.ones(indptr[-1])
    at, position = indptr[:-1].copy(), 0
    for rows, places, values, width in map(_entries, columns):
        indices[at[rows]] = position + places
        if values is not None:
            data[at[rows]] = values
        at[rows] += 1
        position += width
    made = (data, indices, indptr.astype(index_dtype))
    return require("scipy.sparse", "cli").csr_array(made, shape=(n_rows, n_features))


def _columns(block: Block) -> list[Block]:
    """Return parts of a block of which each row has at most one entry."""
    return [block] if isinstance(block, OneHot) else list(block.T)


def _entries(part: Block) -> tuple[Array, Any, Array | None, int]:
    """Return the rows that have an entry, the places of their features, their values (None for ones), and the width."""
    if isinstance(part, OneHot):
        rows = np.flatnonzero(part.codes > 0)
        return rows, part.codes[rows] - 1, None, part.n_features
    rows = np.flatnonzero(part)
    return rows, 0, part[rows], 1


def nonzero_part(X: Any) -> float:
    """Return the part of a sparse matrix that is stored."""
    return int(X.nnz) / max(1, int(X.shape[0]) * int(X.shape[1]))


def column_values(X: Any) -> Any:
    """Return a sparse matrix by columns (CSC), with entries of the same place added up."""
    by_columns = X.tocsc()
    by_columns.sum_duplicates()
    return by_columns


def moments(X: Matrix, weight: Array | None = None) -> tuple[Array, Array]:
    """Return the means and the standard deviations of the columns of a sparse matrix, without overflow."""
    by_columns, d = column_values(X), X.shape[1]
    is_full = np.diff(by_columns.indptr) == X.shape[0]
    column = np.repeat(np.arange(d), np.diff(by_columns.indptr))
    weights = np.ones(X.shape[0]) if weight is None else weight
    unit = np.full(d, np.finfo(np.float64).tiny)
    np.maximum.at(unit, column, np.abs(by_columns.data))
    values, shares = by_columns.data / unit[column], weights[by_columns.indices]
    stored = np.bincount(column, shares, d)
    total = np.where(is_full, stored, weights.sum())  # added up in one order, so that a constant has no deviation
    mean = np.bincount(column, shares * values, d) / total
    squares = np.bincount(column, shares * (values - mean[column]) ** 2, d) + np.maximum(total - stored, 0.0) * mean**2
    return mean * unit, np.sqrt(squares / total) * unit


def column_moments(X: Matrix, weight: Array | None) -> tuple[Array, Array]:
    """Return the means and the standard deviations of the columns of any matrix, without overflow."""
    if is_sparse(X):
        return moments(X, weight)
    unit = np.maximum(np.abs(X).max(axis=0), np.finfo(np.float64).tiny)
    mean = np.average(X / unit, axis=0, weights=weight)
    deviation = np.sqrt(np.average((X / unit - mean) ** 2, axis=0, weights=weight)) * unit
    return mean * unit, np.where(X.min(axis=0) == X.max(axis=0), 0.0, deviation)

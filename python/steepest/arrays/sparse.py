"""Sparse matrices in compressed rows (CSR), of scipy.sparse or of any library: their arrays, used in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .checks import describe
from .device import BFLOAT16, dtype_name

__all__ = ["CSRView", "check_entries", "csr_view", "is_sparse", "joined"]

_MEMBERS = ("data", "indices", "indptr", "shape")
_VALUES = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.float16), BFLOAT16)
_INDICES = (np.dtype(np.int32), np.dtype(np.int64))
_BLOCK = 1 << 16
_LOOKS = 16  # blocks between two looks at how many columns there are


@dataclass(frozen=True, eq=False)
class CSRView:
    """The arrays of a CSR matrix, not copied.

    Attributes
    ----------
    data, indices, indptr : arrays
        Row i has the values ``data[indptr[i]:indptr[i + 1]]`` in the columns ``indices[indptr[i]:indptr[i + 1]]``.
    shape : tuple
        Numbers of rows and columns.
    """

    data: NDArray[Any]
    indices: NDArray[Any]
    indptr: NDArray[Any]
    shape: tuple[int, int]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.data.dtype

    @property
    def size(self) -> int:
        """The number of entries."""
        return int(self.data.size)

    def __len__(self) -> int:
        return self.shape[0]

    @cached_property
    def is_ones(self) -> bool:
        """Whether all values are 1, so that nobody need read them."""
        if self.size == 0 or self.dtype not in _VALUES[:2]:
            return False
        return all((self.data[at : at + _BLOCK] == 1.0).all() for at in range(0, self.size, _BLOCK))

    def take(self, index: NDArray[Any]) -> CSRView:
        """Return a copy of some rows."""
        starts, ends = self.indptr[index].astype(np.int64), self.indptr[np.asarray(index) + 1].astype(np.int64)
        lengths = ends - starts
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        return CSRView(self.data[entries], self.indices[entries], indptr, (len(lengths), self.shape[1]))

    def toarray(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return all rows as a dense array. Entries of the same column add up."""
        dense = np.zeros(self.shape, dtype)
        values = self.widened.astype(dtype, copy=False)
        np.add.at(dense, (self.rows_of_entries(), self.indices), values)
        return dense

    @property
    def widened(self) -> NDArray[Any]:
        """The values in a dtype that NumPy computes with."""
        if dtype_name(self.dtype) != "bfloat16":
            return self.data
        return (self.data.view(np.uint16).astype(np.uint32) << 16).view(np.float32)

    def rows_of_entries(self) -> NDArray[np.intp]:
        """Return the row of every entry."""
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr))

    def with_data(self, data: NDArray[Any]) -> CSRView:
        """Return other values in the same places."""
        return CSRView(data, self.indices, self.indptr, self.shape)

    def astype(self, dtype: Any, copy: bool = True) -> CSRView:
        """Return the values in another dtype, as ``astype`` of NumPy does."""
        data = self.data.astype(dtype, copy=copy)
        return self if data is self.data else self.with_data(data)

    def in_units(self, exponents: NDArray[np.integer[Any]], dtype: Any) -> CSRView:
        """Return a copy in a dtype, each column divided by 2 to the power of its exponent: numbers may overflow."""
        with np.errstate(over="ignore", under="ignore"):
            data = np.ldexp(self.widened, -exponents[self.indices].astype(np.int32), dtype=dtype)
        return self.with_data(data)

    def used_columns(self, most: int) -> NDArray[np.intp] | None:
        """Return the columns that have entries, in order; None if they are more than so many."""
        if most <= 0:
            return None
        seen = np.zeros(self.shape[1], bool)
        for at in range(0, self.size, _BLOCK):
            seen[self.indices[at : at + _BLOCK]] = True
            if at // _BLOCK % _LOOKS == 0 and np.count_nonzero(seen) > most:
                return None
        used = np.flatnonzero(seen)
        return used if 0 < len(used) <= most else None

    def in_columns(self, columns: NDArray[np.intp]) -> CSRView:
        """Return a matrix of these columns alone, numbered anew in this order. The values are shared."""
        number = np.zeros(self.shape[1], np.int32)
        number[columns] = np.arange(len(columns), dtype=np.int32)
        indices = np.empty(self.size, np.int32)
        for at in range(0, self.size, _BLOCK):
            np.take(number, self.indices[at : at + _BLOCK], out=indices[at : at + _BLOCK], mode="clip")
        found = CSRView(self.data, indices, self.indptr, (self.shape[0], len(columns)))
        found.__dict__["is_ones"] = self.is_ones
        return found

    def largest(self, weights: NDArray[Any] | None = None) -> NDArray[np.float64]:
        """Return the largest magnitude of each column, over the rows of positive weight."""
        found, sizes = np.zeros(self.shape[1]), np.abs(self.widened.astype(np.float64))
        if weights is not None:
            sizes[np.repeat(weights == 0, np.diff(self.indptr))] = 0.0
        np.maximum.at(found, self.indices, sizes)
        return found

    def column_ranges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and the largest number of each column, zeros that are not stored among them."""
        columns, values = self._added_up()
        low, high = np.full(self.shape[1], np.inf), np.full(self.shape[1], -np.inf)
        np.minimum.at(low, columns, values)
        np.maximum.at(high, columns, values)
        some = np.bincount(columns, minlength=self.shape[1]) < len(self)
        low[some], high[some] = np.minimum(low[some], 0.0), np.maximum(high[some], 0.0)
        return low, high

    def _added_up(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the columns and the values of all entries, those of the same row and column added up."""
        rows, columns, values = self.rows_of_entries(), self.indices, self.widened.astype(np.float64)
        if ((columns[1:] > columns[:-1]) | (rows[1:] > rows[:-1])).all():
            return columns, values
        order = np.lexsort((columns, rows))
        rows, columns, values = rows[order], columns[order], values[order]
        first = np.flatnonzero(np.append(True, (columns[1:] > columns[:-1]) | (rows[1:] > rows[:-1])))
        return columns[first], np.add.reduceat(values, first)

    def full_columns(self) -> NDArray[np.float64]:
        """Return the columns that have an entry in every row, as a dense array of shape (n_rows, some)."""
        _, places, counts = np.unique(self.indices, return_inverse=True, return_counts=True)
        full = counts >= self.shape[0]
        dense = np.zeros((self.shape[0], int(full.sum())))
        kept = full[places]
        rows, columns = self.rows_of_entries()[kept], (np.cumsum(full) - 1)[places[kept]]
        np.add.at(dense, (rows, columns), self.widened[kept].astype(np.float64))
        present = np.zeros(dense.shape, bool)
        present[rows, columns] = True
        return dense[:, present.all(axis=0)]


def joined(parts: Sequence[CSRView]) -> CSRView:
    """Return the rows of several matrices of the same columns and dtype, one after the other."""
    if len(parts) == 1:
        return parts[0]
    lengths = np.concatenate([np.diff(part.indptr) for part in parts]).astype(np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    held = [(part.data[slice(*part.indptr[[0, -1]])], part.indices[slice(*part.indptr[[0, -1]])]) for part in parts]
    data, indices = (np.concatenate(each) for each in zip(*held, strict=True))
    return CSRView(data, indices, indptr, (len(lengths), parts[0].shape[1]))


def is_sparse(X: Any) -> bool:
    """Return whether X is a sparse matrix, of whatever format."""
    return hasattr(X, "tocsr") or (not isinstance(X, np.ndarray) and all(hasattr(X, name) for name in _MEMBERS))


def csr_view(X: Any) -> CSRView:
    """Check a sparse X, as far as its arrays tell without being read, and return them."""
    if isinstance(X, CSRView):
        return X
    kind, form = type(X).__name__, getattr(X, "format", "csr")
    if form != "csr":
        raise TypeError(
            f"X must be a CSR matrix if it is sparse, got {kind} in {form} format; convert it with X.tocsr()"
        )
    data, indices, indptr = (_checked(name, getattr(X, name)) for name in _MEMBERS[:3])
    if data.dtype not in _VALUES:
        expected = "X must be a CSR matrix of float16, bfloat16, float32 or float64"
        raise TypeError(f"{expected}, got {data.dtype}; convert it with X.astype(np.float32)")
    for name, array in (("indices", indices), ("indptr", indptr)):
        if array.dtype not in _INDICES:
            raise TypeError(f"{name} of X must be int32 or int64, got {array.dtype}")
    n, d = (int(length) for length in X.shape)
    if n == 0 or d == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {tuple(X.shape)}")
    if n >= 2**32:
        raise ValueError(f"X must have fewer than {2**32:,} rows, got {n:,}")
    if len(indptr) != n + 1:
        raise ValueError(f"indptr of X must have {n + 1} elements, one more than X has rows, got {len(indptr)}")
    if len(data) != len(indices):
        raise ValueError(f"data of X must be as long as its indices, got {len(data)} and {len(indices)}")
    last = int(indptr[-1])
    if 0 <= last < len(indices) and (indptr[:-1] <= indptr[1:]).all():  # arrays with room to spare
        data, indices = data[:last], indices[:last]
    return CSRView(data, indices, indptr, (n, d))


def check_entries(X: CSRView) -> None:
    """Check that the indices are columns and that indptr rises, as an objective does when it takes X."""
    n, d = X.shape
    _core.sparse_source(None, X.indices, X.indptr, d, np.zeros(n, np.float32), None, float(n))


def _checked(name: str, array: Any) -> NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.ndim != 1:
        raise TypeError(f"{name} of X must be a NumPy array of one dimension, got {describe(array)}")
    if not (array.flags.c_contiguous and array.flags.aligned):
        raise ValueError(f"{name} of X must be contiguous and aligned, got a view with strides {array.strides}")
    return array

"""Data in sparse rows (CSR), which are used in place."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.sparse import CSRView
from .dense import DenseData
from .held import CompressedRows
from .protocol import Capability

__all__ = ["SparseData", "in_some_columns"]


@dataclass(frozen=True, eq=False)
class SparseData(CompressedRows):
    """The arrays of a CSR matrix. `Data` describes the members."""

    X: CSRView

    def supports(self, capability: Capability) -> bool:
        return capability in (Capability.FEWER_COLUMNS, Capability.COLUMNS) or super().supports(capability)

    @cached_property
    def source(self) -> Any:
        X = self.X
        values = None if X.is_ones else X.data
        return _core.sparse_source(values, X.indices, X.indptr, X.shape[1], self.targets, self.weights, self.weight_sum)

    def copy_columns(self, columns: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
        X, values = self.X, None if self.X.is_ones else self.X.data
        _core.copy_sparse_columns(values, X.indices, X.indptr, X.shape[1], self.weights, columns, out)

    def combined_rows(self, r: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return None

    def compressed(self, index: NDArray[Any]) -> CSRView:
        return self.X.take(index)

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> SparseData | DenseData:
        X, rest = self.X.take(index), self.of_rows(index, weight_sum)
        return DenseData(X.toarray(self.dtype), *rest) if self.may_be_dense(len(X)) else SparseData(X, *rest)

    def rows(self, index: Any) -> NDArray[Any]:
        numbers = np.arange(self.n_samples)[index]
        return self.X.take(numbers).toarray(self.dtype)

    def used_columns(self, most: int) -> NDArray[np.intp] | None:
        return self.X.used_columns(most)

    def in_columns(self, columns: NDArray[np.intp]) -> SparseData:
        found = dataclasses.replace(self, X=self.X.in_columns(columns))
        if "_statistics" in self.__dict__:
            found.__dict__["_statistics"] = tuple(each[columns] for each in self._statistics)
        return found

    def of_columns(self, columns: NDArray[np.intp]) -> SparseData:
        return in_some_columns(self, columns)

    def in_units(self, exponents: NDArray[np.int64]) -> SparseData:
        return dataclasses.replace(self, X=self.X.in_units(exponents, self.dtype))


def in_some_columns(rows: CompressedRows, columns: NDArray[np.intp]) -> SparseData:
    """Return a copy of some columns of rows, numbered anew."""
    n = rows.n_samples
    entries = rows.entries(np.arange(n)).of(columns, rows.n_features)
    starts = np.append(0, np.cumsum(np.bincount(entries.rows, minlength=n)))
    X = CSRView(entries.values.astype(rows.dtype), entries.columns.astype(np.int32), starts, (n, len(columns)))
    return SparseData(X, rows.targets, rows.weights, rows.weight_sum)

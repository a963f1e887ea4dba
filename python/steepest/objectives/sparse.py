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
from .source import Entries

__all__ = ["SparseData"]

Vector = NDArray[np.float64]
_OWN = frozenset((Capability.COLUMN_RANGES, Capability.ENTRIES, Capability.FEWER_COLUMNS))


@dataclass(frozen=True, eq=False)
class SparseData(CompressedRows):
    """The arrays of a CSR matrix. `Data` describes the members."""

    X: CSRView

    def supports(self, capability: Capability) -> bool:
        return capability in _OWN or super().supports(capability)

    @cached_property
    def source(self) -> Any:
        X = self.X
        values = None if X.is_ones else X.data
        return _core.sparse_source(values, X.indices, X.indptr, X.shape[1], self.targets, self.weights, self.weight_sum)

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[Vector, Vector]:
        return self.X.take(np.flatnonzero(some)).column_ranges()

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> SparseData | DenseData:
        X, rest = self.X.take(index), self.of_rows(index, weight_sum)
        return DenseData(X.toarray(self.dtype), *rest) if self.may_be_dense(len(X)) else SparseData(X, *rest)

    def rows(self, index: Any) -> NDArray[Any]:
        numbers = np.arange(self.n_samples)[index]
        return self.X.take(numbers).toarray(self.dtype)

    def entries(self, index: NDArray[Any]) -> Entries:
        X = self.X.take(index)
        return Entries(X.rows_of_entries(), X.indices.astype(np.int64, copy=False), X.widened.astype(np.float64))

    def used_columns(self, most: int) -> NDArray[np.intp] | None:
        return self.X.used_columns(most)

    def in_columns(self, columns: NDArray[np.intp]) -> SparseData:
        found = dataclasses.replace(self, X=self.X.in_columns(columns))
        if "_statistics" in self.__dict__:
            found.__dict__["_statistics"] = tuple(each[columns] for each in self._statistics)
        return found

    def in_units(self, exponents: NDArray[np.int64]) -> SparseData:
        return dataclasses.replace(self, X=self.X.in_units(exponents, self.dtype))

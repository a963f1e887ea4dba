"""Data in a `Table`: groups of columns that are used in place, categorical columns as codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.sparse import CSRView
from ..arrays.table import Table
from .dense import DenseData
from .held import CompressedRows
from .sparse import SparseData, in_some_columns

__all__ = ["TableData"]


@dataclass(frozen=True, eq=False)
class TableData(CompressedRows):
    """A table with targets and weights. `Data` describes the members."""

    X: Table

    @cached_property
    def source(self) -> Any:
        groups = self.X.native_groups()
        return _core.grouped_source(len(self.X), groups, self.targets, self.weights, self.weight_sum)

    def compressed(self, index: NDArray[Any]) -> CSRView:
        return self.X.take(index).as_csr()

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> TableData | DenseData:
        X, rest = self.X.take(index), self.of_rows(index, weight_sum)
        return DenseData(X.toarray(), *rest) if self.may_be_dense(len(X)) else TableData(X, *rest)

    def rows(self, index: Any) -> NDArray[Any]:
        return self.X.take(index).toarray()

    def of_columns(self, columns: NDArray[np.intp]) -> SparseData:
        return in_some_columns(self, columns)

    def in_units(self, exponents: NDArray[np.int64]) -> SparseData:
        """Codes stand for ones alone, so the copy is a sparse matrix of numbers."""
        X = self.X.as_csr().in_units(exponents, self.dtype)
        return SparseData(X, self.targets, self.weights, self.weight_sum)

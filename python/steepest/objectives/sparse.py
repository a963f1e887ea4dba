"""Data in sparse rows (CSR), which are used in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_column, check_weight_sum
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.interop import library_of
from ..arrays.sparse import CSRView
from .dense import DenseData, least_weight_of, native_objective
from .protocol import Capability
from .rows import widened
from .source import Entries, Terms

__all__ = ["SparseData"]

Vector = NDArray[np.float64]
_DENSE_COLUMNS = 4096  # up to so many, blocks of rows may be made dense
_DENSE_ELEMENTS = 1 << 24  # of a sample


@dataclass(frozen=True, eq=False)
class SparseData:
    """The arrays of a CSR matrix. `Data` describes the members."""

    X: CSRView
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    weight_sum: float

    @classmethod
    def checked(cls, X: CSRView, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> SparseData:
        """Check the targets and the weights of a sparse X, and return them as data."""
        stored = dtype_name(X.dtype)
        check_column("y", y, len(X), stored, library_of(given[1]))
        total = float(len(X))
        if weight is not None:
            check_column("sample_weight", weight, len(X), stored, library_of(given[2]))
            total = check_weight_sum(float(weight.min()), float(weight.sum(dtype=np.float64)))
        return cls(X, y, weight, total)

    @property
    def n_samples(self) -> int:
        return self.X.shape[0]

    @property
    def n_features(self) -> int:
        return self.X.shape[1]

    @property
    def n_elements(self) -> int:
        return self.X.size

    @property
    def storage(self) -> str:
        return dtype_name(self.X.dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        return arithmetic_dtype(self.storage)

    @cached_property
    def least_weight(self) -> float:
        return least_weight_of(self.weights)

    @property
    def device(self) -> None:
        return None

    def supports(self, capability: Capability) -> bool:
        if capability == Capability.ROWS:
            return self.n_features <= _DENSE_COLUMNS
        return capability in (Capability.TARGETS, Capability.STEPS, Capability.COLUMN_RANGES, Capability.ENTRIES)

    def check_targets(self, check: Callable[[Any], None]) -> None:
        check(self.targets)

    def bind(self, terms: Terms) -> Any:
        return native_objective(self._source, terms)

    @cached_property
    def _source(self) -> Any:
        X = self.X
        values = None if X.is_ones else X.data
        return _core.sparse_source(values, X.indices, X.indptr, X.shape[1], self.targets, self.weights, self.weight_sum)

    def column_statistics(self) -> tuple[Vector, Vector]:
        return self._statistics

    @cached_property
    def _statistics(self) -> tuple[Vector, Vector]:
        """Kept, since methods ask several times, and it costs some passes."""
        mean, deviation = self._source.column_statistics()
        mean.flags.writeable = deviation.flags.writeable = False
        return mean, deviation

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[Vector, Vector]:
        return self.X.take(np.flatnonzero(some)).column_ranges()

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> SparseData | DenseData:
        weights = None if self.weights is None else self.weights[index]
        if weight_sum is None:
            weight_sum = float(len(index)) if weights is None else float(weights.sum(dtype=np.float64))
        X, targets = self.X.take(index), self.targets[index]
        if self.n_features <= _DENSE_COLUMNS and len(X) * self.n_features <= _DENSE_ELEMENTS:
            return DenseData(X.toarray(self.dtype), targets, weights, weight_sum)
        return SparseData(X, targets, weights, weight_sum)

    def rows(self, index: Any) -> NDArray[Any]:
        numbers = np.arange(self.n_samples)[index]
        return self.X.take(numbers).toarray(self.dtype)

    def entries(self, index: NDArray[Any]) -> Entries:
        X = self.X.take(index)
        rows = np.repeat(np.arange(len(X)), np.diff(X.indptr))
        return Entries(rows, X.indices.astype(np.int64, copy=False), widened(X.data).astype(np.float64))

    def largest(self) -> Vector:
        return self.X.largest(self.weights)

    def with_targets(self, targets: NDArray[Any]) -> SparseData:
        return dataclasses.replace(self, targets=targets)

    def with_weights(self, weights: NDArray[Any], weight_sum: float) -> SparseData:
        return dataclasses.replace(self, weights=weights, weight_sum=weight_sum)

    def in_units(self, exponents: NDArray[np.int64]) -> SparseData:
        return dataclasses.replace(self, X=self.X.in_units(exponents, self.dtype))

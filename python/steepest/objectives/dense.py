"""Data in dense arrays in the host's memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_data, check_weights
from ..arrays.interop import library_of
from .columns import largest_of
from .held import HostRows, native_objective
from .protocol import Capability
from .rows import widened
from .source import Terms

__all__ = ["DenseData"]

Vector = NDArray[np.float64]
_OWN = frozenset(
    (
        Capability.ROWS,
        Capability.TARGETS,
        Capability.STEPS,
        Capability.COLUMN_RANGES,
        Capability.DIGESTS,
        Capability.COLUMNS,
    )
)
_BLOCK = 1 << 17  # elements of X that are looked at at a time


@dataclass(frozen=True, eq=False)
class DenseData(HostRows):
    """NumPy arrays, which are used in place. `Data` describes the members."""

    X: NDArray[Any]

    @classmethod
    def checked(cls, X: Any, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> DenseData:
        """Check arrays, which were made of those that a user gave, and return them as data."""
        libraries = [library_of(each) for each in given]
        check_data(X, y, (libraries[0], libraries[1]))
        total = float(len(X)) if weight is None else check_weights(weight, X, libraries[2])
        return cls(X, y, weight, total)

    def supports(self, capability: Capability) -> bool:
        return capability in _OWN

    @property
    def source(self) -> Any:
        return _core.dense_source(self.X, self.targets, self.weights, self.weight_sum)

    def bind_some(self, index: NDArray[Any], weight_sum: float, terms: Terms) -> Any:
        # Rows of columns lie apart, and the Hessian of several scores takes no rows by their numbers.
        if terms.n_scores > 1 or not self.X.flags.c_contiguous:
            return super().bind_some(index, weight_sum, terms)
        return native_objective(_core.selected_source(self.source, index.astype(np.uint32), weight_sum), terms)

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[Vector, Vector]:
        low, high = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        step = max(1, _BLOCK // self.n_features)
        for first in range(0, self.n_samples, step):
            part = widened(self.X[first : first + step][some[first : first + step]])
            if len(part):
                np.minimum(low, part.min(axis=0), out=low)
                np.maximum(high, part.max(axis=0), out=high)
        return low, high

    def copy_columns(self, columns: NDArray[np.uint32], out: NDArray[np.float64]) -> None:
        _core.copy_columns(self.X, self.weights, columns, out)

    def combined_rows(self, r: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return _core.combine_rows(self.X, self.weights, r)

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> DenseData:
        X = np.ascontiguousarray(self.X[index])  # np.take would copy all of an F-ordered X
        return DenseData(X, *self.of_rows(index, weight_sum))

    def rows(self, index: Any) -> NDArray[Any]:
        return widened(self.X[index])

    def largest(self) -> Vector:
        return largest_of(self.X, self.weights)

    def of_columns(self, columns: NDArray[np.intp]) -> DenseData:
        return dataclasses.replace(self, X=np.asfortranarray(self.X[:, columns]))

    def in_units(self, exponents: NDArray[np.int64]) -> DenseData:
        return dataclasses.replace(self, X=np.ldexp(self.X, -exponents.astype(np.int32), dtype=self.X.dtype))

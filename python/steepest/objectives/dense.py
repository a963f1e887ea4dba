"""Data in dense arrays: NumPy arrays in host memory, and views of the memory of a CUDA device."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import blocks_of, check_data, check_weights
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.device_checks import check_device_data, check_device_weights
from ..arrays.interop import DeviceView, library_of
from .columns import largest_of
from .device_objective import DeviceObjective
from .protocol import Capability
from .rows import widened
from .source import Terms

__all__ = ["DenseData", "DeviceData", "least_weight_of", "native_objective"]

Vector = NDArray[np.float64]
_BLOCK = 1 << 17  # elements of X that are looked at at a time
_OBJECTIVES = {_core.Source32: _core.Objective32, _core.Source64: _core.Objective64}


def native_objective(source: Any, terms: Terms) -> Any:
    """Return the native objective of a source of `_core`; its columns are standardised if the terms have a scaling."""
    loss, intercept, l1, l2, n_scores, parameters, scaling = terms
    if scaling is not None:
        source = _core.standardised_source(source, *scaling)
    return _OBJECTIVES[type(source)](source, loss, intercept, l1, l2, n_scores, dict(parameters))


def least_weight_of(weights: NDArray[Any] | None) -> float:
    """Return the smallest weight above 0; 1 without weights."""
    if weights is None:
        return 1.0
    return min(float(np.min(part, where=part > 0, initial=np.inf)) for _, part in blocks_of(weights))


class _Table:
    """What the shape of X and its storage tell. `Data` describes the members."""

    X: Any
    storage: Any

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def n_elements(self) -> int:
        return int(self.X.size)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return arithmetic_dtype(self.storage)


@dataclass(frozen=True, eq=False)
class DenseData(_Table):
    """NumPy arrays, which are used in place. `Data` describes the members."""

    X: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    weight_sum: float

    @classmethod
    def checked(cls, X: Any, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> DenseData:
        """Check arrays, which were made of those that a user gave, and return them as data."""
        libraries = [library_of(each) for each in given]
        check_data(X, y, (libraries[0], libraries[1]))
        total = float(len(X)) if weight is None else check_weights(weight, X, libraries[2])
        return cls(X, y, weight, total)

    @cached_property
    def storage(self) -> str:
        return dtype_name(self.X.dtype)

    @cached_property
    def least_weight(self) -> float:
        return least_weight_of(self.weights)

    @property
    def device(self) -> None:
        return None

    def supports(self, capability: Capability) -> bool:
        return capability in (Capability.ROWS, Capability.TARGETS, Capability.STEPS, Capability.COLUMN_RANGES)

    def check_targets(self, check: Callable[[Any], None]) -> None:
        check(self.targets)

    def bind(self, terms: Terms) -> Any:
        return native_objective(self._source(), terms)

    def _source(self) -> Any:
        return _core.dense_source(self.X, self.targets, self.weights, self.weight_sum)

    def column_statistics(self) -> tuple[Vector, Vector]:
        return self._source().column_statistics()  # type: ignore[no-any-return]

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[Vector, Vector]:
        low, high = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        step = max(1, _BLOCK // self.n_features)
        for first in range(0, self.n_samples, step):
            part = widened(self.X[first : first + step][some[first : first + step]])
            if len(part):
                np.minimum(low, part.min(axis=0), out=low)
                np.maximum(high, part.max(axis=0), out=high)
        return low, high

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> DenseData:
        weights = None if self.weights is None else self.weights[index]
        if weight_sum is None:
            weight_sum = float(len(index)) if weights is None else float(weights.sum(dtype=np.float64))
        X = np.ascontiguousarray(self.X[index])  # np.take would copy all of an F-ordered X
        return DenseData(X, self.targets[index], weights, weight_sum)

    def rows(self, index: Any) -> NDArray[Any]:
        return widened(self.X[index])

    def largest(self) -> Vector:
        return largest_of(self.X, self.weights)

    def with_targets(self, targets: NDArray[Any]) -> DenseData:
        return dataclasses.replace(self, targets=targets)

    def with_weights(self, weights: NDArray[Any], weight_sum: float) -> DenseData:
        return dataclasses.replace(self, weights=weights, weight_sum=weight_sum)

    def in_units(self, exponents: NDArray[np.int64]) -> DenseData:
        return dataclasses.replace(self, X=np.ldexp(self.X, -exponents.astype(np.int32), dtype=self.X.dtype))


@dataclass(frozen=True, eq=False)
class DeviceData(_Table):
    """Views of a CUDA device's memory. `Data` describes the members."""

    X: DeviceView
    targets: DeviceView
    weights: DeviceView | None
    weight_sum: float

    @classmethod
    def checked(cls, X: Any, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> DeviceData:
        """Check views, which were made of what a user gave, and return them as data."""
        check_device_data(X, y)
        return cls(X, y, weight, float(X.shape[0]) if weight is None else check_device_weights(weight, X))

    @property
    def storage(self) -> str:
        return self.X.dtype

    @property
    def device(self) -> int:
        return self.X.device

    def supports(self, capability: Capability) -> bool:
        return capability == Capability.STEPS

    def check_targets(self, check: Callable[[Any], None]) -> None:
        check(self.targets)

    def bind(self, terms: Terms) -> DeviceObjective:
        return DeviceObjective(
            terms.loss, self.X, self.targets, self.weights, self.weight_sum, terms.intercept, terms.l1, terms.l2,
            scaling=terms.scaling, loss_parameters=dict(terms.loss_parameters),
        )  # fmt: skip

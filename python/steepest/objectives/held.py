"""What all kinds of `Data` share: what shape, storage and weights tell, and copies with other targets or weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import blocks_of, check_column, check_weight_sum
from ..arrays.device import arithmetic_dtype, dtype_name
from ..arrays.digest import digest_of
from ..arrays.interop import library_of
from ..arrays.sparse import CSRView
from .protocol import Capability
from .reach import in_reach
from .source import Entries, Terms

__all__ = ["CompressedRows", "Held", "HostRows", "native_objective"]

_DENSE_COLUMNS = 4096  # up to so many, blocks of compressed rows may be made dense
_DENSE_ELEMENTS = 1 << 24  # of a sample
_ALWAYS = frozenset(
    (Capability.TARGETS, Capability.STEPS, Capability.COLUMN_RANGES, Capability.ENTRIES, Capability.DIGESTS)
)
_OBJECTIVES = {_core.Source32: _core.Objective32, _core.Source64: _core.Objective64}


def native_objective(source: Any, terms: Terms) -> Any:
    """Return the native objective over a source of `_core`."""
    loss, intercept, l1, l2, n_scores, parameters, scaling, constant, factors, row_offsets = terms
    if scaling is not None:
        source = _core.standardised_source(source, *scaling)
    kind = _OBJECTIVES[type(source)]
    return kind(source, loss, intercept, l1, l2, n_scores, dict(parameters), constant, factors, row_offsets)


class Held:
    """What the shape of X and its storage tell, wherever it is held. `Data` describes the members."""

    X: Any
    targets: Any
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

    @property
    def target_facts(self) -> None:
        """None, as the targets are at hand."""
        return None

    def check_targets(self, check: Callable[[Any], None]) -> None:
        check(self.targets)

    def bind_some(self, index: NDArray[Any], weight_sum: float, terms: Terms) -> Any:
        data: Any = self
        return data.taken(index, weight_sum).bind(terms)


@dataclass(frozen=True, eq=False)
class HostRows(Held):
    """Rows in host memory, which are used in place. `Data` describes the members."""

    X: Any
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    weight_sum: float

    @cached_property
    def storage(self) -> str:
        return dtype_name(self.X.dtype)

    @cached_property
    def least_weight(self) -> float:
        if self.weights is None:
            return 1.0
        return min(float(np.min(part, where=part > 0, initial=np.inf)) for _, part in blocks_of(self.weights))

    @property
    def device(self) -> None:
        return None

    def digests(self) -> dict[str, str]:
        weights = "none" if self.weights is None else digest_of(self.weights)
        return {"X": digest_of(self.X), "y": digest_of(self.targets), "sample_weight": weights}

    @property
    def source(self) -> Any:
        """A source of `_core` over these rows."""
        raise NotImplementedError

    def bind(self, terms: Terms) -> Any:
        return native_objective(self.source, terms)

    def column_statistics(self) -> Any:
        return in_reach(self.source.column_statistics(), self.X, self.weights)

    def taken(self, index: NDArray[Any], weight_sum: float | None = None) -> HostRows:
        raise NotImplementedError

    def with_targets(self, targets: NDArray[Any]) -> Self:
        return dataclasses.replace(self, targets=targets)

    def shifted(self, target: float) -> Self:
        return self.with_targets((self.targets - target).astype(self.targets.dtype))

    def with_weights(self, weights: NDArray[Any], weight_sum: float) -> Self:
        return dataclasses.replace(self, weights=weights, weight_sum=weight_sum)

    def of_rows(self, index: NDArray[Any], weight_sum: float | None) -> tuple[NDArray[Any], NDArray[Any] | None, float]:
        """Return the targets and the weights of some rows, and the sum of these weights if no other is given."""
        weights = None if self.weights is None else self.weights[index]
        if weight_sum is None:
            weight_sum = float(len(index)) if weights is None else float(weights.sum(dtype=np.float64))
        return self.targets[index], weights, weight_sum


@dataclass(frozen=True, eq=False)
class CompressedRows(HostRows):
    """Rows that are made dense by blocks alone, and only where their columns are few."""

    @classmethod
    def checked(cls, X: Any, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> Self:
        """Check the targets and the weights of an X, and return them as data."""
        stored = dtype_name(X.dtype)
        check_column("y", y, len(X), stored, library_of(given[1]))
        total = float(len(X))
        if weight is not None:
            check_column("sample_weight", weight, len(X), stored, library_of(given[2]))
            total = check_weight_sum(float(weight.min()), float(weight.sum(dtype=np.float64)))
        return cls(X, y, weight, total)

    def supports(self, capability: Capability) -> bool:
        if capability == Capability.ROWS:
            return self.n_features <= _DENSE_COLUMNS
        return capability in _ALWAYS

    def compressed(self, index: NDArray[Any]) -> CSRView:
        """Return a copy of some rows as a CSR matrix."""
        raise NotImplementedError

    def column_ranges(self, some: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.compressed(np.flatnonzero(some)).column_ranges()

    def entries(self, index: NDArray[Any]) -> Entries:
        X = self.compressed(index)
        return Entries(X.rows_of_entries(), X.indices.astype(np.int64, copy=False), X.widened.astype(np.float64))

    def column_statistics(self) -> Any:
        return self._statistics

    @cached_property
    def _statistics(self) -> Any:
        """Kept, since methods ask several times, and it costs some passes."""
        found = in_reach(self.source.column_statistics(), self.X, self.weights)
        for each in found:
            each.flags.writeable = False
        return found

    def may_be_dense(self, n: int) -> bool:
        """Return whether so many rows may be made dense at once."""
        return self.n_features <= _DENSE_COLUMNS and n * self.n_features <= _DENSE_ELEMENTS

    def largest(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.X.largest(self.weights)
        return found

"""`DeviceHeld`: what dense and sparse rows in a device's memory both tell methods on the host: weights and targets."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import DeviceArray
from ..arrays.interop import DeviceView, as_native
from ..parts.facts import TargetFacts
from .device_columns import check_there
from .held import Held
from .offset import labels_of

__all__ = ["DeviceHeld", "facts_of"]

Vector = NDArray[np.float64]
_TARGETS = 4096  # in the sample of the facts
_SORTED, _BLOCK = 1 << 16, 1 << 20  # targets that are sorted, and that are added up at a time


@dataclass(frozen=True, eq=False)
class DeviceHeld(Held):
    """Rows on a CUDA device, for methods whose parameters are NumPy arrays. `Data` describes the members.

    The targets are known by their facts, for which they are copied to the host once.
    """

    X: Any
    given_targets: DeviceView
    given_weights: DeviceView | None
    weight_sum: float
    are_coded: bool = False
    targets: None = field(default=None, init=False)
    weights: None = field(default=None, init=False)
    device: None = field(default=None, init=False)
    passes_on_device: bool = field(default=True, init=False)

    @property
    def largest_unit(self) -> float:
        """The largest scale of a column with which they can be bound. The smallest one is its inverse."""
        raise NotImplementedError

    @cached_property
    def least_weight(self) -> float:
        weight = self._host_weights()
        return 1.0 if weight is None else float(np.min(weight, where=weight > 0, initial=np.inf))

    @cached_property
    def target_facts(self) -> TargetFacts:  # type: ignore[override]
        """What is known of the targets. Of many, the values are those of some, and the smallest and the largest."""
        y, weight = self.copies()
        return facts_of(labels_of(y) if self.are_coded else y, weight)

    def copies(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return copies of the targets, and of the weights, in the host's memory."""
        check_there("y", self.given_targets)
        return self.given_targets.numpy(), self._host_weights()

    def _host_weights(self) -> NDArray[Any] | None:
        check_there("sample_weight", self.given_weights)
        return None if self.given_weights is None else self.given_weights.numpy()

    def measured_columns(self) -> tuple[Vector, Vector]:
        """Return the mean and the standard deviation of each column, measured now."""
        raise NotImplementedError

    @cached_property
    def _statistics(self) -> tuple[Vector, Vector]:
        """Kept, since methods ask several times, and it costs a pass."""
        return self.measured_columns()

    def column_statistics(self) -> tuple[Vector, Vector]:
        mean, deviation = self._statistics
        return mean.copy(), deviation.copy()

    def shifted(self, target: float) -> Self:
        """Return the same rows, with a number subtracted from the targets, which are copied on the device."""
        check_there("y", self.given_targets)
        y = self.given_targets.numpy()
        moved = as_native("y", DeviceArray.from_numpy((y - target).astype(y.dtype), self.given_targets.device))
        found = dataclasses.replace(self, given_targets=moved)
        if "_statistics" in self.__dict__:
            found.__dict__["_statistics"] = self._statistics
        return found


def facts_of(y: NDArray[Any], weight: NDArray[Any] | None) -> TargetFacts:
    """Return the facts of targets on the host; of many, without sorting them.

    The sample is of rows that have a weight. The values are those of the sample, and the ends of all targets and of
    those that have a weight. The total of an end is that of all rows that have it; the totals of the others are those
    of the sample.
    """
    present, own_weights = y, weight
    if weight is not None and weight.any() and not weight.all():
        present, own_weights = y[weight > 0], weight[weight > 0]
    some, sums = slice(None, None, max(1, len(present) // _TARGETS)), np.zeros(4)
    sample = present[some].astype(np.float64)
    weights = np.ones(len(sample)) if own_weights is None else own_weights[some].astype(np.float64)
    if len(y) <= _SORTED:
        return dataclasses.replace(TargetFacts.of(y, weight), sample=sample, sample_weights=weights)
    with np.errstate(over="ignore", invalid="ignore"):
        for first in range(0, len(y), _BLOCK):
            part = y[first : first + _BLOCK].astype(np.float64)
            own = np.ones(len(part)) if weight is None else weight[first : first + _BLOCK].astype(np.float64)
            sums += [own.sum(), (own * part).sum(), (own * part * part).sum(), (own * own).sum()]
    ends = np.unique([y.min(), y.max(), present.min(), present.max()])
    found = TargetFacts.of(
        np.concatenate([sample, ends.astype(np.float64)]), np.concatenate([weights, np.zeros(len(ends))])
    )
    for end in ends:
        of_end = y == end
        found.totals[found.values == end] = np.sum(of_end if weight is None else weight[of_end], dtype=np.float64)
    return dataclasses.replace(found, sums=sums, sample=sample, sample_weights=weights)

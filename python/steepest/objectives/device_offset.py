"""Offsets of rows in a CUDA device's memory: the host makes the targets and weights that take them up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ..arrays.device import DeviceArray
from ..arrays.device_checks import check_device_column
from ..arrays.interop import DeviceView, as_native
from .device_columns import check_there

__all__ = ["taken_up_there"]


@dataclass(frozen=True, eq=False)
class _Copies:
    """The targets and weights of rows, on the host."""

    targets: NDArray[Any]
    weights: NDArray[Any] | None
    weight_sum: float

    def with_targets(self, targets: NDArray[Any]) -> _Copies:
        return dataclasses.replace(self, targets=targets)

    def with_weights(self, weights: NDArray[Any], weight_sum: float) -> _Copies:
        return dataclasses.replace(self, weights=weights, weight_sum=weight_sum)


def taken_up_there(
    X: DeviceView,
    y: DeviceView,
    weight: DeviceView | None,
    weight_sum: float,
    offset: Any,
    take_up: Callable[[Any, NDArray[Any]], tuple[Any, float]],
) -> tuple[DeviceView, DeviceView | None, float]:
    """Return targets and weights on the device that have taken up offsets, and a constant to add to the mean loss.

    Raises
    ------
    TypeError, ValueError
        The offsets are not a finite vector on the device of X, with an element for each row.
    """
    there = as_native("offset", offset)
    check_device_column("offset", there, X)
    check_there("y", y)
    check_there("sample_weight", weight)
    copies = _Copies(y.numpy(), None if weight is None else weight.numpy(), weight_sum)
    made, constant = take_up(copies, there.numpy())

    def placed(name: str, array: NDArray[Any]) -> DeviceView:
        found: DeviceView = as_native(name, DeviceArray.from_numpy(array, X.device))
        return found

    weights = weight if made.weights is copies.weights else placed("sample_weight", made.weights)
    return placed("y", made.targets), weights, constant

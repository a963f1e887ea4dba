"""Data in dense arrays in a device's memory, used in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device_checks import check_device_data, check_device_weights
from ..arrays.interop import DeviceView
from .device_converting import ConvertingDeviceObjective
from .device_objective import DeviceObjective
from .device_offset import taken_up_there
from .device_rows import DeviceRows
from .device_softmax import DeviceSoftmaxObjective
from .held import Held
from .protocol import Capability
from .source import Terms

__all__ = ["DeviceData"]


@dataclass(frozen=True, eq=False)
class DeviceData(Held):
    """Views of a CUDA device's memory. `Data` describes the members.

    Attributes
    ----------
    are_coded : bool
        Whether the targets are offsets that have labels in their last bits: see `coded`.
    """

    X: DeviceView
    targets: DeviceView
    weights: DeviceView | None
    weight_sum: float
    are_coded: bool = False

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

    @cached_property
    def on_host(self) -> DeviceRows:
        """The same rows as methods on the host see them."""
        return DeviceRows(self.X, self.targets, self.weights, self.weight_sum, self.are_coded)

    def with_offset(
        self, offset: Any, take_up: Callable[[Any, Any], tuple[Any, float]], are_labels: bool
    ) -> tuple[DeviceData, float]:
        """Return data that have taken up offsets, which lie on the device, and a constant to add to the mean loss."""
        own = self.X, self.targets, self.weights, self.weight_sum
        targets, weights, constant = taken_up_there(*own, offset, take_up)
        return dataclasses.replace(self, targets=targets, weights=weights, are_coded=are_labels), constant

    def supports(self, capability: Capability) -> bool:
        return capability == Capability.STEPS

    def bind(self, terms: Terms) -> DeviceObjective:
        def host() -> Any:
            return self.on_host.bind(terms)

        if terms.scaling is not None or terms.penalty_weight is not None or terms.constant != 0.0:
            return ConvertingDeviceObjective(self.X, self.targets, self.weights, terms, host)
        if terms.n_scores > 1:
            return DeviceSoftmaxObjective(self.X, self.targets, self.weights, self.weight_sum, terms, host)
        return DeviceObjective(
            terms.loss, self.X, self.targets, self.weights, self.weight_sum, terms.intercept, terms.l1, terms.l2,
            loss_parameters=dict(terms.loss_parameters), host=host,
        )  # fmt: skip

    def column_statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.on_host.column_statistics()

"""Objectives on a device whose parameters and sums the host converts, as it does for a centre and a scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ..arrays.device import DeviceArray, arithmetic_dtype, backend
from ..arrays.interop import DeviceView
from .device_objective import DeviceObjective
from .protocol import Capability
from .source import Terms

__all__ = ["ConvertingDeviceObjective"]


class ConvertingDeviceObjective(DeviceObjective):
    """The native objective of arrays on a device with a scaling, factors of penalties, or a constant beside the loss.

    Passes run on the device. Parameters and sums go through the host. So there is no objective of the CUDA module,
    whose loop takes mini-batch steps.
    """

    kind_of_rows = " with centre and scale, penalty_weight or exposures,"
    native = None
    takes_steps = False

    def __init__(
        self, X: DeviceView, y: DeviceView, weight: DeviceView | None, terms: Terms, host: Callable[[], Any]
    ) -> None:
        self._kept = {"X": X, "y": y, "sample_weight": weight}
        self.device, self.stream, self._library = X.device, X.stream, X.library
        self.dtype = arithmetic_dtype(X.dtype)
        self.n_parameters = terms.n_scores * (X.shape[1] + terms.intercept)
        self._make_host = host
        assert self.host is not None  # made now, since a scaling that would lose digits is refused

    def supports(self, capability: str) -> bool:
        """Return whether the native objective has a capability."""
        return capability != Capability.BATCHES and super().supports(capability)

    def value(self, w: Any) -> float:
        return float(self.host.value(self._here("w", w)))

    def value_and_gradient(self, w: Any) -> tuple[float, DeviceArray]:
        value, gradient = self.host.value_and_gradient(self._here("w", w))
        return float(value), DeviceArray.from_numpy(gradient, self.device)

    def value_and_gradient_into(self, w: Any, out: Any) -> float:
        point, target = self._here("w", w), self._target(w, out)
        value, gradient = self.host.value_and_gradient(point)
        backend().copy_to_device(gradient, target, self.device, self.stream)
        return float(value)

    def hessian_product(self, w: Any, v: Any) -> DeviceArray:
        found = self.host.hessian_product(self._here("w", w), self._here("v", v))
        return DeviceArray.from_numpy(found, self.device)

    def _here(self, name: str, array: Any) -> NDArray[Any]:
        """Return a NumPy copy of a vector, once it is checked."""
        self._checked(name, array)
        return array.numpy()  # type: ignore[no-any-return]

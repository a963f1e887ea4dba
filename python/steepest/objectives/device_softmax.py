"""The native objective of the softmax loss over dense arrays on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arrays.device import arithmetic_dtype, backend
from ..arrays.interop import DeviceView
from .device_objective import DeviceObjective
from .protocol import Capability
from .source import Terms

__all__ = ["DeviceSoftmaxObjective", "native_softmax"]


def native_softmax(
    X: DeviceView, y: DeviceView, weight: DeviceView | None, weight_sum: float, terms: Terms, intercept: bool
) -> Any:
    """Return the objective of the CUDA module; the intercept and the penalty need not be those of the terms."""
    pointers = y.pointer, 0 if weight is None else weight.pointer
    return backend().SoftmaxObjective(
        X.dtype, X.pointer, *X.shape, X.c_contiguous, *pointers, weight_sum, terms.n_scores, intercept, terms.l1,
        terms.l2, X.device, X.stream,
    )  # fmt: skip


class DeviceSoftmaxObjective(DeviceObjective):
    """The native objective of `Softmax` over arrays on a device.

    Its value, its gradient and products with its Hessian come from passes on the device, between arrays there. The loop
    of a run, which changes the parameters, is on the host.
    """

    takes_steps = False

    def __init__(
        self,
        X: DeviceView,
        y: DeviceView,
        weight: DeviceView | None,
        weight_sum: float,
        terms: Terms,
        host: Callable[[], Any],
    ) -> None:
        self._kept = {"X": X, "y": y, "sample_weight": weight}
        self._make_host = host
        self.device, self.stream, self._library = X.device, X.stream, X.library
        self.dtype = arithmetic_dtype(X.dtype)
        self.n_parameters = terms.n_scores * (X.shape[1] + terms.intercept)
        self.native = native_softmax(X, y, weight, weight_sum, terms, terms.intercept)

    def supports(self, capability: str) -> bool:
        """Return whether the native objective has a capability."""
        return capability != Capability.BATCHES and super().supports(capability)

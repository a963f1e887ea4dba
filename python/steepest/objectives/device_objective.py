"""Objectives of arrays in device memory. Their methods call the CUDA module and return when the result is ready."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from ..arrays.device import DeviceArray, arithmetic_dtype, backend, reused
from ..arrays.device_checks import check_device_vector
from ..arrays.device_streams import as_stream, is_elsewhere, lasts
from ..arrays.interop import DeviceView, as_native
from .protocol import Capability
from .source import Terms

__all__ = ["DeviceObjective", "check_on_device"]

_CAPABILITIES = frozenset(
    (
        Capability.BATCHES,
        Capability.CURVATURE,
        Capability.CONSTRAINT,
        Capability.STARTS,
        Capability.HESSIAN,
        Capability.COLUMN_STATISTICS,
    )
)


def check_on_device(terms: Terms) -> None:
    """Raise NotImplementedError if the kernels of sparse rows on a device do not know a term."""
    if terms.n_scores > 1:
        raise NotImplementedError(
            "Softmax is not implemented for sparse rows on a CUDA device; make the objective from a matrix in the "
            "host's memory, or from dense rows on the device"
        )
    if terms.penalty_weight is not None:
        raise NotImplementedError(
            "penalty_weight is not implemented for sparse rows on a CUDA device; make the objective from a matrix in "
            "the host's memory"
        )


class DeviceObjective:
    """The native objective of arrays on a device. It has the public methods of the native objectives of the CPU.

    ``host`` makes the native objective of the CPU whose passes run on the device.
    """

    kind_of_rows = ""
    takes_steps = True  # whether the CUDA module has a loop that takes the steps of a run

    def __init__(
        self,
        loss: str,
        X: DeviceView,
        y: DeviceView,
        weight: DeviceView | None,
        weight_sum: float,
        intercept: bool,
        l1: float,
        l2: float,
        scaling: Any = None,
        loss_parameters: dict[str, float] | None = None,
        host: Callable[[], Any] | None = None,
    ) -> None:
        self._check_scaling(scaling)
        self._make_host = host
        self._kept = {"X": X, "y": y, "sample_weight": weight}
        self.device, self.stream, self._library = X.device, X.stream, X.library
        self.dtype = arithmetic_dtype(X.dtype)
        self.n_parameters = X.shape[1] + intercept
        rows, columns = X.shape
        pointers = y.pointer, 0 if weight is None else weight.pointer
        self.native = backend().Objective(
            loss, X.dtype, X.pointer, rows, columns, X.c_contiguous, *pointers, weight_sum, intercept, l1, l2,
            X.device, X.stream, loss_parameters=loss_parameters or {},
        )  # fmt: skip

    @staticmethod
    def _check_scaling(scaling: Any) -> None:
        if scaling is not None:
            raise NotImplementedError(
                "centre and scale are not implemented for sparse rows on a CUDA device; make the objective from a "
                "matrix in the host's memory"
            )

    def supports(self, capability: str) -> bool:
        """Return whether the native objective has a capability."""
        return capability in _CAPABILITIES

    @cached_property
    def host(self) -> Any:
        """The native objective of the CPU whose passes run on the device."""
        assert self._make_host is not None
        return self._make_host()

    def check_memory(self) -> None:
        """Raise an error if the data were freed, or if the stream is captured into a CUDA graph.

        Without the first check, the device itself would fail for good. In a capture, no number can come back. If the
        stream is another thread's own, its work is waited for, and this thread's own stream is the next.
        """
        if is_elsewhere(self.stream):
            backend().wait_for_device(self.device)
            self.stream = as_stream(int(self.stream))
        backend().refuse_capture("a pass over the data", self.device, self.stream)
        for name, array in self._kept.items():
            if array is not None:
                backend().check_pointer(name, array.pointer, self.device)

    def _checked(self, name: str, array: Any) -> int:
        self.check_memory()
        check_device_vector(name, array, self.n_parameters, self.dtype, self.device, self._library)
        if array.stream != self.stream:
            array.wait()
        return int(array.pointer)

    def value(self, w: Any) -> float:
        """Return the objective at w."""
        return float(self.native.value(self._checked("w", w)))

    def value_and_gradient(self, w: Any) -> tuple[float, DeviceArray]:
        """Return the objective at w and its gradient, on the device."""
        pointer = self._checked("w", w)
        gradient = self._result()
        return float(self.native.value_and_gradient(pointer, gradient.pointer)), gradient

    def value_and_gradient_into(self, w: Any, out: Any) -> float:
        """Write the gradient at w into a vector on the device, and return the objective."""
        pointer, target = self._checked("w", w), self._target(w, out)
        return float(self.native.value_and_gradient(pointer, target))

    def _target(self, w: Any, out: Any) -> int:
        """Return the address of a vector that a gradient at w may be written to."""
        target = self._checked("out", out)
        if out.read_only:
            raise ValueError("out must be writeable, got a read-only array")
        for name, array in (("w", w), *self._arrays()):
            if array.pointer < target + out.n_bytes and target < array.pointer + array.n_bytes:
                raise ValueError(f"out must not overlap {name}")
        return target

    def _arrays(self) -> list[tuple[str, DeviceView]]:
        """Return the arrays of the data by their names."""
        return [(name, array) for name, array in self._kept.items() if array is not None]

    def _result(self) -> DeviceArray:
        """Return memory for a vector of parameters, used again where its stream lasts."""
        shape, dtype = (self.n_parameters,), self.dtype.name
        if lasts(self.stream, self._library):
            return reused(shape, dtype, self.device, self.stream)
        return DeviceArray(shape, dtype, self.device)

    def hessian_product(self, w: Any, v: Any) -> DeviceArray:
        """Return the Hessian at w times v, on the device."""
        pointers = self._checked("w", w), self._checked("v", v)
        product = self._result()
        self.native.hessian_product(*pointers, product.pointer)
        return product

    def hessian(self, w: Any) -> DeviceArray:
        """Return the Hessian at w, on the device."""
        self._checked("w", w)
        return DeviceArray.from_numpy(self.host.hessian(w.numpy()), self.device)

    def start(self, w0: Any, name: str = "w0") -> NDArray[Any]:
        """Return a NumPy copy of parameters that are on the device."""
        w0 = as_native(name, w0)
        check_device_vector(name, w0, self.n_parameters, self.dtype, self.device, self._library)
        return w0.numpy()  # type: ignore[no-any-return]

"""Data in sparse rows (CSR) in a device's memory, used in place, and their objectives."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import DeviceArray, backend
from ..arrays.device_checks import check_device_column, check_device_weights
from ..arrays.device_sparse import DeviceCSRView
from ..arrays.interop import DeviceView
from .device_objective import DeviceObjective, check_on_device
from .device_sparse_rows import DeviceSparseRows
from .held import Held
from .protocol import Capability
from .source import Terms

__all__ = ["DeviceSparseData", "DeviceSparseObjective"]


@dataclass(frozen=True, eq=False)
class DeviceSparseData(Held):
    """Views of a CSR matrix on a CUDA device. `Data` describes the members.

    Rows by number and Hessians are not implemented there.
    """

    X: DeviceCSRView
    targets: DeviceView
    weights: DeviceView | None
    weight_sum: float
    kind_of_rows: ClassVar[str] = " of sparse rows"

    @classmethod
    def checked(cls, X: DeviceCSRView, y: Any, weight: Any, given: tuple[Any, Any, Any]) -> DeviceSparseData:
        """Check the targets and the weights of a sparse X, and return them as data."""
        check_device_column("y", y, X)
        return cls(X, y, weight, float(X.shape[0]) if weight is None else check_device_weights(weight, X))

    @property
    def n_elements(self) -> int:
        return self.X.n_entries

    @property
    def storage(self) -> str:
        return self.X.dtype

    @property
    def device(self) -> int:
        return self.X.device

    def supports(self, capability: Capability) -> bool:
        return capability == Capability.STEPS

    @cached_property
    def on_host(self) -> DeviceSparseRows:
        """The same rows as methods on the host see them."""

        def make(terms: Terms, targets: DeviceView, weight_sum: float) -> DeviceSparseObjective:
            return DeviceSparseObjective(dataclasses.replace(self, targets=targets, weight_sum=weight_sum), terms)

        return DeviceSparseRows(self.X, self.targets, self.weights, self.weight_sum, make=make)

    def bind(self, terms: Terms) -> DeviceSparseObjective:
        return DeviceSparseObjective(self, terms)

    def column_statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.on_host.column_statistics()


class DeviceSparseObjective(DeviceObjective):
    """The native objective of sparse rows on a device.

    X is not copied. The objective takes 24 bytes a column, 8 bytes a row (16 once a Hessian product was asked for), and
    8 bytes for 1,024 entries. Sums over columns are made of integers, so that the order of their terms changes no bit.
    A value of X that later grows beyond its column's largest is an error.

    Notes
    -----
    Each entry is added to its column's sum atomically. How fast this is on a GPU was not measured.
    """

    def __init__(self, data: DeviceSparseData, terms: Terms) -> None:
        X, y, weight = data.X, data.targets, data.weights
        check_on_device(terms)
        self._check_scaling(terms.scaling)
        self._X = X
        self._kept = {"y": y, "sample_weight": weight}
        self.device, self.stream, self._library = X.device, X.stream, X.library
        self.dtype = data.dtype
        self.n_parameters = X.shape[1] + terms.intercept
        self.native = backend().SparseObjective(
            X.dtype, X.native(), y.pointer, 0 if weight is None else weight.pointer, data.weight_sum, terms.loss,
            dict(terms.loss_parameters), terms.intercept, terms.l1, terms.l2, self.device, self.stream,
        )  # fmt: skip

    def supports(self, capability: str) -> bool:
        """Return whether the native objective has a capability."""
        return capability in (Capability.CURVATURE, Capability.COLUMN_STATISTICS)

    def check_memory(self) -> None:
        """Raise an error if the data were freed."""
        self._X.check_memory()
        super().check_memory()

    def _arrays(self) -> list[tuple[str, DeviceView]]:
        of_X = [(f"{name} of X", getattr(self._X, name)) for name in ("data", "indices", "indptr")]
        return [*of_X, *super()._arrays()]

    def hessian_product(self, w: Any, v: Any) -> DeviceArray:
        """Return the Hessian at w times v, on the device."""
        pointers = self._checked("w", w), self._checked("v", v)
        product = self._result()
        self.native.hessian_product(*pointers, product.pointer)
        return product

    def hessian(self, w: Any) -> NoReturn:
        """Raise NotImplementedError."""
        raise NotImplementedError(
            "the Hessian of an objective of sparse rows on a CUDA device is not implemented; use hessian_product, or "
            "make the objective from a sparse matrix in the host's memory"
        )

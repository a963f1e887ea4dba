"""`DeviceSparseRows`: sparse rows in a device's memory as methods on the host see them. Passes run on the device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.device import DeviceArray
from ..arrays.device_sparse import DeviceCSRView
from ..arrays.interop import as_native
from .device_columns import check_there, device_sparse_statistics
from .device_held import DeviceHeld
from .held import native_objective
from .protocol import Capability
from .scaling import LARGEST_UNIT
from .source import Terms

__all__ = ["DeviceSparseRows"]


@dataclass(frozen=True, eq=False)
class DeviceSparseRows(DeviceHeld):
    """Sparse rows on a CUDA device, for methods whose parameters are NumPy arrays. `Data` describes the members.

    They have passes, and statistics of their columns, for which X is copied to the host once. A pass copies the
    parameters to the device and its sums to the host.

    Attributes
    ----------
    make : callable
        Makes the native objective of the device for some terms, with these targets, divided by another sum of the
        weights.
    """

    X: DeviceCSRView
    make: Any = field(kw_only=True)

    @property
    def n_elements(self) -> int:
        return self.X.n_entries

    @property
    def storage(self) -> str:
        return self.X.dtype

    @property
    def largest_unit(self) -> float:
        return LARGEST_UNIT[self.dtype.itemsize]

    def supports(self, capability: Capability) -> bool:
        return capability == Capability.STEPS

    def bind(self, terms: Terms) -> Any:
        self.X.check_memory()
        check_there("y", self.given_targets)
        check_there("sample_weight", self.given_weights)
        intercept = terms.intercept or terms.scaling is not None
        own = terms._replace(intercept=intercept, l1=0.0, l2=0.0, scaling=None, penalty_weight=None)
        plain = self.make(own, self.given_targets, 1.0)
        d = self.n_features

        def there(name: str, w: NDArray[Any]) -> Any:
            return as_native(name, DeviceArray.from_numpy(w, self.X.device))

        def add_up(work: str, w: NDArray[Any], v: NDArray[Any] | None = None) -> Any:
            value, at = 0.0, there("w", w)
            if v is None:
                value, found = plain.value_and_gradient(at)
            else:
                found = plain.hessian_product(at, there("v", v))
            sums = np.zeros(d + 1)
            sums[: len(w)] = found.numpy()
            return self.weight_sum, value, sums[d:], sums[None, :d]

        shape = self.n_samples, d, self.n_elements
        capabilities = [Capability.COLUMN_STATISTICS.value]
        source = _core.parts_source(self.dtype.name, *shape, self.weight_sum, capabilities, add_up)
        return native_objective(source, terms)

    def measured_columns(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return device_sparse_statistics(self.X, self.given_weights)

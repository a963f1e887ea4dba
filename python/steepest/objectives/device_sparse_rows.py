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
from .held import Held, native_objective
from .protocol import Capability
from .source import Terms

__all__ = ["DeviceSparseRows"]


@dataclass(frozen=True, eq=False)
class DeviceSparseRows(Held):
    """Sparse rows on a CUDA device, for methods whose parameters are NumPy arrays. `Data` describes the members.

    They have passes and nothing else. A pass copies the parameters to the device and its sums to the host.

    Attributes
    ----------
    make : callable
        Makes the native objective of the device for some terms, divided by another sum of the weights.
    """

    X: DeviceCSRView
    weight_sum: float
    make: Any
    targets: None = field(default=None, init=False)
    weights: None = field(default=None, init=False)
    device: None = field(default=None, init=False)
    passes_on_device: bool = field(default=True, init=False)

    @property
    def n_elements(self) -> int:
        return self.X.n_entries

    @property
    def storage(self) -> str:
        return self.X.dtype

    def supports(self, capability: Capability) -> bool:
        return capability == Capability.STEPS

    def bind(self, terms: Terms) -> Any:
        plain = self.make(terms._replace(l1=0.0, l2=0.0, scaling=None, penalty_weight=None), 1.0)
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
        source = _core.parts_source(self.dtype.name, *shape, self.weight_sum, [], add_up)
        return native_objective(source, terms)

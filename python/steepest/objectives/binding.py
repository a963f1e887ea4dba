"""Which native class an objective of data has, and the sum of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..arrays.checks import check_weights
from ..arrays.device import BFLOAT16
from ..arrays.device_checks import check_device_weights
from ..arrays.interop import DeviceView
from .device_objective import DeviceObjective

__all__ = ["native_class", "weight_sum_of"]

_ON_HOST = {
    np.dtype(np.float32): _core.Objective32,
    np.dtype(np.float64): _core.Objective64,
    np.dtype(np.float16): _core.Objective32,
    BFLOAT16: _core.Objective32,
}


def native_class(X: Any) -> Any:
    """Return the class of the native objective of X, by where it is and its dtype."""
    return DeviceObjective if isinstance(X, DeviceView) else _ON_HOST[X.dtype]


def weight_sum_of(weight: Any, X: Any, library: str) -> float:
    """Check the weights of the rows of X, made by a library, and return their sum; the rows' number for None."""
    if weight is None:
        return float(X.shape[0])
    return check_device_weights(weight, X) if isinstance(X, DeviceView) else check_weights(weight, X, library)

"""The native class for an objective of data, and the checked sum of its weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from ..arrays.checks import check_weights
from ..arrays.device import STORAGES, arithmetic_dtype, numpy_dtype
from ..arrays.device_checks import check_device_weights
from ..arrays.interop import DeviceView
from .device_objective import DeviceObjective

__all__ = ["native_class", "weight_sum_of"]

_BY_ARITHMETIC = {np.dtype(np.float32): _core.Objective32, np.dtype(np.float64): _core.Objective64}
_ON_HOST = {numpy_dtype(name): _BY_ARITHMETIC[arithmetic_dtype(name)] for name in STORAGES}


def native_class(X: Any) -> Any:
    """Return the native class for X. It depends on the dtype of X and on the memory that holds it."""
    return DeviceObjective if isinstance(X, DeviceView) else _ON_HOST[X.dtype]


def weight_sum_of(weight: Any, X: Any, library: str) -> float:
    """Check the row weights and return their sum. For None it is the number of rows.

    ``library`` is the library that made the weights; errors name it.
    """
    if weight is None:
        return float(X.shape[0])
    return check_device_weights(weight, X) if isinstance(X, DeviceView) else check_weights(weight, X, library)

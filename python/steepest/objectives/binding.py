"""The kinds of data: for each type that X may have, how it becomes the `Data` of an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..arrays.interop import DeviceView, as_native
from .dense import DenseData, DeviceData
from .source import Data

__all__ = ["KINDS", "data_of"]

Given: TypeAlias = tuple[Any, Any, Any]

# For each type that `as_native` makes of X, or leaves as it is: the function that checks X, y and the weights and makes
# `Data` of them, with the methods that it supports. It takes them as `as_native` returned them, and a tuple of what the
# user gave.
KINDS: dict[type, Callable[[Any, Any, Any, Given], Any]] = {
    np.ndarray: DenseData.checked,
    DeviceView: DeviceData.checked,
}


def data_of(X: Any, y: Any, sample_weight: Any) -> Data:
    """Return checked data of what a user gave."""
    given = X, y, sample_weight
    X, y, weight = (as_native(name, each) for name, each in zip(("X", "y", "sample_weight"), given, strict=True))
    # Of an X of no known type, the checks of arrays say what it should be.
    made = next((made for kind, made in KINDS.items() if isinstance(X, kind)), DenseData.checked)
    data: Data = made(X, y, weight, given)
    return data

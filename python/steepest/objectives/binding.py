"""The kinds of data: for each type that X may have, how it becomes the `Data` of an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..arrays.interop import DeviceView, as_native
from .dense import DenseData, DeviceData
from .source import Data

__all__ = ["KINDS", "data_of"]

# For each type of X that is no array: the function that checks X, y and the weights, and makes data of them.
KINDS: dict[type, Callable[[Any, Any, Any], Data]] = {}


def data_of(X: Any, y: Any, sample_weight: Any) -> Data:
    """Return checked data of what a user gave."""
    for kind, made in KINDS.items():
        if isinstance(X, kind):
            return made(X, y, sample_weight)
    return _of_arrays(X, y, sample_weight)


def _of_arrays(X: Any, y: Any, sample_weight: Any) -> Data:
    given = X, y, sample_weight
    X, y, weight = (as_native(name, array) for name, array in zip(("X", "y", "sample_weight"), given, strict=True))
    kind: Any = DeviceData if isinstance(X, DeviceView) else DenseData
    return kind.checked(X, y, weight, given)  # type: ignore[no-any-return]

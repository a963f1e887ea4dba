"""Checks of arrays in a device's memory. They are those that `checks` has for NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import STORED, check_weight_sum, describe
from .device import STORAGES, arithmetic_dtype, backend
from .device_sparse import DeviceCSRView
from .interop import DeviceView, check_place
from .remedies import as_contiguous, as_dtype, as_vector


def check_device_data(X: Any, y: Any) -> None:
    """Check that X and y can be used in place on their device."""
    check_device_matrix(X)
    check_device_column("y", y, X)


def check_device_matrix(X: Any) -> None:
    """Check that X can be used in place on its device."""
    expected = f"X must be a C- or F-contiguous array of {STORED} of two dimensions"
    if X.dtype not in STORAGES:
        raise TypeError(f"{expected}, got {describe(X)}; {as_dtype('X', 'float32', X.library)}")
    if len(X.shape) != 2:
        raise ValueError(f"{expected}, got {describe(X)}")
    if X.size == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")
    if not (X.c_contiguous or X.f_contiguous):
        raise ValueError(f"{expected}, got one with strides {X.strides}; {as_contiguous('X', X.library)}")
    backend().check_pointer("X", X.pointer, X.device)


def check_device_weights(sample_weight: Any, X: DeviceView | DeviceCSRView) -> float:
    """Check the weights of the rows and return their sum."""
    minimum, total = check_device_column("sample_weight", sample_weight, X)
    return check_weight_sum(minimum, total)


def check_device_column(name: str, array: Any, X: DeviceView | DeviceCSRView) -> tuple[float, float]:
    """Check that array is a finite vector with an element for each row of X; return its minimum and its sum."""
    why = " (the rows of X, and the dtype for this X)"
    check_device_vector(name, array, X.shape[0], arithmetic_dtype(X.dtype), X.device, X.library, why)
    at, _, minimum, total = _survey(array)
    if at < array.size:
        raise ValueError(f"{name} must be finite, got {_element(array, at)} at index {at}")
    return minimum, total


def check_device_labels(y: DeviceView) -> None:
    """Check that all targets are 0 or 1."""
    at = _survey(y)[1]
    if at < y.size:
        raise ValueError(f"y must hold the labels 0 and 1 only, got {_element(y, at)} at index {at}")


def check_device_not_negative(y: DeviceView) -> None:
    """Check that no target is below 0."""
    if _survey(y)[2] < 0:
        at = int(np.argmax(y.numpy() < 0))
        raise ValueError(f"y must hold numbers of at least 0, got {_element(y, at):g} at index {at}")


def check_device_vector(
    name: str, array: Any, n: int, dtype: np.dtype[Any], device: int, library: str, why: str = ""
) -> None:
    """Check that array is a contiguous vector of n elements of dtype on the device."""
    expected = f"{name} must be a contiguous {dtype} array of shape ({n},) on CUDA device {device}{why}"
    check_place(name, array, device, library)
    if not isinstance(array, DeviceView):
        raise TypeError(f"{expected}, got {describe(array)}")
    if array.dtype != dtype.name:
        raise TypeError(f"{expected}, got {describe(array)}; {as_dtype(name, dtype.name, array.library)}")
    if array.shape != (n,):
        raise ValueError(f"{expected}, got {describe(array)}{as_vector(name, array) * (array.size == n)}")
    if not array.c_contiguous:
        raise ValueError(f"{expected}, got one with strides {array.strides}; {as_contiguous(name, array.library)}")
    backend().check_pointer(name, array.pointer, device)


def _survey(array: DeviceView) -> tuple[int, int, float, float]:
    found = backend().survey(array.dtype, array.pointer, array.size, array.device, array.stream)
    return found  # type: ignore[no-any-return]


def _element(array: DeviceView, at: int) -> Any:
    return array.numpy()[at]


def check_step(w: Any, gradient: Any) -> None:
    """Check the parameters and the gradient of a step on a device."""
    for name, array in (("w", w), ("gradient", gradient)):
        expected = f"{name} must be a C-contiguous float32 or float64 array"
        if not isinstance(array, np.ndarray | DeviceView) or str(array.dtype) not in ("float32", "float64"):
            raise TypeError(f"{expected}, got {describe(array)}")
    device = w.device if isinstance(w, DeviceView) else None
    check_place("gradient", gradient, device, w.library if isinstance(w, DeviceView) else "numpy", "w is")
    for name, array in (("w", w), ("gradient", gradient)):
        if not array.c_contiguous:
            remedy = as_contiguous(name, array.library)
            raise ValueError(f"{name} must be C-contiguous, got strides {array.strides}; {remedy}")
        if array.size:
            backend().check_pointer(name, array.pointer, array.device)
    if w.read_only:
        raise ValueError("w must be writeable, got a read-only array")
    if gradient.dtype != w.dtype:
        raise TypeError(f"gradient must have the dtype of w ({w.dtype}), got {describe(gradient)}")
    if gradient.shape != w.shape:
        raise ValueError(f"gradient must have the shape of w {w.shape}, got {describe(gradient)}")
    if w.pointer < gradient.pointer + gradient.n_bytes and gradient.pointer < w.pointer + w.n_bytes:
        raise ValueError("gradient must not overlap w")

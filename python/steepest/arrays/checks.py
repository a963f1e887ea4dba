"""Checks of arguments. Each error names the argument, what was expected and what came."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .device import BFLOAT16, STORAGES, arithmetic_dtype, dtype_name, numpy_dtype
from .interop import DeviceView, as_native, check_place, library_of
from .remedies import as_array, as_contiguous, as_copy, as_numbers, as_vector

Expected: TypeAlias = Callable[[], str]  # what was expected, in words, which take longer than most checks

_BLOCK = 1 << 16
_MOST = 2**63 - 1  # the largest integer that the native code and NumPy take
_MANY_CLASSES = 100  # more different targets than that are numbers rather than classes
_LONG = 80  # a message shows at most so many characters of a value
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
_STORAGES = tuple(numpy_dtype(name) for name in STORAGES)
STORED = f"{', '.join(STORAGES[:-1])} or {STORAGES[-1]}"


def describe(value: Any) -> str:
    """Return a description of a value for an error message: what came."""
    if isinstance(value, np.ndarray):
        return f"{'bfloat16' if value.dtype == BFLOAT16 else value.dtype} of shape {value.shape}"
    if isinstance(value, DeviceView):
        return f"{value.dtype} of shape {value.shape} on CUDA device {value.device}"
    kind = type(value).__name__
    return f"{shown(value)} ({kind})" if value is None or isinstance(value, Real | str) else kind


def shown(value: Any) -> str:
    """Return the repr of a number or a text; a long one is shortened."""
    try:
        text = repr(value)
    except ValueError:  # by default Python writes no integer of more than 4,300 digits
        return f"a {type(value).__name__} of more than {sys.get_int_max_str_digits()} digits"
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}... ({len(text)} characters)"


def check_number(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """Return a finite number within the bounds, as a float."""

    def expected() -> str:
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"of at least {least:g}"] * (least > -math.inf)
        bounds += [f"below {below:g}"] * (below < math.inf) + [f"at most {most:g}"] * (most < math.inf)
        return f"{name} must be a finite number {' and '.join(bounds)}".rstrip()

    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):  # the latter takes long
        raise TypeError(f"{expected()}, got {describe(value)}")
    try:
        number = float(value)
    except OverflowError:  # an integer or a fraction above the largest float
        raise ValueError(f"{expected()}, got {shown(value)}") from None
    if not (math.isfinite(number) and above < number < below and least <= number <= most):
        raise ValueError(f"{expected()}, got {shown(value)}")
    return number


def check_count(name: str, value: Any, least: int, most: int | None = None) -> int:
    """Return an integer within the bounds, as an int."""

    def expected() -> str:
        return f"{name} must be an integer " + (f"of at least {least}" if most is None else f"from {least} to {most}")

    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, Integral)):
        raise TypeError(f"{expected()}, got {describe(value)}")
    count = int(value)
    if count < least or (most is not None and count > most):
        raise ValueError(f"{expected()}, got {shown(value)}")
    if count > _MOST:
        raise ValueError(f"{expected()} and at most {_MOST}, got {shown(value)}")
    return count


def check_flag(name: str, value: Any) -> bool:
    """Return a flag as a bool."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {describe(value)}")
    return bool(value)


def check_alpha(value: Any) -> float:
    """Return the strength of a penalty."""
    return check_number("alpha", value, least=0.0)


def check_fraction(name: str, value: Any) -> float:
    """Return a number from 0 to 1."""
    return check_number(name, value, least=0.0, most=1.0)


def blocks_of(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield (start, part) of a vector. A check of one part at a time needs little memory."""
    for start in range(0, len(array), _BLOCK):
        yield start, array[start : start + _BLOCK]


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Check that a contiguous vector of floats holds neither nan nor infinity."""
    if may_be_finite(array):
        return
    for start, part in blocks_of(array):
        finite = np.isfinite(part)
        if not finite.all():
            at = int(np.argmin(finite))
            raise ValueError(f"{name} must be finite, got {part[at]} at index {start + at}")


def may_be_finite(array: NDArray[Any]) -> bool:
    """Return False if an array holds nan or infinity, or if its sum overflows. It is read once, by all threads."""
    return math.isfinite(_core.read_sum(array))


def _check_array(name: str, expected: Expected, array: Any) -> None:
    if isinstance(array, DeviceView):
        check_place(name, array, None, "numpy")
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{expected()}, got {describe(array)}; {as_array(name, array)}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{expected()}, got a masked array; fill or drop the masked elements")


def _check_layout(expected: Expected, name: str, array: NDArray[Any], contiguous: bool, library: str) -> None:
    if not contiguous:
        remedy = as_contiguous(name, library)
        raise ValueError(f"{expected()}, got a view with strides {array.strides}; {remedy}")
    if not array.flags.aligned:
        raise ValueError(f"{expected()}, got one that is not aligned in memory; {as_copy(name, library)}")


def check_vector(name: str, array: Any, n: int, dtype: np.dtype[Any], why: str = "", library: str = "numpy") -> None:
    """Check that array is a contiguous vector of n elements of dtype; the remedies are for its `library`."""

    def expected() -> str:
        return f"{name} must be a contiguous {dtype} array of shape ({n},){why}"

    _check_array(name, expected, array)
    if array.dtype != dtype:
        remedy = as_numbers(name, array, str(dtype), library)
        raise TypeError(f"{expected()}, got {describe(array)}; {remedy}")
    if array.shape != (n,):
        raise ValueError(f"{expected()}, got {describe(array)}{as_vector(name, array) * (array.size == n)}")
    _check_layout(expected, name, array, array.flags.c_contiguous, library)


def check_matrix(X: Any, library: str) -> None:
    """Check that X, an array of this library, can be used in place."""

    def expected() -> str:
        return f"X must be a C- or F-contiguous {STORED} NumPy array of two dimensions"

    _check_array("X", expected, X)
    if X.dtype not in _STORAGES:
        raise TypeError(f"{expected()}, got {describe(X)}; {as_numbers('X', X, 'float32', library)}")
    if X.ndim != 2:
        column = "; make it a column with X.reshape(-1, 1)" if X.ndim == 1 else ""
        raise ValueError(f"{expected()}, got {describe(X)}{column}")
    if X.size == 0:
        raise ValueError(f"X must have at least one row and one column, got shape {X.shape}")
    _check_layout(expected, "X", X, X.flags.c_contiguous or X.flags.f_contiguous, library)


def check_data(X: Any, y: Any, libraries: tuple[str, str]) -> None:
    """Check that X and y, arrays of these libraries, can be used in place."""
    check_matrix(X, libraries[0])
    check_column("y", y, X.shape[0], dtype_name(X.dtype), libraries[1])


def check_column(name: str, array: Any, n: int, stored: str, library: str) -> None:
    """Check that array is a finite vector with an element for each of the n rows of X, stored as named."""
    dtype = arithmetic_dtype(stored)
    why = (
        "the rows and the dtype of X"
        if stored == dtype_name(dtype)
        else f"the rows of X, and the dtype for a {stored} X"
    )
    check_vector(name, array, n, dtype, f" ({why})", library)
    check_finite(name, array)


def check_labels(y: NDArray[Any]) -> None:
    """Check that all targets are 0 or 1."""
    for start, part in blocks_of(y):
        wrong = (part != 0) & (part != 1)
        if wrong.any():
            at = int(np.argmax(wrong))
            got = f"got {part[at]} at index {start + at}"
            raise ValueError(f"y must hold the labels 0 and 1 only, {got}{_renumbered(y, part)}")


def _renumbered(y: NDArray[Any], wrong: NDArray[Any]) -> str:
    """Return how to get the labels 0 and 1 from two other ones, or what takes more than two; "" for numbers."""
    found = np.unique(np.concatenate([y[:_BLOCK], wrong]))
    number = f"number its labels with np.unique(y, return_inverse=True)[1].astype(np.{y.dtype})"
    if len(found) == 2:
        return f"; {number}"
    whole = (found == np.floor(found)).all() and 2 < len(found) <= _MANY_CLASSES
    return f"; st.Softmax takes more than two classes; {number}" if whole else ""


def check_not_negative(y: NDArray[Any]) -> None:
    """Check that no target is below 0."""
    for start, part in blocks_of(y):
        if part.min() < 0:
            at = int(np.argmax(part < 0))
            raise ValueError(f"y must hold numbers of at least 0, got {part[at]:g} at index {start + at}")


def check_weights(sample_weight: Any, X: Any, library: str) -> float:
    """Check the weights of the rows and return their sum."""
    check_column("sample_weight", sample_weight, X.shape[0], dtype_name(X.dtype), library)
    with np.errstate(over="ignore"):
        return check_weight_sum(float(sample_weight.min()), float(sample_weight.sum(dtype=np.float64)))


def check_weight_sum(minimum: float, total: float) -> float:
    """Check the smallest weight and the sum of the weights, and return the sum."""
    if minimum < 0:
        raise ValueError(f"sample_weight must be at least 0, got {minimum:g}")
    if not 0.0 < total < math.inf:
        raise ValueError(f"sample_weight must have a positive finite sum, got {total:g}")
    return total


def check_start(w0: Any, n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a NumPy copy of the start; zeros for None."""
    if w0 is None:
        return np.zeros(n, dtype)
    library, w0 = library_of(w0), as_native("w0", w0)
    check_vector("w0", w0, n, dtype, library=library)
    check_finite("w0", w0)
    return np.array(w0)

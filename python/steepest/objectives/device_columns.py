"""Statistics of columns in a device's memory, and copies of some rows in the host's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import backend, numpy_dtype
from ..arrays.device_sparse import DeviceCSRView
from ..arrays.interop import DeviceView
from ..arrays.sparse import CSRView
from .reach import in_reach, sparse_statistics

__all__ = ["check_there", "device_sparse_statistics", "device_statistics", "gathered", "spread_present"]

Vector = NDArray[np.float64]
_LOOKED_AT = 64  # rows that tell about where the means are
_LEAST, _MOST = 2.0**-480, 2.0**480  # as in `reach`: squares of smaller and larger deviations are beyond float64
_NEAR = 2.0**-400


def check_there(name: str, array: DeviceView | None) -> None:
    """Raise an error if an array was freed. Without this check, the device itself would fail for good.

    If another thread's own stream wrote the array, wait until it has.
    """
    if array is not None:
        array.settle()
        backend().check_pointer(name, array.pointer, array.device)


def gathered(array: DeviceView, index: NDArray[np.int64], name: str = "X") -> NDArray[Any]:
    """Return a copy of some rows, or of some elements of a vector, in the host's memory and in C order.

    The name is that of the array in errors.
    """
    check_there(name, array)
    n, *columns = array.shape
    width = columns[0] if columns else 1
    rows = backend().Rows(array.pointer, n, width, array.c_contiguous, array.device, array.stream)
    found = np.empty((len(index), *columns), numpy_dtype(array.dtype))
    if len(index):
        rows.gather(found.dtype.itemsize, np.ascontiguousarray(index, np.int64), found)
    return found


def spread_present(weight: DeviceView | None, n: int) -> NDArray[np.int64]:
    """Return some of n rows that have a weight above 0, spread over all."""
    some = np.unique(np.linspace(0, n - 1, _LOOKED_AT).astype(np.int64))
    if weight is None:
        return some
    kept = some[gathered(weight, some, "sample_weight") > 0]
    return kept if len(kept) else np.flatnonzero(weight.numpy() > 0)[:_LOOKED_AT].astype(np.int64)


def device_statistics(X: DeviceView, weight: DeviceView | None) -> tuple[Vector, Vector]:
    """Return the means and the deviations of the columns, as `column_statistics` does.

    Sums are float64, taken about the mean of a few rows. Columns whose squares are beyond float64 are measured again,
    in units of their own. The shape of X decides the order of the sums.
    """
    check_there("X", X)
    check_there("sample_weight", weight)
    rows = backend().Rows(X.pointer, *X.shape, X.c_contiguous, X.device, X.stream)
    some = spread_present(weight, X.shape[0])
    arguments = X.dtype, 0 if weight is None else weight.pointer
    mean, deviation, largest = rows.statistics(*arguments, None, some)
    if X.dtype != "float64":
        return mean, deviation
    doubtful = ((deviation < _LEAST) & (np.abs(mean) < _NEAR)) | ~(deviation <= _MOST)
    doubtful &= (largest > 0) & (largest < np.inf)
    if doubtful.any():
        exponents = np.clip(np.where(doubtful, np.frexp(largest)[1], 0), -1021, 1023)
        means, deviations, _ = rows.statistics(*arguments, np.ldexp(1.0, -exponents), some)
        with np.errstate(over="ignore"):
            mean = np.where(doubtful, np.ldexp(means, exponents), mean)
            deviation = np.where(doubtful, np.ldexp(deviations, exponents), deviation)
    return mean, deviation


def device_sparse_statistics(X: DeviceCSRView, weight: DeviceView | None) -> tuple[Vector, Vector]:
    """Return the means and the deviations of the columns of sparse rows, with the bits of `column_statistics`.

    The host makes them from copies of the arrays and of the weights, which are dropped afterwards.
    """
    X.check_memory()
    check_there("sample_weight", weight)
    data, indices = (array.numpy()[: X.n_entries] for array in (X.data, X.indices))
    copy, weights = CSRView(data, indices, X.indptr.numpy(), X.shape), None if weight is None else weight.numpy()
    return in_reach(sparse_statistics(copy, weights), copy, weights)

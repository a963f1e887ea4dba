"""Sparse matrices in compressed rows (CSR) in a device's memory: their arrays, checked and used in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .checks import describe
from .device import backend
from .interop import DeviceView, as_native, check_place, place
from .remedies import as_contiguous

__all__ = ["DeviceCSRView", "check_no_sparse_tensor", "device_csr_view", "is_on_device"]

_MEMBERS = ("data", "indices", "indptr")
_OF_TENSORS = ("values", "col_indices", "crow_indices")  # the same arrays, of a tensor
_VALUES, _INDICES = ("float32", "float64"), ("int32", "int64")


@dataclass(frozen=True, eq=False)
class DeviceCSRView:
    """The arrays of a CSR matrix on a device, not copied.

    Attributes
    ----------
    data, indices, indptr : DeviceView
        Row i has the values ``data[indptr[i]:indptr[i + 1]]`` in the columns ``indices[indptr[i]:indptr[i + 1]]``.
    shape : tuple
        Numbers of rows and columns.
    n_entries : int
        The last number of indptr: where the last row ends.
    """

    data: DeviceView
    indices: DeviceView
    indptr: DeviceView
    shape: tuple[int, int]
    n_entries: int

    @property
    def dtype(self) -> str:
        """The dtype of the values, by name."""
        return self.data.dtype

    @property
    def device(self) -> int:
        """The number of the device. An array without elements is on none."""
        return self.indptr.device

    @property
    def stream(self) -> int:
        """The stream that writes the data."""
        return self.indptr.stream

    @property
    def library(self) -> str:
        """The library of the arrays."""
        return self.indptr.library

    def native(self) -> Any:
        """Return the arrays as the CUDA module takes them."""
        return _native(self.data, self.indices, self.indptr, self.shape, self.n_entries)

    def check_memory(self) -> None:
        """Raise an error if an array was freed."""
        for name in _MEMBERS:
            array = getattr(self, name)
            if array.size:
                backend().check_pointer(f"{name} of X", array.pointer, self.device)


def is_on_device(X: Any) -> bool:
    """Return whether the values of a sparse X, of whatever format, are in a device's memory."""
    return isinstance(as_native("data of X", getattr(X, "data", None)), DeviceView)


def check_no_sparse_tensor(X: Any) -> None:
    """Raise a TypeError for a sparse tensor of torch, which has the arrays of a CSR matrix by other names."""
    layout = str(getattr(X, "layout", ""))
    if layout.startswith("torch.sparse"):
        own = "" if layout == "torch.sparse_csr" else "T = X.to_sparse_csr(); "
        T, host = "T" if own else "X", "" if X.is_cuda else ".numpy()"
        arrays = (f"{name}={T}.{of}(){host}" for name, of in zip(_MEMBERS, _OF_TENSORS, strict=True))
        raise TypeError(
            "X must be a dense array, or a sparse matrix with the arrays data, indices and indptr, got a tensor of "
            f"layout {layout}; use {own}types.SimpleNamespace({', '.join(arrays)}, shape=X.shape)"
        )


def device_csr_view(X: Any) -> DeviceCSRView:
    """Check a sparse X on a device and return its arrays. Its indices and indptr are read there before all else."""
    kind, form = type(X).__name__, getattr(X, "format", "csr")
    if form != "csr":
        raise TypeError(
            f"X must be a CSR matrix if it is sparse, got {kind} in {form} format; convert it with X.tocsr()"
        )
    data, indices, indptr = (as_native(f"{name} of X", getattr(X, name)) for name in _MEMBERS)
    shape = tuple(int(length) for length in X.shape)
    _check_arrays(data, indices, indptr)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"X must have at least one row and one column, got shape {shape}")
    if indptr.size != shape[0] + 1:
        raise ValueError(f"indptr of X must have {shape[0] + 1} elements, one more than X has rows, got {indptr.size}")
    if data.size != indices.size:
        raise ValueError(f"data of X must be as long as its indices, got {data.size} and {indices.size}")
    n_entries = _checked_indices(data, indices, indptr, shape)
    return DeviceCSRView(data, indices, indptr, (shape[0], shape[1]), n_entries)


def _check_arrays(data: Any, indices: Any, indptr: Any) -> None:
    """Check the arrays as far as they tell without being read."""
    for name, array, dtypes, remedy in (
        ("data", data, _VALUES, "; convert it with X.astype(np.float32)"),
        ("indices", indices, _INDICES, ""),
        ("indptr", indptr, _INDICES, ""),
    ):
        expected = f"{name} of X must be a contiguous vector of {dtypes[0]} or {dtypes[1]} on a CUDA device"
        if isinstance(array, np.ndarray):
            check_place(f"{name} of X", array, data.device, data.library, "its data are")
        if not isinstance(array, DeviceView) or len(array.shape) != 1:
            raise TypeError(f"{expected}, got {describe(array)}")
        if array.dtype not in dtypes:
            raise TypeError(f"{expected}, got {describe(array)}{remedy}")
        if not array.c_contiguous:
            remedy = as_contiguous(f"X.{name}", array.library)
            raise ValueError(f"{expected}, got one with strides {array.strides}; {remedy}")
    for name, array in (("data", data), ("indices", indices)):
        if array.size and array.device != indptr.device:
            where = f"{place(indptr.device)}, where its indptr is"
            raise ValueError(f"{name} of X must be in {where}, got {place(array.device)}")
    for name, array in (("data", data), ("indices", indices), ("indptr", indptr)):
        if array.size:
            backend().check_pointer(f"{name} of X", array.pointer, indptr.device)
        if array.stream != indptr.stream:
            array.wait()


def _native(data: DeviceView, indices: DeviceView, indptr: DeviceView, shape: tuple[int, ...], n_entries: int) -> Any:
    wide_indices, wide_indptr = (array.dtype == "int64" for array in (indices, indptr))
    pointers = data.pointer, indices.pointer, wide_indices, indptr.pointer, wide_indptr
    return backend().SparseArrays(*pointers, shape[0], shape[1], n_entries)


def _numbers(array: DeviceView, first: int, n: int) -> list[int]:
    """Return some elements of an array of integers."""
    found = np.empty(n, array.dtype)
    backend().copy_to_host(array.pointer + first * found.itemsize, found, array.device, array.stream)
    return [int(number) for number in found]


def _checked_indices(data: DeviceView, indices: DeviceView, indptr: DeviceView, shape: tuple[int, ...]) -> int:
    """Check indptr and indices where they are, before any other kernel follows them; return where the last row ends."""
    (start,) = _numbers(indptr, 0, 1)
    if start != 0:
        raise ValueError(f"X: indptr must begin with 0, got {start}")
    row, entry = backend().check_sparse(
        _native(data, indices, indptr, shape, indices.size), indptr.device, indptr.stream
    )
    if row < shape[0]:
        first, then = _numbers(indptr, row, 2)
        raise ValueError(
            f"X: indptr must rise from 0 to at most the {indices.size} indices, got {first} and then {then} at row "
            f"{row}"
        )
    if entry < indices.size:
        (column,) = _numbers(indices, entry, 1)
        at = int(np.searchsorted(indptr.numpy(), entry, side="right")) - 1
        raise ValueError(f"X: indices must be from 0 to {shape[1] - 1}, got {column} in row {at}")
    (last,) = _numbers(indptr, shape[0], 1)
    return last

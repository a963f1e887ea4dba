"""The kinds of data: for each type that X may have, how it becomes the `Data` of an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..arrays.device_sparse import DeviceCSRView, check_no_sparse_tensor, device_csr_view, is_on_device
from ..arrays.interop import DeviceView, as_native
from ..arrays.sparse import CSRView, csr_view, is_sparse
from ..arrays.table import Table
from ..streams.stream import Stream
from .dense import DenseData
from .device_dense import DeviceData
from .device_sparse import DeviceSparseData
from .parts import Parts, PartsData, parts_of
from .source import Data
from .sparse import SparseData
from .table import TableData

__all__ = ["KINDS", "data_of"]

Given: TypeAlias = tuple[Any, Any, Any]

# For each type that X is made into: the function that checks X, y and the weights and makes
# `Data` of them, with the methods that it supports. It takes them as they were made, and a tuple of what the user gave.
KINDS: dict[type, Callable[[Any, Any, Any, Given], Any]] = {
    np.ndarray: DenseData.checked,
    DeviceView: DeviceData.checked,
    CSRView: SparseData.checked,
    Table: TableData.checked,
    DeviceCSRView: DeviceSparseData.checked,
    Parts: PartsData.checked,
    Stream: lambda X, y, weight, given: PartsData.checked(parts_of(X), y, weight, given),
}


def _viewed(X: Any) -> Any:
    if isinstance(X, Table | Parts | Stream):
        return X
    if is_sparse(X):
        return device_csr_view(X) if is_on_device(X) else csr_view(X)
    check_no_sparse_tensor(X)
    return as_native("X", X)


def data_of(X: Any, y: Any, sample_weight: Any) -> Data:
    """Return checked data of what a user gave."""
    given = X, y, sample_weight
    X = _viewed(X)
    y, weight = as_native("y", y), as_native("sample_weight", sample_weight)
    # Of an X of no known type, the checks of arrays say what it should be.
    made = next((made for kind, made in KINDS.items() if isinstance(X, kind)), DenseData.checked)
    data: Data = made(X, y, weight, given)
    return data

"""The groups of columns that a `Table` is made of: arrays of numbers, CSR matrices and categorical columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categorical import Categorical
from .checks import describe
from .sparse import CSRView, csr_view, is_sparse

__all__ = ["FLOATS", "as_csr", "checked_group", "product_of_csr", "width_of"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def width_of(group: Any) -> int:
    """Return the number of columns of a group."""
    return group.n_columns if isinstance(group, Categorical) else int(group.shape[1])


def as_csr(group: Any, dtype: np.dtype[Any]) -> CSRView:
    """Return a group as a CSR matrix; a categorical one in a dtype."""
    if isinstance(group, CSRView):
        return group
    if isinstance(group, Categorical):
        return group.as_csr(dtype)
    n, d = group.shape
    return CSRView(group.ravel(), np.tile(np.arange(d), n), np.arange(0, n * d + 1, d), (n, d))


def product_of_csr(X: CSRView, w: NDArray[Any]) -> NDArray[Any]:
    """Return the product of a CSR matrix with a vector or table w."""
    values = X.data.astype(np.result_type(w.dtype, X.data.dtype), copy=False)
    products = (values * w[X.indices].T).T
    sums = np.zeros((X.shape[0], *w.shape[1:]), products.dtype)
    np.add.at(sums, X.rows_of_entries(), products)
    return sums


def checked_group(group: Any, number: int) -> Any:
    """Return a group as arrays that are used in place."""
    if isinstance(group, (Categorical, CSRView)):
        return group
    if is_sparse(group):
        return csr_view(group)
    expected = (
        f"group {number} must be a C- or F-contiguous float32 or float64 NumPy array, a CSR matrix or a Categorical"
    )
    if not isinstance(group, np.ndarray) or group.dtype not in FLOATS:
        raise TypeError(f"{expected}, got {describe(group)}")
    array = group.reshape(-1, 1) if group.ndim == 1 else group
    contiguous = array.flags.c_contiguous or array.flags.f_contiguous
    if array.ndim != 2 or array.shape[1] == 0 or not (contiguous and array.flags.aligned):
        raise ValueError(f"{expected}, got {describe(group)} with strides {group.strides}")
    return array

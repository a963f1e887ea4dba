"""The arrays of a part as a user gives them: checked, and each block of them as a `HeldPart`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_column, check_data, may_be_finite
from ..arrays.device import dtype_name
from ..arrays.interop import as_native, library_of
from ..arrays.sparse import CSRView, check_entries, csr_view, is_sparse
from .questions import HeldPart
from .rows import widened

__all__ = ["block_of", "checked_part"]

Checked = tuple[NDArray[Any] | CSRView, NDArray[Any], NDArray[Any] | None]


def checked_part(X: Any, y: Any, weight: Any = None) -> Checked:
    """Return X, y and weights as NumPy arrays and views of them, checked as an objective checks them.

    The weights of a part may all be 0.

    Raises
    ------
    TypeError, ValueError
        An array has the wrong type, dtype, shape or memory layout, or a value out of range.
    """
    libraries = [library_of(each) for each in (X, y, weight)]
    y, weight = as_native("y", y), as_native("sample_weight", weight)
    if is_sparse(X):
        X = csr_view(X)
        check_entries(X)
        check_column("y", y, len(X), dtype_name(X.dtype), libraries[1])
    else:
        X = as_native("X", X)
        check_data(X, y, (libraries[0], libraries[1]))
    _check_finite(X)
    if weight is not None:
        check_column("sample_weight", weight, len(y), dtype_name(X.dtype), libraries[2])
        if (least := weight.min()) < 0:
            raise ValueError(f"sample_weight must be at least 0, got {least:g}")
    return X, y, weight


def block_of(index: int, checked: Checked, first: int, stop: int) -> HeldPart:
    """Return some rows as a part. It is no copy, but for an X in F order."""
    X, y, weight = checked
    if isinstance(X, CSRView):
        low, high = X.indptr[first], X.indptr[stop]
        starts = X.indptr[first : stop + 1] - low
        rows: NDArray[Any] | CSRView = CSRView(
            X.data[low:high], X.indices[low:high], starts, (stop - first, X.shape[1])
        )
    else:
        rows = np.ascontiguousarray(X[first:stop])
    return HeldPart(index, rows, y[first:stop], None if weight is None else weight[first:stop])


def _check_finite(X: NDArray[Any] | CSRView) -> None:
    """Raise a ValueError that names the place of a number of X that is nan or infinite."""
    values = X.data if isinstance(X, CSRView) else X
    if values.dtype.kind in "iu" or may_be_finite(values):
        return
    finite = np.isfinite(X.widened if isinstance(X, CSRView) else widened(X))
    if finite.all():
        return
    first = int(np.argmin(finite))
    row, column = divmod(first, X.shape[1])
    if isinstance(X, CSRView):
        row, column = int(X.rows_of_entries()[first]), int(X.indices[first])
    raise ValueError(f"X must be finite, got {values.ravel()[first]} in row {row}, column {column}")

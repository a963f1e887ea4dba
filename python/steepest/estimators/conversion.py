"""Better errors for data that are not finite numbers: they name the column and the row."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays.checks import describe

__all__ = ["naming_faults"]

_REMEDY = "; text must be encoded first, for example with sklearn.preprocessing.OneHotEncoder"


@contextlib.contextmanager
def naming_faults(X: Any, y: Any = None) -> Iterator[None]:
    """Add the column and the row at fault to an error that the block raises about its data.

    The data are looked at only after an error. y is None if the targets need not be numbers.
    """
    _check_format(X)
    try:
        yield
    except (TypeError, ValueError, OverflowError) as error:
        found = _fault_of_table(X) or _fault_of_targets(y)
        if not found:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError  # an OverflowError becomes a ValueError
        raise kind(f"{found}. {error}") from error


def _check_format(X: Any) -> None:
    """Check the indices of a CSC or BSR matrix: SciPy's `tocsr` follows them past the end of its arrays."""
    if getattr(X, "format", "") not in ("csc", "bsr"):
        return
    try:
        X.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"X must have indices that fit its shape, in {X.format} format: {error}") from None


def _fault_of_sparse(X: Any) -> str:
    X = X.tocsr()
    wrong = ~np.isfinite(X.data[: X.indptr[-1]]) if X.dtype.kind in "biuf" else np.zeros(1, bool)
    if not wrong.any():
        return ""
    at = int(np.argmax(wrong))
    row = int(np.searchsorted(X.indptr, at, side="right")) - 1
    return f"X must hold finite numbers, got {X.data[at]} in row {row} of column {X.indices[at]}"


def _fault_of_table(X: Any) -> str:
    if hasattr(X, "tocsr"):
        return _fault_of_sparse(X)
    shape = getattr(X, "shape", None)
    table = X if shape is not None else _as_objects(X)
    if len(getattr(table, "shape", ()) or ()) != 2 or not hasattr(table, "__array__"):
        return ""  # no table: the error says so already
    names = getattr(table, "columns", None)
    cells = getattr(table, "iloc", table if isinstance(table, np.ndarray) else np.asarray(table))
    for column in range(table.shape[1]):
        if found := _fault(np.asarray(cells[:, column])):
            called = f"{column}" if names is None else f"{names[column]!r}"
            return f"X must hold finite numbers, got {found} of column {called}" + _REMEDY * ("'" in found)
    return ""


def _fault_of_targets(y: Any) -> str:
    if y is None:
        return ""
    targets = _as_objects(y) if not hasattr(y, "__array__") else np.asarray(y)
    columns = [targets] if targets.ndim == 1 else list(targets.T) if targets.ndim == 2 else []
    faults = [
        found + f" of target {j}" * (targets.ndim == 2) for j, each in enumerate(columns) if (found := _fault(each))
    ]
    found = faults[0] if faults else ""
    text = "; for classes take LogisticClassifier" * ("'" in found)
    return f"y must hold finite numbers, got {found}{text}" if found else ""


def _as_objects(data: Any) -> Any:
    try:
        return np.asarray(data, dtype=object)
    except ValueError:  # lists of different lengths
        return np.empty(0, dtype=object)


def _fault(values: Any) -> str:
    """Return the first value that is no finite number, with its row, or "" if there is none."""
    kind = values.dtype.kind
    if kind in "biuf":
        wrong = ~np.isfinite(values)
        return f"{values[int(np.argmax(wrong))]} in row {int(np.argmax(wrong))}" if wrong.any() else ""
    if kind not in "OUST":
        return f"{values.dtype} in row 0"
    for row, value in enumerate(values):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return f"{_shown(value)} in row {row}"
        if not np.isfinite(number):
            return f"{number} in row {row}"
    return ""


def _shown(value: Any) -> str:
    if not isinstance(value, str):
        return describe(value)
    return repr(str(value) if len(value) <= 40 else f"{value[:37]}...")

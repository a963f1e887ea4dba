"""Checks of arguments and of rows. Each error about rows names the file and the row."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import FLOATS, describe, may_be_finite
from ..arrays.sparse import CSRView
from .assembly import Rows
from .blocks import Place
from .files import DataError
from .part import Facts

__all__ = ["check_dtype", "check_memory", "check_rows", "shown_bytes"]

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_LEAST = 1 << 20


def check_memory(memory: Any) -> int:
    """Return a size of memory in bytes. It is an integer or a text such as "1 GiB" or "500 MB"."""
    expected = 'memory must be a number of bytes, of at least 1 MiB, or a text such as "1 GiB" or "500 MB"'
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(|[kmgt]i?)b?\s*", memory.lower())
        if found is None:
            raise ValueError(f"{expected}, got {memory!r}")
        size = int(float(found[1]) * _UNITS[found[2]])
    elif isinstance(memory, int | np.integer) and not isinstance(memory, bool):
        size = int(memory)
    else:
        raise TypeError(f"{expected}, got {describe(memory)}")
    if size < _LEAST:
        raise ValueError(f"{expected}, got {memory!r}")
    return size


def shown_bytes(size: float) -> str:
    """Return a number of bytes for a person."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} bytes"


def check_dtype(dtype: Any) -> np.dtype[Any] | None:
    """Return the dtype of computation, or None where the source is to decide."""
    if dtype is None:
        return None
    try:
        found = FLOATS.index(np.dtype(dtype))
    except (TypeError, ValueError):
        raise TypeError(f"dtype must be float32, float64 or None, got {dtype!r}") from None
    return FLOATS[found]


def check_rows(facts: Facts, place: Place, first: int, rows: Rows) -> None:
    """Check that numbers are finite, as they were converted, and that no weight is negative.

    The rows are those of a block, from its row `first` on.
    """
    values = rows.X.data if isinstance(rows.X, CSRView) else rows.X
    if values.size and not may_be_finite(values):
        _check_features(facts, place, first, rows.X)
    _check_column("the target", place, first, rows.y)
    if rows.weight is not None:
        _check_column("the weight", place, first, rows.weight)
        if rows.weight.min(initial=0.0) < 0:
            at = int(np.argmax(rows.weight < 0))
            raise DataError(f"the weight must be at least 0, got {rows.weight[at]:g} in {place.at(first + at)}")


def _check_features(facts: Facts, place: Place, first: int, X: NDArray[Any] | CSRView) -> None:
    if isinstance(X, CSRView):
        wrong = np.flatnonzero(~np.isfinite(X.data))
        if len(wrong):
            row = int(np.searchsorted(X.indptr, wrong[0], side="right")) - 1
            raise _not_finite(facts.name_of(int(X.indices[wrong[0]])), X.data[wrong[0]], place, first + row)
        return
    for row, values in enumerate(X):
        finite = np.isfinite(values)
        if not finite.all():
            column = int(np.argmin(finite))
            raise _not_finite(facts.name_of(column), values[column], place, first + row)


def _check_column(name: str, place: Place, first: int, values: NDArray[Any]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        at = int(np.argmin(finite))
        raise _not_finite(name, values[at], place, first + at)


def _not_finite(name: str, value: Any, place: Place, row: int) -> DataError:
    return DataError(f"{name} must be finite, got {value} as {value.dtype} in {place.at(row)}")

"""X of an estimator: a dense array, or sparse rows or a table, which are never made dense."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import may_be_finite
from ..arrays.sparse import CSRView, check_entries, csr_view, is_sparse
from ..arrays.table import Table
from ..extras import require

__all__ = ["Features", "cast", "checked", "in_units", "product", "taken", "without_absent"]

Array: TypeAlias = NDArray[Any]
Features: TypeAlias = Array | CSRView | Table
_HUGE = 2.0**40  # size from which numbers in rows of weight 0 become 0; the other rows have numbers up to 1


def checked(X: Any, estimator: str) -> Features:
    """Return an X that scikit-learn has validated, as the kernels read it: in place, or else a contiguous copy.

    Raises
    ------
    ValueError
        X holds nan or infinity, or its indices do not fit its shape.
    """
    if isinstance(X, Table):  # `validated_table` has looked at its numbers
        return X
    table: Array | CSRView
    if is_sparse(X):
        table = _view(X)
        check_entries(table)
    else:
        table = _contiguous(X, X.flags.f_contiguous)
    values = _values(table)
    if values.size and not may_be_finite(values):  # then look at each number
        validation = require("sklearn.utils.validation", "sklearn")
        validation.assert_all_finite(values, input_name="X", estimator_name=estimator)
    return table


def _view(X: Any) -> CSRView:
    arrays = {name: _contiguous(getattr(X, name)) for name in ("data", "indices", "indptr")}
    return csr_view(SimpleNamespace(**arrays, shape=X.shape))


def _contiguous(array: Array, is_contiguous: bool = False) -> Array:
    contiguous = is_contiguous or array.flags.c_contiguous
    return array if contiguous and array.flags.aligned else np.array(array, order="C")


def cast(name: str, X: Features, dtype: Any) -> Features:
    """Return X, which is finite, in the dtype of the fit. Raise a ValueError if it overflows there."""
    found = X.astype(dtype, copy=False)
    if found is not X and not isinstance(found, Table) and not np.isfinite(_values(found)).all():
        raise ValueError(f"{name} must be within {dtype}, the dtype of the fit, got {np.abs(_values(X)).max():g}")
    return found


def _values(X: Any) -> Array:
    return X.data if isinstance(X, CSRView) else X


def taken(X: Features, index: NDArray[np.intp]) -> Features:
    """Return a copy of some rows."""
    return X[index] if isinstance(X, np.ndarray) else X.take(index)


def in_units(X: Features, exponents: NDArray[np.int64], dtype: Any) -> Features:
    """Return a copy in a dtype, each column divided by 2 to the power of its exponent; tables keep their units."""
    if isinstance(X, Table):
        return X
    if isinstance(X, CSRView):
        return X.in_units(exponents, dtype)
    return np.asarray(np.ldexp(X, -exponents.astype(np.int32), dtype=dtype))


def without_absent(X: Features, weight: Array) -> Features:
    """Return X, with zeros in the rows of weight 0 if these hold huge numbers in the units of the other rows."""
    absent = weight == 0
    if isinstance(X, Table) or not absent.any():
        return X
    if isinstance(X, CSRView):
        entries = np.repeat(absent, np.diff(X.indptr))
        if float(np.abs(X.data[entries]).max(initial=0.0)) < _HUGE:
            return X
        return X.with_data(np.where(entries, 0, X.data).astype(X.dtype))
    if not float(np.abs(X[absent]).max()) < _HUGE:
        X = X.copy(order="K")
        X[absent] = 0.0
    return X


def product(X: Any, coefficients: Any) -> Array:
    """Return X @ coefficients as a dense array; either may be a sparse matrix of SciPy.

    The numbers are finite. Only numbers of the product that overflow themselves are infinite.
    """
    if is_sparse(X):
        check_entries(_view(X))  # SciPy reads past an array where they are wrong
    found = _dense(X @ coefficients)
    if not np.isfinite(found).all():  # terms overflowed, perhaps to infinities of both signs
        of_X, of_coefficients = (_exponent(each) for each in (X, coefficients))
        if isinstance(X, Table):  # whose codes stand for ones: the coefficients take its units
            scaled = X, _times_two_to(coefficients, -of_X - of_coefficients)
        else:
            scaled = _times_two_to(X, -of_X), _times_two_to(coefficients, -of_coefficients)
        found = np.ldexp(_dense(scaled[0] @ scaled[1]), of_X + of_coefficients)
    return found


def _dense(found: Any) -> Array:
    return np.asarray(found.toarray() if is_sparse(found) else found)


def _exponent(factor: Any) -> int:
    if isinstance(factor, Table):
        return int(np.frexp(factor.largest(None).max(initial=0.0))[1])
    values = factor.data if is_sparse(factor) else factor
    return int(np.frexp(np.abs(values).max(initial=0.0))[1])


def _times_two_to(factor: Any, exponent: int) -> Any:
    if not is_sparse(factor):
        return np.ldexp(factor, exponent)
    scaled = factor.copy()
    scaled.data = np.ldexp(factor.data, exponent)
    return scaled

"""Standardised columns: statistics of the columns, checks of a scaling, and coefficients for the raw columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_finite, check_matrix, check_number, check_vector, check_weights, describe
from ..arrays.device_checks import check_device_matrix, check_device_weights
from ..arrays.device_sparse import device_csr_view, is_on_device
from ..arrays.interop import DeviceView, as_native, library_of
from ..arrays.sparse import CSRView, csr_view, is_sparse
from ..arrays.table import Table
from .device_columns import device_sparse_statistics, device_statistics
from .reach import in_reach, sparse_statistics

__all__ = ["LARGEST_SHIFT", "LARGEST_UNIT", "check_scaling", "column_statistics", "unscaled"]

Vector = NDArray[np.float64]
_FLOAT64 = np.dtype(np.float64)
# By bytes of an element of the arithmetic: up to this norm of centre / scale, scaled sums are made from sums over raw
# columns, as in largest_shift of cpp/engine/scaling.hpp. Beyond it blocks of rows are standardised.
LARGEST_SHIFT = {4: 200.0, 8: 1e5}
LARGEST_UNIT = {4: 2.0**40, 8: 2.0**400}  # of a scale and its inverse, as largest_unit there
_SMALLEST = float(np.finfo(np.float64).tiny)  # its inverse is finite


def check_scaling(centre: Any, scale: Any, n_features: int) -> tuple[Vector, Vector] | None:
    """Return copies of the columns' centre and scale, or None if both are None."""
    if centre is None and scale is None:
        return None
    for name, given, other in (("centre", centre, "scale"), ("scale", scale, "centre")):
        if given is None:
            raise ValueError(
                f"{name} must be given if {other} is, got None; a centre of zeros or a scale of ones has no effect"
            )
    found = []
    for name, given in (("centre", centre), ("scale", scale)):
        array = as_native(name, given)
        check_vector(name, array, n_features, _FLOAT64, " one number per column", library_of(given))
        check_finite(name, array)
        found.append(np.array(array))
    wrong = ~(found[1] >= _SMALLEST)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"scale must be above 0 (at least {_SMALLEST:.3g}), got {found[1][at]} at index {at}")
    return found[0], found[1]


def column_statistics(X: Any, sample_weight: Any = None) -> tuple[Vector, Vector]:
    """Return the mean and the standard deviation of every column, in one pass over X.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features), of a dtype that the losses take
        The data, C- or F-contiguous if dense, in the host's memory or a device's. X is not copied, but for a CSR matrix
        on a device: the host takes a copy of its arrays, which is dropped afterwards.
    sample_weight : array of shape (n_samples,), optional
        Weights of the rows, at least 0 and not all 0. They have the dtype of X, or float32 if X has fewer bits.

    Returns
    -------
    mean, deviation : arrays of shape (n_features,), float64
        In the units of the columns. The deviation is the population's: the root of the weighted mean of the squared
        distances to the mean. It is exactly 0 if all rows of positive weight are equal in that column. It is nan if a
        row of positive weight holds nan or infinity there.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, dtype, shape or memory layout, or a weight is out of range.

    Notes
    -----
    All sums are float64. They are taken about the mean of a few rows, so that a mean much larger than the deviation
    costs no digits: Chan, Golub, LeVeque, "Algorithms for Computing the Sample Variance: Analysis and Recommendations",
    The American Statistician 37, 1983. The number of threads changes no bit of the result.

    Examples
    --------
    >>> import numpy as np
    >>> from steepest.objectives import column_statistics
    >>> mean, deviation = column_statistics(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> mean, deviation
    (array([2., 5.]), array([1., 0.]))
    """
    weight = as_native("sample_weight", sample_weight)
    if isinstance(X, Table):
        return _statistics_of_table(X, weight, library_of(sample_weight))
    if is_sparse(X) and is_on_device(X):
        rows = device_csr_view(X)
        if weight is not None:
            check_device_weights(weight, rows)
        return device_sparse_statistics(rows, weight)
    if is_sparse(X):
        return _statistics_of_sparse(csr_view(X), weight, library_of(sample_weight))
    array = as_native("X", X)
    if isinstance(array, DeviceView):
        check_device_matrix(array)
        if weight is not None:
            check_device_weights(weight, array)
        return device_statistics(array, weight)
    check_matrix(array, library_of(X))
    if weight is not None:
        check_weights(weight, array, library_of(sample_weight))
    return in_reach(_core.column_statistics(array, weight), array, weight)


def _statistics_of_sparse(X: CSRView, weight: Any, library: str) -> tuple[Vector, Vector]:
    if weight is not None:
        check_weights(weight, X, library)
    return in_reach(sparse_statistics(X, weight), X, weight)


def _statistics_of_table(X: Table, weight: Any, library: str) -> tuple[Vector, Vector]:
    total, targets = float(len(X)), np.zeros(len(X), X.dtype)  # targets, which the source takes too
    if weight is not None:
        total = check_weights(weight, targets[:, None], library)
    found = _core.grouped_source(len(X), X.native_groups(), targets, weight, total).column_statistics()
    return in_reach(found, X, weight)


def unscaled(w: Any, centre: Any, scale: Any, intercept: float = 0.0) -> tuple[Vector, float]:
    """Turn coefficients of standardised columns into coefficients of the raw columns, with the same scores.

    ::

        coefficients_j = w_j / scale_j,    intercept - sum_j centre_j coefficients_j

    Parameters
    ----------
    w : array of shape (n_features,), float32 or float64
        The coefficients of the columns (x_j - centre_j) / scale_j, without the intercept.
    centre, scale : arrays of shape (n_features,), float64
        The centre and the scale of the objective.
    intercept : float
        The intercept of the objective, 0 if it has none. The raw columns may need an intercept even then.

    Returns
    -------
    coefficients : array of shape (n_features,), float64
        The coefficients of the raw columns x_j.
    intercept : float
        The intercept that goes with them.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, dtype or shape, or a scale is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from steepest.objectives import unscaled
    >>> unscaled(np.array([3.0, 1.0]), centre=np.array([1.0, 10.0]), scale=np.array([2.0, 4.0]), intercept=5.0)
    (array([1.5 , 0.25]), 1.0)
    """
    coefficients = np.asarray(as_native("w", w))
    if coefficients.ndim != 1 or coefficients.dtype.kind != "f":
        raise ValueError(f"w must be a float array of shape (n_features,), got {describe(coefficients)}")
    scaling = check_scaling(centre, scale, len(coefficients))
    if scaling is None:
        raise ValueError("centre must be an array with one number per coefficient, got None")
    coefficients = coefficients.astype(np.float64) / scaling[1]
    shift = math.fsum(scaling[0] * coefficients) if np.isfinite(coefficients).all() else math.nan
    return coefficients, check_number("intercept", intercept) - shift

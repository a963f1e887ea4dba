"""Standardised columns: their statistics in one pass over X, checks of a scaling, and the way back to raw columns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays.checks import check_finite, check_matrix, check_number, check_vector, check_weights, describe
from ..arrays.interop import DeviceView, as_native, library_of

__all__ = ["check_scaling", "column_statistics", "unscaled"]

Vector = NDArray[np.float64]
_FLOAT64 = np.dtype(np.float64)
_SMALLEST = float(np.finfo(np.float64).tiny)  # whose inverse is finite


def check_scaling(centre: Any, scale: Any, n_features: int) -> tuple[Vector, Vector] | None:
    """Return copies of centre and scale of the columns, None where there is neither."""
    if centre is None and scale is None:
        return None
    for name, given, other in (("centre", centre, "scale"), ("scale", scale, "centre")):
        if given is None:
            raise ValueError(
                f"{name} must be given where {other} is, got None; zeros centre nothing, ones scale nothing"
            )
    found = []
    for name, given in (("centre", centre), ("scale", scale)):
        array = as_native(name, given)
        check_vector(name, array, n_features, _FLOAT64, " one number a column", library_of(given))
        check_finite(name, array)
        found.append(np.array(array))
    wrong = ~(found[1] >= _SMALLEST)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(f"scale must be above 0 (at least {_SMALLEST:.3g}), got {found[1][at]} at index {at}")
    return found[0], found[1]


def column_statistics(X: Any, sample_weight: Any = None) -> tuple[Vector, Vector]:
    """Return mean and standard deviation of every column, in one pass over X.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), float32, float64, float16 or bfloat16
        The data, C- or F-contiguous, in the host's memory. It is not copied.
    sample_weight : array of shape (n_samples,), the dtype of X, or float32 for X of 16 bits, optional
        Weights of the rows, at least 0 and not all 0.

    Returns
    -------
    mean, deviation : arrays of shape (n_features,), float64
        The deviation is the population's: the root of the weighted mean of the squared distances to the mean. It is
        exactly 0 where the rows of positive weight are all equal, and nan in a column where these hold nan or infinity.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype, shape or memory layout, or weights out of range.
    NotImplementedError
        X is on a CUDA device.

    Notes
    -----
    All sums are float64, taken about the mean of a few rows (Chan, Golub and LeVeque, The American Statistician 37,
    1983), so that a mean much larger than the deviation costs no digits. The same bits come on any number of
    threads.
    """
    array, weight = as_native("X", X), as_native("sample_weight", sample_weight)
    if isinstance(array, DeviceView):
        raise NotImplementedError(f"X must be in the host's memory for its statistics, got {describe(array)}")
    check_matrix(array, library_of(X))
    if weight is not None:
        check_weights(weight, array, library_of(sample_weight))
    return _core.column_statistics(array, weight)


def unscaled(w: Any, centre: Any, scale: Any, intercept: float = 0.0) -> tuple[Vector, float]:
    """Return the coefficients and the intercept that give raw columns the scores that standardised ones have.

    ::

        coefficients_j = w_j / scale_j,    intercept - sum_j centre_j coefficients_j

    Parameters
    ----------
    w : array of shape (n_features,), float32 or float64
        The coefficients of the columns (x_j - centre_j) / scale_j, without the intercept.
    centre, scale : arrays of shape (n_features,), float64
        Those of the objective.
    intercept : float
        Its intercept, 0 where it has none. The intercept that is returned is not 0 then, unless the centre is.

    Returns
    -------
    coefficients : array of shape (n_features,), float64
    intercept : float

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype or shape, or a scale that is not above 0.
    """
    coefficients = np.asarray(as_native("w", w))
    if coefficients.ndim != 1 or coefficients.dtype.kind != "f":
        raise ValueError(f"w must be a float array of shape (n_features,), got {describe(coefficients)}")
    scaling = check_scaling(centre, scale, len(coefficients))
    if scaling is None:
        raise ValueError("centre must be an array, one number a coefficient, got None")
    coefficients = coefficients.astype(np.float64) / scaling[1]
    shift = math.fsum(scaling[0] * coefficients) if np.isfinite(coefficients).all() else math.nan
    return coefficients, check_number("intercept", intercept) - shift

"""An estimate of the rounding error of a gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import DataObjective
from .rows import standardised_rows

__all__ = ["rounding_of_gradient"]

_UNITS = 4.0  # of the last place
_LOOKED_AT = 256  # rows


def rounding_of_gradient(objective: DataObjective) -> float:
    """Return about the norm that the gradient has by rounding, where it would be zero.

    Each number of the gradient is a mean of slope times x. Its rounding is four units in the last place of the product
    of their root mean squares. Some of the rows tell that of x, and the loss that of the slopes. The objective lies in
    the host's memory.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        columns = math.sqrt(float(_mean_squares(objective).sum()) + objective.intercept)
        found = _UNITS * objective.given_eps * columns * objective.size_of_slopes
    return found if math.isfinite(found) else 0.0


def _mean_squares(objective: DataObjective) -> NDArray[np.float64]:
    """Return the weighted mean squares of the columns, of some rows: array of shape (n_features,)."""
    X, _, weight = objective.arrays
    some = slice(None, None, max(1, len(X) // _LOOKED_AT))
    exact = standardised_rows(objective, X[some])
    return np.asarray(_mean(exact * exact, None if weight is None else weight[some]))


def _mean(values: NDArray[np.float64], weight: NDArray[Any] | None) -> Any:
    if weight is None or not weight.any():
        return values.mean(axis=0)
    values[weight == 0] = 0.0  # their squares may overflow
    return np.average(values, axis=0, weights=weight.astype(np.float64))

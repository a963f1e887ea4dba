"""What rounding does: to the numbers of columns that are made from others, and to a gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .columns import spread_rows
from .data import DataObjective
from .protocol import Capability
from .scaling import LARGEST_SHIFT

__all__ = [
    "MADE",
    "amplified_rounding",
    "rounding_at",
    "rounding_of_columns",
    "rounding_of_gradient",
    "rounding_of_slopes",
    "roundings_of_gradient",
]

# Units in the last place that the numbers of a column are off if it is made from others, as a sum or a standard score
# is: each step of the making rounds once. Along a direction v of the parameters (in units of the columns' lengths) the
# rows then have a length of rounding alone: the root of the sum of the squares of v_j times MADE units of the last
# place of column j. A direction in which the columns have no more than that is noise, and what fits along it is none.
# Three places judge directions so. `little_data` knows the columns to the digits of `longdouble`, and takes singular
# values of the rows. `resolved` has eigenvalues, their squares, of a Gram matrix in float64. `CertainFall` has singular
# values of rows in float64, where nothing was centred, so that each column is as long as its numbers.
MADE = 4.0
_UNITS = 4.0  # of the last place


def rounding_of_gradient(objective: DataObjective, share: float = 1e-2) -> float:
    """Return about the norm that the gradient has by rounding, where it would be zero.

    Each number of the gradient is a mean of slope times x. Its rounding is `rounding_of_slopes` times the root mean
    square of x, which some of the rows tell. The objective lies in the host's memory.
    """
    return roundings_of_gradient(objective, share)[1]


def rounding_at(objective: DataObjective, w: NDArray[Any]) -> float:
    """Return `rounding_of_gradient`; at parameters w, less where rows are so far that their slopes are exact.

    A loss that may be flat has the same slope at all scores beyond its bend. Some of the rows tell how many are there.
    """
    bound = rounding_of_gradient(objective)
    rows = objective.supports(Capability.ROWS) and objective.supports(Capability.TARGETS)
    if not (objective.may_be_flat and rows):
        return bound
    some, d, units = spread_rows(objective.n_samples), objective.n_features, _UNITS * objective.given_eps
    weight = None if objective.weights is None else objective.weights[some]
    with np.errstate(over="ignore", invalid="ignore"):
        exact, y = objective.rows(some), objective.targets[some].astype(np.float64)
        scores = np.einsum("ij,j->i", exact, w[:d].astype(np.float64)) + (float(w[d]) if objective.intercept else 0.0)
        off = units * np.maximum(np.abs(y), np.abs(scores))
        is_exact = np.abs(scores - y) > 0.5 * objective.largest_slope + off
        slopes = np.where(is_exact, units * objective.largest_slope, np.minimum(2.0 * off, objective.largest_slope))
        squares = slopes**2 * (np.einsum("ij,ij->i", exact, exact) + objective.intercept)
        found = math.sqrt(float(_mean(squares, weight)))
    return min(bound, found) if math.isfinite(found) else bound


def rounding_of_columns(objective: DataObjective, share: float = 1e-2) -> NDArray[np.float64]:
    """Return about what rounding leaves of each coefficient's derivative, in the unit of its column, one score's.

    It is at most `rounding_of_gradient`, which columns of larger numbers and the intercept decide. With columns of one
    size it is about that.
    """
    return roundings_of_gradient(objective, share)[0]


def roundings_of_gradient(objective: DataObjective, share: float = 1e-2) -> tuple[NDArray[np.float64], float]:
    """Return `rounding_of_columns` and `rounding_of_gradient`, which read the same rows."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares, slopes = _mean_squares(objective), rounding_of_slopes(objective, share)
        whole = math.sqrt(float(squares.sum()) + objective.intercept) * slopes
        each = np.sqrt(squares * (objective.n_features + objective.intercept)) * slopes
    whole = whole if math.isfinite(whole) else 0.0
    return np.minimum(np.where(np.isfinite(each), each, 0.0), whole), whole


def rounding_of_slopes(objective: DataObjective, share: float) -> float:
    """Return about the rounding of the slopes of the rows' losses: four units in the last place of their size.

    If targets are so far from one another that slopes would be rounded by more than a share of the largest slope, most
    slopes are as large as they can be, and exact: the share is then the bound.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        units = _UNITS * objective.given_eps
        return min(units * _size_of_slopes(objective), max(share, units) * objective.largest_slope)


def amplified_rounding(objective: DataObjective) -> float:
    """Return how many times a score's rounding is that of near columns, where columns are centred as they are read."""
    if objective.scaling is None:
        return 1.0
    centre, scale = objective.scaling
    away = float(np.linalg.norm(centre / scale))
    return 1.0 + away if away <= LARGEST_SHIFT[objective.dtype.itemsize] else 1.0


def _size_of_slopes(objective: DataObjective) -> float:
    if objective.supports(Capability.TARGETS) or objective.data.target_facts is not None:
        return objective.size_of_slopes
    # The mean of squared targets is the loss of squares at zeros.
    at_zeros = abs(objective.native.value(np.zeros(objective.n_parameters, objective.dtype)))
    return min(objective.largest_slope, 2.0 * math.sqrt(at_zeros))


def _mean_squares(objective: DataObjective) -> NDArray[np.float64]:
    """Return the weighted mean squares of the columns, of some rows if it can: array of shape (n_features,)."""
    if not objective.supports(Capability.ROWS):
        mean, deviation = objective.column_statistics()
        return mean**2 + deviation**2
    weight, some = objective.weights, spread_rows(objective.n_samples)
    exact = objective.rows(some)
    return np.asarray(_mean(exact * exact, None if weight is None else weight[some]))


def _mean(values: NDArray[np.float64], weight: NDArray[Any] | None) -> Any:
    if weight is None or not weight.any():
        return values.mean(axis=0)
    values[weight == 0] = 0.0  # their squares may overflow
    return np.average(values, axis=0, weights=weight.astype(np.float64))

"""How large a gradient is by rounding alone."""

from __future__ import annotations

import math

import numpy as np

from .checks import blocks_of
from .objectives import DataObjective, LeastSquares
from .sample import mean_squares

__all__ = ["rounding_of_gradient"]

_UNITS = 4.0  # of the last place
_LOOKED_AT, _SEED = 256, 0  # rows


def rounding_of_gradient(objective: DataObjective, value: float | None = None) -> float:
    """Return about the norm that the gradient has by rounding, where it would be zero.

    Each of its numbers is a mean of slope times x: its rounding is some units in the last place times the root of the
    mean of the squares of each, which some of the rows tell.

    Parameters
    ----------
    objective : DataObjective
        In the host's memory.
    value : float, optional
        The mean loss there; that of zeros if not given.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        columns = math.sqrt(float(mean_squares(objective, _LOOKED_AT, _SEED).sum()) + objective.intercept)
        if isinstance(objective, LeastSquares):
            slope = 2.0 * math.sqrt(_mean_square_of_targets(objective) if value is None else value)
        else:
            slope = 1.0 if value is None else min(1.0, value)
        found = _UNITS * float(np.finfo(objective.dtype).eps) * columns * slope
    return found if math.isfinite(found) else 0.0


def _mean_square_of_targets(objective: DataObjective) -> float:
    _, y, weight = objective._data
    total = 0.0
    for at, part in blocks_of(y):
        squares = part.astype(np.float64) ** 2
        total += float(np.sum(squares if weight is None else squares * weight[at : at + len(part)]))
    return total / objective._weight_sum

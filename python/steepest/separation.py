"""Whether classes are separable: without a penalty the loss then has no minimum, as w grows for ever."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import blocks_of
from .objectives import DataObjective, Logistic
from .softmax import Softmax
from .weighted_rows import standardised

__all__ = ["all_on_their_side", "separating_loss"]

_BLOCK = 1 << 17  # elements of X that are widened at a time


def separating_loss(objective: DataObjective) -> float:
    """Return the objective below which every row is on its side, 0 where that says nothing.

    A row of weight s that is not adds at least s log(2) to the sum of the losses.
    """
    if not isinstance(objective, (Logistic, Softmax)) or objective.alpha > 0.0:
        return 0.0
    weight = objective._data[2]
    least = 1.0
    if weight is not None:
        least = min(float(np.min(part, where=part > 0, initial=np.inf)) for _, part in blocks_of(weight))
    return math.log(2.0) * least / objective._weight_sum


def all_on_their_side(objective: DataObjective, w: NDArray[Any]) -> bool:
    """Return whether the largest score of each row with a weight is that of its class."""
    X, y, weight = objective._data
    n, d = X.shape
    table = w.reshape(-1, d + objective.intercept).astype(np.float64)
    step = max(1, _BLOCK // d)
    for first in range(0, n, step):
        rows = slice(first, first + step)
        scores = standardised(objective, X[rows]) @ table[:, :d].T + (table[:, d] if objective.intercept else 0.0)
        counted = slice(None) if weight is None else weight[rows] > 0
        if not (_margins(scores, y[rows])[counted] > 0.0).all():
            return False
    return True


def _margins(scores: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return how far the score of each row's class is above the largest of the others."""
    if scores.shape[1] == 1:
        return np.where(y > 0.5, scores[:, 0], -scores[:, 0])
    rows, labels = np.arange(len(y)), y.astype(np.intp)
    own = scores[rows, labels]
    scores[rows, labels] = -np.inf
    return np.asarray(own - scores.max(axis=1))

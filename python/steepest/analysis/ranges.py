"""Whether a single column leaves a loss without a minimum, from the ranges of the columns in some rows.

It takes one look at the numbers of each class. What several columns do together it does not see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective

__all__ = ["a_column_falls", "a_column_separates"]

Ranges: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
Mask: TypeAlias = NDArray[np.bool_]


def a_column_separates(objective: DataObjective) -> bool:
    """Return whether a single column, with the intercept, separates one class from the others."""
    ranges, present, labels = _ranges_of(objective), _present(objective), objective.targets
    n_classes = max(2, objective.layout.n_scores)
    for label in range(1, n_classes) if n_classes == 2 else range(n_classes):
        ins, outs = ranges(present & (labels == label)), ranges(present & (labels != label))
        for (low, high), (least, most) in ((ins, outs), (outs, ins)):  # high side, low side
            if objective.intercept:
                if low[0] > high[0]:
                    return True  # one side has no row
                apart = (most <= low) & (least < high)
            else:
                apart = (np.minimum(low, 0.0) >= 0.0) & (np.maximum(most, 0.0) <= 0.0) & ((high > 0.0) | (least < 0.0))
            if apart.any():
                return True
    return False


def a_column_falls(objective: DataObjective) -> bool:
    """Return whether a column is constant in the rows above 0, and only below it, or only above it, in those of 0."""
    ranges, present, y = _ranges_of(objective), _present(objective), objective.targets
    zero, positive = present & (y == 0), present & (y > 0)
    if not zero.any():
        return False
    (low, high), (least, most) = ranges(positive), ranges(zero)
    if not positive.any():
        low = high = np.zeros_like(least)
    constant = (low == high) if objective.intercept else (low == 0.0) & (high == 0.0)
    return bool((constant & ((least < low) != (most > high))).any())


def _present(objective: DataObjective) -> Mask:
    weight = objective.weights
    return np.ones(objective.n_samples, bool) if weight is None else weight > 0


def _ranges_of(objective: DataObjective) -> Callable[[Mask], Ranges]:
    """Return the function that tells the ranges of the columns, from the zeros of the scaling if there is one."""
    centre: Any = 0.0 if objective.scaling is None else objective.scaling[0]

    def ranges(some: Mask) -> Ranges:
        low, high = objective.data.column_ranges(some)
        return low - centre, high - centre

    return ranges

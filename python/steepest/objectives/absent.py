"""Numbers that are not finite in rows of weight 0, whose 0 times nan is nan in sums over dense rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from .data import DataObjective
from .protocol import Capability

__all__ = ["told_of_absent_rows"]

_BLOCK = 1 << 17  # elements of X that are widened at a time


def told_of_absent_rows(objective: Any) -> str | None:
    """Return what number that is not finite the first such row of weight 0 has, and where; None if there is none."""
    known = isinstance(objective, DataObjective) and objective.device is None and objective.weights is not None
    if not known or not objective.supports(Capability.ROWS):
        return None
    absent = np.flatnonzero(objective.weights == 0.0)
    step = max(1, _BLOCK // objective.n_features)
    for at in range(0, len(absent), step):
        some = absent[at : at + step]
        rows = objective.rows(some, standardised=False)
        wrong = np.argwhere(~np.isfinite(rows))
        if len(wrong):
            row, column = wrong[0]
            return f"{rows[row, column]} in row {some[row]} of column {column}"
    return None

"""Rows of an objective's data in a dtype that NumPy can compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import BFLOAT16
from .data import DataObjective

__all__ = ["standardised_rows", "widened"]


def widened(X: NDArray[Any]) -> NDArray[Any]:
    """Return bfloat16 numbers as float32, and all others unchanged."""
    if X.dtype == BFLOAT16:
        return (X.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return X


def standardised_rows(objective: DataObjective, X: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
    """Return rows of an objective's X in a dtype, standardised if the objective has a centre and a scale."""
    exact = widened(X).astype(dtype, copy=False)
    if objective.scaling is None:
        return exact
    centre, scale = objective.scaling
    return np.asarray((exact - centre) / scale)

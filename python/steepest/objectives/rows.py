"""Rows of an objective's data as numbers that NumPy computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import BFLOAT16
from .data import DataObjective

__all__ = ["standardised_rows", "widened"]


def widened(X: NDArray[Any]) -> NDArray[Any]:
    """Return numbers of 16 bits as float32, other ones as they are."""
    if X.dtype == BFLOAT16:
        return (X.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return X


def standardised_rows(objective: DataObjective, X: NDArray[Any], dtype: Any = np.float64) -> NDArray[Any]:
    """Return rows of an objective's X as numbers of a dtype, standardised where the objective's are."""
    exact = widened(X).astype(dtype, copy=False)
    if objective.scaling is None:
        return exact
    centre, scale = objective.scaling
    return np.asarray((exact - centre) / scale)

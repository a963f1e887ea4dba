"""Rows in a dtype that NumPy can compute with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.device import BFLOAT16

__all__ = ["widened"]


def widened(X: NDArray[Any]) -> NDArray[Any]:
    """Return bfloat16 numbers as float32, and all others unchanged."""
    if X.dtype == BFLOAT16:
        return (X.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return X

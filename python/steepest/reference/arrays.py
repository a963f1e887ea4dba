"""What the reference computes with: float64 whatever comes in."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array: TypeAlias = NDArray[np.float64]


def float64(array: ArrayLike) -> Array:
    """Return the array in float64, itself where it is one."""
    return np.asarray(array, dtype=np.float64)

"""The Euclidean norm of numbers of any size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["norm_of"]


def norm_of(v: NDArray[Any]) -> float:
    """Return the Euclidean norm. The numbers are scaled to about 1, so no square overflows or underflows."""
    exponent = min(max(math.frexp(float(np.abs(v).max(initial=0.0)))[1], -1021), 1021)
    return float(np.linalg.norm(np.ldexp(v.astype(np.float64), -exponent))) * 2.0**exponent

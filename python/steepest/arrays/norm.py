"""The Euclidean norm of numbers of any size, and sums of products of long vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dot", "norm_of"]

_SHORT = 8192  # OpenBLAS shares longer vectors among threads
_BLOCK = 1 << 15


def dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the sum of the products of two vectors.

    Long ones do not go through BLAS. Its threads keep their processors busy for some 0.1 s after a call, which makes
    the passes of our threads several times as slow, and their number decides the last bits.
    """
    return float(a @ b) if a.size <= _SHORT else float(np.einsum("i,i->", a, b))


def norm_of(v: NDArray[Any]) -> float:
    """Return the Euclidean norm. The numbers are scaled to about 1, so no square overflows or underflows."""
    if v.size <= _SHORT:
        flat = v.astype(np.float64, copy=False).ravel(order="K")
        exponent = _exponent(float(np.maximum.reduce(np.abs(flat), initial=0.0)))
        scaled = flat * 2.0**-exponent
        return math.sqrt(float(scaled @ scaled)) * 2.0**exponent
    flat, total = v.reshape(-1), 0.0
    exponent = _exponent(max(float(flat.max()), -float(flat.min())))
    for at in range(0, flat.size, _BLOCK):
        part = np.ldexp(flat[at : at + _BLOCK].astype(np.float64), -exponent)
        total += float(np.einsum("i,i->", part, part))
    return math.sqrt(total) * 2.0**exponent


def _exponent(largest: float) -> int:
    return min(max(math.frexp(largest)[1], -1021), 1021)

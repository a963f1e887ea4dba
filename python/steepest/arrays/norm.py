"""The Euclidean norm of numbers of any size, and sums of products of long vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dot", "norm_of"]

_SHORT = 8192  # OpenBLAS shares longer vectors among threads
_BLOCK = 1 << 15
_LEAST, _MOST = 1e-260, 1e300  # of sums of squares to which none was lost


def dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the sum of the products of two vectors.

    Long ones do not go through BLAS. Its threads keep their processors busy for some 0.1 s after a call, which makes
    the passes of our threads several times as slow, and their number decides the last bits.
    """
    return float(a @ b) if a.size <= _SHORT else float(np.einsum("i,i->", a, b))


def norm_of(v: NDArray[Any]) -> float:
    """Return the Euclidean norm. Where squares overflow or underflow, the numbers are first scaled to about 1.

    Scales are powers of two, so they change no bit.
    """
    flat = v.ravel(order="K")
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = _square(flat, 0)
        if _LEAST < square < _MOST or not flat.size:
            return math.sqrt(square)
        exponent = _exponent(max(float(flat.max()), -float(flat.min())))
        return math.sqrt(_square(flat, exponent)) * 2.0**exponent


def _square(flat: NDArray[Any], exponent: int) -> float:
    """Return the sum of the squares of numbers times 2^-exponent, block by block."""
    total = 0.0
    for at in range(0, flat.size, _BLOCK):
        part = flat[at : at + _BLOCK].astype(np.float64, copy=False)
        part = np.ldexp(part, -exponent) if exponent else part
        total += float(part @ part) if flat.size <= _SHORT else float(np.einsum("i,i->", part, part))
    return total


def _exponent(largest: float) -> int:
    return min(max(math.frexp(largest)[1], -1021), 1021)
